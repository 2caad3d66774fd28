package proxy

import (
	"fmt"
	"runtime/debug"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/balancer/proxy/wire"
	"github.com/weirlb/weir/config"
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
	return x.answerWith(&ownAnswer{
		status: status, reason: reason, kind: "text/plain", body: "error code: " + strconv.Itoa(code),
	})
}

// reply answers with a response of the configuration, as it is written there (behaviour U3). Only --explain-headers adds
// the reason: it is no failure of weir's.
func (x *exchange) reply(r *config.FixedResponse, why balancer.Reason) (keep bool) {
	a := ownAnswer{status: r.StatusCode, kind: r.ContentType, location: r.Location, body: r.MessageBody}
	if x.srv.opt.ExplainHeaders {
		a.reason = why.String()
	}
	return x.answerWith(&a)
}

// ownAnswer is an answer that no origin gave. Texts that are empty have no field.
type ownAnswer struct {
	status         int
	reason         string // one token
	kind, location string // Content-Type, Location
	body           string
}

// bodiless reports an answer that has no body, whatever was asked for; noLength, that it must not name a length either
// (RFC 9110 §8.6, §15.3.6, §15.4.5).
func (a *ownAnswer) bodiless() (yes, noLength bool) {
	switch a.status {
	case 204, 304:
		return true, true
	case 205:
		return true, false
	}
	return false, false
}

func (x *exchange) answerWith(a *ownAnswer) (keep bool) {
	x.unread = !x.body.Done()
	x.mayKeep = x.mayKeep && !x.unread && !x.srv.draining.Load()
	x.res.Status, x.began = a.status, true
	body := a.body
	bodiless, noLength := a.bodiless()
	if bodiless {
		body = ""
	}
	b := x.out[:0]
	b = append(b, "HTTP/1.1 "...)
	b = append(strconv.AppendInt(b, int64(a.status), 10), ' ')
	b = append(append(b, statusText(a.status)...), "\r\nDate: "...)
	b = append(append(b, x.date()...), "\r\n"...)
	b = appendField(b, "Content-Type: ", a.kind)
	if !noLength {
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), int64(len(body)), 10), "\r\n"...)
	}
	b = appendField(b, "Location: ", a.location)
	b = appendField(b, "Weir-Reason: ", a.reason)
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

// appendField appends a field line, nothing without a value. Values are ours or configuration's.
func appendField(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return append(append(append(b, name...), headerSafe(value)...), "\r\n"...)
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
		return x.answerWith(&ownAnswer{status: 200, kind: "text/plain"})
	}
	echo := fmt.Appendf(nil, "TRACE %s HTTP/1.%d\r\n", x.head.Target, x.head.Version-10)
	for name, value := range x.head.All() {
		if !secret(name) {
			echo = fmt.Appendf(echo, "%s: %s\r\n", name, value)
		}
	}
	return x.answerWith(&ownAnswer{status: 200, kind: "message/http", body: string(append(echo, "\r\n"...))})
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
