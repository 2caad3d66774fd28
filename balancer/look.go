package balancer

import (
	"slices"

	"github.com/weirlb/weir/health"
	"github.com/weirlb/weir/steering"
)

// What people and tools look at; no decision needs it.

// Places names, in order, the data centres or regions that have a verdict of their own on the pool's origins, whether or
// not it counts for requests.
func (p *Pool) Places() []string {
	if p.health.picture == nil {
		return nil
	}
	var names []string
	for i := range p.health.picture.Origins {
		for name := range p.health.picture.Origins[i].Places {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// Judged is the verdict that counts for origin i where a place judges: the place's own, else everybody's.
func (p *Pool) Judged(i int, place string) health.Verdict {
	if p.health.origin[i] == none {
		return health.Verdict{}
	}
	return p.health.picture.Origins[p.health.origin[i]].From(place)
}

// Monitored reports whether health counts when the pool is steered to (behaviour P7).
func (p *Pool) Monitored() bool { return p.plan.monitored }

// Verdict is what is believed of origin i, as a place sees it, or everybody when place is health.Everywhere. Nothing is
// believed of the origins of a pool that is not monitored.
func (p *Pool) Verdict(i int, place string) health.Verdict {
	if p.health.origin[i] == none {
		return health.Verdict{}
	}
	h := &p.health.picture.Origins[p.health.origin[i]]
	if place == health.Everywhere {
		return h.Global
	}
	return h.Places[place]
}

// Standing says why origin i may not be asked, as a place sees it and whatever its weight is; Yes when it may.
func (p *Pool) Standing(i int, place string) Reason { return p.standing(i, place) }

// Shares are the exact probabilities with which the pool picks each of its origins now, by the global verdict; for the
// policy hash they are over all clients. As the fallback pool it would pick by them, too. All are 0 when there is none to
// pick.
func (p *Pool) Shares() []float64 {
	shares := make([]float64, len(p.Origins))
	in := steering.Input{Live: p.plan.live}
	p.plan.picker.Shares(in, p.global.last, shares)
	if p.plan.level != nil && !slices.ContainsFunc(shares, func(share float64) bool { return share > 0 }) {
		p.plan.level.Shares(in, p.global.last, shares)
	}
	return shares
}

// SeenFrom is how the pool's origins look from a place, or to everybody when place is health.Everywhere, whether or not
// that counts for requests: see ServesAs for what does.
func (p *Pool) SeenFrom(place string) (health.PoolState, Reason) {
	v := p.see(place)
	return v.state, v.why
}
