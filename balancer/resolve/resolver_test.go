package resolve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script answers lookups by a function that the test may replace, and counts them.
type script struct {
	mu      sync.Mutex
	answer  func() ([]netip.Addr, time.Duration, error)
	lookups int
	under   int // lookups under way
	most    int // the most of them at a time
	takes   time.Duration
	changes []string
}

func (s *script) lookup(ctx context.Context, _ string) ([]netip.Addr, time.Duration, error) {
	s.mu.Lock()
	s.lookups++
	s.under++
	s.most = max(s.most, s.under)
	answer, takes := s.answer, s.takes
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.under--
		s.mu.Unlock()
	}()
	select {
	case <-time.After(takes):
		return answer()
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
}

func (s *script) changed(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes = append(s.changes, name)
}

func (s *script) say(answer func() ([]netip.Addr, time.Duration, error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// counted returns the number of lookups since it was last asked.
func (s *script) counted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.lookups
	s.lookups = 0
	return n
}

func (s *script) told() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	told := s.changes
	s.changes = nil
	return told
}

func addrs(texts ...string) []netip.Addr {
	var list []netip.Addr
	for _, text := range texts {
		list = append(list, netip.MustParseAddr(text))
	}
	return list
}

func good(ttl time.Duration, texts ...string) func() ([]netip.Addr, time.Duration, error) {
	return func() ([]netip.Addr, time.Duration, error) { return addrs(texts...), ttl, nil }
}

func bad(err error) func() ([]netip.Addr, time.Duration, error) {
	return func() ([]netip.Addr, time.Duration, error) { return nil, -1, err }
}

var (
	denied = &net.DNSError{Err: "no such host", Name: "a.test", IsNotFound: true}
	silent = &net.DNSError{Err: "i/o timeout", Name: "a.test", IsTimeout: true, IsTemporary: true}
)

// inBubble runs f with a resolver in virtual time.
func inBubble(t *testing.T, s *script, f func(t *testing.T, r *Resolver)) {
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{Lookup: s.lookup, OnChange: s.changed})
		defer r.Close()
		f(t, r)
	})
}

// An answer is believed for its time to live, between 1 s and 5 s (behaviour P12): lookups in a minute of its life.
func TestAnswersAreRefreshedWithinTheirTime(t *testing.T) {
	for _, c := range []struct {
		ttl  time.Duration
		want int // in 60 s, the first one included
	}{
		{0, 60},
		{500 * time.Millisecond, 60},
		{time.Second, 60},
		{3 * time.Second, 20},
		{5 * time.Second, 12},
		{time.Hour, 12},
		{-1, 12}, // from the hosts file
	} {
		t.Run(c.ttl.String(), func(t *testing.T) {
			s := &script{answer: good(c.ttl, "192.0.2.1")}
			inBubble(t, s, func(t *testing.T, r *Resolver) {
				r.Prepare([]string{"a.test"})
				time.Sleep(60*time.Second - time.Millisecond)
				synctest.Wait()
				if got := s.counted(); got != c.want {
					t.Errorf("%d lookups, want %d", got, c.want)
				}
				if got := s.told(); len(got) != 1 {
					t.Errorf("told %d times of one answer that never changed", len(got))
				}
			})
		})
	}
}

// The last answer outlives failures, which Status tells of; only an answer replaces it (behaviour P12).
func TestFailuresKeepTheLastAnswer(t *testing.T) {
	s := &script{answer: good(time.Second, "192.0.2.1")}
	inBubble(t, s, func(t *testing.T, r *Resolver) {
		r.Prepare([]string{"A.test"})
		synctest.Wait() // until OnChange has told of the first answer, too
		s.told()
		s.counted()
		s.say(bad(silent))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		status, _ := r.Status("a.test")
		if !slices.Equal(status.Addrs, addrs("192.0.2.1")) || !errors.Is(status.Err, silent) {
			t.Errorf("after failures: %v, %v", status.Addrs, status.Err)
		}
		if age := status.Asked.Sub(status.Since); age < 9*time.Minute {
			t.Errorf("the answer of ten minutes ago passes for %v old", age)
		}
		if got := s.counted(); got < 100 || got > 130 {
			t.Errorf("%d lookups in 600 s of failures, want one every 5 s but for the first few", got)
		}
		if got := s.told(); len(got) != 0 {
			t.Errorf("told of %v while nothing changed", got)
		}

		s.say(good(time.Second, "192.0.2.2"))
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if got := r.Addrs("a.TEST"); !slices.Equal(got, addrs("192.0.2.2")) {
			t.Errorf("after recovery: %v", got)
		}
		if got := s.told(); !slices.Equal(got, []string{"a.test"}) {
			t.Errorf("told %v, want a.test once", got)
		}
	})
}

// A denial is an answer: the name has no address now. It is asked again soon.
func TestDenialTakesTheAddressesAway(t *testing.T) {
	s := &script{answer: good(time.Second, "192.0.2.1")}
	inBubble(t, s, func(t *testing.T, r *Resolver) {
		r.Prepare([]string{"a.test"})
		s.say(bad(denied))
		time.Sleep(1500 * time.Millisecond)
		if got := r.Addrs("a.test"); got != nil {
			t.Errorf("denied, and still %v", got)
		}
		s.say(good(time.Second, "192.0.2.1"))
		time.Sleep(time.Second)
		if got := r.Addrs("a.test"); !slices.Equal(got, addrs("192.0.2.1")) {
			t.Errorf("back, and %v", got)
		}
		if got := s.told(); len(got) != 3 {
			t.Errorf("told %d times, want 3: there, gone, back", len(got))
		}
	})
}

