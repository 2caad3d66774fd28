package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weirlb/weir/bench/load"
)

// demoShown is a demo of 30 s in which everything was as it should be, from which tests take away.
func demoShown(t *testing.T) (*demoShow, *paper) {
	t.Helper()
	_, cfg, err := readExamples()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now().Add(-30 * time.Second)
	second := func(s float64) time.Time { return began.Add(time.Duration(s * float64(time.Second))) }
	out := &paper{}
	s := &demoShow{
		opt:   &demoOptions{length: 30 * time.Second, program: "weir", out: out, errOut: &paper{}},
		began: began, screen: &demoLines{out: out}, tally: newDemoTally(began),
		stage:   &demoStage{cfg: cfg, origins: stageOf(t, demoStageOptions{freePorts: true}).origins},
		outages: []demoOutage{{from: second(4), gone: second(4.01), noticed: second(6), back: second(9), trusted: second(15)}},
	}
	s.answered(phaseBefore, demoFrom, demoStays, 300)
	s.answered(phaseBefore, demoFrom, demoFails, 200)
	s.answered(phaseOver, demoTo, demoQuick, 500)
	s.answered(phaseReweight, demoFrom, demoStays, 100)
	s.answered(phaseReweight, demoFrom, demoFails, 200)
	s.answered(phaseSlow, demoTo, demoQuick, 300)
	s.answered(phaseSlow, demoTo, demoSlow, 80)
	return s, out
}

func (s *demoShow) answered(phase, pool, origin string, n int64) {
	p := s.tally.named(phase)
	p.count[demoWho{demoHost, pool, origin}] += n
	p.total += n
	s.tally.sent += n
}

func (s *demoShow) failed(from, to float64) {
	at := func(x float64) time.Time { return s.began.Add(time.Duration(x * float64(time.Second))) }
	s.tally.failed++
	s.tally.faults = append(s.tally.faults, demoFault{at(from), at(to), "closed: EOF"})
}

// Everything that a demo promises can be missed, and then it says so and its status is 1.
func TestDemoVerdict(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*demoShow)
		want  string // "": all is as it should be
	}{
		{"as it should be", func(*demoShow) {}, ""},
		{"a request was under way when the origin went down", func(s *demoShow) { s.failed(3.99, 4.005) }, ""},
		{"a request failed before", func(s *demoShow) { s.failed(3, 3.5) }, "1 request failed that should not have"},
		{"two failed after", func(s *demoShow) { s.failed(4.02, 4.1); s.failed(5, 6) }, "2 requests failed that should not have"},
		{"no failover", func(s *demoShow) { s.outages = []demoOutage{{from: s.began, gone: s.began}} }, "failover never happened: eu-2 stopped"},
		{"no recovery", func(s *demoShow) { s.outages[0].trusted = time.Time{} }, "recovery never happened"},
		{"a late failover", func(s *demoShow) { s.outages[0].back, s.outages[0].trusted = time.Time{}, time.Time{} }, "failover took too long"},
		{"nothing", func(s *demoShow) { s.outages = nil }, "before anything could be shown"},
		{"interrupted before the failover", func(s *demoShow) { s.outages[0].noticed, s.interrupted = time.Time{}, true }, ""},
		{"a critical pool answers", func(s *demoShow) { s.answered(phaseOver, demoFrom, demoStays, 1) }, "app-eu answered 1 request after it was critical"},
		{"weights are not heeded", func(s *demoShow) { s.answered(phaseBefore, demoFrom, demoFails, 200) }, "eu-1 has 43 % of what both origins of app-eu answered, where 60 % is its weight"},
		{"a reload is not heeded", func(s *demoShow) { s.answered(phaseReweight, demoFrom, demoStays, 200) }, "eu-1 has 60 % of what both origins of app-eu answered, where 33 % is its weight"},
		{"the slow one gets as much", func(s *demoShow) { s.answered(phaseSlow, demoTo, demoSlow, 220) }, "us-2, which is slow, answered 300 requests, and us-1 300"},
		{"weir did not stop well", func(s *demoShow) { s.status = exitCutShort }, "weir ended with status 3, not 0"},
		{"a counter is left", func(s *demoShow) { s.unquiet = errors.New("eu-1: 1 request") }, "something is still counted after the end: eu-1: 1 request"},
	} {
		s, out := demoShown(t)
		c.spoil(s)
		err := s.report(nil)
		var status *exitError
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v\n%s", c.name, err, out)
		case c.want != "" && (!errors.As(err, &status) || status.status != exitNotShown || status.err != nil):
			t.Errorf("%s: the demo ended with %v, want status 1", c.name, err)
		}
		if got := strings.Contains(out.String(), "Not as it should be"); got != (c.want != "") || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: the report says\n%s\nwhere %q is wrong", c.name, out, c.want)
		}
	}
}

