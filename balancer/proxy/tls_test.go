package proxy

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/bench/origin"
	"github.com/weirlb/weir/config"
)

func newCA(t *testing.T) *origin.CA {
	t.Helper()
	ca, err := origin.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// must is for the pairs that certificate helpers answer.
func must(t *testing.T) func(*tls.Config, error) *tls.Config {
	return func(c *tls.Config, err error) *tls.Config {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

func caFile(t *testing.T, ca *origin.CA) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(name, ca.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func secureOrigins(ca string) change {
	return func(c *config.Config, _ *Options) { c.Weir.Origins.Scheme, c.Weir.Origins.CAFile = "https", ca }
}

// TLS to origins: verified, and the name asked for is the Host that is sent (docs/behaviour.md Q13, E5, E6).
func TestTLSToOrigins(t *testing.T) {
	ca := newCA(t)
	for _, c := range []struct {
		name   string
		server *tls.Config
		host   string // override
		status int
		class  balancer.Class
		asked  string // for the server name
	}{
		{"the client's Host", must(t)(ca.Server("example.com")), "", 200, balancer.OK, "example.com"},
		{"the override", must(t)(ca.Server("o.example")), "o.example", 200, balancer.OK, "o.example"},
		{"another name", must(t)(ca.Server("wrong.invalid")), "", 526, balancer.Certificate, "example.com"},
		{"expired", must(t)(ca.Expired("example.com")), "", 526, balancer.Certificate, "example.com"},
		{"unknown authority", must(t)(ca.Untrusted("example.com")), "", 526, balancer.Certificate, "example.com"},
		{"an address as Host", must(t)(ca.Server("127.0.0.1")), "127.0.0.1", 200, balancer.OK, ""},
		{"no TLS there", nil, "", 525, balancer.TLSHandshake, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := startOrigin(t, origin.Options{Name: "one", TLS: c.server})
			w := newWorld(t, []*origin.Origin{o}, secureOrigins(caFile(t, ca)), func(conf *config.Config, _ *Options) { conf.Pools[0].Origins[0].Host = c.host })
			for n := range 2 {
				res, body := w.get("/")
				if out := w.outcome(n); res.StatusCode != c.status || out.Class != c.class {
					t.Fatalf("got %d %q, class %v", res.StatusCode, body, out.Class)
				}
			}
			if c.status != 200 {
				return
			}
			if last := o.Last(); last.ServerName != c.asked || last.Connection != 1 {
				t.Errorf("asked for %q on connection %d", last.ServerName, last.Connection)
			}
		})
	}
	t.Run("verification off", func(t *testing.T) {
		off := false
		o := startOrigin(t, origin.Options{Name: "one", TLS: must(t)(ca.Untrusted("x"))})
		w := newWorld(t, []*origin.Origin{o}, secureOrigins(""), func(c *config.Config, _ *Options) { c.Weir.Origins.Verify = &off })
		if res, _ := w.get("/"); res.StatusCode != 200 {
			t.Errorf("got %d", res.StatusCode)
		}
	})
	t.Run("connections of one name do not serve another", func(t *testing.T) {
		o := startOrigin(t, origin.Options{Name: "one", TLS: must(t)(ca.Server("a.example", "b.example"))})
		w := newWorld(t, []*origin.Origin{o}, secureOrigins(caFile(t, ca)))
		for _, host := range []string{"a.example", "b.example"} {
			v := w.visit()
			v.send("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
			v.answer("GET")
			if got := o.Last().ServerName; got != host {
				t.Errorf("asked for %q, want %q", got, host)
			}
		}
	})
	t.Run("a body cut without close_notify", func(t *testing.T) {
		o := startOrigin(t, origin.Options{TLS: must(t)(ca.Server("example.com")), Handler: origin.Always(origin.CloseAfter(60, origin.Answer(200, nil, strings.Repeat("x", 500))))})
		w := newWorld(t, []*origin.Origin{o}, secureOrigins(caFile(t, ca)))
		v := w.visit()
		v.send(plainGET)
		v.head()
		v.cut()
	})
}

// TLS from clients; the origin hears how they came (docs/behaviour.md Q4, Q12).
func TestTLSFromClients(t *testing.T) {
	ca := newCA(t)
	dir := t.TempDir()
	cert, key, err := ca.WriteFiles(dir, "www.example.com")
	if err != nil {
		t.Fatal(err)
	}
	listen := func(c *config.Config, _ *Options) {
		c.Weir.Listen = []config.Listener{{Address: "127.0.0.1:0", TLS: []config.Certificate{{Cert: cert, Key: key}}}}
	}
	t.Run("requests, bodies and keep-alive", func(t *testing.T) {
		w := only(t, listen)
		v := tlsVisit(t, w.addr, ca, "www.example.com")
		v.send("GET /head HTTP/1.1\r\nHost: www.example.com\r\n\r\n")
		if _, head := v.answer("GET"); !strings.Contains(head, "X-Forwarded-Proto: https\r\nCF-Visitor: {\"scheme\":\"https\"}\r\n") {
			t.Errorf("got %q", head)
		}
		v.send("POST /echo HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 5\r\n\r\nhello")
		if _, body := v.answer("POST"); body != "hello" {
			t.Errorf("got %q", body)
		}
	})
	t.Run("scheme client: https to origins", func(t *testing.T) {
		o := startOrigin(t, origin.Options{Name: "one", TLS: must(t)(ca.Server("www.example.com"))})
		w := newWorld(t, []*origin.Origin{o}, listen, secureOrigins(caFile(t, ca)), func(c *config.Config, _ *Options) { c.Weir.Origins.Scheme = "client" })
		v := tlsVisit(t, w.addr, ca, "www.example.com")
		v.send("GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n")
		if res, _ := v.answer("GET"); res.StatusCode != 200 || !o.Last().TLS {
			t.Errorf("got %d", res.StatusCode)
		}
	})
	t.Run("certificates are replaced on reload", func(t *testing.T) {
		w := only(t, listen)
		w.conf.Weir.Listen = []config.Listener{{Address: "127.0.0.1:0", TLS: []config.Certificate{{Cert: cert, Key: key}}}}
		if _, _, err := ca.WriteFiles(dir, "new.example.com"); err != nil {
			t.Fatal(err)
		}
		if err := w.srv.Apply(&w.conf.Weir); err != nil {
			t.Fatal(err)
		}
		tlsVisit(t, w.addr, ca, "new.example.com")
	})
	t.Run("broken certificate files change nothing", func(t *testing.T) {
		w := only(t, listen)
		before := w.srv.settings.Load()
		if err := os.WriteFile(cert, []byte("no certificate"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := w.srv.Apply(&w.conf.Weir); err == nil || w.srv.settings.Load() != before {
			t.Errorf("err %v", err)
		}
		tlsVisit(t, w.addr, ca, "new.example.com")
	})
}

func TestIPv6(t *testing.T) {
	o, err := origin.Start(origin.Options{Name: "six", Addr: "[::1]:0"})
	if err != nil {
		t.Skip("no IPv6 loopback here: ", err)
	}
	t.Cleanup(o.Close)
	w := newWorld(t, []*origin.Origin{o}, func(c *config.Config, _ *Options) {
		c.Weir.Listen = []config.Listener{{Address: "[::1]:0"}}
	})
	if _, body := w.get("/head"); !strings.Contains(body, "CF-Connecting-IP: ::1\r\n") {
		t.Errorf("got %q", body)
	}
}
