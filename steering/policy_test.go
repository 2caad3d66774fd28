package steering_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/weirlb/weir/steering"
	"github.com/weirlb/weir/steering/steeringtest"
)

// What each policy should do, said in the simplest way.
var (
	byWeight        = steeringtest.Proportional(func(weight, _ int) float64 { return float64(weight) })
	byWeightAndLoad = steeringtest.Proportional(func(weight, load int) float64 {
		return float64(weight) / float64(load+1)
	})

	inOrder = steeringtest.First(func(int, int, []steering.Target, steeringtest.Loads) bool { return false })
	byRTT   = steeringtest.First(func(a, b int, _ []steering.Target, loads steeringtest.Loads) bool {
		rttA, knownA := loads.RTT(a)
		rttB, knownB := loads.RTT(b)
		return knownA && (!knownB || rttA < rttB)
	})
	byDistance = steeringtest.First(func(a, b int, targets []steering.Target, _ steeringtest.Loads) bool {
		return targets[a].Located && (!targets[b].Located || angle(targets[a]) < angle(targets[b])-1e-9)
	})
)

// angle is how far a target is from the requests of the suite, by the spherical law of cosines.
func angle(t steering.Target) float64 {
	const degree = math.Pi / 180
	here := steeringtest.Here
	return math.Acos(math.Sin(here.Lat*degree)*math.Sin(t.Lat*degree) +
		math.Cos(here.Lat*degree)*math.Cos(t.Lat*degree)*math.Cos((here.Lon-t.Lon)*degree))
}

func TestPolicies(t *testing.T) {
	for policy, law := range map[string]steeringtest.Law{
		steering.Off:                      inOrder,
		steering.Random:                   byWeight,
		steering.Hash:                     byWeight,
		steering.LeastOutstandingRequests: byWeightAndLoad,
		steering.LeastConnections:         byWeightAndLoad,
		steering.Geo:                      inOrder,
		steering.DynamicLatency:           byRTT,
		steering.Proximity:                byDistance,
	} {
		t.Run(policy, func(t *testing.T) { steeringtest.Run(t, policy, law) })
	}
}

func TestCompileNamesWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		policy string
		weight int
		says   string
	}{
		{"round_robin", 100, "not one of dynamic_latency, geo, hash, least_connections, least_outstanding_requests, off, proximity, random"},
		{"", 100, `policy ""`},
		{steering.Random, 101, "target 0 has weight 101; it must be 0 to 100"},
		{steering.Off, -1, "target 0 has weight -1; it must be 0 to 100"},
	} {
		_, err := steering.Compile(c.policy, steeringtest.Targets(c.weight))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("compiling %q with weight %d: error %v; it must say %q", c.policy, c.weight, err, c.says)
		}
	}
}

func TestNoTargetsHaveNobody(t *testing.T) {
	for _, policy := range []string{
		steering.Off, steering.Random, steering.Hash, steering.LeastOutstandingRequests, steering.LeastConnections,
		steering.Geo, steering.DynamicLatency, steering.Proximity,
	} {
		p := steeringtest.Compile(t, policy, nil)
		if i := p.Pick(steering.Input{}, steering.NewSet(0)); i != steering.None {
			t.Errorf("%s: pick among no targets is %d", policy, i)
		}
	}
}

// Behaviour P3: A critical, B disabled: C; A recovers: A again.
func TestOffGoesInOrder(t *testing.T) {
	p := steeringtest.Compile(t, steering.Off, steeringtest.Targets(0, 100, 50))
	for _, c := range []struct {
		open string // one letter per target, U up or D down
		want int
	}{
		{"DDU", 2},
		{"UDU", 0},
		{"DUU", 1},
		{"DDD", steering.None},
	} {
		ok := steeringtest.Only(3, func(i int) bool { return c.open[i] == 'U' })
		if got := p.Pick(steering.Input{}, ok); got != c.want {
			t.Errorf("%s: pick is %d; it must be %d", c.open, got, c.want)
		}
	}
}

// Behaviour S3: a last resort whose origins all have weight 0 spreads evenly.
func TestEqualServesWhenAllWeightsAreZero(t *testing.T) {
	targets := steeringtest.Targets(0, 0, 0, 0)
	ok := steeringtest.Only(4, func(i int) bool { return i != 2 })
	thirds := []float64{1.0 / 3, 1.0 / 3, 0, 1.0 / 3}
	for _, policy := range []string{steering.Random, steering.Hash, steering.LeastConnections} {
		p := steeringtest.Compile(t, policy, steering.Equal(targets))
		steeringtest.Fits(t, steeringtest.Count(t, p, 4, 100_000, ok, make(steeringtest.Loads, 4), 5), thirds)
	}
	if targets[0].Weight != 0 {
		t.Error("Equal changed its argument")
	}
}

func TestSet(t *testing.T) {
	s := steering.NewSet(130)
	if !s.Empty() || s.Len() != 0 {
		t.Errorf("a new set holds %d members", s.Len())
	}
	for _, i := range []int{0, 63, 64, 129} {
		s.Add(i)
	}
	s.Remove(63)
	if s.Len() != 3 || s.Has(63) || !s.Has(64) || !s.Has(129) || s.Empty() {
		t.Errorf("the set is %b", s)
	}
}

func BenchmarkPick(b *testing.B) {
	for _, policy := range []string{
		steering.Off, steering.Random, steering.Hash, steering.LeastOutstandingRequests, steering.LeastConnections,
		steering.DynamicLatency, steering.Proximity,
	} {
		for _, weights := range []string{"equal", "unequal"} {
			for _, n := range []int{2, 8, 64, 1024, 10_000} {
				b.Run(fmt.Sprintf("%s/%s/%d", policy, weights, n), func(b *testing.B) {
					benchmarkPick(b, policy, weights == "equal", n)
				})
			}
		}
	}
}

func benchmarkPick(b *testing.B, policy string, equal bool, n int) {
	weights := make([]int, n)
	loads := make(steeringtest.Loads, n)
	for i := range weights {
		weights[i] = steering.MaxWeight
		if !equal {
			weights[i] = 1 + i*37%steering.MaxWeight
		}
		loads[i] = i * 7 % 5
	}
	p := steeringtest.Compile(b, policy, steeringtest.Targets(weights...))
	ok := steeringtest.All(n)
	live := steering.Live(loads)
	k := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		k++
		draw := steering.Mix(1, 1, k)
		p.Pick(steering.Input{Key: draw, Draw: draw, Live: live, Place: steeringtest.Here}, ok)
	}
}
