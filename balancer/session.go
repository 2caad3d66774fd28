package balancer

import "slices"

// Session is the affinity a request carries: the origin it is pinned to.
type Session struct {
	Pinned bool
	Pool   string // pool id
	Origin uint64 // Origin.ID
}

// pinned returns the origin of the request's session, if it still stands: none breaks it off, and the request is
// steered like a new one. A pool that sheds the session is asked no second time for the same request (behaviour L3, L4).
func (s *Snapshot) pinned(r *Request, t *Trail, place string) (pool *Pool, origin int) {
	if !r.Session.Pinned {
		return nil, none
	}
	pool, origin, why := s.session(t.lb, r.Session, place)
	if why == Yes && pool.sheds(r, t, true) {
		why = PoolShedSession
		t.pass(slices.Index(t.lb.pools, s.index.pool[r.Session.Pool]), pool, why)
	}
	t.Steps.add(Step{Stage: StageSession, LB: t.lb, Pool: pool, Reason: why})
	if why != Yes {
		return nil, none
	}
	return pool, origin
}

// session finds the origin that a session names. It must be one that the load balancer could have chosen; its weight
// does not matter any more, since a session outranks steering.
func (s *Snapshot) session(lb *LoadBalancer, named Session, place string) (*Pool, int, Reason) {
	i, known := s.index.pool[named.Pool]
	if !known || i != lb.fallback && !slices.Contains(lb.pools, i) {
		return nil, none, OriginGone
	}
	pool := s.pools[i]
	origin := slices.IndexFunc(pool.Origins, func(o PoolOrigin) bool { return o.Live.ID == named.Origin })
	if origin == none {
		return pool, none, OriginGone
	}
	if _, why := pool.ServesAs(place); why != Yes && why != PoolWeightless {
		return pool, none, why
	}
	why := pool.standing(origin, place)
	return pool, origin, why
}
