package balancer

import "github.com/weirlb/weir/steering"

// Stage is where in a decision a Step was taken.
type Stage uint8

const (
	StageSession  Stage = iota // the session the request carries was looked at
	StagePool                  // a candidate pool was looked at, or asked to shed
	StageOrigin                // an origin of the pool in question was looked at
	StageDecision              // the decision itself
)

// String is the token of the stage.
func (s Stage) String() string { return [...]string{"session", "pool", "origin", "decision"}[s] }

// Step is one thing looked at, with what was found: Yes, or why not. At StageDecision, Reason is the decision's.
type Step struct {
	Stage  Stage
	LB     *LoadBalancer // nil when no load balancer serves the host
	Pool   *Pool         // nil where none is concerned
	Origin *PoolOrigin   // likewise
	Reason Reason
}

// Steps is the record of a decision, in the order in which it came about. All its methods do nothing to a nil record.
type Steps struct {
	List []Step
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

// pools records every candidate pool as it stands before any of them is asked.
func (s *Steps) pools(lb *LoadBalancer, place string, pools []*Pool) {
	if s == nil {
		return
	}
	for _, p := range lb.pools {
		_, why := pools[p].ServesAs(place)
		s.add(Step{Stage: StagePool, LB: lb, Pool: pools[p], Reason: why})
	}
}

// origins records every origin of a pool; those in ok are the ones the policy may choose from.
func (s *Steps) origins(p *Pool, place string, ok steering.Set) {
	if s == nil {
		return
	}
	for i := range p.Origins {
		s.add(Step{Stage: StageOrigin, Pool: p, Origin: &p.Origins[i], Reason: p.explain(i, place, ok)})
	}
}

// explain says why origin i is not to be picked from ok; Yes when it may be.
func (p *Pool) explain(i int, place string, ok steering.Set) Reason {
	why := p.standing(i, place)
	switch {
	case ok.Has(i) && p.rules.targets[i].Weight == 0:
		return OriginWeightless
	case ok.Has(i):
		return Yes
	case why == Yes:
		return OriginTried
	default:
		return why
	}
}
