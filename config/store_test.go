package config

import (
	"sync"
	"testing"
)

func TestStore(t *testing.T) {
	first, second := &Config{}, &Config{}
	s := NewStore(first)
	if r := s.Current(); r.Number != 1 || r.Config != first {
		t.Errorf("begins with %+v", r)
	}
	if n := s.Replace(second); n != 2 {
		t.Errorf("revision %d", n)
	}
	if r := s.Current(); r.Number != 2 || r.Config != second {
		t.Errorf("goes on with %+v", r)
	}
}

// TestStoreNumbersEveryRevision: two writers never get one number.
func TestStoreNumbersEveryRevision(t *testing.T) {
	s := NewStore(&Config{})
	var wg sync.WaitGroup
	numbers := make([]uint64, 100)
	for i := range numbers {
		wg.Go(func() { numbers[i] = s.Replace(&Config{}) })
	}
	wg.Wait()
	seen := map[uint64]bool{}
	for _, n := range numbers {
		if seen[n] || n < 2 || n > 101 {
			t.Errorf("revision %d", n)
		}
		seen[n] = true
	}
	if s.Current().Number != 101 {
		t.Errorf("ends with %d", s.Current().Number)
	}
}
