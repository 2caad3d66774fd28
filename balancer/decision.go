package balancer

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
	Status   int // of a refusal
	Attempt  int // 1 for the first origin asked, 2 for the retry
	LB       *LoadBalancer
	Pool     *Pool
	Origin   *PoolOrigin
	Fallback bool // the pool was the last resort
	Shed     int  // pools that turned this request away
}

// Class is how an attempt ended, or why none was made. It is a closed set: docs/reasons.md lists every one.
type Class uint8

const (
	OK                Class = iota
	ConnectRefused          // 521
	ConnectTimeout          // 522
	Unreachable             // 523
	TLSHandshake            // 525
	Certificate             // 526
	OriginClosed            // 520: closed or reset before an answer
	OriginInvalid           // 520: the answer cannot be parsed, or its head is too large
	FirstByteTimeout        // 524
	OriginWriteTimeout      // 524
	AnswerCut               // the answer broke off after it had begun; the client connection was aborted
	ClientGone              // the client went away; nobody to answer
	ClientTimeout           // 408: the client stopped sending
	ClientStalled           // the client stopped reading
	ClientInvalid           // 400: the request's body was malformed
	OriginBusy              // 503: the origin's connection limit is reached
	Internal                // 500: a fault of weir's own
)

// Failure is what the proxy reports of an attempt that did not bring an answer.
type Failure struct {
	Class      Class
	Sent       bool // at least one byte of the request went to the origin
	Replayable bool // GET, HEAD, OPTIONS or TRACE without a body
}
