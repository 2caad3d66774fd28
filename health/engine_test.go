package health

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirlb/weir/config"
)

// lab is an engine in virtual time whose probes are answered by the test.
type lab struct {
	t *testing.T
	*Engine
	mu      sync.Mutex                                  // held by the test but while it waits; guards what follows
	answers map[string]func(ctx context.Context) Result // by "address" or "address from source"
	probes  []string                                    // "time address", since the start
	start   time.Time
	changes []string
	events  []Event
	results []ProbeResult
}

// inLab runs f in a bubble and closes the engine after it.
func inLab(t *testing.T, o Options, f func(*lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{t: t, answers: map[string]func(context.Context) Result{}, start: time.Now()}
		if o.Probe == nil {
			o.Probe = l.probe
		}
		o.OnChange = func(id string) { l.note(func() { l.changes = append(l.changes, id) }) }
		o.OnEvent = func(e Event) { l.note(func() { l.events = append(l.events, e) }) }
		o.OnProbe = func(r ProbeResult) { l.note(func() { l.results = append(l.results, r) }) }
		l.Engine = NewEngine(o)
		l.mu.Lock()
		defer func() {
			l.mu.Unlock()
			l.Close()
		}()
		f(l)
	})
}

func (l *lab) Apply(cfg *config.Config) {
	l.mu.Unlock()
	l.Engine.Apply(cfg)
	l.mu.Lock()
}

func (l *lab) note(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

func (l *lab) probe(ctx context.Context, t Target) Result {
	l.mu.Lock()
	l.probes = append(l.probes, fmt.Sprintf("%v %s", time.Since(l.start).Truncate(time.Second), t.Address))
	answer := l.answers[t.Address]
	if t.Source.IsValid() && l.answers[t.Address+" from "+t.Source.String()] != nil {
		answer = l.answers[t.Address+" from "+t.Source.String()]
	}
	l.mu.Unlock()
	if answer == nil {
		return pass(ctx)
	}
	return answer(ctx)
}

func pass(context.Context) Result { return Result{Reason: NoFailures, ResponseCode: 200} }

func fail(context.Context) Result {
	return Result{Reason: CodeMismatch, ResponseCode: 503, Detail: "got 503, expected 200"}
}

func blackHole(ctx context.Context) Result {
	<-ctx.Done()
	return failed(ctx, connecting, ctx.Err())
}

// script answers U and D in turn, the last one again and again.
func script(results string) func(context.Context) Result {
	n := 0
	return func(ctx context.Context) Result {
		r := results[min(n, len(results)-1)]
		n++
		if r == 'U' {
			return pass(ctx)
		}
		return fail(ctx)
	}
}

func (l *lab) answer(key string, f func(context.Context) Result) {
	l.answers[key] = f
}

// after lets virtual time pass.
func (l *lab) after(d time.Duration) {
	l.mu.Unlock()
	time.Sleep(d)
	synctest.Wait()
	l.mu.Lock()
}

// global is the word of a pool's global verdicts: "UD?".
func (l *lab) global(pool string) string {
	p := l.Table().Pool(pool)
	if p == nil {
		return "nothing"
	}
	var s []Status
	for _, o := range p.Origins {
		s = append(s, o.Global.Status)
	}
	return word(s)
}

// from is the word of a pool's verdicts from one place.
func (l *lab) from(pool, place string) string {
	var s []Status
	for _, o := range l.Table().Pool(pool).Origins {
		s = append(s, o.Places[place].Status)
	}
	return word(s)
}

func (l *lab) want(what, got, want string) {
	l.t.Helper()
	if got != want {
		l.t.Errorf("%s: got %s, want %s", what, got, want)
	}
}

func TestUnknownUntilTheFirstResult(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		if ready, waiting := l.Ready(); ready || len(waiting) != 1 {
			t.Errorf("H22: ready without a configuration: %v", waiting)
		}
		l.answer("10.0.0.2", fail)
		l.Apply(configOf(httpMonitor(), poolOf("p", 2)))
		l.want("H12: at once", l.global("p"), "??")
		ready, waiting := l.Ready()
		if want := []string{"p/a from FRA", "p/b from FRA"}; ready || !slices.Equal(waiting, want) {
			t.Errorf("H22: ready %t, waiting for %v, want %v", ready, waiting, want)
		}
		l.after(time.Second)
		l.want("H13: after a second", l.global("p"), "UD")
		if ready, waiting := l.Ready(); !ready {
			t.Errorf("H22: still waiting for %v; an origin that is down is a result", waiting)
		}
		down := l.Table().Pool("p").Origins[1].Global
		if down.Reason != CodeMismatch || down.ResponseCode != 503 || down.Detail == "" || down.Since.IsZero() {
			t.Errorf("H16: %+v", down)
		}
		if up := l.Table().Pool("p").Origins[0].Global; up.Reason != NoFailures || up.ResponseCode != 200 {
			t.Errorf("H16: %+v", up)
		}
	})
}

