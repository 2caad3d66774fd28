package main

import (
	"fmt"
	"math"
	"time"
)

// Who plays which part. They are origins of examples/pools.json, and a test holds them to it.
const (
	demoFails    = "eu-2" // stops, and comes back
	demoStays    = "eu-1" // is left over, and later gets another weight
	demoSlow     = "us-2" // becomes slow
	demoQuick    = "us-1" // has the weight of demoSlow and does not become slow
	demoFrom     = "app-eu"
	demoTo       = "app-us"
	demoSlowness = 400 * time.Millisecond
	demoWeight   = "0.6" // of demoStays, in the files
	demoReweight = "0.2"
)

// The phases whose shares are shown side by side.
const (
	phaseBefore   = "all well"
	phaseStopped  = "stopped"  // and not noticed yet
	phaseOver     = "failover" // noticed: none of its traffic may go there any more
	phaseReturn   = "return"   // and not trusted yet
	phaseAfter    = "after"
	phaseReweight = "reload"
	phaseSlow     = "slow"
)

// demoAct is one act of the script: something is done, something is to be seen because of it, and what came of it is
// looked at for a while.
type demoAct struct {
	title   string
	needs   float64      // what must be left of the time for it to begin, as a multiple of a hold; 0: it always begins
	begin   func() error // nil: nothing is done
	meeting string       // phase until it is seen; "" is not counted
	seen    func(*demoView) bool
	holding string // phase from then on
}

// acts is one round of the script.
func (s *demoShow) acts() []demoAct {
	return []demoAct{
		{
			title: "all is well: app-eu has www.example.com, but for the tenth that it sheds",
			needs: 5, begin: s.restore, seen: s.weighs(demoWeight), holding: phaseBefore,
		},
		{
			title: "eu-2 stops: app-eu needs both its origins, so app-us is to take over",
			begin: s.stop, meeting: phaseStopped, seen: s.failedOver, holding: phaseOver,
		},
		{
			title: "eu-2 comes back: after two good probes app-eu is to have its traffic",
			begin: s.comeBack, meeting: phaseReturn, seen: s.recovered, holding: phaseAfter,
		},
		{
			title: "a reload: eu-1 gets weight 0.2, was 0.6; only the file is told",
			needs: 1, begin: s.reweigh, seen: s.weighs(demoReweight), holding: phaseReweight,
		},
		{
			title: "us-2 takes 400 ms: least_outstanding_requests is to send it less",
			needs: 1, begin: s.slowDown, holding: phaseSlow,
		},
	}
}

// demoScript plays acts as time goes by and things are seen.
type demoScript struct {
	acts  []demoAct
	hold  time.Duration // how long a result is looked at
	until time.Duration // when the demo ends
	enter func(phase string)
	told  func(act int, title string) // an act begins, from 1

	act    int // the current one; -1 before the first
	seen   bool
	seenAt time.Duration
}

// demoUsually is the length for which the holds are made.
const demoUsually = 30 * time.Second

// newDemoScript plays acts until the end of a demo of that length. Longer demos hold longer, and then begin again.
func newDemoScript(acts []demoAct, until time.Duration, enter func(string), told func(int, string)) *demoScript {
	scale := math.Min(float64(until)/float64(demoUsually), 1.5)
	hold := time.Duration(3 * scale * float64(time.Second))
	return &demoScript{acts: acts, hold: hold, until: until, enter: enter, told: told, act: -1}
}

// step moves the script on.
func (s *demoScript) step(now time.Duration, v *demoView) error {
	if s.act < 0 {
		return s.begin(0)
	}
	a := &s.acts[s.act]
	if !s.seen && (a.seen == nil || a.seen(v)) {
		s.seen, s.seenAt = true, now
		s.enter(a.holding)
	}
	next := (s.act + 1) % len(s.acts)
	if !s.seen || now-s.seenAt < s.hold || !s.fits(next, now) {
		return nil
	}
	return s.begin(next)
}

// fits reports whether there is time for an act.
func (s *demoScript) fits(act int, now time.Duration) bool {
	return s.until-now >= time.Duration(s.acts[act].needs*float64(s.hold))
}

func (s *demoScript) begin(act int) error {
	s.act, s.seen = act, false
	a := &s.acts[act]
	s.told(act+1, a.title)
	s.enter(a.meeting)
	if a.begin == nil {
		return nil
	}
	if err := a.begin(); err != nil {
		return fmt.Errorf("act %d of the demo: %w", act+1, err)
	}
	return nil
}

// title is what is played.
func (s *demoScript) title() string {
	if s.act < 0 {
		return ""
	}
	return s.acts[s.act].title
}
