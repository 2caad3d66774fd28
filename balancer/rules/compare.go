package rules

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// operator of a comparison.
type operator uint8

const (
	eq operator = iota
	ne
	lt
	le
	gt
	ge
	in
	contains
	matches
	wildcard
	strictWildcard
)

// operators by both spellings; the canonical one is operatorNames.
var operators = map[string]operator{
	"eq": eq, "==": eq, "ne": ne, "!=": ne, "lt": lt, "<": lt, "le": le, "<=": le, "gt": gt, ">": gt, "ge": ge, ">=": ge,
	"in": in, "contains": contains, "matches": matches, "~": matches, "wildcard": wildcard, "strict": strictWildcard,
}

var operatorNames = [...]string{
	"eq", "ne", "lt", "le", "gt", "ge", "in", "contains", "matches", "wildcard", "strict wildcard",
}

func (op operator) String() string { return operatorNames[op] }

// appliesTo says which operators take a value of a kind on their left.
var appliesTo = [...][]operator{
	stringKind:  {eq, ne, lt, le, gt, ge, contains, matches, in, wildcard, strictWildcard},
	integerKind: {eq, ne, lt, le, gt, ge, in},
	addressKind: {eq, ne, in},
}

// accepts reports whether an ordering operator holds when its left side is less than (-1), equal to or more than (1) its
// right side.
func (op operator) accepts(order int) bool {
	switch op {
	case eq:
		return order == 0
	case ne:
		return order != 0
	case lt:
		return order < 0
	case le:
		return order <= 0
	case gt:
		return order > 0
	case ge:
		return order >= 0
	}
	panic("BUG: " + op.String() + " does not order")
}

// comparison reads a value, an operator and a literal; or a Boolean, which stands alone.
func (p *parser) comparison() truth {
	v := p.value()
	c := truth{over: v.over, at: v.at}
	if v.kind == booleanKind {
		if t := p.peek(); t.kind != quote && isOperator(t.text) {
			fail(t.at, "let it stand alone, or after not", "%s follows a Boolean, which is not compared", t)
		}
		c.node = v.condition
		return c
	}
	switch v.shape {
	case array:
		fail(v.at, fmt.Sprintf("any(%[1]s[*] …), all(%[1]s[*] …), or one of its elements, as in %[1]s[0]", p.since(v.at)),
			"the value is %s, which is not compared as a whole", &v)
	case dict:
		fail(v.at, fmt.Sprintf(`any(%[1]s["name"][*] …), or one of its elements, as in %[1]s["name"][0]`, p.since(v.at)),
			"the value is %s, which is not compared as a whole", &v)
	}
	op := p.operator(&v)
	switch v.kind {
	case stringKind:
		c.node = p.compareText(v.text, op)
	case integerKind:
		c.node = p.compareNumber(v.number, op)
	default:
		c.node = p.compareClient(op)
	}
	return c
}

// since is what was read from at on.
func (p *parser) since(at int) string { return strings.TrimRight(p.text[at:p.pos], spaces) }

func isOperator(s string) bool {
	_, ok := operators[s]
	return ok
}

func (p *parser) operator(v *value) operator {
	t := p.peek()
	op, ok := operators[t.text]
	if t.kind == quote || !ok {
		fail(t.at, wantOperator(t, v.kind), "found %s after %s", t, v)
	}
	p.take(t)
	if op == strictWildcard {
		next := p.peek()
		if next.kind != word || next.text != "wildcard" {
			fail(next.at, "strict wildcard", "found %s after strict", next)
		}
		p.take(next)
	}
	if !slices.Contains(appliesTo[v.kind], op) {
		fail(t.at, "for "+v.String()+" "+spell(appliesTo[v.kind]), "%s does not apply to %s", op, v)
	}
	return op
}

func wantOperator(t token, k kind) string {
	_, function := functions[t.text]
	switch lower := strings.ToLower(t.text); {
	case function:
		return fmt.Sprintf("%[1]s is a function: %[1]s(…, …)", t.text)
	case lower != t.text && isOperator(lower):
		return "operators are written in lower case: " + lower
	case t.text == "=":
		return "eq or =="
	}
	return "one of " + spell(appliesTo[k])
}

func spell(ops []operator) string {
	names := make([]string, len(ops))
	for i, op := range ops {
		names[i] = op.String()
	}
	return strings.Join(names, ", ")
}

func (p *parser) compareText(x text, op operator) condition {
	if op == in {
		return p.textIn(x)
	}
	t := p.peek()
	if t.kind != quote {
		fail(t.at, `a string, as in "…"; the right side is always a literal`, "found %s after %s", t, op)
	}
	switch op {
	case contains:
		return &textContains{x: x, part: p.readString(t)}
	case matches:
		return p.pattern(x, t)
	case wildcard, strictWildcard:
		return newGlob(x, p.readString(t), op == wildcard, t.at)
	default:
		return &textOrder{x: x, op: op, literal: p.readString(t)}
	}
}

