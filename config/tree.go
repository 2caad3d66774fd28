package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is far more than any object of the API needs, and little enough to walk recursively.
const maxDepth = 100

// node is one JSON value and where it stands. Positions and pointers are worked out only when asked for.
type node struct {
	src        *text
	parent     *node
	kind       jsontext.Kind // one of n t f " 0 { [
	start, end int           // byte offsets of the value
	at         place
	str        string // a string's content
	// name and nameAt are set on members of objects, index on elements of arrays.
	name     string
	nameAt   place
	index    int
	children []*node
}

// place is a line and a column, in characters, both from 1.
type place struct{ line, col int32 }

// text is a file's content, for positions.
type text struct {
	name string
	data []byte
	// builtin text came from no file: nothing in it has a position.
	builtin bool
}

// at is the position of a place; what is built in stands nowhere.
func (t *text) at(p place) Position {
	if t.builtin {
		return Position{}
	}
	return Position{File: t.name, Line: int(p.line), Col: int(p.col)}
}

// cursor turns growing byte offsets into places, looking at every byte once: answers of the API are often one long line.
type cursor struct {
	data   []byte
	offset int
	place  place
}

func newCursor(data []byte) cursor { return cursor{data: data, place: place{1, 1}} }

// to moves the cursor forward to offset.
func (c *cursor) to(offset int) place {
	for ; c.offset < min(offset, len(c.data)); c.offset++ {
		switch b := c.data[c.offset]; {
		case b == '\n':
			c.place = place{c.place.line + 1, 1}
		case utf8.RuneStart(b):
			c.place.col++
		}
	}
	return c.place
}

func (n *node) pos() Position     { return n.src.at(n.at) }
func (n *node) namePos() Position { return n.src.at(n.nameAt) }

// within is the position of a byte of a string's content, which escapes have shifted; beyond the end, the closing quote.
func (n *node) within(offset int) Position {
	raw := n.raw()
	at := 1 // after the opening quote
	for decoded := 0; at < len(raw)-1; {
		size, content := escape(raw[at:])
		if decoded += content; decoded > offset {
			break
		}
		at += size
	}
	p := n.at
	p.col += int32(utf8.RuneCount(raw[:at]))
	return n.src.at(p)
}

// escape returns how many bytes the character at the beginning of a string's raw text takes, there and decoded. Two
// halves of a surrogate pair are one character of four bytes.
func escape(raw []byte) (size, content int) {
	switch {
	case raw[0] != '\\':
		_, n := utf8.DecodeRune(raw)
		return n, n
	case raw[1] != 'u':
		return 2, 1
	}
	code, err := strconv.ParseUint(string(raw[2:6]), 16, 32)
	if err != nil {
		panic("BUG: a parsed string has a broken escape: " + err.Error())
	}
	if utf16.IsSurrogate(rune(code)) {
		return 12, 4
	}
	return 6, utf8.RuneLen(rune(code))
}

func (n *node) raw() []byte  { return n.src.data[n.start:n.end] }
func (n *node) isNull() bool { return n.kind == 'n' }

// given reports whether a member is there and set: null is "unset" for every optional field.
func (n *node) given() bool { return n != nil && !n.isNull() }

