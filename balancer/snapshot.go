package balancer

import (
	"net/netip"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
	"github.com/weirlb/weir/shedding"
	"github.com/weirlb/weir/steering"
)

// Snapshot is one immutable state of the world: configuration joined with health.
type Snapshot struct {
	Revision uint64 // of the configuration
	Config   *config.Config
	// Trusted are the peers whose word on the client's address ResolveClient takes (behaviour C1).
	Trusted []netip.Prefix

	index *index
	lbs   []*LoadBalancer
	pools []*Pool
}

// index is what configuration alone decides; snapshots of one configuration share it. It holds positions, never
// pointers, so that one pool can be replaced without touching anything that mentions it.
type index struct {
	hosts    hosts // positions in lbs, of the enabled load balancers
	disabled hosts // of the disabled ones
	pool     map[string]int
	origin   map[uint64]seatOf // by Origin.ID
	users    [][]use           // by pool: which lists have it
	names    map[string][]int  // by host name: the pools that have an origin there
	atlas    *atlas
	profiles bool // some load balancer steers by round-trip times
}

// seatOf is where an origin stands: a pool, and a position in its origins.
type seatOf struct{ pool, origin int32 }

// use is one pool's being in a list: of a load balancer, the position of the list, and that in the list.
type use struct{ lb, list, at int }

// LoadBalancer is one host's routing, ready to serve.
type LoadBalancer struct {
	Config *config.LoadBalancer

	plan  *plan
	lists []opening // by position in plan.lists
}

// opening says which pools of a list serve.
type opening struct {
	open steering.Set
	// Where data centres or regions judge for themselves: by their codes, the pools about which they differ from open.
	local, regional map[string]steering.Set
}

// Pool is one pool, ready to serve.
type Pool struct {
	Config  *config.Pool
	Origins []PoolOrigin // in the order of Config.Origins

	plan   *poolPlan
	load   *PoolLoad
	rtt    profiles
	global view
	places map[string]*view // the same where a place sees it differently; by data centre, or by region
	health verdicts
}

// poolPlan is what a pool does by configuration alone. Health and addresses never change them.
type poolPlan struct {
	monitored bool
	policy    string
	targets   []steering.Target
	picker    steering.Picker
	level     steering.Picker // the same policy with equal weights, for a last resort of weight 0; nil without such an origin
	live      steering.Live   // nil: the policy asks for no loads
	hashed    bool            // the policy asks for the client's key
	sheds     bool
	shedder   shedding.Shedder
	byAddress func() addressed
}

// addressed is what picks an origin by the client's address whatever the pool's policy is: for sessions by ip_cookie.
type addressed struct{ picker, level steering.Picker }

// view is one opinion of a pool: everybody's, or that of one place.
type view struct {
	open  steering.Set // enabled, healthy if monitored, with an address
	last  steering.Set // whom to ask as the last resort: the open ones, else every enabled one with an address
	why   Reason       // why the pool takes no traffic of its own; Yes: it serves
	state health.PoolState
}

// Pools returns the pools in the order of the configuration. The slice belongs to the snapshot.
func (s *Snapshot) Pools() []*Pool { return s.pools }

// Pool returns the pool with an id, nil when there is none.
func (s *Snapshot) Pool(id string) *Pool {
	if i, ok := s.index.pool[id]; ok {
		return s.pools[i]
	}
	return nil
}

// LoadBalancers returns the load balancers in the order of the configuration. The slice belongs to the snapshot.
func (s *Snapshot) LoadBalancers() []*LoadBalancer { return s.lbs }

// State is the pool's state by the global verdict.
func (p *Pool) State() health.PoolState { return p.global.state }

// ServesAs tells how the pool is seen from a place, named as it judges: by its data-centre code, or by its region in a
// pool whose health_sources say so; "" is the global verdict. It answers the state there, and why the pool takes no
// traffic of its own, Yes when it does. As the fallback pool it may be asked all the same.
func (p *Pool) ServesAs(place string) (health.PoolState, Reason) {
	v := &p.global
	if local, ok := p.places[place]; ok {
		v = local
	}
	return v.state, v.why
}

// ServesAt is ServesAs for requests from a place.
func (p *Pool) ServesAt(place *config.Place) (health.PoolState, Reason) {
	v := p.at(place)
	return v.state, v.why
}

// Load is what all of the pool's origins count together.
func (p *Pool) Load() *PoolLoad { return p.load }

// at returns the opinion that counts for requests from a place.
func (p *Pool) at(place *config.Place) *view {
	if p.places == nil {
		return &p.global
	}
	if v, ok := p.places[p.health.judge(place)]; ok {
		return v
	}
	return &p.global
}

// at returns the pools of a list that serve requests from a place. Where the place sees it differently, the set is made in
// room and is the caller's own.
func (o *opening) at(place *config.Place, room steering.Set) (set steering.Set, own bool) {
	local, regional := o.local[place.PoP], o.regional[place.Region]
	if local == nil && regional == nil {
		return o.open, false
	}
	set = room[:0]
	set = append(set, o.open...)
	for _, differ := range [...]steering.Set{local, regional} { // no pool is in both: it has one kind of places
		for w := range differ {
			set[w] ^= differ[w]
		}
	}
	return set, true
}

// place is where a request is taken to be handled.
func (s *Snapshot) place(r *Request) *config.Place {
	if r.Place == nil {
		return &s.index.atlas.here
	}
	return r.Place
}

// PoolOrigin is an origin's settings in this snapshot beside the living origin they are about.
type PoolOrigin struct {
	Config *config.Origin
	Live   *Origin
	// Addrs are the addresses of Config.Address, best first; empty while a host name does not resolve.
	Addrs []netip.Addr
}