func TestConsecutiveCounts(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		m := httpMonitor()
		m.ConsecutiveDown, m.ConsecutiveUp = 3, 2
		l.answer("10.0.0.1", script("U"+"DDUDDDUU"))
		l.Apply(configOf(m, poolOf("p", 1)))
		l.after(time.Second)
		got := l.global("p")
		for range 8 {
			l.after(time.Minute)
			got += l.global("p")
			if v := l.Table().Pool("p").Origins[0].Global; v.Status == Down && v.Reason != CodeMismatch {
				t.Errorf("H16: down because of %s", v.Reason)
			}
		}
		l.want("H9", got, "U"+"UUUUUDDU")
	})
}

// Behaviour H10 through the engine: three regions, three vantage points each.
func TestRegionsJoin(t *testing.T) {
	inLab(t, Options{Scale: ScaleFull}, func(l *lab) {
		p := poolOf("p", 1)
		p.CheckRegions = []string{"WNAM", "ENAM", "WEU"}
		cfg := configOf(httpMonitor(), p)
		cfg.Weir.Regions = map[string]config.Region{
			"WNAM": {Source: "127.0.0.11"}, "ENAM": {Source: "127.0.0.12"}, "WEU": {Source: "127.0.0.13"},
		}
		l.answer("10.0.0.1 from 127.0.0.11", script("UUU"))
		l.answer("10.0.0.1 from 127.0.0.12", script("UDD"))
		l.answer("10.0.0.1 from 127.0.0.13", script("UUD"))
		l.Apply(cfg)
		l.after(time.Second)
		l.want("WNAM 3/3", l.from("p", "WNAM"), "U")
		l.want("ENAM 1/3", l.from("p", "ENAM"), "D")
		l.want("WEU 2/3", l.from("p", "WEU"), "U")
		l.want("two of three", l.global("p"), "U")
		if h := l.Table().Pool("p"); h.Local || !h.Monitored {
			t.Errorf("local %t, monitored %t", h.Local, h.Monitored)
		}
		if len(l.probes) != 9 {
			t.Errorf("%d probes, want 9", len(l.probes))
		}
	})
}

func TestAllRegions(t *testing.T) {
	for scale, want := range map[Scale]int{ScaleOne: 13, ScaleFull: 39} {
		inLab(t, Options{Scale: scale}, func(l *lab) {
			p := poolOf("p", 1)
			p.CheckRegions = []string{"ALL_REGIONS"}
			l.Apply(configOf(httpMonitor(), p))
			l.after(time.Second)
			if len(l.probes) != want || len(l.Table().Pool("p").Origins[0].Places) != 13 {
				t.Errorf("H10: scale %d: %d probes, want %d", scale, len(l.probes), want)
			}
		})
	}
}

// Behaviour H11: without check_regions each data centre judges for itself; the majority judges for the others.
func TestDataCentres(t *testing.T) {
	inLab(t, Options{Scale: ScaleFull}, func(l *lab) {
		cfg := configOf(httpMonitor(), poolOf("p", 2))
		cfg.Weir.DataCenters = []config.Place{
			{PoP: "FRA", Region: "WEU"}, {PoP: "AMS", Region: "WEU"}, {PoP: "IAD", Region: "ENAM"},
		}
		cfg.Weir.Regions = map[string]config.Region{"ENAM": {Partition: []string{"p/a"}}, "WEU": {Partition: []string{"p/b"}}}
		l.Apply(cfg)
		l.after(time.Minute)
		for place, want := range map[string]string{"FRA": "UD", "AMS": "UD", "IAD": "DU"} {
			l.want(place, l.from("p", place), want)
		}
		l.want("majority", l.global("p"), "UD")
		if !l.Table().Pool("p").Local {
			t.Error("H11: data centres do not judge their own traffic")
		}
	})
}

