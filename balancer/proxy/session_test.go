package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/bench/origin"
	"github.com/weirlb/weir/config"
)

// clock is the time at which requests are decided, in seconds after noon.
type clock struct{ ns atomic.Int64 }

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func (c *clock) now() time.Time      { return noon.Add(time.Duration(c.ns.Load())) }
func (c *clock) set(seconds float64) { c.ns.Store(int64(seconds * float64(time.Second))) }

// at decides by the clock.
func at(c *clock) change { return func(_ *config.Config, o *Options) { o.Now = c.now } }

// affine is a load balancer with sessions; more fits the details.
func affine(kind string, ttl int, more ...func(*config.LoadBalancer)) change {
	return func(c *config.Config, _ *Options) {
		l := &c.LoadBalancers[0]
		l.SteeringPolicy, l.SessionAffinity, l.SessionAffinityTTL = "off", kind, time.Duration(ttl)*time.Second
		l.SessionAffinityAttributes = config.SessionAffinityAttributes{SameSite: "Auto", Secure: "Auto", ZeroDowntimeFailover: "none"}
		for _, f := range more {
			f(l)
		}
	}
}

func failover(word string) func(*config.LoadBalancer) {
	return func(l *config.LoadBalancer) { l.SessionAffinityAttributes.ZeroDowntimeFailover = word }
}

// secondPool adds pool-2 of the given origins after pool-1 in the list, and as the fallback pool.
func secondPool(origins ...*origin.Origin) change {
	return func(c *config.Config, _ *Options) {
		p := poolOf(origins...)
		p.ID, p.Name = "pool-2", "pool-2"
		c.Pools = append(c.Pools, p)
		c.LoadBalancers[0].DefaultPools = append(c.LoadBalancers[0].DefaultPools, p.ID)
		c.LoadBalancers[0].FallbackPool = p.ID
	}
}

func monitored(c *config.Config, _ *Options) {
	for i := range c.Pools {
		c.Pools[i].Monitor = "m"
	}
	c.Monitors = []config.Monitor{{ID: "m", Type: "tcp"}}
}

func named(t *testing.T, names ...string) []*origin.Origin {
	var all []*origin.Origin
	for _, n := range names {
		all = append(all, startOrigin(t, origin.Options{Name: n}))
	}
	return all
}

// browser is a client that keeps its cookies and connections as browsers do.
type browser struct {
	w      *world
	http   *http.Client
	header http.Header // sent with every request
}

func (w *world) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, w.addr)
	}}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &browser{w: w, http: &http.Client{Jar: jar, Transport: transport}, header: http.Header{}}
}

// do sends one request and reads the answer.
func (b *browser) do(path string) (res *http.Response, body string, err error) {
	req, err := http.NewRequest(http.MethodGet, "http://www.example.com"+path, http.NoBody)
	if err != nil {
		return nil, "", err
	}
	req.Header = b.header.Clone()
	if res, err = b.http.Do(req); err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res, strings.TrimSpace(string(text)), err
}

// ask sends one request and tells who answered, what became of the session, and whether a cookie was set: "one new set",
// "one hit", "error code: 521 none".
func (b *browser) ask() string {
	b.w.t.Helper()
	n := b.w.seen()
	res, body, err := b.do("/")
	if err != nil {
		b.w.t.Fatal(err)
	}
	got := body + " " + b.w.outcome(n).Session.String()
	for _, c := range res.Cookies() {
		if c.Name == balancer.CookieName {
			got += " set"
		}
	}
	return got
}

func (b *browser) expect(want string) {
	b.w.t.Helper()
	if got := b.ask(); got != want {
		b.w.t.Errorf("got %q, want %q", got, want)
	}
}

// begin is a browser whose session begins at the origin of this name.
func (w *world) begin(at string) *browser {
	w.t.Helper()
	for range 200 {
		b := w.browser()
		switch got := b.ask(); {
		case got == at+" new set":
			return b
		case !strings.HasSuffix(got, " new set"):
			w.t.Fatalf("a first request: %q", got)
		}
	}
	w.t.Fatalf("no session begins at %s", at)
	return nil
}

