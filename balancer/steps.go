package balancer

import (
	"time"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
	"github.com/weirlb/weir/steering"
)

// Stage is where in a decision a Step was taken.
type Stage uint8

const (
	StageSession  Stage = iota // the session the request carries was looked at
	StagePool                  // a candidate pool was looked at
	StageOrigin                // an origin of the pool in question was looked at
	StageDecision              // the decision itself
	StagePoolSet               // a pool set was held against the request
	StageRule                  // a rule was
	StageList                  // the list of pools was chosen
	StageShed                  // a pool was asked whether it sheds the request
)

var stages = [...]string{
	StageSession: "session", StagePool: "pool", StageOrigin: "origin", StageDecision: "decision",
	StagePoolSet: "pool_set", StageRule: "rule", StageList: "list", StageShed: "shed",
}

// String is the token of the stage.
func (s Stage) String() string { return stages[s] }

// listKind is which of a load balancer's lists of pools serves.
type listKind uint8

const (
	listDefault listKind = iota
	listPoP
	listCountry
	listRegion
)

// Step is one thing looked at, with what was found: Yes, or why not. At StageDecision, Reason is the decision's. Fields
// beside the first five are those of some stages only.
type Step struct {
	Stage  Stage
	LB     *LoadBalancer // nil when no load balancer serves the host
	Pool   *Pool         // nil where none is concerned
	Origin *PoolOrigin   // likewise
	Reason Reason

	PoolSet *config.PoolSet // at StagePoolSet
	Rule    *config.Rule    // at StageRule
	List    string          // at StageList: default_pools, or whose list it is, as in "pop_pools SJC"
	Policy  string          // at StageList and StageOrigin: the steering that chooses
	Last    bool            // at StagePool: the pool is asked as the last resort

	// At StagePool and StageOrigin: what there was to choose by.
	Judge    string           // whose verdict counts: a data centre or a region; "" for the global one
	State    health.PoolState // of a pool
	Status   health.Status    // of an origin
	Weight   int              // hundredths
	Load     int              // what the policy counts: connections under least_connections, else requests outstanding
	RTT      time.Duration    // of a pool, from the request's place; 0: not known
	Distance int              // of a pool, in metres from the request's place; -1: not known
	Share    float64          // the exact probability of being picked, before anything is shed or tried

	// At StageShed: the request is shed when Roll, which is 0 to 100, is below Percent.
	Session       bool
	Roll, Percent float64
}

// Steps is the record of a decision, in the order in which it came about. All its methods do nothing to a nil record.
type Steps struct {
	List []Step

	shares []float64
}

func (s *Steps) reset() {
	if s != nil {
		s.List = s.List[:0]
	}
}

func (s *Steps) add(step Step) {
	if s != nil {
		s.List = append(s.List, step)
	}
}

func matchReason(matched bool) Reason {
	if matched {
		return Yes
	}
	return NotMatched
}

func (s *Steps) poolSet(lb *LoadBalancer, c *config.PoolSet, matched bool) {
	if s != nil {
		s.add(Step{Stage: StagePoolSet, LB: lb, PoolSet: c, Reason: matchReason(matched)})
	}
}

func (s *Steps) rule(lb *LoadBalancer, c *config.Rule, matched bool) {
	if s != nil {
		s.add(Step{Stage: StageRule, LB: lb, Rule: c, Reason: matchReason(matched)})
	}
}

func (s *Steps) list(lb *LoadBalancer, kind listKind, policy string, place *config.Place) {
	if s == nil {
		return
	}
	name := [...]string{
		listDefault: "default_pools", listPoP: "pop_pools " + place.PoP, listCountry: "country_pools " + place.Country,
		listRegion: "region_pools " + place.Region,
	}[kind]
	s.add(Step{Stage: StageList, LB: lb, List: name, Policy: policy})
}

func (s *Steps) session(lb *LoadBalancer, p *Pool, origin int, why Reason) {
	if s == nil {
		return
	}
	step := Step{Stage: StageSession, LB: lb, Pool: p, Reason: why}
	if p != nil && origin != none {
		step.Origin = &p.Origins[origin]
	}
	s.add(step)
}

