package balancer

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/weirlb/weir/balancer/rules"
	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/steering"
)

// plan is what a load balancer does by configuration alone: its pool sets, its rules, and what comes of each combination
// of these that requests meet.
//
//	request ─► pool set, the first that matches ─► rules, by priority ─► variant ─► routing
//	             │ fixed response                    │ fixed response, terminates
//
// Combinations are compiled when the first request meets them and kept: the way to one is a walk from variant to
// variant, one step for each rule that matched, without an allocation. Health compiles nothing.
type plan struct {
	config   *config.LoadBalancer
	pools    []config.Pool
	index    *index
	sessions *Sessions
	https    *bool // weir.sessions.always_use_https

	lists [][]int        // every list of pools that anything here names, as positions in Snapshot.pools
	named map[string]int // positions in lists

	sets  []poolSet
	rules []rule
	plain *variant // no pool set matched, no rule
	made  atomic.Int32
}

// mostVariants bounds what one load balancer keeps. Requests that meet more combinations of rules than that are served
// all the same, at the price of compiling theirs each time.
const mostVariants = 1024

// poolSet is a pool set that is not disabled.
type poolSet struct {
	config  *config.PoolSet
	variant *variant // nil with a fixed response
}

// rule is a rule that is not disabled.
type rule struct {
	config    *config.Rule
	condition *rules.Expr
	overrides bool // it changes something
}

// variant is the load balancer with some pool set's and some rules' changes.
type variant struct {
	settings settings
	compiled atomic.Pointer[routing]
	first    int                       // the rules that can still come begin here
	next     []atomic.Pointer[variant] // by rule, from first: with its changes on top
}

func newPlan(b *config.LoadBalancer, c *config.Config, x *index, sessions *Sessions) *plan {
	p := &plan{
		config: b, pools: c.Pools, index: x, sessions: sessions, https: c.Weir.Sessions.AlwaysUseHTTPS, named: map[string]int{},
	}
	for _, r := range b.RulesInOrder() {
		p.addRule(r)
	}
	plain := newSettings(b)
	p.enlist(&plain)
	p.plain = p.newVariant(plain, 0)
	p.plain.routing(p)
	for i := range b.PoolSets {
		p.addPoolSet(&b.PoolSets[i], plain)
	}
	return p
}

func (p *plan) addRule(r *config.Rule) {
	condition, err := rules.Compile(r.Condition)
	if err != nil {
		panic("BUG: the condition of rule " + r.Name + " passed validation: " + err.Error())
	}
	p.rules = append(p.rules, rule{config: r, condition: condition, overrides: overridesAnything(&r.Overrides)})
	var own settings // the lists it names, whichever settings it will be laid upon
	own.override(&r.Overrides)
	p.enlist(&own)
}

func (p *plan) addPoolSet(c *config.PoolSet, plain settings) {
	if c.Disabled {
		return
	}
	set := poolSet{config: c}
	if c.FixedResponse == nil {
		plain.replace(&c.Overrides)
		p.enlist(&plain)
		set.variant = p.newVariant(plain, 0)
	}
	p.sets = append(p.sets, set)
}

func (p *plan) newVariant(s settings, first int) *variant {
	return &variant{settings: s, first: first, next: make([]atomic.Pointer[variant], len(p.rules)-first)}
}

// with is v with the changes of rule i on top.
func (v *variant) with(p *plan, i int) *variant {
	if next := v.next[i-v.first].Load(); next != nil {
		return next
	}
	changed := v.settings
	changed.override(&p.rules[i].config.Overrides)
	next := p.newVariant(changed, i+1)
	if p.made.Add(1) > mostVariants {
		return next
	}
	if !v.next[i-v.first].CompareAndSwap(nil, next) {
		return v.next[i-v.first].Load() // somebody else was faster
	}
	return next
}

// routing is v, ready to serve.
func (v *variant) routing(p *plan) *routing {
	if r := v.compiled.Load(); r != nil {
		return r
	}
	v.compiled.CompareAndSwap(nil, newRouting(p, &v.settings))
	return v.compiled.Load()
}

// enlist files every list of pools that the settings name.
func (p *plan) enlist(s *settings) {
	p.enlistOne(s.pools)
	for _, m := range []map[string][]string{s.pops, s.countries, s.regions} {
		for _, ids := range m {
			p.enlistOne(ids)
		}
	}
}

func (p *plan) enlistOne(ids []string) {
	name := strings.Join(ids, "\x00")
	if _, known := p.named[name]; known {
		return
	}
	p.named[name] = len(p.lists)
	list := make([]int, 0, len(ids))
	seen := make(map[int]bool, len(ids))
	for _, id := range ids {
		if i := p.index.position(id); !seen[i] { // twice in a list is once
			seen[i] = true
			list = append(list, i)
		}
	}
	p.lists = append(p.lists, list)
}

