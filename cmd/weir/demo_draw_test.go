package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// demoMoment is a picture in the middle of a failover.
func demoMoment(t *testing.T) *demoFrame {
	t.Helper()
	v, cfg := demoWorld(t, "eu-2", "app-eu")
	v.pools[1].Origins[1].Outstanding = 7
	shares := map[demoWho]float64{
		{demoHost, "app-eu", "eu-1"}:      0.125,
		{demoHost, "app-us", "us-1"}:      0.25,
		{demoHost, "app-us", "us-2"}:      0.2,
		{demoOtherHost, "app-us", "us-1"}: 0.25,
		{demoOtherHost, "app-us", "us-3"}: 0.175,
	}
	f := &demoFrame{
		elapsed: 7 * time.Second, length: 30 * time.Second, listen: "127.0.0.1:8080", admin: "127.0.0.1:8081",
		act: 2, acts: 5, title: (&demoShow{}).acts()[1].title,
		numbers: demoNumbers{
			sent: 12402, failed: 1, retried: 124, rate: 199.6, p50: 9700 * time.Microsecond, p99: 61 * time.Millisecond, share: shares,
		},
		events: []demoEvent{
			{1000 * time.Millisecond, demoPlainly, "every origin was probed from every region; traffic begins"},
			{4200 * time.Millisecond, demoStaged, "eu-2 stopped"},
			{6100 * time.Millisecond, demoBad, "eu-2 is down: TCP connection failed (WEU made the majority)"},
			{6100 * time.Millisecond, demoBad, "pool app-eu critical: 1 of 2 healthy, needs 2 → app-us"},
			{9900 * time.Millisecond, demoGood, "pool app-eu recovered: 2 of 2 healthy, needs 2"},
		},
	}
	f.balancers = v.balancers(cfg, shares)
	for i := range v.pools {
		f.pools = append(f.pools, poolLineOf(&v.pools[i], shares))
	}
	return f
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "demo", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); -update if it is better:\n%s", name, diff)
	}
}

func TestDemoPicture(t *testing.T) {
	for _, c := range []struct {
		name          string
		width, height int
		colour        bool
	}{
		{"80x24", 80, 24, false},
		{"120x40", 120, 40, false},
		{"colour", 80, 24, true},
	} {
		out := &paper{}
		l := newDemoLive(out, func() (int, int) { return c.width, c.height }, c.colour)
		l.show(demoMoment(t))
		l.close()
		l.close()
		text := out.String()
		if !c.colour {
			golden(t, c.name, printable(text))
			continue
		}
		golden(t, c.name, strings.ReplaceAll(printable(text), "\x1b", "␛"))
	}
}

// printable leaves of a screen's bytes what a test's reader can see: the text, and colours.
func printable(text string) string {
	for _, control := range []string{enterScreen, leaveScreen, beginFrame, endFrame} {
		text = strings.ReplaceAll(text, control, "")
	}
	return strings.ReplaceAll(text, endLine, "\n") + "\n"
}

// Whatever the terminal's size and whatever there is to show, no line is longer than the terminal is wide, no picture
// is higher, and nobody is left without a cursor.
func TestDemoPictureFits(t *testing.T) {
	f := demoMoment(t)
	f.title = strings.Repeat("a long title ", 20)
	f.events = append(f.events, demoEvent{text: strings.Repeat("a long event — ", 20)})
	f.pools[2].origins[0].name = "an-origin-with-a-long-name"
	f.pools[2].trouble, f.pools[2].state = strings.Repeat("much trouble ", 10), "degraded"
	for width := demoWidth; width < 200; width += 7 {
		for _, height := range []int{demoHeight, 30, 60} {
			out := &paper{}
			l := newDemoLive(out, func() (int, int) { return width, height }, false)
			l.show(f)
			l.close()
			if !strings.HasPrefix(out.String(), enterScreen) || !strings.HasSuffix(out.String(), leaveScreen) {
				t.Fatal("the screen is not entered first and left last")
			}
			lines := strings.Split(strings.TrimSuffix(printable(out.String()), "\n"), "\n")
			if len(lines) > height {
				t.Errorf("%d lines for a height of %d", len(lines), height)
			}
			for _, line := range lines {
				if n := utf8.RuneCountInString(line); n >= width {
					t.Errorf("%d columns in a width of %d: %q", n, width, line)
				}
			}
		}
	}
}

func TestDemoLines(t *testing.T) {
	out := &paper{}
	l := &demoLines{out: out}
	f := demoMoment(t)
	l.say([]string{"hello"})
	l.act(time.Second, 1, "all is well")
	l.event(f.events[1])
	for _, at := range []time.Duration{7000, 7200, 7999, 8100, 9000} { // a line a second, not one a picture
		f.elapsed = at * time.Millisecond
		l.show(f)
	}
	l.close()
	golden(t, "lines", out.String())
}

func TestDemoDivide(t *testing.T) {
	for _, c := range []struct {
		shares []float64
		cells  int
		want   string
	}{
		{[]float64{1}, 10, "[10]"},
		{[]float64{0.5, 0.5}, 10, "[5 5]"},
		{[]float64{0.9, 0.1}, 20, "[18 2]"},
		{[]float64{0.999, 0.001}, 10, "[9 1]"}, // whoever is there is seen
		{[]float64{0.001, 0.999}, 10, "[1 9]"},
		{[]float64{0, 1, 0}, 10, "[0 10 0]"},
		{[]float64{1. / 3, 1. / 3, 1. / 3}, 10, "[3 4 3]"},
		{[]float64{0, 0}, 10, "[0 0]"},
	} {
		var shares []demoShare
		for _, s := range c.shares {
			shares = append(shares, demoShare{share: s})
		}
		if got := fmt.Sprint(divide(shares, c.cells)); got != c.want {
			t.Errorf("%v in %d cells: %s, want %s", c.shares, c.cells, got, c.want)
		}
	}
}

func TestDemoBar(t *testing.T) {
	for share, want := range map[float64]string{0: "", 0.5: "████", 1: "████████", 1.2: "████████", 1. / 16: "▌", 0.3: "██▍"} {
		if got := bar(share, 8); got != want {
			t.Errorf("%v of 8 cells: %q, want %q", share, got, want)
		}
	}
}

func TestDemoClip(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{{"grün", 4, "grün"}, {"grün", 3, "gr…"}, {"grün", 1, "…"}, {"grün", 0, ""}, {"", 0, ""}} {
		if got := clip(c.text, c.width); got != c.want {
			t.Errorf("%q in %d: %q, want %q", c.text, c.width, got, c.want)
		}
	}
}
