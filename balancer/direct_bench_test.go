package balancer

import (
	"fmt"
	"testing"

	"github.com/weirlb/weir/config"
)

// big is a world of one pool of n origins, every fourth of them down, all with some load, behind one that is down; with
// percent of the traffic shed to a third.
func big(t testing.TB, word string, n int, percent float64) *world {
	a := policy(pool("A", n), word)
	for i := range a.Origins {
		a.Origins[i].Weight = config.Weight(100 - i%3*25)
	}
	if percent > 0 {
		a = shed(a, percent, "random")
	}
	w := newWorld(t, lb("C", "Z", "A", "C"), pool("Z", 1), a, pool("C", 2))
	statuses := make([]byte, n)
	for i := range statuses {
		statuses[i] = 'U'
		if i%4 == 3 {
			statuses[i] = 'D'
		}
		w.load("A", i, i%3)
	}
	w.believe("A", string(statuses))
	w.believe("Z", "D")
	return w
}

// Direct allocates nothing: first attempts, with and without shedding, and retries once a trail has been used.
func TestDirectDoesNotAllocate(t *testing.T) {
	for _, word := range policies {
		for _, n := range []int{2, 8, 64, 1024} {
			for _, percent := range []float64{0, 50} {
				t.Run(fmt.Sprintf("%s %d shed %v", word, n, percent), func(t *testing.T) {
					w := big(t, word, n, percent)
					r, trail := request(0), Trail{}
					decide := func() {
						r.Seed++
						trail.Reset()
						w.snapshot.Direct(r, &trail)
						if trail.Failed(Failure{Class: ConnectRefused}) {
							w.snapshot.Direct(r, &trail)
						}
					}
					for range 20 { // until the trail has its memory
						decide()
					}
					if allocs := testing.AllocsPerRun(200, decide); allocs != 0 {
						t.Errorf("%v allocations", allocs)
					}
				})
			}
		}
	}
}

func TestRefusalsDoNotAllocate(t *testing.T) {
	w := newWorld(t, lb("A", "A"), disabled(pool("A", 1)))
	r, nowhere := request(1), &Request{Host: []byte("nowhere.example")}
	var trail Trail
	if allocs := testing.AllocsPerRun(200, func() {
		trail.Reset()
		w.snapshot.Direct(r, &trail)
		trail.Reset()
		w.snapshot.Direct(nowhere, &trail)
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func BenchmarkDirect(b *testing.B) {
	for _, word := range policies {
		for _, n := range []int{2, 8, 64, 1024} {
			b.Run(fmt.Sprintf("%s/%d", word, n), func(b *testing.B) {
				w := big(b, word, n, 0)
				r, trail := request(0), Trail{}
				b.ReportAllocs()
				for b.Loop() {
					r.Seed++
					trail.Reset()
					w.snapshot.Direct(r, &trail)
				}
			})
		}
	}
}

func BenchmarkDirectShed(b *testing.B) {
	w := big(b, "random", 8, 50)
	r, trail := request(0), Trail{}
	b.ReportAllocs()
	for b.Loop() {
		r.Seed++
		trail.Reset()
		w.snapshot.Direct(r, &trail)
	}
}
