package wire

import "bytes"

// Form is the form of a request target (RFC 9112 §3.2).
type Form uint8

const (
	OriginForm    Form = iota // /path?query
	AbsoluteForm              // http://host/path?query
	AsteriskForm              // *
	AuthorityForm             // host:port, with CONNECT only, which is refused
)

// Request is a checked request head. It is meant to be reused: Parse overwrites everything and keeps memory. It
// borrows the head until the next Parse.
type Request struct {
	Fields

	Method   []byte
	Target   []byte // as sent
	Form     Form
	Path     []byte // as sent; "/" for an absolute form without path, "*" for asterisk form
	Query    []byte // without the question mark
	HasQuery bool   // there was a question mark, perhaps a bare one
	Host     []byte // host[:port] as sent: of an absolute target, else of the Host field; empty when neither names one
	Version  uint8  // 10 or 11; later minor versions are read as 11 (RFC 9110 §2.5)

	Framing Framing // None, Length or Chunked
	Length  int64   // of the body, with Framing Length

	KeepAlive   bool // the client means to keep the connection
	Expect100   bool // the client waits for 100 (Continue) before it sends the body
	Upgrade     bool // an upgrade is asked for that can be passed on (see Edits.Upgrade)
	Staging     bool // there are Weir-* fields, which are addressed to us
	MaxForwards int  // of OPTIONS and TRACE; 0: answer, do not forward; -1: no limit

	minor    byte // minor version as received, for Via
	hostLine bool // there is a Host field
}

// HasBody reports whether a body of at least one byte or chunk follows the head.
func (r *Request) HasBody() bool { return r.Framing == Chunked || r.Length > 0 }

// Replayable reports whether the request may be sent twice: a safe method of RFC 9110 §9.2.1 and no body.
func (r *Request) Replayable() bool {
	if r.HasBody() {
		return false
	}
	switch string(r.Method) {
	case "GET", "HEAD", "OPTIONS", "TRACE":
		return true
	}
	return false
}

// Parse checks a whole head, from the request line to the blank line (HeadEnd) and without empty lines before it
// (SkipEmptyLines). With any cause but OK the request is unusable, apart from Method, Target and Version for a log
// line when they were read, and must not be forwarded in any part.
func (r *Request) Parse(head []byte, lim Limits) Cause {
	*r = Request{Fields: Fields{head: head, list: r.list[:0]}, MaxForwards: -1}
	at, cause := r.requestLine(head, lim)
	if cause != OK {
		return cause
	}
	seen, cause := r.parse(head, at, lim)
	if cause != OK {
		return cause
	}
	if cause = r.target(); cause != OK {
		return cause
	}
	if cause = r.host(seen); cause != OK {
		return cause
	}
	if r.Framing, r.Length, _, cause = r.framing(seen, r.Version); cause != OK {
		return cause
	}
	o, cause := r.connection(seen)
	if cause != OK {
		return cause
	}
	r.KeepAlive = o.persistent(r.Version)
	// RFC 9110 §7.8 and §10.1.1: Upgrade and Expect are ignored in HTTP/1.0.
	r.Upgrade = o.upgrade && r.Version >= 11 && seen.has(idUpgrade) && r.upgrades()
	r.Staging = seen.has(idWeir)
	r.Expect100 = seen.has(idExpect) && r.Version >= 11 && r.HasBody() && r.expectsContinue()
	return r.traceAndOptions(seen)
}

// requestLine reads method SP target SP version CRLF and returns where the fields begin.
func (r *Request) requestLine(head []byte, lim Limits) (at int, cause Cause) {
	end := tokenEnd(head, 0)
	switch {
	case end > maxMethod:
		return 0, MethodTooLong
	case end == 0 || end == len(head):
		return 0, badLine(head, end, BadRequestLine)
	case head[end] != ' ':
		return 0, badLine(head, end, BadMethod)
	}
	r.Method = head[:end]
	at = end + 1
	end = textEnd(head, at, '!')
	r.Target = head[at:end]
	switch {
	case len(r.Target) > lim.URI:
		return 0, URITooLong
	case end == at || end == len(head) || head[end] != ' ':
		return 0, badLine(head, end, BadRequestLine)
	}
	return r.version(head, end+1)
}

// badLine says what is wrong with the byte at which a part of the start line ended: a control byte, a line end that
// came too early or is not CRLF, or otherwise the given cause.
func badLine(head []byte, at int, otherwise Cause) Cause {
	switch {
	case at >= len(head) || head[at] == '\n':
		return BadLineEnd
	case head[at] == '\r':
		if at+1 < len(head) && head[at+1] == '\n' {
			return otherwise
		}
		return BadLineEnd
	case head[at] < ' ' && head[at] != '\t', head[at] == 0x7f:
		return ControlByte
	}
	return otherwise
}

