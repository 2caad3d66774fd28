package balancer

import (
	"slices"
	"time"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
	"github.com/weirlb/weir/steering"
)

// verdicts is what is believed of a pool's origins. The table's picture may have been made from another configuration,
// so that origins are looked up by identity; what it does not know, or no longer, is unknown.
type verdicts struct {
	picture *health.PoolHealth // nil: nothing is known
	origin  []int              // by position in Pool.Origins: the position in picture.Origins, or none
}

func newVerdicts(origins []PoolOrigin, picture *health.PoolHealth) verdicts {
	v := verdicts{picture: picture, origin: make([]int, len(origins))}
	for i := range origins {
		v.origin[i] = none
		if picture == nil {
			continue
		}
		v.origin[i] = v.find(i, origins[i].Live)
	}
	return v
}

// find looks where the origin stood last: most often, nothing moved.
func (v *verdicts) find(guess int, o *Origin) int {
	known := v.picture.Origins
	if guess < len(known) && known[guess].Identity == o.Identity {
		return guess
	}
	return slices.IndexFunc(known, func(h health.OriginHealth) bool { return h.Identity == o.Identity })
}

// status is what counts of origin i for requests from a place, named as judge does (behaviour H11, M5).
func (v *verdicts) status(i int, place string) health.Status {
	if v.origin[i] == none {
		return health.Unknown
	}
	return v.picture.Origins[v.origin[i]].From(place).Status
}

// judge names the place whose verdict counts for requests from at.
func (v *verdicts) judge(at *config.Place) string {
	if v.picture == nil {
		return health.Everywhere
	}
	return v.picture.Place(at)
}

// places are the data centres or regions that judge their own traffic (behaviour H11, M5).
func (v *verdicts) places() []string {
	if v.picture == nil || !v.has(health.SourceLocal) && !v.has(health.SourceRegional) {
		return nil
	}
	var names []string
	for i := range v.picture.Origins {
		for name := range v.picture.Origins[i].Places {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func (v *verdicts) has(source string) bool { return slices.Contains(v.picture.Sources, source) }

// look forms the views of p from what the table believes now.
func (p *Pool) look(in Inputs) {
	var picture *health.PoolHealth
	if p.plan.monitored && in.Health != nil {
		picture = in.Health.Pool(p.Config.ID)
	}
	p.health = newVerdicts(p.Origins, picture)
	p.global = p.see(health.Everywhere)
	p.places = nil
	for _, place := range p.health.places() {
		v := p.see(place)
		if v.equal(&p.global) {
			continue
		}
		if p.places == nil {
			p.places = map[string]*view{}
		}
		p.places[place] = &v
	}
}

func (v *view) equal(o *view) bool {
	return v.why == o.why && v.state == o.state && slices.Equal(v.open, o.open) && slices.Equal(v.last, o.last)
}

// see forms one view.
func (p *Pool) see(place string) view {
	n := len(p.Origins)
	v := view{open: steering.NewSet(n), last: steering.NewSet(n)}
	tally := health.Tally{Monitored: p.plan.monitored, Minimum: p.Config.MinimumOrigins}
	weight := 0
	for i := range p.Origins {
		if !p.Origins[i].Config.Enabled {
			continue
		}
		p.count(&tally, i, place)
		switch p.standing(i, place) {
		case Yes:
			v.open.Add(i)
			weight += p.plan.targets[i].Weight
			v.last.Add(i)
		case OriginUnknown, OriginDown:
			if len(p.Origins[i].Addrs) > 0 {
				v.last.Add(i)
			}
		}
	}
	if !v.open.Empty() {
		v.last = v.open
	}
	v.state = tally.State()
	v.why = p.serves(tally, &v, weight)
	return v
}

func (p *Pool) count(tally *health.Tally, i int, place string) {
	tally.Enabled++
	switch p.health.status(i, place) {
	case health.Up:
		tally.Healthy++
	case health.Unknown:
		tally.Unknown++
	case health.Down:
	}
}

// serves says why a pool takes no traffic of its own; weight is that of the open origins together.
func (p *Pool) serves(tally health.Tally, v *view, weight int) Reason {
	switch {
	case !p.Config.Enabled:
		return PoolDisabled
	case tally.Enabled == 0:
		return PoolEmpty
	case !tally.Qualifies() && v.state == health.PoolUnknown:
		return PoolUnknown
	case !tally.Qualifies():
		return PoolCritical
	case tally.Monitored && tally.Healthy == 0:
		return PoolDown
	case v.open.Empty():
		return PoolUnresolved
	case weight == 0:
		return PoolWeightless
	default:
		return Yes
	}
}

// standing says why origin i may not be asked, whatever its weight; Yes when it may.
func (p *Pool) standing(i int, place string) Reason {
	if !p.Origins[i].Config.Enabled {
		return OriginDisabled
	}
	if s := p.health.status(i, place); p.plan.monitored && s != health.Up {
		if s == health.Down {
			return OriginDown
		}
		return OriginUnknown
	}
	if len(p.Origins[i].Addrs) == 0 {
		return OriginUnresolved
	}
	return Yes
}

// draining says why a session may not stay with origin i, which is disabled: its time is over, or it was down when probes
// of it ended, which is when its verdict froze. One that was never judged is not known to be down (behaviour N6).
func (p *Pool) draining(i int, place string, now time.Time, drain time.Duration) Reason {
	o := &p.Origins[i]
	switch since := o.Config.DisabledAt.Time; {
	case drain == 0 || since.IsZero() || !now.Before(since.Add(drain)):
		return OriginDisabled
	case p.plan.monitored && p.health.status(i, place) == health.Down:
		return OriginDown
	case len(o.Addrs) == 0:
		return OriginUnresolved
	default:
		return Yes
	}
}
