package config

import (
	"fmt"
	"slices"
	"strings"
)

// What is legal in a load balancer and probably not what was meant.

// steered is one way in which a load balancer chooses among pools: its own, or that of a rule or a pool set.
type steered struct {
	policy string
	at     *node // where the policy stands, or what should have one
	pools  []string
	weight func(id string) Weight
}

// eachSteered calls f for every way in which enabled load balancers choose among pools by a list of their own.
func (l *loader) eachSteered(f func(b *LoadBalancer, s steered)) {
	l.eachBalancer(func(b *LoadBalancer, n *node, _ []*Pool) {
		f(b, steered{b.SteeringPolicy, in(n, "steering_policy"), b.DefaultPools, weighing(b.RandomSteering.PoolWeights, b.RandomSteering.DefaultWeight)})
		for i := range b.Rules {
			if r := &b.Rules[i]; !r.Disabled && r.FixedResponse == nil && r.Overrides.steers() {
				f(b, r.Overrides.steered(b, n.get("rules").children[i].get("overrides")))
			}
		}
		for i := range b.PoolSets {
			if s := &b.PoolSets[i]; !s.Disabled && s.FixedResponse == nil {
				o := n.get("pool_sets").children[i].get("overrides")
				f(b, steered{orElse(s.Overrides.SteeringPolicy, "off"), in(o, "steering_policy"), s.Overrides.Pools, weighing(s.Overrides.PoolWeights, orOne(s.Overrides.PoolDefaultWeight))})
			}
		}
	})
}

// steers reports whether o changes how pools are chosen.
func (o *Overrides) steers() bool {
	return o.SteeringPolicy != "" || o.list() != nil || o.weighing() != nil
}

// steered is how pools are chosen where o alone overrides b.
func (o *Overrides) steered(b *LoadBalancer, n *node) steered {
	s := steered{orElse(o.SteeringPolicy, b.SteeringPolicy), in(n, "steering_policy"), o.list(), o.weighing()}
	if s.pools == nil {
		s.pools = b.DefaultPools
	}
	if s.weight == nil {
		s.weight = weighing(b.RandomSteering.PoolWeights, b.RandomSteering.DefaultWeight)
	}
	return s
}

// list is the ordered list of pools that o gives, nil when it gives none.
func (o *Overrides) list() []string {
	if len(o.Pools) > 0 {
		return o.Pools
	}
	return o.DefaultPools
}

// weighing is how o weighs pools, nil when it does not say.
func (o *Overrides) weighing() func(string) Weight {
	switch r := o.RandomSteering; {
	case r != nil:
		return weighing(r.PoolWeights, orOne(r.DefaultWeight))
	case o.PoolWeights != nil || o.PoolDefaultWeight != nil:
		return weighing(o.PoolWeights, orOne(o.PoolDefaultWeight))
	}
	return nil
}

func orOne(w *Weight) Weight {
	if w == nil {
		return 100
	}
	return *w
}

func weighing(weights map[string]Weight, other Weight) func(string) Weight {
	return func(id string) Weight {
		if w, ok := weights[id]; ok {
			return w
		}
		return other
	}
}

func (l *loader) lintPoolWeights(found finding) {
	l.eachSteered(func(b *LoadBalancer, s steered) {
		weighs := slices.Contains([]string{"random", "least_outstanding_requests", "least_connections"}, s.policy)
		weighty := slices.ContainsFunc(s.pools, func(id string) bool { return s.weight(id) > 0 })
		if weighs && len(s.pools) > 0 && !weighty {
			found(s.at, fmt.Sprintf("every pool that %s steers by %s has weight 0, so they are used in order", balancerName(b), s.policy), "a weight above 0")
		}
	})
}

func (l *loader) lintProximity(found finding) {
	l.lintNeedy("proximity", "coordinates", func(p *Pool) bool { return p.Latitude != nil }, "latitude and longitude for every pool; one without comes last", found)
}

func (l *loader) lintLatency(found finding) {
	monitored := func(p *Pool) bool { _, ok := l.cfg.MonitorOf(p); return ok }
	l.lintNeedy("dynamic_latency", "a monitor", monitored, "a monitor for every pool; one without has no round trip times and comes last", found)
}

// lintNeedy finds pools that lack what a policy needs.
func (l *loader) lintNeedy(policy, what string, has func(*Pool) bool, want string, found finding) {
	l.eachSteered(func(b *LoadBalancer, s steered) {
		var without []string
		for _, id := range s.pools {
			if p := l.cfg.PoolByID(id); p.Enabled && !has(p) {
				without = append(without, p.Name)
			}
		}
		if s.policy == policy && len(without) > 0 {
			found(s.at, fmt.Sprintf("%s steers by %s and has pools without %s: %s", balancerName(b), policy, what, short(strings.Join(without, ", "))), want)
		}
	})
}

