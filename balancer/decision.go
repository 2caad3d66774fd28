package balancer

import "github.com/weirlb/weir/config"

// Kind says what to do with a request.
type Kind uint8

const (
	Refused    Kind = iota // answer with Decision.Status; nothing is sent to an origin
	ToOrigin               // send it to Decision.Origin
	FixedReply             // answer with a configured response
)

// Decision is what to do with a request, and why. It borrows from the snapshot it was made from and is good for as
// long as that is held.
type Decision struct {
	Kind     Kind
	Reason   Reason
	Status   int // of a refusal or a fixed reply
	Attempt  int // 1 for the first origin asked, 2 for the retry
	LB       *LoadBalancer
	Pool     *Pool
	Origin   *PoolOrigin
	Fallback bool // the pool was the last resort
	Shed     int  // pools that turned this request away
	// Response is what a FixedReply answers with.
	Response *config.FixedResponse
	// Session is what becomes of the request's session if this attempt brings an answer.
	Session SessionOutcome
}

// Class is how an attempt ended, or why none was made. It is a closed set: docs/reasons.md lists every one.
type Class uint8

const (
	OK                 Class = iota
	ConnectRefused           // 521
	ConnectTimeout           // 522
	Unreachable              // 523
	TLSHandshake             // 525
	Certificate              // 526
	OriginClosed             // 520: closed or reset before an answer
	OriginInvalid            // 520: the answer cannot be parsed, or its head is too large
	FirstByteTimeout         // 524
	OriginWriteTimeout       // 524
	AnswerCut                // the answer broke off after it had begun; the client connection was aborted
	ClientGone               // the client went away; nobody to answer
	ClientTimeout            // 408: the client stopped sending
	ClientStalled            // the client stopped reading
	ClientInvalid            // 400: the request's body was malformed
	OriginBusy               // 503: the origin's connection limit is reached
	Internal                 // 500: a fault of weir's own
)

// ClassInfo describes one Class.
type ClassInfo struct {
	Class   Class
	Token   string // as logs, metrics and explain spell it
	Meaning string
	Status  int  // of weir's own answer; 0 when there is none to give
	Retried bool // one further origin of the pool may be asked
}

var classes = [...]ClassInfo{
	OK:                 {OK, "ok", "the origin answered, whatever it said", 0, false},
	ConnectRefused:     {ConnectRefused, "connect_refused", "the origin refused the connection", 521, true},
	ConnectTimeout:     {ConnectTimeout, "connect_timeout", "the connection was not made in time", 522, true},
	Unreachable:        {Unreachable, "unreachable", "there is no route to the origin", 523, true},
	TLSHandshake:       {TLSHandshake, "tls_handshake", "the TLS handshake with the origin failed", 525, true},
	Certificate:        {Certificate, "certificate", "the origin's certificate is not valid", 526, true},
	OriginClosed:       {OriginClosed, "origin_closed", "the origin closed or reset the connection before an answer", 520, false},
	OriginInvalid:      {OriginInvalid, "origin_invalid", "the origin's answer cannot be parsed, or its head is too large", 520, false},
	FirstByteTimeout:   {FirstByteTimeout, "first_byte_timeout", "the origin did not begin to answer in time", 524, false},
	OriginWriteTimeout: {OriginWriteTimeout, "origin_write_timeout", "the origin did not take the request in time", 524, false},
	AnswerCut:          {AnswerCut, "answer_cut", "the answer broke off after it had begun; the client connection was aborted", 0, false},
	ClientGone:         {ClientGone, "client_gone", "the client went away", 0, false},
	ClientTimeout:      {ClientTimeout, "client_timeout", "the client stopped sending", 408, false},
	ClientStalled:      {ClientStalled, "client_stalled", "the client stopped reading", 0, false},
	ClientInvalid:      {ClientInvalid, "client_invalid", "the body of the request was malformed", 400, false},
	OriginBusy:         {OriginBusy, "origin_busy", "the origin's connection limit is reached", 503, false},
	Internal:           {Internal, "internal", "a fault of weir's own", 500, false},
}

// Classes returns every Class there is, in the order of docs/reasons.md.
func Classes() []ClassInfo { return append([]ClassInfo(nil), classes[:]...) }

// String is the token of the class, snake_case.
func (c Class) String() string { return classes[c].Token }

// Status is what weir answers after an attempt that ended so; 0 when there is nothing to answer.
func (c Class) Status() int { return classes[c].Status }

// Retried reports whether an attempt that ended so may be followed by one at another origin (behaviour R1).
func (c Class) Retried() bool { return classes[c].Retried }

// Failure is what the proxy reports of an attempt that did not bring an answer.
type Failure struct {
	Class      Class
	Sent       bool // at least one byte of the request went to the origin
	Replayable bool // GET, HEAD, OPTIONS or TRACE without a body
}
