package proxy

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/bench/origin"
	"github.com/weirlb/weir/config"
)

// A deadline of an earlier message must not end a later one, also through TLS, where a write cannot be taken up again.
func TestSpentDeadlinesDoNoHarm(t *testing.T) {
	ca := newCA(t)
	server := must(t)(ca.Server("example.com"))
	hasty := func(c *config.Config, _ *Options) {
		c.Weir.Timeouts.ClientWrite, c.Weir.Timeouts.OriginWrite = 20*time.Millisecond, 20*time.Millisecond
	}
	slowly := func(x *origin.Exchange) error { // longer than a write may take
		return origin.Drip(60, 40*time.Millisecond, origin.AfterBody(origin.Answer(200, nil, strings.Repeat("x", 40))))(x)
	}
	for name, changes := range map[string][]change{
		"plain":             {hasty},
		"TLS to the origin": {hasty, secureOrigins(caFile(t, ca))},
		"TLS to the client": {hasty, secureListener(t, ca)},
	} {
		t.Run(name, func(t *testing.T) {
			o := origin.Options{Handler: origin.Always(slowly)}
			if name == "TLS to the origin" {
				o.TLS = server
			}
			w := newWorld(t, []*origin.Origin{startOrigin(t, o)}, changes...)
			visit := w.visit
			if name == "TLS to the client" {
				visit = func() *visitor { return tlsVisit(t, w.addr, ca, "example.com") }
			}
			v := visit()
			for range 3 {
				v.send("POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 2\r\n\r\nhi")
				if res, body := v.answer("POST"); res.StatusCode != 200 || len(body) != 40 {
					t.Fatalf("got %d %q", res.StatusCode, body)
				}
			}
			if n := w.origins[0].Stats().Connections; n != 1 {
				t.Errorf("%d connections to the origin, want the first one kept", n)
			}
		})
	}
}

func secureListener(t *testing.T, ca *origin.CA) change {
	t.Helper()
	cert, key, err := ca.WriteFiles(t.TempDir(), "example.com")
	if err != nil {
		t.Fatal(err)
	}
	return func(c *config.Config, _ *Options) {
		c.Weir.Listen = []config.Listener{{Address: "127.0.0.1:0", TLS: []config.Certificate{{Cert: cert, Key: key}}}}
	}
}

// oneFlush is a TLS server's connection that sends everything written since the last flush in one segment.
type oneFlush struct {
	net.Conn
	mu   sync.Mutex
	held bytes.Buffer
	hold bool
}

func (c *oneFlush) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hold {
		return c.held.Write(p)
	}
	return c.Conn.Write(p)
}

func (c *oneFlush) collect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hold = true
}

func (c *oneFlush) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hold = false
	_, err := c.held.WriteTo(c.Conn)
	return err
}

// What an origin says unasked behind its answer, in a TLS record that came with the answer's and was already taken from
// the socket, is nobody's answer (behaviour A5).
func TestUnaskedTLSRecordsNeverReachTheNextClient(t *testing.T) {
	ca := newCA(t)
	server := must(t)(ca.Server("example.com"))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			raw, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { answerWithSurplus(raw, server) })
		}
	})
	t.Cleanup(func() { _ = ln.Close(); wg.Wait() })
	w := newWorld(t, nil, secureOrigins(caFile(t, ca)), func(c *config.Config, _ *Options) {
		c.Pools[0].Origins = []config.Origin{{Name: "o", Address: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port, Enabled: true, Weight: 100}}
	})
	for n := range 5 {
		if _, body := w.get("/"); body != "ok" {
			t.Fatalf("answer %d is %q", n, body)
		}
	}
}

func answerWithSurplus(raw net.Conn, server *tls.Config) {
	out := &oneFlush{Conn: raw}
	c := tls.Server(out, server)
	defer c.Close()
	b := make([]byte, 4096)
	for {
		if _, err := c.Read(b); err != nil {
			return
		}
		out.collect()
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
		if out.flush() != nil {
			return
		}
	}
}

// A client that goes away behind a pipelined request ends the one before.
func TestPipeliningClientGoesAway(t *testing.T) {
	w := newWorld(t, []*origin.Origin{startOrigin(t, origin.Options{Handler: origin.Always(origin.Silent())})})
	v := w.visit()
	v.send(plainGET)
	w.awaitOrigin("the request", func(s origin.Stats) bool { return s.InFlight == 1 })
	v.send(plainGET) // stays with the system: nobody reads the client meanwhile
	_ = v.Close()
	if o := w.outcome(0); o.Class != balancer.ClientGone || o.Duration > patience/2 {
		t.Errorf("outcome %v after %v", o.Class, o.Duration)
	}
}

// A TLS client that goes away says goodbye first; its request is ended all the same, as a plain one's is.
func TestTLSClientGoesAway(t *testing.T) {
	ca := newCA(t)
	w := newWorld(t, []*origin.Origin{startOrigin(t, origin.Options{Handler: origin.Always(origin.Silent())})}, secureListener(t, ca))
	v := tlsVisit(t, w.addr, ca, "example.com")
	v.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
	w.awaitOrigin("the request", func(s origin.Stats) bool { return s.InFlight == 1 })
	_ = v.Close()
	if o := w.outcome(0); o.Class != balancer.ClientGone || o.Status != 0 || o.Duration > patience/2 {
		t.Errorf("outcome %v %d after %v", o.Class, o.Status, o.Duration)
	}
}

// Whom to trust changes with a reload for connections that are kept, too; a reload that changes nothing of it keeps them.
func TestReloadedTrustAppliesToKeptConnections(t *testing.T) {
	ca := newCA(t)
	on, off := true, false
	o := startOrigin(t, origin.Options{Name: "one", TLS: must(t)(ca.Untrusted("example.com"))})
	w := newWorld(t, []*origin.Origin{o}, secureOrigins(caFile(t, ca)), func(c *config.Config, _ *Options) { c.Weir.Origins.Verify = &off })
	reload := w.conf.Weir
	for n, verify := range []*bool{&off, &off, &on} {
		reload.Origins.Verify = verify
		if err := w.srv.Apply(&reload); err != nil {
			t.Fatal(err)
		}
		res, _ := w.get("/")
		if want := map[*bool]int{&off: 200, &on: 526}[verify]; res.StatusCode != want {
			t.Errorf("verification %v: got %d, want %d", *verify, res.StatusCode, want)
		}
		w.outcome(n)
		if got := o.Stats().Connections; verify == &off && got != 1 {
			t.Errorf("%d connections after a reload that changed nothing of TLS, want 1", got)
		}
	}
}
