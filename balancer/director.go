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
	Place   *config.Place // nil: the instance's own place
	Now     time.Time
	Seed    uint64 // the k-th draw for a purpose is a function of (Seed, purpose, k)
	Session Session
}

// Fields looks up the request's header fields and cookies.
type Fields interface {
	Get(name string) []byte
	Cookie(name string) []byte
}

// Direct decides where a request goes next. It reads the snapshot, the living loads and its arguments, nothing else:
// no clock, no dice. It is asked for the first attempt with a fresh trail, and again, of the same snapshot, when
// Trail.Failed allows another one.
//
// A decision for an origin is not counted yet: whoever acts on it calls Origin.Live.BeginRequest at once.
func (s *Snapshot) Direct(r *Request, t *Trail) Decision {
	place := s.place(r)
	if t.attempts > 0 {
		return t.again(r, place)
	}
	lb, why := s.route(r.Host)
	if why != Yes {
		return t.refuse(lb, why)
	}
	t.begin(lb, place)
	if pool, origin := s.pinned(r, t, place); origin != none {
		return t.choose(Pinned, pool, origin)
	}
	t.Steps.pools(lb, place, s.pools)
	for {
		i := lb.picker.Pick(steering.Input{Draw: t.draw(r, drawPool)}, t.open)
		if i == steering.None {
			return s.lastResort(r, t, place)
		}
		pool := s.pools[lb.pools[i]]
		if pool.sheds(r, t, false) {
			t.pass(i, pool, PoolShed)
			continue
		}
		origins := pool.at(place).open
		t.Steps.origins(pool, place, origins)
		return t.choose(Steered, pool, pool.pick(r, t, origins))
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
func (s *Snapshot) lastResort(r *Request, t *Trail, place string) Decision {
	if t.lb.fallback == none {
		return t.refuse(t.lb, FallbackMissing)
	}
	pool := s.pools[t.lb.fallback]
	t.Steps.add(Step{Stage: StagePool, LB: t.lb, Pool: pool, Reason: pool.at(place).why})
	if !pool.Config.Enabled {
		return t.refuse(t.lb, FallbackDisabled)
	}
	t.fallback = true
	origins := pool.at(place).last
	t.Steps.origins(pool, place, origins)
	origin := pool.pickLast(r, t, origins)
	if origin == none {
		return t.refuse(t.lb, NothingLeft)
	}
	return t.choose(LastResort, pool, origin)
}

// again decides the second attempt: another origin of the same pool (behaviour R2).
func (t *Trail) again(r *Request, place string) Decision {
	if !t.leave {
		panic("BUG: Direct was asked for another attempt without leave of Trail.Failed")
	}
	t.leave = false
	pool, pick, origins := t.pool, (*Pool).pick, t.pool.at(place).open
	if t.fallback {
		pick, origins = (*Pool).pickLast, pool.at(place).last
	}
	origins = t.untried(origins)
	t.Steps.origins(pool, place, origins)
	origin := pick(pool, r, t, origins)
	if origin == none {
		return t.giveUp()
	}
	return t.choose(Retried, pool, origin)
}

// pick chooses one of the given origins by the pool's policy; none when all of them have weight 0.
func (p *Pool) pick(r *Request, t *Trail, origins steering.Set) int {
	return p.rules.picker.Pick(p.input(r, t), origins)
}

// pickLast is pick for the last resort, where origins of weight 0 are better than no answer: among nothing but these
// it is even-handed (behaviour P9).
func (p *Pool) pickLast(r *Request, t *Trail, origins steering.Set) int {
	in := p.input(r, t)
	i := p.rules.picker.Pick(in, origins)
	if i == steering.None && p.rules.level != nil {
		i = p.rules.level.Pick(in, origins)
	}
	return i
}

func (p *Pool) input(r *Request, t *Trail) steering.Input {
	in := steering.Input{Draw: t.draw(r, drawOrigin), Live: p.rules.live}
	if p.rules.hashed {
		in.Key = steering.Key(r.Client, steering.SaltOrigin)
	}
	return in
}

// sheds reports whether the pool turns this request away. It is asked once per pool and request (behaviour L4).
func (p *Pool) sheds(r *Request, t *Trail, session bool) bool {
	return p.rules.sheds && p.rules.shedder.Sheds(r.Client, session, t.draw(r, drawShed))
}
