package config

import (
	"cmp"
	"slices"
	"time"
)

// LoadBalancer routes hosts to pools. Every object in it is there with its defaults filled in, except inside the
// overrides of rules and pool sets, where what is not given is not overridden.
type LoadBalancer struct {
	ID           string
	Name         string // the host name served: exact, or "*." for any depth below
	Description  string
	CreatedOn    Timestamp
	ModifiedOn   Timestamp
	ZoneName     string
	Enabled      bool
	Proxied      bool
	TTL          int
	DefaultPools []string
	FallbackPool string
	RegionPools  map[string][]string
	CountryPools map[string][]string
	PopPools     map[string][]string
	// SteeringPolicy is one of off, geo, random, dynamic_latency, proximity, least_outstanding_requests and
	// least_connections; never "". SteeringImplied says that the input left it to us, which chose geo where there are
	// maps of pools and off otherwise.
	SteeringPolicy            string
	SteeringImplied           bool
	RandomSteering            RandomSteering
	AdaptiveRouting           AdaptiveRouting
	LocationStrategy          LocationStrategy
	SessionAffinity           string        // none, cookie, ip_cookie or header
	SessionAffinityTTL        time.Duration // the default of the kind where none is given; 0 only under none
	SessionAffinityAttributes SessionAffinityAttributes
	Rules                     []Rule    // in the order read; RulesInOrder is the order in which they are evaluated
	PoolSets                  []PoolSet // the first that matches wins
	Networks                  []string
	TunnelID                  string
	Unknown                   []Unknown
	// Implicit is set on the load balancer made up for pools that came without one: it serves every host.
	Implicit bool
	Pos      Position
}

// RandomSteering weighs pools for the policies random, least_outstanding_requests and least_connections.
type RandomSteering struct {
	DefaultWeight Weight            // of pools that PoolWeights does not name; in steps of 0.1
	PoolWeights   map[string]Weight // by pool id
	Unknown       []Unknown
}

// AdaptiveRouting says where a failed attempt may be repeated.
type AdaptiveRouting struct {
	FailoverAcrossPools bool
	Unknown             []Unknown
}

// LocationStrategy says where the answers of an unproxied load balancer take the client to be. It does not act here.
type LocationStrategy struct {
	Mode      string // pop or resolver_ip
	PreferECS string // always, never, proximity or geo
	Unknown   []Unknown
}

// SessionAffinityAttributes are the details of session affinity.
type SessionAffinityAttributes struct {
	SameSite             string        // Auto, Lax, None or Strict
	Secure               string        // Auto, Always or Never
	DrainDuration        time.Duration // how long a disabled origin keeps its sessions
	ZeroDowntimeFailover string        // none, temporary or sticky
	// Headers are what sessions by header are told apart by: field names, as written, "cookie" for all cookies, or
	// "cookie:a,b" for the cookies a and b. ParseSessionHeader takes an item apart.
	Headers           []string
	RequireAllHeaders bool
	Unknown           []Unknown
}

// Rule answers a request, or changes for it what the load balancer says, where its condition is true.
type Rule struct {
	Name       string
	Condition  string // an expression; "" is always true
	Disabled   bool
	Priority   int  // lower first. Where no rule of a load balancer carries one, Load assigns 0, 10, 20 …
	Terminates bool // no rule after this one; always so with a fixed response
	// FixedResponse is nil when the request goes on to the pools.
	FixedResponse *FixedResponse
	Overrides     Overrides
	Unknown       []Unknown
	Pos           Position
}

// FixedResponse is an answer that no origin is asked for.
type FixedResponse struct {
	StatusCode  int    // 200 to 599
	ContentType string // "" when not given
	Location    string
	MessageBody string
	Unknown     []Unknown
}

// Overrides are the fields that a rule replaces. nil and "" are fields that are not given; a map that is given and
// empty is empty and not nil.
type Overrides struct {
	DefaultPools              []string
	FallbackPool              string
	RegionPools               map[string][]string
	CountryPools              map[string][]string
	PopPools                  map[string][]string
	SteeringPolicy            string
	RandomSteering            *RandomSteeringOverride
	AdaptiveRouting           *AdaptiveRoutingOverride
	LocationStrategy          *LocationStrategy // its fields too are "" when not given
	SessionAffinity           string
	SessionAffinityTTL        time.Duration // 0: not given
	SessionAffinityAttributes *SessionAffinityOverride
	TTL                       *int
	// Pools is one ordered list that stands for default_pools and all maps; PoolWeights and PoolDefaultWeight weigh it.
	Pools             []string
	PoolWeights       map[string]Weight
	PoolDefaultWeight *Weight
	Unknown           []Unknown
}

// RandomSteeringOverride is a RandomSteering of which each field may be missing.
type RandomSteeringOverride struct {
	DefaultWeight *Weight
	PoolWeights   map[string]Weight
	Unknown       []Unknown
}

// AdaptiveRoutingOverride is an AdaptiveRouting of which each field may be missing.
type AdaptiveRoutingOverride struct {
	FailoverAcrossPools *bool
	Unknown             []Unknown
}

// SessionAffinityOverride is a SessionAffinityAttributes of which each field may be missing. The drain duration cannot
// be overridden.
type SessionAffinityOverride struct {
	SameSite             string
	Secure               string
	ZeroDowntimeFailover string
	Headers              []string
	RequireAllHeaders    *bool
	Unknown              []Unknown
}

// PoolSet replaces the pools of a load balancer for requests from some places, before any rule is evaluated.
type PoolSet struct {
	Name          string
	Disabled      bool
	Match         Match
	Overrides     PoolSetOverrides
	FixedResponse *FixedResponse // nil: the pools of the overrides serve
	Unknown       []Unknown
	Pos           Position
}

// Match says which requests a pool set is for. The zero Match is every request, and so is Default.
type Match struct {
	Default  bool
	Topology Topology
	Unknown  []Unknown
}

// Topology lists places. A request matches when it is in each of the lists that are not empty.
type Topology struct {
	PoPs      []string
	Countries []string
	Regions   []string
	Unknown   []Unknown
}

// All reports whether every request matches.
func (m *Match) All() bool {
	return m.Default || len(m.Topology.PoPs)+len(m.Topology.Countries)+len(m.Topology.Regions) == 0
}

// PoolSetOverrides are the pools that a pool set supplies.
type PoolSetOverrides struct {
	Pools             []string // one ordered list
	PoolWeights       map[string]Weight
	PoolDefaultWeight *Weight
	FallbackPool      string // "": the load balancer's
	SteeringPolicy    string // "": in order
	Unknown           []Unknown
}

// RulesInOrder returns the rules in the order in which they are evaluated: by ascending priority, rules of one
// priority in the order read. Disabled ones are left out.
func (b *LoadBalancer) RulesInOrder() []*Rule {
	var list []*Rule
	for i := range b.Rules {
		if !b.Rules[i].Disabled {
			list = append(list, &b.Rules[i])
		}
	}
	slices.SortStableFunc(list, func(a, b *Rule) int { return cmp.Compare(a.Priority, b.Priority) })
	return list
}

// DefaultSessionTTL is how long a session of this kind lasts when nothing says so, 0 for the kind none: 23 hours from
// its creation by cookie, half an hour from its last use by header.
func DefaultSessionTTL(affinity string) time.Duration {
	switch affinity {
	case "cookie", "ip_cookie":
		return 82800 * time.Second
	case "header":
		return 1800 * time.Second
	}
	return 0
}
