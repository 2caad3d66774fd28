package balancer

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/steering/steeringtest"
)

func affine(l config.LoadBalancer, kind string, ttl int) config.LoadBalancer {
	l.SessionAffinity, l.SessionAffinityTTL = kind, time.Duration(ttl)*time.Second
	l.SessionAffinityAttributes = config.SessionAffinityAttributes{SameSite: "Auto", Secure: "Auto", ZeroDowntimeFailover: "none"}
	return l
}

// browser is a client that keeps what it is told.
type browser struct {
	w      *world
	r      *Request
	cookie string
	header fields
	seed   uint64
}

func (w *world) browser(n uint64) *browser { return &browser{w: w, r: client(n, n), seed: n * 1000} }

// ask decides one request at a time, of which the origins named refuse, and returns where it went, its reason and whether
// a cookie was set: "A/o1 session", "A/o2 steered set", "521".
func (b *browser) ask(seconds float64, refuse ...string) string {
	b.seed++
	b.r.Seed, b.r.Now = b.seed, at(seconds)
	f := fields{}
	for name, lines := range b.header {
		f[name] = lines
	}
	if b.cookie != "" {
		f["cookie"] = append(f["cookie"], "a=b; "+CookieName+"="+b.cookie)
	}
	b.r.Fields = f
	var trail Trail
	for {
		d := b.w.snapshot.Direct(b.r, &trail)
		if d.Kind != ToOrigin {
			return fmt.Sprint(d.Status)
		}
		if strings.Contains(strings.Join(refuse, " "), where(d)) {
			if !trail.Failed(Failure{Class: ConnectRefused}) {
				return "521"
			}
			continue
		}
		return where(d) + " " + d.Reason.String() + b.take(&d)
	}
}

// take does what the head of the answer says.
func (b *browser) take(d *Decision) string {
	d.Session.Remember()
	set := d.Session.AppendSetCookie(nil)
	if (len(set) > 0) != d.Session.SetsCookie() {
		b.w.t.Fatalf("set %q", set)
	}
	if len(set) == 0 {
		return ""
	}
	value, ok := strings.CutPrefix(string(set), CookieName+"=")
	if !ok {
		b.w.t.Fatalf("set %q", set)
	}
	b.cookie, _, _ = strings.Cut(value, ";")
	return " set"
}

// expect is ask, which must tell what is wanted.
func (b *browser) expect(seconds float64, want string, refuse ...string) {
	b.w.t.Helper()
	if got := b.ask(seconds, refuse...); got != want {
		b.w.t.Errorf("at %v s: got %q, want %q", seconds, got, want)
	}
}

// begin asks until a session begins at an origin.
func (w *world) begin(want string) *browser {
	for n := range uint64(1000) {
		b := w.browser(n)
		if strings.HasPrefix(b.ask(0), want+" ") {
			return b
		}
	}
	w.t.Fatalf("no session begins at %s", want)
	return nil
}

// Behaviour N1: ttl 1800, set at 0; at 600, 1200 and 1799 the same origin and no new cookie; at 1801 a new selection and a
// new cookie. Use prolongs nothing.
func TestSessionByCookie(t *testing.T) {
	w := newWorld(t, affine(lb("A", "A"), "cookie", 1800), pool("A", 20))
	for n := range uint64(50) {
		b := w.browser(n)
		first := b.ask(0)
		home, set := strings.CutSuffix(first, " steered set")
		if !set {
			t.Fatalf("first %q", first)
		}
		for _, seconds := range []float64{600, 1200, 1799} {
			b.expect(seconds, home+" session")
		}
		old := b.cookie
		if got := b.ask(1801); !strings.HasSuffix(got, " steered set") || b.cookie == old {
			t.Fatalf("at 1801: %q", got)
		}
	}
}

// Behaviour N1: a session spreads no differently from what began it, and one of many clients each keeps its own.
func TestSessionsSpreadByWeight(t *testing.T) {
	w := newWorld(t, affine(lb("A", "A"), "cookie", 1800), weigh(pool("A", 2), 25, 75))
	counts := []int{0, 0}
	for n := range uint64(20000) {
		b := w.browser(n)
		b.ask(0)
		counts[strings.Index("12", b.ask(1)[3:4])]++
	}
	steeringtest.Fits(t, counts, []float64{.25, .75})
}

