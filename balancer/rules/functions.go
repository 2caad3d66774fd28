package rules

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// function is how a call of one is checked and built. args has between least and most arguments; with most 0 there is no
// upper limit.
type function struct {
	least, most int
	usage       string
	build       func(f string, args []value) value
}

// functions are those of the Rules language that are not reserved for other products (Cloudflare docs, "Functions"). any
// and all have conditions as their arguments; they are built by quantify.
var functions = map[string]function{
	"any":          {},
	"all":          {},
	"concat":       {2, 0, "concat(String, String, …)", buildConcat},
	"ends_with":    {2, 2, `ends_with(String, "…")`, buildAffix},
	"len":          {1, 1, "len(String) or len(Array)", buildLen},
	"lower":        {1, 1, "lower(String)", buildCase},
	"remove_bytes": {2, 2, `remove_bytes(String, "…")`, buildRemove},
	"starts_with":  {2, 2, `starts_with(String, "…")`, buildAffix},
	"substring":    {2, 3, "substring(String, start) or substring(String, start, end)", buildSubstring},
	"upper":        {1, 1, "upper(String)", buildCase},
	"url_decode":   {1, 2, `url_decode(String) or url_decode(String, "ur")`, buildURLDecode},
}

// reserved are functions that only the rules of other products may call.
var reserved = []string{
	"bit_slice", "cidr", "cidr6", "decode_base64", "encode_base64", "join", "regex_replace", "remove_query_args", "sha256",
	"split", "to_string", "uuidv4", "wildcard_replace",
}

// call reads the arguments of a function.
func (p *parser) call(t token) value {
	defer p.enter(t.at)()
	f, known := functions[t.text]
	if !known {
		refuseFunction(t)
	}
	p.expect("(", "before the arguments")
	if f.build == nil {
		return p.quantify(t)
	}
	var args []value
	for more := !p.is(")"); more; {
		args = append(args, p.argument())
		if more = p.is(","); more {
			p.take(p.peek())
		}
	}
	closing := p.peek()
	p.expect(")", "or a comma after an argument")
	if len(args) < f.least || f.most > 0 && len(args) > f.most {
		fail(closing.at, f.usage, "%s has %d arguments", t.text, len(args))
	}
	for i := range args[1:] {
		later(t.text, &args[i+1])
	}
	return f.build(t.text, args)
}

func refuseFunction(t token) {
	known := "the functions are " + strings.Join(slices.Sorted(maps.Keys(functions)), ", ")
	switch {
	case slices.Contains(reserved, t.text):
		fail(t.at, known, "the function %s is reserved for the rules of other products", t.text)
	case t.text == "is_timed_hmac_valid_v0" || strings.HasPrefix(t.text, "lookup_json_"):
		fail(t.at, known, "weir does not evaluate the function %s", t.text)
	}
	if lower := strings.ToLower(t.text); lower != t.text {
		if _, ok := functions[lower]; ok {
			fail(t.at, "write "+lower, "there is no function %s", t.text)
		}
	}
	fail(t.at, known, "there is no function %s", t.text)
}

// quantify reads the condition within any() or all().
func (p *parser) quantify(t token) value {
	c := p.logic(0)
	if c.over == nil {
		fail(c.at, fmt.Sprintf("a condition about array[*], as in %s(http.request.headers[\"accept\"][*] contains \"json\")", t.text),
			"%s is about the elements of an array, and this is a single condition", t.text)
	}
	p.expect(")", "to close "+t.text)
	return value{kind: booleanKind, condition: &quantified{all: t.text == "all", over: c.over, of: c.node}}
}

// argument reads a literal or a value.
func (p *parser) argument() value {
	t := p.peek()
	switch {
	case t.kind == quote:
		return value{at: t.at, literal: true, text: literal(p.readString(t))}
	case t.kind == word && strings.IndexByte("-0123456789", t.text[0]) >= 0:
		p.take(t)
		return value{at: t.at, literal: true, kind: integerKind, digits: integer(t.text, t.at)}
	}
	return p.value()
}

// later checks an argument that is not the first one.
func later(f string, v *value) {
	switch v.shape {
	case each:
		fail(v.at, "[*] in the first argument only", "an argument of %s after the first is every element of an array", f)
	case array, dict:
		fail(v.at, "a single value", "an argument of %s is %s", f, v)
	}
}

// source checks that v is a String that does not stand there literally, or every element of an array of them.
func source(f string, v *value) {
	switch {
	case v.literal:
		fail(v.at, "a field, or a function of one", "the first argument of %s is a literal", f)
	case v.kind == stringKind && v.shape == array:
		fail(v.at, "add [*] for every element of it, or [0] for one", "the argument of %s is %s", f, v)
	case v.kind != stringKind || v.shape != single && v.shape != each:
		fail(v.at, "a String", "the argument of %s is %s", f, v)
	}
}

