package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parser reads a condition by recursive descent, checks types on the way and builds what is evaluated.
type parser struct {
	lexer
	depth int
}

func (p *parser) length(most int) {
	if n := utf8.RuneCountInString(p.text); n > most {
		at := 0
		for range most {
			_, size := utf8.DecodeRuneInString(p.text[at:])
			at += size
		}
		fail(at, fmt.Sprintf("at most %d; split it over several rules", most), "the condition has %d characters", n)
	}
}

// enter goes one level deeper, until the function it returns is called.
func (p *parser) enter(at int) (leave func()) {
	if p.depth++; p.depth > maxDepth {
		fail(at, fmt.Sprintf("at most %d levels of parentheses, not and functions", maxDepth), "the condition is nested too deep")
	}
	return func() { p.depth-- }
}

// expect reads a symbol that must come next.
func (p *parser) expect(s, purpose string) {
	t := p.peek()
	if t.kind != symbol || t.text != s {
		fail(t.at, fmt.Sprintf("write %q %s", s, purpose), "found %s", t)
	}
	p.take(t)
}

func (p *parser) is(s string) bool {
	t := p.peek()
	return t.kind == symbol && t.text == s
}

// truth is a condition as it is read. With an array it is one of the condition for every element, of which any and all
// make a single one.
type truth struct {
	node condition
	over list // nil: a single one
	at   int
}

// whole reads the condition to its end.
func (p *parser) whole() condition {
	c := p.logic(0)
	if t := p.peek(); t.kind != end {
		fail(t.at, afterCondition(t), "found %s after a complete condition", t)
	}
	if c.over != nil {
		fail(c.at, "write any(…) or all(…) around it", "the condition holds or fails for every element of %s apart", c.over.append(nil))
	}
	return c.node
}

func afterCondition(t token) string {
	if lower := strings.ToLower(t.text); lower != t.text && slices.ContainsFunc(levels[:], func(l [2]string) bool { return l[0] == lower }) {
		return fmt.Sprintf("operators are written in lower case: %s", lower)
	}
	return "join conditions by and, or, xor"
}

// levels are the operators between conditions, the weakest first.
var levels = [...][2]string{{"or", "||"}, {"xor", "^^"}, {"and", "&&"}}

const (
	levelOr = iota
	levelXor
	levelAnd
)

// logic reads conditions joined by operators of a level, and stronger ones.
func (p *parser) logic(level int) truth {
	if level == len(levels) {
		return p.unary()
	}
	c := p.logic(level + 1)
	for {
		t := p.peek()
		if t.kind != word && t.kind != symbol || !slices.Contains(levels[level][:], t.text) {
			return c
		}
		p.take(t)
		c = join(t, level, c, p.logic(level+1))
	}
}

// join makes one condition of two. Operators of one level are associative, all three.
func join(t token, level int, a, b truth) truth {
	if one, other := name(a.over), name(b.over); one != other {
		want := "both about the same array"
		if one == "" || other == "" {
			want = "either both about elements of an array or neither"
		}
		fail(t.at, want, "%s joins a condition about %s with one about %s", t, orSingle(one), orSingle(other))
	}
	items := slices.Concat(operands(level, a.node), operands(level, b.node))
	return truth{node: &junction{level: level, items: items}, over: a.over, at: a.at}
}

func name(l list) string {
	if l == nil {
		return ""
	}
	return string(l.append(nil))
}

func orSingle(array string) string {
	if array == "" {
		return "a single value"
	}
	return "the elements of " + array
}

func operands(level int, c condition) []condition {
	if j, ok := c.(*junction); ok && j.level == level {
		return j.items
	}
	return []condition{c}
}

// unary reads one condition: negated, in parentheses, or a comparison.
func (p *parser) unary() truth {
	t := p.peek()
	switch {
	case t.kind == word && t.text == "not", t.kind == symbol && t.text == "!":
		defer p.enter(t.at)()
		p.take(t)
		c := p.unary()
		return truth{node: &negation{c.node}, over: c.over, at: t.at}
	case t.kind == symbol && t.text == "(":
		defer p.enter(t.at)()
		p.take(t)
		c := p.logic(0)
		p.expect(")", "to close the parenthesis, or and, or, xor")
		return c
	case t.kind == word:
		return p.comparison()
	case t.kind == quote:
		fail(t.at, "begin with a field or a function, as in http.host eq \"example.com\"", "a comparison begins with a string")
	case t.kind == strange && strings.ContainsAny(t.text, "“”‘’'`"):
		fail(t.at, `strings stand in straight double quotes: "…"`, "found %s", t)
	}
	fail(t.at, "a field, a function, not or a parenthesis", "found %s where a condition begins", t)
	panic("BUG: fail returned")
}

