package proxy

import (
	"crypto/tls"
	"sync"
	"sync/atomic"

	"github.com/weirlb/weir/balancer"
)

// peer is what the proxy keeps for one living origin: its connections that nobody uses at the moment. It lives as
// long as the origin is in a snapshot.
type peer struct {
	live *balancer.Origin
	open atomic.Int64 // connections, in use and idle

	mu     sync.Mutex
	idle   []*originConn // the most recently used last
	closed bool          // the origin left the configuration: keep no connection
}

// route is what makes two connections to one origin interchangeable.
type route struct {
	secure bool
	name   string // TLS server name
	trust  *tls.Config
}

// originConn is a connection to an origin. It belongs to the engine that dialled it.
type originConn struct {
	link  link
	peer  *peer
	route route
	row   int   // its row of connection counters
	used  bool  // it has carried an exchange
	since int64 // when it became idle
}

// take answers the most recently used idle connection for r that is still good, or nil.
func (p *peer) take(r route, oldest int64) *originConn {
	for {
		c := p.pop(r)
		if c == nil {
			return nil
		}
		if c.since >= oldest && !c.link.io.stale() {
			c.link.io.renew()
			return c
		}
		c.close()
	}
}

func (p *peer) pop(r route) *originConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.idle) - 1; i >= 0; i-- {
		if c := p.idle[i]; c.route == r {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			return c
		}
	}
	return nil
}

// reserve counts a connection that is about to be made, if there is room for one. Idle connections that did not serve
// make room.
func (p *peer) reserve(most int) bool {
	for {
		n := p.open.Load()
		switch {
		case n < int64(most):
			if p.open.CompareAndSwap(n, n+1) {
				return true
			}
		case !p.evict():
			return false
		}
	}
}

// evict closes the connection that was idle longest and reports whether there was one.
func (p *peer) evict() bool {
	p.mu.Lock()
	if len(p.idle) == 0 {
		p.mu.Unlock()
		return false
	}
	c := p.idle[0]
	p.idle = append(p.idle[:0], p.idle[1:]...)
	p.mu.Unlock()
	c.close()
	return true
}

// put keeps c for a later request, or closes it when there are enough.
func (p *peer) put(c *originConn, now int64, most int) {
	c.used, c.since = true, now
	c.link.io.armRead(0)
	c.link.io.armWrite(0)
	c.link.discard()
	p.mu.Lock()
	if p.closed || len(p.idle) >= most {
		p.mu.Unlock()
		c.close()
		return
	}
	p.idle = append(p.idle, c)
	p.mu.Unlock()
}

// reap closes connections idle since before oldest and answers when the next will be that old, never for none.
func (p *peer) reap(oldest int64) (nextSince int64) {
	p.mu.Lock()
	n := 0
	for n < len(p.idle) && p.idle[n].since < oldest {
		n++
	}
	old := append([]*originConn(nil), p.idle[:n]...)
	p.idle = append(p.idle[:0], p.idle[n:]...)
	nextSince = never
	if len(p.idle) > 0 {
		nextSince = p.idle[0].since
	}
	p.mu.Unlock()
	for _, c := range old {
		c.close()
	}
	return nextSince
}

// shut closes the idle connections; those in use close when their exchange ends.
func (p *peer) shut() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
}

// close and abort end the connection, once; the counters go down with it.
func (c *originConn) close() { c.end(c.link.io.close) }
func (c *originConn) abort() { c.end(c.link.io.abort) }

func (c *originConn) end(shut func()) {
	shut()
	c.link.discard()
	c.peer.open.Add(-1)
	c.peer.live.CloseConnection(c.row)
}

// peers finds the peer of a living origin. Readers take no lock: the map is replaced when an origin comes or goes.
type peers struct {
	mu  sync.Mutex
	all atomic.Pointer[map[*balancer.Origin]*peer]
}

func (ps *peers) load() map[*balancer.Origin]*peer {
	if m := ps.all.Load(); m != nil {
		return *m
	}
	return nil
}

func (ps *peers) of(o *balancer.Origin) *peer {
	if p := ps.load()[o]; p != nil {
		return p
	}
	return ps.add(o)
}

func (ps *peers) add(o *balancer.Origin) *peer {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	old := ps.load()
	if p := old[o]; p != nil {
		return p
	}
	m := make(map[*balancer.Origin]*peer, len(old)+1)
	for k, v := range old {
		m[k] = v
	}
	p := &peer{live: o}
	m[o] = p
	ps.all.Store(&m)
	return p
}

// keep forgets the peers of all origins but those given, and closes their idle connections.
func (ps *peers) keep(live map[*balancer.Origin]bool) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	m := make(map[*balancer.Origin]*peer, len(live))
	for o, p := range ps.load() {
		if live[o] {
			m[o] = p
		} else {
			p.shut()
		}
	}
	ps.all.Store(&m)
}