func (p *plan) find(ids []string) int {
	i, ok := p.named[strings.Join(ids, "\x00")]
	if !ok {
		panic("BUG: a list of pools was not enlisted")
	}
	return i
}

// settings are those fields of a load balancer that pool sets and rules can change.
type settings struct {
	pools         []string
	pops          map[string][]string
	countries     map[string][]string
	regions       map[string][]string
	fallback      string
	policy        string
	implied       bool // nobody said which policy: it follows from the maps
	defaultWeight config.Weight
	weights       map[string]config.Weight
	across        bool
	affinity      string
	ttl           time.Duration
	attributes    config.SessionAffinityAttributes
}

func newSettings(b *config.LoadBalancer) settings {
	return settings{
		pools: b.DefaultPools, pops: b.PopPools, countries: b.CountryPools, regions: b.RegionPools, fallback: b.FallbackPool,
		policy: b.SteeringPolicy, implied: b.SteeringImplied,
		defaultWeight: b.RandomSteering.DefaultWeight, weights: b.RandomSteering.PoolWeights,
		across: b.AdaptiveRouting.FailoverAcrossPools, affinity: b.SessionAffinity, ttl: b.SessionAffinityTTL,
		attributes: b.SessionAffinityAttributes,
	}
}

// replace makes the pools, weights and policy those of a pool set: the load balancer's own have no effect on the requests
// it matches, only its fallback pool has when the set names none (behaviour U8).
func (s *settings) replace(o *config.PoolSetOverrides) {
	s.pools, s.pops, s.countries, s.regions = o.Pools, nil, nil, nil
	s.weights, s.defaultWeight = o.PoolWeights, steering.MaxWeight
	if o.PoolDefaultWeight != nil {
		s.defaultWeight = *o.PoolDefaultWeight
	}
	s.fallback = or(o.FallbackPool, s.fallback)
	s.policy, s.implied = or(o.SteeringPolicy, steering.Off), false
}

// override lays a rule's changes on top, field by field: of several rules, the last one that gives a field decides it
// (behaviour U2).
func (s *settings) override(o *config.Overrides) {
	s.overridePools(o)
	s.fallback = or(o.FallbackPool, s.fallback)
	if o.SteeringPolicy != "" {
		s.policy, s.implied = o.SteeringPolicy, false
	}
	if r := o.RandomSteering; r != nil {
		s.overrideWeights(r.PoolWeights, r.DefaultWeight)
	}
	s.overrideWeights(o.PoolWeights, o.PoolDefaultWeight)
	if a := o.AdaptiveRouting; a != nil && a.FailoverAcrossPools != nil {
		s.across = *a.FailoverAcrossPools
	}
	s.overrideAffinity(o)
}

// overridePools: pools is one list that stands for default_pools and for all maps.
func (s *settings) overridePools(o *config.Overrides) {
	if o.DefaultPools != nil {
		s.pools = o.DefaultPools
	}
	if o.PopPools != nil {
		s.pops = o.PopPools
	}
	if o.CountryPools != nil {
		s.countries = o.CountryPools
	}
	if o.RegionPools != nil {
		s.regions = o.RegionPools
	}
	if o.Pools != nil {
		s.pools, s.pops, s.countries, s.regions = o.Pools, nil, nil, nil
	}
}

func (s *settings) overrideWeights(weights map[string]config.Weight, rest *config.Weight) {
	if weights != nil {
		s.weights = weights
	}
	if rest != nil {
		s.defaultWeight = *rest
	}
}

// overrideAffinity: a session of another kind than before lasts as long as is usual for that kind, unless the same rule
// says how long. What was said for the kind before, none included, need not be allowed for this one.
func (s *settings) overrideAffinity(o *config.Overrides) {
	if o.SessionAffinity != "" && o.SessionAffinity != s.affinity {
		s.affinity, s.ttl = o.SessionAffinity, config.DefaultSessionTTL(o.SessionAffinity)
	}
	if o.SessionAffinityTTL != 0 {
		s.ttl = o.SessionAffinityTTL
	}
	a := o.SessionAffinityAttributes
	if a == nil {
		return
	}
	s.attributes.SameSite = or(a.SameSite, s.attributes.SameSite)
	s.attributes.Secure = or(a.Secure, s.attributes.Secure)
	s.attributes.ZeroDowntimeFailover = or(a.ZeroDowntimeFailover, s.attributes.ZeroDowntimeFailover)
	if a.Headers != nil {
		s.attributes.Headers = a.Headers
	}
	if a.RequireAllHeaders != nil {
		s.attributes.RequireAllHeaders = *a.RequireAllHeaders
	}
}

