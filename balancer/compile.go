package balancer

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
	"github.com/weirlb/weir/shedding"
	"github.com/weirlb/weir/steering"
)

// Inputs are the values that a snapshot joins.
type Inputs struct {
	Revision   uint64 // of Config
	Config     *config.Config
	Health     *health.Table // nil: nothing is known of any origin
	Resolution Resolution    // nil: no host name resolves
	Registry   *Registry
	Sessions   *Sessions // nil: there is no session affinity
}

// Resolution knows the addresses of host names, best first; none while a name does not resolve. The slices it returns
// are never changed afterwards.
type Resolution interface {
	Addrs(name string) []netip.Addr
}

// Changed says what is different from the snapshot before.
type Changed struct {
	Config bool
	Pools  []string // ids of pools whose health or addresses changed; unknown ones are passed over
}

// Build joins configuration and health. What did not change is shared with prev: a change of one pool's health copies
// the slice of pools and that pool, and compiles nothing; a new configuration compiles the steering of those pools
// whose origins or policy it changed. The first snapshot is built from a nil prev.
func Build(prev *Snapshot, in Inputs, changed Changed) *Snapshot {
	if prev == nil || changed.Config {
		return join(prev, in)
	}
	next := *prev
	next.pools = slices.Clone(prev.pools)
	stale := map[int][]use{} // load balancers that see pools come or go, and where these stand
	for _, id := range changed.Pools {
		i, known := prev.index.pool[id]
		if !known {
			continue
		}
		next.pools[i] = prev.pools[i].refresh(in)
		if !sameService(prev.pools[i], next.pools[i]) {
			for _, u := range next.index.users[i] {
				stale[u.lb] = append(stale[u.lb], u)
			}
		}
	}
	if len(stale) > 0 {
		next.lbs = slices.Clone(prev.lbs)
		for i, uses := range stale {
			next.lbs[i] = prev.lbs[i].follow(next.pools, uses)
		}
	}
	return &next
}

// join builds a snapshot of a whole configuration.
func join(prev *Snapshot, in Inputs) *Snapshot {
	c := in.Config
	s := &Snapshot{Revision: in.Revision, Config: c, Trusted: trusted(c), index: newIndex(c)}
	for i := range c.Pools {
		var before *Pool
		if prev != nil {
			before = prev.Pool(c.Pools[i].ID)
		}
		s.pools = append(s.pools, newPool(before, &c.Pools[i], in, s.index.profiles))
		s.index.addOrigins(i, s.pools[i])
	}
	for i := range c.LoadBalancers {
		lb := &LoadBalancer{Config: &c.LoadBalancers[i], plan: newPlan(&c.LoadBalancers[i], c, s.index, in.Sessions)}
		for list, pools := range lb.plan.lists {
			for at, pool := range pools {
				s.index.users[pool] = append(s.index.users[pool], use{lb: i, list: list, at: at})
			}
			lb.lists = append(lb.lists, open(pools, s.pools))
		}
		s.lbs = append(s.lbs, lb)
	}
	return s
}

func newIndex(c *config.Config) *index {
	x := &index{
		hosts:    newHosts(),
		disabled: newHosts(),
		pool:     make(map[string]int, len(c.Pools)),
		users:    make([][]use, len(c.Pools)),
		origin:   map[uint64]seatOf{},
		names:    map[string][]int{},
		atlas:    newAtlas(&c.Weir),
		profiles: slices.ContainsFunc(c.LoadBalancers, steersByLatency),
	}
	for i := range c.Pools {
		x.pool[c.Pools[i].ID] = i
		x.addNames(i, &c.Pools[i])
	}
	for i := range c.LoadBalancers {
		x.addLoadBalancer(i, &c.LoadBalancers[i])
	}
	return x
}

func (x *index) addNames(pool int, p *config.Pool) {
	for i := range p.Origins {
		name, isName := hostName(p.Origins[i].Address)
		if isName && !slices.Contains(x.names[name], pool) {
			x.names[name] = append(x.names[name], pool)
		}
	}
}

// addLoadBalancer files a load balancer under its host. A disabled one is as good as absent (behaviour P2): it hides
// no wildcard that covers its host, and is found only when nothing else is, to give the better reason.
func (x *index) addLoadBalancer(i int, lb *config.LoadBalancer) {
	table := &x.hosts
	if !lb.Enabled {
		table = &x.disabled
	}
	if lb.Implicit {
		table.any = i
		return
	}
	table.add(lb.Name, i)
}

func (x *index) addOrigins(pool int, p *Pool) {
	for i := range p.Origins {
		x.origin[p.Origins[i].Live.ID] = seatOf{pool: int32(pool), origin: int32(i)}
	}
}

