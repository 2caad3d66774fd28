package health

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

var epoch = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// drill runs a schedule without waiting until no attempt is due before end. answer says how long an attempt takes and
// how it ends; every attempt's start (since the check's first) and outcome is returned.
func drill(s *Schedule, end time.Time, answer func(n int) (time.Duration, Attempt)) []string {
	var log []string
	var first time.Time
	for n := 0; ; n++ {
		due, c, ok := s.Next()
		if !ok || !due.Before(end) {
			return log
		}
		if first.IsZero() {
			first = due
		}
		s.Start(c)
		took, a := answer(n)
		a.Started = due.Add(a.Started.Sub(time.Time{})) // given as a delay
		log = append(log, fmt.Sprintf("%v %v", a.Started.Sub(first), s.Observe(a.Started.Add(took), c, a)))
	}
}

func late(d time.Duration) time.Time { return time.Time{}.Add(d) }

func check(interval, timeout time.Duration, retries int) *Check {
	return &Check{Name: "m1 p/10.0.0.1 FRA 0", Interval: interval, Timeout: timeout, Retries: retries}
}

func TestScheduleRounds(t *testing.T) {
	for _, tt := range []struct {
		name    string
		check   *Check
		until   time.Duration
		answers []Attempt     // by attempt, the last one again and again
		took    time.Duration // each
		want    []string
	}{
		{
			"H1: timeout 5, retries 2, a black hole: attempts at 0, 5 and 10, down at 15",
			check(time.Minute, 5*time.Second, 2), time.Minute,
			[]Attempt{{Timeout: true}},
			5 * time.Second,
			[]string{"0s retried", "5s retried", "10s counts"},
		},
		{
			"H1: a wrong answer is not retried",
			check(time.Minute, 5*time.Second, 2), time.Minute,
			[]Attempt{{}},
			time.Millisecond,
			[]string{"0s counts"},
		},
		{
			"H1: no retries",
			check(time.Minute, 5*time.Second, 0), time.Minute,
			[]Attempt{{Timeout: true}},
			5 * time.Second,
			[]string{"0s counts"},
		},
		{
			"H1: each round has its own retries",
			check(10*time.Second, time.Second, 1), 20 * time.Second,
			[]Attempt{{Timeout: true}},
			time.Second,
			[]string{"0s retried", "1s counts", "10s retried", "11s counts"},
		},
		{
			"H13: then every interval, whatever an answer takes",
			check(10*time.Second, 5*time.Second, 2), 40 * time.Second,
			[]Attempt{{}},
			3 * time.Second,
			[]string{"0s counts", "10s counts", "20s counts", "30s counts"},
		},
		{
			"H13: a round longer than the interval: the next begins on the grid, and none overlaps",
			check(2*time.Second, 5*time.Second, 0), 20 * time.Second,
			[]Attempt{{Timeout: true}},
			5 * time.Second,
			[]string{"0s counts", "6s counts", "12s counts", "18s counts"},
		},
		{
			"H14: late by more than half the timeout: again at once; the third in a row counts",
			check(time.Minute, 4*time.Second, 2), time.Minute,
			[]Attempt{{Started: late(2*time.Second + 1)}},
			0,
			[]string{"2.000000001s discarded_late", "4.000000002s discarded_late", "6.000000003s counts"},
		},
		{
			"H14: late by half the timeout is not late",
			check(time.Minute, 4*time.Second, 2), time.Minute,
			[]Attempt{{Started: late(2 * time.Second)}},
			0,
			[]string{"2s counts"},
		},
		{
			"H14: a timely attempt starts the count of late ones again",
			check(time.Minute, 4*time.Second, 2), 2 * time.Minute,
			[]Attempt{
				{Started: late(3 * time.Second)},
				{Started: late(3 * time.Second)},
				{},
				{Started: late(3 * time.Second)},
				{Started: late(3 * time.Second)},
				{Started: late(3 * time.Second)},
			},
			0,
			[]string{
				"3s discarded_late", "6s discarded_late", "6s counts",
				"1m3s discarded_late", "1m6s discarded_late", "1m9s counts",
			},
		},
		{
			"H14: a late attempt that timed out uses up no retry",
			check(time.Minute, 4*time.Second, 1), time.Minute,
			[]Attempt{{Started: late(3 * time.Second), Timeout: true}, {Timeout: true}, {Timeout: true}},
			4 * time.Second,
			[]string{"3s discarded_late", "7s retried", "11s counts"},
		},
		{
			"H14: this machine's own trouble ends the round without a result",
			check(time.Minute, 4*time.Second, 2), 2 * time.Minute,
			[]Attempt{{NoVerdict: true}, {}},
			0,
			[]string{"0s discarded_local", "1m0s counts"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s Schedule
			s.Add(epoch, tt.check)
			got := drill(&s, tt.check.Due().Add(tt.until), func(n int) (time.Duration, Attempt) {
				return tt.took, tt.answers[min(n, len(tt.answers)-1)]
			})
			if !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// Behaviour H9 with an interval of 60 s: healthy, then F F P F F F P P. The outage is known 120 s after the first F of
// the last run.
func TestOutageIsKnownAfterTwoIntervals(t *testing.T) {
	var s Schedule
	c := check(time.Minute, 5*time.Second, 2)
	s.Add(epoch, c)
	state := counter{status: Up}
	var down, up time.Duration
	start := c.Due()
	for i, r := range "FFPFFFPP" {
		due, c, _ := s.Next()
		s.Start(c)
		if s.Observe(due, c, Attempt{Started: due}) != Counts {
			t.Fatalf("probe %d does not count", i+1)
		}
		was := state.status
		state = state.observe(r == 'P', 2, 3)
		switch {
		case was == Up && state.status == Down:
			down = due.Sub(start)
		case was == Down && state.status == Up:
			up = due.Sub(start)
		}
	}
	const firstOfLastRun = 3 * time.Minute // the fourth probe
	if down != firstOfLastRun+2*time.Minute {
		t.Errorf("down after %v, want 120s after %v", down, firstOfLastRun)
	}
	if up != 7*time.Minute {
		t.Errorf("up after %v, want the eighth probe, at 7m", up)
	}
}

func TestFirstProbeIsSpread(t *testing.T) {
	buckets := map[time.Duration]int{}
	for i := range 1000 {
		var s Schedule
		name := fmt.Sprintf("m1 p/10.0.%d.%d FRA 0", i/250, i%250)
		s.Add(epoch, &Check{Name: name, Interval: time.Minute, Timeout: time.Second})
		due, _, _ := s.Next()
		offset := due.Sub(epoch)
		if offset < 0 || offset >= time.Second {
			t.Fatalf("H13: %s is first due after %v", name, offset)
		}
		if again := firstOffset(name, time.Minute); again != offset {
			t.Fatalf("H13: %s is due after %v, then after %v", name, offset, again)
		}
		buckets[offset/(100*time.Millisecond)]++
	}
	for i := range time.Duration(10) {
		// 100 expected of 1000, standard deviation 9.5: six of them
		if n := buckets[i]; n < 43 || n > 157 {
			t.Errorf("H13: %d of 1000 checks begin in tenth %d of the first second", n, i)
		}
	}
	if got := firstOffset("m1", 300*time.Millisecond); got >= 300*time.Millisecond {
		t.Errorf("H13: first due after %v with an interval of 300ms", got)
	}
}

// A day of ten thousand rounds in no time, twice: the same, on the grid, without drift.
func TestScheduleDrillsADay(t *testing.T) {
	day := func() (starts []time.Time, names []string) {
		var s Schedule
		for i := range 7 {
			s.Add(epoch, &Check{Name: fmt.Sprint("check ", i), Interval: time.Minute, Timeout: 5 * time.Second, Retries: 2})
		}
		for {
			due, c, ok := s.Next()
			if !ok || !due.Before(epoch.Add(24*time.Hour)) {
				return starts, names
			}
			s.Start(c)
			starts, names = append(starts, due), append(names, c.Name)
			s.Observe(due.Add(time.Duration(len(starts)%4000)*time.Millisecond), c, Attempt{Started: due})
		}
	}
	starts, names := day()
	if want := 7 * 24 * 60; len(starts) != want {
		t.Fatalf("%d rounds in a day, want %d", len(starts), want)
	}
	last := map[string]time.Time{}
	for i, at := range starts {
		if i > 0 && at.Before(starts[i-1]) {
			t.Fatalf("round %d begins before round %d", i, i-1)
		}
		if prev, ok := last[names[i]]; ok && at.Sub(prev) != time.Minute {
			t.Fatalf("%s: %v between rounds", names[i], at.Sub(prev))
		}
		last[names[i]] = at
	}
	if again, againNames := day(); !slices.Equal(again, starts) || !slices.Equal(againNames, names) {
		t.Error("a second drill went another way")
	}
}

func TestRemoveCheck(t *testing.T) {
	var s Schedule
	a, b := check(time.Minute, time.Second, 0), check(time.Minute, time.Second, 0)
	b.Name = "another"
	s.Add(epoch, a)
	s.Add(epoch, b)
	s.Remove(b)
	due, c, ok := s.Next()
	if !ok || c != a {
		t.Fatal("the other check is gone")
	}
	s.Start(a)
	s.Remove(a)
	if got := s.Observe(due, a, Attempt{Started: due, Timeout: true}); got != Abandoned {
		t.Errorf("a removed check's attempt is %v", got)
	}
	if _, _, ok := s.Next(); ok {
		t.Error("a removed check waits")
	}
}

// A machine that slept: what was missed is not made up for.
func TestMissedRoundsAreLeftOut(t *testing.T) {
	var s Schedule
	c := check(time.Minute, 5*time.Second, 2)
	s.Add(epoch, c)
	first := c.Due()
	now := first.Add(10*time.Minute + time.Second)
	var outcomes []Outcome
	for range 3 {
		_, c, _ := s.Next()
		s.Start(c)
		outcomes = append(outcomes, s.Observe(now, c, Attempt{Started: now}))
	}
	if want := []Outcome{DiscardedLate, Counts, Counts}; !slices.Equal(outcomes, want) {
		t.Errorf("H14: outcomes %v, want %v", outcomes, want)
	}
	if got := c.Due(); !got.Equal(first.Add(12 * time.Minute)) {
		t.Errorf("next due %v after the first, want 12m", got.Sub(first))
	}
}
