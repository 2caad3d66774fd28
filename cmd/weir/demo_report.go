package main

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

// report sums up what was shown, judges it, and says how to do it by hand. failure is one of the demo itself.
func (s *demoShow) report(failure error) error {
	if _, live := s.screen.(*demoLive); live {
		s.recall()
	}
	wrong := s.wrong()
	if failure != nil {
		wrong = append(wrong, failure.Error())
	}
	if s.tally != nil {
		s.printTotals()
		s.printShares()
		s.printOutages()
	}
	s.printVerdict(wrong)
	s.printByHand()
	if len(wrong) == 0 {
		return nil
	}
	fmt.Fprintf(s.opt.errOut, "The end of weir's log:\n%s", s.log.String())
	return said(exitNotShown)
}

func (s *demoShow) print(format string, args ...any) { fmt.Fprintf(s.opt.out, format+"\n", args...) }

// recall writes down what happened, which was on the pictures only.
func (s *demoShow) recall() {
	for _, line := range s.hello() {
		s.print("%s", line)
	}
	s.print("")
	for i := range s.events {
		s.print("%s", s.events[i].line().render(1000, false))
	}
}

func (s *demoShow) printTotals() {
	t := s.tally
	s.print("\n%.1f s: %d answered, %d retried unnoticed, %d failed; p50 %s, p99 %s\n",
		s.elapsed().Seconds(), t.sent-t.failed, t.retried, t.failed, millis(t.latency.Quantile(0.5)), millis(t.latency.Quantile(0.99)))
}

// printShares is the table of who answered how much, while what was so.
func (s *demoShow) printShares() {
	const first, column = 13, 9
	row := func(name string, cell func(*demoPhase) string) {
		line := fmt.Sprintf("%-*s", first, name)
		for _, p := range s.tally.phases {
			line += fmt.Sprintf("%*s", column, cell(p))
		}
		s.print("%s", strings.TrimRight(line, " "))
	}
	row("share in %", func(p *demoPhase) string { return p.name })
	for i := range s.stage.cfg.Pools {
		pool := &s.stage.cfg.Pools[i]
		row(pool.Name, func(p *demoPhase) string { return sharePercent(p.pool(pool.Name), p.total) })
		for _, o := range pool.Origins {
			row("  "+o.Name, func(p *demoPhase) string { return sharePercent(p.origin(pool.Name, o.Name), p.total) })
		}
	}
	row("answers", func(p *demoPhase) string { return strconv.FormatInt(p.total, 10) })
	s.print("")
}

func sharePercent(n, of int64) string {
	switch {
	case of == 0:
		return "-"
	case n == 0:
		return "0"
	}
	return fmt.Sprintf("%.1f", float64(n)/float64(of)*100)
}

func (s *demoShow) printOutages() {
	for i := range s.outages {
		o := &s.outages[i]
		if !o.noticed.IsZero() {
			s.print("failover: %.1f s after %s stopped, %s had the traffic of %s", o.noticed.Sub(o.gone).Seconds(), demoFails, demoTo, demoFrom)
		}
		if !o.trusted.IsZero() {
			s.print("recovery: %.1f s after %s ran again, %s had its traffic back", o.trusted.Sub(o.back).Seconds(), demoFails, demoFrom)
		}
	}
	for _, f := range s.tally.faults[:min(len(s.tally.faults), 10)] {
		why := "that must not be"
		if s.excused(&f) {
			why = "it was under way when " + demoFails + " went down"
		}
		s.print("failed: at %.1f s, %s; %s", f.from.Sub(s.began).Seconds(), f.what, why)
	}
}

func (s *demoShow) printVerdict(wrong []string) {
	switch {
	case len(wrong) > 0:
		s.print("\nNot as it should be:\n  %s", strings.Join(wrong, "\n  "))
	case s.interrupted:
		s.print("\nInterrupted. Everything until then was as it should be.")
	default:
		s.print("\nEverything was as it should be.")
	}
}

// printByHand gives the commands that show the same.
func (s *demoShow) printByHand() {
	files, comment := "DIR", "   # DIR: the first one names it"
	if info, err := os.Stat("examples/pools.json"); err == nil && !info.IsDir() && !s.stage.moved {
		files, comment = "examples/", ""
	}
	s.print("\nBy hand, in three terminals:\n  %s demo --origins\n  %s serve %s%s", s.opt.program, s.opt.program, files, comment)
	for _, c := range s.stage.requests(s.stage.cfg.Weir.Listen[0].Address, s.stage.cfg.Weir.Admin.Address) {
		s.print("  %s", c)
	}
	if s.stage.moved {
		s.print("(Ports may differ, as some were taken: the first two commands say which they use.)")
	}
}

