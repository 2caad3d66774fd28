package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirlb/weir/balancer/admin"
)

// A played script is written as what it did, each with the second it happened in.
type demoPlay struct {
	now  time.Duration
	list []string
}

func (p *demoPlay) did(what string) {
	p.list = append(p.list, fmt.Sprintf("%.0f %s", p.now.Seconds(), what))
}

// demoActs are acts in the shape of the real ones; each takes two seconds until it is seen.
func demoActs(p *demoPlay) []demoAct {
	var begun time.Duration
	act := func(name string, needs float64) demoAct {
		return demoAct{
			title: name, needs: needs, meeting: name + "?", holding: name + "!",
			begin: func() error { begun = p.now; return nil },
			seen:  func(*demoView) bool { return p.now-begun >= 2*time.Second },
		}
	}
	return []demoAct{act("well", 5), act("stop", 0), act("back", 0), act("slow", 1)}
}

func playDemo(t *testing.T, length time.Duration) []string {
	t.Helper()
	p := &demoPlay{}
	s := newDemoScript(demoActs(p), length, p.did, func(act int, title string) { p.did(fmt.Sprintf("%d %s", act, title)) })
	for ; p.now < length; p.now += 500 * time.Millisecond {
		if err := s.step(p.now, &demoView{}); err != nil {
			t.Fatal(err)
		}
	}
	return p.list
}

func TestDemoScript(t *testing.T) {
	for length, want := range map[time.Duration]string{
		// Two seconds until something is seen, then a hold of three.
		30 * time.Second: "0 1 well,0 well?,2 well!,5 2 stop,5 stop?,7 stop!,10 3 back,10 back?,12 back!,15 4 slow,15 slow?,17 slow!",
		// A hold of one; the last act has no time.
		10 * time.Second: "0 1 well,0 well?,2 well!,3 2 stop,3 stop?,5 stop!,6 3 back,6 back?,8 back!,9 4 slow,9 slow?",
		// A hold of 4.5, and no more than that; after 26 s there is time for all of it again.
		50 * time.Second: "0 1 well,0 well?,2 well!,6 2 stop,6 stop?,8 stop!,13 3 back,13 back?,15 back!,20 4 slow,20 slow?,22 slow!," +
			"26 1 well,26 well?,28 well!,32 2 stop,32 stop?,34 stop!,39 3 back,39 back?,41 back!,46 4 slow,46 slow?,48 slow!",
	} {
		if got := strings.Join(playDemo(t, length), ","); got != want {
			t.Errorf("%v:\n got %s\nwant %s", length, got, want)
		}
	}
}

func TestDemoScriptTellsWhatFailed(t *testing.T) {
	acts := []demoAct{{title: "one", begin: func() error { return errors.New("no origin") }}}
	s := newDemoScript(acts, demoUsually, func(string) {}, func(int, string) {})
	if err := s.step(0, &demoView{}); err == nil || err.Error() != "act 1 of the demo: no origin" {
		t.Errorf("got %v", err)
	}
}

// The phases of the acts are the columns of the table, in this order.
func TestDemoActsPhases(t *testing.T) {
	var phases []string
	for _, a := range (&demoShow{}).acts() {
		if n := len([]rune(a.title)); n > 74 {
			t.Errorf("%q has %d characters, and 74 fit", a.title, n)
		}
		for _, phase := range []string{a.meeting, a.holding} {
			if phase != "" && !slices.Contains(phases, phase) {
				phases = append(phases, phase)
			}
		}
	}
	want := []string{phaseBefore, phaseStopped, phaseOver, phaseReturn, phaseAfter, phaseReweight, phaseSlow}
	if !slices.Equal(phases, want) {
		t.Errorf("phases %q, want %q", phases, want)
	}
}

func TestDemoSees(t *testing.T) {
	s := &demoShow{}
	before := &demoView{}
	serving := &demoView{pools: []admin.PoolView{{Name: demoFrom, Serves: true, Origins: []admin.OriginView{{Name: demoStays, Weight: 0.2}}}}}
	critical := &demoView{pools: []admin.PoolView{{Name: demoFrom}}}
	for _, c := range []struct {
		what string
		got  bool
		want bool
	}{
		{"failed over before the first look", s.failedOver(before), false},
		{"failed over while it serves", s.failedOver(serving), false},
		{"failed over when it does not", s.failedOver(critical), true},
		{"recovered when it does not serve", s.recovered(critical), false},
		{"recovered when it does", s.recovered(serving), true},
		{"the new weight", s.weighs(demoReweight)(serving), true},
		{"the old weight", s.weighs(demoWeight)(serving), false},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v", c.what, c.got)
		}
	}
}
