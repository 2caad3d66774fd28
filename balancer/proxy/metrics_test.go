package proxy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/config"
)

// counted is a snapshot with load balancers of the given names over pools given as "pool: origin origin".
func counted(t *testing.T, revision uint64, lbs []string, pools ...string) *balancer.Snapshot {
	t.Helper()
	c := &config.Config{}
	for _, text := range pools {
		name, origins, _ := strings.Cut(text, ": ")
		p := config.Pool{ID: name, Name: name, Enabled: true, OriginSteering: config.OriginSteering{Policy: "random"}}
		for i, o := range strings.Fields(origins) {
			p.Origins = append(p.Origins, config.Origin{
				Name: o, Address: "127.0.0.1", Port: 1000 + i, Enabled: true, Weight: 100,
			})
		}
		c.Pools = append(c.Pools, p)
	}
	for _, name := range lbs {
		lb := config.LoadBalancer{ID: name, Name: name, Enabled: true}
		for i := range c.Pools {
			lb.DefaultPools = append(lb.DefaultPools, c.Pools[i].ID)
		}
		c.LoadBalancers = append(c.LoadBalancers, lb)
	}
	return balancer.Build(nil, balancer.Inputs{Revision: revision, Config: c, Registry: balancer.NewRegistry(1)}, balancer.Changed{Config: true})
}

// exchangeAt is a good exchange through the first load balancer, at a pool's origin.
func exchangeAt(s *balancer.Snapshot, pool, origin int) *Outcome {
	p := s.Pools()[pool]
	return &Outcome{
		Duration: 30 * time.Millisecond, Wait: 3 * time.Millisecond, Status: 200, Revision: s.Revision, Seed: 7,
		Decision: balancer.Decision{
			Kind: balancer.ToOrigin, Reason: balancer.Steered, Attempt: 1,
			LB: s.LoadBalancers()[0], Pool: p, Origin: &p.Origins[origin],
		},
	}
}

