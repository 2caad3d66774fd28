package wire

// Response is a checked head of an answer, interim or final. It is meant to be reused and borrows the head until the
// next Parse.
type Response struct {
	Fields

	Status  int    // 100 to 999: the codes above 599 exist in the wild and pass
	Reason  []byte // as sent, perhaps empty
	Version uint8  // 10 or 11

	Framing Framing
	Length  int64 // of the body, with Framing Length

	KeepAlive bool // the origin connection can carry another request once the body has ended
	Upgrade   bool // Connection and Upgrade announce another protocol
	HasDate   bool

	minor    byte // minor version as received, for Via
	coded    bool // there is a Transfer-Encoding
	bodiless bool // no answer with this status has a body: 1xx, 204
}

// Interim reports a 1xx answer other than 101: another head follows on the same connection.
func (r *Response) Interim() bool { return r.Status < 200 && r.Status != 101 }

// HasBody reports whether a body may follow the head.
func (r *Response) HasBody() bool { return r.Framing != None && (r.Framing != Length || r.Length > 0) }

// Switches reports whether a 101 switches to protocols that the request offered and that were passed on. Any other 101
// is a fault of the origin (RFC 9110 §7.8).
func (r *Response) Switches(q *Request) bool {
	if r.Status != 101 || !r.Upgrade || !q.Upgrade {
		return false
	}
	for i := range r.list {
		l := &r.list[i]
		if l.id != idUpgrade {
			continue
		}
		for rest := r.value(l); len(rest) > 0; {
			var protocol []byte
			protocol, rest = nextElement(rest)
			if len(protocol) > 0 && (!tunnels(protocol) || !q.offers(protocol)) {
				return false
			}
		}
	}
	return true
}

// Parse checks a whole head of an answer to a request with this method. With any cause but OK the answer is unusable,
// and so is its connection: the client gets 520.
func (r *Response) Parse(head []byte, lim Limits, method []byte) Cause {
	*r = Response{Fields: Fields{head: head, list: r.list[:0]}}
	at, cause := r.statusLine(head)
	if cause != OK {
		return cause
	}
	seen, cause := r.parse(head, at, lim)
	if cause != OK {
		return cause
	}
	doubt, cause := r.body(seen, method)
	if cause != OK {
		return cause
	}
	o, cause := r.connection(seen)
	if cause != OK {
		return cause
	}
	r.KeepAlive = o.persistent(r.Version) && r.Framing != UntilClose && r.Status != 101 && !doubt
	r.Upgrade = o.upgrade && r.Version >= 11 && seen.has(idUpgrade) && r.upgrades()
	r.HasDate = seen.has(idDate)
	return OK
}

// statusLine reads HTTP/1.DIGIT SP 3DIGIT SP [REASON] CRLF. The second space is missing in many answers without a
// reason; nothing can be misread by that.
func (r *Response) statusLine(head []byte) (at int, cause Cause) {
	minor, cause := httpVersion(head)
	if cause != OK {
		return 0, cause
	}
	const code = len("HTTP/1.1 ")
	if len(head) < code+4 || head[code-1] != ' ' ||
		class[head[code]]&class[head[code+1]]&class[head[code+2]]&isDigit == 0 || head[code] == '0' {
		return 0, badLine(head, code-1, BadStatusLine)
	}
	r.minor, r.Version = minor, 10+min(minor-'0', 1)
	r.Status = int(head[code]-'0')*100 + int(head[code+1]-'0')*10 + int(head[code+2]-'0')
	at = code + 3
	if head[at] == ' ' {
		at++
	} else if head[at] != '\r' {
		return 0, badLine(head, at, BadStatusLine)
	}
	end := textEnd(head, at, ' ')
	for end < len(head) && head[end] == '\t' {
		end = textEnd(head, end+1, ' ')
	}
	if end+1 >= len(head) || head[end] != '\r' || head[end+1] != '\n' {
		return 0, badText(head, end)
	}
	if r.Reason = head[at:end]; len(r.Reason) > maxReason {
		return 0, HeaderTooLong
	}
	return end + 2, OK
}

// body finds the framing by RFC 9112 §6.3. doubt reports an answer without a body that nevertheless announces one:
// whatever its origin sends next on the connection cannot be trusted to be an answer.
func (r *Response) body(seen idSet, method []byte) (doubt bool, cause Cause) {
	framing, length, found, cause := r.framing(seen, r.Version)
	if cause != OK {
		return false, cause
	}
	r.coded = framing == Chunked
	r.bodiless = r.Status < 200 || r.Status == 204
	switch {
	case r.bodiless:
		return r.coded || length > 0, OK
	case r.Status == 304, string(method) == "HEAD":
		return false, OK
	case r.Status < 300 && string(method) == "CONNECT":
		return false, OK
	case !found:
		r.Framing = UntilClose
	default:
		r.Framing, r.Length = framing, length
	}
	return false, OK
}

// Reframe says how an answer's framing changes on its way to the client.
type Reframe uint8

const (
	AsReceived     Reframe = iota
	CloseDelimited         // Transfer-Encoding is cut: the end of the connection ends the body
	Rechunk                // Transfer-Encoding: chunked is added: the caller makes chunks (AppendChunk)
)

// ReframeFor returns the change that a client of this version needs: HTTP/1.0 knows no chunks (RFC 9112 §6.1), and with
// HTTP/1.1 chunks tell a whole answer from one cut short, where the end of the connection cannot.
func (r *Response) ReframeFor(version uint8) Reframe {
	switch {
	case version < 11 && r.coded:
		return CloseDelimited
	case version >= 11 && r.Framing == UntilClose:
		return Rechunk
	}
	return AsReceived
}
