package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The rules of one object that join several of its members. They run while the object is read.

// in returns the node of a member, or n itself when the member was not given: the place to point at.
func in(n *node, name string) *node {
	if m := n.get(name); m != nil {
		return m
	}
	return n
}

func (l *loader) checkPool(n *node, p *Pool) {
	if p.ID == "" && p.Name != "" {
		p.ID = derivedID(p.Name)
	}
	if lat, lon := n.get("latitude").given(), n.get("longitude").given(); lat != lon {
		l.errorAt(n, "only one of latitude and longitude is given", "both or neither")
	}
	p.CheckRegions = l.distinctRegions(n.get("check_regions"), p.CheckRegions)
	l.checkHealthSources(n, p)
	l.checkOrigins(n, p)
}

// derivedID is the id of an object that came without one.
func derivedID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16])
}

// distinctRegions drops repetitions, which would give a region two votes, and says so.
func (l *loader) distinctRegions(n *node, codes []string) []string {
	var kept []string
	for i, code := range codes {
		if code == "" {
			continue // reported when it was read
		}
		if n.children[i].str == "IN" {
			l.warningAt(n.children[i], `the region code "IN" is out of use`, `"SAS", which is taken instead`)
		}
		if slices.Contains(kept, code) {
			l.warningAt(n.children[i], code+" is listed twice", "list every region once; it has one vote")
			continue
		}
		kept = append(kept, code)
	}
	return kept
}

func (l *loader) checkHealthSources(n *node, p *Pool) {
	if len(p.HealthSources) == 0 {
		p.HealthSources = nil
		return
	}
	sources := n.get("health_sources")
	if !slices.Equal(p.HealthSources, []string{"regional", "global"}) {
		l.errorAt(sources, "health_sources is "+short(string(compact(sources.raw()))), `["regional", "global"] or null`)
	} else if !n.get("check_regions").given() || len(p.CheckRegions) == 0 {
		l.errorAt(sources, "health_sources uses regional health and check_regions is empty", "at least one region in check_regions")
	}
}

func (l *loader) checkOrigins(n *node, p *Pool) {
	list := n.get("origins")
	if list == nil || list.kind != '[' {
		return // reported when it was read
	}
	if len(p.Origins) == 0 {
		l.errorAt(list, "origins is empty", "at least one origin")
	}
	names := uniqueness{l: l, list: list, member: "name", what: "origin name", want: "names that are unique within the pool"}
	endpoints := uniqueness{l: l, list: list, member: "address", what: "origin address"}
	for i := range p.Origins {
		o := &p.Origins[i]
		if o.Address == "" {
			continue // reported when it was read
		}
		names.add(i, o.Name, o.Name)
		var key string
		key, endpoints.want = l.endpointKey(o)
		endpoints.add(i, key, o.Address)
	}
}

// endpointKey is what must be unique within a pool. Cloudflare looks at the address alone; on one machine, several
// ports of one address are the usual case.
func (l *loader) endpointKey(o *Origin) (key, want string) {
	key = canonicalAddress(o.Address)
	if l.opt.Strict {
		return key, "addresses that are unique within the pool, whatever their ports"
	}
	return key + " " + strconv.Itoa(o.Port) + " " + o.VirtualNetworkID, "another address or port"
}

// uniqueness watches one member over the elements of a list.
type uniqueness struct {
	l                  *loader
	list               *node
	member, what, want string
	first              map[string]int // by key: the element that has it
}

// add takes the element i of the list in, and reports it when another one has its key. shown is the key as it was
// written.
func (u *uniqueness) add(i int, key, shown string) {
	first, twice := u.first[key]
	if twice {
		u.l.errorAt(in(u.list.children[i], u.member), fmt.Sprintf("%s %s is used twice, first at %s",
			u.what, quote(shown), in(u.list.children[first], u.member).pos()), u.want)
		return
	}
	if u.first == nil {
		u.first = map[string]int{}
	}
	u.first[key] = i
}

func (l *loader) checkOrigin(n *node, o *Origin) {
	if o.Name == "" {
		o.Name = strings.TrimPrefix(Identity{Address: o.Address, Port: o.Port}.String(), "/")
	}
	if l.opt.Strict && isInternal(o.Address) && o.VirtualNetworkID == "" {
		l.errorAt(in(n, "address"), o.Address+" is an internal address and virtual_network_id is not set", "a public address, or a virtual_network_id")
	}
}

func (l *loader) checkMonitor(n *node, m *Monitor) {
	l.defaultsByType(m)
	l.checkInterval(n, m)
	switch m.Type {
	case "http", "https":
		l.checkHTTPMonitor(n, m)
	case "tcp", "udp_icmp", "smtp":
		if m.Port == 0 && !failedToRead(n.get("port")) {
			l.errorAt(in(n, "port"), "a monitor of type "+m.Type+" has no port", "a port from 1 to 65535")
		}
	}
}

