package balancer

import (
	"slices"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

// Session is a session said by the caller instead of carried by the request: what if it were pinned there? It counts for
// load balancers without session affinity too.
type Session struct {
	Pinned bool
	Pool   string // pool id
	Origin uint64 // Origin.ID
}

// held is what a trail knows of its request's session.
type held struct {
	stands bool   // it chose the first attempt
	why    Reason // why it did not
	origin uint64 // Origin.ID it is pinned to
	keyed  bool   // by header: the request carries enough for a session
	key    uint64
}

// pinned returns the origin of the request's session, if it still stands: none breaks it off, and the request is
// steered like a new one. A pool that sheds the session is asked no second time for the same request (behaviour L3, L4).
func (s *Snapshot) pinned(r *Request, t *Trail, place *config.Place) (pool *Pool, origin int) {
	id, why, looked := t.named(r)
	if !looked {
		return nil, none
	}
	if why == Yes {
		pool, origin, why = s.stands(t.route, id, r, place)
	}
	if why == Yes && pool.sheds(r, t, true) {
		why = PoolShedSession
		t.pass(s.candidate(t, pool), pool, why)
	}
	t.Steps.session(t.lb, pool, origin, why)
	t.session.why = why
	if why != Yes {
		return nil, none
	}
	t.session.stands, t.session.origin = true, id
	return pool, origin
}

// named finds the origin that the request's session names (behaviour N1, N3, N4). looked says that there can be one.
func (t *Trail) named(r *Request) (origin uint64, why Reason, looked bool) {
	a := &t.route.affinity
	switch {
	case r.Session.Pinned:
		return r.Session.Origin, Yes, true
	case a.kind == noAffinity:
		return 0, SessionAbsent, false
	case a.kind == byHeader:
		key, ok := a.key(r.Fields)
		if !ok {
			return 0, SessionKeyless, true
		}
		t.session.key, t.session.keyed = key, true
		origin, why = a.sessions.find(key, r.Now)
		return origin, why, true
	case r.Fields == nil:
		return 0, SessionAbsent, true
	}
	value := r.Fields.Cookie(CookieName)
	if value == nil {
		return 0, SessionAbsent, true
	}
	origin, why = a.sessions.sealer.Open(value, a.lb, r.Now)
	return origin, why, true
}

// stands finds the origin that a session names, and says why the session is broken if it is (behaviour N5). It must be an
// origin that the load balancer could have chosen. Its weight does not matter any more, nor do its pool's place in the
// list and the policies, since a session outranks steering.
func (s *Snapshot) stands(route *routing, id uint64, r *Request, place *config.Place) (*Pool, int, Reason) {
	at, known := s.index.origin[id]
	if !known || !route.has(int(at.pool)) {
		return nil, none, OriginGone
	}
	pool, origin := s.pools[at.pool], int(at.origin)
	if why := pool.breaks(place); why != Yes {
		return pool, origin, why
	}
	judge := pool.health.judge(place)
	why := pool.standing(origin, judge)
	if why == OriginDisabled {
		why = pool.draining(origin, judge, r.Now, route.affinity.drain)
	}
	return pool, origin, why
}

// breaks says why no session stands in the pool: it is disabled, or critical (behaviour N5).
//
// Decision: a pool emptied by draining its last origin breaks the sessions there when it is monitored and has
// minimum_origins, and lets them drain when not. Because: a disabled origin does not count towards minimum_origins, so
// that such a pool is critical. Instead of: a rule of its own for the last origin.
func (p *Pool) breaks(place *config.Place) Reason {
	switch v := p.at(place); v.why {
	case PoolDisabled, PoolUnknown, PoolCritical:
		return v.why
	case PoolEmpty:
		if p.plan.monitored && v.state == health.PoolCritical && p.Config.MinimumOrigins > 0 {
			return v.why
		}
	}
	return Yes // whatever else ails it is for the origin to say
}

// candidate is the pool's position among those in question; none when it is not one of them.
func (s *Snapshot) candidate(t *Trail, pool *Pool) int {
	at := s.index.pool[pool.Config.ID]
	return slices.Index(t.lb.plan.lists[t.way.list], at)
}

// outcome is what becomes of the session when a request goes to an origin: the one it is pinned to keeps it; a retry
// elsewhere moves it only if zero_downtime_failover says sticky; otherwise one begins (behaviour N1, N4, N7).
func (t *Trail) outcome(r *Request, origin uint64) SessionOutcome {
	a := &t.route.affinity
	if a.kind == noAffinity || a.kind == byHeader && !t.session.keyed {
		return SessionOutcome{}
	}
	o := SessionOutcome{
		Action: SessionSet, Before: t.session.why,
		terms: a, key: t.session.key, origin: origin, now: r.Now.UnixNano(), secure: r.Secure,
	}
	if t.session.stands && (origin == t.session.origin || !a.sticky) {
		o.Action, o.origin = SessionKept, t.session.origin
	}
	return o
}
