package main

import (
	"strconv"
	"time"
)

// stop takes an origin away as a power cut does.
func (s *demoShow) stop() error {
	from := time.Now()
	s.stage.origin(demoFails).Kill()
	s.outages = append(s.outages, demoOutage{from: from, gone: time.Now()})
	s.note(demoStaged, "%s stopped", demoFails)
	return nil
}

func (s *demoShow) comeBack() error {
	if err := s.stage.origin(demoFails).Restart(); err != nil {
		return err
	}
	s.outages[len(s.outages)-1].back = time.Now()
	s.note(demoStaged, "%s runs again", demoFails)
	return nil
}

func (s *demoShow) failedOver(v *demoView) bool {
	p := v.pool(demoFrom)
	return p.Name != "" && !p.Serves
}

func (s *demoShow) recovered(v *demoView) bool { return v.pool(demoFrom).Serves }

// followOutage notes when a stop, and its end, were noticed.
func (s *demoShow) followOutage(pool string, changed, healthy bool, at time.Time) {
	if pool != demoFrom || !changed || len(s.outages) == 0 {
		return
	}
	last := &s.outages[len(s.outages)-1]
	switch {
	case !healthy && last.noticed.IsZero():
		last.noticed = at
	case healthy && !last.back.IsZero() && last.trusted.IsZero():
		last.trusted = at
	}
}

func (s *demoShow) reweigh() error { return s.weigh(demoReweight) }

func (s *demoShow) weigh(to string) error {
	if err := s.stage.weigh(s.weight, to); err != nil {
		return err
	}
	s.note(demoStaged, "pools.json has weight %s for %s now, was %s", to, demoStays, s.weight)
	s.weight = to
	return nil
}

// weighs reports whether weir goes by a weight.
func (s *demoShow) weighs(weight string) func(*demoView) bool {
	want, err := strconv.ParseFloat(weight, 64)
	if err != nil {
		panic("BUG: a weight of the script: " + err.Error())
	}
	return func(v *demoView) bool { return v.origin(demoStays).Weight == want }
}

func (s *demoShow) slowDown() error {
	s.stage.origin(demoSlow).slow(demoSlowness)
	s.slowed = true
	s.note(demoStaged, "%s takes %v to answer now", demoSlow, demoSlowness)
	return nil
}

// restore undoes what acts before have left, for the next round.
func (s *demoShow) restore() error {
	if s.slowed {
		o := s.stage.origin(demoSlow)
		o.slow(o.usual)
		s.slowed = false
		s.note(demoStaged, "%s is as quick as before", demoSlow)
	}
	if s.weight != demoWeight {
		return s.weigh(demoWeight)
	}
	return nil
}