// Behaviour N1: ttl 1800, the cookie set at 0; at 600, 1200 and 1799 the same origin and no new cookie; at 1801 a new
// selection and a new cookie.
func TestSessionByCookie(t *testing.T) {
	for _, kind := range []string{"cookie", "ip_cookie"} {
		t.Run(kind, func(t *testing.T) {
			var c clock
			w := newWorld(t, named(t, "one", "two", "three"), at(&c), affine(kind, 1800))
			b := w.browser()
			home, fresh := strings.CutSuffix(b.ask(), " new set")
			if !fresh {
				t.Fatal("no session began")
			}
			for _, seconds := range []float64{600, 1200, 1799} {
				c.set(seconds)
				b.expect(home + " hit")
			}
			c.set(1801)
			if got := b.ask(); !strings.HasSuffix(got, " new set") {
				t.Errorf("at 1801: %q", got)
			}
		})
	}
}

// Behaviour N1, Q10: the text of the cookie, and that the client's own goes on to the origin as it came.
func TestSessionCookie(t *testing.T) {
	var c clock
	c.set(30)
	w := only(t, at(&c), affine("cookie", 1800))
	v := w.visit()
	v.trickle(plainGET)
	res, _ := v.answer("GET")
	set := res.Header.Values("Set-Cookie")
	want := regexp.MustCompile(`^__cflb=([1-9A-HJ-NP-Za-km-z]{39}); Path=/; Max-Age=1800; Expires=Sun, 01 Mar 2026 12:30:30 GMT; HttpOnly; SameSite=None$`)
	if len(set) != 1 || !want.MatchString(set[0]) {
		t.Fatalf("set %q", set)
	}
	cookie := "Cookie: a=b; __cflb=" + want.FindStringSubmatch(set[0])[1] + "; c=d\r\n"
	v.trickle("GET /head HTTP/1.1\r\nHost: example.com\r\n" + cookie + "\r\n")
	res, head := v.answer("GET")
	if !strings.Contains(head, "\r\n"+cookie) || len(res.Header.Values("Set-Cookie")) != 0 || w.outcome(1).Session != SessionHit {
		t.Errorf("the origin saw %q, the client %v", head, res.Header)
	}
	v.send("GET / HTTP/1.1\r\nHost: example.com\r\nCookie: __cflb=" + strings.Repeat("1", 39) + "\r\n\r\n")
	if res, _ := v.answer("GET"); len(res.Header.Values("Set-Cookie")) != 1 || w.outcome(2).Session != SessionBegun {
		t.Errorf("a forged cookie: %v, %v", res.Header, w.outcome(2).Session)
	}
}

// Behaviour N2: Secure and SameSite, by the settings, the listener and weir.sessions.always_use_https.
func TestSessionCookieAttributes(t *testing.T) {
	ca := newCA(t)
	cert, key, err := ca.WriteFiles(t.TempDir(), "example.com")
	if err != nil {
		t.Fatal(err)
	}
	yes, no := true, false
	for _, c := range []struct {
		samesite, secure string
		tls              bool
		https            *bool
		want             string
	}{
		{"Auto", "Auto", false, nil, "HttpOnly; SameSite=None"},
		{"Auto", "Auto", true, nil, "HttpOnly; Secure; SameSite=Lax"},
		{"Auto", "Auto", false, &yes, "HttpOnly; Secure; SameSite=Lax"},
		{"Auto", "Auto", true, &no, "HttpOnly; SameSite=None"},
		{"Strict", "Always", false, nil, "HttpOnly; Secure; SameSite=Strict"},
		{"Lax", "Never", true, nil, "HttpOnly; SameSite=Lax"},
		{"None", "Auto", true, nil, "HttpOnly; Secure; SameSite=None"},
	} {
		t.Run(fmt.Sprint(c.samesite, c.secure, c.tls, c.https != nil), func(t *testing.T) {
			w := only(t, affine("cookie", 1800), func(conf *config.Config, _ *Options) {
				a := &conf.LoadBalancers[0].SessionAffinityAttributes
				a.SameSite, a.Secure, conf.Weir.Sessions.AlwaysUseHTTPS = c.samesite, c.secure, c.https
				conf.Weir.Listen = []config.Listener{{Address: "127.0.0.1:0"}}
				if c.tls {
					conf.Weir.Listen[0].TLS = []config.Certificate{{Cert: cert, Key: key}}
				}
			})
			var v *visitor
			if c.tls {
				v = tlsVisit(t, w.addr, ca, "example.com")
			} else {
				v = w.visit()
			}
			v.send(plainGET)
			res, _ := v.answer("GET")
			if got := res.Header.Get("Set-Cookie"); !strings.HasSuffix(got, "; "+c.want) {
				t.Errorf("set %q, want … %q", got, c.want)
			}
		})
	}
}

