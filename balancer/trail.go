package balancer

import (
	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/steering"
)

// Trail is what one request has tried. The zero value is a fresh trail; Reset makes it one again, keeping memory. A
// trail belongs to one request of one snapshot at a time.
type Trail struct {
	// Steps, nil in the proxy, records every step and every rejected candidate for explain.
	Steps *Steps

	state
	shed []ShedPool

	poolRoom, originRoom steering.Set // memory for sets of one's own

	// What policies and conditions are given to look at. It lies here so that an interface can point to it for nothing.
	live  poolLive
	facts facts
}

// state is what is fresh in a fresh trail.
type state struct {
	lb       *LoadBalancer
	route    *routing
	way      *way // the list of pools in question
	session  held
	pool     *Pool // of the last attempt, with the origin's position in it
	origin   int
	attempts int
	leave    bool // to make another one
	pinned   bool // a session chose the last one
	fallback bool
	last     Class // how the last one ended
	draws    [drawPurposes]uint64

	open steering.Set // pools still in question: the snapshot's own set until one is passed over
	own  bool         // open is not the snapshot's own set any more
}

// The purposes of draws. Each has its own sequence of random bits, so that what one draw decides tells nothing about
// another.
const (
	drawPool = iota
	drawShed
	drawOrigin
	drawPurposes
)

// Reset makes t a fresh trail. It keeps Steps, emptied, as it is the caller who wants them.
func (t *Trail) Reset() {
	t.state, t.shed = state{}, t.shed[:0]
	t.Steps.reset()
}

// Failed notes how the last attempt ended and reports whether Direct may be asked for another one: once, after a
// failure to reach the origin, if none of the request went out or it can be replayed. A request whose session chose
// the origin stays with the error unless zero_downtime_failover says otherwise; the first request of a session has not
// been pinned yet (behaviour R1, R2, R3, N7).
func (t *Trail) Failed(f Failure) bool {
	t.last = f.Class
	t.leave = t.attempts == 1 && (!t.pinned || t.route.affinity.retries) && f.Class.Retried() && (!f.Sent || f.Replayable)
	return t.leave
}

// ShedPool is a pool that turned a request away by load shedding.
type ShedPool struct {
	Pool   *Pool
	Reason Reason // PoolShed or PoolShedSession
}

// Shed returns the pools that turned the request away, in order. The slice is good until Reset.
func (t *Trail) Shed() []ShedPool { return t.shed }

// begin starts the way through a load balancer's pools.
func (t *Trail) begin(s *Snapshot, route *routing, place *config.Place) {
	var kind listKind
	t.route = route
	t.way, kind = route.way(place)
	t.open, t.own = t.lb.lists[t.way.list].at(place, t.poolRoom)
	if t.own {
		t.poolRoom = t.open
	}
	t.live = poolLive{
		pools: s.pools, list: t.lb.plan.lists[t.way.list], place: place,
		connections: route.policy == steering.LeastConnections,
	}
	t.Steps.list(t.lb, kind, route.policy, place)
}

// input is what the steering between pools may know. Sessions by ip_cookie begin in a pool that follows from the client's
// address, as far as loads do not speak against it (behaviour N3).
func (t *Trail) input(r *Request, place *config.Place) steering.Input {
	in := steering.Input{
		Draw: t.draw(r, drawPool), Live: &t.live,
		Place: steering.Place{Lat: place.Latitude, Lon: place.Longitude, Located: place.Located()},
	}
	if t.route.affinity.kind == byAddress {
		in.Draw = steering.Mix(steering.Key(r.Client, steering.SaltPool), drawPool, t.draws[drawPool])
	}
	return in
}

// pass takes the i-th candidate out of question, since its pool turned the request away. A session's pool may be none
// of the candidates, only the fallback pool.
func (t *Trail) pass(i int, pool *Pool, why Reason) {
	t.shed = append(t.shed, ShedPool{pool, why})
	if i != none {
		t.drop(i)
	}
}

// drop takes the i-th candidate out of question.
func (t *Trail) drop(i int) {
	if !t.own {
		t.poolRoom = append(t.poolRoom[:0], t.open...)
		t.open, t.own = t.poolRoom, true
	}
	t.open.Remove(i)
}

// untried is origins without the one tried.
func (t *Trail) untried(origins steering.Set) steering.Set {
	t.originRoom = append(t.originRoom[:0], origins...)
	t.originRoom.Remove(t.origin)
	return t.originRoom
}

// draw returns the next random bits for a purpose.
func (t *Trail) draw(r *Request, purpose int) uint64 {
	k := t.draws[purpose]
	t.draws[purpose]++
	return steering.Mix(r.Seed, uint64(purpose), k)
}

// choose decides for an origin.
func (t *Trail) choose(r *Request, why Reason, pool *Pool, origin int) Decision {
	if origin == none {
		panic("BUG: pool " + pool.Config.ID + " serves, and no origin of it can be picked")
	}
	t.pool, t.origin, t.pinned = pool, origin, why == Pinned
	t.attempts++
	chosen := &pool.Origins[origin]
	t.Steps.add(Step{Stage: StageDecision, LB: t.lb, Pool: pool, Origin: chosen, Reason: why})
	return Decision{
		Kind: ToOrigin, Reason: why, Attempt: t.attempts,
		LB: t.lb, Pool: pool, Origin: chosen, Fallback: t.fallback, Shed: len(t.shed), Session: t.outcome(r, chosen.Live.ID),
	}
}

// reply decides for a response that no origin is asked for (behaviour U3).
func (t *Trail) reply(why Reason, response *config.FixedResponse) Decision {
	t.Steps.add(Step{Stage: StageDecision, LB: t.lb, Reason: why})
	return Decision{Kind: FixedReply, Reason: why, Status: response.StatusCode, Response: response, LB: t.lb}
}

// refuse decides against every origin (behaviour P2, P10).
func (t *Trail) refuse(why Reason) Decision {
	t.Steps.add(Step{Stage: StageDecision, LB: t.lb, Reason: why})
	return Decision{Kind: Refused, Reason: why, Status: why.status(), LB: t.lb, Fallback: t.fallback, Shed: len(t.shed)}
}

// giveUp answers with the last attempt's error, for want of another origin (behaviour R5).
func (t *Trail) giveUp() Decision {
	origin := &t.pool.Origins[t.origin]
	t.Steps.add(Step{Stage: StageDecision, LB: t.lb, Pool: t.pool, Origin: origin, Reason: NoOtherOrigin})
	return Decision{
		Kind: Refused, Reason: NoOtherOrigin, Status: t.last.Status(), Attempt: t.attempts,
		LB: t.lb, Pool: t.pool, Origin: origin, Fallback: t.fallback, Shed: len(t.shed),
	}
}
