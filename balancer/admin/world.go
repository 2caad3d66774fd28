package admin

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/health"
)

// World collects what is true at the moment of asking, from the current snapshot and the table: so its series come and
// go with the objects they are about.
type World struct {
	Snapshot func() *balancer.Snapshot
	Table    *health.Table
	// PerOrigin says whether a configuration with so many origins has series for each.
	PerOrigin func(origins int) bool
}

var (
	originHealthyDesc = describe("origin_healthy", "1: up, 0: down or not judged yet; region is global for the joined verdict. Monitored pools only.", "pool", "origin", "region")
	originWeightDesc  = describe("origin_weight", "The configured weight, 0 to 1.", "pool", "origin")
	inFlightDesc      = describe("origin_requests_in_flight", "Requests between the pick and the last byte.", "pool", "origin")
	connectionsDesc   = describe("origin_connections_open", "Established connections, idle ones and tunnels included.", "pool", "origin")
	poolHealthyDesc   = describe("pool_healthy", "1: the pool takes traffic of its own, 0: it does not.", "pool")
	poolStateDesc     = describe("pool_state", "1 for the state the pool is in.", "pool", "state")
	configInfoDesc    = describe("config_info", "1; the revision of the configuration in force.", "revision")
)

// poolStates are the values of label state.
var poolStates = map[health.PoolState]string{
	health.PoolUnknown: "unknown", health.PoolHealthy: "healthy", health.PoolDegraded: "degraded", health.PoolCritical: "critical",
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("weir_"+name, help, labels, nil)
}

// Describe is for prometheus.Collector.
func (w *World) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		originHealthyDesc, originWeightDesc, inFlightDesc, connectionsDesc, poolHealthyDesc, poolStateDesc, configInfoDesc,
	} {
		to <- d
	}
}

// Collect is for prometheus.Collector.
func (w *World) Collect(to chan<- prometheus.Metric) {
	s := w.Snapshot()
	if s == nil {
		return
	}
	gauge(to, configInfoDesc, 1, formatRevision(s.Revision))
	perOrigin := w.PerOrigin == nil || w.PerOrigin(CountOrigins(s))
	for _, p := range s.Pools() {
		collectPool(to, p)
		if perOrigin {
			known := w.Table.Pool(p.Config.ID)
			for i := range p.Origins {
				collectOrigin(to, p, i, known)
			}
		}
	}
}

// CountOrigins is the number of origins that a snapshot has.
func CountOrigins(s *balancer.Snapshot) int {
	n := 0
	for _, p := range s.Pools() {
		n += len(p.Origins)
	}
	return n
}

func collectPool(to chan<- prometheus.Metric, p *balancer.Pool) {
	gauge(to, poolHealthyDesc, oneIf(reasonOf(p) == balancer.Yes), p.Config.Name)
	for state, word := range poolStates {
		gauge(to, poolStateDesc, oneIf(p.State() == state), p.Config.Name, word)
	}
}

func collectOrigin(to chan<- prometheus.Metric, p *balancer.Pool, i int, known *health.PoolHealth) {
	o := &p.Origins[i]
	pool, name := p.Config.Name, o.Config.Name
	gauge(to, originWeightDesc, float64(o.Config.Weight)/100, pool, name)
	gauge(to, inFlightDesc, float64(o.Live.Outstanding()), pool, name)
	gauge(to, connectionsDesc, float64(o.Live.Connections()), pool, name)
	if known == nil || !known.Monitored {
		return
	}
	h, _ := known.Origin(i, o.Live.Identity)
	gauge(to, originHealthyDesc, oneIf(h.Global.Status == health.Up), pool, name, "global")
	for place, v := range h.Places {
		gauge(to, originHealthyDesc, oneIf(v.Status == health.Up), pool, name, place)
	}
}

func gauge(to chan<- prometheus.Metric, desc *prometheus.Desc, v float64, labels ...string) {
	to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, labels...)
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

var _ prometheus.Collector = (*World)(nil)
