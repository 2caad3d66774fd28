package steering

import "math/bits"

// inOrder is `off`, and `geo` within one list: the first open target, in the order of configuration (behaviour P3, G2).
// Weights do not matter to it.
type inOrder struct{}

func newInOrder([]Target) Picker { return inOrder{} }

func (inOrder) Pick(_ Input, ok Set) int {
	for w, word := range ok {
		if word != 0 {
			return w*64 + bits.TrailingZeros64(word)
		}
	}
	return None
}

func (p inOrder) Shares(in Input, ok Set, dst []float64) []float64 {
	return all(p.Pick(in, ok), dst)
}
