package steering_test

import (
	"math"
	"slices"
	"testing"

	"github.com/weirlb/weir/steering"
	"github.com/weirlb/weir/steering/steeringtest"
)

// rtts are round trips in milliseconds; 0 is none known.
type rtts []float64

func (rtts) Load(int) int { return 0 }

func (r rtts) RTT(i int) (seconds float64, known bool) { return r[i] / 1000, r[i] != 0 }

// order is whom a policy picks when every target it has picked closes.
func order(t *testing.T, policy string, targets []steering.Target, in steering.Input) []int {
	t.Helper()
	p := steeringtest.Compile(t, policy, targets)
	ok := steeringtest.All(len(targets))
	var picked []int
	for {
		i := p.Pick(in, ok)
		for j, share := range p.Shares(in, ok, make([]float64, len(targets))) {
			if want := i == j; share != 0 != want || want && share != 1 {
				t.Errorf("the share of target %d is %v when %d is picked", j, share, i)
			}
		}
		if i == steering.None {
			return picked
		}
		picked = append(picked, i)
		ok.Remove(i)
	}
}

// Behaviour G4: those with data ascending, then those without in order; ties by order; none known: failover order.
func TestDynamicLatencyOrder(t *testing.T) {
	for _, c := range []struct {
		name string
		rtt  rtts
		want []int
	}{
		{"the worked example: P1 120 ms, P2 40 ms, P3 unknown", rtts{120, 40, 0}, []int{1, 0, 2}},
		{"unknown first in order comes last", rtts{0, 120, 40}, []int{2, 1, 0}},
		{"none known: failover order", rtts{0, 0, 0}, []int{0, 1, 2}},
		{"ties go by order", rtts{50, 40, 40, 50}, []int{1, 2, 0, 3}},
		{"several unknown stay in order", rtts{0, 10, 0, 5, 0}, []int{3, 1, 0, 2, 4}},
		{"what is no number is not known", rtts{math.NaN(), 90, math.Inf(1)}, []int{1, 0, 2}},
		{"one", rtts{7}, []int{0}},
	} {
		weights := make([]int, len(c.rtt)) // none: they do not matter
		got := order(t, steering.DynamicLatency, steeringtest.Targets(weights...), steering.Input{Live: c.rtt})
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: the order is %v; it must be %v", c.name, got, c.want)
		}
	}
}

// Behaviour G4: what changes is Live; nothing is compiled again.
func TestDynamicLatencyFollowsLive(t *testing.T) {
	live := rtts{40, 60}
	p := steeringtest.Compile(t, steering.DynamicLatency, steeringtest.Targets(100, 100))
	ok := steeringtest.All(2)
	if got := p.Pick(steering.Input{Live: live}, ok); got != 0 {
		t.Fatalf("40 ms against 60 ms picks %d", got)
	}
	live[0] = 80
	if got := p.Pick(steering.Input{Live: live}, ok); got != 1 {
		t.Errorf("80 ms against 60 ms picks %d", got)
	}
}
