package origin

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// How an action ends its connection. Any other error closes it too; nil keeps it for the next request.
var (
	ErrClose = errors.New("close the connection")
	ErrReset = errors.New("reset the connection")
)

// flushLimit bounds how long an ending connection waits for the kernel to hand over what was written. It is reached
// only when the other side does not read.
const flushLimit = 2 * time.Second

// conn is one connection. Only its own goroutine reads and writes; close and reset may come from anywhere.
type conn struct {
	origin *Origin
	number int64
	remote netip.AddrPort
	raw    *net.TCPConn
	io     net.Conn // raw, or TLS over it
	br     *bufio.Reader
	life   context.Context
	idle   atomic.Bool
	name   string // SNI
}

func newConn(o *Origin, raw *net.TCPConn, number int64, life context.Context) *conn { //nolint:revive // life belongs to the origin, it is no call's context
	c := &conn{origin: o, number: number, raw: raw, io: raw, life: life}
	c.remote = unmapped(raw.RemoteAddr().(*net.TCPAddr).AddrPort())
	if o.tls != nil {
		c.io = tls.Server(raw, o.tls)
	}
	c.br = bufio.NewReaderSize(c.io, 16<<10)
	return c
}

func (c *conn) serve() {
	if !c.handshake() {
		return
	}
	for n := 1; ; n++ {
		r := c.next(n)
		if r == nil {
			return
		}
		if err := c.handle(r); err != nil {
			c.finish(err)
			return
		}
	}
}

func (c *conn) handshake() bool {
	t, ok := c.io.(*tls.Conn)
	if !ok {
		return true
	}
	if err := t.HandshakeContext(c.life); err != nil {
		c.origin.counts.handshakeFailures.Add(1)
		c.origin.counts.changed()
		return false
	}
	c.name = t.ConnectionState().ServerName
	return true
}

// next waits for a request; nil means that the connection is over.
func (c *conn) next(n int) *Request {
	if !c.awaitByte() {
		return nil
	}
	head, err := readHead(c.br)
	var r *Request
	if err == nil {
		r, err = parseHead(head)
	}
	switch {
	case errors.Is(err, errMalformed):
		c.refuse(err)
		return nil
	case err != nil:
		c.origin.counts.truncated.Add(1)
		c.origin.counts.changed()
		return nil
	}
	r.Connection, r.OnConnection, r.Remote = c.number, n, c.remote
	r.ServerName, r.TLS = c.name, c.origin.tls != nil
	r.Number = c.origin.counts.requests.Add(1)
	return r
}

// awaitByte waits for the first byte of a request as an idle connection does.
func (c *conn) awaitByte() bool {
	if d := time.Duration(c.origin.idleAfter.Load()); d > 0 {
		c.io.SetReadDeadline(time.Now().Add(d))
	}
	c.setIdle(true)
	_, err := c.br.Peek(1)
	c.setIdle(false)
	c.io.SetReadDeadline(time.Time{})
	return err == nil
}

func (c *conn) setIdle(idle bool) {
	c.idle.Store(idle)
	if idle {
		c.origin.counts.idle.Add(1)
	} else {
		c.origin.counts.idle.Add(-1)
	}
	c.origin.counts.changed()
}

func (c *conn) refuse(why error) {
	c.origin.counts.malformed.Add(1)
	c.origin.counts.changed()
	x := &Exchange{Request: &Request{Version: "HTTP/1.1"}, conn: c, body: newBody(c.br, 0), out: c.io, version: "HTTP/1.1"}
	c.finish(Answer(400, F("Connection", "close"), why.Error()+"\n")(x))
}

// handle runs one request; an error ends the connection.
func (c *conn) handle(r *Request) error {
	counts := &c.origin.counts
	counts.inFlight.Add(1)
	c.origin.book.arrived(r)
	counts.changed()
	defer func() {
		counts.inFlight.Add(-1)
		counts.changed()
	}()

	x := c.exchange(r)
	action := (*c.origin.handler.Load())(r)
	if err := action(x); err != nil {
		return c.noteBody(x, err)
	}
	if err := x.drain(); err != nil {
		return c.noteBody(x, err)
	}
	if !r.keepAlive() || x.last {
		return ErrClose
	}
	return nil
}

func (c *conn) exchange(r *Request) *Exchange {
	x := &Exchange{Request: r, conn: c, out: c.io, version: "HTTP/1.1"}
	x.body = newBody(c.br, r.Length)
	if r.Length == 0 {
		x.body.done = true
		c.origin.book.executed(r)
		return x
	}
	x.body.onDone = func() { c.origin.book.executed(r) }
	if r.Version == "HTTP/1.1" && r.Fields.hasToken("Expect", "100-continue") {
		x.body.beforeRead = func() error {
			_, err := x.Write([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
			return err
		}
	}
	return x
}

// noteBody counts a body that went wrong under way.
func (c *conn) noteBody(x *Exchange, err error) error {
	switch bodyErr := x.body.err; {
	case errors.Is(bodyErr, errMalformed):
		c.origin.counts.malformed.Add(1)
	case bodyErr != nil:
		c.origin.counts.truncated.Add(1)
	}
	return err
}

// finish ends the connection as the action wished, after the kernel has handed over what was written: a reset or a
// close with unread bytes would otherwise throw away the part of an answer that the other side was meant to see.
func (c *conn) finish(err error) {
	waitSent(c.life, c.raw, flushLimit)
	if errors.Is(err, ErrReset) {
		c.reset()
		return
	}
	if t, ok := c.io.(*tls.Conn); ok && !errors.Is(err, errCut) {
		_ = t.CloseWrite() // close_notify, for whoever is still there
		waitSent(c.life, c.raw, flushLimit)
	}
	c.close()
}

func (c *conn) close() { _ = c.raw.Close() } // a second close is harmless

func (c *conn) reset() { resetConn(c.raw) }

// hang returns when the other side has gone or the origin's life ends.
func (c *conn) hang() error {
	for !peerGone(c.raw) {
		if err := sleep(c.life, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return ErrClose
}

// Exchange is one request being answered: what an Action acts on.
type Exchange struct {
	Request *Request

	conn    *conn
	body    *body
	out     io.Writer // the connection, or something that counts, cuts or slows
	version string    // of the answer
	last    bool      // the answer announced that the connection closes
	unread  bool      // leave the body where it is
}

// Write sends raw bytes, subject to the fault actions around this one.
func (x *Exchange) Write(p []byte) (int, error) { return x.out.Write(p) }

// Read reads the request's body. The first read answers "Expect: 100-continue".
func (x *Exchange) Read(p []byte) (int, error) { return x.body.Read(p) }

// Trailer is what followed a chunked body; it is complete once Read has returned io.EOF.
func (x *Exchange) Trailer() Fields { return x.body.trailer }

// Sleep waits; it returns an error when the origin is killed meanwhile.
func (x *Exchange) Sleep(d time.Duration) error { return sleep(x.conn.life, d) }

// Done is closed when the origin is killed or closed.
func (x *Exchange) Done() <-chan struct{} { return x.conn.life.Done() }

// Hang keeps the connection open without a word until the other side goes away or the origin is killed.
func (x *Exchange) Hang() error { return x.conn.hang() }

// Origin is who answers.
func (x *Exchange) Origin() *Origin { return x.conn.origin }

// drain reads what the action left of the body, so that the next request is found where it begins.
func (x *Exchange) drain() error {
	if x.unread && !x.body.done {
		return ErrClose
	}
	if x.body.beforeRead != nil {
		return ErrClose // the client was never told to send the body, and may not
	}
	_, err := io.Copy(io.Discard, x.body)
	return err
}