// Behaviour N1: a broken, foreign or forged cookie is none.
func TestCookiesThatAreNone(t *testing.T) {
	w := newWorld(t, affine(lb("A", "A"), "cookie", 1800), pool("A", 1))
	b := w.browser(1)
	for _, value := range []string{
		"x", strings.Repeat("1", 39),
		string(NewSealer([]byte("another key")).AppendValue(nil, "lb", w.snapshot.Pool("A").Origins[0].Live.ID, at(1000))),
		string(w.sessions.sealer.AppendValue(nil, "another", w.snapshot.Pool("A").Origins[0].Live.ID, at(1000))),
		string(w.sessions.sealer.AppendValue(nil, "lb", 4711, at(1000))), // an origin nobody knows
	} {
		b.cookie = value
		b.expect(0, "A/o1 steered set")
	}
	b.expect(1, "A/o1 session")
	other := affine(lb("A", "A"), "none", 0)
	w.reload(func(c *config.Config) { c.LoadBalancers[0] = other })
	b.expect(2, "A/o1 steered") // the load balancer has no sessions any more
}

// Behaviour N2: the attributes of the cookie.
func TestSetCookie(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		samesite, secure string
		always           *bool
		tls              bool
		want             string // after HttpOnly
	}{
		{"Auto", "Auto", &yes, false, "; Secure; SameSite=Lax"},
		{"Auto", "Auto", &no, true, "; SameSite=None"},
		{"Auto", "Auto", nil, true, "; Secure; SameSite=Lax"},
		{"Auto", "Auto", nil, false, "; SameSite=None"},
		{"Strict", "Always", nil, false, "; Secure; SameSite=Strict"},
		{"Lax", "Never", nil, true, "; SameSite=Lax"},
		{"None", "Always", &no, false, "; Secure; SameSite=None"},
		{"None", "Auto", &yes, false, "; Secure; SameSite=None"},
	} {
		w := newWorld(t, affine(lb("A", "A"), "cookie", 82800), pool("A", 1))
		w.reload(func(c2 *config.Config) {
			c2.Weir.Sessions.AlwaysUseHTTPS = c.always
			a := &c2.LoadBalancers[0].SessionAffinityAttributes
			a.SameSite, a.Secure = c.samesite, c.secure
		})
		r := request(1)
		r.Now, r.Secure = epoch.In(time.FixedZone("", 3600)), c.tls
		d := w.snapshot.Direct(r, &Trail{})
		got := string(d.Session.AppendSetCookie([]byte("Set-Cookie: ")))
		value, rest, _ := strings.Cut(strings.TrimPrefix(got, "Set-Cookie: __cflb="), ";")
		want := " Path=/; Max-Age=82800; Expires=Mon, 02 Mar 2026 11:00:00 GMT; HttpOnly" + c.want
		if rest != want || len(value) != 39 {
			t.Errorf("%+v:\ngot  %s\nwant %s", c, got, want)
		}
	}
}

// Behaviour N3: the first selection follows from the client's address, whatever the policies; then the cookie.
func TestSessionByAddress(t *testing.T) {
	l := steer(affine(lb("A", "A", "B"), "ip_cookie", 1800), "random")
	w := newWorld(t, l, pool("A", 4), policy(pool("B", 4), "least_connections"))
	counts := map[string]int{}
	for n := range uint64(2000) {
		b, again := w.browser(n), w.browser(n)
		again.seed += 500
		first, second := b.ask(0), again.ask(0)
		if first != second || !strings.HasSuffix(first, " steered set") {
			t.Fatalf("client %d: %s, then %s", n, first, second)
		}
		counts[first]++
		b.expect(1, strings.Replace(first, "steered set", "session", 1))
	}
	observed := []int{}
	for _, n := range counts {
		observed = append(observed, n)
	}
	steeringtest.Fits(t, observed, []float64{.125, .125, .125, .125, .125, .125, .125, .125})

	// The last resort too, among origins of weight 0.
	w = newWorld(t, affine(lb("A", "A"), "ip_cookie", 1800), weigh(pool("A", 4), 0, 0, 0, 0))
	if a, b := w.browser(7).ask(0), w.browser(7); a != b.ask(0) || !strings.Contains(a, "! last_resort set") {
		t.Errorf("%s", a)
	}
}

