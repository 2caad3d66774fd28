package admin

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/health"
)

// series are the samples of collectors, as "name{label=value,…}" without the prefix; histograms by their count.
func series(t *testing.T, collectors ...prometheus.Collector) map[string]float64 {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(collectors...)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			value := m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			all[strings.TrimPrefix(f.GetName(), "weir_")+"{"+strings.Join(labels, ",")+"}"] = value
		}
	}
	return all
}

func wantSeries(t *testing.T, got, want map[string]float64) {
	t.Helper()
	for name, v := range want {
		if g, there := got[name]; !there || g != v {
			t.Errorf("%s is %v (there: %v), want %v", name, g, there, v)
		}
	}
	if t.Failed() {
		t.Log(strings.Join(slices.Sorted(maps.Keys(got)), "\n"))
	}
}

func TestWorldCollects(t *testing.T) {
	s, table := world(t, 7, "eu: a+ b- c", "us: d-")
	s.Pools()[0].Origins[1].Live.OpenConnection(0)
	w := &World{Snapshot: func() *balancer.Snapshot { return s }, Table: table}
	wantSeries(t, series(t, w), map[string]float64{
		"origin_healthy{origin=a,pool=eu,region=global}": 1,
		"origin_healthy{origin=a,pool=eu,region=WEU}":    1,
		"origin_healthy{origin=b,pool=eu,region=global}": 0,
		"origin_healthy{origin=c,pool=eu,region=WEU}":    0,
		"origin_weight{origin=a,pool=eu}":                0.5,
		"origin_requests_in_flight{origin=b,pool=eu}":    0,
		"origin_connections_open{origin=b,pool=eu}":      1,
		"pool_healthy{pool=eu}":                          1,
		"pool_healthy{pool=us}":                          0,
		"pool_state{pool=eu,state=degraded}":             1,
		"pool_state{pool=eu,state=healthy}":              0,
		"pool_state{pool=us,state=critical}":             1,
		"config_info{revision=7}":                        1,
	})
}

func TestWorldWithoutOrigins(t *testing.T) {
	s, table := world(t, 7, "eu: a+ b-")
	asked := 0
	w := &World{Snapshot: func() *balancer.Snapshot { return s }, Table: table, PerOrigin: func(n int) bool { asked = n; return false }}
	for name := range series(t, w) {
		if strings.Contains(name, "origin=") {
			t.Errorf("%s names an origin", name)
		}
	}
	if asked != 2 {
		t.Errorf("asked for %d origins, want 2", asked)
	}
}

func TestWorldBeforeTheFirstConfiguration(t *testing.T) {
	w := &World{Snapshot: func() *balancer.Snapshot { return nil }, Table: health.NewTable()}
	if got := series(t, w); len(got) != 0 {
		t.Errorf("%v, want nothing", got)
	}
}

func probe(pool, origin, region, reason string) health.ProbeResult {
	return health.ProbeResult{Pool: pool, Origin: origin, Region: region, Result: health.Result{Reason: reason, RTT: 3 * time.Millisecond}}
}

func TestProbesCount(t *testing.T) {
	s, _ := world(t, 1, "eu: a b")
	p := NewProbes()
	p.Keep(s, true)
	p.Probed(probe("eu", "a", "WEU", health.NoFailures))
	p.Probed(probe("eu", "a", "WEU", health.NoFailures))
	p.Probed(probe("eu", "b", "WEU", health.TCPTimeout))
	p.Probed(probe("eu", "gone", "WEU", health.TCPTimeout))
	noVerdict := probe("eu", "b", "WEU", health.OtherFailure)
	noVerdict.Result.NoVerdict = true
	p.Probed(noVerdict)
	p.Changed(health.Event{
		Pool:    health.EventPool{Name: "eu", Changed: true, State: health.PoolDegraded},
		Origins: []health.EventOrigin{{Name: "b", Changed: true}},
	})
	got := series(t, p)
	wantSeries(t, got, map[string]float64{
		"probes_total{origin=a,pool=eu,reason=No failures,region=WEU,result=passed}":       2,
		"probes_total{origin=b,pool=eu,reason=TCP Timeout,region=WEU,result=failed}":       1,
		"probes_total{origin=b,pool=eu,reason=Other Failure,region=WEU,result=no_verdict}": 1,
		"probe_duration_seconds{pool=eu}":                                                  4,
		"health_transitions_total{origin=b,pool=eu,to=down}":                               1,
		"health_transitions_total{origin=,pool=eu,to=degraded}":                            1,
	})
	for name := range got {
		if strings.Contains(name, "gone") {
			t.Errorf("%s is of an origin that is not configured", name)
		}
	}
}

func TestProbesForgetWhatIsGone(t *testing.T) {
	p := NewProbes()
	var first int
	for i := range 1000 {
		s, _ := world(t, uint64(i+1), fmt.Sprintf("p%d: a%d b", i, i))
		p.Keep(s, true)
		pool, origin := fmt.Sprint("p", i), fmt.Sprint("a", i)
		p.Probed(probe(pool, origin, "WEU", health.NoFailures))
		p.Changed(health.Event{Pool: health.EventPool{Name: pool, Changed: true}, Origins: []health.EventOrigin{{Name: origin, Changed: true}}})
		if i == 0 {
			first = len(series(t, p))
		}
	}
	if last := len(series(t, p)); last != first {
		t.Errorf("%d series after 1,000 reloads, %d after the first", last, first)
	}
}

func TestProbesForgetRegions(t *testing.T) {
	s, _ := world(t, 1, "eu: a")
	p := NewProbes()
	p.Keep(s, true)
	p.Probed(probe("eu", "a", "WEU", health.NoFailures))
	s.Config.Pools[0].CheckRegions = []string{"ENAM"}
	p.Keep(s, true)
	for name := range series(t, p) {
		if strings.Contains(name, "region=WEU") {
			t.Errorf("%s is of a region that is probed from no longer", name)
		}
	}
}

func TestReloadsCount(t *testing.T) {
	r := &Reloads{}
	r.Loaded(time.Unix(100, 0))
	r.Failed()
	wantSeries(t, series(t, r), map[string]float64{
		"config_last_reload_successful{}":                0,
		"config_last_reload_success_timestamp_seconds{}": 100,
		"config_reloads_total{result=good}":              1,
		"config_reloads_total{result=bad}":               1,
	})
	r.Loaded(time.Unix(200, 0))
	wantSeries(t, series(t, r), map[string]float64{"config_last_reload_successful{}": 1, "config_last_reload_success_timestamp_seconds{}": 200})
}