// word is the policy that acts (behaviour G1).
func (s *settings) word() string {
	switch {
	case !s.implied && s.policy != "":
		return s.policy
	case len(s.pops)+len(s.countries)+len(s.regions) > 0:
		return steering.Geo
	default:
		return steering.Off
	}
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func overridesAnything(o *config.Overrides) bool {
	return o.DefaultPools != nil || o.PopPools != nil || o.CountryPools != nil || o.RegionPools != nil || o.Pools != nil ||
		o.FallbackPool != "" || o.SteeringPolicy != "" || o.RandomSteering != nil || o.PoolWeights != nil ||
		o.PoolDefaultWeight != nil || o.AdaptiveRouting != nil || o.SessionAffinity != "" || o.SessionAffinityTTL != 0 ||
		o.SessionAffinityAttributes != nil
}

// routing is what serves the requests of one variant.
type routing struct {
	policy   string
	fallback int // position in Snapshot.pools, or none
	across   bool
	affinity affinity

	standard                 way
	pops, countries, regions map[string]*way // looked at by geo alone
	members                  []int           // every pool named above, sorted: a session may stand in any of them
}

// way is a list of pools and how to choose from it.
type way struct {
	list    int // position in plan.lists
	picker  steering.Picker
	weights []uint8 // hundredths, by position in the list; nil where they do not matter
}

// weight is that of the i-th pool.
func (w *way) weight(i int) int {
	if w.weights == nil {
		return steering.MaxWeight
	}
	return int(w.weights[i])
}

func newRouting(p *plan, s *settings) *routing {
	r := &routing{
		policy: s.word(), fallback: none, across: s.across, affinity: newAffinity(p, s),
		pops: p.ways(s.pops), countries: p.ways(s.countries), regions: p.ways(s.regions),
	}
	r.standard.list = p.find(s.pools)
	r.standard.picker, r.standard.weights = p.picker(s, r.policy, p.lists[r.standard.list])
	if s.fallback != "" {
		r.fallback = p.index.position(s.fallback)
		r.members = append(r.members, r.fallback)
	}
	r.members = append(r.members, p.lists[r.standard.list]...)
	for _, m := range []map[string]*way{r.pops, r.countries, r.regions} {
		for _, w := range m {
			r.members = append(r.members, p.lists[w.list]...)
		}
	}
	slices.Sort(r.members)
	r.members = slices.Compact(r.members)
	return r
}

// failover picks the first: what steers within a list of geo, and where a retry goes across pools.
var failover = compilePicker(steering.Off, nil)

func (p *plan) ways(lists map[string][]string) map[string]*way {
	if len(lists) == 0 {
		return nil
	}
	ways := make(map[string]*way, len(lists))
	for name, ids := range lists {
		ways[name] = &way{list: p.find(ids), picker: failover}
	}
	return ways
}

// picker compiles the steering between pools. Where every pool weighs nothing it is in order (behaviour G3).
func (p *plan) picker(s *settings, policy string, list []int) (steering.Picker, []uint8) {
	targets := make([]steering.Target, len(list))
	weights := make([]uint8, len(list))
	total := 0
	for i, at := range list {
		c := &p.pools[at]
		weight, given := s.weights[c.ID]
		if !given {
			weight = s.defaultWeight
		}
		targets[i] = steering.Target{Identity: steering.HashIdentity(c.ID), Weight: int(weight)}
		if c.Latitude != nil && c.Longitude != nil {
			targets[i].Lat, targets[i].Lon, targets[i].Located = *c.Latitude, *c.Longitude, true
		}
		weights[i] = uint8(weight) // 0 to 100
		total += targets[i].Weight
	}
	if !byWeight(policy) {
		return compilePicker(policy, targets), nil
	}
	if total == 0 {
		return failover, weights // somebody has to answer
	}
	return compilePicker(policy, targets), weights
}

// byWeight reports whether a policy looks at the weights of pools.
func byWeight(policy string) bool {
	return policy == steering.Random || policy == steering.LeastOutstandingRequests || policy == steering.LeastConnections
}

// way is the list for requests from a place: under geo the narrowest one that is mapped, served or not, and the standard
// one where none is and under every other policy (behaviour G2).
func (r *routing) way(place *config.Place) (*way, listKind) {
	if r.policy != steering.Geo {
		return &r.standard, listDefault
	}
	if w, ok := r.pops[place.PoP]; ok {
		return w, listPoP
	}
	if w, ok := r.countries[place.Country]; ok {
		return w, listCountry
	}
	if w, ok := r.regions[place.Region]; ok {
		return w, listRegion
	}
	return &r.standard, listDefault
}

// has reports whether a session may stand in a pool.
func (r *routing) has(pool int) bool {
	_, found := slices.BinarySearch(r.members, pool)
	return found
}
