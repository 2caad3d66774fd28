package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The rules of load balancers.

func (l *loader) checkBalancer(n *node, b *LoadBalancer) {
	if b.ID == "" && b.Name != "" {
		b.ID = derivedID(b.Name)
	}
	if b.Proxied && !n.get("ttl").given() {
		b.TTL = 0 // it belongs to DNS answers that name origins
	}
	if b.SteeringPolicy == "" && !failedText(n.get("steering_policy")) {
		b.SteeringPolicy, b.SteeringImplied = resolvedSteering(b), true
	}
	if l.opt.Strict && b.Name != "" && !strings.Contains(strings.Trim(b.Name, "*."), ".") {
		l.errorAt(in(n, "name"), "name is "+quote(b.Name), "a fully qualified host name within a zone")
	}
	if list := n.get("default_pools"); list != nil && list.kind == '[' && len(list.children) == 0 {
		l.errorAt(list, "default_pools is empty", "at least one pool id")
	}
	l.checkAffinity(n, b)
	l.assignPriorities(b)
	l.checkRules(n.get("rules"), b)
	if most := 1000; len(b.PoolSets) > most {
		l.errorAt(n.get("pool_sets"), fmt.Sprintf("pool_sets has %d elements (POOL_SETS_TOO_LARGE)", len(b.PoolSets)), fmt.Sprintf("at most %d", most))
	}
}

func failedText(n *node) bool { return n.given() && (n.kind != '"' || n.str != "") }

// resolvedSteering is what the empty policy stands for (behaviour G1).
func resolvedSteering(b *LoadBalancer) string {
	if len(b.RegionPools)+len(b.CountryPools)+len(b.PopPools) > 0 {
		return "geo"
	}
	return "off"
}

func (l *loader) checkAffinity(n *node, b *LoadBalancer) {
	attributes, a := n.get("session_affinity_attributes"), &b.SessionAffinityAttributes
	if b.SessionAffinity == "header" && len(a.Headers) == 0 && !failedList(attributes.get("headers")) {
		l.errorAt(in(n, "session_affinity"), "session_affinity is header and names no headers", "at least one in session_affinity_attributes.headers")
	}
	l.checkSessionTTL(n.get("session_affinity_ttl"), b.SessionAffinity, b.SessionAffinityTTL)
	if b.SessionAffinityTTL == 0 && !failedToRead(n.get("session_affinity_ttl")) {
		b.SessionAffinityTTL = DefaultSessionTTL(b.SessionAffinity)
	}
	l.checkSecure(attributes, a.SameSite, a.Secure)
	l.checkSticky(attributes, b.SessionAffinity, a.ZeroDowntimeFailover)
}

// checkSessionTTL holds a time against the range of its kind. 0 stands for the default.
func (l *loader) checkSessionTTL(n *node, affinity string, ttl time.Duration) {
	low, high := sessionTTLRange(affinity)
	if ttl == 0 || (ttl >= low && ttl <= high) {
		return
	}
	l.errorAt(n, fmt.Sprintf("session_affinity_ttl is %d", ttl/time.Second), fmt.Sprintf("%d to %d seconds for session_affinity %s", low/time.Second, high/time.Second, affinity))
}

// sessionTTLRange is that of any kind where none is known.
func sessionTTLRange(affinity string) (low, high time.Duration) {
	switch affinity {
	case "cookie", "ip_cookie":
		return 1800 * time.Second, mostSessionTTL * time.Second
	case "header":
		return 30 * time.Second, 3600 * time.Second
	}
	return 0, mostSessionTTL * time.Second
}

// checkSecure: browsers drop a cookie with SameSite=None that is not Secure, and the API refuses it.
func (l *loader) checkSecure(n *node, samesite, secure string) {
	if samesite == "None" && secure == "Never" {
		l.errorAt(firstOf(n, "samesite", "secure"), `samesite is "None" and secure is "Never"`, `secure "Auto" or "Always", or another samesite`)
	}
}

func firstOf(n *node, names ...string) *node {
	for _, name := range names {
		if m := n.get(name); m.given() {
			return m
		}
	}
	return n
}

// checkSticky: a session by header has no cookie that could name another origin (behaviour N7).
func (l *loader) checkSticky(n *node, affinity, failover string) {
	if affinity == "header" && failover == "sticky" {
		l.warningAt(in(n, "zero_downtime_failover"), "zero_downtime_failover is sticky, which session_affinity header does not support", `"temporary", as which it acts`)
	}
}

// assignPriorities numbers the rules in the order read when none of them carries a priority, as the API does. 0 counts
// as none.
func (l *loader) assignPriorities(b *LoadBalancer) {
	const step = 10
	if slices.ContainsFunc(b.Rules, func(r Rule) bool { return r.Priority != 0 }) {
		return
	}
	for i := range b.Rules {
		b.Rules[i].Priority = i * step
	}
}

