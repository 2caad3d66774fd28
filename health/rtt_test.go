package health

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/weirlb/weir/config"
)

const ms = time.Millisecond

func TestEWMA(t *testing.T) {
	for _, tt := range []struct{ samples, want []time.Duration }{
		{[]time.Duration{40 * ms, 80 * ms}, []time.Duration{40 * ms, 50 * ms}}, // the worked example
		{[]time.Duration{100 * ms, 100 * ms}, []time.Duration{100 * ms, 100 * ms}},
		{[]time.Duration{100 * ms, 20 * ms, 20 * ms}, []time.Duration{100 * ms, 80 * ms, 65 * ms}},
		{[]time.Duration{0, 4}, []time.Duration{1, 1}}, // no time at all is still a sample
		{[]time.Duration{1, 0, 0}, []time.Duration{1, 1, 1}},
	} {
		var e ewma
		for i, s := range tt.samples {
			if e = e.observe(s); time.Duration(e) != tt.want[i] {
				t.Errorf("M6: %v: after %d: %v, want %v", tt.samples, i+1, time.Duration(e), tt.want[i])
			}
		}
	}
}

// A profile follows a change of level: 94 % of it after ten samples, which is ten minutes at the default interval.
func TestEWMAFollows(t *testing.T) {
	e := ewma(0).observe(100 * ms)
	for range 10 {
		e = e.observe(200 * ms)
	}
	if got := time.Duration(e); got < 194*ms || got > 195*ms { // 200 - 100·0.75¹⁰ = 194.4
		t.Errorf("M6: %v", got)
	}
}

func TestMean(t *testing.T) {
	var m mean
	if m.value() != 0 {
		t.Error("a mean of nothing")
	}
	m.add(10)
	m.add(0)
	m.add(30)
	if m.value() != 20 {
		t.Errorf("got %d", m.value())
	}
	m.remove(10)
	m.remove(0)
	if m.value() != 30 {
		t.Errorf("got %d", m.value())
	}
}

func TestRTTCell(t *testing.T) {
	table := NewTable()
	cell := table.RTT("p", "WEU")
	if _, ok := cell.Load(); ok {
		t.Error("data from nowhere")
	}
	cell.Store(40 * ms)
	if d, ok := table.RTT("p", "WEU").Load(); !ok || d != 40*ms {
		t.Errorf("got %v, %t", d, ok)
	}
	if _, ok := table.RTT("p", "ENAM").Load(); ok {
		t.Error("another place's data")
	}
	if n := testing.AllocsPerRun(100, func() { cell.Load() }); n != 0 {
		t.Errorf("Load allocates %v times", n)
	}
	table.Delete("p")
	if _, ok := cell.Load(); ok {
		t.Error("data of a pool that is gone")
	}
	cell.Store(-1)
	if _, ok := cell.Load(); ok {
		t.Error("time runs backwards")
	}
}

// taking answers after d.
func taking(d time.Duration, f func(context.Context) Result) func(context.Context) Result {
	return func(ctx context.Context) Result {
		time.Sleep(d)
		return f(ctx)
	}
}

// far is what the table says of a pool's distance, live and in its picture, which must agree.
func (l *lab) far(pool, place string) string {
	d, ok := l.Table().RTT(pool, place).Load()
	drawn, known := l.Table().Pool(pool).RTT[place]
	if drawn != d || known != ok {
		l.t.Errorf("M6: the picture says %v (%t), the cell %v (%t)", drawn, known, d, ok)
	}
	if !ok {
		return "none"
	}
	return d.String()
}

// Behaviour M6: 40 ms, then 80 ms: 50 ms. No OnChange comes of it, and it outlives a reload.
func TestProfileOfAPool(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		cfg := configOf(httpMonitor(), poolOf("p", 1))
		l.answer("10.0.0.1", taking(40*ms, pass))
		l.Apply(cfg)
		cell := l.Table().RTT("p", "FRA")
		l.want("before the first probe", l.far("p", "FRA"), "none")
		l.after(2 * time.Second)
		l.want("M6: the first sample", l.far("p", "FRA"), "40ms")
		l.changes = nil
		l.answer("10.0.0.1", taking(80*ms, pass))
		l.after(time.Minute)
		l.want("M6: the second", l.far("p", "FRA"), "50ms")
		l.want("M6: everywhere", l.far("p", Everywhere), "50ms")
		if len(l.changes) != 0 {
			t.Errorf("M6: a profile alone is told as a change: %v", l.changes)
		}
		l.answer("10.0.0.1", taking(10*ms, fail))
		l.after(time.Minute)
		l.want("M6: nobody is up", l.far("p", "FRA"), "none")
		l.answer("10.0.0.1", taking(90*ms, pass))
		l.after(time.Minute)
		l.want("M6: failures are no samples: 50 ms and 90 ms", l.far("p", "FRA"), "60ms")

		p := poolOf("p", 1)
		p.Description = "reloaded"
		l.Apply(configOf(httpMonitor(), p))
		l.want("H18", l.far("p", "FRA"), "60ms")
		if l.Table().RTT("p", "FRA") != cell {
			t.Error("M6: another cell after a reload")
		}
		p.Monitor = ""
		l.Apply(configOf(httpMonitor(), p))
		l.want("M6: not probed", l.far("p", "FRA")+l.far("p", Everywhere), "nonenone")
		l.Apply(configOf(httpMonitor()))
		if _, ok := cell.Load(); ok {
			t.Error("M6: the pool is gone")
		}
	})
}