// version reads HTTP/1.DIGIT CRLF.
func (r *Request) version(head []byte, at int) (next int, cause Cause) {
	next = at + len("HTTP/1.1\r\n")
	line := head[at:min(next, len(head))]
	minor, cause := httpVersion(line)
	if cause != OK {
		return 0, cause
	}
	if len(line) < len("HTTP/1.1\r\n") || line[8] != '\r' || line[9] != '\n' {
		return 0, badLine(line, len("HTTP/1.1"), BadVersion)
	}
	r.minor, r.Version = minor, 10+min(minor-'0', 1)
	return next, OK
}

// httpVersion reads HTTP/1.DIGIT at the start of b and returns the minor digit.
func httpVersion(b []byte) (minor byte, cause Cause) {
	if len(b) < len("HTTP/1.1") || string(b[:5]) != "HTTP/" || b[6] != '.' || class[b[5]]&class[b[7]]&isDigit == 0 {
		return 0, BadVersion
	}
	if b[5] != '1' {
		return 0, UnsupportedVersion
	}
	return b[7], OK
}

// target tells the forms apart. Bytes that RFC 3986 does not allow but that clients send, such as | or UTF-8, pass
// untouched; a fragment does not, since the receivers after us disagree about where it belongs.
func (r *Request) target() Cause {
	t := r.Target
	switch {
	case string(r.Method) == "CONNECT":
		r.Form = AuthorityForm
		return MethodConnect
	case bytes.IndexByte(t, '#') >= 0:
		return BadTarget
	case t[0] == '/':
		r.Form = OriginForm
		r.splitPath(t)
		return OK
	case len(t) == 1 && t[0] == '*':
		r.Form, r.Path = AsteriskForm, t
		if string(r.Method) != "OPTIONS" {
			return BadTarget
		}
		return OK
	}
	r.Form = AbsoluteForm
	return r.absolute(t)
}

var (
	slash    = []byte("/")
	asterisk = []byte("*")
)

// absolute reads http://authority/path?query (RFC 9112 §3.2.2). The user information that older clients put there is
// refused with the rest of what is no host (RFC 9110 §4.2.4).
func (r *Request) absolute(t []byte) Cause {
	colon := bytes.IndexByte(t, ':')
	if colon < 0 || !equalFold(t[:colon], "http") && !equalFold(t[:colon], "https") {
		return BadTarget
	}
	rest := t[colon+1:]
	if len(rest) < 2 || rest[0] != '/' || rest[1] != '/' {
		return BadTarget
	}
	rest = rest[2:]
	end := 0
	for end < len(rest) && rest[end] != '/' && rest[end] != '?' {
		end++
	}
	r.Host = rest[:end]
	if !ValidHost(r.Host) {
		return BadTarget
	}
	r.splitPath(rest[end:])
	if len(r.Path) == 0 {
		r.Path = slash
		if !r.HasQuery && string(r.Method) == "OPTIONS" {
			r.Path = asterisk // RFC 9112 §3.2.4
		}
	}
	return OK
}

func (r *Request) splitPath(t []byte) {
	if i := bytes.IndexByte(t, '?'); i >= 0 {
		r.Path, r.Query, r.HasQuery = t[:i], t[i+1:], true
		return
	}
	r.Path = t
}

// host checks the Host field by RFC 9112 §3.2. An absolute target wins over it, but does not make a wrong one right. An
// empty value is legal: the target has no authority.
func (r *Request) host(seen idSet) Cause {
	if !seen.has(idHost) {
		if r.Version >= 11 {
			return MissingHost
		}
		return OK
	}
	l, n := r.first(idHost)
	if n > 1 {
		return SeveralHosts
	}
	value := r.value(l)
	if len(value) > 0 && !ValidHost(value) {
		return BadHost
	}
	r.hostLine = true
	if r.Form != AbsoluteForm {
		r.Host = value
	}
	return OK
}

func (r *Request) expectsContinue() bool {
	for i := range r.list {
		if l := &r.list[i]; l.id == idExpect && equalFold(r.value(l), "100-continue") {
			return true
		}
	}
	return false
}

// traceAndOptions checks what only these two methods have: no body (RFC 9110 §9.3.8), and Max-Forwards (§7.6.2).
func (r *Request) traceAndOptions(seen idSet) Cause {
	trace := string(r.Method) == "TRACE"
	if trace && r.HasBody() {
		return TraceBody
	}
	if !seen.has(idMaxForwards) || !trace && string(r.Method) != "OPTIONS" {
		return OK
	}
	l, n := r.first(idMaxForwards)
	forwards, ok := decimal(r.value(l))
	if n > 1 || !ok {
		return BadMaxForwards
	}
	r.MaxForwards = int(min(forwards, maxForwards))
	return OK
}

// maxForwards is the most that we pass on: RFC 9110 §7.6.2 lets a recipient set its own maximum.
const maxForwards = 1 << 20