func headers(l config.LoadBalancer, all bool, items ...string) config.LoadBalancer {
	l.SessionAffinityAttributes.Headers, l.SessionAffinityAttributes.RequireAllHeaders = items, all
	return l
}

// Behaviour N4: headers [x-user, x-tenant], ttl 60. Used at 0, 50 and 100 a session is alive; at 161 it is over.
func TestSessionByHeader(t *testing.T) {
	w := newWorld(t, headers(affine(lb("A", "A"), "header", 60), false, "x-user", "X-Tenant"), pool("A", 200))
	one := fields{"x-user": {"1"}}
	b := w.browser(1)
	b.header = one
	first := b.ask(0)
	home, ok := strings.CutSuffix(first, " steered")
	if !ok {
		t.Fatalf("first %q", first) // and no cookie
	}
	other := w.browser(2) // another client with the same headers is in the same session
	other.header = one
	b.expect(50, home+" session")
	other.expect(100, home+" session")
	b.expect(159, home+" session")
	if got := b.ask(159 + 61); !strings.HasSuffix(got, " steered") {
		t.Errorf("61 s after its last use: %s", got)
	}

	different := func(f fields) bool {
		s := w.browser(3)
		s.header = f
		a := s.ask(300)
		return strings.HasSuffix(a, " steered") && s.ask(301) == strings.Replace(a, "steered", "session", 1)
	}
	for _, f := range []fields{
		{"x-user": {"1"}, "x-tenant": {"9"}}, {"x-user": {"2"}}, {"x-tenant": {"1"}}, {"x-user": {"1", "2"}}, {"x-user": {"12"}}, {"x-user": {""}},
	} {
		if !different(f) {
			t.Errorf("%v is not a session of its own", f)
		}
	}
	if w.sessions.Len() == 0 {
		t.Error("no sessions are kept")
	}
	n := w.sessions.Len()
	nobody := w.browser(4)
	if nobody.ask(300); w.sessions.Len() != n {
		t.Error("a request without the headers began a session")
	}
}

// Behaviour N4: a session that an answer never used is not prolonged, and one is over exactly at its end.
func TestHeaderSessionsEnd(t *testing.T) {
	w := newWorld(t, headers(affine(lb("A", "A"), "header", 60), false, "x-user"), pool("A", 200))
	b := w.browser(1)
	b.header = fields{"x-user": {"1"}}
	home := strings.TrimSuffix(b.ask(0), " steered")
	b.expect(59.9, "521", home)
	if got := b.ask(60); !strings.HasSuffix(got, " steered") {
		t.Errorf("at its end: %s", got)
	}
}

// Behaviour N4: require_all_headers, and cookies as headers.
func TestSessionKeys(t *testing.T) {
	for _, c := range []struct {
		all    bool
		items  string
		fields fields
		want   bool
	}{
		{false, "x-user x-tenant", fields{"x-user": {"1"}}, true},
		{true, "x-user x-tenant", fields{"x-user": {"1"}}, false},
		{true, "x-user x-tenant", fields{"x-user": {"1"}, "x-tenant": {"9"}}, true},
		{false, "x-user", fields{}, false},
		{false, "cookie", fields{"cookie": {"a=1"}}, true},
		{false, "cookie", fields{"x-user": {"1"}}, false},
		{false, "cookie:a,b", fields{"cookie": {"a=1; c=2"}}, true},
		{true, "cookie:a,b", fields{"cookie": {"a=1; c=2"}}, false},
		{true, "cookie:a,b", fields{"cookie": {"a=1; b=2"}}, true},
		{false, "cookie:a,b", fields{"cookie": {"c=2"}}, false},
	} {
		w := newWorld(t, headers(affine(lb("A", "A"), "header", 60), c.all, strings.Fields(c.items)...), pool("A", 1))
		b := w.browser(1)
		b.header = c.fields
		if b.ask(0); (w.sessions.Len() == 1) != c.want {
			t.Errorf("%s, all %v, of %v: %d sessions", c.items, c.all, c.fields, w.sessions.Len())
		}
	}
	// The same value of another field is another session.
	other := newWorld(t, headers(affine(lb("A", "A"), "header", 60), false, "x-user"), pool("A", 1))
	c := other.browser(1)
	c.header = fields{"x-user": {"1"}, "x-tenant": {"1"}}
	c.ask(0)
	other.reload(func(c *config.Config) { c.LoadBalancers[0] = headers(c.LoadBalancers[0], false, "x-tenant") })
	c.expect(1, "A/o1 steered")
	// A cookie that is not named does not count.
	w := newWorld(t, headers(affine(lb("A", "A"), "header", 60), false, "cookie:a"), pool("A", 50))
	b := w.browser(1)
	b.header = fields{"cookie": {"a=1; c=2"}}
	home := strings.TrimSuffix(b.ask(0), " steered")
	b.header = fields{"cookie": {"c=3; a=1"}}
	b.expect(1, home+" session")
}