func TestUnmonitoredPool(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		p := poolOf("p", 2)
		p.Monitor = ""
		l.Apply(configOf(httpMonitor(), p))
		l.after(time.Minute)
		h := l.Table().Pool("p")
		if h == nil || h.Monitored || len(h.Origins) != 2 || len(l.probes) != 0 {
			t.Errorf("P7: %+v, %d probes", h, len(l.probes))
		}
		if ready, waiting := l.Ready(); !ready {
			t.Errorf("H22: waits for %v", waiting)
		}
	})
}

func TestDisabled(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		cfg := func(origin, pool bool) *config.Config {
			p := poolOf("p", 2)
			p.Enabled, p.Origins[0].Enabled = pool, origin
			return configOf(httpMonitor(), p)
		}
		l.answer("10.0.0.2", fail)
		l.Apply(cfg(true, true))
		l.after(time.Second)
		l.want("both probed", l.global("p"), "UD")

		l.Apply(cfg(false, true))
		l.probes = nil
		l.answer("10.0.0.1", fail)
		l.after(5 * time.Minute)
		l.want("H15: frozen", l.global("p"), "UD")
		if n := len(l.probes); n != 5 {
			t.Errorf("H15: %d probes in five minutes, want those of the other origin", n)
		}

		l.Apply(cfg(true, true))
		l.want("H15: enabled again: unknown until it is probed", l.global("p"), "?D")
		l.after(time.Second)
		l.want("H15: and then what it is", l.global("p"), "DD")

		l.Apply(cfg(true, false))
		l.probes = nil
		l.after(5 * time.Minute)
		l.want("H15: a disabled pool", l.global("p"), "DD")
		if len(l.probes) != 0 {
			t.Errorf("H15: %d probes of a disabled pool", len(l.probes))
		}
	})
}

func TestReloadKeepsState(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		m := httpMonitor()
		m.ConsecutiveDown = 3
		l.answer("10.0.0.2", script("UDD"))
		l.Apply(configOf(m, poolOf("p", 3)))
		l.after(2*time.Minute + time.Second) // b has failed twice of three times
		l.want("before", l.global("p"), "UUU")
		since := l.Table().Pool("p").Origins[0].Global.Since

		p := poolOf("p", 3)
		slices.Reverse(p.Origins)
		p.Name, p.Description = "renamed", "moved about"
		p.Origins[0].Name, p.Origins[0].Weight = "third", 50
		m.Description, m.Pos.Line = "new words", 99
		probes := len(l.probes)
		l.Apply(configOf(m, p))
		l.want("H18: at once", l.global("p"), "UUU")
		if got := l.Table().Pool("p").Origins[2].Global.Since; !got.Equal(since) {
			t.Errorf("H18: up since %v, then since %v", since, got)
		}
		if ready, waiting := l.Ready(); !ready {
			t.Errorf("H18: waits for %v", waiting)
		}
		l.after(58 * time.Second)
		if len(l.probes) != probes {
			t.Errorf("H18: %d probes before their time", len(l.probes)-probes)
		}
		l.after(2 * time.Second)
		l.want("H18: the third failure in a row counts on", l.global("p"), "UDU")
		if len(l.events) == 0 || l.events[len(l.events)-1].Pool.Name != "renamed" {
			t.Error("the event names the pool as it was")
		}
	})
}

func TestChangedMonitorProbesAnew(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		m := httpMonitor()
		l.Apply(configOf(m, poolOf("p", 1)))
		l.after(10 * time.Second)
		m.Path = "/other"
		l.answer("10.0.0.1", fail)
		l.Apply(configOf(m, poolOf("p", 1)))
		l.want("H18: the state is kept", l.global("p"), "U")
		l.after(time.Second)
		l.want("H18: until the new settings have a result", l.global("p"), "D")

		m.ConsecutiveUp = 2
		probes := len(l.probes)
		l.answer("10.0.0.1", pass)
		l.Apply(configOf(m, poolOf("p", 1)))
		l.after(50 * time.Second)
		if len(l.probes) != probes {
			t.Error("a new threshold is no reason to probe")
		}
		l.after(10 * time.Second)
		l.want("H9: one of two", l.global("p"), "D")
		l.after(time.Minute)
		l.want("H9: two of two", l.global("p"), "U")
	})
}

