package config

import (
	"slices"
	"strconv"
	"strings"
)

// The shapes by which objects are told apart: the members that only one kind has. An object is of the first kind one of
// whose members it has.
var shapes = []struct {
	kind    string
	members []string
	add     func(*loader, *node)
}{
	{"pool", []string{"origins"}, (*loader).addPool},
	{"load balancer", []string{"default_pools", "fallback_pool"}, (*loader).addBalancer},
	{"monitor group", []string{"members"}, (*loader).addGroup},
	{"pool", []string{"minimum_origins", "origin_steering", "load_shedding", "check_regions"}, (*loader).addPool},
	{"monitor", []string{"type", "expected_codes", "expected_body", "interval", "probe_zone", "consecutive_down", "consecutive_up"}, (*loader).addMonitor},
}

var documentMembers = []string{"load_balancers", "pools", "monitors", "monitor_groups", "weir"}

// collect finds the objects in a file: an answer of the API, an object, an array of either, or a whole document.
func (l *loader) collect(n *node) {
	switch {
	case n.kind == '[':
		for _, e := range n.children {
			l.collect(e)
		}
	case n.kind != '{':
		l.errorAt(n, n.label()+" is "+n.found(), "an answer of the API, an object, an array of objects, or a whole document")
	case n.get("success") != nil:
		l.envelope(n)
	case hasAny(n, documentMembers):
		l.document(n)
	default:
		l.object(n)
	}
}

func hasAny(n *node, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return n.get(name) != nil })
}

func (l *loader) envelope(n *node) {
	success, result := n.get("success"), n.get("result")
	switch {
	case success.kind != 't' && success.kind != 'f':
		l.wrong(success, "true or false, as in every answer of the API")
	case success.kind == 'f':
		l.errorAt(n, "this answer of the API is a failure: "+apiMessages(n), "the answer to a request that succeeded")
	case !result.given():
		l.errorAt(n, "this answer of the API has no result", "the answer to a request for pools, monitors or load balancers")
	default:
		l.collect(result)
	}
}

// apiMessages joins the errors of a failed answer.
func apiMessages(n *node) string {
	var all []string
	if errs := n.get("errors"); errs != nil {
		for _, e := range errs.children {
			if m := e.get("message"); m != nil && m.kind == '"' {
				all = append(all, codeOf(e)+quote(m.str))
			}
		}
	}
	if all == nil {
		return "it gives no reason"
	}
	return strings.Join(all, ", ")
}

func codeOf(n *node) string {
	if c := n.get("code"); c != nil && c.kind == '0' {
		return short(string(c.raw())) + " "
	}
	return ""
}

func (l *loader) document(n *node) {
	for _, m := range n.children {
		switch m.name {
		case "load_balancers":
			l.each(m, l.addBalancer)
		case "pools":
			l.each(m, l.addPool)
		case "monitors":
			l.each(m, l.addMonitor)
		case "monitor_groups":
			l.each(m, l.addGroup)
		case "weir":
			l.foundWeir(m)
		default:
			l.unknown(m, "document", documentMembers, false)
			l.keepOnce(m)
		}
	}
}

func (l *loader) each(list *node, add func(*node)) {
	if list.isNull() || !l.expect(list, '[', "an array of objects") {
		return
	}
	for _, e := range list.children {
		add(e)
	}
}

// keepOnce keeps an unknown member of a document. Of several documents, the first one's stays.
func (l *loader) keepOnce(n *node) {
	if !slices.ContainsFunc(l.cfg.Unknown, func(u Unknown) bool { return u.Name == n.name }) {
		l.cfg.Unknown = append(l.cfg.Unknown, keep(n))
	}
}

func (l *loader) foundWeir(n *node) {
	if n.isNull() {
		return
	}
	if l.weir != nil {
		l.errorAt(n, "a second weir section, the first is at "+l.weir.pos().String(), "one weir section")
		return
	}
	l.weir = n
}

func (l *loader) object(n *node) {
	for _, s := range shapes {
		if hasAny(n, s.members) {
			s.add(l, n)
			return
		}
	}
	l.errorAt(n, n.label()+" is no object that is known here: its members are "+memberNames(n), wantShape())
}

func memberNames(n *node) string {
	names := make([]string, 0, len(n.children))
	for _, c := range n.children {
		names = append(names, strconv.Quote(c.name))
	}
	if len(names) == 0 {
		return "none"
	}
	return short(strings.Join(names, ", "))
}

func wantShape() string {
	var b strings.Builder
	b.WriteString("success and result (an answer of the API)")
	for _, s := range shapes {
		b.WriteString(", " + strings.Join(s.members, " or ") + " (a " + s.kind + ")")
	}
	b.WriteString(", " + strings.Join(documentMembers, " or ") + " (a document)")
	return b.String()
}

func (l *loader) addPool(n *node) {
	var p Pool
	poolSchema.read(l, n, &p)
	l.cfg.Pools, l.pools = append(l.cfg.Pools, p), append(l.pools, n)
}

func (l *loader) addMonitor(n *node) {
	var m Monitor
	monitorSchema.read(l, n, &m)
	if l.opt.Strict && (m.Type == "http" || m.Type == "https") && !n.get("expected_codes").given() {
		l.errorAt(n, "expected_codes is missing", `the API requires it for monitors of type http and https, for instance "200"`)
	}
	l.cfg.Monitors, l.monitors = append(l.cfg.Monitors, m), append(l.monitors, n)
}

func (l *loader) addGroup(n *node) {
	var g MonitorGroup
	groupSchema.read(l, n, &g)
	l.cfg.MonitorGroups, l.groups = append(l.cfg.MonitorGroups, g), append(l.groups, n)
}

func (l *loader) addBalancer(n *node) {
	var b LoadBalancer
	balancerSchema.read(l, n, &b)
	l.cfg.LoadBalancers, l.balancers = append(l.cfg.LoadBalancers, b), append(l.balancers, n)
}

func (l *loader) readWeir() {
	n := l.weir
	if n == nil {
		n = emptyObject
	}
	weirSchema.read(l, n, &l.cfg.Weir)
}
