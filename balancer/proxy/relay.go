package proxy

import (
	"io"
	"time"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/balancer/proxy/wire"
)

// smallBody is how much of a body already at hand is copied behind a head to go out in one write.
const smallBody = 16 << 10

// send gives the origin the head and what of the body is at hand. When there is more to come, a second flow moves it
// while the answer is waited for: an origin may answer before it has read everything, or while it reads.
func (x *exchange) send(d *balancer.Decision) balancer.Class {
	if cause := x.compose(d); cause != wire.OK {
		x.res.Cause = cause.String()
		return balancer.ClientInvalid
	}
	io := x.oc.link.io
	io.armRead(0)
	io.armWrite(x.set.timeouts.originWrite)
	n, err := io.write(x.out)
	x.sent += n
	switch {
	case err != nil:
		return originWriteClass(err)
	case x.body.Done():
		x.uploaded()
	default:
		x.up.wait = x.c.eng.spawn(x.guarded(x.upload))
	}
	return balancer.OK
}

// compose puts the head as this origin must see it into x.out, and behind it the body's first bytes: those that the
// client's link held when the first attempt began. They are kept, because an attempt that sent nothing may be followed
// by another.
func (x *exchange) compose(d *balancer.Decision) (cause wire.Cause) {
	x.edits.Host = d.Origin.Config.Host
	x.out = x.head.AppendHead(x.out[:0], &x.edits)
	if x.first == nil && !x.body.Done() {
		cause = x.takeFirst()
	}
	x.out = append(x.out, x.first...)
	return cause
}

func (x *exchange) takeFirst() wire.Cause {
	p := x.c.link.bytes()
	n, _, cause := x.body.Scan(p[:min(len(p), smallBody)])
	x.firstRoom = append(x.firstRoom[:0], p[:n]...)
	x.first = x.firstRoom
	x.c.link.take(n)
	x.up.bytes += int64(n)
	return cause
}

// uploaded notes that the request is sent whole: now the origin's time to answer runs, and the client is watched.
func (x *exchange) uploaded() {
	x.up.done.Store(true)
	x.oc.link.io.beginRead(after(x.set.timeouts.firstByte))
	x.c.link.io.watch(x.oc.link.io)
}

// upload moves the rest of the request's body. When it cannot go on, it breaks the origin connection, so that what
// was sent cannot look like a whole request and the wait for the answer ends; why is in x.up.
func (x *exchange) upload() {
	client, origin := &x.c.link, x.oc.link.io
	for {
		p := client.bytes()
		n, done, cause := x.body.Scan(p)
		if cause != wire.OK {
			x.up.cause = cause.String()
			x.breakOff(balancer.ClientInvalid)
			return
		}
		if n > 0 {
			origin.armWrite(x.set.timeouts.originWrite)
			if _, err := origin.write(p[:n]); err != nil {
				x.untaken(err)
				return
			}
			x.up.bytes += int64(n)
			client.take(n)
		}
		if done {
			x.uploaded()
			return
		}
		client.io.armRead(after(x.set.timeouts.clientGap))
		if x.up.stopped.Load() {
			return // the deadline that was to end the wait may have come before this one
		}
		if err := client.more(); err != nil {
			x.breakOff(uploadClass(err))
			return
		}
	}
}

// breakOff ends the upload because of the client.
func (x *exchange) breakOff(class balancer.Class) {
	if !x.up.stopped.Load() {
		x.up.class = class
		x.oc.link.io.abort()
	}
}

// untaken ends the upload because the origin takes no more. One that has answered early may do that: the answer decides,
// and it has begun, or comes in the time that an answer has. After an origin that took nothing for so long none does.
func (x *exchange) untaken(err error) {
	if x.up.stopped.Load() {
		return
	}
	x.up.class = originWriteClass(err)
	at := after(x.set.timeouts.firstByte)
	if err == errTimeout {
		at = 1
	}
	x.oc.link.io.beginRead(at)
}

// joinUpload ends the upload and reports whether the whole body was sent. One still going when nobody wants the rest
// is stopped; one that the origin goes on reading after its answer goes on.
func (x *exchange) joinUpload(wanted bool) (whole bool) {
	if x.up.wait == nil {
		return x.up.done.Load()
	}
	if !wanted && !x.up.done.Load() {
		x.up.stopped.Store(true)
		x.oc.link.io.abort()
		x.c.link.io.armRead(1)
	}
	x.up.wait()
	x.up.wait = nil
	x.c.link.io.armRead(0)
	return x.up.done.Load()
}

// receive waits for the answer and relays it.
func (x *exchange) receive(began time.Time) balancer.Class {
	class := x.receiveHead(began)
	for class == balancer.OK && x.ans.Interim() {
		if class = x.interim(); class == balancer.OK {
			class = x.receiveHead(began)
		}
	}
	switch {
	case class != balancer.OK:
		return x.blame(class)
	case x.ans.Status == 101:
		return x.tunnel()
	}
	return x.blame(x.relay())
}

// blame prefers the reason why the upload broke the connection over the wreck that the answer's side saw.
func (x *exchange) blame(class balancer.Class) balancer.Class {
	if class == balancer.OK || x.up.wait == nil {
		return class
	}
	x.joinUpload(false)
	switch x.up.class {
	case balancer.OK:
		return class
	case balancer.OriginClosed, balancer.OriginWriteTimeout:
		if x.began {
			return class
		}
	}
	x.res.Cause = x.up.cause
	return x.up.class
}