// wrong lists what was not as it should be. What was not reached before an interruption is not judged.
func (s *demoShow) wrong() (list []string) {
	if s.status != exitOK {
		list = append(list, fmt.Sprintf("weir ended with status %d, not 0", s.status))
	}
	if s.unquiet != nil {
		list = append(list, "something is still counted after the end: "+s.unquiet.Error())
	}
	if s.tally == nil {
		return list
	}
	list = append(list, s.wrongOutages()...)
	list = append(list, s.wrongFaults()...)
	list = append(list, s.wrongShares()...)
	return list
}

func (s *demoShow) wrongOutages() (list []string) {
	if s.interrupted {
		return nil
	}
	if len(s.outages) == 0 {
		return []string{"the time was over before anything could be shown"}
	}
	for i := range s.outages {
		o := &s.outages[i]
		switch {
		case o.noticed.IsZero():
			list = append(list, fmt.Sprintf("failover never happened: %s stopped, and %s did not become critical", demoFails, demoFrom))
		case o.back.IsZero():
			list = append(list, fmt.Sprintf("the time was over before %s could come back: failover took too long", demoFails))
		case o.trusted.IsZero():
			list = append(list, fmt.Sprintf("recovery never happened: %s runs again, and %s did not get its traffic back", demoFails, demoFrom))
		}
	}
	return list
}

// wrongFaults counts the failures that the rules of retries do not allow (behaviour R1 to R4).
func (s *demoShow) wrongFaults() []string {
	wrong := 0
	for i := range s.tally.faults {
		if !s.excused(&s.tally.faults[i]) {
			wrong++
		}
	}
	if wrong == 0 {
		return nil
	}
	return []string{plural(wrong, "request") + " failed that should not have: every one was a GET that could go elsewhere"}
}

// excused reports whether a request was under way while the origin was being stopped: an answer that has begun cannot be
// taken back, and what went out on a fresh connection is not sent twice.
func (s *demoShow) excused(f *demoFault) bool {
	for i := range s.outages {
		if o := &s.outages[i]; f.from.Before(o.gone) && f.to.After(o.from) {
			return true
		}
	}
	return false
}

// wrongShares judges the phases by what the configuration promises.
func (s *demoShow) wrongShares() (list []string) {
	for _, p := range s.tally.phases {
		stays, fails := p.origin(demoFrom, demoStays), p.origin(demoFrom, demoFails)
		switch p.name {
		case phaseOver:
			if n := p.pool(demoFrom); n > 0 {
				list = append(list, fmt.Sprintf("%s answered %s after it was critical", demoFrom, plural(int(n), "request")))
			}
		case phaseBefore, phaseAfter:
			list = append(list, wrongSplit(p.name, stays, fails, 0.6)...)
		case phaseReweight:
			list = append(list, wrongSplit(p.name, stays, fails, 0.2/(0.2+0.4))...)
		case phaseSlow:
			// At 400 ms it keeps some ten requests busy, and has about a quarter of the other's share. The wait until
			// that many have come is why few answers prove nothing.
			slow, quick := p.origin(demoTo, demoSlow), p.origin(demoTo, demoQuick)
			if slow+quick >= 150 && slow >= quick {
				list = append(list, fmt.Sprintf("%s, which is slow, answered %d requests, and %s %d", demoSlow, slow, demoQuick, quick))
			}
		}
	}
	return list
}

// wrongSplit compares how two origins split with their weights. Five standard deviations: by chance alone, one demo in
// a million.
func wrongSplit(phase string, a, b int64, share float64) []string {
	n := float64(a + b)
	if n < 50 {
		return nil
	}
	if off := math.Abs(float64(a)/n - share); off > 5*math.Sqrt(share*(1-share)/n) {
		return []string{fmt.Sprintf("%q: %s has %.0f %% of what both origins of %s answered, where %.0f %% is its weight",
			phase, demoStays, float64(a)/n*100, demoFrom, share*100)}
	}
	return nil
}