// constant checks that v is a literal String, and returns it.
func constant(f string, v *value) []byte {
	if !v.literal || v.kind != stringKind {
		fail(v.at, `a literal, as in "…"`, "the second argument of %s is not a literal String", f)
	}
	return v.text.(literal)
}

// of makes what a function returned an array if its first argument was every element of one.
func (v value) of(first *value) value {
	if first.shape == each {
		v.shape, v.over = array, first.over
	}
	return v
}

// literal is a String argument.
type literal []byte

func (l literal) text(*machine) ([]byte, bool) { return l, true }
func (l literal) append(dst []byte) []byte     { return appendString(dst, l) }

// convert is v, byte by byte converted.
func (m *machine) convert(v []byte, f func(c byte) byte) []byte {
	start := len(m.scratch)
	for _, c := range v {
		m.scratch = append(m.scratch, f(c))
	}
	return m.made(start)
}

// Letters beyond ASCII have no case here, as at Cloudflare.

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}

// caseOf is lower() and upper().
type caseOf struct {
	name string
	f    func(c byte) byte
	x    text
}

func buildCase(f string, args []value) value {
	source(f, &args[0])
	c := &caseOf{name: f, f: lower, x: args[0].text}
	if f == "upper" {
		c.f = upper
	}
	return value{text: c}.of(&args[0])
}

func (c *caseOf) text(m *machine) ([]byte, bool) {
	v, known := c.x.text(m)
	if !known {
		return nil, false
	}
	return m.convert(v, c.f), true
}

func (c *caseOf) append(dst []byte) []byte { return appendCall(dst, c.name, c.x) }

func appendCall(dst []byte, name string, args ...node) []byte {
	dst = append(append(dst, name...), '(')
	for i, arg := range args {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = arg.append(dst)
	}
	return append(dst, ')')
}

// affix is starts_with() and ends_with().
type affix struct {
	name string
	f    func(s, affix []byte) bool
	x    text
	part literal
}

func buildAffix(f string, args []value) value {
	source(f, &args[0])
	c := &affix{name: f, f: bytes.HasPrefix, x: args[0].text, part: constant(f, &args[1])}
	if f == "ends_with" {
		c.f = bytes.HasSuffix
	}
	return value{kind: booleanKind, condition: c}.of(&args[0])
}

func (c *affix) holds(m *machine) bool {
	v, known := c.x.text(m)
	return known && c.f(v, c.part)
}

func (c *affix) append(dst []byte) []byte { return appendCall(dst, c.name, c.x, c.part) }

// length is len() of a String, in bytes; count is that of an array.
type (
	length struct{ x text }
	count  struct{ of list }
)

func buildLen(f string, args []value) value {
	v := &args[0]
	if v.shape == array {
		return value{kind: integerKind, number: &count{v.over}}
	}
	source(f, v)
	return value{kind: integerKind, number: &length{v.text}}.of(v)
}

func (c *length) number(m *machine) (int64, bool) {
	v, known := c.x.text(m)
	return int64(len(v)), known
}

func (c *length) append(dst []byte) []byte { return appendCall(dst, "len", c.x) }

func (c *count) number(m *machine) (n int64, known bool) {
	for from := 0; ; n++ {
		_, next, found := c.of.next(m, from)
		if !found {
			return n, n > 0 || !isEntry(c.of)
		}
		from = next
	}
}

func (c *count) append(dst []byte) []byte { return appendCall(dst, "len", c.of) }

// joined is concat(), which passes over what is missing and is missing when everything is.
type joined struct{ parts []text }

func buildConcat(f string, args []value) value {
	c := &joined{}
	for i := range args {
		v := &args[i]
		if v.kind != stringKind || v.shape == array || v.shape == dict {
			fail(v.at, "Strings", "an argument of %s is %s", f, v)
		}
		c.parts = append(c.parts, v.text)
	}
	return value{text: c}.of(&args[0])
}

func (c *joined) text(m *machine) (made []byte, known bool) {
	start, n := len(m.scratch), 0
	for _, part := range c.parts {
		v, present := part.text(m)
		if len(m.scratch) != start+n { // the part was made behind what is joined so far: go on behind it
			before := m.scratch[start : start+n]
			start = len(m.scratch)
			m.scratch = append(m.scratch, before...)
		}
		m.scratch = append(m.scratch, v...)
		n += len(v)
		known = known || present
	}
	return m.made(start), known
}

func (c *joined) append(dst []byte) []byte {
	args := make([]node, len(c.parts))
	for i, part := range c.parts {
		args[i] = part
	}
	return appendCall(dst, "concat", args...)
}

