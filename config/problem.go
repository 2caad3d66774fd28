package config

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Severity of a Problem.
type Severity uint8

const (
	// Error makes the input unusable: Load answers no Config.
	Error Severity = iota
	// Warning marks what is usable and probably not what was meant.
	Warning
	// Note marks what is legal and kept but cannot act here; shown by weir check -v.
	Note
)

// String is the word used in messages: error, warning or note.
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	case Note:
		return "note"
	}
	panic(fmt.Sprintf("BUG: severity %d", uint8(s)))
}

// Problem is one thing wrong, or surprising, in the input.
type Problem struct {
	Severity Severity
	Pos      Position
	Pointer  string // JSON pointer from the document's root
	What     string // what is wrong
	Want     string // what would be right
	Rule     string // id of the lint rule that found it, "" for everything else
}

// String is "file:line:col: error: /pointer: what; what would be right". Parts that are not known are left out.
func (p Problem) String() string {
	var b strings.Builder
	if pos := p.Pos.String(); pos != "" {
		b.WriteString(pos + ": ")
	}
	b.WriteString(p.Severity.String() + ": ")
	if p.Pointer != "" {
		b.WriteString(p.Pointer + ": ")
	}
	b.WriteString(p.What)
	if p.Want != "" {
		b.WriteString("; " + p.Want)
	}
	if p.Rule != "" {
		b.WriteString(" [" + p.Rule + "]")
	}
	return b.String()
}

// MarshalJSON writes the fields of String as members of their own.
func (p Problem) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		File     string `json:"file"`
		Line     int    `json:"line"`
		Col      int    `json:"col"`
		Severity string `json:"severity"`
		Pointer  string `json:"pointer"`
		What     string `json:"what"`
		Want     string `json:"want"`
		Rule     string `json:"rule,omitempty"`
	}{p.Pos.File, p.Pos.Line, p.Pos.Col, p.Severity.String(), p.Pointer, p.What, p.Want, p.Rule})
}

// String is "file:line:col", "file" when the place inside it is not known, "" for no file.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// SortProblems orders ps by file, line and column; problems at one place stay as they were.
func SortProblems(ps []Problem) {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Col, b.Pos.Col))
	})
}

// Summary is "N errors, M warnings". Notes are not counted.
func Summary(ps []Problem) string {
	errs, warnings := count(ps, Error), count(ps, Warning)
	return fmt.Sprintf("%s, %s", plural(errs, "error"), plural(warnings, "warning"))
}

func count(ps []Problem, s Severity) int {
	n := 0
	for _, p := range ps {
		if p.Severity == s {
			n++
		}
	}
	return n
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