func (s *Steps) shed(lb *LoadBalancer, p *Pool, r *Request, session bool, draw uint64, sheds bool) {
	if s == nil {
		return
	}
	step := Step{Stage: StageShed, LB: lb, Pool: p, Session: session, Percent: p.Config.LoadShedding.DefaultPercent}
	if session {
		step.Percent = p.Config.LoadShedding.SessionPercent
	}
	step.Roll = p.plan.shedder.Roll(r.Client, session, draw)
	switch {
	case sheds && session:
		step.Reason = PoolShedSession
	case sheds:
		step.Reason = PoolShed
	}
	s.add(step)
}

// probabilities are the picker's shares; the slice is good until the next call.
func (s *Steps) probabilities(picker steering.Picker, in steering.Input, ok steering.Set, n int) []float64 {
	if cap(s.shares) < n {
		s.shares = make([]float64, n)
	}
	return picker.Shares(in, ok, s.shares[:n])
}

// pools records every candidate pool as it stands before any of them is asked.
func (s *Steps) pools(of *Snapshot, t *Trail, place *config.Place) {
	if s == nil {
		return
	}
	list := t.lb.plan.lists[t.way.list]
	here := steering.Place{Lat: place.Latitude, Lon: place.Longitude, Located: place.Located()}
	shares := s.probabilities(t.way.picker, steering.Input{Live: &t.live, Place: here}, t.open, len(list))
	for i, at := range list {
		step := t.look(of.pools[at], place)
		step.Load, step.Share, step.Weight = t.live.Load(i), shares[i], t.way.weight(i)
		step.RTT, _ = of.pools[at].rtt.from(place)
		step.Distance = distance(of.pools[at].Config, here)
		s.add(step)
	}
}

// fallback records the pool of last resort.
func (s *Steps) fallback(t *Trail, pool *Pool, place *config.Place) {
	if s == nil {
		return
	}
	step := t.look(pool, place)
	step.Load, step.Distance, step.Share, step.Weight, step.Last = pool.load.Outstanding(), -1, 1, steering.MaxWeight, true
	s.add(step)
}

// look is a pool as a place sees it.
func (t *Trail) look(p *Pool, place *config.Place) Step {
	v := p.at(place)
	return Step{Stage: StagePool, LB: t.lb, Pool: p, Reason: v.why, State: v.state, Judge: p.health.judge(place)}
}

func distance(c *config.Pool, from steering.Place) int {
	if c.Latitude == nil || c.Longitude == nil || !from.Located {
		return -1
	}
	return steering.Distance(from, steering.Place{Lat: *c.Latitude, Lon: *c.Longitude, Located: true})
}

// origins records every origin of a pool; those in ok are the ones the policy may choose from.
func (s *Steps) origins(p *Pool, t *Trail, place *config.Place, picker steering.Picker, in steering.Input, ok steering.Set) {
	if s == nil {
		return
	}
	judge := p.health.judge(place)
	policy := p.plan.policy
	if t.route.affinity.kind == byAddress {
		policy = steering.Hash
	}
	shares := s.probabilities(picker, in, ok, len(p.Origins))
	for i := range p.Origins {
		o := &p.Origins[i]
		step := Step{
			Stage: StageOrigin, Pool: p, Origin: o, Reason: p.explain(i, judge, ok), Policy: policy, Judge: judge,
			Status: p.health.status(i, judge), Weight: p.plan.targets[i].Weight, Load: o.Live.Outstanding(), Share: shares[i],
			Distance: -1,
		}
		if p.plan.policy == steering.LeastConnections {
			step.Load = o.Live.Connections()
		}
		s.add(step)
	}
}

// explain says why origin i is not to be picked from ok; Yes when it may be.
func (p *Pool) explain(i int, judge string, ok steering.Set) Reason {
	why := p.standing(i, judge)
	switch {
	case ok.Has(i) && p.plan.targets[i].Weight == 0:
		return OriginWeightless
	case ok.Has(i):
		return Yes
	case why == Yes:
		return OriginTried
	default:
		return why
	}
}