func TestAFailureBeforeAnyAnswerLeavesNone(t *testing.T) {
	s := &script{answer: bad(silent)}
	inBubble(t, s, func(t *testing.T, r *Resolver) {
		r.Prepare([]string{"a.test"})
		if status, known := r.Status("a.test"); !known || status.Addrs != nil || status.Err == nil {
			t.Errorf("status %+v, %v", status, known)
		}
		if got := s.told(); got != nil {
			t.Errorf("told of %v", got)
		}
	})
}

// The turn of the name server's answers is no change, and each address counts once.
func TestOrderIsNoChange(t *testing.T) {
	turn := 0
	all := addrs("192.0.2.3", "192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2", "2001:db8::2", "2001:db8::1")
	s := &script{answer: func() ([]netip.Addr, time.Duration, error) {
		turn++
		four, six := slices.Clone(all[:4]), slices.Clone(all[4:])
		k := turn % 4
		return slices.Concat(four[k:], four[:k], six[turn%2:], six[:turn%2]), time.Second, nil
	}}
	inBubble(t, s, func(t *testing.T, r *Resolver) {
		r.Prepare([]string{"a.test"})
		time.Sleep(10500 * time.Millisecond)
		want := addrs("192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "2001:db8::2")
		if got := r.Addrs("a.test"); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if got := s.told(); len(got) != 1 {
			t.Errorf("told %d times, want 1", len(got))
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.lookups < 10 {
			t.Errorf("only %d lookups", s.lookups)
		}
	})
}

func TestTheFamilyThatComesFirstStaysFirst(t *testing.T) {
	got := arrange(addrs("2001:db8::2", "192.0.2.1", "2001:db8::1"))
	if want := addrs("2001:db8::1", "2001:db8::2", "192.0.2.1"); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if arrange(nil) != nil {
		t.Error("no addresses are no slice")
	}
}

// However slow the name server and however often a name is prepared, one lookup of it is under way.
func TestSingleFlight(t *testing.T) {
	s := &script{answer: good(0, "192.0.2.1"), takes: 1500 * time.Millisecond}
	inBubble(t, s, func(t *testing.T, r *Resolver) {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { r.Prepare([]string{"a.test", "A.TEST"}) })
		}
		all.Wait()
		time.Sleep(time.Minute)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.most != 1 || s.lookups < 20 {
			t.Errorf("%d lookups, up to %d at a time", s.lookups, s.most)
		}
	})
}

func TestAtOnce(t *testing.T) {
	s := &script{answer: good(time.Hour, "192.0.2.1"), takes: 500 * time.Millisecond}
	inBubble(t, s, func(t *testing.T, r *Resolver) {
		var names []string
		for i := range 3 * atOnce / 2 {
			names = append(names, fmt.Sprintf("%d.test", i))
		}
		r.Prepare(names)
		for _, name := range names {
			if r.Addrs(name) == nil {
				t.Fatalf("%s was not looked up", name)
			}
		}
		if s.most != atOnce {
			t.Errorf("%d lookups at a time, want %d", s.most, atOnce)
		}
	})
}

func TestPrepareGivesUpOnSilence(t *testing.T) {
	s := &script{answer: bad(silent), takes: time.Hour}
	inBubble(t, s, func(t *testing.T, r *Resolver) {
		start := time.Now()
		r.Prepare([]string{"a.test", "b.test"})
		if took := time.Since(start); took != prepareFor {
			t.Errorf("waited %v, want %v", took, prepareFor)
		}
	})
}

func TestKeepDropsTheOthers(t *testing.T) {
	s := &script{answer: good(time.Second, "192.0.2.1")}
	inBubble(t, s, func(t *testing.T, r *Resolver) {
		r.Prepare([]string{"a.test", "b.test"})
		r.Keep([]string{"B.test"})
		if _, known := r.Status("a.test"); known || r.Addrs("a.test") != nil {
			t.Error("a.test is still known")
		}
		s.counted()
		time.Sleep(10500 * time.Millisecond)
		if got := s.counted(); got != 10 {
			t.Errorf("%d lookups in 10 s, want the 10 of b.test", got)
		}
	})
}

func TestNothingRunsAfterClose(t *testing.T) {
	s := &script{answer: good(time.Second, "192.0.2.1"), takes: time.Minute}
	synctest.Test(t, func(t *testing.T) {
		r := New(Options{Lookup: s.lookup})
		go r.Prepare([]string{"a.test"})
		synctest.Wait()
		start := time.Now()
		r.Close()
		if took := time.Since(start); took != 0 {
			t.Errorf("Close waited %v for a lookup", took)
		}
		s.counted()
		r.Prepare([]string{"b.test"})
		time.Sleep(time.Hour)
		if got := s.counted(); got != 0 {
			t.Errorf("%d lookups after Close", got)
		}
	})
}

func TestAddressesAreNoNames(t *testing.T) {
	r := New(Options{Lookup: (&script{}).lookup})
	defer r.Close()
	defer func() {
		if recover() == nil {
			t.Error("an address was taken for a name")
		}
	}()
	r.Prepare([]string{"192.0.2.1"})
}
