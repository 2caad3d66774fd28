package wire

import "bytes"

// Limits bounds what one message may ask us to keep. Sizes are in bytes.
type Limits struct {
	URI    int // the request target
	Field  int // one field line, without its CRLF
	Header int // all field lines together, with their CRLFs; a trailer section has the same bound
	Fields int // the number of field lines
}

const (
	// maxMethod is far beyond any registered method; RFC 9112 §3 asks for 501 above.
	maxMethod = 64
	// maxReason bounds the reason phrase of an answer.
	maxReason = 1024
	// maxEmptyLines is how many empty lines before a request line are forgiven: RFC 9112 §2.2 asks for at least one.
	maxEmptyLines = 4
)

// MaxHead is the largest head that Parse can accept, empty lines before it included: a buffer of this size is enough.
func (l Limits) MaxHead() int {
	line := max(maxMethod+len("  HTTP/1.1\r\n")+l.URI, maxReason+len("HTTP/1.1 200 \r\n"))
	return 2*maxEmptyLines + line + l.Header + len("\r\n")
}

// HeadEnd returns the length of the head at the start of b, its blank line included, or 0 when b does not hold all of
// it. from is len(b) of the last call that returned 0 for the same head (0 at first), so that repeated calls stay
// linear.
//
// A head also ends where a lenient receiver would see its end, at a blank line made with a bare LF: Parse refuses such a
// head at once, where waiting for a CRLF would keep its sender hanging and its next bytes in doubt.
func HeadEnd(b []byte, from int) (n int) {
	i := max(from-2, 0) // the LF and CR that may come before the last LF
	for i < len(b) {
		lf := bytes.IndexByte(b[i:], '\n')
		if lf < 0 {
			return 0
		}
		i += lf + 1
		if i < len(b) && b[i] == '\n' {
			return i + 1
		}
		if i+1 < len(b) && b[i] == '\r' && b[i+1] == '\n' {
			return i + 2
		}
	}
	return 0
}

// SkipEmptyLines returns the length of the empty lines (CRLF) before a request line, at most four of them. The caller
// keeps those bytes until the head is complete, so that their number stays bounded.
func SkipEmptyLines(b []byte) (n int) {
	for range maxEmptyLines {
		if len(b) < n+2 || b[n] != '\r' || b[n+1] != '\n' {
			break
		}
		n += 2
	}
	return n
}

// TooLong reports whether a request head that is not complete yet already breaks a limit: URITooLong, FieldTooLong,
// HeaderTooLong or MethodTooLong; BadMethod when it begins with so much that is no method, such as TLS; else OK. It
// never refuses the beginning of a head that Parse would accept.
func TooLong(b []byte, lim Limits) Cause {
	line := bytes.IndexByte(b, '\n')
	if line >= 0 {
		return headerTooLong(b[line+1:], lim)
	}
	space := bytes.IndexByte(b[:min(len(b), maxMethod+1)], ' ')
	switch {
	case space < 0 && len(b) > maxMethod:
		if tokenEnd(b, 0) <= maxMethod {
			return BadMethod
		}
		return MethodTooLong
	case space >= 0 && len(b)-space-1 > lim.URI+len(" HTTP/1.1\r"):
		return URITooLong
	}
	return OK
}

// AnswerTooLong is TooLong for the head of an answer.
func AnswerTooLong(b []byte, lim Limits) Cause {
	line := bytes.IndexByte(b, '\n')
	if line >= 0 {
		return headerTooLong(b[line+1:], lim)
	}
	if len(b) > len("HTTP/1.1 200 ")+maxReason+len("\r") {
		return HeaderTooLong
	}
	return OK
}

// headerTooLong looks at an incomplete field section; its last byte may be the CR of the blank line.
func headerTooLong(section []byte, lim Limits) Cause {
	if len(section) > lim.Header+len("\r") {
		return HeaderTooLong
	}
	if open := section[bytes.LastIndexByte(section, '\n')+1:]; len(open) > lim.Field+len("\r") {
		return FieldTooLong
	}
	return OK
}