// removed is remove_bytes().
type removed struct {
	x    text
	gone literal
}

func buildRemove(f string, args []value) value {
	source(f, &args[0])
	return value{text: &removed{x: args[0].text, gone: constant(f, &args[1])}}.of(&args[0])
}

func (c *removed) text(m *machine) ([]byte, bool) {
	v, known := c.x.text(m)
	start := len(m.scratch)
	for _, b := range v {
		if bytes.IndexByte(c.gone, b) < 0 {
			m.scratch = append(m.scratch, b)
		}
	}
	return m.made(start), known
}

func (c *removed) append(dst []byte) []byte { return appendCall(dst, "remove_bytes", c.x, c.gone) }

// cut is substring(): from one byte up to, not including, another. Negative ones count from the end.
type cut struct {
	x          text
	start, end int64
	toEnd      bool
}

func buildSubstring(f string, args []value) value {
	source(f, &args[0])
	c := &cut{x: args[0].text, start: offset(f, &args[1]), toEnd: len(args) == 2}
	if !c.toEnd {
		c.end = offset(f, &args[2])
	}
	return value{text: c}.of(&args[0])
}

func offset(f string, v *value) int64 {
	if !v.literal || v.kind != integerKind {
		fail(v.at, "a literal Integer", "an index of %s is not a literal Integer", f)
	}
	return v.digits
}

func (c *cut) text(m *machine) ([]byte, bool) {
	v, known := c.x.text(m)
	start, end := clamp(c.start, len(v)), len(v)
	if !c.toEnd {
		end = clamp(c.end, len(v))
	}
	return v[min(start, end):end], known
}

// clamp is where an index lies in a text of n bytes.
func clamp(i int64, n int) int {
	if i < 0 {
		i = max(i, int64(-n)) + int64(n)
	}
	return int(min(i, int64(n)))
}

func (c *cut) append(dst []byte) []byte {
	dst = strconv.AppendInt(append(c.x.append(append(dst, "substring("...)), ", "...), c.start, 10)
	if !c.toEnd {
		dst = strconv.AppendInt(append(dst, ", "...), c.end, 10)
	}
	return append(dst, ')')
}

// decoded is url_decode(): "+" and %HH; with the option u also %uHHHH, made UTF-8; with the option r as long as there is
// something to decode.
type decoded struct {
	x                  text
	options            literal // nil: not given
	recursive, unicode bool
}

func buildURLDecode(f string, args []value) value {
	source(f, &args[0])
	c := &decoded{x: args[0].text}
	if len(args) == 2 {
		c.options = constant(f, &args[1])
		if len(bytes.Trim(c.options, "ru")) > 0 {
			fail(args[1].at, `"r", "u" or "ur"`, "the options of url_decode are %q", string(c.options))
		}
		c.recursive, c.unicode = bytes.IndexByte(c.options, 'r') >= 0, bytes.IndexByte(c.options, 'u') >= 0
	}
	return value{text: c}.of(&args[0])
}

func (c *decoded) text(m *machine) ([]byte, bool) {
	const rounds = 10 // Cloudflare's engine stops there, too
	v, known := c.x.text(m)
	for range rounds {
		start := len(m.scratch)
		m.decode(v, c.unicode)
		made := m.made(start)
		if done := !c.recursive || bytes.Equal(made, v); done {
			return made, known
		}
		v = made
	}
	return v, known
}

// decode appends v to scratch, decoded once.
func (m *machine) decode(v []byte, unicode bool) {
	for i := 0; i < len(v); {
		switch {
		case v[i] == '+':
			m.scratch = append(m.scratch, ' ')
			i++
			continue
		case v[i] != '%':
		case unicode && i+5 < len(v) && (v[i+1] == 'u' || v[i+1] == 'U'):
			if r, ok := hex(v[i+2 : i+6]); ok && (r < 0xd800 || r > 0xdfff) {
				m.scratch = append(m.scratch, string(r)...)
				i += 6
				continue
			}
		case i+2 < len(v):
			if b, ok := hex(v[i+1 : i+3]); ok {
				m.scratch = append(m.scratch, byte(b))
				i += 3
				continue
			}
		}
		m.scratch = append(m.scratch, v[i])
		i++
	}
}

func hex(digits []byte) (value rune, ok bool) {
	for _, c := range digits {
		d, ok := digit(c, 16)
		if !ok {
			return 0, false
		}
		value = value<<4 | rune(d)
	}
	return value, true
}

func (c *decoded) append(dst []byte) []byte {
	if c.options == nil {
		return appendCall(dst, "url_decode", c.x)
	}
	return appendCall(dst, "url_decode", c.x, c.options)
}
