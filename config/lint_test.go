package config

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestLint: every rule finds its bad example and keeps quiet about its good one.
func TestLint(t *testing.T) {
	var all strings.Builder
	for _, r := range LintRules() {
		all.WriteString("== " + r.ID + ": " + r.Says + "\n")
		for _, quality := range []string{"bad", "good"} {
			name := r.ID + "." + quality + ".json"
			c, problems := Load([]Source{{name, []byte(readFileT(t, filepath.Join("testdata", "lint", name)))}}, Options{})
			if c == nil {
				t.Fatalf("%s:\n%s", name, lines(problems))
			}
			ruled := func(p Problem) bool { return p.Rule == r.ID }
			if found := slices.ContainsFunc(problems, ruled); found != (quality == "bad") {
				t.Errorf("%s: found: %v\n%s", name, found, lines(problems))
			}
			others := slices.DeleteFunc(slices.Clone(problems), func(p Problem) bool { return p.Rule == "" })
			all.WriteString(lines(others))
		}
	}
	golden(t, "lint.golden", all.String())
}

// TestLintWaitsForErrors: half a configuration would be found surprising for what is missing.
func TestLintWaitsForErrors(t *testing.T) {
	_, problems := load(`{"name":"p","origins":[{"address":"a.b","weight":7}]}`, Options{})
	for _, p := range problems {
		if p.Rule != "" {
			t.Errorf("lint in spite of errors: %s", p)
		}
	}
}