// Behaviour N5: off, [A,B]; A goes down, the client gets a cookie for B; A recovers at 300: it stays with B until its
// cookie expires, and new clients go to A.
func TestASessionOutlivesRecovery(t *testing.T) {
	w := newWorld(t, affine(lb("A", "A", "B"), "cookie", 1800), pool("A", 1), pool("B", 1))
	w.believe("A", "D")
	b := w.browser(1)
	b.expect(0, "B/o1 steered set")
	w.believe("A", "U")
	b.expect(300, "B/o1 session")
	w.browser(2).expect(300, "A/o1 steered set")
	b.expect(1800, "A/o1 steered set")
}

// Behaviour N5: what breaks a session gets the client a new origin and a new cookie, and what does not, neither.
func TestWhatBreaksASession(t *testing.T) {
	change := func(f func(c *config.Config)) func(*world) { return func(w *world) { w.reload(f) } }
	for _, c := range []struct {
		why    string
		change func(w *world)
		breaks bool
	}{
		{"nothing", func(*world) {}, false},
		{"origin unhealthy", func(w *world) { w.believe("B", "UDU") }, true},
		{"origin removed", change(func(c *config.Config) { c.Pools[1].Origins = append(c.Pools[1].Origins[:1:1], c.Pools[1].Origins[2]) }), true},
		{"origin disabled", change(func(c *config.Config) { c.Pools[1].Origins[1].Enabled = false }), true},
		{"pool removed from the load balancer", change(func(c *config.Config) { c.LoadBalancers[0].DefaultPools = []string{"A"} }), true},
		{"pool disabled", change(func(c *config.Config) { c.Pools[1].Enabled = false }), true},
		{"pool critical", func(w *world) {
			w.reload(func(c *config.Config) { c.Pools[1].MinimumOrigins = 3 })
			w.believe("B", "DUU")
		}, true},
		{"session shed", change(func(c *config.Config) { c.Pools[1].LoadShedding = &config.LoadShedding{SessionPercent: 100} }), true},
		{"new traffic shed", change(func(c *config.Config) { c.Pools[1].LoadShedding = &config.LoadShedding{DefaultPercent: 100} }), false},
		{"weight 0", change(func(c *config.Config) { c.Pools[1].Origins[1].Weight = 0 }), false},
		{"a pool before it recovers", func(w *world) { w.believe("A", "UU") }, false},
		{"origin policy", change(func(c *config.Config) { c.Pools[1].OriginSteering.Policy = "hash" }), false},
		{"pool policy", change(func(c *config.Config) { c.LoadBalancers[0].SteeringPolicy = "proximity" }), false},
		{"pool last in the list", change(func(c *config.Config) { c.LoadBalancers[0].DefaultPools = []string{"A", "F", "B"} }), false},
		{"pool in a map only", change(func(c *config.Config) {
			c.LoadBalancers[0].DefaultPools, c.LoadBalancers[0].RegionPools = []string{"A"}, map[string][]string{"OC": {"B"}}
		}), false},
		{"pool the fallback only", change(func(c *config.Config) {
			c.LoadBalancers[0].DefaultPools, c.LoadBalancers[0].FallbackPool = []string{"A"}, "B"
		}), false},
		{"renamed", change(func(c *config.Config) { c.Pools[1].Origins[1].Name = "o9" }), false},
	} {
		t.Run(c.why, func(t *testing.T) {
			w := newWorld(t, affine(lb("F", "A", "B"), "cookie", 1800), pool("A", 2), pool("B", 3), pool("F", 1))
			w.t = t
			w.believe("A", "DD")
			b := w.begin("B/o2")
			home := w.snapshot.Pool("B").Origins[1].Live
			c.change(w)
			got := b.ask(10)
			if broken := strings.HasSuffix(got, " set"); broken != c.breaks || broken == strings.HasSuffix(got, " session") {
				t.Errorf("then %s", got)
			}
			if !c.breaks {
				d := w.snapshot.Direct(b.r, &Trail{})
				if d.Origin.Live != home || d.Session.Action != SessionKept {
					t.Errorf("then to %v, session %v", d.Origin.Live.Identity, d.Session.Action)
				}
			} else {
				b.expect(11, strings.TrimSuffix(strings.Fields(got)[0], "!")+" session")
			}
		})
	}
}