func (l *loader) checkRule(n *node, r *Rule) {
	if r.FixedResponse == nil {
		return
	}
	r.Terminates = true
	if len(r.Overrides.Pools) > 0 {
		l.errorAt(n.get("overrides").get("pools"), "overrides.pools and fixed_response are both set", "one of them: a fixed response asks no pool")
	}
}

func (l *loader) checkOverrides(n *node, o *Overrides) {
	weighed := firstOf(n, "pools", "pool_weights", "pool_default_weight")
	if weighed != n && n.get("random_steering").given() {
		l.errorAt(weighed, weighed.name+" and random_steering are both set", "one of them")
	}
}

// checkRules holds what rules override against what they leave.
func (l *loader) checkRules(list *node, b *LoadBalancer) {
	names := len(b.SessionAffinityAttributes.Headers) > 0 || slices.ContainsFunc(b.Rules, func(r Rule) bool {
		a := r.Overrides.SessionAffinityAttributes
		return a != nil && len(a.Headers) > 0
	})
	for i := range b.Rules {
		r, n := &b.Rules[i], list.children[i]
		l.checkCondition(n.get("condition"), r.Condition, b.Proxied)
		l.checkAffinityOverride(n.get("overrides"), &r.Overrides, b, names)
	}
}

// checkAffinityOverride judges the affinity of requests for which this rule alone is true. headers says whether any
// headers are named.
func (l *loader) checkAffinityOverride(n *node, o *Overrides, b *LoadBalancer, headers bool) {
	if o.SessionAffinity == "header" && !headers {
		l.errorAt(n.get("session_affinity"), "session_affinity is header and names no headers", "at least one in session_affinity_attributes.headers")
	}
	affinity := orElse(o.SessionAffinity, b.SessionAffinity)
	l.checkSessionTTL(n.get("session_affinity_ttl"), affinity, o.SessionAffinityTTL)
	a, base := o.SessionAffinityAttributes, &b.SessionAffinityAttributes
	if a == nil {
		return
	}
	attributes := n.get("session_affinity_attributes")
	if a.SameSite != "" || a.Secure != "" {
		l.checkSecure(attributes, orElse(a.SameSite, base.SameSite), orElse(a.Secure, base.Secure))
	}
	l.checkSticky(attributes, affinity, a.ZeroDowntimeFailover)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// checkCondition asks the checker of expressions, and points at the character that it names.
func (l *loader) checkCondition(n *node, condition string, proxied bool) {
	if l.opt.CheckCondition == nil || condition == "" {
		return
	}
	if at, err := l.opt.CheckCondition(condition, proxied); err != nil {
		l.add(Problem{Pos: n.within(at), Pointer: n.pointer(), What: "condition: " + err.Error()})
	}
}

// The rules of pool sets carry the codes of the API's own errors.

func (l *loader) checkPoolSet(n *node, s *PoolSet) {
	pools := len(s.Overrides.Pools) > 0
	failed := failedList(n.get("overrides").get("pools")) || failedObject(n.get("overrides")) || failedObject(n.get("fixed_response"))
	switch {
	case pools && s.FixedResponse != nil:
		l.errorAt(n.get("fixed_response"), "overrides.pools and fixed_response are both set", "one of them: a fixed response asks no pool")
	case !pools && s.FixedResponse == nil && !failed:
		l.errorAt(n, "the pool set has neither overrides.pools nor fixed_response (POOL_SET_NO_INTENT)", "one of them")
	}
}

func failedObject(n *node) bool { return n.given() && n.kind != '{' }

func (l *loader) checkMatch(n *node, m *Match) {
	topology := n.get("topology").given()
	switch {
	case m.Default && topology:
		l.errorAt(n, "match has both default and topology (POOL_SET_DEFAULT_WITH_MATCH)", "one of them")
	case !m.Default && !topology:
		l.errorAt(n, "match asks for nothing (POOL_SET_EMPTY_MATCH)", "default true, a topology, or no match at all for every request")
	}
}

func (l *loader) checkTopology(n *node, t *Topology) {
	lists := []*node{n.get("pops"), n.get("countries"), n.get("regions")}
	if !slices.ContainsFunc(lists, failedList) {
		l.errorAt(n, "topology lists no place (POOL_SET_EMPTY_TOPOLOGY)", "at least one of pops, countries and regions")
	}
	const most = 1000
	for _, list := range lists {
		if list.given() && list.kind == '[' && len(list.children) > most {
			l.errorAt(list, fmt.Sprintf("%s has %d elements (POOL_SET_TOPOLOGY_TOO_LARGE)", list.name, len(list.children)), fmt.Sprintf("at most %d", most))
		}
	}
}
