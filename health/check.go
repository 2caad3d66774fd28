package health

import (
	"container/heap"
	"hash/fnv"
	"time"
)

// Check is one running probe: one monitor, one origin, one vantage point. Its fields are set before it is added to a
// Schedule and not changed while it is in one.
type Check struct {
	Name     string        // unique; its hash spreads first probes over time
	Interval time.Duration // between the starts of two rounds
	Timeout  time.Duration // of one attempt
	Retries  int           // further attempts, after a timeout only

	due      time.Time // of the next attempt; of the present one while running
	round    time.Time // when the present round was due
	attempts int       // timeouts in this round
	late     int       // late attempts in a row
	index    int       // place in the heap
	state    checkState
}

type checkState uint8

const (
	absent checkState = iota
	waiting
	running
)

// Due is when the check's next attempt is due, or its present one was.
func (c *Check) Due() time.Time { return c.due }

// Attempt is what a Schedule must know of an attempt that has ended.
type Attempt struct {
	Started   time.Time // when it really began
	Timeout   bool
	NoVerdict bool // it failed for reasons of this machine
}

// Outcome is what becomes of an attempt.
type Outcome uint8

const (
	// Counts: the round is over and this result is its result.
	Counts Outcome = iota
	// Retried: the attempt timed out and another one is due at once.
	Retried
	// DiscardedLate: the attempt began too late to say anything of the origin; another one is due at once.
	DiscardedLate
	// DiscardedLocal: the attempt failed for reasons of this machine; the round is over without a result.
	DiscardedLocal
	// Abandoned: the check was removed meanwhile.
	Abandoned
)

// String returns a short token.
func (o Outcome) String() string {
	switch o {
	case Counts:
		return "counts"
	case Retried:
		return "retried"
	case DiscardedLate:
		return "discarded_late"
	case DiscardedLocal:
		return "discarded_local"
	case Abandoned:
		return "abandoned"
	}
	panic("BUG: no such outcome")
}

const (
	// spread is the longest time over which first probes are spread (behaviour H13).
	spread = time.Second
	// lateLimit is how many late attempts in a row are discarded; the next one counts, late or not (behaviour H14).
	lateLimit = 2
)

// Schedule says when each check is due. It is pure: it waits for nothing and reads no clock. A runner waits until
// Next, starts the check, probes, and observes what came of it; a drill does the same in no time at all.
type Schedule struct {
	queue checkHeap
}

// Add takes a check in. Its first attempt is due within a second, at a time that depends on its name only.
func (s *Schedule) Add(now time.Time, c *Check) {
	if c.state != absent {
		panic("BUG: a check is added twice")
	}
	if c.Interval <= 0 || c.Timeout <= 0 || c.Retries < 0 {
		panic("BUG: a check without a positive interval and timeout")
	}
	c.attempts, c.late = 0, 0
	c.round = now.Add(firstOffset(c.Name, c.Interval))
	s.wait(c, c.round)
}

// Remove takes a check out. A running attempt of it is observed as Abandoned.
func (s *Schedule) Remove(c *Check) {
	if c.state == waiting {
		heap.Remove(&s.queue, c.index)
	}
	c.state = absent
}

// Next returns the check that is due first, and when; ok is false when none waits.
func (s *Schedule) Next() (due time.Time, c *Check, ok bool) {
	if len(s.queue) == 0 {
		return time.Time{}, nil, false
	}
	return s.queue[0].due, s.queue[0], true
}

// Start notes that a waiting check begins an attempt: it is not returned by Next until that was observed, so that
// rounds of one check never overlap.
func (s *Schedule) Start(c *Check) {
	if c.state != waiting {
		panic("BUG: a check is started that does not wait")
	}
	heap.Remove(&s.queue, c.index)
	c.state = running
}

// Observe takes in how a started check's attempt ended and says what becomes of it.
func (s *Schedule) Observe(now time.Time, c *Check, a Attempt) Outcome {
	if c.state != running {
		return Abandoned
	}
	if c.isLate(a.Started) {
		s.wait(c, now)
		return DiscardedLate
	}
	if a.NoVerdict {
		s.nextRound(now, c)
		return DiscardedLocal
	}
	if a.Timeout && c.attempts < c.Retries {
		c.attempts++
		s.wait(c, now)
		return Retried
	}
	s.nextRound(now, c)
	return Counts
}

// isLate judges an attempt by when it began, and counts how often in a row it was late.
func (c *Check) isLate(started time.Time) bool {
	if started.Sub(c.due) <= c.Timeout/2 || c.late == lateLimit {
		c.late = 0
		return false
	}
	c.late++
	return true
}

// nextRound makes c wait for its next round. Rounds stay on the grid of the first one; those that passed during a
// long round are left out.
func (s *Schedule) nextRound(now time.Time, c *Check) {
	c.attempts = 0
	c.round = c.round.Add(c.Interval)
	if missed := now.Sub(c.round); missed > 0 {
		c.round = c.round.Add((missed + c.Interval - 1) / c.Interval * c.Interval)
	}
	s.wait(c, c.round)
}

func (s *Schedule) wait(c *Check, due time.Time) {
	c.due, c.state = due, waiting
	heap.Push(&s.queue, c)
}

// firstOffset spreads first probes: the same name always gives the same offset.
func firstOffset(name string, interval time.Duration) time.Duration {
	return time.Duration(nameBits(name) % uint64(min(interval, spread)))
}

// nameBits is a stable hash of a check's name.
func nameBits(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	return h.Sum64()
}

// checkHeap orders waiting checks by due time, then by name: a drill must not depend on map order.
type checkHeap []*Check

func (h checkHeap) Len() int { return len(h) }

func (h checkHeap) Less(i, j int) bool {
	if !h[i].due.Equal(h[j].due) {
		return h[i].due.Before(h[j].due)
	}
	return h[i].Name < h[j].Name
}

func (h checkHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push and Pop are for container/heap only.
func (h *checkHeap) Push(x any) {
	c := x.(*Check)
	c.index = len(*h)
	*h = append(*h, c)
}

func (h *checkHeap) Pop() any {
	old := *h
	c := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return c
}
