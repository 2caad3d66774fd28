package main

import (
	"testing"
	"time"

	"github.com/weirlb/weir/balancer/admin"
	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

// demoWorld is a view of the examples in which some origins are down and some pools do not serve.
func demoWorld(t *testing.T, down, closed string) (*demoView, *config.Config) {
	t.Helper()
	_, cfg, err := readExamples()
	if err != nil {
		t.Fatal(err)
	}
	v := &demoView{}
	for i := range cfg.Pools {
		c := &cfg.Pools[i]
		p := admin.PoolView{
			ID: c.ID, Name: c.Name, Policy: c.OriginSteering.Policy, Enabled: true, Monitored: true, State: "Healthy",
			Serves: c.Name != closed, MinimumOrigins: c.MinimumOrigins,
		}
		if !p.Serves {
			p.State = "Critical"
		}
		regions := c.CheckRegions
		if len(regions) == 0 {
			regions = []string{"FRA"}
		}
		for _, o := range c.Origins {
			verdict := admin.VerdictView{Status: "up", Reason: health.NoFailures}
			if o.Name == down {
				verdict = admin.VerdictView{Status: "down", Reason: health.TCPConnectionFailed}
			}
			view := admin.OriginView{
				Name: o.Name, Port: o.Port, Enabled: true, Weight: float64(o.Weight) / 100, Health: verdict, Regions: map[string]admin.VerdictView{},
			}
			for _, region := range regions {
				view.Regions[region] = verdict
			}
			p.Origins = append(p.Origins, view)
		}
		v.pools = append(v.pools, p)
	}
	return v, cfg
}

func TestDemoEventLines(t *testing.T) {
	change := func(origin string, healthy bool, pool health.EventPool) *health.Event {
		e := &health.Event{Pool: pool, Region: "WEU"}
		if origin != "" {
			e.Origins = []health.EventOrigin{{Name: origin, Healthy: healthy, FailureReason: health.TCPTimeout}}
		}
		return e
	}
	for _, c := range []struct {
		down, closed string
		event        *health.Event
		want         []string
	}{
		{
			"eu-2", "app-eu", change("eu-2", false, health.EventPool{Name: "app-eu", Changed: true}),
			[]string{"eu-2 is down: TCP Timeout (WEU made the majority)", "pool app-eu critical: 1 of 2 healthy, needs 2 → app-us"},
		},
		{
			"", "", change("eu-2", true, health.EventPool{Name: "app-eu", Changed: true, Healthy: true}),
			[]string{"eu-2 is up again (WEU made the majority)", "pool app-eu recovered: 2 of 2 healthy, needs 2"},
		},
		{ // the snapshot does not know it yet
			"", "app-eu", change("", false, health.EventPool{Name: "app-eu", Changed: true, Healthy: true}),
			[]string{"pool app-eu recovered: 2 of 2 healthy, needs 2"},
		},
		{
			"us-3", "", change("", false, health.EventPool{Name: "app-us", Changed: true, Healthy: true}),
			[]string{"pool app-us degraded: 2 of 3 healthy, needs 1"},
		},
		{
			"us-3", "", change("us-3", false, health.EventPool{Name: "app-us", Healthy: true}),
			[]string{"us-3 is down: TCP Timeout (WEU made the majority)"},
		},
		{ // app-us comes first for the wildcard, where app-eu is next
			"us-1", "app-us", change("", false, health.EventPool{Name: "app-us", Changed: true}),
			[]string{"pool app-us critical: 2 of 3 healthy, needs 1 → app-eu"},
		},
		{
			"", "last-resort", change("", false, health.EventPool{Name: "last-resort", Changed: true}),
			[]string{"pool last-resort critical: 1 of 1 healthy, needs 1 → nobody"},
		},
	} {
		v, cfg := demoWorld(t, c.down, c.closed)
		var got []string
		for _, line := range v.lines(c.event, cfg) {
			got = append(got, line.text)
		}
		if len(got) != len(c.want) || got[0] != c.want[0] || got[len(got)-1] != c.want[len(c.want)-1] {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}
}

// With both application pools out, what is left is the fallback pool.
func TestDemoInsteadIsTheFallbackAtLast(t *testing.T) {
	v, cfg := demoWorld(t, "", "app-us")
	v.pools[0].Serves = false
	if got := v.instead(v.pools[0].ID, cfg); got != "last-resort" {
		t.Errorf("%s takes over, want last-resort", got)
	}
}

// Events are told once, and those of the first probes not at all.
func TestDemoTellsEventsOnce(t *testing.T) {
	v, cfg := demoWorld(t, "eu-2", "app-eu")
	out := &paper{}
	s := &demoShow{began: time.Unix(100, 0), stage: &demoStage{cfg: cfg}, screen: &demoLines{out: out}, view: v}
	down := health.Event{ID: 2, Time: time.Unix(106, 0), Pool: health.EventPool{Name: "app-eu", Changed: true}}
	s.view.events = []health.Event{{ID: 1, Pool: health.EventPool{Name: "app-us", Changed: true, Healthy: true}}}
	s.tell(true)
	s.outages = []demoOutage{{from: time.Unix(104, 0), gone: time.Unix(104, 0)}}
	s.view.events = append([]health.Event{down}, s.view.events...)
	s.tell(false)
	s.tell(false)
	if got, want := out.String(), "   6.0s  pool app-eu critical: 1 of 2 healthy, needs 2 → app-us\n"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	if got := s.outages[0].noticed; !got.Equal(down.Time) {
		t.Errorf("the stop was noticed at %v, want the time of the event", got)
	}
}
