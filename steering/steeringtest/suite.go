package steeringtest

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/weirlb/weir/steering"
)

// Loads is a steering.Live that stands still: as many requests or connections per target, and as many milliseconds of
// round trip; no round trip is known of a target without load.
type Loads []int

// Load implements steering.Live.
func (l Loads) Load(i int) int { return l[i] }

// RTT implements steering.Live.
func (l Loads) RTT(i int) (seconds float64, known bool) { return float64(l[i]) / 1000, l[i] > 0 }

// Here is where the requests of the suite are handled.
var Here = steering.Place{Lat: 50.03, Lon: 8.57, Located: true}

// places are where its targets are, in turn. The third is not said.
var places = []steering.Place{
	{Lat: 38.94, Lon: -77.46, Located: true},
	{Lat: 1.36, Lon: 103.99, Located: true},
	{},
	{Lat: 52.31, Lon: 4.76, Located: true},
	{Lat: -33.95, Lon: 151.18, Located: true},
}

// All is the set of all of n targets.
func All(n int) steering.Set { return Only(n, func(int) bool { return true }) }

// Only is the set of those of n targets that are open.
func Only(n int, open func(i int) bool) steering.Set {
	s := steering.NewSet(n)
	for i := range n {
		if open(i) {
			s.Add(i)
		}
	}
	return s
}

// Targets are targets of the given weights, in hundredths, and fixed identities and places.
func Targets(weights ...int) []steering.Target {
	targets := make([]steering.Target, len(weights))
	for i, w := range weights {
		at := places[i%len(places)]
		targets[i] = steering.Target{
			Identity: steering.HashIdentity("target", fmt.Sprint(i)), Weight: w,
			Lat: at.Lat, Lon: at.Lon, Located: at.Located,
		}
	}
	return targets
}