// receiveHead reads and checks one head from the origin, final or interim. The head stays in the link until it has
// been rewritten: what Parse finds borrows it.
func (x *exchange) receiveHead(began time.Time) balancer.Class {
	l, lim, from := &x.oc.link, x.set.wire, 0
	for {
		p := l.bytes()
		if len(p) > 0 && !x.heard {
			x.heard = true
			x.res.Wait = time.Since(began)
		}
		if n := wire.HeadEnd(p, from); n > 0 {
			x.ansLen = n
			return x.invalid(x.ans.Parse(p[:n], lim, x.head.Method))
		}
		if cause := wire.AnswerTooLong(p, lim); cause != wire.OK {
			return x.invalid(cause)
		}
		from = len(p)
		if err := l.fill(); err != nil {
			return answerClass(err)
		}
	}
}

// invalid is the class of an answer with this cause.
func (x *exchange) invalid(cause wire.Cause) balancer.Class {
	if cause == wire.OK {
		return balancer.OK
	}
	x.res.Cause = cause.String()
	return balancer.OriginInvalid
}

// maxInterims bounds the 1xx answers before a final one.
const maxInterims = 64

// interim relays a 1xx answer to clients that know them. A 100 goes only to one that asked for it.
func (x *exchange) interim() balancer.Class {
	if x.interims++; x.interims > maxInterims {
		return balancer.OriginInvalid
	}
	wanted := x.head.Version >= 11 && (x.ans.Status != 100 || x.head.Expect100)
	x.continued = x.continued || x.ans.Status == 100
	if wanted {
		x.out = x.ans.AppendHead(x.out[:0], &wire.ResponseEdits{})
	}
	x.oc.link.take(x.ansLen)
	if !wanted {
		return balancer.OK
	}
	return x.toClient(x.out)
}

// toClient sends p and judges the failure to.
func (x *exchange) toClient(p []byte) balancer.Class {
	if len(p) == 0 {
		return balancer.OK
	}
	x.c.link.io.armWrite(x.set.timeouts.clientWrite)
	if _, err := x.c.link.io.write(p); err != nil {
		return clientWriteClass(err)
	}
	return balancer.OK
}

// relay sends the answer's head and body to the client as the bytes come.
func (x *exchange) relay() balancer.Class {
	l := &x.oc.link
	x.answerHead()
	l.take(x.ansLen)
	x.began = true
	for {
		n, done, class := x.pass(l.bytes())
		l.take(n)
		x.res.BytesOut += int64(n)
		if class != balancer.OK || done {
			return class
		}
		l.io.armRead(after(x.set.timeouts.originGap))
		switch err := l.more(); {
		case err == nil:
		case err == io.EOF && x.answer.Complete():
			return x.endAnswer()
		default:
			return bodyClass(err)
		}
	}
}

// answerHead puts the head that the client sees into x.out and decides how the body is framed and whether the
// connection stays.
func (x *exchange) answerHead() {
	a := &x.ans
	x.res.Status = a.Status
	x.answer.Reset(a.Framing, a.Length, x.set.wire)
	x.reframe = a.ReframeFor(x.head.Version)
	if x.unsentForGood() || x.reframe == wire.CloseDelimited || x.srv.draining.Load() ||
		a.Framing == wire.UntilClose && x.reframe != wire.Rechunk {
		x.mayKeep = false
	}
	e := wire.ResponseEdits{Ray: x.edits.Ray, Persist: x.persist(), Reframe: x.reframe, Extra: x.settle()}
	if !a.HasDate {
		e.Date = x.date()
	}
	x.out = a.AppendHead(x.out[:0], &e)
}

// unsentForGood reports that the request's body is not sent whole and will not be: the origin is about to close, or
// the client was never told to go on. What the client may still send then cannot be told from a next request.
func (x *exchange) unsentForGood() bool {
	unsent := x.up.wait != nil && !x.up.done.Load()
	return unsent && (!x.ans.KeepAlive || x.head.Expect100 && !x.continued)
}

// pass sends what of p belongs to the body, behind the head if that is still to go, framed as the client needs it.
func (x *exchange) pass(p []byte) (n int, done bool, class balancer.Class) {
	var cause wire.Cause
	switch x.reframe {
	case wire.AsReceived:
		n, done, cause = x.answer.Scan(p)
		class = x.passWhole(p[:n])
	case wire.Rechunk:
		n, done, cause = x.answer.Scan(p)
		x.out = wire.AppendChunk(x.out, p[:n])
		class = x.passWhole(nil)
	case wire.CloseDelimited:
		var data []byte
		for used := 0; n < len(p) && !done && cause == wire.OK; n += used {
			data, used, done, cause = x.answer.Next(p[n:])
			x.out = append(x.out, data...)
		}
		done = x.answer.Done()
		class = x.passWhole(nil)
	}
	if class == balancer.OK && cause != wire.OK {
		x.res.Cause = cause.String()
		class = balancer.AnswerCut
	}
	return n, done, class
}

// passWhole sends x.out, then p: in one write while p is small.
func (x *exchange) passWhole(p []byte) balancer.Class {
	if len(x.out) > 0 && len(p) <= smallBody {
		x.out = append(x.out, p...)
		p = nil
	}
	class := x.toClient(x.out)
	x.out = x.out[:0]
	if class != balancer.OK {
		return class
	}
	return x.toClient(p)
}

// endAnswer ends a body that the end of the origin's connection has ended.
func (x *exchange) endAnswer() balancer.Class {
	if x.reframe == wire.Rechunk {
		return x.toClient([]byte(wire.LastChunk))
	}
	return balancer.OK
}
