package config

import (
	"fmt"
	"slices"
	"strings"
)

// The rules between objects. They run when everything is read.

func (l *loader) checkObjects() {
	l.uniqueIDs()
	l.uniqueNames()
	l.cfg.index = newIndex(&l.cfg)
	l.checkReferences()
	l.checkPartitions()
}

// named is an object for the purpose of finding repetitions.
type named struct {
	value string
	n     *node
}

// unique reports every repetition at its member, naming the place of the first.
func (l *loader) unique(what, member, want string, list []named) {
	first := map[string]*node{}
	for _, o := range list {
		if o.value == "" {
			continue
		}
		if before, twice := first[o.value]; twice {
			l.errorAt(in(o.n, member), fmt.Sprintf("%s %s is used twice, first at %s", what, quote(o.value), in(before, member).pos()), want)
			continue
		}
		first[o.value] = o.n
	}
}

func list[T any](objects []T, nodes []*node, value func(*T) string) []named {
	out := make([]named, len(objects))
	for i := range objects {
		out[i] = named{value(&objects[i]), nodes[i]}
	}
	return out
}

func (l *loader) uniqueIDs() {
	const want = "an id of its own for every object; was one file given twice?"
	l.unique("pool id", "id", want, list(l.cfg.Pools, l.pools, func(p *Pool) string { return p.ID }))
	l.unique("monitor id", "id", want, list(l.cfg.Monitors, l.monitors, func(m *Monitor) string { return m.ID }))
	l.unique("monitor group id", "id", want, list(l.cfg.MonitorGroups, l.groups, func(g *MonitorGroup) string { return g.ID }))
	l.unique("load balancer id", "id", want, list(l.cfg.LoadBalancers, l.balancers, func(b *LoadBalancer) string { return b.ID }))
	for i := range l.cfg.Monitors {
		if l.cfg.Monitors[i].ID == "" && l.monitors[i].kind == '{' {
			l.warningAt(l.monitors[i], "the monitor has no id", "an id, so that a pool can name it")
		}
	}
	for i := range l.cfg.MonitorGroups {
		if l.cfg.MonitorGroups[i].ID == "" && l.groups[i].kind == '{' {
			l.warningAt(l.groups[i], "the monitor group has no id", "an id, so that a pool can name it")
		}
	}
}

func (l *loader) uniqueNames() {
	const want = "a name of its own for every object of a kind"
	l.unique("pool name", "name", want, list(l.cfg.Pools, l.pools, func(p *Pool) string { return p.Name }))
	l.unique("load balancer name", "name", want, list(l.cfg.LoadBalancers, l.balancers, func(b *LoadBalancer) string { return canonicalHost(b.Name) }))
}

func (l *loader) checkReferences() {
	for i := range l.cfg.Pools {
		l.checkMonitorReferences(&l.cfg.Pools[i], l.pools[i])
	}
	for i := range l.cfg.MonitorGroups {
		for j, m := range l.cfg.MonitorGroups[i].Members {
			if m.MonitorID != "" && l.cfg.MonitorByID(m.MonitorID) == nil {
				l.strictAt(l.groups[i].get("members").children[j].get("monitor_id"), "monitor "+quote(m.MonitorID)+" is not among the objects", "the member is passed over until it is")
			}
		}
	}
	for _, n := range l.balancers {
		l.checkPoolReferences(n)
	}
}

func (l *loader) checkMonitorReferences(p *Pool, n *node) {
	assumed := func() string {
		if l.opt.Strict {
			return "the id of an object that was read too"
		}
		if _, ok := l.cfg.GroupOf(p); ok {
			return "the group decides either way"
		}
		m, ok := l.cfg.MonitorOf(p)
		if !ok {
			return "the pool is not monitored"
		}
		return "until it is, the pool is probed by " + describe(m)
	}
	if p.MonitorGroup != "" && l.cfg.MonitorGroupByID(p.MonitorGroup) == nil {
		l.strictAt(n.get("monitor_group"), "monitor group "+quote(p.MonitorGroup)+" is not among the objects", assumed())
	}
	if p.Monitor != "" && l.cfg.MonitorByID(p.Monitor) == nil {
		l.strictAt(n.get("monitor"), "monitor "+quote(p.Monitor)+" is not among the objects", assumed())
	}
	if _, grouped := l.cfg.GroupOf(p); grouped && p.Monitor != "" {
		l.warningAt(n.get("monitor_group"), "both monitor and monitor_group are set", "one of them; the group decides and the monitor is ignored")
	}
}

// describe says what a monitor does, in one line.
func describe(m *Monitor) string {
	head := quote(m.ID) + " (" + m.Type
	switch m.Type {
	case "http", "https":
		head += fmt.Sprintf(" %s %s expecting %s", m.Method, m.Path, m.ExpectedCodes)
	}
	return fmt.Sprintf("%s every %s, timeout %s, %d retries)", head, brief(m.Interval), brief(m.Timeout), m.Retries)
}