func (p *parser) pattern(x text, t token) condition {
	text := p.readPattern(t)
	checkPattern(text, t.at)
	re, err := regexp.Compile(text)
	if err != nil {
		fail(t.at, "a regular expression in the syntax of RE2", "%s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return &textMatches{x: x, re: re, literal: p.text[t.at:p.pos]}
}

// items reads what stands in the braces after in.
func (p *parser) items(item func(t token)) {
	t := p.peek()
	switch {
	case t.kind == symbol && t.text == "$":
		fail(t.at, "load balancing rules know no lists: write the values in braces, as in {1.2.3.0/24 2001:db8::/32}", "found a list")
	case t.kind != symbol || t.text != "{":
		fail(t.at, "values in braces, separated by spaces, as in {…  …}", "found %s after in", t)
	}
	p.take(t)
	for n := 0; ; n++ {
		t := p.peek()
		switch {
		case t.kind == symbol && t.text == "}" && n == 0:
			fail(t.at, "at least one value", "the braces are empty: nothing is in them")
		case t.kind == symbol && t.text == "}":
			p.take(t)
			return
		case t.kind == symbol && t.text == ",":
			fail(t.at, "values are separated by spaces", "found a comma")
		case t.kind == end:
			fail(t.at, `"}" to close the braces`, "found the end")
		}
		item(t)
	}
}

func (p *parser) textIn(x text) condition {
	c := &textIn{x: x, values: map[string]struct{}{}}
	p.items(func(t token) {
		if t.kind != quote {
			fail(t.at, `strings, as in {"a" "b"}`, "found %s among strings", t)
		}
		s := string(p.readString(t))
		c.literals = append(c.literals, s)
		c.values[s] = struct{}{}
	})
	return c
}

func (p *parser) compareNumber(x number, op operator) condition {
	if op == in {
		c := &numberIn{x: x}
		p.items(func(t token) {
			low, high, ranged := strings.Cut(p.wordFor(t, "integers or ranges of them, as in {1 5..9}"), "..")
			s := span[int64]{low: integer(low, t.at)}
			s.high = s.low
			if ranged {
				s.high = integer(high, t.at+len(low)+len(".."))
			}
			if s.high < s.low {
				fail(t.at, "the lesser bound first", "the range %s is empty", t.text)
			}
			c.literals = append(c.literals, s)
		})
		c.spans = merge(c.literals, cmp.Compare[int64])
		return c
	}
	t := p.peek()
	literal := integer(p.wordFor(t, "an integer; the right side is always a literal"), t.at)
	return &numberOrder{x: x, op: op, literal: literal}
}

// wordFor reads a word, which a literal is made of.
func (p *parser) wordFor(t token, want string) string {
	if t.kind != word {
		fail(t.at, want, "found %s", t)
	}
	p.take(t)
	return t.text
}

// integer reads a decimal or, after 0x, hexadecimal integer of 64 bits.
func integer(s string, at int) int64 {
	const want = "an integer between -9223372036854775808 and 9223372036854775807"
	digits, base := s, 10
	if hex, ok := strings.CutPrefix(s, "0x"); ok {
		digits, base = hex, 16
	}
	bare := strings.TrimPrefix(digits, "-")
	if base == 10 && len(bare) > 1 && bare[0] == '0' {
		fail(at, "no leading zero: Cloudflare would read an octal number", "found %q", s)
	}
	n, err := strconv.ParseInt(digits, base, 64)
	if err != nil || base == 16 && bare != digits || digits[0] == '+' {
		fail(at, want, "%q is no integer", s)
	}
	return n
}

func (p *parser) compareClient(op operator) condition {
	if op == in {
		c := &clientIn{}
		p.items(func(t token) {
			c.literals = append(c.literals, addresses(p.wordFor(t, "addresses, CIDR ranges, or ranges as in {192.0.2.1..192.0.2.9}"), t.at))
		})
		c.spans = merge(c.literals, netip.Addr.Compare)
		return c
	}
	t := p.peek()
	if t.kind == quote {
		fail(t.at, "an address without quotes, as in 192.0.2.1", "found a string after %s", op)
	}
	s := p.wordFor(t, "an address, as in 192.0.2.1")
	if strings.Contains(s, "/") {
		fail(t.at, fmt.Sprintf("ip.src in {%s}", s), "%s compares single addresses", op)
	}
	return &clientIs{not: op == ne, literal: address(s, t.at)}
}

func address(s string, at int) netip.Addr {
	a, err := netip.ParseAddr(s)
	if err != nil {
		fail(at, "an IPv4 or IPv6 address", "%q is no address", s)
	}
	return a.Unmap()
}

// addresses reads an address, a CIDR range or a range of two addresses.
func addresses(s string, at int) span[netip.Addr] {
	if low, high, ranged := strings.Cut(s, ".."); ranged {
		r := span[netip.Addr]{low: address(low, at), high: address(high, at+len(low)+len(".."))}
		switch {
		case r.low.BitLen() != r.high.BitLen():
			fail(at, "two of a kind", "the range %s mixes IPv4 and IPv6", s)
		case r.high.Less(r.low):
			fail(at, "the lesser address first", "the range %s is empty", s)
		}
		return r
	}
	if !strings.Contains(s, "/") {
		a := address(s, at)
		return span[netip.Addr]{low: a, high: a}
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		fail(at, "an address and a length, as in 192.0.2.0/24", "%q is no CIDR range", s)
	}
	if prefix.Masked() != prefix {
		fail(at, prefix.Masked().String(), "%s has bits set beyond its length", s)
	}
	low, high := prefix.Addr(), last(prefix)
	if low.Is4In6() && high.Is4In6() {
		low, high = low.Unmap(), high.Unmap()
	}
	return span[netip.Addr]{low: low, high: high}
}

// last is the last address of a prefix.
func last(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
