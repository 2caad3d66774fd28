package steering

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// slots is hash for many targets: rejection over a table of places (behaviour S5; after "DxHash: A Scalable Consistent
// Hash", Dong and Wang 2021, with weights). A key has a sequence of tries. Each names a place and a height in [0, 1), and
// is accepted by the target at that place if it is open and the height is below its weight. The first acceptance wins.
//
//	place    0   1   2   3   4   5   6   7        tries of a key: (5, .8) nobody there
//	target   ·   B   ·   ·   A   ·   C   ·                        (6, .7) C weighs .5: no
//	weight       1           1      .5                            (4, .3) A
//
// Every target thus has a first try of its own, whoever else is there, and the earliest of these wins: as under
// rendezvous, what happens to one target moves no key between others. A key that nobody accepted goes to rendezvous.
//
// Places come from identities alone, so that the order of targets, restarts and replicas do not matter. The price: a new
// identity may want a place that is taken, and if its own is the lower one the other has to leave. Nothing without a
// memory can avoid that; a table at most a quarter full makes it rare, and only keys of the two are concerned.
type slots struct {
	rendezvous
	places []place
	shift  uint // a hash shifted right by it is a place
	from   int  // the level of the largest weight
	levels int  // the number of levels in use, counted from 0
}

// place is what stands at a place. A weight in [2^−(level+1), 2^−level) accepts every height below 2^−(level+1), and those
// from there to 2^−level in the proportion part·2⁻³². The levels of 64 tries are one word each (see heights), so that the
// tries that are too high for everybody cost nothing, and light pools are as fast as heavy ones without a scale of their
// own: a scale would move keys whenever the largest weight changed it.
type place struct {
	target int32 // None: nobody
	level  int32
	part   uint64
}

const (
	// spread is the least number of places per target.
	spread = 4
	// tryBlocks of 64 tries are made: 64 tries that matter even when no weight is above 0.01.
	tryBlocks = 64
	// maxLevels is one more than the level of the smallest weight, 0.01.
	maxLevels = 7
)

func newSlots(targets []Target, r rendezvous) *slots {
	logSize := bits.Len(uint(spread*len(targets) - 1))
	p := &slots{rendezvous: r, places: make([]place, 1<<logSize), shift: uint(64 - logSize), from: maxLevels}
	for i := range p.places {
		p.places[i].target = None
	}
	for i, at := range settle(identities(targets), p.shift) {
		w := targets[i].Weight
		if w == 0 {
			continue // it keeps its place, so that a weight may come back without moving anybody
		}
		level, part := heightOf(w)
		p.places[at] = place{target: int32(i), level: int32(level), part: part}
		p.from = min(p.from, level)
		if w < MaxWeight {
			p.levels = max(p.levels, level+1)
		}
	}
	return p
}

// settle gives every identity a place of its own: in order of identity, the first free one in its own sequence.
func settle(ids []uint64, shift uint) []uint64 {
	places := make([]uint64, len(ids))
	taken := make(map[uint64]bool, len(ids))
	for _, i := range byIdentity(ids) {
		sequence := dice(ids[i])
		at := sequence.next() >> shift
		for taken[at] {
			at = sequence.next() >> shift
		}
		taken[at] = true
		places[i] = at
	}
	return places
}

func byIdentity(ids []uint64) []int {
	order := make([]int, len(ids))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(ids[a], ids[b]) })
	return order
}

// heightOf says where the heights end that a weight above 0 accepts.
func heightOf(weight int) (level int, part uint64) {
	if weight == MaxWeight {
		return 0, 1 << 32
	}
	for weight<<(level+1) < MaxWeight {
		level++
	}
	beyond := uint64(weight<<(level+1) - MaxWeight) // above 2^−(level+1), in hundredths of 2^−(level+1)
	return level, beyond << 32 / MaxWeight
}

func (p *slots) Pick(in Input, ok Set) int {
	var atMost heights
	for block := range uint64(tryBlocks) {
		atMost.draw(in.Key, block, p.levels)
		for tries := atMost[p.from]; tries != 0; tries &= tries - 1 {
			t := bits.TrailingZeros64(tries)
			h := finish(in.Key + golden*(block*64+uint64(t)+1))
			at := &p.places[h>>p.shift]
			if i := int(at.target); i != None && ok.Has(i) && at.accepts(&atMost, t, h) {
				return i
			}
		}
	}
	return p.rendezvous.Pick(in, ok)
}

func (at *place) accepts(atMost *heights, t int, h uint64) bool {
	if atMost[at.level+1]>>t&1 != 0 {
		return true
	}
	return atMost[at.level]>>t&1 != 0 && h&math.MaxUint32 < at.part
}

// heights says of 64 tries at once how high they are: bit t of heights[l] is set if try t is below 2^−l. Where exactly
// between two levels it is, the low half of the try's own hash tells.
type heights [maxLevels + 1]uint64

// draw fills in as many levels as are in use; a pool of full weights accepts every height and needs none.
func (s *heights) draw(key, block uint64, levels int) {
	s[0] = math.MaxUint64
	words := dice(finish(key^golden) + golden*block*maxLevels)
	for l := range levels {
		s[l+1] = s[l] & words.next()
	}
}