// kind is the type of a single value.
type kind uint8

const (
	stringKind kind = iota
	integerKind
	addressKind
	booleanKind
)

var kinds = [...]string{stringKind: "String", integerKind: "Integer", addressKind: "Address", booleanKind: "Boolean"}

func (k kind) String() string { return kinds[k] }

// shape says how many values of the kind there are.
type shape uint8

const (
	single shape = iota
	each         // array[*]: one, as often as the array has elements
	array        // all of them
	dict         // arrays, by key
)

// value is a field, what an index picks of it, what a function makes of it, or a literal argument.
type value struct {
	at    int
	kind  kind
	shape shape

	text      text      // a String; of an array, that of the element at hand
	number    number    // an Integer, likewise
	condition condition // a Boolean, likewise
	over      list      // of shapes each and array: whose elements
	entry     func(key string, at int) list

	literal bool
	digits  int64 // of a literal Integer
}

// isDirect reports that the value is an array as a field offers it, and not what a function made of one.
func (v *value) isDirect() bool {
	_, direct := v.text.(*element)
	return direct
}

func (v *value) String() string {
	s := v.kind.String()
	switch v.shape {
	case array:
		return "an Array<" + s + ">"
	case dict:
		return "a Map<Array<" + s + ">>"
	}
	if strings.ContainsRune("AEIOU", rune(s[0])) {
		return "an " + s
	}
	return "a " + s
}

// value reads a field or a function call, and the indexes after it.
func (p *parser) value() value {
	t := p.peek()
	if t.kind != word {
		fail(t.at, "a field or a function", "found %s", t)
	}
	p.take(t)
	v := p.named(t)
	v.at = t.at
	for p.is("[") {
		p.index(&v)
	}
	return v
}

func (p *parser) named(t token) value {
	if p.is("(") {
		return p.call(t)
	}
	if _, ok := functions[t.text]; ok {
		fail(t.at, fmt.Sprintf("write %s(…)", t.text), "%s is a function", t.text)
	}
	return field(t)
}

// index reads what stands in brackets and makes v what it picks.
func (p *parser) index(v *value) {
	p.expect("[", "before an index")
	t := p.peek()
	switch {
	case v.shape == dict && t.kind == quote:
		key := string(p.readString(t))
		v.shape, v.over = array, v.entry(key, t.at)
		v.text, v.entry = &element{v.over}, nil
	case v.shape == dict:
		fail(t.at, `a key, as in ["name"]`, "found %s, and the value is %s", t, v)
	case v.shape != array:
		fail(t.at, "no index", "%s has no elements", v)
	case t.kind == symbol && t.text == "*":
		p.take(t)
		v.unpack()
	case t.kind == word:
		p.take(t)
		v.pick(position(t))
	default:
		fail(t.at, "a position from 0, or *", "found %s, and the value is %s", t, v)
	}
	p.expect("]", "to close the index")
}

func position(t token) int {
	n, err := strconv.ParseUint(t.text, 10, 31)
	if err != nil {
		fail(t.at, "a position from 0, or *", "%q is no position in an array", t.text)
	}
	return int(n)
}

func (v *value) unpack() {
	v.shape = each
	switch {
	case v.kind == stringKind && !v.isDirect():
		v.text = &unpackedText{v.text}
	case v.kind == integerKind:
		v.number = &unpackedNumber{v.number}
	}
}

func (v *value) pick(n int) {
	p := picked{over: v.over, n: n}
	switch v.kind {
	case stringKind:
		v.text = &pickedText{picked: p, of: v.text}
	case integerKind:
		v.number = &pickedNumber{picked: p, of: v.number}
	case booleanKind:
		v.condition = &pickedCondition{picked: p, of: v.condition}
	default:
		panic("BUG: there are no arrays of addresses")
	}
	v.shape, v.over = single, nil
}
