package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// demoStyle is how a piece of text looks, as an SGR sequence's parameters; "" is plain.
type demoStyle string

const (
	styleNone   demoStyle = ""
	styleTitle  demoStyle = "1"
	styleDim    demoStyle = "2"
	styleGood   demoStyle = "32"
	styleBad    demoStyle = "31"
	styleWarn   demoStyle = "33"
	styleStaged demoStyle = "36"
)

// poolStyles colour the pools, by their place.
var poolStyles = []demoStyle{"34", "35", "33", "36"}

// poolFills tell the pools of a bar apart without colours.
var poolFills = []string{"█", "▓", "░", "▒"}

// demoSpan is a piece of a line.
type demoSpan struct {
	text  string
	style demoStyle
}

// demoLine is a line of a picture.
type demoLine []demoSpan

func (l *demoLine) add(style demoStyle, format string, args ...any) {
	*l = append(*l, demoSpan{fmt.Sprintf(format, args...), style})
}

// width counts characters; every one that the demo draws is one column wide.
func (l demoLine) width() (n int) {
	for _, s := range l {
		n += utf8.RuneCountInString(s.text)
	}
	return n
}

// render makes text of a line, at most width columns of it.
func (l demoLine) render(width int, colour bool) string {
	var b strings.Builder
	for _, s := range l {
		text := clip(s.text, width)
		width -= utf8.RuneCountInString(text)
		if colour && s.style != styleNone && text != "" {
			b.WriteString("\x1b[" + string(s.style) + "m" + text + "\x1b[0m")
			continue
		}
		b.WriteString(text)
	}
	return strings.TrimRight(b.String(), " ")
}

// clip is the first width characters of a text; what is cut off is marked.
func clip(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	if width <= 0 {
		return ""
	}
	return string([]rune(text)[:width-1]) + "…"
}

// draw makes a picture of a frame that fits a terminal.
func (f *demoFrame) draw(width, height int) []demoLine {
	lines := f.head(width)
	lines = append(lines, f.balancerLines(width)...)
	lines = append(lines, demoLine{})
	lines = append(lines, f.poolLines(width)...)
	lines = append(lines, demoLine{})
	return append(lines, f.eventLines(height-len(lines))...)
}

func (f *demoFrame) head(width int) []demoLine {
	var top, act, numbers demoLine
	top.add(styleTitle, "weir demo")
	top.add(styleDim, "   clients on %s   admin on %s", f.listen, f.admin)
	clock := fmt.Sprintf("%.0f/%.0f s", f.elapsed.Seconds(), f.length.Seconds())
	top.add(styleNone, "%*s", max(width-top.width(), utf8.RuneCountInString(clock)+1), clock)
	act.add(styleStaged, "%d/%d  %s", f.act, f.acts, f.title)
	n := f.numbers
	numbers.add(styleTitle, "%3.0f", n.rate)
	numbers.add(styleNone, "/s   p50 %s   p99 %s   %d answered   %d retried   ", millis(n.p50), millis(n.p99), n.sent-n.failed, n.retried)
	failed := styleGood
	if n.failed > 0 {
		failed = styleBad
	}
	numbers.add(failed, "%d failed", n.failed)
	return []demoLine{top, act, {}, numbers, {}}
}

func millis(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	if ms < 10 {
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", ms)
}

// balancerLines show how each load balancer splits, as one bar of pools.
func (f *demoFrame) balancerLines(width int) []demoLine {
	var lines []demoLine
	name := 0
	for _, b := range f.balancers {
		name = max(name, utf8.RuneCountInString(b.name))
	}
	const legend = 30 // room for two pools and their shares
	bar := min(max(width-name-2-legend, 10), 60)
	for _, b := range f.balancers {
		var l demoLine
		l.add(styleNone, "%-*s  ", name, b.name)
		for i, cells := range divide(b.shares, bar) {
			l.add(poolStyles[i%len(poolStyles)], "%s", strings.Repeat(poolFills[i%len(poolFills)], cells))
		}
		l.add(styleDim, "%s", strings.Repeat("·", max(name+2+bar-l.width(), 0)))
		for i, s := range b.shares {
			if s.share > 0 {
				l.add(poolStyles[i%len(poolStyles)], "  %s %s", s.name, percent(s.share))
			}
		}
		lines = append(lines, l)
	}
	return lines
}

// divide gives each share its cells of a bar. All of them together fill it when the shares make a whole, and none that
// is there at all has none.
func divide(shares []demoShare, cells int) []int {
	list := make([]int, len(shares))
	var upTo float64
	given := 0
	for i, s := range shares {
		upTo += s.share
		list[i] = max(int(math.Round(upTo*float64(cells)))-given, 0)
		given += list[i]
	}
	for i, s := range shares {
		if s.share > 0 && list[i] == 0 {
			widest := slices.Index(list, slices.Max(list))
			list[widest]--
			list[i]++
		}
	}
	return list
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", share*100) }

// poolLines show every pool and its origins.
func (f *demoFrame) poolLines(width int) []demoLine {
	names, ports, regions := 6, 5, 0
	for i := range f.pools {
		for _, o := range f.pools[i].origins {
			names = max(names, utf8.RuneCountInString(o.name))
			ports = max(ports, 1+len(strconv.Itoa(o.port)))
			regions = max(regions, regionLine(o.regions).width())
		}
	}
	c := demoColumns{name: names, port: ports}
	c.bar = min(max(width-c.fixed()-regions, 8), 40)
	lines := []demoLine{c.heading()}
	for i := range f.pools {
		lines = append(lines, f.pools[i].line(poolStyles[i%len(poolStyles)]))
		for k := range f.pools[i].origins {
			lines = append(lines, c.line(&f.pools[i].origins[k], poolStyles[i%len(poolStyles)]))
		}
	}
	return lines
}

// demoColumns are the widths of what an origin's line is made of.
type demoColumns struct{ name, port, bar int }

// fixed is the width of everything but the bar and the regions.
func (c demoColumns) fixed() int { return 2 + c.name + 1 + c.port + 8 + 8 + 2 + 6 + 2 }

func (c demoColumns) heading() demoLine {
	var l demoLine
	l.add(styleDim, "  %-*s %-*s%8s%8s  %-*s%6s  %s", c.name, "origin", c.port, "port", "weight", "share", c.bar, "of all answers", "busy", "probed from")
	return l
}

func (c demoColumns) line(o *demoOriginLine, style demoStyle) demoLine {
	var l demoLine
	l.add(styleNone, "  %-*s ", c.name, o.name)
	l.add(styleDim, "%-*s", c.port, ":"+strconv.Itoa(o.port))
	l.add(styleNone, "%8s%8s  ", strconv.FormatFloat(o.weight, 'f', -1, 64), percent(o.share))
	l.add(style, "%-*s", c.bar, bar(o.share, c.bar))
	l.add(styleNone, "%6d  ", o.busy)
	return append(l, regionLine(o.regions)...)
}

// bar is a share of cells, in eighths.
func bar(share float64, cells int) string {
	eighths := int(math.Round(math.Min(share, 1) * float64(cells*8)))
	text := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		text += string([]rune(" ▏▎▍▌▋▊▉")[rest])
	}
	return text
}

func regionLine(regions []demoRegion) demoLine {
	var l demoLine
	for i, r := range regions {
		if i > 0 {
			l.add(styleNone, " ")
		}
		switch r.status {
		case "up":
			l.add(styleGood, "%s ✓", r.name)
		case "down":
			l.add(styleBad, "%s ✗", r.name)
		default:
			l.add(styleWarn, "%s ?", r.name)
		}
	}
	return l
}

func (p *demoPool) line(style demoStyle) demoLine {
	var l demoLine
	l.add(style, "%s", p.name)
	l.add(styleDim, "  %s  ", p.policy)
	mood := styleGood
	switch {
	case !p.serves:
		mood = styleBad
	case p.state != "healthy":
		mood = styleWarn
	}
	l.add(mood, "%s", p.state)
	if p.state == "healthy" {
		return l
	}
	l.add(mood, ", %s", p.tally)
	if p.trouble != "" {
		l.add(mood, "; %s", p.trouble)
	}
	return l
}

// eventLines are the newest events that fit, oldest first.
func (f *demoFrame) eventLines(room int) []demoLine {
	events := f.events[max(0, len(f.events)-max(room, 0)):]
	var lines []demoLine
	for i := range events {
		lines = append(lines, events[i].line())
	}
	return lines
}

func (e *demoEvent) line() demoLine {
	var l demoLine
	l.add(styleDim, "%6.1fs  ", e.at.Seconds())
	style := map[demoMood]demoStyle{demoPlainly: styleNone, demoGood: styleGood, demoBad: styleBad, demoStaged: styleStaged}[e.mood]
	l.add(style, "%s", e.text)
	return l
}