// A prober that knows better than the runner how far away the origin is says so.
func TestProbersOwnRTT(t *testing.T) {
	inLab(t, Options{Probe: func(ctx context.Context, _ Target) Result {
		time.Sleep(50 * ms)
		r := pass(ctx)
		r.RTT = 7 * ms
		return r
	}}, func(l *lab) {
		l.Apply(configOf(httpMonitor(), poolOf("p", 1)))
		l.after(2 * time.Second)
		l.want("M6", l.far("p", "FRA"), "7ms")
		if v := l.Table().Pool("p").Origins[0].Global; v.RTT != 7*ms {
			t.Errorf("M6: %v", v.RTT)
		}
	})
}

// A pool's profile is the mean over the origins that are up as the place sees them.
func TestProfileIsOfHealthyOrigins(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		p := poolOf("p", 3)
		p.CheckRegions = []string{"WEU", "ENAM", "OC"}
		cfg := configOf(httpMonitor(), p)
		cfg.Weir.Regions = map[string]config.Region{"ENAM": {Delay: 100 * ms}, "OC": {Partition: []string{"p/b"}}}
		l.answer("10.0.0.1", taking(20*ms, pass))
		l.answer("10.0.0.2", taking(60*ms, pass))
		l.answer("10.0.0.3", taking(500*ms, fail))
		l.Apply(cfg)
		l.after(2 * time.Second)
		l.want("who is up", l.global("p"), "UUD")
		l.want("M6: 20 and 60", l.far("p", "WEU"), "40ms")
		l.want("M6: 120 and 160", l.far("p", "ENAM"), "140ms")
		l.want("M6: 20; b is not seen from there", l.far("p", "OC"), "20ms")
		// a: (20+120+20)/3, b: (60+160)/2, and the mean of both
		l.want("M6: everywhere", l.far("p", Everywhere), ((160*ms/3 + 110*ms) / 2).String())
		l.want("M6: not probed from there", l.far("p", "ME"), "none")

		p.Origins[1].Enabled = false
		l.Apply(cfg2(cfg, p))
		l.want("M6: a disabled origin has no part", l.far("p", "WEU"), "20ms")
		p.CheckRegions = []string{"ENAM"}
		weu := l.Table().RTT("p", "WEU")
		l.Apply(cfg2(cfg, p))
		if _, ok := weu.Load(); ok {
			t.Error("M6: WEU is not probed from any more")
		}
		l.want("M6: ENAM is", l.far("p", "ENAM"), "120ms")
	})
}

// cfg2 is cfg with another pool.
func cfg2(cfg *config.Config, p config.Pool) *config.Config {
	next := *cfg
	next.Pools = []config.Pool{p}
	p.Origins = slices.Clone(p.Origins)
	return &next
}

// Three vantage points of a region smooth each for itself.
func TestProfileOfThreePoints(t *testing.T) {
	times := []time.Duration{30 * ms, 60 * ms, 90 * ms}
	n := 0
	inLab(t, Options{Scale: ScaleFull}, func(l *lab) {
		p := poolOf("p", 1)
		p.CheckRegions = []string{"WEU"}
		l.answer("10.0.0.1", func(ctx context.Context) Result {
			l.mu.Lock()
			d := times[n%len(times)]
			n++
			l.mu.Unlock()
			time.Sleep(d)
			return pass(ctx)
		})
		l.Apply(configOf(httpMonitor(), p))
		l.after(2 * time.Second)
		l.want("M6", l.far("p", "WEU"), "60ms")
	})
}

// A group's RTT is the mean over its members that vote.
func TestProfileOfAGroup(t *testing.T) {
	took := map[string]time.Duration{"/m1": 20 * ms, "/m2": 40 * ms, "/m5": 900 * ms}
	inLab(t, Options{Probe: func(ctx context.Context, target Target) Result {
		time.Sleep(took[target.Monitor.Path])
		return pass(ctx)
	}}, func(l *lab) {
		g := config.MonitorGroup{ID: "g", Members: []config.GroupMember{
			{MonitorID: "m1", Enabled: true, MustBeHealthy: true},
			{MonitorID: "m2", Enabled: true},
			{MonitorID: "m5", Enabled: true, MonitoringOnly: true},
			{MonitorID: "m6"},
		}}
		l.Apply(groupConfig(g, poolOf("p", 1)))
		l.after(2 * time.Minute)
		l.want("M6", l.far("p", "FRA"), "30ms")
	})
}