func TestDemoReportsItsOwnErrors(t *testing.T) {
	s, out := demoShown(t)
	_, _ = s.log.Write([]byte("a line of the log\n"))
	if err := s.report(errors.New("asking the admin listener: refused")); err == nil {
		t.Error("an error of the demo is none of its verdict")
	}
	out.has(t, "Not as it should be:\n  asking the admin listener: refused")
	s.opt.errOut.(*paper).has(t, "a line of the log")
}

func TestDemoShares(t *testing.T) {
	s, out := demoShown(t)
	s.printShares()
	golden(t, "shares", out.String())
}

// What is not as weir says it is is a failure, however good the answer looks.
func TestDemoContent(t *testing.T) {
	for _, c := range []struct {
		status   int
		said, is string
		want     string
	}{
		{200, "eu-1", "eu-1", "<nil>"},
		{200, "eu-1", "eu-2", `weir says that "eu-1" answered, and it was "eu-2"`},
		{521, "", "", "status 521 (connect_refused)"},
	} {
		header := http.Header{"Weir-Origin": {c.said}, "Origin-Name": {c.is}, "Weir-Reason": {"connect_refused"}}
		err := demoContent(&load.Result{Status: c.status, Header: header})
		if got := fmt.Sprint(err); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// A request counts in the phase in which it fell due, whenever it ends.
func TestDemoTally(t *testing.T) {
	tally := newDemoTally(time.Now().Add(-10 * time.Second))
	result := func(due time.Duration, reason string) *load.Result {
		return &load.Result{
			Due: due, Latency: 5 * time.Millisecond,
			Header: http.Header{"Weir-Pool": {"p"}, "Weir-Origin": {"o"}, "Weir-Reason": {reason}},
		}
	}
	tally.record(demoHost, result(time.Second, "steered")) // before the first phase: counted in none
	tally.enter("one")                                     // after 10 s
	tally.enter("")
	tally.enter("two")
	tally.bounds[1].from, tally.bounds[2].from, tally.bounds[3].from = 2*time.Second, 4*time.Second, 6*time.Second
	for _, due := range []time.Duration{2, 3, 4, 5, 6, 7, 8} {
		tally.record(demoHost, result(due*time.Second, "retry"))
	}
	failed := result(7*time.Second, "")
	failed.Err, failed.Cause = errors.New("EOF"), load.CauseClosed
	tally.record(demoHost, failed)
	one, two := tally.phases[0], tally.phases[1]
	if one.total != 2 || two.total != 3 || two.origin("p", "o") != 3 || two.pool("p") != 3 || two.pool("q") != 0 {
		t.Errorf("one: %+v, two: %+v", one, two)
	}
	n := tally.lately(time.Now())
	if n.sent != 9 || n.failed != 1 || n.retried != 7 || n.rate != 4 || len(n.share) != 1 || n.p50 < 5*time.Millisecond {
		t.Errorf("lately %+v", n)
	}
	if later := tally.lately(time.Now().Add(demoRecent + time.Second)); later.rate != 0 || len(later.share) != 0 || later.sent != 9 {
		t.Errorf("much later %+v", later)
	}
}
