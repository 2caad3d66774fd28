package proxy

import "github.com/weirlb/weir/balancer"

// SessionResult is what became of an exchange's session: a closed set of tokens.
type SessionResult uint8

const (
	NoSession    SessionResult = iota // there is none, or no origin answered
	SessionBegun                      // the request came with none
	SessionHit                        // its origin answered
	SessionMoved                      // it was broken, or zero_downtime_failover moved it: it names another origin now
	SessionAway                       // another origin answered this once; it stays where it was

	sessionResults
)

// String is the token of the result.
func (r SessionResult) String() string {
	return [sessionResults]string{"none", "new", "hit", "moved", "away"}[r]
}

// resultOf judges the session of a decision whose origin answered.
func resultOf(d *balancer.Decision) SessionResult {
	s := &d.Session
	switch s.Action {
	case balancer.SessionKept:
		if d.Reason == balancer.Pinned {
			return SessionHit
		}
		return SessionAway
	case balancer.SessionSet:
		switch s.Before {
		case balancer.SessionAbsent, balancer.SessionInvalid, balancer.SessionExpired:
			return SessionBegun
		}
		return SessionMoved
	}
	return NoSession
}

// settle makes what was decided about the session so, now that an origin answers and its head is about to go out, and
// returns the fields that the answer gets for it: the cookie that names the origin (behaviour N1, N7), and what
// --explain-headers asks for. They are good until the next answer.
//
// Decision: a cookie that a client sends goes on to the origin like every other one (behaviour Q10), and so does a
// __cflb that an origin sets to the client. Because: nothing is known to be cut at Cloudflare. Instead of: cutting ours,
// which would make the request's Cookie another one.
func (x *exchange) settle() []byte {
	d := &x.res.Decision
	x.res.Session = resultOf(d)
	d.Session.Remember()
	b := x.extra[:0]
	if d.Session.SetsCookie() {
		b = append(d.Session.AppendSetCookie(append(b, "Set-Cookie: "...)), "\r\n"...)
	}
	if x.srv.opt.ExplainHeaders {
		b = appendField(b, "Weir-Pool: ", d.Pool.Config.Name)
		b = appendField(b, "Weir-Origin: ", d.Origin.Config.Name)
		b = appendField(b, "Weir-Reason: ", d.Reason.String())
	}
	x.extra = b
	return b
}