// Behaviour N6: ttl 5000, drain 60, disabled at 12:00:00. A session goes there at 12:00:59 and not at 12:01:00; a new
// client never does.
func TestDrain(t *testing.T) {
	l := affine(lb("A", "A"), "cookie", 5000)
	l.SessionAffinityAttributes.DrainDuration = 60 * time.Second
	drained := func(w *world) {
		w.reload(func(c *config.Config) {
			c.Pools[0].Origins[1].Enabled, c.Pools[0].Origins[1].DisabledAt.Time = false, epoch
		})
	}
	w := newWorld(t, l, pool("A", 2))
	b := w.begin("A/o2")
	drained(w)
	b.expect(0, "A/o2 session")
	b.expect(59, "A/o2 session")
	for n := range uint64(100) {
		w.browser(n).expect(30, "A/o1 steered set")
	}
	late := *b
	b.expect(60, "A/o1 steered set")
	w.reload(func(c *config.Config) { c.LoadBalancers[0].SessionAffinityAttributes.DrainDuration = 0 })
	late.expect(1, "A/o1 steered set") // 0: at once

	// The verdict froze when probes ended: known down is down, and never judged is not known to be down (G33).
	for _, c := range []struct{ health, want string }{{"UD", "A/o1 steered set"}, {"U?", "A/o2 session"}, {"UU", "A/o2 session"}} {
		w := newWorld(t, l, pool("A", 2))
		b := w.begin("A/o2")
		drained(w)
		w.believe("A", c.health)
		b.expect(1, c.want)
	}

	// Without disabled_at nobody knows when it began; without a monitor nothing is known to be down; without an address
	// there is nothing to drain to.
	w = newWorld(t, l, pool("A", 2))
	b = w.begin("A/o2")
	w.reload(func(c *config.Config) { c.Pools[0].Origins[1].Enabled = false })
	b.expect(1, "A/o1 steered set")
	w = newWorld(t, l, unmonitored(pool("A", 2)))
	b = w.begin("A/o2")
	drained(w)
	b.expect(1, "A/o2 session")
	w.reload(func(c *config.Config) { c.Pools[0].Origins[0].Enabled = false })
	b.expect(2, "A/o2 session") // the pool is empty for everybody else
	w.browser(9).expect(2, "530")

	// Disabling the pool gives no drain (G18), nor does leaving it critical.
	w = newWorld(t, l, pool("A", 2))
	b = w.begin("A/o2")
	drained(w)
	critical := *b
	w.reload(func(c *config.Config) { c.Pools[0].Enabled, c.Pools[0].DisabledAt.Time = false, epoch })
	b.expect(1, "530")
	w.reload(func(c *config.Config) { c.Pools[0].Enabled, c.Pools[0].MinimumOrigins = true, 2 })
	critical.expect(1, "A/o1! last_resort set")
}

// A session at the origin of an unresolved name is broken, drained or not (behaviour N5, P12).
func TestASessionNeedsAnAddress(t *testing.T) {
	p := pool("A", 2)
	p.Origins[1].Address = "one.test"
	l := affine(lb("A", "A"), "cookie", 5000)
	l.SessionAffinityAttributes.DrainDuration = time.Minute
	w := newWorld(t, l, p)
	w.names["one.test"] = []netip.Addr{netip.MustParseAddr("192.0.2.9")}
	w.refresh("A")
	b := w.begin("A/o2")
	c := *b
	w.names["one.test"] = nil
	w.refresh("A")
	b.expect(1, "A/o1 steered set")
	w.reload(func(c *config.Config) {
		c.Pools[0].Origins[1].Enabled, c.Pools[0].Origins[1].DisabledAt.Time = false, epoch
	})
	c.expect(1, "A/o1 steered set")
}

