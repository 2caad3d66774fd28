package wire

import "math"

// Framing is how the end of a message's body is found.
type Framing uint8

const (
	None       Framing = iota // no body
	Length                    // Content-Length bytes
	Chunked                   // up to the last chunk and its trailer
	UntilClose                // up to the end of the connection; only answers
)

// String is the framing in one word.
func (f Framing) String() string {
	switch f {
	case None:
		return "none"
	case Length:
		return "length"
	case Chunked:
		return "chunked"
	case UntilClose:
		return "until-close"
	}
	panic("BUG: wire: unknown framing")
}

// framing reads Content-Length and Transfer-Encoding by RFC 9112 §6, refusing whatever two receivers might read
// differently. found is false when neither is there.
func (f *Fields) framing(seen idSet, version uint8) (how Framing, length int64, found bool, cause Cause) {
	hasLength, hasCoding := seen.has(idContentLength), seen.has(idTransferEncoding)
	switch {
	case hasCoding && version < 11:
		return None, 0, true, CodingInHTTP10 // RFC 9112 §6.1: its framing is faulty
	case hasCoding && hasLength:
		return None, 0, true, ConflictingLength // RFC 9112 §6.3: it ought to be handled as an error
	case hasCoding:
		return Chunked, 0, true, f.transferCoding()
	case hasLength:
		length, cause = f.contentLength()
		return Length, length, true, cause
	}
	return None, 0, false, OK
}

func (f *Fields) contentLength() (int64, Cause) {
	l, n := f.first(idContentLength)
	if n > 1 {
		return 0, SeveralLengths
	}
	length, ok := decimal(f.value(l))
	if !ok {
		return 0, BadLength
	}
	return length, OK
}

// appendFraming writes a Content-Length or Transfer-Encoding line in its plainest form: what the next hop must find is
// not left to its reading of upper case, leading zeros or odd white space.
func (f *Fields) appendFraming(dst []byte, l *field) []byte {
	dst = append(append(dst, f.name(l)...), ": "...)
	if l.id == idTransferEncoding {
		return append(dst, "chunked\r\n"...)
	}
	value := f.value(l)
	for len(value) > 1 && value[0] == '0' {
		value = value[1:]
	}
	return append(append(dst, value...), "\r\n"...)
}

// plain reports whether a framing line already has the form of appendFraming.
func (f *Fields) plain(l *field) bool {
	value := f.value(l)
	if l.id == idTransferEncoding {
		return !l.odd() && string(value) == "chunked"
	}
	return !l.odd() && (value[0] != '0' || len(value) == 1)
}

// decimal reads a number of 1 to 19 digits below 2^63.
func decimal(b []byte) (n int64, ok bool) {
	if len(b) == 0 || len(b) > 19 {
		return 0, false
	}
	for _, c := range b {
		if class[c]&isDigit == 0 {
			return 0, false
		}
		d := int64(c - '0')
		if n > (math.MaxInt64-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// transferCoding accepts the one coding chunked. Codings that we do not know before a final chunked are 501; anything
// that leaves the end of the body open is 400 (RFC 9112 §6.1, §6.3).
func (f *Fields) transferCoding() Cause {
	count, chunked, last := 0, 0, false
	for i := range f.list {
		l := &f.list[i]
		if l.id != idTransferEncoding {
			continue
		}
		for rest := f.value(l); ; {
			var coding []byte
			coding, rest = nextElement(rest)
			if !isTokenText(coding) {
				return BadTransferEncoding
			}
			count++
			if last = equalFold(coding, "chunked"); last {
				chunked++
			}
			if rest == nil {
				break
			}
		}
	}
	switch {
	case !last || chunked != 1:
		return BadTransferEncoding
	case count > 1:
		return UnknownCoding
	}
	return OK
}
