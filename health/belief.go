package health

import (
	"net/netip"
	"slices"
	"time"

	"github.com/weirlb/weir/config"
)

// What is believed, from the bottom up: a point is one vantage point's view of one origin, by one monitor; points join
// into a place (a region, or a data centre), places into the monitor's verdict everywhere. Then the monitors join, place
// by place and everywhere: without a monitor group there is one, and it is right. Origins join into the pool's state.
// Nothing here waits or locks: the Engine holds its lock around all of it.

// pointKey is what a point's state is kept by, across reloads (behaviour H18).
type pointKey struct {
	monitor string
	origin  originKey
	place   string
	n       int // which of the place's vantage points
}

// originKey tells the origins of all pools apart, even two that share an identity.
type originKey struct {
	identity config.Identity
	twin     int // how many origins before it in the pool have the same identity
}

// point is one vantage point's view of one origin.
type point struct {
	settings settings
	check    *Check // nil: not probed, and the verdict is frozen
	cancel   func() // ends the running attempt
	attempts uint64 // so far: the dice of each differ

	pool   *pool
	origin *origin
	member *member
	place  *place

	counter counter
	verdict Verdict
	rtt     ewma
	ip      netip.Addr // last reached
}

// observe takes in the result of a round.
func (pt *point) observe(now time.Time, r Result) {
	was := pt.counter.status
	pt.counter = pt.counter.observe(r.Passed(), pt.settings.up, pt.settings.down)
	v := &pt.verdict
	v.Status, v.Checked = pt.counter.status, now
	if v.Status != was {
		v.Since = now
	}
	if r.ResponseCode != 0 {
		v.ResponseCode = r.ResponseCode
	}
	if r.Passed() {
		v.RTT = r.RTT
		pt.rtt = pt.rtt.observe(r.RTT)
	}
	if r.IP.IsValid() {
		pt.ip = r.IP
	}
	switch {
	case v.Status == Up:
		v.Reason, v.Detail = NoFailures, ""
	case !r.Passed(): // a pass that is not yet enough leaves the reason of the last failure
		v.Reason, v.Detail = r.Reason, r.Detail
	}
}

// place is one region's, or one data centre's, view of one origin, by one monitor.
type place struct {
	name    string
	points  []*point
	verdict Verdict
}

func (pl *place) rejoin(now time.Time) {
	parts := make([]Verdict, len(pl.points))
	for i, pt := range pl.points {
		parts[i] = pt.verdict
	}
	pl.verdict = join(pl.verdict, parts, now)
}

// member is one monitor's view of one origin.
type member struct {
	monitor string // id
	role    role
	places  []*place
	global  Verdict
}

func (m *member) rejoin(now time.Time) {
	parts := make([]Verdict, len(m.places))
	for i, pl := range m.places {
		parts[i] = pl.verdict
	}
	m.global = join(m.global, parts, now)
}

// view is one place's view of one origin, by all monitors that vote.
type view struct {
	place   string
	verdict Verdict
}

// origin is everything believed of one origin.
type origin struct {
	key     originKey
	cfg     *config.Origin
	live    bool      // it and its pool are enabled: it is probed, and counts
	members []*member // whose probes run
	voters  []*member // those of them that count; none in an unmonitored pool
	places  []view    // in the order of each member's places; none in an unmonitored pool
	global  Verdict
	given   []time.Duration // to the pool's profiles
	// picture is what the Table was last told of the places; nil when they have changed since.
	picture map[string]Verdict
}

func (o *origin) rejoin(now time.Time) {
	for i := range o.places {
		v := &o.places[i].verdict
		*v = o.agree(*v, func(m *member) Verdict { return m.places[i].verdict }, now)
	}
	o.global = o.agree(o.global, func(m *member) Verdict { return m.global }, now)
	o.picture = nil
}

// health is the immutable form of o.
func (o *origin) health() OriginHealth {
	if o.picture == nil {
		o.picture = make(map[string]Verdict, len(o.places))
		for i := range o.places {
			o.picture[o.places[i].place] = o.places[i].verdict
		}
	}
	return OriginHealth{Identity: o.key.identity, Global: o.global, Places: o.picture}
}

// ip is the address last reached, by any monitor from any place; "" for none.
func (o *origin) ip() string {
	for _, m := range o.members {
		for _, pl := range m.places {
			for _, pt := range pl.points {
				if pt.ip.IsValid() {
					return pt.ip.String()
				}
			}
		}
	}
	return ""
}

// join makes one verdict of several vantage points', or of several places', by quorum.
func join(was Verdict, parts []Verdict, now time.Time) Verdict {
	statuses := make([]Status, len(parts))
	for i, p := range parts {
		statuses[i] = p.Status
	}
	return settle(was, quorum(statuses), parts, parts, now)
}

