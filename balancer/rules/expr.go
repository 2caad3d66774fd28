package rules

import (
	"strings"
	"sync"
)

// MaxLength is how many characters a condition may have (Cloudflare docs, "Expressions").
const MaxLength = 4096

// maxDepth is how deep parentheses, not and functions may be nested in each other. Cloudflare does not state its limit.
const maxDepth = 64

// Expr is a compiled condition. It is immutable and safe for concurrent use.
type Expr struct {
	root condition // nil: always true
	text string    // canonical
}

// Compile prepares a condition. The error, if any, is an *Error.
func Compile(expr string) (*Expr, error) { return compile(expr, MaxLength) }

func compile(expr string, most int) (e *Expr, err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case *Error:
			e, err = nil, v
		default:
			panic(v)
		}
	}()
	p := &parser{lexer: lexer{text: expr}}
	p.length(most)
	if strings.Trim(expr, spaces) == "" {
		return &Expr{}, nil
	}
	root := p.whole()
	return &Expr{root: root, text: string(root.append(nil))}, nil
}

// Match reports whether the condition holds for a request.
func (e *Expr) Match(in Input) bool {
	if e.root == nil {
		return true
	}
	m := machines.Get().(*machine)
	m.in = in
	holds := e.root.holds(m)
	m.release()
	return holds
}

// String is the condition in its canonical form: operators in words, one space between, no parentheses but those that
// count. It compiles to an equal Expr, unless spelling it out made it longer than a condition may be.
func (e *Expr) String() string { return e.text }

// machine is what an evaluation works on.
type machine struct {
	in      Input
	element []byte // what [*] stands for, within any and all
	scratch []byte // texts made on the way. Some may lie in an array that scratch has outgrown: all live until the end
}

// machines spare an allocation per Match: what an interface is called with lives on the heap.
var machines = sync.Pool{New: func() any { return new(machine) }}

func (m *machine) release() {
	const most = 64 << 10 // a request that made a long text does not keep it
	if cap(m.scratch) > most {
		m.scratch = nil
	}
	m.in, m.element, m.scratch = nil, nil, m.scratch[:0]
	machines.Put(m)
}

// made is the text that was appended to scratch since it had length start.
func (m *machine) made(start int) []byte { return m.scratch[start:len(m.scratch):len(m.scratch)] }

// The parts of a compiled condition. Each appends its own canonical form.
type (
	node interface {
		append(dst []byte) []byte
	}
	condition interface {
		node
		holds(m *machine) bool
	}
	text interface {
		node
		text(m *machine) (value []byte, known bool)
	}
	number interface {
		node
		number(m *machine) (value int64, known bool)
	}
	// list is an array of strings that a field offers. next is as Input.Header.
	list interface {
		node
		next(m *machine, from int) (value []byte, next int, found bool)
	}
)