func (l *loader) lintEmptyLists(found finding) {
	l.eachBalancer(func(b *LoadBalancer, n *node, _ []*Pool) {
		objects := []*node{n}
		for _, r := range elements(n.get("rules")) {
			objects = append(objects, r.get("overrides"))
		}
		for _, o := range objects {
			for _, name := range []string{"region_pools", "country_pools", "pop_pools"} {
				for _, list := range elementsOf(o.get(name)) {
					if list.kind == '[' && len(list.children) == 0 {
						found(list, fmt.Sprintf("%s of %s is empty, so requests from there go to the fallback pool", list.name, name), "at least one pool, or no entry")
					}
				}
			}
		}
	})
}

// elementsOf are the members of an object, none of anything else.
func elementsOf(n *node) []*node {
	if !n.given() || n.kind != '{' {
		return nil
	}
	return n.children
}

func (l *loader) lintDrain(found finding) {
	l.eachBalancer(func(b *LoadBalancer, n *node, _ []*Pool) {
		drain := b.SessionAffinityAttributes.DrainDuration
		if b.SessionAffinity != "none" && drain > 0 && drain < b.SessionAffinityTTL {
			found(n.get("session_affinity_attributes").get("drain_duration"), fmt.Sprintf("drain_duration is %s and sessions of %s last %s, so disabling an origin cuts some short", brief(drain), balancerName(b), brief(b.SessionAffinityTTL)),
				"as long as a session, if none may be cut")
		}
	})
}

// impossibleFields are no fields of a request, or not the same in two of a client's.
var impossibleFields = map[string]string{
	"set-cookie": "is a field of answers", "server": "is a field of answers", "etag": "is a field of answers", "location": "is a field of answers",
	"connection": "concerns one connection", "keep-alive": "concerns one connection", "te": "concerns one connection", "upgrade": "concerns one connection",
	"transfer-encoding": "concerns one connection", "content-length": "differs between requests", "cf-ray": "differs between requests", "date": "differs between requests",
}

func (l *loader) lintSessionHeaders(found finding) {
	check := func(n *node, headers []string) {
		for i, item := range headers {
			h, _ := ParseSessionHeader(item)
			if why, bad := impossibleFields[h.Field]; bad {
				found(n.get("headers").children[i], quote(item)+" "+why+", so it tells no session apart", "a field that every request of a client carries, with one value")
			}
		}
	}
	l.eachBalancer(func(b *LoadBalancer, n *node, _ []*Pool) {
		check(n.get("session_affinity_attributes"), b.SessionAffinityAttributes.Headers)
		for i := range b.Rules {
			if a := b.Rules[i].Overrides.SessionAffinityAttributes; a != nil {
				check(n.get("rules").children[i].get("overrides").get("session_affinity_attributes"), a.Headers)
			}
		}
	})
}

func (l *loader) lintGeoRules(found finding) {
	l.eachBalancer(func(b *LoadBalancer, n *node, _ []*Pool) {
		if b.SteeringPolicy == "geo" && len(b.RulesInOrder()) > 0 {
			found(n.get("rules"), balancerName(b)+" has custom rules and steers by geo, which Cloudflare documents as incompatible", "another steering policy, or pool sets instead of rules")
		}
	})
}

func (l *loader) lintRuleUnreachable(found finding) {
	l.eachBalancer(func(b *LoadBalancer, n *node, _ []*Pool) {
		var last *Rule
		for _, r := range b.RulesInOrder() {
			if last != nil {
				found(n.get("rules").children[b.ruleIndex(r)], fmt.Sprintf("rule %s is never evaluated: %s, which is always true, ends the evaluation before it", quote(r.Name), quote(last.Name)),
					"a smaller priority, or a condition in the other rule")
			} else if r.Terminates && alwaysTrue(r.Condition) {
				last = r
			}
		}
	})
}

func (b *LoadBalancer) ruleIndex(r *Rule) int {
	return slices.IndexFunc(b.Rules, func(other Rule) bool { return other.Pos == r.Pos })
}

func alwaysTrue(condition string) bool {
	condition = strings.TrimSpace(condition)
	return condition == "" || condition == "true"
}

func (l *loader) lintRuleIdle(found finding) {
	l.eachBalancer(func(b *LoadBalancer, n *node, _ []*Pool) {
		for i := range b.Rules {
			r, at := &b.Rules[i], n.get("rules").children[i]
			if o := at.get("overrides"); !r.Disabled && !r.Terminates && !slices.ContainsFunc(elementsOf(o), (*node).given) {
				found(at, "rule "+quote(r.Name)+" overrides nothing, answers nothing and does not end the evaluation", "overrides or a fixed_response, or disabled true")
			}
		}
	})
}

func (l *loader) lintPoolSetUnreachable(found finding) {
	l.eachBalancer(func(b *LoadBalancer, n *node, _ []*Pool) {
		var last *PoolSet
		for i := range b.PoolSets {
			s := &b.PoolSets[i]
			switch {
			case s.Disabled:
			case last != nil:
				found(n.get("pool_sets").children[i], fmt.Sprintf("pool set %s never matches: %s before it matches every request", quote(s.Name), quote(last.Name)), "the set for every request in last place")
			case s.Match.All():
				last = s
			}
		}
	})
}