// settle makes one verdict of several whose joint status is s, with its particulars from the parts; the reason of a
// failure comes from the culprits among them. A verdict once reached is held until its opposite is certain: new vantage
// points, without a result, do not make a known origin unknown.
func settle(was Verdict, s Status, parts, culprits []Verdict, now time.Time) Verdict {
	v := was
	if s != Unknown && s != was.Status {
		v.Status, v.Since = s, now
	}
	switch v.Status {
	case Up:
		v.Reason, v.Detail = NoFailures, ""
	case Down:
		v.Reason, v.Detail = commonReason(was, culprits)
	case Unknown:
	}
	var answered time.Time
	for _, p := range parts {
		if p.Checked.After(v.Checked) {
			v.Checked = p.Checked
		}
		if p.Checked.After(answered) {
			answered, v.ResponseCode = p.Checked, p.ResponseCode
		}
	}
	v.RTT = latestRTT(parts)
	return v
}

// commonReason is the reason most parts are down for, the first of them on a tie, with its first detail.
func commonReason(was Verdict, parts []Verdict) (reason, detail string) {
	count := make(map[string]int, 1)
	for _, p := range parts {
		if p.Status == Down {
			count[p.Reason]++
		}
	}
	best := 0
	for _, p := range parts {
		if p.Status == Down && count[p.Reason] > best {
			best, reason, detail = count[p.Reason], p.Reason, p.Detail
		}
	}
	if best == 0 {
		return was.Reason, was.Detail // held
	}
	return reason, detail
}

func latestRTT(parts []Verdict) time.Duration {
	var rtt time.Duration
	var checked time.Time
	for _, p := range parts {
		if p.RTT > 0 && p.Checked.After(checked) {
			rtt, checked = p.RTT, p.Checked
		}
	}
	return rtt
}

// pool is everything believed of one pool.
type pool struct {
	cfg       *config.Pool
	judge     string // which monitor or group says what is up; of no meaning when unmonitored
	monitored bool   // somebody votes
	local     bool   // places are data centres
	origins   []*origin
	profiles  []profile // one for each place and a global one; none when unmonitored
	tally     Tally     // of the live origins
	state     PoolState
	published time.Time
}

// recount makes tally and state what the origins say.
func (p *pool) recount() {
	p.tally = Tally{Monitored: p.monitored, Minimum: p.cfg.MinimumOrigins}
	for _, o := range p.origins {
		if !o.live {
			continue
		}
		p.tally.Enabled++
		p.tally.add(o.global.Status, 1)
	}
	p.state = p.tally.State()
	if !p.cfg.Enabled {
		p.state = PoolUnknown
	}
}

// moved keeps the tally when one live origin's status changed: a count over a large pool for each would be dear.
func (p *pool) moved(from, to Status) {
	p.tally.add(from, -1)
	p.tally.add(to, 1)
	p.state = p.tally.State()
}

// picture is the immutable form of p.
func (p *pool) picture() *PoolHealth {
	ph := &PoolHealth{
		Pool: p.cfg.ID, Monitored: p.monitored, Local: p.monitored && p.local, Sources: p.sources(), RTT: p.rtts(),
		Origins: make([]OriginHealth, len(p.origins)),
	}
	for i, o := range p.origins {
		ph.Origins[i] = o.health()
	}
	return ph
}

// sources are those whose verdicts count for requests, in the order of precedence (behaviour M5).
func (p *pool) sources() []string {
	switch {
	case !p.monitored:
		return nil
	case p.local:
		return []string{SourceLocal, SourceGlobal}
	case slices.Contains(p.cfg.HealthSources, SourceRegional):
		return []string{SourceRegional, SourceGlobal}
	default:
		return []string{SourceGlobal} // regions do not judge unless asked to
	}
}

// pace is the shortest time between two pictures of a pool. A picture costs time in proportion to the pool, so a small
// pool's is always current, and ten thousand origins are drawn five times a second.
func (p *pool) pace() time.Duration {
	const small, each = 64, 20 * time.Microsecond
	if len(p.origins) <= small {
		return 0
	}
	return time.Duration(len(p.origins)) * each
}

// sameStatuses reports whether a decision could not tell two pictures apart.
func sameStatuses(a, b *PoolHealth) bool {
	if a == nil || b == nil || a.Monitored != b.Monitored || a.Local != b.Local || !slices.Equal(a.Sources, b.Sources) || len(a.Origins) != len(b.Origins) {
		return false
	}
	for i := range a.Origins {
		x, y := &a.Origins[i], &b.Origins[i]
		if x.Identity != y.Identity || x.Global.Status != y.Global.Status || len(x.Places) != len(y.Places) {
			return false
		}
		for name, v := range x.Places {
			if w, ok := y.Places[name]; !ok || v.Status != w.Status {
				return false
			}
		}
	}
	return true
}