// series are the samples of a collector, as "name{label=value,…}" without the prefix; histograms by their count.
func series(t *testing.T, c prometheus.Collector) map[string]float64 {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(c); err != nil {
		t.Fatal(err)
	}
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

func wantSeries(t *testing.T, got map[string]float64, want map[string]float64) {
	t.Helper()
	for name, v := range want {
		if g, there := got[name]; !there || g != v {
			t.Errorf("%s is %v, want %v", name, g, v)
		}
	}
	if t.Failed() {
		t.Log(strings.Join(slices.Sorted(maps.Keys(got)), "\n"))
	}
}

func TestMetricsCountAnExchange(t *testing.T) {
	s := counted(t, 1, []string{"lb"}, "eu: a b")
	m := NewMetrics(4)
	m.Keep(s, true)
	for seed := range uint64(10) {
		o := exchangeAt(s, 0, 1)
		o.Seed = seed
		m.Observe(o)
	}
	retried := exchangeAt(s, 0, 0)
	retried.Decision.Reason, retried.Retried, retried.Redialed, retried.Status = balancer.Retried, balancer.ConnectRefused, true, 503
	m.Observe(retried)
	wantSeries(t, series(t, m), map[string]float64{
		"requests_total{code_class=2xx,lb=lb,origin=b,pool=eu}":          10,
		"requests_total{code_class=5xx,lb=lb,origin=a,pool=eu}":          1,
		"decisions_total{origin=b,policy=random,pool=eu,reason=steered}": 10,
		"decisions_total{origin=a,policy=random,pool=eu,reason=retry}":   1,
		"request_duration_seconds{pool=eu}":                              11,
		"upstream_first_byte_seconds{pool=eu}":                           11,
		"retries_total{reason=connect_refused}":                          1,
		"redials_total{}":                                                1,
		"answers_cut_total{pool=eu}":                                     0,
	})
}

func TestMetricsCountWhatGoesWrong(t *testing.T) {
	s := counted(t, 1, []string{"lb"}, "eu: a")
	m := NewMetrics(2)
	m.Keep(s, true)
	eu := s.Pools()[0]
	eu.Config.LoadShedding = &config.LoadShedding{DefaultPolicy: "random", SessionPolicy: "hash"}
	m.Observe(&Outcome{Status: 400, Class: balancer.ClientInvalid, Cause: "several_hosts"})
	m.Observe(&Outcome{Status: 530, Revision: 1, Decision: balancer.Decision{Reason: balancer.UnknownHost, Status: 530}})
	m.Observe(&Outcome{Status: 530, Revision: 1, Decision: balancer.Decision{
		Reason: balancer.NothingLeft, LB: s.LoadBalancers()[0], Fallback: true, Shed: 3,
	}, Shed: []balancer.ShedPool{{Pool: eu, Reason: balancer.PoolShed}, {Pool: eu, Reason: balancer.PoolShed}, {Pool: eu, Reason: balancer.PoolShedSession}}})
	cut := exchangeAt(s, 0, 0)
	cut.Class = balancer.AnswerCut
	m.Observe(cut)
	gone := exchangeAt(s, 0, 0)
	gone.Class, gone.Status = balancer.ClientGone, 0
	m.Observe(gone)
	tunnel := exchangeAt(s, 0, 0)
	tunnel.Upgraded, tunnel.Status, tunnel.Duration = true, 101, time.Hour
	m.Observe(tunnel)
	wantSeries(t, series(t, m), map[string]float64{
		"malformed_total{cause=several_hosts}":                   1,
		"requests_total{code_class=4xx,lb=,origin=,pool=}":       1,
		"requests_total{code_class=5xx,lb=,origin=,pool=}":       1,
		"requests_total{code_class=5xx,lb=lb,origin=,pool=}":     1,
		"requests_total{code_class=none,lb=lb,origin=a,pool=eu}": 1,
		"requests_total{code_class=1xx,lb=lb,origin=a,pool=eu}":  1,
		"refused_total{reason=unknown_host}":                     1,
		"refused_total{reason=nothing_left}":                     1,
		"fallback_total{reason=nothing_left}":                    1,
		"shed_total{kind=default,policy=random,pool=eu}":         2,
		"shed_total{kind=session,policy=hash,pool=eu}":           1,
		"errors_total{class=answer_cut}":                         1,
		"answers_cut_total{pool=eu}":                             1,
		"client_gone_total{pool=eu}":                             1,
		"tunnels_total{pool=eu}":                                 1,
		"request_duration_seconds{pool=eu}":                      2,
	})
}

// What became of sessions, whichever row counted it; exchanges without one are not counted. Fixed responses by their kind.
func TestMetricsCountSessionsAndFixedResponses(t *testing.T) {
	s := counted(t, 1, []string{"lb"}, "eu: a")
	m := NewMetrics(2)
	m.Keep(s, true)
	for i, r := range []SessionResult{SessionBegun, SessionHit, SessionHit, SessionMoved, NoSession, SessionAway, SessionHit} {
		o := exchangeAt(s, 0, 0)
		o.Session, o.Row = r, i
		m.Observe(o)
	}
	across := exchangeAt(s, 0, 0)
	across.Decision.Reason = balancer.RetriedAcross
	m.Observe(across)
	for _, why := range []balancer.Reason{balancer.RuleResponse, balancer.RuleResponse, balancer.PoolSetResponse} {
		m.Observe(&Outcome{Status: 403, Revision: 1, Decision: balancer.Decision{Kind: balancer.FixedReply, Reason: why, LB: s.LoadBalancers()[0]}})
	}
	got := series(t, m)
	wantSeries(t, got, map[string]float64{
		"affinity_total{outcome=new}":                                               1,
		"affinity_total{outcome=hit}":                                               3,
		"affinity_total{outcome=moved}":                                             1,
		"affinity_total{outcome=away}":                                              1,
		"fixed_responses_total{reason=rule_response}":                               2,
		"fixed_responses_total{reason=pool_set_response}":                           1,
		"requests_total{code_class=4xx,lb=lb,origin=,pool=}":                        3,
		"decisions_total{origin=a,policy=random,pool=eu,reason=retry_across_pools}": 1,
	})
	if _, there := got["affinity_total{outcome=none}"]; there {
		t.Error("exchanges without a session are counted")
	}
}

func TestMetricsBuckets(t *testing.T) {
	var h histogramRow
	for _, d := range []time.Duration{0, time.Millisecond, time.Millisecond + 1, time.Minute, time.Minute + 1} {
		h.observe(d)
	}
	for i, want := range map[int]uint64{0: 2, 1: 1, len(buckets) - 1: 1, len(buckets): 1} {
		if got := h.counts[i].Load(); got != want {
			t.Errorf("bucket %d holds %d, want %d", i, got, want)
		}
	}
}

// A counter goes on over a reload that keeps its object, and its series leaves with the object.
func TestMetricsOverAReload(t *testing.T) {
	before := counted(t, 1, []string{"lb", "old"}, "eu: a b", "us: c")
	m := NewMetrics(2)
	m.Keep(before, true)
	for pool := range 2 {
		m.Observe(exchangeAt(before, pool, 0))
	}
	m.Observe(exchangeAt(before, 0, 1))

	after := counted(t, 2, []string{"lb"}, "eu: a")
	m.Observe(exchangeAt(after, 0, 0)) // the snapshot is current before Keep is told
	m.Keep(after, true)
	m.Observe(exchangeAt(after, 0, 0))
	m.Observe(exchangeAt(before, 0, 0)) // one that began before and whose origin stayed
	m.Observe(exchangeAt(before, 1, 0)) // and one whose pool is gone

	got := series(t, m)
	wantSeries(t, got, map[string]float64{"requests_total{code_class=2xx,lb=lb,origin=a,pool=eu}": 4})
	for name := range got {
		if strings.Contains(name, "pool=us") || strings.Contains(name, "origin=b") || strings.Contains(name, "lb=old") {
			t.Errorf("%s has outlived its object", name)
		}
	}
}

func TestMetricsDoNotGrowWithReloads(t *testing.T) {
	m := NewMetrics(2)
	var first int
	for i := range 1000 {
		s := counted(t, uint64(i+1), []string{fmt.Sprint("lb", i)}, fmt.Sprintf("pool%d: a%d b%d", i, i, i))
		m.Observe(exchangeAt(s, 0, 0))
		m.Keep(s, true)
		m.Observe(exchangeAt(s, 0, 1))
		if i == 0 {
			first = len(series(t, m))
		}
	}
	if last := len(series(t, m)); last != first {
		t.Errorf("%d series after 1,000 reloads, %d after the first", last, first)
	}
}

func TestMetricsWithoutOrigins(t *testing.T) {
	s := counted(t, 1, []string{"lb"}, "eu: a b")
	m := NewMetrics(2)
	m.Keep(s, true)
	m.Observe(exchangeAt(s, 0, 0))
	m.Keep(s, false)
	m.Observe(exchangeAt(s, 0, 0))
	m.Observe(exchangeAt(s, 0, 1))
	got := series(t, m)
	wantSeries(t, got, map[string]float64{"requests_total{code_class=2xx,lb=lb,origin=,pool=eu}": 2})
	for name := range got {
		if strings.Contains(name, "origin=a") || strings.Contains(name, "origin=b") {
			t.Errorf("%s names an origin", name)
		}
	}
}

func TestMetricsFromManyGoroutines(t *testing.T) {
	s := counted(t, 1, []string{"lb"}, "eu: a b", "us: c d")
	m := NewMetrics(4)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 500 {
				o := exchangeAt(s, i%2, g%2)
				o.Seed = uint64(g*500 + i)
				m.Observe(o)
				if i%100 == 0 {
					m.Keep(s, true)
				}
			}
		})
	}
	wg.Wait()
	var sum float64
	for name, v := range series(t, m) {
		if strings.HasPrefix(name, "requests_total") {
			sum += v
		}
	}
	if sum != 2000 {
		t.Errorf("%v exchanges were counted, want 2000", sum)
	}
}

func TestObserveDoesNotAllocate(t *testing.T) {
	s := counted(t, 1, []string{"lb"}, "eu: a b")
	m := NewMetrics(4)
	m.Keep(s, true)
	o := exchangeAt(s, 0, 1)
	m.Observe(o)
	if n := testing.AllocsPerRun(100, func() { m.Observe(o) }); n != 0 {
		t.Errorf("Observe allocates %v times per exchange, want 0", n)
	}
}

func BenchmarkMetricsObserve(b *testing.B) {
	c := &config.Config{Pools: []config.Pool{{ID: "p", Name: "p", Enabled: true, Origins: []config.Origin{{Name: "o", Address: "127.0.0.1", Enabled: true}}}}}
	c.LoadBalancers = []config.LoadBalancer{{ID: "lb", Name: "lb", Enabled: true, DefaultPools: []string{"p"}}}
	s := balancer.Build(nil, balancer.Inputs{Revision: 1, Config: c, Registry: balancer.NewRegistry(1)}, balancer.Changed{Config: true})
	m := NewMetrics(4)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		o := exchangeAt(s, 0, 0)
		for pb.Next() {
			o.Seed++
			m.Observe(o)
		}
	})
}