// Behaviour N5: default [A, B]; A goes down, the client gets a cookie for B; A recovers: that client stays on B until its
// cookie is over, a new client goes to A.
func TestSessionStaysWhenABetterPoolRecovers(t *testing.T) {
	var c clock
	w := newWorld(t, named(t, "A"), at(&c), affine("cookie", 1800), secondPool(named(t, "B")...), monitored)
	b := w.browser()
	b.expect("A new set")
	b.expect("A hit")
	w.believe("pool-1", "D")
	b.expect("B moved set")
	b.expect("B hit")
	c.set(300)
	w.believe("pool-1", "U")
	b.expect("B hit")
	w.browser().expect("A new set")
	c.set(1801)
	b.expect("A new set")
}

// Behaviour N5: an origin that goes down takes its sessions along to others; those elsewhere stay.
func TestSessionsMoveWhenTheirOriginGoesDown(t *testing.T) {
	w := newWorld(t, named(t, "one", "two"), affine("cookie", 1800), monitored)
	pinned, other := w.begin("one"), w.begin("two")
	w.believe("pool-1", "DU")
	pinned.expect("two moved set")
	other.expect("two hit")
	w.believe("pool-1", "UU")
	pinned.expect("two hit")
}

// Behaviour N6: ttl 5000, drain 60, disabled at noon: a second before its end to the old origin, then to another one; no
// new client comes there. Without a drain the end is at once.
func TestSessionDrain(t *testing.T) {
	for _, drain := range []float64{60, 0} {
		var c clock
		w := newWorld(t, named(t, "one", "two"), at(&c), affine("cookie", 5000, func(l *config.LoadBalancer) {
			l.SessionAffinityAttributes.DrainDuration = time.Duration(drain) * time.Second
		}))
		c.set(-10)
		b := w.begin("one")
		c.set(0)
		w.reload(func(c *config.Config) {
			o := &c.Pools[0].Origins[0]
			o.Enabled, o.DisabledAt = false, config.Timestamp{Time: noon}
		})
		if drain > 0 {
			c.set(drain - 1)
			b.expect("one hit")
			w.browser().expect("two new set")
			c.set(drain)
		}
		b.expect("two moved set")
		b.expect("two hit")
	}
}

// Behaviour N7: what becomes of a session whose origin cannot be reached.
func TestSessionFailover(t *testing.T) {
	for _, c := range []struct{ word, down, again, back string }{
		{"none", "error code: 521 none", "error code: 521 none", "one hit"},
		{"temporary", "two away", "two away", "one hit"},
		{"sticky", "two moved set", "two hit", "two hit"},
	} {
		t.Run(c.word, func(t *testing.T) {
			w := newWorld(t, named(t, "one", "two"), affine("cookie", 1800, failover(c.word)))
			b := w.begin("one")
			w.origins[0].Kill()
			n := w.seen()
			b.expect(c.down)
			if o := w.outcome(n); c.word != "none" && (o.Tries != 2 || o.Retried != balancer.ConnectRefused) {
				t.Errorf("%d tries, retried after %v", o.Tries, o.Retried)
			}
			b.expect(c.again)
			if err := w.origins[0].Restart(); err != nil {
				t.Fatal(err)
			}
			b.expect(c.back)
		})
	}
}

// Behaviour N7: the first request of a session is not pinned yet. It may be retried, and the cookie names who answered.
func TestSessionOfARetriedRequest(t *testing.T) {
	w := newWorld(t, named(t, "one", "two"), affine("cookie", 1800))
	w.origins[0].Kill()
	for n := 0; ; {
		b := w.browser()
		n = w.seen()
		b.expect("two new set")
		o := w.outcome(n)
		b.expect("two hit")
		if o.Tries == 2 {
			return
		}
	}
}

// Behaviour N1: no session begins, and none is prolonged or moved, by an attempt that brings no answer.
func TestNoSessionWithoutAnAnswer(t *testing.T) {
	silent := startOrigin(t, origin.Options{Handler: origin.Always(origin.Reset())})
	w := newWorld(t, []*origin.Origin{silent}, affine("cookie", 1800))
	w.browser().expect("error code: 520 none")
}

