package config

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

func isZero[V any](v *V) bool {
	r := reflect.ValueOf(v).Elem()
	if k := r.Kind(); k == reflect.Slice || k == reflect.Map {
		return r.Len() == 0
	}
	return r.IsZero()
}

// text values

var str = codec[string]{readString, writeString}

func readString(l *loader, n *node, v *string) {
	if l.expect(n, '"', "a string") {
		*v = n.str
	}
}

func writeString(w *writer, v *string) { w.token(jsontext.String(*v)) }

// checked is a string that ok accepts, in the form that ok returns.
func checked(want string, ok func(string) (string, bool)) codec[string] {
	return codec[string]{func(l *loader, n *node, v *string) {
		if n.kind == '"' {
			if s, good := ok(n.str); good {
				*v = s
				return
			}
		}
		l.wrong(n, want)
	}, writeString}
}

// enum accepts these words in any case and keeps them as they are spelt here.
func enum(words ...string) codec[string] {
	return checked("one of "+strings.Join(words, ", "), func(s string) (string, bool) {
		for _, w := range words {
			if strings.EqualFold(s, w) {
				return w, true
			}
		}
		return "", false
	})
}

var timestamp = codec[Timestamp]{
	func(l *loader, n *node, v *Timestamp) {
		if n.kind == '"' {
			if t, err := time.Parse(time.RFC3339Nano, n.str); err == nil {
				*v = Timestamp{t.UTC(), n.str}
				return
			}
		}
		l.wrong(n, "a time as in RFC 3339, such as 2026-01-31T12:00:00Z")
	},
	func(w *writer, v *Timestamp) { w.token(jsontext.String(v.Text)) },
}

// upTo is a string of at most this many characters.
func upTo(most int) codec[string] {
	return codec[string]{func(l *loader, n *node, v *string) {
		if !l.expect(n, '"', "a string") {
			return
		}
		if count := utf8.RuneCountInString(n.str); count > most {
			l.errorAt(n, fmt.Sprintf("%s has %d characters", n.label(), count), fmt.Sprintf("at most %d", most))
			return
		}
		*v = n.str
	}, writeString}
}

// fieldUpTo is the value of an answer's field, of at most this many characters.
func fieldUpTo(most int) codec[string] {
	text := upTo(most)
	return codec[string]{func(l *loader, n *node, v *string) {
		if n.kind == '"' && !isFieldValue(n.str) {
			l.wrong(n, "a string without control characters")
			return
		}
		text.read(l, n, v)
	}, writeString}
}

// booleans

var boolean = codec[bool]{
	func(l *loader, n *node, v *bool) {
		if n.kind != 't' && n.kind != 'f' {
			l.wrong(n, "true or false")
			return
		}
		*v = n.kind == 't'
	},
	func(w *writer, v *bool) { w.token(jsontext.Bool(*v)) },
}

// numbers

// float reads a number within [low, high].
func (l *loader) float(n *node, low, high float64, want string) (float64, bool) {
	if n.kind == '0' {
		f, err := strconv.ParseFloat(string(n.raw()), 64)
		if err == nil && f >= low && f <= high {
			return f, true
		}
	}
	l.wrong(n, want)
	return 0, false
}

func number(low, high float64) codec[float64] {
	want := fmt.Sprintf("a number from %g to %g", low, high)
	return codec[float64]{
		func(l *loader, n *node, v *float64) {
			if f, ok := l.float(n, low, high, want); ok {
				*v = f + 0 // -0 becomes 0
			}
		},
		func(w *writer, v *float64) { w.token(jsontext.Float(*v)) },
	}
}

// whole reads an integer within [low, high]; 5, 5.0 and 5e0 are the same number.
func (l *loader) whole(n *node, low, high int, want string) (int, bool) {
	f, ok := l.float(n, float64(low), float64(high), want)
	if ok && f != math.Trunc(f) {
		l.wrong(n, want)
		return 0, false
	}
	return int(f), ok
}

func integer(low, high int) codec[int] {
	want := fmt.Sprintf("a whole number from %d to %d", low, high)
	return codec[int]{
		func(l *loader, n *node, v *int) {
			if i, ok := l.whole(n, low, high, want); ok {
				*v = i
			}
		},
		func(w *writer, v *int) { w.token(jsontext.Int(int64(*v))) },
	}
}

// seconds is a whole number of seconds in the API, a duration here.
func seconds(low, high int) codec[time.Duration] {
	want := fmt.Sprintf("a whole number of seconds from %d to %d", low, high)
	return codec[time.Duration]{
		func(l *loader, n *node, v *time.Duration) {
			if i, ok := l.whole(n, low, high, want); ok {
				*v = time.Duration(i) * time.Second
			}
		},
		func(w *writer, v *time.Duration) { w.token(jsontext.Int(int64(*v / time.Second))) },
	}
}