// New regions have no results at first: what is known already stands until they have.
func TestNewRegionsDoNotMakeAnOriginUnknown(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		p := poolOf("p", 2)
		p.CheckRegions = []string{"WEU"}
		l.answer("10.0.0.2", fail)
		l.Apply(configOf(httpMonitor(), p))
		l.after(time.Second)
		p.CheckRegions = []string{"WEU", "WNAM", "ENAM"}
		l.Apply(configOf(httpMonitor(), p))
		l.want("H18: held", l.global("p"), "UD")
		l.want("the new region", l.from("p", "ENAM"), "??")
		l.answer("10.0.0.2", pass)
		l.after(time.Second)
		l.want("two of three", l.global("p"), "UU")
		l.want("the old region is not due yet", l.from("p", "WEU"), "UD")
	})
}

// One address under two monitors is two beliefs.
func TestStateIsPerMonitor(t *testing.T) {
	inLab(t, Options{Probe: func(ctx context.Context, t Target) Result {
		if t.Monitor.Path == "/strict" {
			return fail(ctx)
		}
		return pass(ctx)
	}}, func(l *lab) {
		strict := httpMonitor()
		strict.ID, strict.Path = "m2", "/strict"
		a, b := poolOf("p", 1), poolOf("q", 1)
		b.Monitor = "m2"
		cfg := configOf(httpMonitor(), a, b)
		cfg.Monitors = append(cfg.Monitors, strict)
		l.Apply(cfg)
		l.after(time.Second)
		l.want("H18: p", l.global("p"), "U")
		l.want("H18: q", l.global("q"), "D")
		b.Monitor = "m1"
		l.Apply(configOf(httpMonitor(), a, b))
		l.want("H18: another monitor knows nothing yet", l.global("q"), "?")
	})
}

// Two origins that share an identity are probed and judged each for itself.
func TestTwins(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		p := poolOf("p", 2)
		p.Origins[1].Address = p.Origins[0].Address
		l.answer("10.0.0.1", script("UD"))
		l.Apply(configOf(httpMonitor(), p))
		l.after(time.Second)
		if got := l.global("p"); got != "UD" && got != "DU" {
			t.Errorf("got %s", got)
		}
	})
}

func TestRemovedPool(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		l.answer("10.0.0.1", blackHole)
		l.Apply(configOf(httpMonitor(), poolOf("p", 1), poolOf("q", 1)))
		l.after(time.Second)
		l.changes = nil
		l.Apply(configOf(httpMonitor()))
		l.after(0)
		if len(l.running) != 0 || len(l.points) != 0 {
			t.Errorf("%d checks and %d points are left", len(l.running), len(l.points))
		}
		l.want("gone", l.global("p")+l.global("q"), "nothingnothing")
		slices.Sort(l.changes)
		if !slices.Equal(l.changes, []string{"p", "q"}) {
			t.Errorf("changes %v", l.changes)
		}
		if len(l.results) != 0 {
			t.Errorf("a running probe of a removed pool was told: %+v", l.results)
		}
		l.probes = nil
		l.after(time.Hour)
		if len(l.probes) != 0 {
			t.Errorf("%d probes of removed pools", len(l.probes))
		}
	})
}

func TestEvents(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		p := poolOf("p", 2)
		p.MinimumOrigins, p.CheckRegions = 2, []string{"WEU", "ENAM", "WNAM"}
		cfg := configOf(httpMonitor(), p)
		cfg.Weir.Regions = map[string]config.Region{
			"WEU": {Source: "127.0.0.11"}, "ENAM": {Source: "127.0.0.12"}, "WNAM": {Source: "127.0.0.13"},
		}
		l.Apply(cfg)
		l.after(time.Second)
		if len(l.events) != 2 {
			t.Fatalf("H17: %d events for two origins coming up", len(l.events))
		}
		if last := l.events[1].Pool; !last.Healthy || !last.Changed || last.State != PoolHealthy || last.Was != PoolCritical {
			t.Errorf("H17: %+v", last)
		}

		l.answer("10.0.0.1 from 127.0.0.11", fail)
		l.after(time.Minute)
		l.want("WEU", l.from("p", "WEU"), "DU")
		if len(l.events) != 2 {
			t.Error("H17: an event for a region's verdict alone")
		}
		if !slices.Contains(l.changes, "p") {
			t.Error("a region's verdict is a change")
		}

		l.answer("10.0.0.1 from 127.0.0.12", fail)
		l.after(time.Minute)
		if len(l.events) != 3 {
			t.Fatalf("H17: %d events after the second region", len(l.events))
		}
		e := l.events[2]
		e.Time = epoch
		got, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		l.want("its JSON", string(got), `{"id":3,"timestamp":"2026-11-20T12:00:00Z",`+
			`"pool":{"id":"p","name":"p","healthy":false,"changed":true,"minimum_origins":2},`+
			`"origins":[{"name":"a","address":"10.0.0.1","ip":"","enabled":true,"healthy":false,"changed":true,`+
			`"failure_reason":"Response code mismatch error"}],`+
			`"reason":"Response code mismatch error","region":"ENAM"}`)

		p.MinimumOrigins = 1
		cfg2 := configOf(httpMonitor(), p)
		cfg2.Weir.Regions = cfg.Weir.Regions
		l.Apply(cfg2)
		if len(l.events) != 4 || len(l.events[3].Origins) != 0 || l.events[3].Pool.State != PoolDegraded {
			t.Errorf("P5: a lower minimum: %+v", l.events[3:])
		}
		kept := l.Events()
		if len(kept) != 4 || kept[0].ID != 4 || kept[3].ID != 1 {
			t.Errorf("Events: %+v", kept)
		}
	})
}