// Behaviour L3: session_percent moves sessions by the client's address and leaves new clients; default_percent 100 with
// session_percent 0 drains a pool.
func TestSessionShedding(t *testing.T) {
	t.Run("sessions", func(t *testing.T) {
		w := newWorld(t, named(t, "A"), affine("cookie", 1800), secondPool(named(t, "B")...))
		b := w.browser()
		b.expect("A new set")
		w.reload(func(c *config.Config) {
			c.Pools[0].LoadShedding = &config.LoadShedding{DefaultPolicy: "random", SessionPercent: 100, SessionPolicy: "hash"}
		})
		b.expect("B moved set")
		b.expect("B hit")
		w.browser().expect("A new set")
	})
	t.Run("new clients", func(t *testing.T) {
		w := newWorld(t, named(t, "A"), affine("cookie", 1800), secondPool(named(t, "B")...))
		b := w.browser()
		b.expect("A new set")
		w.reload(func(c *config.Config) {
			c.Pools[0].LoadShedding = &config.LoadShedding{DefaultPercent: 100, DefaultPolicy: "random", SessionPolicy: "hash"}
		})
		b.expect("A hit")
		w.browser().expect("B new set")
	})
}

// Behaviour N4: headers [x-user, x-tenant], ttl 60: each set of values is a session, use prolongs it, and no cookie is
// ever set.
func TestSessionByHeader(t *testing.T) {
	var c clock
	names := []string{"1", "2", "3", "4", "5", "6"}
	byHeader := func(l *config.LoadBalancer) { l.SessionAffinityAttributes.Headers = []string{"x-user", "X-Tenant"} }
	w := newWorld(t, named(t, names...), at(&c), affine("header", 60, byHeader))
	b := w.browser()
	b.header.Set("X-User", "1")
	home, fresh := strings.CutSuffix(b.ask(), " new")
	if !fresh {
		t.Fatal("no session began")
	}
	for _, seconds := range []float64{50, 100} {
		c.set(seconds)
		b.expect(home + " hit")
	}
	both := w.browser()
	both.header.Set("X-User", "1")
	both.header.Set("X-Tenant", "9")
	if got := both.ask(); !strings.HasSuffix(got, " new") {
		t.Errorf("other headers: %q", got)
	}
	if got := w.browser().ask(); !strings.HasSuffix(got, " none") {
		t.Errorf("no headers: %q", got)
	}
	c.set(161)
	if got := b.ask(); !strings.HasSuffix(got, " new") {
		t.Errorf("after an idle minute: %q", got)
	}
	w.reload(func(c *config.Config) { c.LoadBalancers[0].SessionAffinityAttributes.RequireAllHeaders = true })
	if got := b.ask(); !strings.HasSuffix(got, " none") {
		t.Errorf("one header of two that are required: %q", got)
	}
}

// Behaviour N7: sticky acts as temporary where there is no cookie to rewrite.
func TestSessionByHeaderFailover(t *testing.T) {
	byHeader := func(l *config.LoadBalancer) { l.SessionAffinityAttributes.Headers = []string{"x-user"} }
	w := newWorld(t, named(t, "one", "two"), affine("header", 60, byHeader, failover("sticky")))
	var b *browser
	for n := 0; ; n++ {
		b = w.browser()
		b.header.Set("X-User", fmt.Sprint(n))
		if b.ask() == "one new" {
			break
		}
	}
	w.origins[0].Kill()
	b.expect("two away")
	if err := w.origins[0].Restart(); err != nil {
		t.Fatal(err)
	}
	b.expect("one hit")
}

// A tunnel begins a session like any other answer.
func TestSessionOfATunnel(t *testing.T) {
	w := only(t, affine("cookie", 1800))
	v := w.visit()
	v.send("GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
	head := v.head()
	if !strings.HasPrefix(head, "HTTP/1.1 101 ") || !strings.Contains(head, "\r\nSet-Cookie: __cflb=") {
		t.Errorf("got %q", head)
	}
	_ = v.Close()
	if o := w.outcome(0); o.Session != SessionBegun {
		t.Errorf("session %v", o.Session)
	}
}

// Many clients at once each keep their own origin, while origins fail and come back.
func TestSessionsOfManyClients(t *testing.T) {
	w := newWorld(t, named(t, "one", "two", "three"), affine("cookie", 1800))
	u, _ := url.Parse("http://www.example.com/")
	var all sync.WaitGroup
	for range 30 {
		b := w.browser()
		all.Go(func() {
			home := ""
			for n := range 20 {
				res, body, err := b.do("/")
				switch {
				case err != nil || res.StatusCode != 200:
					t.Error(res, err)
					return
				case n == 0:
					home = body
				case body != home || len(b.http.Jar.Cookies(u)) != 1:
					t.Errorf("request %d went to %s, the session is at %s", n, body, home)
					return
				}
			}
		})
	}
	all.Wait()
}
