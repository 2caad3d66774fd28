package proxy

import (
	"io"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/balancer/proxy/wire"
)

// tunnel passes bytes both ways after a 101 that the client asked for, until both sides have finished or neither has
// said anything for the tunnel's idle time. What either side sent early is in the links and goes first.
func (x *exchange) tunnel() balancer.Class {
	if !x.ans.Switches(&x.head) || !x.up.done.Load() {
		x.res.Cause = "unasked_upgrade"
		return balancer.OriginInvalid
	}
	x.joinUpload(true)
	x.c.link.io.unwatch()
	x.mayKeep, x.began, x.res.Upgraded, x.res.Status = false, true, true, 101
	x.out = x.ans.AppendHead(x.out[:0], &wire.ResponseEdits{Ray: x.edits.Ray, Extra: x.settle()})
	x.oc.link.take(x.ansLen)
	if class := x.toClient(x.out); class != balancer.OK {
		return class
	}
	x.moved.Store(mono())
	var up int64
	wait := x.c.eng.spawn(x.guarded(func() { up = x.pump(&x.c.link, &x.oc.link) }))
	x.res.BytesOut = x.pump(&x.oc.link, &x.c.link)
	wait()
	x.up.bytes = up
	return balancer.OK
}

// pump passes bytes one way and answers how many. A side that finishes sending is told to the other, which may go on;
// any other end ends both ways.
func (x *exchange) pump(from, to *link) (n int64) {
	idle := x.set.timeouts.tunnelIdle
	for {
		if p := from.bytes(); len(p) > 0 {
			to.io.armWrite(idle)
			m, err := to.io.write(p)
			n += int64(m)
			if err != nil {
				break
			}
			from.take(m)
			x.moved.Store(mono())
		}
		from.io.armRead(x.moved.Load() + idle)
		err := from.more()
		if err == io.EOF {
			_ = to.io.closeWrite()
			return n
		}
		if err != nil && (err != errTimeout || mono() >= x.moved.Load()+idle) {
			break
		}
	}
	from.io.abort()
	to.io.abort()
	return n
}
