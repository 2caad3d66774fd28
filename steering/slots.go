package steering

import (
	"cmp"
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
	lowest int  // the lowest level in use: that of the largest weight
	levels int  // how many levels to draw
	blocks int  // how many times 64 tries to make
}

// place is who stands at a place, and with which weight; weight 0 for nobody. It is one word because a table of 40,000
// places has to stay close to the CPU.
type place uint32

func newPlace(target, weight int) place { return place(target<<8 | weight) }

func (p place) target() int { return int(p >> 8) }
func (p place) weight() int { return int(p & 0xff) }

const (
	// spread is the least number of places per target.
	spread = 4
	// leastBlocks of 64 tries are made at least: 16 tries that matter even when no weight is above 0.01. A key that none
	// accepts belongs to a pool that is mostly closed or very uneven; to look at all targets then takes as long as the
	// tries did. The number is the same in sickness and in health: tries that depended on it would move keys.
	leastBlocks = 16
)

func newSlots(targets []Target, r rendezvous) *slots {
	logSize := bits.Len(uint(spread*len(targets) - 1))
	p := &slots{rendezvous: r, places: make([]place, 1<<logSize), shift: uint(64 - logSize), lowest: maxLevels}
	p.blocks = max(leastBlocks, len(p.places)/1024)
	for i, at := range settle(identities(targets), p.shift) {
		// A target of weight 0 keeps its place, so that its weight may come back without moving anybody else.
		w := targets[i].Weight
		p.places[at] = newPlace(i, w)
		if w > 0 {
			p.lowest = min(p.lowest, bars[w].level)
		}
		if w > 0 && w < MaxWeight {
			p.levels = max(p.levels, bars[w].level+1)
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

func (p *slots) Pick(in Input, ok Set) int {
	var tries heights
	places, shift := p.places, p.shift%64
	key := in.Key
	for range p.blocks {
		tries.draw(key, p.levels)
		for left := tries[p.lowest]; left != 0; left &= left - 1 {
			t := bits.TrailingZeros64(left)
			h := finish(key + golden*uint64(t+1))
			at := places[h>>shift]
			if tries.below(&bars[at.weight()], t, h) && ok.Has(at.target()) {
				return at.target()
			}
		}
		key = finish(key ^ golden)
	}
	return p.rendezvous.Pick(in, ok)
}
