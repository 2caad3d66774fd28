package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// codec reads one kind of JSON value into a Go value and writes it back. read reports what is wrong and leaves *v
// alone then.
type codec[V any] struct {
	read  func(l *loader, n *node, v *V)
	write func(w *writer, v *V)
}

// member is one field of an object: its JSON name and how it gets in and out of a T.
type member[T any] struct {
	name     string
	required bool
	// fill reads {} when the member is missing, so that the defaults inside it are filled in.
	fill bool
	// blank says that "" is the same as leaving the member out.
	blank bool
	// dropped members are known, read-only at Cloudflare, and not kept.
	dropped bool
	read    func(l *loader, n *node, t *T)
	write   func(w *writer, t *T)
	omit    func(t *T) bool
}

// always is a member that is written back even when it is empty.
func always[T, V any](name string, field func(*T) *V, c codec[V]) member[T] {
	return member[T]{
		name:  name,
		read:  func(l *loader, n *node, t *T) { c.read(l, n, field(t)) },
		write: func(w *writer, t *T) { c.write(w, field(t)) },
		omit:  func(*T) bool { return false },
	}
}

// omitted is a member that is left out when it is empty.
func omitted[T, V any](name string, field func(*T) *V, c codec[V]) member[T] {
	m := always(name, field, c)
	m.omit = func(t *T) bool { return isZero(field(t)) }
	return m
}

// given is a map that is left out only when it was not given: an empty one overrides too.
func given[T, V any](name string, field func(*T) *map[string]V, c codec[map[string]V]) member[T] {
	m := omitted(name, field, c)
	m.omit = func(t *T) bool { return *field(t) == nil }
	read := m.read
	m.read = func(l *loader, n *node, t *T) {
		if read(l, n, t); n.kind == '{' && *field(t) == nil {
			*field(t) = map[string]V{}
		}
	}
	return m
}

// dropped is a member that is accepted and not kept.
func dropped[T any](name string) member[T] {
	return member[T]{name: name, dropped: true, read: func(*loader, *node, *T) {}, omit: func(*T) bool { return true }}
}

func (m member[T]) must() member[T]                  { m.required = true; return m }
func (m member[T]) filled() member[T]                { m.fill = true; return m }
func (m member[T]) blankIsOut() member[T]            { m.blank = true; return m }
func (m member[T]) omitIf(f func(*T) bool) member[T] { m.omit = f; return m }

// schema is the table of an object's members.
type schema[T any] struct {
	kind    string // the object's name in messages and in the tables of defaults and of inert fields
	members []member[T]
	// unknown is where members of other names are kept; nil makes them errors.
	unknown func(*T) *[]Unknown
	// begin and finish run before and after the members: positions, and rules that join several members.
	begin, finish func(l *loader, n *node, t *T)
	// ordered writes members in the table's order; otherwise they are sorted by name, as the API's are.
	ordered bool
}

func (s *schema[T]) codec() codec[T] { return codec[T]{s.read, s.write} }

func (s *schema[T]) read(l *loader, n *node, t *T) {
	if !l.expect(n, '{', "an object") {
		return
	}
	if s.begin != nil {
		s.begin(l, n, t)
	}
	for i := range s.members {
		s.readMember(l, n, t, &s.members[i])
	}
	s.readUnknown(l, n, t)
	if s.finish != nil {
		s.finish(l, n, t)
	}
}

func (s *schema[T]) readMember(l *loader, n *node, t *T, m *member[T]) {
	v := n.get(m.name)
	if v.given() && !(m.blank && v.kind == '"' && v.str == "") {
		before := l.errors
		if m.read(l, v, t); l.errors == before {
			l.noteInert(s.kind, v)
		}
		return
	}
	if m.required {
		l.errorAt(n, m.name+" is missing", "every "+spoken(s.kind)+" has one")
		return
	}
	s.fillMember(l, t, m)
}

func (s *schema[T]) fillMember(l *loader, t *T, m *member[T]) {
	if d := l.defaultOf(s.kind + "." + m.name); d != nil {
		m.read(l, d, t)
	} else if m.fill {
		m.read(l, emptyObject, t)
	}
}

// fillDefaults makes t what an object without any members is read as, required ones apart.
func (s *schema[T]) fillDefaults(l *loader, t *T) {
	for i := range s.members {
		s.fillMember(l, t, &s.members[i])
	}
}

// nouns are the kinds of objects that are spoken of with an article; the others go by their JSON names.
var nouns = []string{"pool", "origin", "monitor", "monitor_group", "group_member", "load_balancer", "document", "rule", "pool_set", "place", "webhook", "pop"}

// spoken is a kind of object in a sentence.
func spoken(kind string) string {
	if slices.Contains(nouns, kind) {
		return strings.ReplaceAll(kind, "_", " ")
	}
	return kind
}

func article(kind string) string {
	switch {
	case !slices.Contains(nouns, kind):
		return kind
	case strings.IndexByte("aeiou", kind[0]) >= 0:
		return "an " + spoken(kind)
	}
	return "a " + spoken(kind)
}

func (s *schema[T]) readUnknown(l *loader, n *node, t *T) {
	for _, c := range n.children {
		if s.knows(c.name) {
			continue
		}
		l.unknown(c, s.kind, s.names(), s.unknown == nil)
		if s.unknown != nil {
			list := s.unknown(t)
			*list = append(*list, keep(c))
		}
	}
	if s.unknown != nil {
		sortUnknown(*s.unknown(t))
	}
}

// sortUnknown gives members that are kept the order in which they are written: their own means nothing in JSON.
func sortUnknown(list []Unknown) {
	slices.SortFunc(list, func(a, b Unknown) int { return strings.Compare(a.Name, b.Name) })
}

func (s *schema[T]) knows(name string) bool {
	return slices.ContainsFunc(s.members, func(m member[T]) bool { return m.name == name })
}

func (s *schema[T]) names() []string {
	names := make([]string, len(s.members))
	for i, m := range s.members {
		names[i] = m.name
	}
	return names
}

// keep copies a member so that it can be written back.
func keep(n *node) Unknown {
	return Unknown{Name: n.name, JSON: compact(n.raw())}
}

// compact removes the white space between tokens and changes nothing else.
func compact(raw []byte) []byte {
	v := jsontext.Value(slices.Clone(raw))
	if err := v.Compact(jsontext.AllowDuplicateNames(true)); err != nil {
		panic("BUG: a parsed value does not compact: " + err.Error())
	}
	return v
}

// unknown reports a member that no table knows. Where nothing can hold it, or in strict mode, that is an error.
func (l *loader) unknown(n *node, kind string, names []string, forbidden bool) {
	what := fmt.Sprintf("%s is not a field of %s", quote(n.name), article(kind))
	want := "it is kept and has no effect"
	sev := Warning
	if forbidden || l.opt.Strict {
		sev, want = Error, "remove it"
	}
	if near := nearest(n.name, names); near != "" {
		want = fmt.Sprintf("did you mean %q?", near)
	}
	l.add(Problem{Severity: sev, Pos: n.namePos(), Pointer: n.pointer(), What: what, Want: want})
}

// nearest returns the name that is a slip of the finger away from s, "" when none is.
func nearest(s string, names []string) string {
	best, least := "", min(2, len(s)/3)+1
	for _, name := range names {
		if d := editDistance(strings.ToLower(s), name); d < least {
			best, least = name, d
		}
	}
	return best
}

// editDistance is Levenshtein's, in bytes: names are ASCII, and others are far from them either way.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
