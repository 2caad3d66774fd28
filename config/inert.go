package config

import (
	"slices"
	"strconv"
	"strings"
	"sync"
)

// InertField is a field that is accepted, checked and kept, and changes nothing.
type InertField struct {
	Field  string // kind of object and name, "pool.networks"
	Reason string
	// NotYet says that the field arrives with a later release; otherwise it cannot act on one's own machine.
	NotYet bool
	// Severity of the message that is given when the field is set: Warning where traffic would go elsewhere.
	Severity Severity
	// Idle are the values, in JSON, that ask for nothing, so that nothing needs to be said. Empty values always are.
	Idle []string
	// Once says that one message per load is enough: the reason is the same for every object.
	Once string
}

const dnsOnly = "every load balancer is served as proxied here, and this acts on DNS answers only"

// inertFields lists all of them, in the order of the objects' tables.
var inertFields = []InertField{
	{Field: "pool.disabled_at", Severity: Note, Reason: "a disabled pool stops serving at once; only origins drain"},
	{Field: "pool.notification_email", Severity: Note, Reason: "no mail is sent; the field is deprecated at Cloudflare too"},
	{Field: "pool.networks", Severity: Note, Reason: "it names Cloudflare's own networks"},
	{Field: "pool.healthy", Severity: Note, Reason: "read-only and not kept: health is judged here, see /events"},
	{Field: "origin.virtual_network_id", Severity: Note, Reason: "it tells origins apart and chooses no route: addresses are dialled from this machine"},
	{Field: "origin.flatten_cname", Severity: Note, Idle: []string{"true"}, Reason: dnsOnly},
	{Field: "origin.healthy", Severity: Note, Reason: "read-only and not kept: health is judged here, see /events"},
	{Field: "origin.failure_reason", Severity: Note, Reason: "read-only and not kept: health is judged here, see /events"},

	{Field: "monitor.probe_zone", Severity: Note, Reason: "it chooses Cloudflare's egress path, and probes leave from this machine"},

	{Field: "load_balancer.zone_name", Severity: Note, Reason: "read-only; hosts are compared with name"},
	{Field: "load_balancer.proxied", Severity: Note, Idle: []string{"true"}, Once: "dns", Reason: dnsOnly},
	{Field: "load_balancer.ttl", Severity: Note, Idle: []string{"0"}, Once: "dns", Reason: dnsOnly},
	{
		Field: "load_balancer.location_strategy", Severity: Note, Idle: []string{`{"mode": "pop", "prefer_ecs": "proximity"}`}, Once: "dns",
		Reason: dnsOnly,
	},
	{Field: "load_balancer.networks", Severity: Note, Reason: "it names Cloudflare's own networks"},
	{Field: "load_balancer.tunnel_id", Severity: Note, Reason: "tunnels belong to private load balancers in Cloudflare's network"},
	{Field: "overrides.ttl", Severity: Note, Once: "dns", Reason: dnsOnly},
	{Field: "overrides.location_strategy", Severity: Note, Once: "dns", Reason: dnsOnly},
}

// InertFields returns the list of all fields that are kept without acting, with their reasons.
func InertFields() []InertField { return slices.Clone(inertFields) }

// inertEntry is a row of the table with its idle values parsed.
type inertEntry struct {
	InertField
	idle []*node
}

var inertByField = sync.OnceValue(func() map[string]inertEntry {
	entries := map[string]inertEntry{}
	for _, f := range inertFields {
		e := inertEntry{InertField: f}
		for _, v := range f.Idle {
			e.idle = append(e.idle, mustParse(v))
		}
		entries[f.Field] = e
	}
	return entries
})

// noteInert says so when n is a field that does not act and asks for something.
func (l *loader) noteInert(kind string, n *node) {
	e, ok := inertByField()[kind+"."+n.name]
	if !ok || isIdle(n, e.idle) || (e.Once != "" && l.once[e.Once]) {
		return
	}
	if e.Once != "" {
		l.once[e.Once] = true
	}
	what := n.label() + " does not act here: " + e.Reason
	if e.NotYet {
		what = "not yet acting: " + n.label() + ": " + e.Reason
	}
	l.report(e.Severity, n, what, "")
}

// isIdle reports whether n asks for nothing. A number or boolean of its own is never empty: 0 is a latitude.
func isIdle(n *node, idle []*node) bool {
	return (n.kind != '0' && n.kind != 'f' && isEmpty(n)) || slices.ContainsFunc(idle, func(i *node) bool { return asksNoMore(n, i) })
}

// isEmpty reports whether n is the empty value of its kind. An object is empty when all its members are.
func isEmpty(n *node) bool {
	switch n.kind {
	case '"':
		return n.str == ""
	case 't':
		return false
	case '0':
		return isNumber(n, 0)
	case '{':
		return !slices.ContainsFunc(n.children, func(c *node) bool { return !isEmpty(c) })
	case '[':
		return len(n.children) == 0
	}
	return true // null and false
}

func isNumber(n *node, want float64) bool {
	f, err := strconv.ParseFloat(string(n.raw()), 64)
	return err == nil && f == want
}

// asksNoMore reports whether n says what idle says, or less.
func asksNoMore(n, idle *node) bool {
	if n.kind != idle.kind {
		return false
	}
	switch n.kind {
	case '"':
		return strings.EqualFold(n.str, idle.str)
	case '0':
		f, err := strconv.ParseFloat(string(idle.raw()), 64)
		return err == nil && isNumber(n, f)
	case '{':
		return !slices.ContainsFunc(n.children, func(c *node) bool {
			same := idle.get(c.name)
			return !isEmpty(c) && (same == nil || !asksNoMore(c, same))
		})
	}
	return n.kind != '[' // true and false
}
