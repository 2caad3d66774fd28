package admin

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

// Probes counts probes and changes of health. Probes come some thousands a second at most, so one lock does. The
// series of pools and origins that a configuration has no longer are forgotten by Keep.
type Probes struct {
	mu        sync.Mutex
	perOrigin bool
	origins   map[originName]bool // of the configuration in force, by Keep; nil before
	pools     map[string]*config.Pool
	centres   []config.Place
	probes    map[probeKey]uint64
	changes   map[changeKey]uint64
	durations map[string]*duration // by pool
}

type originName struct{ pool, origin string }

type probeKey struct{ pool, origin, region, result, reason string }

type changeKey struct{ pool, origin, to string }

// duration is a histogram of how long probes took.
type duration struct {
	counts [len(probeBuckets) + 1]uint64
	sum    time.Duration
}

var probeBuckets = [...]time.Duration{
	time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second,
}

// NewProbes counts from zero.
func NewProbes() *Probes {
	return &Probes{
		perOrigin: true, probes: map[probeKey]uint64{}, changes: map[changeKey]uint64{}, durations: map[string]*duration{},
	}
}

// Probed counts one attempt.
func (p *Probes) Probed(r health.ProbeResult) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.has(r.Pool, r.Origin) {
		return // the last probe of an origin that is gone
	}
	key := probeKey{r.Pool, p.name(r.Origin), r.Region, resultWord(r.Result), r.Result.Reason}
	p.probes[key]++
	d := p.durations[r.Pool]
	if d == nil {
		d = &duration{}
		p.durations[r.Pool] = d
	}
	d.observe(r.Result.RTT)
}

func (d *duration) observe(took time.Duration) {
	i := 0
	for i < len(probeBuckets) && took > probeBuckets[i] {
		i++
	}
	d.counts[i]++
	d.sum += took
}

func resultWord(r health.Result) string {
	switch {
	case r.Passed():
		return "passed"
	case r.NoVerdict:
		return "no_verdict"
	}
	return "failed"
}

// Changed counts the changes of an event: of an origin's global verdict, and of a pool's state (label origin empty).
func (p *Probes) Changed(e health.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, o := range e.Origins {
		if !o.Changed || !p.has(e.Pool.Name, o.Name) {
			continue
		}
		to := "down"
		if o.Healthy {
			to = "up"
		}
		p.changes[changeKey{e.Pool.Name, p.name(o.Name), to}]++
	}
	if e.Pool.Changed && (p.pools == nil || p.pools[e.Pool.Name] != nil) {
		p.changes[changeKey{e.Pool.Name, "", poolStates[e.Pool.State]}]++
	}
}

// has needs mu.
func (p *Probes) has(pool, origin string) bool {
	return p.origins == nil || p.origins[originName{pool, origin}]
}

// name is what the label origin shows. It needs mu.
func (p *Probes) name(origin string) string {
	if p.perOrigin {
		return origin
	}
	return ""
}

// Keep forgets what a configuration has no longer, and whether origins have series of their own in it. It is told of
// the configuration before the checks of it begin.
func (p *Probes) Keep(s *balancer.Snapshot, perOrigin bool) {
	origins, pools := map[originName]bool{}, map[string]*config.Pool{}
	for _, pool := range s.Pools() {
		pools[pool.Config.Name] = pool.Config
		for i := range pool.Config.Origins {
			origins[originName{pool.Config.Name, pool.Config.Origins[i].Name}] = true
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.origins, p.pools, p.perOrigin = origins, pools, perOrigin
	p.centres = append([]config.Place{s.Config.Weir.Location}, s.Config.Weir.DataCenters...)
	p.forget()
}

// forget needs mu.
func (p *Probes) forget() {
	for key := range p.probes {
		if !p.keeps(key.pool, key.origin) || !p.probedFrom(key.pool, key.region) {
			delete(p.probes, key)
		}
	}
	for key := range p.changes {
		if p.pools[key.pool] == nil || key.origin != "" && !p.keeps(key.pool, key.origin) {
			delete(p.changes, key)
		}
	}
	for pool := range p.durations {
		if p.pools[pool] == nil {
			delete(p.durations, pool)
		}
	}
}

// keeps needs mu.
func (p *Probes) keeps(pool, origin string) bool {
	if origin == "" {
		return !p.perOrigin && p.pools[pool] != nil
	}
	return p.perOrigin && p.origins[originName{pool, origin}]
}

// probedFrom reports whether a pool may be probed from a region, or a data centre. It needs mu.
func (p *Probes) probedFrom(pool, region string) bool {
	regions := p.pools[pool].CheckRegions
	if len(regions) == 0 {
		return slices.ContainsFunc(p.centres, func(c config.Place) bool { return c.PoP == region })
	}
	return slices.Contains(regions, region) || slices.Contains(regions, "ALL_REGIONS")
}

var (
	probesDesc        = describe("probes_total", "Attempts of health checks.", "pool", "origin", "region", "result", "reason")
	probeDurationDesc = describe("probe_duration_seconds", "How long attempts of health checks took.", "pool")
	changesDesc       = describe("health_transitions_total", "Changes of an origin's global verdict (to: up, down), or, with an empty origin, of a pool's state.", "pool", "origin", "to")
)

// Describe is for prometheus.Collector.
func (p *Probes) Describe(to chan<- *prometheus.Desc) {
	to <- probesDesc
	to <- probeDurationDesc
	to <- changesDesc
}

// Collect is for prometheus.Collector.
func (p *Probes) Collect(to chan<- prometheus.Metric) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, n := range p.probes {
		count(to, probesDesc, n, k.pool, k.origin, k.region, k.result, k.reason)
	}
	for k, n := range p.changes {
		count(to, changesDesc, n, k.pool, k.origin, k.to)
	}
	for pool, d := range p.durations {
		d.collect(to, pool)
	}
}

func (d *duration) collect(to chan<- prometheus.Metric, pool string) {
	var total uint64
	upTo := make(map[float64]uint64, len(probeBuckets))
	for i, n := range d.counts {
		total += n
		if i < len(probeBuckets) {
			upTo[probeBuckets[i].Seconds()] = total
		}
	}
	to <- prometheus.MustNewConstHistogram(probeDurationDesc, total, d.sum.Seconds(), upTo, pool)
}

func count(to chan<- prometheus.Metric, desc *prometheus.Desc, n uint64, labels ...string) {
	to <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), labels...)
}

var _ prometheus.Collector = (*Probes)(nil)