// Behaviour N7, R1: the rows of the table of zero_downtime_failover, and the first request of a session (G40).
func TestZeroDowntimeFailover(t *testing.T) {
	for _, c := range []struct {
		kind, failover string
		want           []string // asked again and again, while the first origin refuses; then once without
	}{
		{"cookie", "none", []string{"521", "521", "A/o1 session"}},
		{"cookie", "temporary", []string{"A/o2 retry", "A/o2 retry", "A/o1 session"}},
		{"cookie", "sticky", []string{"A/o2 retry set", "A/o2 session", "A/o2 session"}},
		{"ip_cookie", "sticky", []string{"A/o2 retry set", "A/o2 session", "A/o2 session"}},
		{"header", "none", []string{"521", "521", "A/o1 session"}},
		{"header", "temporary", []string{"A/o2 retry", "A/o2 retry", "A/o1 session"}},
		{"header", "sticky", []string{"A/o2 retry", "A/o2 retry", "A/o1 session"}}, // acts as temporary (G19)
	} {
		t.Run(c.kind+" "+c.failover, func(t *testing.T) {
			l := headers(affine(lb("A", "A"), c.kind, 3600), false, "x-user")
			l.SessionAffinityAttributes.ZeroDowntimeFailover = c.failover
			w := newWorld(t, l, pool("A", 2))
			var b *browser
			for n := uint64(1); ; n++ { // G40: o2 refuses the first request, which is not pinned yet
				b = w.browser(n)
				b.header = fields{"x-user": {fmt.Sprint(n)}}
				if got := b.ask(0, "A/o2"); strings.HasPrefix(got, "A/o1 retry") {
					if (got == "A/o1 retry set") != (c.kind != "header") {
						t.Fatalf("the first request: %s", got)
					}
					break
				}
			}
			b.expect(1, "A/o1 session")
			b.expect(2, c.want[0], "A/o1")
			b.expect(3, c.want[1], "A/o1")
			b.expect(4, c.want[2])
		})
	}
}

// Behaviour N7, D1: across pools a session moves or comes back just so.
func TestZeroDowntimeFailoverAcrossPools(t *testing.T) {
	for failover, want := range map[string]string{
		"none": "521", "temporary": "B/o1 retry_across_pools", "sticky": "B/o1 retry_across_pools set",
	} {
		l := affine(lb("B", "A", "B"), "cookie", 3600)
		l.SessionAffinityAttributes.ZeroDowntimeFailover, l.AdaptiveRouting.FailoverAcrossPools = failover, true
		w := newWorld(t, l, pool("A", 1), pool("B", 1))
		b := w.begin("A/o1")
		b.expect(1, want, "A/o1")
	}
}

// Behaviour L3: pinned clients under the percentage are moved, with a new cookie, once; the others stay for ever.
func TestSessionSheddingDecaysNot(t *testing.T) {
	w := newWorld(t, affine(lb("B", "A", "B"), "cookie", 80000), pool("A", 2), pool("B", 1))
	var browsers []*browser
	for n := range uint64(1000) {
		b := w.browser(n)
		b.ask(0)
		browsers = append(browsers, b)
	}
	w.reload(func(c *config.Config) { c.Pools[0].LoadShedding = &config.LoadShedding{SessionPercent: 30} })
	moved := 0
	for _, b := range browsers {
		// New traffic is not shed, and still it does not go back to the pool that shed it a moment ago.
		switch got := b.ask(1); {
		case strings.HasPrefix(got, "A/") && strings.HasSuffix(got, " session"):
			for k := range 20 {
				if got := b.ask(float64(k) + 2); !strings.HasPrefix(got, "A/") {
					t.Fatalf("moved later: %s", got)
				}
			}
		case got == "B/o1 steered set":
			moved++
			b.expect(2, "B/o1 session")
		default:
			t.Fatalf("got %s", got)
		}
	}
	steeringtest.Binomial(t, moved, len(browsers), .3, 5)
}