func TestRing(t *testing.T) {
	var r ring
	for i := range int64(ringSize + 10) {
		if e := r.add(Event{}); e.ID != i+1 {
			t.Fatalf("event %d is numbered %d", i+1, e.ID)
		}
	}
	got := r.newestFirst()
	if len(got) != ringSize || got[0].ID != ringSize+10 || got[ringSize-1].ID != 11 {
		t.Errorf("%d events, from %d to %d", len(got), got[0].ID, got[len(got)-1].ID)
	}
	for i := 1; i < len(got); i++ {
		if got[i].ID != got[i-1].ID-1 {
			t.Fatalf("event %d follows %d", got[i].ID, got[i-1].ID)
		}
	}
}

// One origin that swallows packets delays no other check, and its own by nothing but its timeouts.
func TestBlackHoleDelaysNobody(t *testing.T) {
	const others = 50
	inLab(t, Options{}, func(l *lab) {
		m := httpMonitor()
		m.Interval = 10 * time.Second
		l.answer("10.0.0.1", blackHole)
		l.Apply(configOf(m, poolOf("p", others+1)))
		l.after(10*time.Minute + time.Second)
		byOrigin := map[string][]time.Time{}
		for _, r := range l.results {
			byOrigin[r.Origin] = append(byOrigin[r.Origin], r.Time)
			if r.Late != 0 {
				t.Fatalf("H14: %s was late by %v", r.Origin, r.Late)
			}
		}
		for name, times := range byOrigin {
			if name == "a" {
				continue
			}
			if len(times) != 61 {
				t.Errorf("%s was probed %d times in ten minutes, want 61", name, len(times))
			}
			for i := 1; i < len(times); i++ {
				if gap := times[i].Sub(times[i-1]); gap != m.Interval {
					t.Fatalf("%s: %v between probes", name, gap)
				}
			}
		}
		if got := l.Table().Pool("p").Origins[0].Global; got.Status != Down || got.Reason != TCPTimeout {
			t.Errorf("H1: the black hole: %+v", got)
		}
	})
}

// Behaviour H1: timeout 5, retries 2: three attempts, and down after fifteen seconds, not before.
func TestRetriesTakeTime(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		l.answer("10.0.0.1", blackHole)
		l.Apply(configOf(httpMonitor(), poolOf("p", 1)))
		l.after(14 * time.Second)
		l.want("after 14s", l.global("p"), "?")
		l.after(2 * time.Second)
		l.want("after 16s", l.global("p"), "D")
		var outcomes []string
		for _, r := range l.results {
			outcomes = append(outcomes, r.Outcome.String())
		}
		l.want("outcomes", strings.Join(outcomes, " "), "retried retried counts")
		if since := l.results[2].Time.Sub(l.results[0].Time); since != 10*time.Second {
			t.Errorf("%v between the end of the first attempt and of the last", since)
		}
	})
}

func TestProberPanics(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		l.answer("10.0.0.1", func(context.Context) Result { panic("a fault") })
		l.Apply(configOf(httpMonitor(), poolOf("p", 2)))
		l.after(time.Second)
		l.want("the other is fine", l.global("p"), "DU")
		v := l.Table().Pool("p").Origins[0].Global
		if v.Reason != OtherFailure || !strings.Contains(v.Detail, "a fault") {
			t.Errorf("H16: %+v", v)
		}
	})
}