// failedToRead reports whether a member that decoded to zero said something else, which was reported already.
func failedToRead(n *node) bool { return n.given() && (n.kind != '0' || !isNumber(n, 0)) }

// defaultsByType fills the fields whose defaults depend on the type.
func (l *loader) defaultsByType(m *Monitor) {
	for name, value := range map[string]*string{"method": &m.Method, "path": &m.Path, "expected_codes": &m.ExpectedCodes} {
		if d := l.defaultWhen("monitor."+name, m.Type); d != nil && *value == "" {
			*value = d.str
		}
	}
}

// checkInterval wants rounds of probes to end before the next one begins.
func (l *loader) checkInterval(n *node, m *Monitor) {
	if m.Interval == 0 || m.Timeout == 0 {
		return // reported when they were read
	}
	if l.opt.Strict && m.Interval < 10*time.Second {
		l.errorAt(in(n, "interval"), fmt.Sprintf("interval is %d", m.Interval/time.Second), "10 to 3600 seconds, Cloudflare's range")
	}
	if worst := time.Duration(m.Retries+1) * m.Timeout; m.Interval <= worst {
		l.strictAt(in(n, "interval"), fmt.Sprintf("interval is %s and one round can take (retries+1) * timeout = %s", brief(m.Interval), brief(worst)),
			"an interval longer than that")
	}
}

func (l *loader) checkHTTPMonitor(n *node, m *Monitor) {
	if u := strings.ToUpper(m.Method); u == "GET" || u == "HEAD" {
		m.Method = u
	}
	if !isToken(m.Method) || strings.EqualFold(m.Method, "CONNECT") {
		l.errorAt(in(n, "method"), "method is "+quote(m.Method), "GET or HEAD")
	}
	if !isPath(m.Path) {
		l.errorAt(in(n, "path"), "path is "+quote(m.Path), `a path that begins with "/" and holds no spaces, no "#" and only ASCII`)
	}
	codes, ok := canonicalCodes(m.ExpectedCodes)
	if !ok {
		l.errorAt(in(n, "expected_codes"), "expected_codes is "+quote(m.ExpectedCodes), `a code ("200"), a class ("2xx"), or several with commas`)
	}
	m.ExpectedCodes = codes
}

// canonicalCodes accepts a comma-separated list of codes and classes. Ranges with a dash are refused by the API too.
func canonicalCodes(s string) (string, bool) {
	parts := strings.Split(s, ",")
	for i, part := range parts {
		part = strings.ToLower(strings.TrimSpace(part))
		if len(part) != 3 || part[0] < '1' || part[0] > '5' || (part[1:] != "xx" && !every(part, isDigit)) {
			return s, false
		}
		parts[i] = part
	}
	return strings.Join(parts, ","), true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// checkHeaderName looks at a monitor's header field n, which comes after those in before.
func (l *loader) checkHeaderName(n *node, before []HeaderField) {
	report := func(what, want string) {
		l.add(Problem{Pos: n.namePos(), Pointer: n.pointer(), What: what, Want: want})
	}
	switch {
	case !isToken(n.name):
		report(quote(n.name)+" is no header name", "letters, digits and hyphens")
	case strings.EqualFold(n.name, "User-Agent"):
		report("User-Agent cannot be set", "remove it; probes carry Cloudflare's")
	case slices.ContainsFunc(before, func(f HeaderField) bool { return strings.EqualFold(f.Name, n.name) }):
		report(quote(n.name)+" is given twice in different case", "one member with all its values")
	}
}

// checkMonitorHost: two Host fields make a request invalid (RFC 9112 §3.2).
func (l *loader) checkMonitorHost(n *node, f HeaderField) {
	if !strings.EqualFold(f.Name, "Host") || n.kind != '[' {
		return
	}
	if len(f.Values) != 1 {
		l.errorAt(n, "Host has "+plural(len(f.Values), "value"), "an array of one value")
	} else if f.Values[0] != "" && !isHostValue(f.Values[0]) {
		l.errorAt(n.children[0], "Host is "+quote(f.Values[0]), "a host name or address, with a port if need be")
	}
}

func (l *loader) checkGroup(n *node, g *MonitorGroup) {
	members := uniqueness{l: l, list: n.get("members"), member: "monitor_id", what: "monitor", want: "every monitor once"}
	for i, m := range g.Members {
		if m.MonitorID != "" {
			members.add(i, m.MonitorID, m.MonitorID)
		}
	}
}
