package health

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/weirlb/weir/config"
)

// allRegions stands for the thirteen regions in check_regions.
const allRegions = "ALL_REGIONS"

// regionCodes are Cloudflare's, in the order of its documentation.
var regionCodes = []string{
	"WNAM", "ENAM", "WEU", "EEU", "NSAM", "SSAM", "OC", "ME", "NAF", "SAF", "SAS", "SEAS", "NEAS",
}

// vantage is one place that probes: a region, or a data centre.
type vantage struct {
	name   string
	points int
	region config.Region // how it is staged
}

// vantages lists where a pool is probed from, without repetitions. Without check_regions every data centre probes, and
// judges its own traffic (local): each is one vantage point, and sees what its region is staged to see (behaviour H11).
func vantages(cfg *config.Config, p *config.Pool, scale Scale) (list []vantage, local bool) {
	if len(p.CheckRegions) == 0 {
		centres := cfg.Weir.DataCenters
		if len(centres) == 0 {
			centres = []config.Place{cfg.Weir.Location}
		}
		for _, c := range centres {
			list = append(list, vantage{name: c.PoP, points: 1, region: cfg.Weir.Regions[c.Region]})
		}
		return distinct(list), true
	}
	codes := p.CheckRegions
	if slices.Contains(codes, allRegions) {
		codes = regionCodes
	}
	points := 1
	if scale == ScaleFull {
		points = 3
	}
	for _, code := range codes {
		list = append(list, vantage{name: code, points: points, region: cfg.Weir.Regions[code]})
	}
	return distinct(list), false
}

func distinct(list []vantage) []vantage {
	seen := make(map[string]bool, len(list))
	return slices.DeleteFunc(list, func(v vantage) bool {
		again := seen[v.name]
		seen[v.name] = true
		return again
	})
}

// settings is all that the probes of one point depend on. When it changes, the point is probed anew.
type settings struct {
	target   Target
	stage    stage
	broken   string // why nothing can be probed; "" when it can
	up, down int
}

// sameProbe reports whether two settings ask for the same probes; thresholds only judge them.
func (s settings) sameProbe(other settings) bool {
	s.up, s.down = other.up, other.down
	return reflect.DeepEqual(s, other)
}

// settingsOf joins monitor, origin and vantage point into what a probe does.
func settingsOf(m *config.Monitor, p *config.Pool, o *config.Origin, v vantage) settings {
	s := settings{
		target: Target{Monitor: probed(m), Pool: p.ID, Address: o.Address, Port: probePort(m, o), Host: o.Host},
		stage: stage{
			delay: v.region.Delay,
			loss:  v.region.Loss,
			cut:   slices.Contains(v.region.Partition, p.Name+"/"+o.Name),
		},
		up: m.ConsecutiveUp, down: m.ConsecutiveDown,
	}
	if v.region.Source != "" {
		source, err := netip.ParseAddr(v.region.Source)
		if err != nil {
			s.broken = fmt.Sprintf("source %q of %s is not an address", v.region.Source, v.name)
		}
		s.target.Source = source
	}
	return s
}

// probePort: the monitor's, else the origin's, else the protocol's (behaviour H8).
func probePort(m *config.Monitor, o *config.Origin) int {
	switch {
	case m.Port > 0:
		return m.Port
	case o.Port > 0:
		return o.Port
	}
	return defaultPort(m.Type)
}

// probed leaves out what no probe depends on, so that a new description or a moved line restarts nothing.
func probed(m *config.Monitor) config.Monitor {
	return config.Monitor{
		Type: m.Type, Method: m.Method, Path: m.Path, Header: m.Header,
		Timeout: m.Timeout, Retries: m.Retries, Interval: m.Interval,
		ExpectedCodes: m.ExpectedCodes, ExpectedBody: m.ExpectedBody,
		FollowRedirects: m.FollowRedirects, AllowInsecure: m.AllowInsecure,
	}
}

// newCheck is the check of a point.
func newCheck(k pointKey, m *config.Monitor) *Check {
	name := k.monitor + " " + k.origin.identity.String() + " " + k.place + " " + strconv.Itoa(k.n)
	if k.origin.twin > 0 {
		name += " twin " + strconv.Itoa(k.origin.twin)
	}
	return &Check{Name: name, Interval: m.Interval, Timeout: m.Timeout, Retries: m.Retries}
}

// planned is a pool as a configuration asks for it, with the state that is kept from before.
type planned struct {
	now   time.Time
	known map[pointKey]*point // of the configuration before
	kept  map[pointKey]*point // of this one
	start []*point            // to be probed from now on
	stop  []*point            // to be probed no longer
}

// juror is a monitor that a pool is probed by, and what its verdict counts for.
type juror struct {
	monitor *config.Monitor
	role    role
}

// jury lists who probes a pool, and names what they are together: the pool's monitor group, else its monitor.
func jury(cfg *config.Config, p *config.Pool) (list []juror, name string) {
	if g, ok := cfg.GroupOf(p); ok {
		return membersOf(cfg, g), "group " + g.ID
	}
	if m, ok := cfg.MonitorOf(p); ok {
		return []juror{{m, voter}}, "monitor " + m.ID
	}
	return nil, ""
}