// steersByLatency reports whether anything of a load balancer says dynamic_latency.
func steersByLatency(b config.LoadBalancer) bool {
	return b.SteeringPolicy == steering.DynamicLatency ||
		slices.ContainsFunc(b.Rules, func(r config.Rule) bool { return r.Overrides.SteeringPolicy == steering.DynamicLatency }) ||
		slices.ContainsFunc(b.PoolSets, func(s config.PoolSet) bool { return s.Overrides.SteeringPolicy == steering.DynamicLatency })
}

func (x *index) position(id string) int {
	i, ok := x.pool[id]
	if !ok {
		panic("BUG: a load balancer names pool " + id + ", which is not in the configuration")
	}
	return i
}

// follow is lb after some pools, at these places in its lists, began or ceased to serve. Where no place sees anything
// differently, a bit for each is all there is to change.
func (lb *LoadBalancer) follow(pools []*Pool, changed []use) *LoadBalancer {
	next := *lb
	next.lists = slices.Clone(lb.lists)
	whole := map[int]bool{} // the lists that places see differently, before or now
	for _, u := range changed {
		o := &lb.lists[u.list]
		if o.local != nil || o.regional != nil || pools[lb.plan.lists[u.list][u.at]].places != nil {
			whole[u.list] = true
		}
	}
	for list := range whole {
		next.lists[list] = open(lb.plan.lists[list], pools)
	}
	own := map[int]bool{} // the others, as far as they are this snapshot's own by now
	for _, u := range changed {
		if whole[u.list] {
			continue
		}
		o := &next.lists[u.list]
		if !own[u.list] {
			o.open = slices.Clone(o.open)
			own[u.list] = true
		}
		if pools[lb.plan.lists[u.list][u.at]].global.why == Yes {
			o.open.Add(u.at)
		} else {
			o.open.Remove(u.at)
		}
	}
	return &next
}

// open finds which pools of a list serve.
func open(list []int, pools []*Pool) opening {
	o := opening{open: steering.NewSet(len(list))}
	for i, p := range list {
		if pools[p].global.why == Yes {
			o.open.Add(i)
		}
		for place, v := range pools[p].places {
			if (v.why == Yes) == (pools[p].global.why == Yes) {
				continue
			}
			differ := &o.regional
			if pools[p].health.has(health.SourceLocal) {
				differ = &o.local
			}
			if *differ == nil {
				*differ = map[string]steering.Set{}
			}
			if (*differ)[place] == nil {
				(*differ)[place] = steering.NewSet(len(list))
			}
			(*differ)[place].Add(i)
		}
	}
	return o
}

// sameService reports whether two states of a pool serve the same places.
func sameService(a, b *Pool) bool {
	if (a.global.why == Yes) != (b.global.why == Yes) || a.places != nil && b.places != nil && !slices.Equal(a.health.picture.Sources, b.health.picture.Sources) {
		return false
	}
	agree := func(one, other *Pool) bool {
		for place, v := range one.places {
			if _, why := other.ServesAs(place); (v.why == Yes) != (why == Yes) {
				return false
			}
		}
		return true
	}
	return agree(a, b) && agree(b, a)
}

// newPool joins one pool's configuration with what is believed of it. before, if any, is the same pool of the snapshot
// before.
func newPool(before *Pool, c *config.Pool, in Inputs, profiled bool) *Pool {
	p := &Pool{Config: c, Origins: make([]PoolOrigin, len(c.Origins)), load: in.Registry.Pool(c.ID)}
	if profiled && in.Health != nil {
		p.rtt = newProfiles(c, &in.Config.Weir, in.Health)
	}
	for i := range c.Origins {
		p.Origins[i] = PoolOrigin{
			Config: &c.Origins[i],
			Live:   in.Registry.Origin(c.Identity(i)),
			Addrs:  addresses(c.Origins[i].Address, in.Resolution),
		}
	}
	var old *poolPlan
	if before != nil {
		old = before.plan
	}
	p.plan = newPoolPlan(old, p, in.Config)
	p.look(in)
	return p
}

// refresh is p with the health and the addresses of now.
func (p *Pool) refresh(in Inputs) *Pool {
	next := *p
	next.Origins = resolved(p.Origins, in.Resolution)
	next.look(in)
	return &next
}

// resolved is origins with their addresses of now; the same slice when none changed.
func resolved(origins []PoolOrigin, names Resolution) []PoolOrigin {
	fresh := origins
	for i := range origins {
		if _, isName := hostName(origins[i].Config.Address); !isName {
			continue
		}
		now := addresses(origins[i].Config.Address, names)
		if slices.Equal(now, origins[i].Addrs) {
			continue
		}
		if &fresh[0] == &origins[0] {
			fresh = slices.Clone(origins)
		}
		fresh[i].Addrs = now
	}
	return fresh
}

