package origin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Options of an origin; the zero value is a plain origin on a free port of 127.0.0.1.
type Options struct {
	// Name is what the default handler calls itself; "" means the address.
	Name string
	// Addr is where to listen, "127.0.0.1:0" when empty; "[::1]:0" for IPv6. Port 0 takes a free port and keeps it
	// over Kill and Restart.
	Addr string
	// TLS makes the origin speak TLS; see CA.
	TLS *tls.Config
	// Handler decides about every request; nil means Default.
	Handler Handler
	// CloseIdleAfter closes a connection that has waited so long for a request; 0 means never.
	CloseIdleAfter time.Duration
	// KeepRecords bounds how many requests Records remembers; 0 means 1024, below 0 none.
	KeepRecords int
}

// Handler decides what happens to a request. It runs before the body is read and must not block.
type Handler func(*Request) Action

// Accept is what happens to a new connection.
type Accept int32

// What can happen to new connections. Connections that are already open do not notice a change.
const (
	AcceptServe  Accept = iota // read requests and answer them
	AcceptReset                // reset at once
	AcceptClose                // close at once
	AcceptSilent               // keep it open, read nothing, write nothing: no TLS handshake either
)

// Origin is a running origin. Its methods may be called at any time from any goroutine.
type Origin struct {
	name    string
	tls     *tls.Config
	addr    netip.AddrPort
	release func() // gives the reserved port back

	handler   atomic.Pointer[Handler]
	accept    atomic.Int32
	idleAfter atomic.Int64

	book   book
	counts counts

	wg     sync.WaitGroup
	turn   sync.Mutex // one Kill, Restart or Close at a time; taken before mu; guards closed
	closed bool
	mu     sync.Mutex // guards what follows
	ln     *net.TCPListener
	conns  map[*conn]struct{}
	life   context.Context // ends with Kill and Close: what a waiting action watches
	end    context.CancelFunc
}

// Start listens and serves until Close.
func Start(opts Options) (*Origin, error) {
	addr := opts.Addr
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	resolved, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("start an origin: %w", err)
	}
	o := &Origin{name: opts.Name, tls: opts.TLS, conns: make(map[*conn]struct{})}
	o.addr, o.release, err = reserve(unmapped(resolved.AddrPort()))
	if err != nil {
		return nil, fmt.Errorf("start an origin on %s: %w", addr, err)
	}
	o.idleAfter.Store(int64(opts.CloseIdleAfter))
	o.book.init(opts.KeepRecords)
	if o.name == "" {
		o.name = o.Addr()
	}
	o.Use(opts.Handler)
	if err := o.Restart(); err != nil {
		o.release()
		return nil, err
	}
	return o, nil
}

// Addr is the address as host:port; it stays the same for the origin's whole life.
func (o *Origin) Addr() string { return o.addr.String() }

// AddrPort is Addr as a value.
func (o *Origin) AddrPort() netip.AddrPort { return o.addr }

// Port is the port alone, as pool JSON wants it.
func (o *Origin) Port() int { return int(o.addr.Port()) }

// Name is what the default handler calls itself.
func (o *Origin) Name() string { return o.name }

// URL is the origin's address with a scheme and a path, such as "/status/503".
func (o *Origin) URL(path string) string {
	if o.tls != nil {
		return "https://" + o.Addr() + path
	}
	return "http://" + o.Addr() + path
}

// Use replaces the handler for requests that arrive from now on; nil brings back the default one.
func (o *Origin) Use(h Handler) {
	if h == nil {
		h = Default(o.name)
	}
	o.handler.Store(&h)
}

// UseAccept changes what happens to new connections.
func (o *Origin) UseAccept(a Accept) { o.accept.Store(int32(a)) }

// CloseIdleAfter closes connections that wait longer than d for a request, from their next wait on; 0 means never.
func (o *Origin) CloseIdleAfter(d time.Duration) { o.idleAfter.Store(int64(d)) }

// CloseIdle closes every connection that waits for a request at this moment and returns how many there were.
func (o *Origin) CloseIdle() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for c := range o.conns {
		if c.idle.Load() {
			c.close()
			n++
		}
	}
	return n
}

// Kill does what a power cut does: the port refuses, every open connection is reset. Restart brings the origin back.
// It returns when every goroutine of the origin has ended. Killing a dead origin does nothing.
func (o *Origin) Kill() {
	o.turn.Lock()
	defer o.turn.Unlock()
	o.kill()
}

// kill needs turn.
func (o *Origin) kill() {
	o.mu.Lock()
	if o.ln != nil {
		o.end()
		_ = o.ln.Close() // closing a listener twice is the only way to fail, and ln is set to nil below
		o.ln = nil
	}
	for c := range o.conns {
		c.reset()
	}
	o.mu.Unlock()
	o.wg.Wait()
}

// Restart listens again on the same address after Kill, with empty connections but the same handler and counters.
func (o *Origin) Restart() error {
	o.turn.Lock()
	defer o.turn.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return errors.New("restart an origin: it is closed")
	case o.ln != nil:
		return errors.New("restart an origin: it is running; call Kill first")
	}
	ln, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(o.addr))
	if err != nil {
		return fmt.Errorf("start an origin on %s: %w", o.addr, err)
	}
	o.ln = ln
	o.life, o.end = context.WithCancel(context.Background())
	o.wg.Go(func() { o.acceptAll(ln) })
	return nil
}

// Close stops the origin for good, resets what is open and waits until every goroutine has ended.
func (o *Origin) Close() {
	o.turn.Lock()
	defer o.turn.Unlock()
	if o.closed {
		return
	}
	o.closed = true
	o.kill()
	o.release()
}

func (o *Origin) acceptAll(ln *net.TCPListener) {
	for {
		raw, err := ln.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Out of descriptors, most likely: the listener is still good. A pause instead of a spin.
			if sleep(o.lifetime(), 5*time.Millisecond) != nil {
				return
			}
			continue
		}
		o.admit(ln, raw)
	}
}

// admit starts a connection, unless the origin was killed in the meantime.
func (o *Origin) admit(ln *net.TCPListener, raw *net.TCPConn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	mode := Accept(o.accept.Load())
	number := o.counts.connections.Add(1)
	if mode == AcceptClose {
		_ = raw.Close() // nothing was written that could be lost
		o.counts.changed()
		return
	}
	if mode == AcceptReset || o.ln != ln {
		resetConn(raw)
		o.counts.changed()
		return
	}
	c := newConn(o, raw, number, o.life)
	o.conns[c] = struct{}{}
	o.counts.open.Add(1)
	o.counts.changed()
	o.wg.Go(func() {
		defer o.forget(c)
		if mode == AcceptSilent {
			_ = c.hang() // there is nobody to tell
			return
		}
		c.serve()
	})
}

func (o *Origin) forget(c *conn) {
	c.close()
	o.mu.Lock()
	delete(o.conns, c)
	o.mu.Unlock()
	o.counts.open.Add(-1)
	o.counts.changed()
}

func (o *Origin) lifetime() context.Context {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.life
}

func resetConn(raw *net.TCPConn) {
	_ = raw.SetLinger(0) // fails only on a closed connection
	_ = raw.Close()      // likewise
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }
