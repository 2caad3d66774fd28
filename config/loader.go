package config

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// loader is one run of Load: what was read so far, where it stood, and what is wrong with it.
type loader struct {
	opt      Options
	cfg      Config
	problems []Problem
	errors   int // how many of the problems are errors
	// Nodes of the objects in cfg, index by index, and of the weir section (nil when none was given).
	pools, monitors, groups, balancers []*node
	weir                               *node
	// once holds what is said only once per load.
	once map[string]bool
}

func (l *loader) add(p Problem) {
	if p.Severity == Error {
		l.errors++
	}
	l.problems = append(l.problems, p)
}

func (l *loader) report(s Severity, n *node, what, want string) {
	l.add(Problem{Severity: s, Pos: n.pos(), Pointer: n.pointer(), What: what, Want: want})
}

func (l *loader) errorAt(n *node, what, want string)   { l.report(Error, n, what, want) }
func (l *loader) warningAt(n *node, what, want string) { l.report(Warning, n, what, want) }

// strictAt is an error in strict mode and a warning otherwise.
func (l *loader) strictAt(n *node, what, want string) {
	if l.opt.Strict {
		l.errorAt(n, what, want)
		return
	}
	l.warningAt(n, what, want)
}

// wrong reports a value of n that is not what is wanted.
func (l *loader) wrong(n *node, want string) {
	l.errorAt(n, n.label()+" is "+n.found(), want)
}

// expect reports whether n is of this kind, and says so when it is not.
func (l *loader) expect(n *node, kind jsontext.Kind, want string) bool {
	if n.kind != kind {
		l.wrong(n, want)
		return false
	}
	return true
}

// Load reads srcs in order into one Config. It reports everything it finds, sorted by file, line and column; the
// Config is nil when any Problem is an Error.
func Load(srcs []Source, opt Options) (*Config, []Problem) {
	l := &loader{opt: opt, once: map[string]bool{}}
	for _, s := range srcs {
		l.source(s)
	}
	sortUnknown(l.cfg.Unknown)
	l.readWeir()
	l.checkObjects()
	l.addImplicit()
	l.cfg.index = newIndex(&l.cfg)
	if l.errors == 0 {
		l.lint()
	}
	SortProblems(l.problems)
	if l.errors > 0 {
		return nil, l.problems
	}
	return &l.cfg, l.problems
}

func (l *loader) source(s Source) {
	src := &text{name: s.Name, data: trimBOM(s.Data)}
	root, duplicates, err := parseText(src)
	if err != nil {
		at := newCursor(src.data)
		l.add(Problem{Pos: src.at(at.to(err.offset)), What: err.what, Want: err.want})
		return
	}
	for _, d := range duplicates {
		l.add(Problem{
			Pos: d.second.namePos(), Pointer: d.second.pointer(),
			What: fmt.Sprintf("%s is given twice in one object, first on line %d", quote(d.second.name), d.first.namePos().Line),
			Want: "keep one of them",
		})
	}
	l.collect(root)
}

func trimBOM(data []byte) []byte {
	if len(data) >= 3 && string(data[:3]) == "\xEF\xBB\xBF" {
		return data[3:]
	}
	return data
}
