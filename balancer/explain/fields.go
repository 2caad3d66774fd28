package explain

import (
	"strings"

	"github.com/weirlb/weir/config"
)

// topology says in one line which places a pool set is for.
func topology(m *config.Match) string {
	if m.All() {
		return "everywhere"
	}
	var parts []string
	list := func(what string, codes []string) {
		if len(codes) > 0 {
			parts = append(parts, what+" "+strings.Join(codes, ", "))
		}
	}
	list("pops", m.Topology.PoPs)
	list("countries", m.Topology.Countries)
	list("regions", m.Topology.Regions)
	return strings.Join(parts, "; and ")
}

// replaced lists the names of those fields that are given.
type replaced []string

func (r *replaced) add(given bool, name string) {
	if given {
		*r = append(*r, name)
	}
}

func poolSetFields(s *config.PoolSet) []string {
	if s.FixedResponse != nil {
		return []string{"fixed_response"}
	}
	o := &s.Overrides
	var r replaced
	r.add(o.Pools != nil, "pools")
	r.add(o.PoolWeights != nil, "pool_weights")
	r.add(o.PoolDefaultWeight != nil, "pool_default_weight")
	r.add(o.FallbackPool != "", "fallback_pool")
	r.add(o.SteeringPolicy != "", "steering_policy")
	return r
}

func ruleFields(rule *config.Rule) []string {
	if rule.FixedResponse != nil {
		return []string{"fixed_response"}
	}
	o := &rule.Overrides
	var r replaced
	r.add(o.DefaultPools != nil, "default_pools")
	r.add(o.FallbackPool != "", "fallback_pool")
	r.add(o.RegionPools != nil, "region_pools")
	r.add(o.CountryPools != nil, "country_pools")
	r.add(o.PopPools != nil, "pop_pools")
	r.add(o.SteeringPolicy != "", "steering_policy")
	r.add(o.RandomSteering != nil, "random_steering")
	r.add(o.AdaptiveRouting != nil, "adaptive_routing")
	r.add(o.SessionAffinity != "", "session_affinity")
	r.add(o.SessionAffinityTTL != 0, "session_affinity_ttl")
	r.add(o.SessionAffinityAttributes != nil, "session_affinity_attributes")
	r.add(o.Pools != nil, "pools")
	r.add(o.PoolWeights != nil, "pool_weights")
	r.add(o.PoolDefaultWeight != nil, "pool_default_weight")
	return r
}
