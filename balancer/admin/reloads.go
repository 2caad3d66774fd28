package admin

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Reloads counts how reading the configuration went.
type Reloads struct {
	mu       sync.Mutex
	good     uint64
	bad      uint64
	last     bool      // the last one was good
	lastGood time.Time // when one was good last
}

// Loaded notes a configuration that was put in force, the first one included.
func (r *Reloads) Loaded(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.good++
	r.last, r.lastGood = true, now
}

// Failed notes a configuration that could not be used; the one before stays in force.
func (r *Reloads) Failed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bad++
	r.last = false
}

var (
	loadsDesc    = describe("config_reloads_total", "Configurations read, the first one included.", "result")
	lastDesc     = describe("config_last_reload_successful", "1: the last configuration read is in force; 0: it has errors, and the one before is.")
	lastGoodDesc = describe("config_last_reload_success_timestamp_seconds", "When the configuration in force was read.")
)

// Describe is for prometheus.Collector.
func (r *Reloads) Describe(to chan<- *prometheus.Desc) {
	to <- loadsDesc
	to <- lastDesc
	to <- lastGoodDesc
}

// Collect is for prometheus.Collector.
func (r *Reloads) Collect(to chan<- prometheus.Metric) {
	r.mu.Lock()
	defer r.mu.Unlock()
	count(to, loadsDesc, r.good, "good")
	count(to, loadsDesc, r.bad, "bad")
	gauge(to, lastDesc, oneIf(r.last))
	gauge(to, lastGoodDesc, float64(r.lastGood.UnixMilli())/1000)
}

// BuildInfo is the metric that says what is running.
func BuildInfo(v Version) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "weir_build_info", Help: "1; what is running.",
		ConstLabels: prometheus.Labels{"version": v.Version, "commit": v.Commit, "go": v.Go, "fasthttp": v.FastHTTP},
	}, func() float64 { return 1 })
}

func formatRevision(n uint64) string { return strconv.FormatUint(n, 10) }

var _ prometheus.Collector = (*Reloads)(nil)
