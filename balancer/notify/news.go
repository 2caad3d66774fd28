package notify

import (
	"strconv"
	"time"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

// subject is what can be healthy or not: a pool, an origin, or what a monitor that only watches says of an origin.
type subject struct {
	pool    string // id
	origin  string // name, unique within the pool; "" for the pool itself
	monitor string // id of the monitor that only watches; "" for all that count
}

// news remembers who is ill: the subjects that were found unhealthy last, and since when. Everything else counts as
// healthy, so that a start is silent when all is well (behaviour W2).
type news map[subject]time.Time

// learn takes in a finding and reports whether it is a change, and the incident that begins or ends with it.
func (n news) learn(s subject, healthy bool, at time.Time) (incident string, changed bool) {
	since, ill := n[s]
	switch {
	case ill != healthy:
		return "", false
	case healthy:
		delete(n, s)
		return s.incident(since), true
	default:
		n[s] = at
		return s.incident(at), true
	}
}

func (s subject) incident(since time.Time) string {
	return uuid("incident", s.pool, s.origin, s.monitor, strconv.FormatInt(since.UnixNano(), 10))
}

// keep forgets what a configuration no longer has.
func (n news) keep(c *config.Config) {
	for s := range n {
		p := c.PoolByID(s.pool)
		if p == nil || s.origin != "" && !hasOrigin(p, s.origin) || s.monitor != "" && c.MonitorByID(s.monitor) == nil {
			delete(n, s)
		}
	}
}

func hasOrigin(p *config.Pool, name string) bool {
	for i := range p.Origins {
		if p.Origins[i].Name == name {
			return true
		}
	}
	return false
}

// judged reports whether a finding of an origin is one. An origin that lost its verdict has not become unhealthy.
func judged(o *health.EventOrigin) bool { return o.Healthy || o.FailureReason != "" }

// premature reports whether a pool may only look unhealthy because its origins have not all been probed yet: at the
// start, or after a reload. Nothing in an event tells these from origins that are down, so such news is held until it
// has lasted (behaviour W2).
func premature(e *health.Event) bool {
	return !e.Pool.Healthy && (e.Pool.Was == health.PoolUnknown || e.Region == "")
}

// namesOf finds for each pool the load balancer that alerts name: the first that uses the pool, of those that are
// enabled if there is one (behaviour W5).
func namesOf(c *config.Config) map[string]*config.LoadBalancer {
	names := make(map[string]*config.LoadBalancer, len(c.Pools))
	for _, enabled := range []bool{true, false} {
		for i := range c.LoadBalancers {
			b := &c.LoadBalancers[i]
			if b.Enabled != enabled {
				continue
			}
			poolsOf(b, func(id string) {
				if names[id] == nil {
					names[id] = b
				}
			})
		}
	}
	return names
}

// poolsOf calls use for every mention of a pool.
func poolsOf(b *config.LoadBalancer, use func(id string)) {
	all := func(ids []string) {
		for _, id := range ids {
			use(id)
		}
	}
	maps := func(by ...map[string][]string) {
		for _, m := range by {
			for _, ids := range m {
				all(ids)
			}
		}
	}
	all(b.DefaultPools)
	use(b.FallbackPool)
	maps(b.RegionPools, b.CountryPools, b.PopPools)
	for i := range b.Rules {
		o := &b.Rules[i].Overrides
		all(o.DefaultPools)
		all(o.Pools)
		use(o.FallbackPool)
		maps(o.RegionPools, o.CountryPools, o.PopPools)
	}
	for i := range b.PoolSets {
		all(b.PoolSets[i].Overrides.Pools)
		use(b.PoolSets[i].Overrides.FallbackPool)
	}
}