// addresses are those of an origin's address: itself, or what its host name resolves to.
func addresses(address string, names Resolution) []netip.Addr {
	name, isName := hostName(address)
	switch {
	case !isName:
		ip, _ := netip.ParseAddr(address)
		return []netip.Addr{ip.Unmap()}
	case names == nil:
		return nil
	default:
		return names.Addrs(name)
	}
}

// hostName returns the name that has to be resolved to reach an address, unless that is an IP address itself.
func hostName(address string) (name string, ok bool) {
	if _, err := netip.ParseAddr(address); err == nil {
		return "", false
	}
	return strings.ToLower(address), true
}

// HostNames are the names that have to be resolved to serve a configuration, each once.
func HostNames(c *config.Config) []string {
	var names []string
	for i := range c.Pools {
		for j := range c.Pools[i].Origins {
			if name, ok := hostName(c.Pools[i].Origins[j].Address); ok {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// newPoolPlan compiles what a pool does by configuration. The compiled steering of old is kept when it is the same.
func newPoolPlan(old *poolPlan, p *Pool, c *config.Config) *poolPlan {
	_, monitored := c.MonitorOf(p.Config)
	r := &poolPlan{
		monitored: monitored,
		policy:    cmp.Or(p.Config.OriginSteering.Policy, steering.Random),
		targets:   make([]steering.Target, len(p.Origins)),
	}
	weightless := false
	for i := range p.Origins {
		weight := int(p.Origins[i].Config.Weight)
		weightless = weightless || weight == 0
		r.targets[i] = steering.Target{Identity: p.Origins[i].Live.ID, Weight: weight}
	}
	r.hashed = r.policy == steering.Hash
	r.live = loads(r.policy, p.Origins)
	r.shedder, r.sheds = newShedder(p.Config)
	if old != nil && old.policy == r.policy && slices.Equal(old.targets, r.targets) {
		r.targets, r.picker, r.level, r.byAddress = old.targets, old.picker, old.level, old.byAddress
		return r
	}
	r.picker, r.level = compileBoth(r.policy, r.targets, weightless)
	targets := r.targets
	r.byAddress = sync.OnceValue(func() (a addressed) {
		a.picker, a.level = compileBoth(steering.Hash, targets, weightless)
		return a
	})
	return r
}

// compileBoth compiles a policy for targets and, if some of these weigh nothing, for equal weights.
func compileBoth(policy string, targets []steering.Target, weightless bool) (picker, level steering.Picker) {
	picker = compilePicker(policy, targets)
	if weightless {
		level = compilePicker(policy, steering.Equal(targets))
	}
	return picker, level
}

func compilePicker(policy string, targets []steering.Target) steering.Picker {
	picker, err := steering.Compile(policy, targets)
	if err != nil {
		panic("BUG: " + err.Error() + ": it passed validation")
	}
	return picker
}

func newShedder(p *config.Pool) (s shedding.Shedder, sheds bool) {
	l := p.LoadShedding
	if l == nil || l.DefaultPercent == 0 && l.SessionPercent == 0 {
		return s, false
	}
	return shedding.New(l.DefaultPercent, l.DefaultPolicy, l.SessionPercent, p.ID), true
}

// outstanding and connections are the loads of a pool's origins, by position.
type (
	outstanding []*Origin
	connections []*Origin
)

func (o outstanding) Load(i int) int { return o[i].Outstanding() }
func (o connections) Load(i int) int { return o[i].Connections() }

// RTT implements steering.Live. Round trips are known of pools, not of origins: no policy inside a pool asks for them.
func (outstanding) RTT(int) (float64, bool) { return 0, false }

// RTT implements steering.Live.
func (connections) RTT(int) (float64, bool) { return 0, false }

// loads are what a policy wants to know of the origins, nil for one that asks for nothing.
func loads(policy string, origins []PoolOrigin) steering.Live {
	living := make([]*Origin, len(origins))
	for i := range origins {
		living[i] = origins[i].Live
	}
	switch policy {
	case steering.LeastOutstandingRequests:
		return outstanding(living)
	case steering.LeastConnections:
		return connections(living)
	default:
		return nil
	}
}

// trusted are the peers whose word on the client's address is taken.
func trusted(c *config.Config) []netip.Prefix {
	var prefixes []netip.Prefix
	for _, text := range c.Weir.TrustedProxies {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			panic("BUG: identity.trusted_proxies holds " + text + ", which is no prefix")
		}
		prefixes = append(prefixes, prefix.Masked())
	}
	return prefixes
}
