package proxy

import (
	"net/netip"
	"time"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/config"
)

// Outcome is what became of one exchange: metrics and the access log are made from it and from nothing else. It is
// handed to the observers once, when the last byte has moved, and is theirs until they return.
type Outcome struct {
	Start    time.Time
	Duration time.Duration // to the last byte
	Connect  time.Duration // dial and handshake of the last attempt; 0 on a connection kept from before
	Wait     time.Duration // of the last attempt, from asking for a connection to the answer's first byte

	Client netip.Addr // resolved, see docs/behaviour.md C1-C4
	Peer   netip.Addr // at the other end of the connection
	Secure bool
	Method []byte // empty when the head could not be read
	Host   []byte
	Target []byte
	Agent  []byte // User-Agent
	Ray    []byte

	Status   int   // sent to the client; 0 when nothing was
	BytesIn  int64 // of the request's body, as framed
	BytesOut int64 // of the answer's body, as framed

	Decision balancer.Decision   // the last one
	Shed     []balancer.ShedPool // the pools that turned the request away
	Row      int                 // of counters, of the flow that served it
	Place    config.Place        // where the request was handled, with its client's country
	Session  SessionResult
	Seed     uint64
	Revision uint64
	Tries    int            // attempts at origins
	Retried  balancer.Class // how the first attempt failed, when there was a second
	Redialed bool           // a kept connection turned out to be closed
	Class    balancer.Class // how it ended
	Cause    string         // of a malformed head or body, one token
	Upgraded bool           // it became a tunnel
}

// answerClass judges the error that ended the wait for an answer's head.
func answerClass(err error) balancer.Class {
	switch err {
	case errTimeout:
		return balancer.FirstByteTimeout
	case errInterrupted:
		return balancer.ClientGone
	case errLinkFull:
		return balancer.OriginInvalid
	}
	return balancer.OriginClosed
}

// bodyClass judges the error that ended an answer's body before its end.
func bodyClass(err error) balancer.Class {
	if err == errInterrupted {
		return balancer.ClientGone
	}
	return balancer.AnswerCut
}

// originWriteClass judges the error that ended a write to the origin.
func originWriteClass(err error) balancer.Class {
	switch err {
	case errTimeout:
		return balancer.OriginWriteTimeout
	case errInterrupted:
		return balancer.ClientGone
	}
	return balancer.OriginClosed
}

// uploadClass judges the error that ended the wait for more of a request's body.
func uploadClass(err error) balancer.Class {
	if err == errTimeout {
		return balancer.ClientTimeout
	}
	return balancer.ClientGone
}

// clientWriteClass judges the error that ended a write to the client.
func clientWriteClass(err error) balancer.Class {
	if err == errTimeout {
		return balancer.ClientStalled
	}
	return balancer.ClientGone
}