// Compile is steering.Compile for policies and targets that are right.
func Compile(tb testing.TB, policy string, targets []steering.Target) steering.Picker {
	tb.Helper()
	p, err := steering.Compile(policy, targets)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// Count picks n times with fresh keys and draws, which are functions of seed, and counts the answers per target. It
// fails the test at a pick outside ok, None included.
func Count(tb testing.TB, p steering.Picker, targets, n int, ok steering.Set, live steering.Live, seed uint64) []int {
	tb.Helper()
	counts := make([]int, targets)
	for k := range n {
		i := p.Pick(input(live, seed, k), ok)
		if i == steering.None || !ok.Has(i) {
			tb.Fatalf("pick %d is %d, which is not open", k, i)
		}
		counts[i]++
	}
	return counts
}

func input(live steering.Live, seed uint64, k int) steering.Input {
	return steering.Input{
		Key: steering.Mix(seed, 1, uint64(k)), Draw: steering.Mix(seed, 2, uint64(k)), Live: live, Place: Here,
	}
}

// Law is what a policy should do, said in the simplest way: the share of each target. All are 0 when none can be picked.
type Law func(targets []steering.Target, ok steering.Set, loads Loads) []float64

// First is the law of a policy that always picks the open target that comes before all others; those of which neither
// does come in the order of configuration. It does not look at weights.
func First(before func(a, b int, targets []steering.Target, loads Loads) bool) Law {
	return func(targets []steering.Target, ok steering.Set, loads Loads) []float64 {
		shares := make([]float64, len(targets))
		first := steering.None
		for i := range targets {
			if ok.Has(i) && (first == steering.None || before(i, first, targets, loads)) {
				first = i
			}
		}
		if first != steering.None {
			shares[first] = 1
		}
		return shares
	}
}

// Proportional is the law of a policy under which a target counts with mass, of its weight and load.
func Proportional(mass func(weight, load int) float64) Law {
	return func(targets []steering.Target, ok steering.Set, loads Loads) []float64 {
		shares := make([]float64, len(targets))
		total := 0.0
		for i, t := range targets {
			if ok.Has(i) && t.Weight > 0 {
				shares[i] = mass(t.Weight, loads[i])
				total += shares[i]
			}
		}
		for i := range shares {
			if total > 0 {
				shares[i] /= total
			}
		}
		return shares
	}
}

// one case of the suite.
type situation struct {
	name    string
	weights []int
	closed  []int
	loads   Loads // nil: all 0
}

// situations are small and large, even and uneven, whole and broken.
func situations() []situation {
	uneven := func(n int) []int {
		w := make([]int, n)
		for i := range w {
			w[i] = 20 + (i*37)%81
		}
		return w
	}
	rising := func(n int) Loads {
		l := make(Loads, n)
		for i := range l {
			l[i] = i % 5
		}
		return l
	}
	return []situation{
		{name: "one", weights: []int{100}},
		{name: "one closed", weights: []int{100}, closed: []int{0}},
		{name: "one without weight", weights: []int{0}},
		{name: "two", weights: []int{100, 100}},
		{name: "two, one closed", weights: []int{30, 70}, closed: []int{1}},
		{name: "behaviour S1", weights: []int{25, 25, 50}},
		{name: "behaviour S1, the heavy one closed", weights: []int{25, 25, 50}, closed: []int{2}},
		{name: "behaviour S2, weight 0", weights: []int{100, 0, 50}, loads: Loads{2, 0, 1}},
		{name: "behaviour S3, only weight 0 open", weights: []int{100, 0, 0}, closed: []int{0}},
		{name: "behaviour S3, all weight 0", weights: []int{0, 0, 0}},
		{name: "all closed", weights: uneven(9), closed: upTo(9, 1)},
		{name: "uneven weights and loads", weights: []int{1, 2, 5, 10, 25, 50, 100, 75}, loads: Loads{0, 1, 0, 3, 2, 0, 9, 1}},
		{name: "nine", weights: uneven(9), loads: rising(9)},
		{name: "nine, most of the weight closed", weights: []int{100, 100, 100, 100, 100, 100, 100, 1, 2}, closed: upTo(7, 1)},
		{name: "nine, deep queues", weights: uneven(9), loads: Loads{900, 800, 700, 600, 500, 400, 300, 200, 100}},
		{name: "sixty-four, a quarter closed", weights: uneven(64), closed: upTo(64, 4), loads: rising(64)},
		{name: "sixty-five, a quarter closed", weights: uneven(65), closed: upTo(65, 4), loads: rising(65)},
		{name: "ninety, light", weights: slices.Repeat([]int{1, 2, 3}, 30), closed: upTo(90, 3)},
		{name: "three hundred, half closed", weights: uneven(300), closed: upTo(300, 2), loads: rising(300)},
		{name: "three hundred, two open", weights: uneven(300), closed: upTo(298, 1), loads: rising(300)},
	}
}

// upTo is every step-th index below n.
func upTo(n, step int) (indexes []int) {
	for i := 0; i < n; i += step {
		indexes = append(indexes, i)
	}
	return indexes
}

// Run holds a policy to what is asked of all: what it picks is open and has a weight, or is None exactly when the law
// has nobody; it depends on its arguments alone; Shares is the law; counts follow it; nothing allocates.
func Run(t *testing.T, policy string, law Law) {
	for _, s := range situations() {
		t.Run(s.name, func(t *testing.T) { s.run(t, policy, law) })
	}
	for _, n := range []int{1, 2, 8, 64, 1024, 10_000} {
		t.Run(fmt.Sprintf("no allocation among %d", n), func(t *testing.T) { noAllocation(t, policy, n) })
	}
}

func (s situation) run(t *testing.T, policy string, law Law) {
	const picks = 50_000
	n := len(s.weights)
	targets := Targets(s.weights...)
	loads := s.loads
	if loads == nil {
		loads = make(Loads, n)
	}
	ok := Only(n, func(i int) bool { return !slices.Contains(s.closed, i) })
	p := Compile(t, policy, targets)
	want := law(targets, ok, loads)
	clear(targets) // what is compiled stays as it is

	got := p.Shares(steering.Input{Live: loads, Place: Here}, ok, slices.Repeat([]float64{math.NaN()}, n))
	for i := range got {
		if math.Abs(got[i]-want[i]) > 1e-12 || math.IsNaN(got[i]) {
			t.Fatalf("Shares are %v; the law is %v", few(got), few(want))
		}
	}
	if slices.Max(want) == 0 {
		for k := range 100 {
			if i := p.Pick(input(loads, 1, k), ok); i != steering.None {
				t.Fatalf("pick %d is %d; nobody can be picked", k, i)
			}
		}
		return
	}
	counts := Count(t, p, n, picks, ok, loads, 1)
	Fits(t, counts, want)
	if again := Count(t, p, n, picks/10, ok, loads, 2); !slices.Equal(again, Count(t, p, n, picks/10, ok, loads, 2)) {
		t.Error("the same inputs are answered differently the second time")
	}
}

func noAllocation(t *testing.T, policy string, n int) {
	weights := make([]int, n)
	loads := make(Loads, n)
	for i := range weights {
		weights[i] = 1 + i%100
		loads[i] = i % 7
	}
	p := Compile(t, policy, Targets(weights...))
	whole, broken := All(n), Only(n, func(i int) bool { return i == n/2 })
	dst := make([]float64, n)
	live := steering.Live(loads) // made into an interface once: that allocates
	k := 0
	if allocs := testing.AllocsPerRun(100, func() {
		k++
		in := input(live, 3, k)
		p.Pick(in, whole)
		p.Pick(in, broken)
		p.Shares(in, broken, dst)
	}); allocs != 0 {
		t.Errorf("two picks and their shares allocate %v times", allocs)
	}
}
