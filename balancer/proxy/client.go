package proxy

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/balancer/proxy/wire"
)

// client is one client connection: it finds request heads and lends itself to an exchange for each.
type client struct {
	srv           *Server
	eng           engine
	tcp           *net.TCPConn
	link          link
	local, remote net.Addr
	peer          netip.AddrPort
	secure        bool
	id            uint64 // numbers connections; requests number within one
	requests      uint64
	row           int
	idle          atomic.Bool // between two requests, with nothing of the next one read
	x             *exchange   // the request being served
}

// open makes the connection ready for requests: for TLS that is the handshake, within the time of a head.
func (c *client) open(t *tls.Config) bool {
	watch := c.srv.eng.watch
	if t == nil {
		return c.over(newNetStream(watch, c.tcp, c.tcp))
	}
	c.secure = true
	wait := time.Duration(c.srv.settings.Load().timeouts.clientHeader)
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	return c.over(newTLSStream(ctx, watch, c.tcp, func(conn net.Conn) *tls.Conn { return tls.Server(conn, t) }))
}

// over has the client speak over s, unless there was an error.
func (c *client) over(s *netStream, err error) bool {
	if err == nil {
		c.link.io = s
	}
	return err == nil
}

func (c *client) close() {
	c.link.io.close()
	c.link.discard()
}

// caught, deferred, ends a fault outside of an exchange here: it costs this connection only.
func (c *client) caught() {
	if v := recover(); v != nil {
		c.srv.fault(v)
		if c.link.io != nil {
			c.link.io.abort()
		}
		_ = c.tcp.Close()
	}
}

// nextHead waits for the next request head that is whole and well-formed and answers it; nil when the connection is
// over. What is malformed, too long or too slow is refused here.
func (c *client) nextHead() []byte {
	set := c.srv.settings.Load()
	from, started := 0, false
	c.armIdle(set)
	for {
		p := c.link.bytes()
		p = p[wire.SkipEmptyLines(p):]
		if n := wire.HeadEnd(p, from); n > 0 {
			return c.begin(set, p[:n])
		}
		if cause := wire.TooLong(p, set.wire); cause != wire.OK {
			c.begin(set, nil)
			c.refuseHead(cause.Status(), balancer.ClientInvalid, cause.String())
			return nil
		}
		from = len(p)
		if len(c.link.bytes()) > 0 && !started {
			started = true
			c.idle.Store(false)
			c.link.io.armRead(after(set.timeouts.clientHeader))
		}
		if err := c.link.fill(); err != nil {
			c.headFailed(set, err)
			return nil
		}
		set = c.srv.settings.Load() // a reload may have come while nothing did
	}
}

// armIdle sets how long the client may take to begin its next request. A first request gets the time of a head.
func (c *client) armIdle(set *settings) {
	wait := set.timeouts.clientIdle
	if c.requests == 0 {
		wait = set.timeouts.clientHeader
	}
	c.link.io.armRead(after(wait))
	c.idle.Store(true)
	if c.srv.draining.Load() {
		c.link.io.armRead(after(int64(drainGrace)))
	}
}

// headFailed ends a connection on which no further head came. One that had begun a head is told why, if it listens.
func (c *client) headFailed(set *settings, err error) {
	if len(c.link.bytes()) == 0 {
		return
	}
	switch err {
	case errTimeout:
		c.begin(set, nil)
		c.refuseHead(408, balancer.ClientTimeout, balancer.ClientTimeout.String())
	case errLinkFull:
		c.begin(set, nil)
		c.refuseHead(431, balancer.ClientInvalid, wire.HeaderTooLong.String())
	case io.EOF:
		c.begin(set, nil)
		c.refuseHead(400, balancer.ClientInvalid, wire.Truncated.String())
	}
}

// begin opens an exchange for head and answers it, as the exchange's own copy: what the link holds moves on with the
// body. A head that wire refuses is answered here, and nil.
func (c *client) begin(set *settings, head []byte) []byte {
	c.idle.Store(false)
	c.link.io.armRead(0)
	c.requests++
	c.x = newExchange(c, set)
	x := c.x
	x.raw = append(x.raw[:0], head...)
	p := c.link.bytes()
	c.link.take(wire.SkipEmptyLines(p) + len(head))
	if len(head) == 0 {
		return nil
	}
	if cause := x.head.Parse(x.raw, set.wire); cause != wire.OK {
		c.refuseHead(cause.Status(), balancer.ClientInvalid, cause.String())
		return nil
	}
	return x.raw
}

// exchange serves the request whose head nextHead answered and reports whether another may follow.
func (c *client) exchange(mayKeep bool) (keep bool) {
	x := c.x
	c.x = nil
	defer x.free()
	return x.run(mayKeep)
}
