package steering_test

import (
	"math"
	"testing"

	"github.com/weirlb/weir/steering"
	"github.com/weirlb/weir/steering/steeringtest"
)

// Behaviour S1: A .25, B .25, C .50 get 25, 25 and 50 %; without C, A and B get half each.
func TestRandomSharesByWeight(t *testing.T) {
	p := steeringtest.Compile(t, steering.Random, steeringtest.Targets(25, 25, 50))
	for _, c := range []struct {
		name string
		ok   steering.Set
		want []float64
	}{
		{"all open", steeringtest.All(3), []float64{0.25, 0.25, 0.50}},
		{"C closed", steeringtest.Only(3, func(i int) bool { return i < 2 }), []float64{0.5, 0.5, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			sharesAre(t, p.Shares(steering.Input{}, c.ok, make([]float64, 3)), c.want)
			steeringtest.Fits(t, steeringtest.Count(t, p, 3, 1_000_000, c.ok, nil, 11), c.want)
		})
	}
}

// Behaviour S4, for pools: weights .3, .5 and .2 give 30, 50 and 20 %; without the second 60, 0 and 40 %.
func TestRandomSharesAmongPools(t *testing.T) {
	p := steeringtest.Compile(t, steering.Random, steeringtest.Targets(30, 50, 20))
	without := steeringtest.Only(3, func(i int) bool { return i != 1 })
	steeringtest.Fits(t, steeringtest.Count(t, p, 3, 1_000_000, steeringtest.All(3), nil, 12), []float64{0.3, 0.5, 0.2})
	steeringtest.Fits(t, steeringtest.Count(t, p, 3, 1_000_000, without, nil, 13), []float64{0.6, 0, 0.4})
}

// A pick says nothing about the next one: a round-robin in disguise fails here.
func TestRandomPicksAreIndependent(t *testing.T) {
	p := steeringtest.Compile(t, steering.Random, steeringtest.Targets(10, 20, 30, 40, 50))
	for name, ok := range map[string]steering.Set{
		"whole":  steeringtest.All(5),
		"broken": steeringtest.Only(5, func(i int) bool { return i != 4 }),
	} {
		t.Run(name, func(t *testing.T) {
			pairs := table(5, 5)
			last := 0
			for k := range uint64(500_000) {
				i := p.Pick(steering.Input{Draw: steering.Mix(14, 1, k)}, ok)
				if k > 0 {
					pairs[last][i]++
				}
				last = i
			}
			steeringtest.Independent(t, pairs)
		})
	}
}

// sharesAre compares to four digits of a percentage, as the worked examples give them.
func sharesAre(t *testing.T, got, want []float64) {
	t.Helper()
	for i := range want {
		if math.Abs(got[i]-want[i]) > 0.00005 {
			t.Errorf("Shares are %.4f; they must be %.4f", got, want)
			return
		}
	}
}
