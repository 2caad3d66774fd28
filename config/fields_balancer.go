package config

import (
	"math"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Load balancers, member by member. In the overrides of rules and pool sets, kinds have names of their own, so that no
// default is filled in there.

// The most that names, texts and lists may hold.
const (
	mostName        = 200
	mostContentType = 32
	mostLocation    = 2048
	mostMessageBody = 1024
	mostSessionTTL  = 604800
	mostDrain       = 86400
)

var balancerSchema = schema[LoadBalancer]{
	kind: "load_balancer",
	members: []member[LoadBalancer]{
		omitted("id", func(b *LoadBalancer) *string { return &b.ID }, idText),
		omitted("created_on", func(b *LoadBalancer) *Timestamp { return &b.CreatedOn }, timestamp),
		omitted("modified_on", func(b *LoadBalancer) *Timestamp { return &b.ModifiedOn }, timestamp),
		omitted("zone_name", func(b *LoadBalancer) *string { return &b.ZoneName }, str),
		always("name", func(b *LoadBalancer) *string { return &b.Name }, checked("a host name, or \"*.\" and a host name", isBalancerName)).must(),
		always("description", func(b *LoadBalancer) *string { return &b.Description }, str),
		always("enabled", func(b *LoadBalancer) *bool { return &b.Enabled }, boolean),
		always("proxied", func(b *LoadBalancer) *bool { return &b.Proxied }, boolean),
		always("ttl", func(b *LoadBalancer) *int { return &b.TTL }, dnsTTL).
			omitIf(func(b *LoadBalancer) bool { return b.Proxied && b.TTL == 0 }),
		always("default_pools", func(b *LoadBalancer) *[]string { return &b.DefaultPools }, poolList).must(),
		always("fallback_pool", func(b *LoadBalancer) *string { return &b.FallbackPool }, idText).must(),
		always("region_pools", func(b *LoadBalancer) *map[string][]string { return &b.RegionPools }, poolsByRegion),
		omitted("country_pools", func(b *LoadBalancer) *map[string][]string { return &b.CountryPools }, poolsByCountry),
		always("pop_pools", func(b *LoadBalancer) *map[string][]string { return &b.PopPools }, poolsByPoP),
		steeringPolicyMember(),
		always("random_steering", func(b *LoadBalancer) *RandomSteering { return &b.RandomSteering }, randomSteeringSchema.codec()).filled(),
		always("adaptive_routing", func(b *LoadBalancer) *AdaptiveRouting { return &b.AdaptiveRouting }, adaptiveRoutingSchema.codec()).filled(),
		always("location_strategy", func(b *LoadBalancer) *LocationStrategy { return &b.LocationStrategy }, locationStrategySchema.codec()).filled(),
		always("session_affinity", func(b *LoadBalancer) *string { return &b.SessionAffinity }, affinityKind).blankIsOut(),
		omitted("session_affinity_ttl", func(b *LoadBalancer) *time.Duration { return &b.SessionAffinityTTL }, seconds(0, mostSessionTTL)),
		always("session_affinity_attributes", func(b *LoadBalancer) *SessionAffinityAttributes { return &b.SessionAffinityAttributes }, affinitySchema.codec()).filled(),
		omitted("rules", func(b *LoadBalancer) *[]Rule { return &b.Rules }, listOf(ruleSchema.codec())),
		omitted("pool_sets", func(b *LoadBalancer) *[]PoolSet { return &b.PoolSets }, listOf(poolSetSchema.codec())),
		always("networks", func(b *LoadBalancer) *[]string { return &b.Networks }, listOf(str)),
		omitted("tunnel_id", func(b *LoadBalancer) *string { return &b.TunnelID }, str),
	},
	unknown: func(b *LoadBalancer) *[]Unknown { return &b.Unknown },
	begin:   func(_ *loader, n *node, b *LoadBalancer) { b.Pos = n.pos() },
	finish:  (*loader).checkBalancer,
}

var steeringPolicy = enum("off", "geo", "random", "dynamic_latency", "proximity", "least_outstanding_requests", "least_connections")

// steeringPolicyMember is written as the API answers it, resolved; in a document that will be read again it stays
// implied, so that it follows the maps of pools when they are edited.
func steeringPolicyMember() member[LoadBalancer] {
	m := always("steering_policy", func(b *LoadBalancer) *string { return &b.SteeringPolicy }, steeringPolicy).blankIsOut()
	resolved := m.write
	m.write = func(w *writer, b *LoadBalancer) {
		if w.asGiven && b.SteeringImplied {
			w.token(jsontext.String(""))
			return
		}
		resolved(w, b)
	}
	return m
}

var (
	dnsTTL         = integer(0, 1<<31-1)
	poolList       = listOf(idText)
	poolsByRegion  = mapOf("a region, one of "+regionWords, canonicalRegion, poolList)
	poolsByCountry = mapOf(wantCountry, canonicalCountry, poolList)
	poolsByPoP     = mapOf(wantPoP, canonicalPoP, poolList)
	poolWeights    = mapOf("the id of a pool", func(s string) (string, bool) { return s, s != "" }, relativeWeight)
	affinityKind   = enum("none", "cookie", "ip_cookie", "header")
	sameSite       = enum("Auto", "Lax", "None", "Strict")
	secureFlag     = enum("Auto", "Always", "Never")
	failover       = enum("none", "temporary", "sticky")
	locationMode   = enum("pop", "resolver_ip")
	preferECS      = enum("always", "never", "proximity", "geo")
)

// relativeWeight is a weight for which Cloudflare states no steps. Every weight here is counted in hundredths, so that
// sums are exact; finer ones are rounded, and never to nothing.
var relativeWeight = codec[Weight]{
	func(l *loader, n *node, v *Weight) {
		f, ok := l.float(n, 0, 1, "a number from 0 to 1")
		if !ok {
			return
		}
		hundredths := math.Round(f * 100)
		if hundredths == 0 && f > 0 {
			hundredths = 1
		}
		*v = Weight(hundredths)
		if hundredths/100 != f {
			l.warningAt(n, n.label()+" is "+n.found()+", and weights are counted in hundredths", "it is taken as "+string(encode(false, func(w *writer) { weight.write(w, v) })))
		}
	},
	weight.write,
}

// defaultWeight is a weight in steps of 0.1.
var defaultWeight = weightInSteps(10)

var randomSteeringSchema = schema[RandomSteering]{
	kind: "random_steering",
	members: []member[RandomSteering]{
		always("default_weight", func(r *RandomSteering) *Weight { return &r.DefaultWeight }, defaultWeight),
		omitted("pool_weights", func(r *RandomSteering) *map[string]Weight { return &r.PoolWeights }, poolWeights),
	},
	unknown: func(r *RandomSteering) *[]Unknown { return &r.Unknown },
}

var adaptiveRoutingSchema = schema[AdaptiveRouting]{
	kind: "adaptive_routing",
	members: []member[AdaptiveRouting]{
		always("failover_across_pools", func(a *AdaptiveRouting) *bool { return &a.FailoverAcrossPools }, boolean),
	},
	unknown: func(a *AdaptiveRouting) *[]Unknown { return &a.Unknown },
}

var locationStrategySchema = schema[LocationStrategy]{
	kind: "location_strategy",
	members: []member[LocationStrategy]{
		always("mode", func(s *LocationStrategy) *string { return &s.Mode }, locationMode).blankIsOut(),
		always("prefer_ecs", func(s *LocationStrategy) *string { return &s.PreferECS }, preferECS).blankIsOut(),
	},
	unknown: func(s *LocationStrategy) *[]Unknown { return &s.Unknown },
}

var affinitySchema = schema[SessionAffinityAttributes]{
	kind: "session_affinity_attributes",
	members: []member[SessionAffinityAttributes]{
		always("samesite", func(a *SessionAffinityAttributes) *string { return &a.SameSite }, sameSite).blankIsOut(),
		always("secure", func(a *SessionAffinityAttributes) *string { return &a.Secure }, secureFlag).blankIsOut(),
		always("drain_duration", func(a *SessionAffinityAttributes) *time.Duration { return &a.DrainDuration }, seconds(0, mostDrain)),
		always("zero_downtime_failover", func(a *SessionAffinityAttributes) *string { return &a.ZeroDowntimeFailover }, failover).blankIsOut(),
		omitted("headers", func(a *SessionAffinityAttributes) *[]string { return &a.Headers }, sessionHeaders),
		omitted("require_all_headers", func(a *SessionAffinityAttributes) *bool { return &a.RequireAllHeaders }, boolean),
	},
	unknown: func(a *SessionAffinityAttributes) *[]Unknown { return &a.Unknown },
}

var ruleSchema = schema[Rule]{
	kind: "rule",
	members: []member[Rule]{
		always("name", func(r *Rule) *string { return &r.Name }, upTo(mostName)),
		always("condition", func(r *Rule) *string { return &r.Condition }, str),
		always("disabled", func(r *Rule) *bool { return &r.Disabled }, boolean),
		always("priority", func(r *Rule) *int { return &r.Priority }, integer(0, 1<<31-1)),
		omitted("terminates", func(r *Rule) *bool { return &r.Terminates }, boolean),
		omitted("fixed_response", func(r *Rule) **FixedResponse { return &r.FixedResponse }, pointerTo(fixedResponseSchema.codec())),
		always("overrides", func(r *Rule) *Overrides { return &r.Overrides }, overridesSchema.codec()),
	},
	unknown: func(r *Rule) *[]Unknown { return &r.Unknown },
	begin:   func(_ *loader, n *node, r *Rule) { r.Pos = n.pos() },
	finish:  (*loader).checkRule,
}

var fixedResponseSchema = schema[FixedResponse]{
	kind: "fixed_response",
	members: []member[FixedResponse]{
		always("status_code", func(f *FixedResponse) *int { return &f.StatusCode }, integer(200, 599)).must(),
		omitted("content_type", func(f *FixedResponse) *string { return &f.ContentType }, fieldUpTo(mostContentType)),
		omitted("location", func(f *FixedResponse) *string { return &f.Location }, fieldUpTo(mostLocation)),
		omitted("message_body", func(f *FixedResponse) *string { return &f.MessageBody }, upTo(mostMessageBody)),
	},
	unknown: func(f *FixedResponse) *[]Unknown { return &f.Unknown },
}

var overridesSchema = schema[Overrides]{
	kind: "overrides",
	members: []member[Overrides]{
		omitted("default_pools", func(o *Overrides) *[]string { return &o.DefaultPools }, someOf(poolList)),
		omitted("fallback_pool", func(o *Overrides) *string { return &o.FallbackPool }, idText).blankIsOut(),
		given("region_pools", func(o *Overrides) *map[string][]string { return &o.RegionPools }, poolsByRegion),
		given("country_pools", func(o *Overrides) *map[string][]string { return &o.CountryPools }, poolsByCountry),
		given("pop_pools", func(o *Overrides) *map[string][]string { return &o.PopPools }, poolsByPoP),
		omitted("steering_policy", func(o *Overrides) *string { return &o.SteeringPolicy }, steeringPolicy).blankIsOut(),
		omitted("random_steering", func(o *Overrides) **RandomSteeringOverride { return &o.RandomSteering }, pointerTo(randomSteeringOverrideSchema.codec())),
		omitted("adaptive_routing", func(o *Overrides) **AdaptiveRoutingOverride { return &o.AdaptiveRouting }, pointerTo(adaptiveRoutingOverrideSchema.codec())),
		omitted("location_strategy", func(o *Overrides) **LocationStrategy { return &o.LocationStrategy }, pointerTo(locationStrategyOverrideSchema.codec())),
		omitted("session_affinity", func(o *Overrides) *string { return &o.SessionAffinity }, affinityKind).blankIsOut(),
		omitted("session_affinity_ttl", func(o *Overrides) *time.Duration { return &o.SessionAffinityTTL }, seconds(0, mostSessionTTL)),
		omitted("session_affinity_attributes", func(o *Overrides) **SessionAffinityOverride { return &o.SessionAffinityAttributes }, pointerTo(affinityOverrideSchema.codec())),
		omitted("ttl", func(o *Overrides) **int { return &o.TTL }, pointerTo(dnsTTL)),
		omitted("pools", func(o *Overrides) *[]string { return &o.Pools }, someOf(poolList)),
		given("pool_weights", func(o *Overrides) *map[string]Weight { return &o.PoolWeights }, poolWeights),
		omitted("pool_default_weight", func(o *Overrides) **Weight { return &o.PoolDefaultWeight }, pointerTo(relativeWeight)),
	},
	unknown: func(o *Overrides) *[]Unknown { return &o.Unknown },
	finish:  (*loader).checkOverrides,
}

var randomSteeringOverrideSchema = schema[RandomSteeringOverride]{
	kind: "overrides.random_steering",
	members: []member[RandomSteeringOverride]{
		omitted("default_weight", func(r *RandomSteeringOverride) **Weight { return &r.DefaultWeight }, pointerTo(defaultWeight)),
		given("pool_weights", func(r *RandomSteeringOverride) *map[string]Weight { return &r.PoolWeights }, poolWeights),
	},
	unknown: func(r *RandomSteeringOverride) *[]Unknown { return &r.Unknown },
}

var adaptiveRoutingOverrideSchema = schema[AdaptiveRoutingOverride]{
	kind: "overrides.adaptive_routing",
	members: []member[AdaptiveRoutingOverride]{
		omitted("failover_across_pools", func(a *AdaptiveRoutingOverride) **bool { return &a.FailoverAcrossPools }, pointerTo(boolean)),
	},
	unknown: func(a *AdaptiveRoutingOverride) *[]Unknown { return &a.Unknown },
}

var locationStrategyOverrideSchema = schema[LocationStrategy]{
	kind: "overrides.location_strategy",
	members: []member[LocationStrategy]{
		omitted("mode", func(s *LocationStrategy) *string { return &s.Mode }, locationMode).blankIsOut(),
		omitted("prefer_ecs", func(s *LocationStrategy) *string { return &s.PreferECS }, preferECS).blankIsOut(),
	},
	unknown: func(s *LocationStrategy) *[]Unknown { return &s.Unknown },
}

var affinityOverrideSchema = schema[SessionAffinityOverride]{
	kind: "overrides.session_affinity_attributes",
	members: []member[SessionAffinityOverride]{
		omitted("samesite", func(a *SessionAffinityOverride) *string { return &a.SameSite }, sameSite).blankIsOut(),
		omitted("secure", func(a *SessionAffinityOverride) *string { return &a.Secure }, secureFlag).blankIsOut(),
		omitted("zero_downtime_failover", func(a *SessionAffinityOverride) *string { return &a.ZeroDowntimeFailover }, failover).blankIsOut(),
		omitted("headers", func(a *SessionAffinityOverride) *[]string { return &a.Headers }, someOf(sessionHeaders)),
		omitted("require_all_headers", func(a *SessionAffinityOverride) **bool { return &a.RequireAllHeaders }, pointerTo(boolean)),
	},
	unknown: func(a *SessionAffinityOverride) *[]Unknown { return &a.Unknown },
}

var poolSetSchema = schema[PoolSet]{
	kind: "pool_set",
	members: []member[PoolSet]{
		always("name", func(s *PoolSet) *string { return &s.Name }, upTo(mostName)),
		always("disabled", func(s *PoolSet) *bool { return &s.Disabled }, boolean),
		omitted("match", func(s *PoolSet) *Match { return &s.Match }, matchSchema.codec()),
		omitted("overrides", func(s *PoolSet) *PoolSetOverrides { return &s.Overrides }, poolSetOverridesSchema.codec()),
		omitted("fixed_response", func(s *PoolSet) **FixedResponse { return &s.FixedResponse }, pointerTo(fixedResponseSchema.codec())),
	},
	unknown: func(s *PoolSet) *[]Unknown { return &s.Unknown },
	begin:   func(_ *loader, n *node, s *PoolSet) { s.Pos = n.pos() },
	finish:  (*loader).checkPoolSet,
}

var matchSchema = schema[Match]{
	kind: "match",
	members: []member[Match]{
		omitted("default", func(m *Match) *bool { return &m.Default }, boolean),
		omitted("topology", func(m *Match) *Topology { return &m.Topology }, topologySchema.codec()),
	},
	unknown: func(m *Match) *[]Unknown { return &m.Unknown },
	finish:  (*loader).checkMatch,
}

var topologySchema = schema[Topology]{
	kind: "topology",
	members: []member[Topology]{
		omitted("pops", func(t *Topology) *[]string { return &t.PoPs }, placesIn(pop)),
		omitted("countries", func(t *Topology) *[]string { return &t.Countries }, placesIn(country)),
		omitted("regions", func(t *Topology) *[]string { return &t.Regions }, placesIn(region)),
	},
	unknown: func(t *Topology) *[]Unknown { return &t.Unknown },
	finish:  (*loader).checkTopology,
}

var poolSetOverridesSchema = schema[PoolSetOverrides]{
	kind: "pool_set.overrides",
	members: []member[PoolSetOverrides]{
		omitted("pools", func(o *PoolSetOverrides) *[]string { return &o.Pools }, poolList),
		given("pool_weights", func(o *PoolSetOverrides) *map[string]Weight { return &o.PoolWeights }, poolWeights),
		omitted("pool_default_weight", func(o *PoolSetOverrides) **Weight { return &o.PoolDefaultWeight }, pointerTo(relativeWeight)),
		omitted("fallback_pool", func(o *PoolSetOverrides) *string { return &o.FallbackPool }, idText).blankIsOut(),
		omitted("steering_policy", func(o *PoolSetOverrides) *string { return &o.SteeringPolicy }, steeringPolicy).blankIsOut(),
	},
	unknown: func(o *PoolSetOverrides) *[]Unknown { return &o.Unknown },
}
