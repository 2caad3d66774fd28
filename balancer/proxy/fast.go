package proxy

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"math"
	"net"
	"net/netip"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/weirlb/weir/balancer"
)

// fastEngine is the fasthttp engine: a goroutine per client connection, on which fasthttp.Server reads every request
// head. It works everywhere. fasthttp is shown one head at a time through a front, and told that there is no body:
// serve reads bodies and writes answers on the connection itself, so fasthttp's own, empty answer is swallowed.
type fastEngine struct {
	http   *fasthttp.Server
	watch  *watcher
	ctx    context.Context // of dials and handshakes; over when the server stops at once
	cancel context.CancelFunc
}

// headRoom is more than the largest head that limits can allow.
var headRoom = bufferSizes[len(bufferSizes)-1]

func newFastEngine() *fastEngine {
	ctx, cancel := context.WithCancel(context.Background())
	return &fastEngine{
		ctx: ctx, cancel: cancel, watch: newWatcher(),
		http: &fasthttp.Server{
			Handler:                      func(ctx *fasthttp.RequestCtx) { frontOf(ctx).served(ctx) },
			ErrorHandler:                 func(ctx *fasthttp.RequestCtx, _ error) { frontOf(ctx).refused() },
			HeaderReceived:               hideBody,
			ReadBufferSize:               headRoom,
			Concurrency:                  math.MaxInt32, // the limit is the client table's
			ReduceMemoryUsage:            true,          // no buffers while a connection is idle
			DisablePreParseMultipartForm: true,
			NoDefaultServerHeader:        true,
			NoDefaultDate:                true,
			NoDefaultContentType:         true,
			Logger:                       log.New(io.Discard, "", 0), // what fasthttp refuses is logged as an outcome
		},
	}
}

// hideBody tells fasthttp that the request has no body and expects no 100: both are serve's business.
func hideBody(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	h.SetContentLength(0)
	h.Del(fasthttp.HeaderExpect)
	return fasthttp.RequestConfig{}
}

// run serves one client connection to its end.
func (e *fastEngine) run(c *client) {
	_ = e.http.ServeConn(&front{c: c}) // its errors are outcomes, noted where they happened
}

func frontOf(ctx *fasthttp.RequestCtx) *front { return ctx.Conn().(*front) }

// front is the connection as fasthttp.Server sees it: request heads, whole and already found well-formed by wire,
// and nothing else.
type front struct {
	c    *client
	head []byte // of the present head, what fasthttp has not read
	held bool   // the present head's request has not been served
	over bool
}

func (f *front) Read(p []byte) (int, error) {
	if f.over {
		return 0, io.EOF
	}
	if len(f.head) == 0 {
		if f.held {
			return 0, io.ErrUnexpectedEOF // the next head is another request's, wherever fasthttp sees the end of this one
		}
		if f.head = f.c.nextHead(); f.head == nil {
			f.over = true
			return 0, io.EOF
		}
		f.held = true
	}
	n := copy(p, f.head)
	f.head = f.head[n:]
	return n, nil
}

// served runs the exchange that fasthttp has parsed the head of.
func (f *front) served(ctx *fasthttp.RequestCtx) {
	f.held = false
	keep := f.c.exchange(!ctx.Request.Header.ConnectionClose())
	if !keep {
		f.over = true
		ctx.SetConnectionClose()
	}
}

// refused answers a head that wire accepts and fasthttp does not.
func (f *front) refused() {
	f.over = true
	f.c.refuseHead(400, balancer.ClientInvalid, "fasthttp")
}

// Write swallows what fasthttp would say: serve has answered.
func (f *front) Write(p []byte) (int, error)      { return len(p), nil }
func (f *front) Close() error                     { return nil } // the server closes the client
func (f *front) LocalAddr() net.Addr              { return f.c.local }
func (f *front) RemoteAddr() net.Addr             { return f.c.remote }
func (f *front) SetDeadline(time.Time) error      { return nil } // deadlines are serve's
func (f *front) SetReadDeadline(time.Time) error  { return nil }
func (f *front) SetWriteDeadline(time.Time) error { return nil }

func (e *fastEngine) dial(addr netip.AddrPort, deadline int64) (stream, error) {
	d := net.Dialer{Deadline: epoch.Add(time.Duration(deadline))}
	conn, err := d.DialContext(e.ctx, "tcp", addr.String())
	if err != nil {
		return nil, err
	}
	tcp := conn.(*net.TCPConn)
	return newNetStream(e.watch, tcp, tcp)
}

func (e *fastEngine) handshake(s stream, c *tls.Config, deadline int64) (stream, error) {
	ctx, cancel := context.WithDeadline(e.ctx, epoch.Add(time.Duration(deadline)))
	defer cancel()
	plain := s.(*netStream)
	plain.leave()
	return newTLSStream(ctx, e.watch, plain.tcp, func(conn net.Conn) *tls.Conn { return tls.Client(conn, c) })
}

func (e *fastEngine) spawn(f func()) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return func() { <-done }
}

// cut ends every connection at once, whatever is going on there.
func (e *fastEngine) cut() {
	e.cancel()
	e.watch.cut()
}

func (e *fastEngine) close() {
	e.cancel()
	e.watch.close()
}
