package steering

import "math"

// fastest is `dynamic_latency`: the open target with the shortest round trip, as the request's place sees it. Targets
// without a profile come after all others, in the order of configuration, so that with none known this is failover
// order; ties go by that order, too (behaviour G4). Weights do not matter to it.
type fastest struct{}

func newFastest([]Target) Picker { return fastest{} }

func (fastest) Pick(in Input, ok Set) int {
	best, first, shortest := None, None, math.Inf(1)
	for i := range ok.each {
		if first == None {
			first = i
		}
		if rtt, known := in.Live.RTT(i); known && rtt < shortest {
			best, shortest = i, rtt
		}
	}
	if best == None {
		return first
	}
	return best
}

func (p fastest) Shares(in Input, ok Set, dst []float64) []float64 { return all(p.Pick(in, ok), dst) }