// Descriptors run out: that says nothing of any origin.
func TestOwnTroubleChangesNothing(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		l.Apply(configOf(httpMonitor(), poolOf("p", 1)))
		l.after(time.Second)
		l.answer("10.0.0.1", func(context.Context) Result {
			return Result{Reason: OtherFailure, Detail: "too many open files", NoVerdict: true}
		})
		l.after(10 * time.Minute)
		l.want("H14", l.global("p"), "U")
		if last := l.results[len(l.results)-1]; last.Outcome != DiscardedLocal {
			t.Errorf("it is told as %v", last.Outcome)
		}
	})
}

func TestMonitorTypeThatIsNone(t *testing.T) {
	inLab(t, Options{Probe: (&network{}).prober("ldap")}, func(l *lab) {
		m := httpMonitor()
		m.Type = "ldap"
		l.Apply(configOf(m, poolOf("p", 1)))
		l.after(time.Second)
		if v := l.Table().Pool("p").Origins[0].Global; v.Status != Down || v.Reason != MonitorConfigError {
			t.Errorf("H16: a monitor that cannot probe must not look green: %+v", v)
		}
	})
}

// Callbacks come in order, one at a time, and may call the engine.
func TestCallbacksMayCallTheEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e *Engine
		var ids []int64
		applied := false
		cfg := configOf(httpMonitor(), poolOf("p", 20))
		e = NewEngine(Options{
			Probe: func(ctx context.Context, _ Target) Result { return pass(ctx) },
			OnEvent: func(ev Event) {
				ids = append(ids, ev.ID)
				e.Events()
				e.Ready()
				e.Table().Pool("p")
				if !applied {
					applied = true
					e.Apply(cfg)
				}
			},
		})
		defer e.Close()
		e.Apply(cfg)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(ids) != 20 || !slices.IsSorted(ids) {
			t.Errorf("events in the order %v", ids)
		}
	})
}

// A large pool is drawn a bounded number of times, and its last state is drawn without waiting for another result.
func TestLargePoolIsDrawnAtAPace(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		const n = 2000
		p := poolOf("p", n)
		for i := range p.Origins {
			p.Origins[i].Address = netip.AddrFrom4([4]byte{10, 1, byte(i / 250), byte(i % 250)}).String()
		}
		l.Apply(configOf(httpMonitor(), p))
		l.after(2 * time.Second)
		l.want("all of it", l.global("p"), strings.Repeat("U", n))
		if len(l.changes) < 10 || len(l.changes) > 30 { // 40 ms apart for a second
			t.Errorf("%d changes were told", len(l.changes))
		}
		if len(l.events) != n {
			t.Errorf("%d events, want one for each origin", len(l.events))
		}
	})
}

func TestStagedRegion(t *testing.T) {
	inLab(t, Options{Seed: 1}, func(l *lab) {
		m := httpMonitor()
		m.Interval, m.Timeout, m.Retries = 10*time.Second, 2*time.Second, 0
		p := poolOf("p", 2)
		p.CheckRegions = []string{"WEU", "ENAM", "OC"}
		cfg := configOf(m, p)
		cfg.Weir.Regions = map[string]config.Region{
			"WEU":  {Delay: 80 * time.Millisecond},
			"ENAM": {Loss: 0.25},
			"OC":   {Partition: []string{"p/b"}},
		}
		l.Apply(cfg)
		l.after(4000*time.Second - time.Millisecond)
		if rtt := l.Table().Pool("p").Origins[0].Places["WEU"].RTT; rtt != 80*time.Millisecond {
			t.Errorf("delay: RTT %v, want 80ms", rtt)
		}
		l.want("partition", l.from("p", "OC"), "UD")
		if v := l.Table().Pool("p").Origins[1].Places["OC"]; v.Reason != NoRoute || !strings.Contains(v.Detail, "staged") {
			t.Errorf("partition: %s: %s", v.Reason, v.Detail)
		}
		lost, probes := 0, 0
		for _, r := range l.results {
			if r.Region == "ENAM" {
				probes++
				if r.Result.Timeout {
					lost++
				}
			}
		}
		// 800 with p = 1/4: 200 expected, standard deviation 12.2: five of them
		if probes != 800 || lost < 139 || lost > 261 {
			t.Errorf("loss: %d of %d probes, want 200 or so of 800", lost, probes)
		}
	})
}

