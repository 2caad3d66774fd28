package proxy

import (
	"fmt"
	"runtime/debug"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/balancer/proxy/wire"
)

// overload is what a connection gets that there is no room for.
var overload = []byte("HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 15\r\n" +
	"Weir-Reason: overload\r\nConnection: close\r\n\r\nerror code: 503")

// Lingering: after an answer that leaves part of a request unread, what still comes is read and thrown away for a
// moment, because closing on unread bytes would reset the connection and take the answer from the client.
const (
	lingerFor  = time.Second
	lingerRead = 256 << 10
)

// refuse answers a request that no origin gets. When an attempt failed before, its class is what is answered.
func (x *exchange) refuse(d *balancer.Decision) (keep bool) {
	x.res.Class = x.failed
	if x.failed != balancer.OK {
		return x.say(d.Status, x.failed.String())
	}
	return x.say(d.Status, d.Reason.String())
}

// fail answers a request whose last attempt failed. Nobody is left to answer when the client was at fault by going.
func (x *exchange) fail(class balancer.Class) (keep bool) {
	status := class.Status()
	if status == 0 {
		x.c.link.io.abort()
		return false
	}
	if class == balancer.ClientInvalid || class == balancer.ClientTimeout {
		x.mayKeep = false
	}
	return x.say(status, class.String())
}

// say sends an answer of weir's own: a status, Cloudflare's error line as the body, and the reason as one token.
func (x *exchange) say(status int, reason string) (keep bool) {
	code := status
	if status == 530 {
		code = 1016
	}
	return x.sayBody(status, reason, "text/plain", strconv.AppendInt([]byte("error code: "), int64(code), 10))
}

func (x *exchange) sayBody(status int, reason, kind string, body []byte) (keep bool) {
	x.unread = !x.body.Done()
	x.mayKeep = x.mayKeep && !x.unread && !x.srv.draining.Load()
	x.res.Status, x.began = status, true
	b := x.out[:0]
	b = append(b, "HTTP/1.1 "...)
	b = append(strconv.AppendInt(b, int64(status), 10), ' ')
	b = append(append(b, statusText(status)...), "\r\nDate: "...)
	b = append(append(b, x.date()...), "\r\n"...)
	b = append(append(append(b, "Content-Type: "...), kind...), "\r\nContent-Length: "...)
	b = append(strconv.AppendInt(b, int64(len(body)), 10), "\r\n"...)
	if reason != "" {
		b = append(append(append(b, "Weir-Reason: "...), reason...), "\r\n"...)
	}
	if len(x.edits.Ray) > 0 {
		b = append(append(append(b, "CF-Ray: "...), x.edits.Ray...), "\r\n"...)
	}
	switch x.persist() {
	case wire.PersistClose:
		b = append(b, "Connection: close\r\n"...)
	case wire.PersistKeep:
		b = append(b, "Connection: keep-alive\r\n"...)
	case wire.PersistSilent:
	}
	b = append(b, "\r\n"...)
	if string(x.head.Method) != "HEAD" {
		b = append(b, body...)
		x.res.BytesOut = int64(len(body))
	}
	x.out = b
	if x.toClient(b) != balancer.OK {
		x.mayKeep, x.unread = false, false // nobody listens
	}
	return x.mayKeep
}

// linger gives the client time to read the answer to a request that it may still be sending.
func (x *exchange) linger() {
	l := &x.c.link
	_ = l.io.closeWrite()
	l.io.armRead(after(int64(lingerFor)))
	for n := 0; n < lingerRead; {
		n += len(l.bytes())
		l.take(len(l.bytes()))
		if l.fill() != nil {
			return
		}
	}
}

// persist says what the client is told about its connection.
func (x *exchange) persist() wire.Persist {
	switch {
	case !x.mayKeep:
		return wire.PersistClose
	case x.head.Version < 11:
		return wire.PersistKeep
	}
	return wire.PersistSilent
}

// lastHop answers OPTIONS and TRACE that may go no further (RFC 9110 §7.6.2): TRACE with the head as it came, without
// what could be a secret.
func (x *exchange) lastHop() (keep bool) {
	if string(x.head.Method) == "OPTIONS" {
		return x.sayBody(200, "", "text/plain", nil)
	}
	echo := fmt.Appendf(nil, "TRACE %s HTTP/1.%d\r\n", x.head.Target, x.head.Version-10)
	for name, value := range x.head.All() {
		if !secret(name) {
			echo = fmt.Appendf(echo, "%s: %s\r\n", name, value)
		}
	}
	return x.sayBody(200, "", "message/http", append(echo, "\r\n"...))
}

// refuseHead answers a head that is malformed, too long or too slow; the connection is over.
func (c *client) refuseHead(status int, class balancer.Class, cause string) {
	x := c.x
	c.x = nil
	x.res.Class, x.res.Cause = class, cause
	x.res.Method, x.res.Target = x.head.Method, x.head.Target
	x.mayKeep = false
	x.edits = wire.Edits{}
	x.body.Reset(wire.UntilClose, 0, x.set.wire) // whatever follows is not a request
	x.say(status, cause)
	x.observe()
	if x.unread {
		x.linger()
	}
	x.free()
}

// panicked ends an exchange that a fault of ours has broken.
func (x *exchange) panicked(v any) (keep bool) {
	x.srv.fault(v)
	if x.oc != nil {
		x.release(balancer.Internal)
	}
	x.res.Class = balancer.Internal
	x.mayKeep = false
	if x.began {
		x.c.link.io.abort()
		return false
	}
	return x.say(500, balancer.Internal.String())
}

// guarded is f for a flow of its own: a fault in it breaks both connections, so that the flow beside it ends too.
func (x *exchange) guarded(f func()) func() {
	client, origin := x.c.link.io, x.oc.link.io
	return func() {
		defer func() {
			if v := recover(); v != nil {
				x.srv.fault(v)
				client.abort()
				origin.abort()
			}
		}()
		f()
	}
}

// fault counts and logs a panic.
func (s *Server) fault(v any) {
	s.Panics.Add(1)
	s.opt.Log.Error("a request hit a fault in weir and was ended", zap.Any("fault", v), zap.ByteString("stack", debug.Stack()))
}

// caught, deferred, ends a panic here.
func (s *Server) caught() {
	if v := recover(); v != nil {
		s.fault(v)
	}
}

// date is the present time as Date carries it, good until the next call.
func (x *exchange) date() []byte {
	x.stamp = time.Now().UTC().AppendFormat(x.stamp[:0], "Mon, 02 Jan 2006 15:04:05 GMT")
	return x.stamp
}

// explanation is what --explain-headers adds to an answer.
func (x *exchange) explanation() []byte {
	d := &x.res.Decision
	return fmt.Appendf(nil, "Weir-Pool: %s\r\nWeir-Origin: %s\r\nWeir-Reason: %s\r\n",
		headerSafe(d.Pool.Config.Name), headerSafe(d.Origin.Config.Name), d.Reason)
}
