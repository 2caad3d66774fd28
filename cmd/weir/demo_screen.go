package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// demoScreen shows a demo as it goes on.
type demoScreen interface {
	say(lines []string) // before it begins
	act(at time.Duration, number int, title string)
	event(e demoEvent)
	show(f *demoFrame)
	close() // any number of times
}

// The least a terminal must have for pictures; with less, and without a terminal, lines are written.
const (
	demoWidth  = 80
	demoHeight = 24
)

func newDemoScreen(out io.Writer) demoScreen {
	if f, ok := out.(*os.File); ok && isTerminal(f) && os.Getenv("TERM") != "dumb" {
		size := func() (width, height int) {
			width, height, err := term.GetSize(int(f.Fd()))
			if err != nil {
				return demoWidth, demoHeight
			}
			return width, height
		}
		if width, height := size(); width >= demoWidth && height >= demoHeight {
			return newDemoLive(out, size, os.Getenv("NO_COLOR") == "")
		}
	}
	return &demoLines{out: out}
}

// demoLive draws pictures in place, on the terminal's other screen, so that what was on the first one is not lost.
type demoLive struct {
	out    io.Writer
	size   func() (width, height int)
	colour bool
	closed bool
}

// What a terminal is told. A whole picture goes out in one write, between marks that let the terminal show it at once:
// without flicker.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J" // the other screen, no cursor, no wrapping, empty
	leaveScreen = "\x1b[?7h\x1b[?25h\x1b[?1049l"
	beginFrame  = "\x1b[?2026h\x1b[H"
	endLine     = "\x1b[K\r\n"
	endFrame    = "\x1b[K\x1b[J\x1b[?2026l"
)

func newDemoLive(out io.Writer, size func() (int, int), colour bool) *demoLive {
	_, _ = io.WriteString(out, enterScreen) // whoever cannot see it cannot be told
	return &demoLive{out: out, size: size, colour: colour}
}

func (l *demoLive) say(lines []string) {
	_, _ = io.WriteString(l.out, beginFrame+strings.Join(lines, endLine)+endFrame)
}

func (l *demoLive) act(time.Duration, int, string) {} // it is in every picture

func (l *demoLive) event(demoEvent) {} // likewise

func (l *demoLive) show(f *demoFrame) {
	width, height := l.size()
	width-- // to clear the rest of a line that reaches the last column would take its last character
	lines := f.draw(width, height)
	var b bytes.Buffer
	b.WriteString(beginFrame)
	for i, line := range lines[:min(len(lines), height)] {
		if i > 0 {
			b.WriteString(endLine)
		}
		b.WriteString(line.render(width, l.colour))
	}
	b.WriteString(endFrame)
	_, _ = l.out.Write(b.Bytes())
}

func (l *demoLive) close() {
	if !l.closed {
		l.closed = true
		_, _ = io.WriteString(l.out, leaveScreen)
	}
}

// demoLines writes lines one after the other: what happens as it happens, and numbers once a second.
type demoLines struct {
	out  io.Writer
	next time.Duration // when the numbers are due again
}

func (l *demoLines) say(lines []string) {
	for _, line := range lines {
		fmt.Fprintln(l.out, line)
	}
}

func (l *demoLines) act(at time.Duration, number int, title string) {
	fmt.Fprintf(l.out, "\n%6.1fs  %d. %s\n", at.Seconds(), number, title)
}

func (l *demoLines) event(e demoEvent) { fmt.Fprintln(l.out, e.line().render(1000, false)) }

func (l *demoLines) show(f *demoFrame) {
	if f.elapsed < l.next || f.numbers.rate == 0 {
		return
	}
	l.next = f.elapsed.Truncate(time.Second) + time.Second
	fmt.Fprintln(l.out, f.numbersLine())
}

func (l *demoLines) close() {}

// numbersLine is a whole picture on one line.
func (f *demoFrame) numbersLine() string {
	var b strings.Builder
	n := f.numbers
	fmt.Fprintf(&b, "%6.1fs  %3.0f/s  p50 %-6s  p99 %-6s  %d failed ", f.elapsed.Seconds(), n.rate, millis(n.p50), millis(n.p99), n.failed)
	for i := range f.pools {
		p := &f.pools[i]
		if p.share == 0 {
			continue
		}
		fmt.Fprintf(&b, " | %s %s:", p.name, percent(p.share))
		for _, o := range p.origins {
			if o.share > 0 {
				fmt.Fprintf(&b, " %s %.0f", o.name, o.share*100)
			}
		}
	}
	return b.String()
}
