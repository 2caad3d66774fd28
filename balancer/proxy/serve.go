package proxy

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/balancer/geoip"
	"github.com/weirlb/weir/balancer/proxy/wire"
)

// exchange is one request and its answer. It is pooled; nothing of it is kept after run.
type exchange struct {
	c    *client
	srv  *Server
	set  *settings
	snap *balancer.Snapshot
	row  int

	raw       []byte // our copy of the request head
	head      wire.Request
	body      wire.Body // of the request
	edits     wire.Edits
	req       balancer.Request
	trail     balancer.Trail
	out       []byte // what is sent next
	first     []byte // the body's first bytes, once taken from the client's link; in firstRoom
	firstRoom []byte
	text      []byte // client and peer addresses, ray: short texts that edits borrow
	stamp     []byte // Date
	extra     []byte // fields of our own for an answer
	country   geoip.Code
	mayKeep   bool
	unread    bool // the answer left part of the request unread

	oc        *originConn // of the present attempt
	up        upload
	ans       wire.Response
	ansLen    int // length of its head, which stands at the start of the origin's link
	answer    wire.Body
	reframe   wire.Reframe
	interims  int
	continued bool           // one of them was 100
	sent      int            // bytes of the request given to the origin's socket in this attempt
	failed    balancer.Class // how the attempt before this one ended
	heard     bool           // a byte of an answer came in this attempt
	began     bool           // the client was given some of the final answer
	moved     atomic.Int64   // when bytes last went through the tunnel

	res Outcome
}

