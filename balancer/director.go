package balancer

import (
	"net/netip"
	"time"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/steering"
)

// Request is what a decision may know. It is borrowed for the call only.
type Request struct {
	Client  netip.Addr // resolved client, unmapped, without zone
	Host    []byte     // as sent: port, case and trailing dot do not matter
	Method  []byte
	Path    []byte
	Query   []byte
	Version uint8 // 10 or 11
	Secure  bool  // arrived over TLS
	Fields  Fields
	Place   *config.Place // where it is handled, and its client's country: see Locate; nil: the instance's own place
	Now     time.Time
	Seed    uint64  // the k-th draw for a purpose is a function of (Seed, purpose, k)
	Session Session // the zero value: the one that Fields carry
}

// Fields looks up the request's header fields and cookies. Names of fields count in any case.
type Fields interface {
	Get(name string) []byte
	Cookie(name string) []byte // nil when there is none
	// Next answers the first line of a field at or after a position, and the position from which to look for the next
	// one. Positions begin at 0 and mean nothing else to the caller.
	Next(name string, from int) (value []byte, next int, found bool)
}

// Direct decides where a request goes next. It reads the snapshot, the living loads and sessions and its arguments,
// nothing else: no clock, no dice. It is asked for the first attempt with a fresh trail, and again, of the same snapshot,
// when Trail.Failed allows another one.
//
// A decision changes nothing yet. Whoever acts on one for an origin calls Origin.Live.BeginRequest at once, and tells the
// session's outcome when the answer's head is sent: see SessionOutcome.
func (s *Snapshot) Direct(r *Request, t *Trail) Decision {
	place := s.place(r)
	if t.attempts > 0 {
		return s.again(r, t, place)
	}
	lb, why := s.route(r.Host)
	if t.lb = lb; why != Yes {
		return t.refuse(why)
	}
	variant, response, why := lb.plan.apply(r, t, place)
	if response != nil {
		return t.reply(why, response)
	}
	t.begin(s, variant.routing(lb.plan), place)
	if pool, origin := s.pinned(r, t, place); origin != none {
		return t.choose(r, Pinned, pool, origin)
	}
	t.Steps.pools(s, t, place)
	for {
		i := t.way.picker.Pick(t.input(r, place), t.open)
		if i == steering.None {
			return s.lastResort(r, t, place)
		}
		pool := s.pools[lb.plan.lists[t.way.list][i]]
		if pool.sheds(r, t, false) {
			t.pass(i, pool, PoolShed)
			continue
		}
		return t.choose(r, Steered, pool, pool.pick(r, t, place, pool.at(place).open))
	}
}

// route finds the load balancer of a host (behaviour P1, P2).
func (s *Snapshot) route(host []byte) (*LoadBalancer, Reason) {
	if i := s.index.hosts.find(host); i != none {
		return s.lbs[i], Yes
	}
	if i := s.index.disabled.find(host); i != none {
		return s.lbs[i], LoadBalancerDisabled
	}
	return nil, UnknownHost
}

// lastResort asks the fallback pool, whose health and load shedding do not count (behaviour P8, P9, L6).
func (s *Snapshot) lastResort(r *Request, t *Trail, place *config.Place) Decision {
	if t.route.fallback == none {
		return t.refuse(FallbackMissing)
	}
	pool := s.pools[t.route.fallback]
	t.Steps.fallback(t, pool, place)
	if !pool.Config.Enabled {
		return t.refuse(FallbackDisabled)
	}
	t.fallback = true
	origin := pool.pickLast(r, t, place, pool.at(place).last)
	if origin == none {
		return t.refuse(NothingLeft)
	}
	return t.choose(r, LastResort, pool, origin)
}

// again decides the second attempt: another origin of the same pool, or, if the load balancer's adaptive routing goes
// across pools, of another one (behaviour R2, D1).
func (s *Snapshot) again(r *Request, t *Trail, place *config.Place) Decision {
	if !t.leave {
		panic("BUG: Direct was asked for another attempt without leave of Trail.Failed")
	}
	t.leave = false
	var origin int
	if pool := t.pool; t.fallback {
		origin = pool.pickLast(r, t, place, t.untried(pool.at(place).last))
	} else {
		origin = pool.pick(r, t, place, t.untried(pool.at(place).open))
	}
	if origin != none {
		return t.choose(r, Retried, t.pool, origin)
	}
	if t.route.across && !t.fallback {
		if pool, origin := s.elsewhere(r, t, place); origin != none {
			return t.choose(r, RetriedAcross, pool, origin)
		}
	}
	return t.giveUp()
}

// elsewhere finds an origin in another pool for a retry: in the next one of the same list, in the order of the list
// whatever the policy is, and in the fallback pool at last. No dice are rolled for shedding; a pool that has turned the
// request away before is not asked (behaviour D1, D2, L4).
func (s *Snapshot) elsewhere(r *Request, t *Trail, place *config.Place) (pool *Pool, origin int) {
	if i := s.candidate(t, t.pool); i != none {
		t.drop(i)
	}
	if i := failover.Pick(steering.Input{}, t.open); i != steering.None {
		pool = s.pools[t.lb.plan.lists[t.way.list][i]]
		origin = pool.pick(r, t, place, pool.at(place).open)
		return pool, origin
	}
	if t.route.fallback == none {
		return nil, none
	}
	pool = s.pools[t.route.fallback]
	if pool == t.pool || !pool.Config.Enabled {
		return nil, none
	}
	t.Steps.fallback(t, pool, place)
	origin = pool.pickLast(r, t, place, pool.at(place).last)
	t.fallback = origin != none
	return pool, origin
}

// pick chooses one of the given origins by the pool's policy; none when all of them have weight 0.
func (p *Pool) pick(r *Request, t *Trail, place *config.Place, origins steering.Set) int {
	picker, _ := p.pickers(t)
	in := p.input(r, t)
	t.Steps.origins(p, t, place, picker, in, origins)
	return picker.Pick(in, origins)
}

// pickLast is pick for the last resort, where origins of weight 0 are better than no answer: among nothing but these
// it is even-handed (behaviour P9).
func (p *Pool) pickLast(r *Request, t *Trail, place *config.Place, origins steering.Set) int {
	picker, level := p.pickers(t)
	in := p.input(r, t)
	i := picker.Pick(in, origins)
	if i == steering.None && level != nil {
		picker = level
		i = level.Pick(in, origins)
	}
	t.Steps.origins(p, t, place, picker, in, origins)
	return i
}

// pickers are the pool's policy, with its own weights and with equal ones; level is nil where no origin has weight 0. A
// session by ip_cookie begins where the client's address says (behaviour N3).
func (p *Pool) pickers(t *Trail) (picker, level steering.Picker) {
	if t.route.affinity.kind == byAddress {
		a := p.plan.byAddress()
		return a.picker, a.level
	}
	return p.plan.picker, p.plan.level
}

func (p *Pool) input(r *Request, t *Trail) steering.Input {
	in := steering.Input{Draw: t.draw(r, drawOrigin), Live: p.plan.live}
	if p.plan.hashed || t.route.affinity.kind == byAddress {
		in.Key = steering.Key(r.Client, steering.SaltOrigin)
	}
	return in
}

// sheds reports whether the pool turns this request away. It is asked once per pool and request (behaviour L4).
func (p *Pool) sheds(r *Request, t *Trail, session bool) bool {
	if !p.plan.sheds {
		return false
	}
	draw := t.draw(r, drawShed)
	sheds := p.plan.shedder.Sheds(r.Client, session, draw)
	t.Steps.shed(t.lb, p, r, session, draw, sheds)
	return sheds
}
