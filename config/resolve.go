package config

import (
	"net"
	"strconv"
	"strings"
)

// index answers lookups by id without a walk over all objects. It is a hint: a Config made by hand has none, and one
// that was copied and changed has a wrong one, so every answer is checked against the objects.
type index struct {
	pools, monitors, groups map[string]int
}

func newIndex(c *Config) *index {
	return &index{
		pools:    places(c.Pools, func(p *Pool) string { return p.ID }),
		monitors: places(c.Monitors, func(m *Monitor) string { return m.ID }),
		groups:   places(c.MonitorGroups, func(g *MonitorGroup) string { return g.ID }),
	}
}

func places[T any](list []T, id func(*T) string) map[string]int {
	m := make(map[string]int, len(list))
	for i := range list {
		m[id(&list[i])] = i
	}
	return m
}

// find returns the element of list with this id, nil when there is none. An empty id is nobody's.
func find[T any](list []T, hint map[string]int, id string, of func(*T) string) *T {
	if id == "" {
		return nil
	}
	if i, ok := hint[id]; ok && i < len(list) && of(&list[i]) == id {
		return &list[i]
	}
	for i := range list {
		if of(&list[i]) == id {
			return &list[i]
		}
	}
	return nil
}

// PoolByID returns the pool with this id, nil when there is none.
func (c *Config) PoolByID(id string) *Pool {
	return find(c.Pools, c.hints().pools, id, func(p *Pool) string { return p.ID })
}

// MonitorByID returns the monitor with this id, nil when there is none.
func (c *Config) MonitorByID(id string) *Monitor {
	return find(c.Monitors, c.hints().monitors, id, func(m *Monitor) string { return m.ID })
}

// MonitorGroupByID returns the monitor group with this id, nil when there is none.
func (c *Config) MonitorGroupByID(id string) *MonitorGroup {
	return find(c.MonitorGroups, c.hints().groups, id, func(g *MonitorGroup) string { return g.ID })
}

func (c *Config) hints() *index {
	if c.index == nil {
		return &index{}
	}
	return c.index
}

// GroupOf returns the monitor group that judges p, and false when p names none or one that is not among the objects:
// such a group is passed over for MonitorOf. A group decides over the pool's own monitor.
func (c *Config) GroupOf(p *Pool) (*MonitorGroup, bool) {
	g := c.MonitorGroupByID(p.MonitorGroup)
	return g, g != nil
}

// MonitorOf returns the monitor that probes p, and false when p is not monitored (behaviour P7). Of a group's pool it is
// that of the first voting member whose monitor is known: enough to tell whether the pool is monitored at all, since a
// group without voters leaves it unmonitored.
//
// A pool whose references lead nowhere is probed by weir.default_monitor (behaviour H19), because it was meant to be
// monitored.
func (c *Config) MonitorOf(p *Pool) (*Monitor, bool) {
	if g, ok := c.GroupOf(p); ok {
		m := c.firstVoter(g)
		return m, m != nil
	}
	if m := c.MonitorByID(p.Monitor); m != nil {
		return m, true
	}
	if p.Monitor == "" && p.MonitorGroup == "" {
		return nil, false
	}
	if c.Weir.DefaultMonitor != nil {
		return c.Weir.DefaultMonitor, true
	}
	return builtinMonitor(), true
}

// monitorsOf lists every monitor that probes p: of a group, those of all enabled members that are known.
func (c *Config) monitorsOf(p *Pool) []*Monitor {
	g, ok := c.GroupOf(p)
	if !ok {
		if m, monitored := c.MonitorOf(p); monitored {
			return []*Monitor{m}
		}
		return nil
	}
	var list []*Monitor
	for _, member := range g.Members {
		if m := c.MonitorByID(member.MonitorID); m != nil && member.Enabled {
			list = append(list, m)
		}
	}
	return list
}

// firstVoter is the monitor of the first member that takes part in the verdict and whose monitor is known.
func (c *Config) firstVoter(g *MonitorGroup) *Monitor {
	for _, member := range g.Members {
		if !member.Enabled || member.MonitoringOnly {
			continue
		}
		if m := c.MonitorByID(member.MonitorID); m != nil {
			return m
		}
	}
	return nil
}

// Identity is the key of the counters, sessions, health and hash place of the pool's i-th origin.
func (p *Pool) Identity(i int) Identity { return p.Origins[i].identity(p.ID) }

func (o *Origin) identity(pool string) Identity {
	return Identity{
		Pool:           pool,
		Address:        strings.ToLower(o.Address),
		Port:           o.Port,
		VirtualNetwork: o.VirtualNetworkID,
	}
}

// String is "pool/address", with ":port" when a port is set and "@network" when a virtual network is. Different
// identities have different strings as long as pool ids hold no "/".
func (id Identity) String() string {
	address := id.Address
	if id.Port != 0 {
		address = net.JoinHostPort(address, strconv.Itoa(id.Port))
	}
	if id.VirtualNetwork != "" {
		address += "@" + id.VirtualNetwork
	}
	return id.Pool + "/" + address
}