// weight is a weight in steps of 0.01.
var weight = weightInSteps(100)

// weightInSteps is a weight in so many equal steps up to 1; they divide 100. It is exact: n/100 is the double nearest to
// the decimal with two places, which is what the text was read as.
func weightInSteps(steps float64) codec[Weight] {
	want := fmt.Sprintf("a number from 0 to 1 in steps of %g", 1/steps)
	return codec[Weight]{
		func(l *loader, n *node, v *Weight) {
			f, ok := l.float(n, 0, 1, want)
			if !ok {
				return
			}
			step := math.Round(f * steps)
			if step/steps != f {
				l.wrong(n, want)
				return
			}
			*v = Weight(step * 100 / steps)
		},
		func(w *writer, v *Weight) { w.token(jsontext.Float(float64(*v) / 100)) },
	}
}

// duration is a Go duration such as "1.5s".
func duration(low, high time.Duration) codec[time.Duration] {
	want := fmt.Sprintf("a duration from %s to %s, such as \"1.5s\"", brief(low), brief(high))
	return codec[time.Duration]{
		func(l *loader, n *node, v *time.Duration) {
			if n.kind == '"' {
				if d, err := time.ParseDuration(n.str); err == nil && d >= low && d <= high {
					*v = d
					return
				}
			}
			l.wrong(n, want)
		},
		func(w *writer, v *time.Duration) { w.token(jsontext.String(brief(*v))) },
	}
}

// brief is a duration's text without the zero parts that time.Duration adds: "1h", not "1h0m0s".
func brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// composites

func pointerTo[V any](c codec[V]) codec[*V] {
	return codec[*V]{
		func(l *loader, n *node, v **V) {
			value := new(V)
			c.read(l, n, value)
			*v = value
		},
		func(w *writer, v **V) {
			if *v == nil {
				w.token(jsontext.Null)
				return
			}
			c.write(w, *v)
		},
	}
}

func listOf[V any](c codec[V]) codec[[]V] {
	return codec[[]V]{
		func(l *loader, n *node, v *[]V) {
			if !l.expect(n, '[', "an array") {
				return
			}
			if *v = nil; len(n.children) > 0 { // one form for the empty list, so that values compare
				*v = make([]V, len(n.children))
			}
			for i, e := range n.children {
				c.read(l, e, &(*v)[i])
			}
		},
		func(w *writer, v *[]V) {
			w.token(jsontext.BeginArray)
			for i := range *v {
				c.write(w, &(*v)[i])
			}
			w.token(jsontext.EndArray)
		},
	}
}

// someOf is a list that says nothing when it is empty, which is more likely an oversight than meant.
func someOf[V any](c codec[[]V]) codec[[]V] {
	return codec[[]V]{func(l *loader, n *node, v *[]V) {
		if c.read(l, n, v); n.kind == '[' && len(n.children) == 0 {
			l.warningAt(n, n.label()+" is empty and overrides nothing", "at least one element, or leave it out")
		}
	}, c.write}
}

// orNull writes an empty list as null.
func orNull[V any](c codec[[]V]) codec[[]V] {
	return codec[[]V]{c.read, func(w *writer, v *[]V) {
		if len(*v) == 0 {
			w.token(jsontext.Null)
			return
		}
		c.write(w, v)
	}}
}

// mapOf is an object whose member names are keys: key returns the form kept, and whether it is one at all.
func mapOf[V any](wantKey string, key func(string) (string, bool), c codec[V]) codec[map[string]V] {
	read := func(l *loader, n *node, v *map[string]V) {
		if !l.expect(n, '{', "an object") {
			return
		}
		if *v = nil; len(n.children) > 0 {
			*v = make(map[string]V, len(n.children))
		}
		for _, m := range n.children {
			name, ok := key(m.name)
			if _, twice := (*v)[name]; !ok || twice {
				l.add(Problem{
					Pos: m.namePos(), Pointer: m.pointer(), Want: wantKey,
					What: "the key " + quote(m.name) + map[bool]string{true: " stands for one that is there already", false: " is not known"}[ok],
				})
				continue
			}
			if m.isNull() {
				continue
			}
			var value V
			c.read(l, m, &value)
			(*v)[name] = value
		}
	}
	return codec[map[string]V]{read, func(w *writer, v *map[string]V) {
		w.token(jsontext.BeginObject)
		for _, name := range sortedKeys(*v) {
			value := (*v)[name]
			w.token(jsontext.String(name))
			c.write(w, &value)
		}
		w.token(jsontext.EndObject)
	}}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