// The sums that are kept up to date against sums made anew: a day of probes, flaps and all.
func TestProfilesAgainstSumsMadeAnew(t *testing.T) {
	dice := rand.New(rand.NewPCG(5, 6))
	inLab(t, Options{Probe: nil}, func(l *lab) {
		p := poolOf("p", 8)
		p.CheckRegions = []string{"WEU", "ENAM"}
		for i := range p.Origins {
			l.answer(p.Origins[i].Address, func(ctx context.Context) Result {
				l.mu.Lock()
				d, ok := time.Duration(dice.IntN(200))*ms, dice.IntN(4) > 0
				l.mu.Unlock()
				time.Sleep(d)
				if !ok {
					return fail(ctx)
				}
				return pass(ctx)
			})
		}
		l.Apply(configOf(httpMonitor(), p))
		for range 24 {
			l.after(time.Hour)
			l.Engine.mu.Lock()
			for _, place := range []string{"WEU", "ENAM"} {
				if got, want := l.pools["p"].rtts()[place], anew(l.pools["p"], place); got != want {
					t.Fatalf("M6: %s: %v, made anew %v", place, got, want)
				}
			}
			l.Engine.mu.Unlock()
		}
	})
}

func anew(p *pool, name string) time.Duration {
	var sum time.Duration
	n := 0
	for _, o := range p.origins {
		places := o.members[0].places
		pl := places[slices.IndexFunc(places, func(pl *place) bool { return pl.name == name })]
		if pl.verdict.Status == Up && pl.points[0].rtt > 0 {
			sum += time.Duration(pl.points[0].rtt)
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return sum / time.Duration(n)
}

// Behaviour M5: whose verdict counts.
func TestHealthSources(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		regional, global, local := poolOf("regional", 1), poolOf("global", 1), poolOf("local", 1)
		regional.CheckRegions = []string{"WNAM", "ENAM", "WEU"}
		regional.HealthSources = []string{"regional", "global"}
		global.CheckRegions = regional.CheckRegions
		none := poolOf("none", 1)
		none.Monitor = ""
		cfg := configOf(httpMonitor(), regional, global, local, none)
		cfg.Weir.Regions = map[string]config.Region{"WEU": {Partition: []string{"regional/a", "global/a", "local/a"}}}
		l.Apply(cfg)
		judged := func(pool string, at config.Place) string {
			h := l.Table().Pool(pool)
			return word([]Status{h.Origins[0].From(h.Place(&at)).Status})
		}
		paris, chicago := config.Place{PoP: "CDG", Region: "WEU"}, config.Place{PoP: "ORD", Region: "ENAM"}
		sydney, frankfurt, nowhere := config.Place{PoP: "SYD", Region: "OC"}, cfg.Weir.Location, config.Place{}
		l.want("H12", judged("regional", paris)+judged("local", frankfurt), "??")
		l.after(2 * time.Second)
		l.want("M5: WEU is down there", judged("regional", paris), "D")
		l.want("M5: ENAM uses it", judged("regional", chicago), "U")
		l.want("M5: OC is not listed: two of three", judged("regional", sydney), "U")
		l.want("M5: nobody knows where", judged("regional", nowhere), "U")
		l.want("M5: not asked for: two of three", judged("global", paris), "U")
		l.want("M5: the data centre itself", judged("local", frankfurt), "D")
		l.want("M5: not monitored", judged("none", frankfurt), "?")
		for pool, want := range map[string]string{
			"regional": "[regional global]", "global": "[global]", "local": "[local global]", "none": "[]",
		} {
			h := l.Table().Pool(pool)
			l.want("M5: "+pool, fmt.Sprint(h.Sources), want)
			if h.Local != (pool == "local") {
				t.Errorf("%s: local %t", pool, h.Local)
			}
		}

		l.changes = nil
		global.HealthSources = regional.HealthSources
		next := *cfg
		next.Pools = []config.Pool{regional, global, local, none}
		l.Apply(&next)
		l.want("M5: from now on", judged("global", paris), "D")
		if !slices.Equal(l.changes, []string{"global"}) {
			t.Errorf("M5: changes %v", l.changes)
		}
	})
}

// A place without a verdict of its own is judged by everybody's.
func TestFromFallsBack(t *testing.T) {
	o := OriginHealth{Global: Verdict{Status: Up}, Places: map[string]Verdict{"WEU": {Status: Down}, "ENAM": {}}}
	for place, want := range map[string]string{"WEU": "D", "ENAM": "U", "OC": "U", Everywhere: "U"} {
		if got := word([]Status{o.From(place).Status}); got != want {
			t.Errorf("M5: %q: got %s, want %s", place, got, want)
		}
	}
}