// membersOf lists the members that take part. Those whose monitor is not among the objects are passed over, and so are
// repetitions: a monitor has one voice.
func membersOf(cfg *config.Config, g *config.MonitorGroup) []juror {
	var list []juror
	seen := make(map[string]bool, len(g.Members))
	for i := range g.Members {
		r, ok := roleOf(&g.Members[i])
		m := cfg.MonitorByID(g.Members[i].MonitorID)
		if !ok || m == nil || seen[m.ID] {
			continue
		}
		seen[m.ID] = true
		list = append(list, juror{m, r})
	}
	return list
}

// votes reports whether somebody among them does. Otherwise the pool is not monitored, though it may be watched.
func votes(list []juror) bool {
	return slices.ContainsFunc(list, func(j juror) bool { return j.role != watcher })
}

// plan turns a pool's configuration into beliefs, taking over what old already believed.
func (pl *planned) plan(cfg *config.Config, p *config.Pool, old *pool, scale Scale, cell func(place string) *RTT) *pool {
	probing, judge := jury(cfg, p)
	next := &pool{cfg: p, judge: judge, monitored: votes(probing)}
	var from []vantage
	if len(probing) > 0 {
		from, next.local = vantages(cfg, p, scale)
	}
	next.profiles = profilesOf(next.monitored, from, cell)
	before := remembered(old, next)
	twins := make(map[config.Identity]int, len(p.Origins))
	for i := range p.Origins {
		o := &origin{cfg: &p.Origins[i], key: originKey{identity: p.Identity(i)}, given: make([]time.Duration, len(next.profiles))}
		o.live = p.Enabled && o.cfg.Enabled
		o.key.twin = twins[o.key.identity]
		twins[o.key.identity]++
		pl.planOrigin(next, o, probing, from, before[o.key])
		next.origins = append(next.origins, o)
	}
	next.recount()
	return next
}

// profilesOf is a profile for each place, and a global one.
func profilesOf(monitored bool, from []vantage, cell func(place string) *RTT) []profile {
	if !monitored {
		return nil
	}
	list := make([]profile, 0, len(from)+1)
	for _, v := range from {
		list = append(list, profile{place: v.name, cell: cell(v.name)})
	}
	return append(list, profile{place: Everywhere, cell: cell(Everywhere)})
}

// remembered lists the origins whose verdicts next takes over from old: those judged by the same monitor or group.
func remembered(old, next *pool) map[originKey]*origin {
	if old == nil || !old.monitored || !next.monitored || old.judge != next.judge {
		return nil
	}
	m := make(map[originKey]*origin, len(old.origins))
	for _, o := range old.origins {
		m[o.key] = o
	}
	return m
}

// planOrigin fills in an origin. An origin that is enabled again starts from unknown: what was true when it was
// disabled need not be. A disabled one keeps its verdict as it was (behaviour H15).
func (pl *planned) planOrigin(p *pool, o *origin, probing []juror, from []vantage, was *origin) {
	if was == nil || o.live && !was.live {
		was = &origin{}
	}
	o.global = was.global
	for _, j := range probing {
		m := pl.planMember(p, o, j, from, was.member(j.monitor.ID))
		o.members = append(o.members, m)
		if j.role != watcher {
			o.voters = append(o.voters, m)
		}
	}
	if !p.monitored {
		return
	}
	for _, v := range from {
		o.places = append(o.places, view{v.name, was.verdictFrom(v.name)})
	}
	o.rejoin(pl.now)
	p.measure(o)
}

// planMember fills in one monitor's view of an origin.
func (pl *planned) planMember(p *pool, o *origin, j juror, from []vantage, was *member) *member {
	m := &member{monitor: j.monitor.ID, role: j.role, global: was.global}
	for _, v := range from {
		next := &place{name: v.name, verdict: was.verdictFrom(v.name)}
		for n := range v.points {
			key := pointKey{m.monitor, o.key, v.name, n}
			pt := pl.point(key, settingsOf(j.monitor, p.cfg, o.cfg, v), j.monitor, o.live)
			pt.pool, pt.origin, pt.member, pt.place = p, o, m, next
			next.points = append(next.points, pt)
		}
		next.rejoin(pl.now)
		m.places = append(m.places, next)
	}
	m.rejoin(pl.now)
	return m
}

// member is the view of one monitor; an empty one when it has none.
func (o *origin) member(monitor string) *member {
	for _, m := range o.members {
		if m.monitor == monitor {
			return m
		}
	}
	return &member{}
}

func (m *member) verdictFrom(place string) Verdict {
	for _, pl := range m.places {
		if pl.name == place {
			return pl.verdict
		}
	}
	return Verdict{}
}

func (o *origin) verdictFrom(place string) Verdict {
	for i := range o.places {
		if o.places[i].place == place {
			return o.places[i].verdict
		}
	}
	return Verdict{}
}

// point returns the point for key: the one there was, unless it is to be probed again after a pause.
func (pl *planned) point(key pointKey, s settings, m *config.Monitor, live bool) *point {
	pt := pl.known[key]
	if pt == nil || live && pt.check == nil {
		pt = &point{verdict: Verdict{Since: pl.now}}
	}
	pl.kept[key] = pt
	probing := pt.check != nil
	changed := probing && !pt.settings.sameProbe(s)
	pt.settings = s
	if probing && (!live || changed) {
		pl.stop = append(pl.stop, &point{check: pt.check, cancel: pt.cancel})
		pt.check, pt.cancel = nil, nil
	}
	if live && pt.check == nil {
		pt.check = newCheck(key, m)
		pl.start = append(pl.start, pt)
	}
	return pt
}
