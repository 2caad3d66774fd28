package rules

import (
	"bytes"
	"strings"
)

// glob is wildcard and strict wildcard: the whole value must match, and "*" stands for any bytes, also none. It is
// matched from left to right, every part where it is found first: later ones cannot need it further right.
type glob struct {
	x       text
	literal []byte
	fold    bool     // without regard to case, of ASCII letters
	parts   [][]byte // what stands between the stars; one more than there are stars. In lower case to fold
}

func newGlob(x text, pattern []byte, fold bool, at int) *glob {
	g := &glob{x: x, literal: pattern, fold: fold}
	var part []byte
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '*' && i+1 < len(pattern) && pattern[i+1] == '*':
			fail(at, `one star, or \* for a star itself`, "two stars stand side by side")
		case c == '*':
			g.parts, part = append(g.parts, part), nil
			continue
		case c == '\\' && i+1 < len(pattern) && strings.IndexByte(`*\`, pattern[i+1]) >= 0:
			i++
			fallthrough
		case c != '\\':
			if c = pattern[i]; fold {
				c = lower(c)
			}
			part = append(part, c)
		default:
			fail(at, `\* or \\, best in a raw string: r"…"`, `a backslash in a wildcard pattern escapes neither a star nor a backslash`)
		}
	}
	g.parts = append(g.parts, part)
	return g
}

func (g *glob) holds(m *machine) bool {
	v, known := g.x.text(m)
	if !known {
		return false
	}
	first, final := g.parts[0], g.parts[len(g.parts)-1]
	if len(g.parts) == 1 {
		return len(v) == len(first) && g.begins(v, first)
	}
	if len(v) < len(first)+len(final) || !g.begins(v, first) || !g.begins(v[len(v)-len(final):], final) {
		return false
	}
	v = v[len(first) : len(v)-len(final)]
	for _, part := range g.parts[1 : len(g.parts)-1] {
		i := g.find(v, part)
		if i < 0 {
			return false
		}
		v = v[i+len(part):]
	}
	return true
}

// begins reports whether v begins with part. v is not shorter.
func (g *glob) begins(v, part []byte) bool {
	if !g.fold {
		return bytes.HasPrefix(v, part)
	}
	for i, c := range part {
		if lower(v[i]) != c {
			return false
		}
	}
	return true
}

func (g *glob) find(v, part []byte) int {
	if !g.fold {
		return bytes.Index(v, part)
	}
	for i := 0; i+len(part) <= len(v); i++ {
		if g.begins(v[i:], part) {
			return i
		}
	}
	return -1
}

func (g *glob) append(dst []byte) []byte {
	op := strictWildcard
	if g.fold {
		op = wildcard
	}
	return appendComparison(dst, g.x, op, g.literal)
}
