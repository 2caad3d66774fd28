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
	users    [][]use          // by pool: who has it among the candidates
	names    map[string][]int // by host name: the pools that have an origin there
	here     string           // the place of a request that names none
}

// use is one pool's being a candidate: of a load balancer, at a position in its pools.
type use struct{ lb, at int }

// LoadBalancer is one host's routing, ready to serve.
type LoadBalancer struct {
	Config *config.LoadBalancer

	pools    []int // positions in Snapshot.pools, in order of default_pools
	fallback int   // position in Snapshot.pools, or none
	picker   steering.Picker
	open     steering.Set            // the pools that serve
	places   map[string]steering.Set // the same where a place sees it differently
}

// Pool is one pool, ready to serve.
type Pool struct {
	Config  *config.Pool
	Origins []PoolOrigin // in the order of Config.Origins

	rules  *rules
	global view
	places map[string]*view // the same where a place sees it differently
	health verdicts
}

// rules are what a pool does by configuration alone. Health and addresses never change them.
type rules struct {
	monitored bool
	policy    string
	targets   []steering.Target
	picker    steering.Picker
	level     steering.Picker // the same policy with equal weights, for a last resort of weight 0; nil without such an origin
	live      steering.Live   // nil: the policy asks for no loads
	hashed    bool            // the policy asks for the client's key
	sheds     bool
	shedder   shedding.Shedder
}

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

// ServesAs tells how the pool is seen from a place, named by its data-centre code: its state there, and why it takes
// no traffic of its own, Yes when it does. As the fallback pool it may be asked all the same.
func (p *Pool) ServesAs(place string) (health.PoolState, Reason) {
	v := p.at(place)
	return v.state, v.why
}

// at returns the opinion that counts for requests from a place.
func (p *Pool) at(place string) *view {
	if v, ok := p.places[place]; ok {
		return v
	}
	return &p.global
}

// at returns the pools that serve requests from a place, as positions in lb.pools.
func (lb *LoadBalancer) at(place string) steering.Set {
	if open, ok := lb.places[place]; ok {
		return open
	}
	return lb.open
}

// place names where a request is taken to come from.
func (s *Snapshot) place(r *Request) string {
	if r.Place == nil {
		return s.index.here
	}
	return r.Place.PoP
}

// PoolOrigin is an origin's settings in this snapshot beside the living origin they are about.
type PoolOrigin struct {
	Config *config.Origin
	Live   *Origin
	// Addrs are the addresses of Config.Address, best first; empty while a host name does not resolve.
	Addrs []netip.Addr
}
