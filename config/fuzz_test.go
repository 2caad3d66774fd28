package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzLoad: no input makes Load panic, errors and only errors withhold the Config, and what is written loads equal.
func FuzzLoad(f *testing.F) {
	for _, tt := range checkCases {
		f.Add([]byte(tt.text), tt.strict)
	}
	f.Add([]byte(everything), false)
	f.Add([]byte(everything), true)
	f.Add([]byte(defaultsText), false)
	f.Add([]byte(balancerWith(`"rules":[{"condition":"a\\ud83d\\ude00\\u00e4\\n!"}]`)), false)
	f.Fuzz(func(t *testing.T, data []byte, strict bool) {
		opt := Options{Strict: strict, CheckCondition: noExclamations}
		c, problems := Load([]Source{{"in.json", data}}, opt)
		if (c == nil) != (count(problems, Error) > 0) {
			t.Fatalf("config: %v, problems:\n%s", c != nil, lines(problems))
		}
		for _, p := range problems {
			if p.Pos.Line < 1 || p.Pos.Col < 1 || p.What == "" {
				t.Fatalf("a problem without a place: %+v", p)
			}
		}
		if c == nil {
			return
		}
		text := c.JSON(false)
		again, problems := Load([]Source{{"again.json", text}}, opt)
		if again == nil {
			t.Fatalf("what was written does not load:\n%s\n%s", lines(problems), text)
		}
		if diff := cmp.Diff(c, again, sameConfig); diff != "" {
			t.Fatalf("changed by writing and reading:\n%s", diff)
		}
		if lines := Diff(c, again); len(lines) > 0 {
			t.Fatalf("Diff finds %q between equal configurations", lines)
		}
	})
}

// noExclamations is a checker of conditions that points at where it finds something.
func noExclamations(expr string, _ bool) (int, error) {
	if i := strings.IndexByte(expr, '!'); i >= 0 {
		return i, errors.New("unexpected character")
	}
	return 0, nil
}
