package rules

import (
	"bytes"
	"cmp"
	"net/netip"
	"regexp"
	"strconv"
)

// The conditions that expressions compile to. Comparisons with a missing value are false.

// junction is two or more conditions joined by one operator.
type junction struct {
	level int
	items []condition
}

func (c *junction) holds(m *machine) bool {
	switch c.level {
	case levelAnd:
		for _, item := range c.items {
			if !item.holds(m) {
				return false
			}
		}
		return true
	case levelOr:
		for _, item := range c.items {
			if item.holds(m) {
				return true
			}
		}
		return false
	}
	odd := false
	for _, item := range c.items {
		odd = odd != item.holds(m)
	}
	return odd
}

func (c *junction) append(dst []byte) []byte {
	for i, item := range c.items {
		if i > 0 {
			dst = append(append(append(dst, ' '), levels[c.level][0]...), ' ')
		}
		if j, ok := item.(*junction); ok && j.level < c.level {
			dst = append(j.append(append(dst, '(')), ')')
		} else {
			dst = item.append(dst)
		}
	}
	return dst
}

type negation struct{ of condition }

func (c *negation) holds(m *machine) bool { return !c.of.holds(m) }

func (c *negation) append(dst []byte) []byte {
	dst = append(dst, "not "...)
	if j, ok := c.of.(*junction); ok {
		return append(j.append(append(dst, '(')), ')')
	}
	return c.of.append(dst)
}

// quantified is any(…) and all(…): of is asked for every element.
type quantified struct {
	all  bool
	over list
	of   condition
}

func (c *quantified) holds(m *machine) bool {
	for from := 0; ; {
		value, next, found := c.over.next(m, from)
		if !found {
			return c.all
		}
		m.element = value
		if c.of.holds(m) != c.all {
			return !c.all
		}
		from = next
	}
}

func (c *quantified) append(dst []byte) []byte {
	if c.all {
		dst = append(dst, "all("...)
	} else {
		dst = append(dst, "any("...)
	}
	return append(c.of.append(dst), ')')
}

type textOrder struct {
	x       text
	op      operator
	literal []byte
}

func (c *textOrder) holds(m *machine) bool {
	v, known := c.x.text(m)
	return known && c.op.accepts(bytes.Compare(v, c.literal))
}

func (c *textOrder) append(dst []byte) []byte { return appendComparison(dst, c.x, c.op, c.literal) }

func appendComparison(dst []byte, x node, op operator, literal []byte) []byte {
	return appendString(appendOperator(dst, x, op), literal)
}

func appendOperator(dst []byte, x node, op operator) []byte {
	return append(append(append(x.append(dst), ' '), op.String()...), ' ')
}

type textContains struct {
	x    text
	part []byte
}

func (c *textContains) holds(m *machine) bool {
	v, known := c.x.text(m)
	return known && bytes.Contains(v, c.part)
}

func (c *textContains) append(dst []byte) []byte { return appendComparison(dst, c.x, contains, c.part) }

type textMatches struct {
	x       text
	re      *regexp.Regexp
	literal string // as it was written
}

func (c *textMatches) holds(m *machine) bool {
	v, known := c.x.text(m)
	return known && c.re.Match(v)
}

func (c *textMatches) append(dst []byte) []byte {
	return append(appendOperator(dst, c.x, matches), c.literal...)
}

type textIn struct {
	x        text
	literals []string
	values   map[string]struct{}
}

func (c *textIn) holds(m *machine) bool {
	v, known := c.x.text(m)
	if !known {
		return false
	}
	_, found := c.values[string(v)]
	return found
}

func (c *textIn) append(dst []byte) []byte {
	return appendItems(dst, c.x, c.literals, func(dst []byte, s string) []byte { return appendString(dst, []byte(s)) })
}

func appendItems[T any](dst []byte, x node, items []T, one func([]byte, T) []byte) []byte {
	dst = append(appendOperator(dst, x, in), '{')
	for i, item := range items {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = one(dst, item)
	}
	return append(dst, '}')
}

type numberOrder struct {
	x       number
	op      operator
	literal int64
}

func (c *numberOrder) holds(m *machine) bool {
	v, known := c.x.number(m)
	return known && c.op.accepts(cmp.Compare(v, c.literal))
}

func (c *numberOrder) append(dst []byte) []byte {
	return strconv.AppendInt(appendOperator(dst, c.x, c.op), c.literal, 10)
}

type numberIn struct {
	x        number
	literals []span[int64] // as they were written
	spans    []span[int64]
}

func (c *numberIn) holds(m *machine) bool {
	v, known := c.x.number(m)
	return known && within(c.spans, v, cmp.Compare[int64])
}

func (c *numberIn) append(dst []byte) []byte {
	return appendItems(dst, c.x, c.literals, func(dst []byte, s span[int64]) []byte {
		dst = strconv.AppendInt(dst, s.low, 10)
		if s.low != s.high {
			dst = strconv.AppendInt(append(dst, ".."...), s.high, 10)
		}
		return dst
	})
}

// client is ip.src, the only address there is.
type client struct{}

func (client) append(dst []byte) []byte { return append(dst, "ip.src"...) }

type clientIs struct {
	not     bool
	literal netip.Addr
}

func (c *clientIs) holds(m *machine) bool { return (m.in.Client() == c.literal) != c.not }

func (c *clientIs) append(dst []byte) []byte {
	op := eq
	if c.not {
		op = ne
	}
	return c.literal.AppendTo(appendOperator(dst, client{}, op))
}

type clientIn struct {
	literals []span[netip.Addr] // as they were written
	spans    []span[netip.Addr]
}

func (c *clientIn) holds(m *machine) bool { return within(c.spans, m.in.Client(), netip.Addr.Compare) }

func (c *clientIn) append(dst []byte) []byte {
	return appendItems(dst, client{}, c.literals, func(dst []byte, s span[netip.Addr]) []byte {
		dst = s.low.AppendTo(dst)
		if s.low == s.high {
			return dst
		}
		for bits := range s.low.BitLen() {
			if p := netip.PrefixFrom(s.low, bits); p.Masked() == p && last(p) == s.high {
				return strconv.AppendInt(append(dst, '/'), int64(bits), 10)
			}
		}
		return s.high.AppendTo(append(dst, ".."...))
	})
}
