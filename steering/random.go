package steering

import "math/bits"

// random draws among the open targets in proportion to their weights (behaviour S1, S4). It draws among all targets and
// keeps the first that is open; after some misses it looks at the open ones only. Every try is independent of the ones
// before it, so both ways, and their mixture, have exactly the same law.
type random struct {
	weights []uint8
	alias   alias
	tries   int
}

func newRandom(targets []Target) Picker {
	if !anyWeight(targets) {
		return nobody{}
	}
	return &random{weights: weights(targets), alias: newAlias(targets), tries: tries(len(targets))}
}

func (p *random) Pick(in Input, ok Set) int {
	d := dice(in.Draw)
	x := in.Draw
	for range p.tries {
		if i := p.alias.draw(x, &d); ok.Has(i) {
			return i
		}
		x = d.next()
	}
	return p.scan(x, &d, ok)
}

// scan draws among the members of ok, all of which it looks at.
func (p *random) scan(x uint64, d *dice, ok Set) int {
	var total uint64
	for i := range ok.each {
		total += uint64(p.weights[i])
	}
	if total == 0 {
		return None
	}
	height := below(total, x, d)
	for i := range ok.each {
		w := uint64(p.weights[i])
		if height < w {
			return i
		}
		height -= w
	}
	panic("BUG: a draw below the sum of the weights lies beyond all of them")
}

// below is uniform in [0, n), by Lemire's method.
func below(n, x uint64, d *dice) uint64 {
	high, low := bits.Mul64(x, n)
	for low < n && low < -n%n {
		high, low = bits.Mul64(d.next(), n)
	}
	return high
}

func (p *random) Shares(_ Input, ok Set, dst []float64) []float64 {
	return shareOut(ok, dst, func(i int) float64 { return float64(p.weights[i]) })
}

// nobody is what a policy compiles to when no target has a weight.
type nobody struct{}

func (nobody) Pick(Input, Set) int { return None }

func (nobody) Shares(_ Input, _ Set, dst []float64) []float64 {
	clear(dst)
	return dst
}

func anyWeight(targets []Target) bool {
	for _, t := range targets {
		if t.Weight > 0 {
			return true
		}
	}
	return false
}

func weights(targets []Target) []uint8 {
	w := make([]uint8, len(targets))
	for i, t := range targets {
		w[i] = uint8(t.Weight)
	}
	return w
}

// tries is how often a sampler draws before it looks at every target: enough to find an open one unless most of the
// weight is closed, and cheaper than the look.
func tries(n int) int { return max(4, n/8) }