// checkPoolReferences looks at every place where a load balancer names pools.
func (l *loader) checkPoolReferences(n *node) {
	l.checkNamedPools(n)
	l.mustWeighPools(n.get("random_steering").get("pool_weights"))
	for _, name := range []string{"rules", "pool_sets"} {
		for _, e := range elements(n.get(name)) {
			o := e.get("overrides")
			l.checkNamedPools(o)
			l.mustWeighPools(o.get("random_steering").get("pool_weights"))
			l.mustWeighPools(o.get("pool_weights"))
		}
	}
}

// checkNamedPools looks at the members that a load balancer has and that rules and pool sets override.
func (l *loader) checkNamedPools(n *node) {
	l.mustBePool(n.get("fallback_pool"))
	l.mustBePools(n.get("default_pools"))
	l.mustBePools(n.get("pools"))
	for _, name := range []string{"region_pools", "country_pools", "pop_pools"} {
		if m := n.get(name); m.given() {
			for _, list := range m.children {
				l.mustBePools(list)
			}
		}
	}
}

// elements are those of a list, none of anything else.
func elements(n *node) []*node {
	if !n.given() || n.kind != '[' {
		return nil
	}
	return n.children
}

// mustWeighPools looks at the keys of a map of weights.
func (l *loader) mustWeighPools(n *node) {
	if !n.given() {
		return
	}
	for _, w := range n.children {
		if w.name != "" && l.cfg.PoolByID(w.name) == nil {
			l.strictAt(w, "pool "+quote(w.name)+" is not among the objects", "its weight has no effect")
		}
	}
}

func (l *loader) mustBePools(n *node) {
	for _, e := range elements(n) {
		l.mustBePool(e)
	}
}

func (l *loader) mustBePool(n *node) {
	if n == nil || n.kind != '"' || n.str == "" || l.cfg.PoolByID(n.str) != nil {
		return
	}
	l.errorAt(n, "pool "+quote(n.str)+" is not among the objects", "the id of a pool"+l.idOfName(n.str))
}

// idOfName helps those who wrote a pool's name instead of its id.
func (l *loader) idOfName(name string) string {
	i := slices.IndexFunc(l.cfg.Pools, func(p Pool) bool { return p.Name == name })
	if i < 0 {
		return ""
	}
	return fmt.Sprintf("; the pool of that name has the id %q", l.cfg.Pools[i].ID)
}

// checkPartitions wants the origins that a region cannot reach to exist.
func (l *loader) checkPartitions() {
	regions := l.weir.get("regions")
	if regions == nil {
		return
	}
	known := map[string]bool{}
	for _, p := range l.cfg.Pools {
		for _, o := range p.Origins {
			known[p.Name+"/"+o.Name] = true
		}
	}
	for _, r := range regions.children {
		list := r.get("partition")
		if list == nil {
			continue
		}
		for _, e := range list.children {
			if strings.Contains(e.str, "/") && !known[e.str] {
				l.warningAt(e, quote(e.str)+" is no origin of any pool", `"pool/origin", by name`)
			}
		}
	}
}

// addImplicit makes up the load balancer of pools that came without one (behaviour P11).
func (l *loader) addImplicit() {
	if len(l.cfg.LoadBalancers) > 0 || len(l.cfg.Pools) == 0 {
		return
	}
	var b LoadBalancer
	balancerSchema.fillDefaults(l, &b)
	b.ID, b.Proxied, b.TTL, b.SteeringPolicy, b.Implicit = ImplicitID, true, 0, "off", true
	for i := range l.cfg.Pools {
		p := &l.cfg.Pools[i]
		b.DefaultPools = append(b.DefaultPools, p.ID)
		if p.Enabled {
			b.FallbackPool = p.ID
		}
	}
	l.cfg.LoadBalancers = []LoadBalancer{b}
	l.hintOrder()
}

// ImplicitID is the id of the load balancer that is made up for pools without one. Its FallbackPool is empty when no
// pool is enabled.
const ImplicitID = "implicit"

// hintOrder says so when the pools' age suggests another order than the one taken: Cloudflare's dashboard lists them
// by age at first.
func (l *loader) hintOrder() {
	dated := slices.DeleteFunc(slices.Clone(l.cfg.Pools), func(p Pool) bool { return p.CreatedOn.Year() < 2 })
	older := func(a, b Pool) int { return a.CreatedOn.Compare(b.CreatedOn.Time) }
	if slices.IsSortedFunc(dated, older) {
		return
	}
	slices.SortStableFunc(dated, older)
	var names []string
	for _, p := range dated {
		names = append(names, p.Name)
	}
	l.report(Note, l.pools[0], "without a load balancer, pools are used in the order read; by created_on it would be "+short(strings.Join(names, ", ")),
		"a load balancer with default_pools in the order that is meant")
}
