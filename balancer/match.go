package balancer

import (
	"net/netip"
	"slices"

	"github.com/weirlb/weir/config"
)

// apply finds the variant that serves a request, or the response that answers it: first the first pool set that matches,
// then every rule whose condition holds, by ascending priority, until one terminates (behaviour U1 to U4, U7).
func (p *plan) apply(r *Request, t *Trail, place *config.Place) (*variant, *config.FixedResponse, Reason) {
	v := p.plain
	for i := range p.sets {
		set := &p.sets[i]
		matched := matches(&set.config.Match, place)
		t.Steps.poolSet(t.lb, set.config, matched)
		if !matched {
			continue
		}
		if set.config.FixedResponse != nil {
			return nil, set.config.FixedResponse, PoolSetResponse
		}
		v = set.variant
		break
	}
	if len(p.rules) == 0 {
		return v, nil, Yes
	}
	t.facts = facts{request: r, balancer: p.config.Name, region: place.Region}
	for i := range p.rules {
		rule := &p.rules[i]
		matched := rule.condition.Match(&t.facts)
		t.Steps.rule(t.lb, rule.config, matched)
		switch {
		case !matched:
			continue
		case rule.config.FixedResponse != nil:
			return nil, rule.config.FixedResponse, RuleResponse
		case rule.overrides:
			v = v.with(p, i)
		}
		if rule.config.Terminates {
			break
		}
	}
	return v, nil, Yes
}

// matches reports whether a pool set is for requests from a place. No match at all, and the default one, is for every
// request.
func matches(m *config.Match, place *config.Place) bool {
	return m.Default || within(&m.Topology, place)
}

// within reports whether a place is in every list of a topology that is not empty.
//
// Decision: and, not or, between the lists. Because: the page "Pool sets" says so, with an example, and is newer. Instead
// of: any one list, as the comment in a client library has it (behaviour U7).
func within(t *config.Topology, place *config.Place) bool {
	in := func(list []string, code string) bool { return len(list) == 0 || slices.Contains(list, code) }
	return in(t.PoPs, place.PoP) && in(t.Countries, place.Country) && in(t.Regions, place.Region)
}

// facts are what the condition of a rule may know: a request, as package rules asks for it.
type facts struct {
	request  *Request
	balancer string
	region   string
}

func (f *facts) LoadBalancer() string { return f.balancer }
func (f *facts) Region() string       { return f.region }
func (f *facts) Client() netip.Addr   { return f.request.Client }
func (f *facts) Unix() int64          { return f.request.Now.Unix() }
func (f *facts) Host() []byte         { return f.request.Host }
func (f *facts) Method() []byte       { return f.request.Method }
func (f *facts) Path() []byte         { return f.request.Path }
func (f *facts) Query() []byte        { return f.request.Query }
func (f *facts) Version() uint8       { return f.request.Version }

func (f *facts) Header(name string, from int) (value []byte, next int, found bool) {
	if f.request.Fields == nil {
		return nil, 0, false
	}
	return f.request.Fields.Next(name, from)
}
