package steering_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weirlb/weir/steering"
	"github.com/weirlb/weir/steering/steeringtest"
)

// Behaviour S7 and S8: a target counts with weight/(load+1).
func TestLeastSharesByWeightAndLoad(t *testing.T) {
	for _, c := range []struct {
		name    string
		weights []int
		loads   steeringtest.Loads
		want    []float64
	}{
		{"pools .4 and .6 with 3 and 0 open", []int{40, 60}, steeringtest.Loads{3, 0}, []float64{0.1429, 0.8571}},
		{"pools .5 and .5 with 1 and 0 connections", []int{50, 50}, steeringtest.Loads{1, 0}, []float64{0.3333, 0.6667}},
		{"origins of weight 1 with 0, 1 and 3", []int{100, 100, 100}, steeringtest.Loads{0, 1, 3}, []float64{0.5714, 0.2857, 0.1429}},
		{"origins 1 and .5 with 4 and 0 connections", []int{100, 50}, steeringtest.Loads{4, 0}, []float64{0.2857, 0.7143}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ok := steeringtest.All(len(c.weights))
			for _, policy := range []string{steering.LeastOutstandingRequests, steering.LeastConnections} {
				p := steeringtest.Compile(t, policy, steeringtest.Targets(c.weights...))
				shares := p.Shares(steering.Input{Live: c.loads}, ok, make([]float64, len(c.weights)))
				sharesAre(t, shares, c.want)
				steeringtest.Fits(t, steeringtest.Count(t, p, len(c.weights), 1_000_000, ok, c.loads, 21), shares)
			}
		})
	}
}

// sixteen origins of unequal weight and load, some of them closed.
func sixteen() (targets []steering.Target, loads steeringtest.Loads, ok steering.Set) {
	targets = steeringtest.Targets(100, 50, 25, 75, 10, 90, 33, 66, 100, 20, 40, 60, 80, 5, 15, 95)
	loads = steeringtest.Loads{3, 0, 1, 4, 2, 7, 0, 5, 1, 1, 2, 0, 9, 0, 3, 2}
	return targets, loads, steeringtest.Only(16, func(i int) bool { return i%5 != 3 })
}

func TestLeastAmongSixteen(t *testing.T) {
	targets, loads, some := sixteen()
	deep := make(steeringtest.Loads, 16) // so deep that nearly every pick ends in a look at all
	for i := range deep {
		deep[i] = 50 + 10*loads[i]
	}
	p := steeringtest.Compile(t, steering.LeastOutstandingRequests, targets)
	for _, c := range []struct {
		name  string
		loads steeringtest.Loads
		ok    steering.Set
	}{
		{"whole", loads, steeringtest.All(16)},
		{"with an outage", loads, some},
		{"deep queues", deep, steeringtest.All(16)},
		{"deep queues with an outage", deep, some},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := byWeightAndLoad(targets, c.ok, c.loads)
			steeringtest.Fits(t, steeringtest.Count(t, p, 16, 1_000_000, c.ok, c.loads, 22), want)
		})
	}
}

// The gate has teeth: a sampler whose floor is above the least load clips the idle targets' chances, and is found out.
func TestATooHighFloorIsFoundOut(t *testing.T) {
	targets, loads, _ := sixteen()
	const floor = 2
	proposals := steeringtest.Compile(t, steering.Random, targets)
	counts := make([]int, 16)
	for k := range uint64(1_000_000) {
		for try := uint64(0); ; try++ {
			i := proposals.Pick(steering.Input{Draw: steering.Mix(k, 1, try)}, steeringtest.All(16))
			chance := float64(floor+1) / float64(loads[i]+1)
			if float64(steering.Mix(k, 2, try)>>11)*0x1p-53 < chance {
				counts[i]++
				break
			}
		}
	}
	x2, df, err := steeringtest.ChiSquare(counts, byWeightAndLoad(targets, steeringtest.All(16), loads))
	if err != nil {
		t.Fatal(err)
	}
	if steeringtest.UpperTail(x2, df) > steeringtest.AboveUpper {
		t.Errorf("x² is %.1f with %d degrees of freedom: the gate lets a wrong sampler pass", x2, df)
	}
}

// A pick is heavier on whoever has least, but it is a draw, not a minimum: the busier may win.
func TestLeastLoadsAfterEachPick(t *testing.T) {
	p := steeringtest.Compile(t, steering.LeastOutstandingRequests, steeringtest.Targets(100, 100, 50))
	loads := make(steeringtest.Loads, 3)
	var after []string
	for k := range uint64(8) {
		loads[p.Pick(steering.Input{Draw: steering.Mix(23, 1, k), Live: loads}, steeringtest.All(3))]++
		after = append(after, fmt.Sprintf("(%d,%d,%d)", loads[0], loads[1], loads[2]))
	}
	const want = "(0,1,0) (1,1,0) (2,1,0) (2,1,1) (2,2,1) (2,3,1) (3,3,1) (3,3,2)"
	if got := strings.Join(after, " "); got != want {
		t.Errorf("loads after each pick are %s; they must be %s", got, want)
	}
}

// With no load at all the least policies are weighted random ones.
func TestLeastPicksAreIndependentAtFrozenLoads(t *testing.T) {
	targets, loads, ok := sixteen()
	p := steeringtest.Compile(t, steering.LeastConnections, targets)
	pairs := table(16, 16)
	last := 0
	for k := range uint64(500_000) {
		i := p.Pick(steering.Input{Draw: steering.Mix(24, 1, k), Live: loads}, ok)
		if k > 0 {
			pairs[last][i]++
		}
		last = i
	}
	steeringtest.Independent(t, pairs)
}