func TestDelayBeyondTheTimeout(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		cfg := configOf(httpMonitor(), poolOf("p", 1))
		cfg.Weir.Regions = map[string]config.Region{"WEU": {Delay: time.Minute}}
		l.Apply(cfg)
		l.after(16 * time.Second)
		if v := l.Table().Pool("p").Origins[0].Global; v.Reason != TCPTimeout || len(l.results) != 3 || len(l.probes) != 0 {
			t.Errorf("H1: %+v after %d attempts", v, len(l.results))
		}
	})
}

func TestBadSourceIsAConfigurationError(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		cfg := configOf(httpMonitor(), poolOf("p", 1))
		cfg.Weir.Regions = map[string]config.Region{"WEU": {Source: "here"}}
		l.Apply(cfg)
		l.after(time.Second)
		if v := l.Table().Pool("p").Origins[0].Global; v.Reason != MonitorConfigError || len(l.probes) != 0 {
			t.Errorf("H16: %+v", v)
		}
	})
}

func TestProbePort(t *testing.T) {
	for _, tt := range []struct {
		kind            string
		monitor, origin int
		want            int
	}{
		{"http", 8080, 9090, 8080},
		{"http", 0, 9090, 9090},
		{"http", 0, 0, 80},
		{"https", 0, 0, 443},
		{"tcp", 0, 5432, 5432},
		{"tcp", 0, 0, 0},
	} {
		m, o := &config.Monitor{Type: tt.kind, Port: tt.monitor}, &config.Origin{Port: tt.origin}
		if got := probePort(m, o); got != tt.want {
			t.Errorf("H8: %s, monitor %d, origin %d: got %d, want %d", tt.kind, tt.monitor, tt.origin, got, tt.want)
		}
	}
}

// A pool whose monitor is not among the objects is probed by the default one.
func TestDanglingMonitor(t *testing.T) {
	inLab(t, Options{}, func(l *lab) {
		p := poolOf("p", 1)
		p.Monitor = "elsewhere"
		l.Apply(configOf(httpMonitor(), p))
		l.after(time.Second)
		l.want("H19", l.global("p"), "U")
	})
}

func TestVerdictParticulars(t *testing.T) {
	at := func(s int) time.Time { return epoch.Add(time.Duration(s) * time.Second) }
	parts := []Verdict{
		{Status: Down, Reason: TCPTimeout, Detail: "x", Checked: at(3), ResponseCode: 0},
		{Status: Down, Reason: CodeMismatch, Detail: "y", Checked: at(4), ResponseCode: 503},
		{Status: Down, Reason: CodeMismatch, Detail: "z", Checked: at(2), ResponseCode: 500, RTT: time.Second},
		{Status: Up, Reason: NoFailures, Checked: at(1), ResponseCode: 200, RTT: time.Minute},
	}
	got := join(Verdict{Status: Up, Since: at(0)}, parts, at(5))
	want := Verdict{
		Status: Down, Reason: CodeMismatch, Detail: "y", Since: at(5), Checked: at(4), ResponseCode: 503, RTT: time.Second,
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := join(got, parts, at(9)); got != want {
		t.Errorf("joined again: %+v", got)
	}
	held := join(Verdict{Status: Down, Reason: NoRoute, Since: at(0)}, []Verdict{{}, {}}, at(5))
	if held.Status != Down || held.Reason != NoRoute || !held.Since.Equal(at(0)) {
		t.Errorf("not held: %+v", held)
	}
}

func TestPoolHealthOrigin(t *testing.T) {
	a, b := config.Identity{Pool: "p", Address: "a"}, config.Identity{Pool: "p", Address: "b"}
	h := &PoolHealth{Origins: []OriginHealth{{Identity: a}, {Identity: b, Global: Verdict{Status: Up}}}}
	for _, hint := range []int{0, 1, 7} {
		if o, ok := h.Origin(hint, b); !ok || o.Global.Status != Up {
			t.Errorf("with hint %d: %+v, %t", hint, o, ok)
		}
	}
	if _, ok := h.Origin(0, config.Identity{Pool: "q"}); ok {
		t.Error("found what is not there")
	}
}

func TestParseScale(t *testing.T) {
	for s, want := range map[string]Scale{"": ScaleOne, "1": ScaleOne, "full": ScaleFull} {
		if got, err := ParseScale(s); err != nil || got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	if _, err := ParseScale("many"); err == nil {
		t.Error("many is no scale")
	}
}
