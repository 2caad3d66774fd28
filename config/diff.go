package config

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Diff lists what changes from old to now, one short line each, in the order of now and then what is gone. Positions
// and implicit load balancers do not count. Secrets are not shown.
func Diff(old, now *Config) []string {
	d := &differ{}
	diffLists(d, "load balancer", &balancerSchema, *explicit(old), *explicit(now), (*LoadBalancer).key, d.steps)
	diffLists(d, "pool", &poolSchema, old.Pools, now.Pools, (*Pool).key, d.origins)
	d.poolOrder(old, now)
	diffLists(d, "monitor", &monitorSchema, old.Monitors, now.Monitors, func(m *Monitor) (string, string) { return m.ID, m.ID }, nil)
	diffLists(d, "monitor group", &groupSchema, old.MonitorGroups, now.MonitorGroups, func(g *MonitorGroup) (string, string) { return g.ID, g.ID }, nil)
	diffMembers(d, "weir", &weirSchema, &old.Weir, &now.Weir)
	return d.lines
}

type differ struct{ lines []string }

func (d *differ) add(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (b *LoadBalancer) key() (id, name string) { return b.ID, b.Name }

func (p *Pool) key() (id, name string) { return p.ID, p.Name }

// diffLists compares two lists of objects by their keys, and the objects of one key member by member. deeper, when
// there is one, takes over members that have their own lines; it answers their names.
func diffLists[T any](d *differ, kind string, s *schema[T], old, now []T, key func(*T) (id, name string), deeper func(old, now *T) []string) {
	known := make(map[string]*T, len(old))
	for i := range old {
		id, _ := key(&old[i])
		known[id] = &old[i]
	}
	for i := range now {
		id, name := key(&now[i])
		was := known[id]
		if id == "" {
			continue // nothing can refer to it
		}
		if was == nil {
			d.add("%s %s added", kind, name)
			continue
		}
		delete(known, id)
		var skip []string
		if deeper != nil {
			skip = deeper(was, &now[i])
		}
		diffMembers(d, kind+" "+name, s, was, &now[i], skip...)
	}
	for i := range old {
		if id, name := key(&old[i]); id != "" && known[id] == &old[i] {
			d.add("%s %s removed", kind, name)
		}
	}
}

// stamps change with every write and say nothing.
var stamps = []string{"modified_on", "created_on", "created_at", "updated_at"}

// diffMembers compares two objects as they would be written.
func diffMembers[T any](d *differ, what string, s *schema[T], old, now *T, skip ...string) {
	before, after := written(s, old, false), written(s, now, false)
	if bytes.Equal(before, after) {
		return // the usual case, and parsing is slow
	}
	skip = append(skip, stamps...)
	open := [2]*node{mustParse(string(before)), mustParse(string(after))}
	masked := [2]*node{mustParse(string(written(s, old, true))), mustParse(string(written(s, now, true)))}
	for _, name := range memberUnion(open[0], open[1]) {
		if !slices.Contains(skip, name) {
			d.values(what+": "+name, open[0].get(name), open[1].get(name), masked[0].get(name), masked[1].get(name))
		}
	}
}

func written[T any](s *schema[T], t *T, redact bool) []byte {
	return encode(redact, func(w *writer) { s.write(w, t) })
}

// memberUnion lists the members of both objects, sorted.
func memberUnion(a, b *node) []string {
	var names []string
	for _, c := range slices.Concat(a.children, b.children) {
		names = append(names, c.name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// values compares two values, and inside objects every member of its own. What is shown comes from the masked ones.
func (d *differ) values(what string, old, now, maskedOld, maskedNew *node) {
	if old != nil && now != nil && old.kind == '{' && now.kind == '{' {
		for _, name := range memberUnion(old, now) {
			d.values(what+"."+name, old.get(name), now.get(name), maskedOld.get(name), maskedNew.get(name))
		}
		return
	}
	was, is := shown(old), shown(now)
	if was == is {
		return
	}
	if was, is = shown(maskedOld), shown(maskedNew); was == is {
		d.add("%s changed", what)
		return
	}
	d.add("%s %s → %s", what, short(was), short(is))
}

// shown is a value in a line of the log.
func shown(n *node) string {
	if n == nil {
		return "unset"
	}
	return string(compact(n.raw()))
}

// origins compares the origins of a pool: one identity is one origin, whatever else about it changed.
func (d *differ) origins(old, now *Pool) []string {
	diffLists(d, "pool "+now.Name+": origin", &originSchema, old.Origins, now.Origins, func(o *Origin) (string, string) {
		return o.identity(now.ID).String(), o.Name
	}, nil)
	return []string{"origins"}
}

// steps compares the rules and the pool sets of a load balancer: those of one name are one.
func (d *differ) steps(old, now *LoadBalancer) []string {
	rules := func(r *Rule) string { return r.Name }
	diffSteps(d, "load balancer "+now.Name+": rule", &ruleSchema, old.Rules, now.Rules, rules)
	sets := func(s *PoolSet) string { return s.Name }
	was, is := diffSteps(d, "load balancer "+now.Name+": pool set", &poolSetSchema, old.PoolSets, now.PoolSets, sets)
	if !slices.Equal(was, is) {
		d.add("load balancer %s: pool sets: order %s → %s", now.Name, short(strings.Join(was, ", ")), short(strings.Join(is, ", ")))
	}
	return []string{"rules", "pool_sets"}
}

// diffSteps compares two lists whose elements need no name, and may share one. It answers the names that both lists
// have, in the order of each.
func diffSteps[T any](d *differ, kind string, s *schema[T], old, now []T, name func(*T) string) (was, is []string) {
	keys := map[*T]string{}
	before, after := stepKeys(keys, old, name), stepKeys(keys, now, name)
	diffLists(d, kind, s, old, now, func(t *T) (id, name string) { return keys[t], keys[t] }, nil)
	return common(before, after), common(after, before)
}

// stepKeys gives each element a key of its own, and answers them in order: its name, numbered from the second on.
func stepKeys[T any](keys map[*T]string, list []T, name func(*T) string) []string {
	seen, ordered := map[string]int{}, make([]string, len(list))
	for i := range list {
		key := strconv.Quote(name(&list[i]))
		if seen[key]++; seen[key] > 1 {
			key = fmt.Sprintf("%s (%d)", key, seen[key])
		}
		keys[&list[i]], ordered[i] = key, key
	}
	return ordered
}

// common are the elements of list, in order, that other has as well.
func common(list, other []string) []string {
	has := make(map[string]bool, len(other))
	for _, s := range other {
		has[s] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return !has[s] })
}

// poolOrder: the order of pools is the order of failing over.
func (d *differ) poolOrder(old, now *Config) {
	was, is := commonPools(old, now), commonPools(now, old)
	if !slices.EqualFunc(was, is, func(a, b *Pool) bool { return a.ID == b.ID }) {
		d.add("pools: order %s → %s", poolNames(was), poolNames(is))
	}
}

// commonPools are the pools of c, in order, that other has as well.
func commonPools(c, other *Config) []*Pool {
	var list []*Pool
	for i := range c.Pools {
		if other.PoolByID(c.Pools[i].ID) != nil {
			list = append(list, &c.Pools[i])
		}
	}
	return list
}

func poolNames(pools []*Pool) string {
	names := make([]string, len(pools))
	for i, p := range pools {
		names[i] = p.Name
	}
	return short(strings.Join(names, ", "))
}
