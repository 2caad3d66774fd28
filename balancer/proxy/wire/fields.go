package wire

import (
	"bytes"
	"iter"
)

// Fields is the header section of a message, in the order received. It borrows the head it was read from.
type Fields struct {
	head []byte
	list []field
}

// field is one line of the head: name up to nameEnd, value from valueStart to valueEnd, CRLF up to end.
type field struct {
	start, nameEnd, valueStart, valueEnd, end uint32
	id                                        fieldID
	named                                     bool // a Connection option names it
}

func (f *Fields) name(l *field) []byte  { return f.head[l.start:l.nameEnd] }
func (f *Fields) value(l *field) []byte { return f.head[l.valueStart:l.valueEnd] }

// HeadLen is the length of the head, its blank line included.
func (f *Fields) HeadLen() int { return len(f.head) }

// Len is the number of field lines.
func (f *Fields) Len() int { return len(f.list) }

// Get returns the value of the first field called name, in any case, without the white space around it; nil when there
// is none.
func (f *Fields) Get(name string) []byte {
	for i := range f.list {
		if l := &f.list[i]; equalFoldBytes(f.name(l), name) {
			return f.value(l)
		}
	}
	return nil
}

// Has reports whether there is a field called name, in any case.
func (f *Fields) Has(name string) bool { return f.Get(name) != nil }

// Values yields the value of every field called name, in any case, in the order received.
func (f *Fields) Values(name string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := range f.list {
			if l := &f.list[i]; equalFoldBytes(f.name(l), name) && !yield(f.value(l)) {
				return
			}
		}
	}
}

// Next returns the value of the first field called name, in any case, at or after a position, and the position from which
// to look for the next one. Positions begin at 0.
func (f *Fields) Next(name string, from int) (value []byte, next int, found bool) {
	for i := from; i < len(f.list); i++ {
		if l := &f.list[i]; equalFoldBytes(f.name(l), name) {
			return f.value(l), i + 1, true
		}
	}
	return nil, len(f.list), false
}

// All yields every field's name, as received, and value.
func (f *Fields) All() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for i := range f.list {
			if l := &f.list[i]; !yield(f.name(l), f.value(l)) {
				return
			}
		}
	}
}

// Cookie returns the value of the first cookie called name (case matters, RFC 6265 §4.2), as sent; nil when there is
// none.
func (f *Fields) Cookie(name string) []byte {
	for i := range f.list {
		l := &f.list[i]
		if l.id != idCookie {
			continue
		}
		if v := cookie(f.value(l), name); v != nil {
			return v
		}
	}
	return nil
}

func cookie(list []byte, name string) []byte {
	for len(list) > 0 {
		pair := list
		if i := bytes.IndexByte(list, ';'); i >= 0 {
			pair, list = list[:i], list[i+1:]
		} else {
			list = nil
		}
		key, value, ok := bytes.Cut(pair, equals)
		if ok && string(trim(key)) == name {
			return trim(value)
		}
	}
	return nil
}

var equals = []byte("=")

// odd reports white space around a value other than one space before it.
func (l *field) odd() bool {
	return l.valueStart != l.nameEnd+uint32(len(": ")) || l.end != l.valueEnd+uint32(len("\r\n"))
}

// first returns the first field with id and how many there are.
func (f *Fields) first(id fieldID) (first *field, n int) {
	for i := range f.list {
		if f.list[i].id == id {
			if n == 0 {
				first = &f.list[i]
			}
			n++
		}
	}
	return first, n
}

// parse reads the field lines of head from at to its blank line, which must be its end, and returns which ids
// occur.
func (f *Fields) parse(head []byte, at int, lim Limits) (seen idSet, cause Cause) {
	f.head, f.list = head, f.list[:0]
	if len(head)-at-len("\r\n") > lim.Header {
		return 0, HeaderTooLong
	}
	for {
		if at+1 >= len(head) {
			return 0, BadLineEnd
		}
		if head[at] == '\r' && head[at+1] == '\n' && at+2 == len(head) {
			return seen, OK
		}
		if len(f.list) >= lim.Fields {
			return 0, TooManyFields
		}
		l, cause := parseLine(head, at)
		if cause != OK {
			return 0, cause
		}
		if int(l.end)-at-len("\r\n") > lim.Field {
			return 0, FieldTooLong
		}
		seen |= 1 << l.id
		f.list = append(f.list, l)
		at = int(l.end)
	}
}

// parseLine reads the field line that starts at at.
func parseLine(head []byte, at int) (l field, cause Cause) {
	colon := tokenEnd(head, at)
	if colon == len(head) || head[colon] != ':' || colon == at {
		return l, badName(head, at, colon)
	}
	start := colon + 1
	for start < len(head) && (head[start] == ' ' || head[start] == '\t') {
		start++
	}
	end := textEnd(head, start, ' ')
	for end < len(head) && head[end] == '\t' {
		end = textEnd(head, end+1, ' ')
	}
	if end+1 >= len(head) || head[end] != '\r' || head[end+1] != '\n' {
		return l, badText(head, end)
	}
	l.end = uint32(end + 2)
	for end > start && (head[end-1] == ' ' || head[end-1] == '\t') {
		end--
	}
	l.start, l.nameEnd, l.valueStart, l.valueEnd = uint32(at), uint32(colon), uint32(start), uint32(end)
	l.id = identify(head[at:colon])
	return l, OK
}

// badName says what is wrong with a name whose token bytes end at end.
func badName(head []byte, at, end int) Cause {
	switch {
	case end == len(head) || head[end] == '\n' || head[end] == '\r':
		return lineOrName(end > at)
	case head[end] == ' ' || head[end] == '\t':
		if end == at {
			return Folded
		}
		if next := trim(head[end:]); len(next) > 0 && next[0] == ':' {
			return SpaceBeforeColon
		}
	}
	return BadFieldName
}

// lineOrName tells a line without a colon from a stray line end.
func lineOrName(text bool) Cause {
	if text {
		return BadFieldName
	}
	return BadLineEnd
}

// badText says what is wrong with the byte at which text ended.
func badText(head []byte, at int) Cause {
	if at >= len(head) || head[at] == '\r' || head[at] == '\n' {
		return BadLineEnd
	}
	return ControlByte
}