// get returns the member with this name, nil when there is none or n is no object.
func (n *node) get(name string) *node {
	if n == nil || n.kind != '{' {
		return nil
	}
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// pointer is the RFC 6901 pointer from the document's root.
func (n *node) pointer() string {
	if n == nil || n.parent == nil {
		return ""
	}
	if n.parent.kind == '[' {
		return n.parent.pointer() + "/" + strconv.Itoa(n.index)
	}
	return n.parent.pointer() + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(n.name)
}

// label names n in a sentence.
func (n *node) label() string {
	switch {
	case n.parent == nil:
		return "the document"
	case n.parent.kind == '[' && n.parent.parent != nil && n.parent.parent.kind == '{':
		return n.parent.name + "[" + strconv.Itoa(n.index) + "]"
	case n.parent.kind == '[':
		return "element " + strconv.Itoa(n.index)
	}
	return n.name
}

// found says what n is, for "… is <found>".
func (n *node) found() string {
	switch n.kind {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "the string " + quote(n.str)
	case '0':
		return "the number " + short(string(n.raw()))
	}
	return string(n.raw())
}

func quote(s string) string { return strconv.Quote(short(s)) }

// short keeps messages readable when a value is a page long.
func short(s string) string {
	const most = 60
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}

// parser reads one text. Duplicate member names do not stop it; everything that is not JSON does.
type parser struct {
	src        *text
	dec        *jsontext.Decoder
	cursor     cursor
	end        int // offset after the last token
	duplicates []duplicate
}

// duplicate is a second member of the same name.
type duplicate struct{ first, second *node }

// syntaxError is where and why a text is not JSON.
type syntaxError struct {
	offset     int
	what, want string
}

// parseText returns the tree of src, the members that are given twice, or what is wrong with its syntax.
func parseText(src *text) (*node, []duplicate, *syntaxError) {
	if err := checkEncoding(src.data); err != nil {
		return nil, nil, err
	}
	p := &parser{src: src, cursor: newCursor(src.data), dec: jsontext.NewDecoder(bytes.NewReader(src.data), jsontext.AllowDuplicateNames(true))}
	root, err := p.value(0)
	if err == nil {
		err = p.nothingMore()
	}
	if err != nil {
		return nil, nil, p.explain(err)
	}
	return root, p.duplicates, nil
}

func checkEncoding(data []byte) *syntaxError {
	const want = "JSON text in UTF-8"
	switch {
	case bytes.HasPrefix(data, []byte{0xFE, 0xFF}), bytes.HasPrefix(data, []byte{0xFF, 0xFE}):
		return &syntaxError{0, "this is UTF-16", want}
	case len(bytes.TrimSpace(data)) == 0:
		return &syntaxError{0, "this is empty", "an answer of the API, an object, an array of objects, or a whole document"}
	case !utf8.Valid(data):
		return &syntaxError{firstInvalid(data), "this byte is not UTF-8", want}
	}
	return nil
}

func firstInvalid(data []byte) int {
	at := 0
	for at < len(data) {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return at
}

var errDepth = errors.New("nested too deeply")

func (p *parser) value(depth int) (*node, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	n, err := p.token()
	if err != nil {
		return nil, err
	}
	switch n.kind {
	case '{':
		err = p.object(n, depth)
	case '[':
		err = p.array(n, depth)
	}
	n.end = p.end
	return n, err
}

func (p *parser) token() (*node, error) {
	tok, err := p.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	start := p.end
	for strings.IndexByte(" \t\r\n,:", p.src.data[start]) >= 0 {
		start++
	}
	p.end = int(p.dec.InputOffset())
	n := &node{src: p.src, kind: tok.Kind(), start: start, end: p.end, at: p.cursor.to(start)}
	if n.kind == '"' {
		n.str = tok.String()
	}
	return n, nil
}

func (p *parser) object(n *node, depth int) error {
	seen := map[string]*node{}
	for p.dec.PeekKind() != '}' {
		name, err := p.token()
		if err != nil {
			return err
		}
		member, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		member.parent, member.name, member.nameAt = n, name.str, name.at
		if first, ok := seen[name.str]; ok {
			p.duplicates = append(p.duplicates, duplicate{first, member})
			continue
		}
		seen[name.str] = member
		n.children = append(n.children, member)
	}
	_, err := p.token()
	return err
}

func (p *parser) array(n *node, depth int) error {
	for p.dec.PeekKind() != ']' {
		element, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		element.parent, element.index = n, len(n.children)
		n.children = append(n.children, element)
	}
	_, err := p.token()
	return err
}

var errMore = errors.New("more than one JSON value")

func (p *parser) nothingMore() error {
	if _, err := p.dec.ReadToken(); !errors.Is(err, io.EOF) {
		if err != nil {
			return err
		}
		return errMore
	}
	return nil
}

func (p *parser) explain(err error) *syntaxError {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, errDepth):
		return &syntaxError{p.end, fmt.Sprintf("nested more than %d levels deep", maxDepth), "objects of the API need fewer than 10"}
	case errors.Is(err, errMore):
		return &syntaxError{p.end + leadingSpace(p.src.data[p.end:]), "a second JSON value begins here", "put several objects into one array"}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &syntaxError{len(p.src.data), "the text ends before the JSON does", "close every string, array and object"}
	case errors.As(err, &syntax):
		return &syntaxError{int(syntax.ByteOffset), "not JSON: " + strings.TrimPrefix(syntax.Err.Error(), "jsontext: "), "valid JSON"}
	}
	panic("BUG: reading memory failed: " + err.Error())
}

func leadingSpace(b []byte) int { return len(b) - len(bytes.TrimLeft(b, " \t\r\n")) }