// Direct, the cookie and the table allocate nothing, whatever the session is.
func TestSessionsCostNoAllocation(t *testing.T) {
	for _, kind := range []string{"cookie", "ip_cookie", "header"} {
		for _, stands := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s stands %v", kind, stands), func(t *testing.T) {
				l := headers(affine(lb("A", "A"), kind, 1800), false, "x-user", "cookie:a")
				w := newWorld(t, l, pool("A", 8))
				b := w.browser(1)
				b.header = fields{"x-user": {"1"}}
				b.ask(0)
				lines := preset{user: []byte("1"), cookie: []byte(b.cookie)}
				if !stands {
					lines.cookie, lines.user = []byte("x"), []byte("2")
				}
				b.r.Fields = &lines
				trail, room := Trail{}, make([]byte, 0, 256)
				decide := func() {
					trail.Reset()
					d := w.snapshot.Direct(b.r, &trail)
					room = d.Session.AppendSetCookie(room[:0])
					d.Session.Remember()
				}
				decide()
				if stands == (len(room) > 0) && kind != "header" {
					t.Fatalf("set %q", room)
				}
				if allocs := testing.AllocsPerRun(200, decide); allocs != 0 {
					t.Errorf("%v allocations", allocs)
				}
			})
		}
	}
}

// preset is fields that cost nothing to look up.
type preset struct{ user, cookie []byte }

func (p *preset) Get(string) []byte { return nil }

func (p *preset) Cookie(name string) []byte {
	if name == CookieName {
		return p.cookie
	}
	return nil
}

func (p *preset) Next(name string, from int) ([]byte, int, bool) {
	if name == "x-user" && from == 0 {
		return p.user, 1, true
	}
	return nil, 0, false
}

func BenchmarkDirectSession(b *testing.B) {
	for _, kind := range []string{"cookie", "header"} {
		b.Run(kind, func(b *testing.B) {
			w := newWorld(b, headers(affine(lb("A", "A"), kind, 1800), false, "x-user"), pool("A", 8))
			first := w.browser(1)
			first.header = fields{"x-user": {"1"}}
			first.ask(0)
			r, trail := first.r, Trail{}
			r.Fields = &preset{user: []byte("1"), cookie: []byte(first.cookie)}
			b.ReportAllocs()
			for b.Loop() {
				trail.Reset()
				d := w.snapshot.Direct(r, &trail)
				if d.Reason != Pinned {
					b.Fatal(d.Reason)
				}
				d.Session.Remember()
			}
		})
	}
}

// A day of one load balancer, in virtual time: a browser that asks every minute, by cookie (ttl 23 h), with an origin that
// is drained, one that fails and one that refuses on the way (behaviour N1, N5, N6, N7).
func TestADayOfASession(t *testing.T) {
	l := affine(lb("B", "A", "B"), "cookie", 82800)
	l.SessionAffinityAttributes.DrainDuration, l.SessionAffinityAttributes.ZeroDowntimeFailover = time.Hour, "sticky"
	w := newWorld(t, l, pool("A", 2), pool("B", 1))
	b := w.begin("A/o1")
	var days strings.Builder
	last := ""
	for minute := 1; minute <= 48*60; minute++ {
		var refuse []string
		switch minute {
		case 2 * 60: // A/o1 is taken out, and has an hour
			w.reload(func(c *config.Config) {
				c.Pools[0].Origins[0].Enabled, c.Pools[0].Origins[0].DisabledAt.Time = false, at(2*3600)
			})
		case 4 * 60: // A is down, for ten minutes
			w.believe("A", "UD")
		case 4*60 + 10:
			w.believe("A", "UU")
		case 5 * 60: // B refuses once; it has no other origin
			refuse = []string{"B/o1"}
		}
		if got := b.ask(float64(minute)*60, refuse...); got != last {
			fmt.Fprintf(&days, "%02d:%02d %s\n", minute/60, minute%60, got)
			last = got
		}
	}
	const want = `00:01 A/o1 session
03:00 A/o2 steered set
03:01 A/o2 session
04:00 B/o1 steered set
04:01 B/o1 session
05:00 521
05:01 B/o1 session
27:00 A/o2 steered set
27:01 A/o2 session
`
	if days.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", days.String(), want)
	}
}
