package balancer

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Behaviour N4: the table against a dumb one, in one shard: who is there, in the order of use.
func TestSessionsAgainstTheModel(t *testing.T) {
	type known struct {
		key, origin uint64
		until       time.Time
	}
	rapid.Check(t, func(t *rapid.T) {
		const most = 5
		s := NewSessions(NewSealer(nil), most*sessionShards)
		var model []known // idle longest first
		find := func(key uint64) int {
			for i := range model {
				if model[i].key == key {
					return i
				}
			}
			return none
		}
		now := epoch
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "wait")) * time.Second)
			key := uint64(rapid.IntRange(0, 9).Draw(t, "key")) * sessionShards
			i := find(key)
			origin, why := s.find(key, now)
			switch {
			case i == none && why == SessionAbsent:
			case i != none && !model[i].until.After(now) && (why == SessionExpired || why == SessionAbsent):
			case i != none && model[i].until.After(now) && why == Yes && origin == model[i].origin:
			default:
				t.Fatalf("key %d: %d, %v; the model: %d of %v", key, origin, why, i, model)
			}
			if rapid.Bool().Draw(t, "keep") {
				// Of two sessions idle longest that are over, both are forgotten.
				for range 2 {
					if len(model) > 0 && !model[0].until.After(now) {
						model = model[1:]
					}
				}
				if i = find(key); i != none {
					model = append(model[:i:i], model[i+1:]...)
				} else if len(model) == most {
					model = model[1:]
				}
				origin, ttl := rapid.Uint64().Draw(t, "origin"), time.Duration(rapid.IntRange(30, 60).Draw(t, "ttl"))*time.Second
				s.keep(key, origin, now.UnixNano(), ttl)
				model = append(model, known{key, origin, now.Add(ttl)})
			}
			if s.Len() != len(model) {
				t.Fatalf("%d sessions, want %d", s.Len(), len(model))
			}
		}
	})
}

func TestSessionsDoNotAllocate(t *testing.T) {
	s := NewSessions(NewSealer(nil), 1000)
	key := uint64(0)
	step := func() {
		key++
		s.find(key%500, at(0))
		s.keep(key%500, key, at(0).UnixNano(), time.Minute)
	}
	for range 2000 {
		step()
	}
	if n := testing.AllocsPerRun(1000, step); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkSessionBytes says what a session costs.
func BenchmarkSessionBytes(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		s := NewSessions(NewSealer(nil), 1<<20)
		for key := range uint64(1 << 20) {
			s.keep(key*0x9e3779b97f4a7c15, key, epoch.UnixNano(), time.Minute)
		}
	}
}
