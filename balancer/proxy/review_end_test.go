package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/bench/origin"
	"github.com/weirlb/weir/config"
)

// An answer that comes before its request was read must reach a client that is still sending: closing on unread bytes
// would reset the connection and could take the answer away (RFC 9112 §9.6).
func TestEarlyAnswerIsNotResetAway(t *testing.T) {
	o := startOrigin(t, origin.Options{Handler: origin.Always(origin.IgnoreBody(origin.Answer(413, origin.F("Connection", "close"), "too much")))})
	w := newWorld(t, []*origin.Origin{o})
	v := w.visit()
	v.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n" + strings.Repeat("x", 100_000))
	if res, body := v.answer("POST"); res.StatusCode != 413 || body != "too much" || !res.Close {
		t.Fatalf("got %d %q", res.StatusCode, body)
	}
	for range 10 {
		v.send(strings.Repeat("x", 1000))
	}
	_ = v.Conn.(*net.TCPConn).CloseWrite()
	v.ended()
}

// Bytes on their way through a tunnel arrive although the other direction has ended before (behaviour A7).
func TestTunnelDeliversWhatItTook(t *testing.T) {
	const size = 200_000
	read := make(chan struct{})
	got := make(chan error, 1)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() { got <- halfClosedTunnel(ln, read, size) }()
	w := newWorld(t, nil, func(c *config.Config, _ *Options) {
		c.Pools[0].Origins = []config.Origin{{Name: "o", Address: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port, Enabled: true, Weight: 100}}
	})
	v := w.visit()
	v.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n")
	v.head()
	v.ended()
	v.send(strings.Repeat("x", size))
	_ = v.Conn.(*net.TCPConn).CloseWrite()
	if o := w.outcome(0); o.BytesIn != size || o.Class != balancer.OK {
		t.Errorf("outcome %v, %d bytes", o.Class, o.BytesIn)
	}
	close(read)
	if err := <-got; err != nil {
		t.Errorf("the origin: %v", err)
	}
}

// halfClosedTunnel switches, ends its own direction, and reads the other one later.
func halfClosedTunnel(ln net.Listener, read <-chan struct{}, want int) error {
	c, err := ln.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 4096)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n"); err != nil {
		return err
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	<-read
	all, err := io.ReadAll(c)
	if err == nil && len(all) != want {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// A stop that is out of patience ends every flow at once, whatever it waits for.
func TestShutdownCutsOffWhateverWaits(t *testing.T) {
	hole, err := origin.StartBlackHole()
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(hole.Close)
	unread := startOrigin(t, origin.Options{Handler: origin.Always(origin.IgnoreBody(origin.Silent()))})
	tunnel := startOrigin(t, origin.Options{})
	patient := func(c *config.Config, _ *Options) { c.Weir.Timeouts.Connect = time.Minute }
	for name, c := range map[string]struct {
		port  int
		text  string
		ready func(w *world) bool
	}{
		"an origin that takes nothing": {
			unread.Port(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n" + strings.Repeat("x", 8<<20),
			func(*world) bool { return unread.Stats().InFlight == 1 },
		},
		"an origin that does not accept": {
			int(hole.AddrPort().Port()), plainGET,
			func(w *world) bool {
				return w.srv.peers.of(w.writer.Current().Pools()[0].Origins[0].Live).open.Load() == 1
			},
		},
		"a tunnel": {
			tunnel.Port(), "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
			func(*world) bool { return tunnel.Stats().InFlight == 1 },
		},
		"half a head": {tunnel.Port(), "GET / HT", func(w *world) bool { return w.srv.Clients() == 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil, patient, func(conf *config.Config, _ *Options) {
				conf.Pools[0].Origins = []config.Origin{{Name: "o", Address: "127.0.0.1", Port: c.port, Enabled: true, Weight: 100}}
			})
			v := w.visit()
			go func() { _, _ = io.WriteString(v.Conn, c.text) }()
			w.await("the request", func() bool { return c.ready(w) })
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			began := time.Now()
			if err := w.srv.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			if took := time.Since(began); took > 800*time.Millisecond {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// A connection that was accepted just before the listener closed is served like the others (behaviour O2).
func TestConnectionTakenDuringTheDrain(t *testing.T) {
	w := only(t)
	w.visit() // idle: the server cannot have stopped
	w.await("the first client", func() bool { return w.srv.Clients() == 1 })
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	v := newVisitor(t, c)
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	w.srv.beginDrain()
	w.srv.listeners[0].take(accepted.(*net.TCPConn))
	v.send(plainGET)
	if res, body := v.answer("GET"); body != "one\n" || !res.Close {
		t.Errorf("got %q, close %v", body, res.Close)
	}
	if _, err := w.srv.Listen(config.Listener{Address: "127.0.0.1:0"}); err == nil {
		t.Error("a server that is stopping listens again")
	}
}

// Over TLS an overloaded server has nothing to say: plain text would be garbage.
func TestOverloadThroughTLS(t *testing.T) {
	ca := newCA(t)
	w := only(t, secureListener(t, ca), func(c *config.Config, _ *Options) { c.Weir.Limits.ClientConnections = 1 })
	tlsVisit(t, w.addr, ca, "example.com")
	second := w.visit()
	if got, err := second.rest(); got != "" || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %q, %v", got, err)
	}
	if n := w.srv.Overloads.Load(); n != 1 {
		t.Errorf("counted %d", n)
	}
}
