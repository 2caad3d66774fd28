package steering

import "math"

// levelBits keeps the draws of the levels apart from those of the tries.
const levelBits = 0xd1342543de82ef95

// maxLevels is one more than the level of the smallest weight, 0.01.
const maxLevels = 7

// heights says of 64 tries at once how high each is in [0, 1): bit t of heights[l] is set if try t is below 2^−l. Where a
// try is between two levels, the low half of its own hash tells.
//
// Because the high tries of a block are known at once, those that are too high for everybody cost nothing, and a pool of
// light weights is nearly as fast as one of heavy ones. The usual way, to scale all weights by the largest, would move
// clients of every target whenever the largest weight changes.
type heights [maxLevels + 2]uint64

// draw makes the heights of the 64 tries of a key. Only the first so many levels are drawn; when all weights are 0 or 1
// none is needed, as a full weight accepts every height.
func (s *heights) draw(key uint64, levels int) {
	s[0] = math.MaxUint64
	words := dice(key ^ levelBits)
	for l := range levels {
		s[l+1] = s[l] & words.next()
	}
}

// below reports whether try t, of hash h, is below b. It has no branches: they would be hard to predict.
func (s *heights) below(b *bar, t int, h uint64) bool {
	inPart := (h&math.MaxUint32 - b.part) >> 63
	return (s[b.level+1]>>t|s[b.level]>>t&inPart)&1 != 0
}

// bar is how high a weight reaches: to 2^−(level+1), and from there to 2^−level in the proportion part·2⁻³².
type bar struct {
	level int
	part  uint64
}

// bars has the bar of each weight, in hundredths. That of 0 lies beyond all levels, where nothing is below it.
var bars = func() (all [MaxWeight + 1]bar) {
	all[0] = bar{level: maxLevels}
	for w := 1; w < MaxWeight; w++ {
		b := &all[w]
		for w<<(b.level+1) < MaxWeight {
			b.level++
		}
		beyond := uint64(w<<(b.level+1) - MaxWeight) // in hundredths of 2^−(level+1)
		b.part = beyond << 32 / MaxWeight
	}
	all[MaxWeight].part = 1 << 32
	return all
}()