// upload is the flow that moves a request's body while the answer is waited for.
type upload struct {
	wait    func()      // nil when there is none
	done    atomic.Bool // the whole body has been sent
	stopped atomic.Bool // nobody wants the rest: how it ends says nothing
	class   balancer.Class
	cause   string
	bytes   int64
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

func newExchange(c *client, set *settings) *exchange {
	x := exchanges.Get().(*exchange)
	x.c, x.srv, x.set, x.row = c, c.srv, set, c.row
	x.res = Outcome{Start: time.Now(), Peer: c.peer.Addr(), Client: c.peer.Addr(), Secure: c.secure, Row: c.row}
	x.head.Method, x.head.Target, x.head.Version, x.edits.Ray = nil, nil, 0, nil // until this head is read
	x.sent, x.interims, x.continued, x.heard, x.began, x.mayKeep = 0, 0, false, false, false, false
	x.failed, x.unread, x.first = balancer.OK, false, nil
	x.up.wait, x.up.class, x.up.cause, x.up.bytes = nil, balancer.OK, "", 0
	x.up.done.Store(false)
	x.up.stopped.Store(false)
	x.trail.Reset()
	return x
}

func (x *exchange) free() {
	x.c, x.srv, x.set, x.snap, x.oc = nil, nil, nil, nil, nil
	x.res = Outcome{}
	x.req = balancer.Request{}
	exchanges.Put(x)
}

// run serves the request, tells the observers and reports whether the connection may carry another. A fault of ours
// costs this exchange only.
func (x *exchange) run(mayKeep bool) (keep bool) {
	x.mayKeep = mayKeep && x.head.KeepAlive && !x.srv.draining.Load()
	defer func() {
		if v := recover(); v != nil {
			keep = x.panicked(v)
		}
		x.observe()
		if x.unread {
			x.linger()
		}
	}()
	return x.serve()
}

// serve is the life of a request.
func (x *exchange) serve() (keep bool) {
	x.snap = x.srv.opt.Snapshot()
	x.identify()
	if x.head.MaxForwards == 0 {
		return x.lastHop()
	}
	for {
		d := x.snap.Direct(&x.req, &x.trail) // pool sets, rules, session, pools in steering order, shedding, fallback, retries
		x.res.Decision, x.res.Shed = d, x.trail.Shed()
		switch d.Kind {
		case balancer.FixedReply:
			return x.reply(d.Response, d.Reason)
		case balancer.Refused:
			return x.refuse(&d)
		case balancer.ToOrigin:
		}
		f := x.attempt(&d) // connect, send, relay; reports, never judges
		if !x.trail.Failed(f) {
			return x.finish(f)
		}
		x.failed = f.Class
	}
}

// identify fills in what a decision may know: values, and bytes borrowed from the head.
func (x *exchange) identify() {
	h, r := &x.head, &x.req
	peer := x.c.peer.Addr()
	r.Client = balancer.ResolveClient(peer, x.snap.Trusted, h.Get("CF-Connecting-IP"), h.Values("X-Forwarded-For"))
	r.Host, r.Method, r.Path, r.Query = h.Host, h.Method, h.Path, h.Query
	r.Version, r.Secure, r.Fields = h.Version, x.c.secure, h
	r.Now = x.srv.timeOf(x)
	seed := x.srv.seedOf(x.c)
	r.Seed = seed // unless a trusted peer asks for another one
	country := x.locate(x.trusts(peer))
	x.body.Reset(h.Framing, h.Length, x.set.wire)

	x.res.Client, x.res.Method, x.res.Host, x.res.Target = r.Client, h.Method, h.Host, h.Target
	x.res.Agent = h.Get("User-Agent")
	x.res.Seed, x.res.Revision = r.Seed, x.snap.Revision
	x.edit(peer, country, seed)
}

// attempt sends the request to one origin and relays what it answers. A connection kept from an earlier request may
// have been closed by the origin just now: then, if the request may be sent twice, it is, once, on a new connection.
func (x *exchange) attempt(d *balancer.Decision) balancer.Failure {
	live := d.Origin.Live
	live.BeginRequest(x.row)
	defer live.EndRequest(x.row)
	x.res.Tries++
	x.res.Retried = x.failed
	f, closedEarly := x.try(d, false)
	if closedEarly && (!f.Sent || f.Replayable) {
		x.res.Redialed = true
		f, _ = x.try(d, true)
	}
	return f
}

// try makes one try on one connection. closedEarly says that it was a kept one which ended before any byte of an
// answer.
func (x *exchange) try(d *balancer.Decision, fresh bool) (f balancer.Failure, closedEarly bool) {
	began := time.Now()
	x.sent, x.heard = 0, false
	class := x.connect(d, fresh)
	if class == balancer.OK {
		kept := x.oc.used
		if class = x.send(d); class == balancer.OK {
			class = x.receive(began)
		}
		closedEarly = kept && class == balancer.OriginClosed && !x.heard
		x.release(class)
	}
	return balancer.Failure{Class: class, Sent: x.sent > 0, Replayable: x.head.Replayable()}, closedEarly
}

// release ends the use of the origin connection: it is kept when both messages went over it whole.
func (x *exchange) release(class balancer.Class) {
	whole := x.joinUpload(class == balancer.OK && x.mayKeep)
	oc := x.oc
	x.oc = nil
	x.c.link.io.unwatch()
	if class == balancer.OK {
		x.mayKeep = x.mayKeep && whole
	}
	switch {
	case class != balancer.OK || !whole:
		oc.abort()
	case x.ans.KeepAlive && len(oc.link.bytes()) == 0 && !x.res.Upgraded:
		oc.peer.put(oc, mono(), x.set.limits.OriginIdle)
	default:
		oc.close() // in order: the last bytes may still be on their way
	}
}

// finish ends an exchange whose last attempt has been made.
func (x *exchange) finish(f balancer.Failure) (keep bool) {
	x.res.Class = f.Class
	if f.Class == balancer.OK {
		x.unread = !x.body.Done()
		return x.mayKeep
	}
	if x.began {
		x.c.link.io.abort() // never append to a half-sent answer
		return false
	}
	return x.fail(f.Class)
}

// observe hands the outcome to the observers. A fault in one of them is not the request's.
func (x *exchange) observe() {
	defer x.srv.caught()
	x.res.Duration = time.Since(x.res.Start)
	x.res.BytesIn = x.up.bytes
	for _, f := range x.srv.opt.Observe {
		f(&x.res)
	}
}
