package steering

import (
	"math"
	"math/bits"
)

// rendezvousUpTo is the number of targets up to which hash looks at all of them for each pick.
const rendezvousUpTo = 64

func newHash(targets []Target) Picker {
	if !anyWeight(targets) {
		return nobody{}
	}
	r := newRendezvous(targets)
	if len(targets) <= rendezvousUpTo {
		return &r
	}
	return newSlots(targets, r)
}

// rendezvous is weighted rendezvous hashing: every target draws a lot from (key, identity), an exponential one whose rate
// is the target's weight, and the earliest open one wins (behaviour S5). A target's lot depends on nothing but the key
// and itself, so whatever happens to one target moves no key between others. Equal lots go by the hash, and hashes are
// never equal: identities are distinct and finish is a bijection.
type rendezvous struct {
	entries []entry
	equal   bool // all weights but 0 are equal
	weighed Set  // the targets whose weight is not 0
}

type entry struct {
	identity uint64  // distinct within the pool
	perRate  float64 // 1/weight
}

func newRendezvous(targets []Target) rendezvous {
	r := rendezvous{entries: make([]entry, len(targets)), equal: true, weighed: NewSet(len(targets))}
	first := 0
	for i, identity := range identities(targets) {
		w := targets[i].Weight
		if w == 0 {
			continue
		}
		if first == 0 {
			first = w
		}
		r.entries[i] = entry{identity: identity, perRate: 1 / float64(w)}
		r.equal = r.equal && w == first
		r.weighed.Add(i)
	}
	return r
}

// identities are those of targets, made distinct: the second and later targets of one identity get one of their own.
func identities(targets []Target) []uint64 {
	ids := make([]uint64, len(targets))
	taken := make(map[uint64]bool, len(targets))
	for i, t := range targets {
		id := finish(t.Identity)
		for taken[id] {
			id = finish(id + golden)
		}
		taken[id] = true
		ids[i] = id
	}
	return ids
}

func (p *rendezvous) Pick(in Input, ok Set) int {
	if p.equal {
		return p.highest(in.Key, ok)
	}
	return p.earliest(in.Key, ok)
}

// highest is what earliest answers when all weights are equal, for less: the lot falls as the hash rises.
func (p *rendezvous) highest(key uint64, ok Set) int {
	best, bestHash := None, uint64(0)
	for w, word := range ok {
		for word &= p.weighed[w]; word != 0; word &= word - 1 {
			i := w*64 + bits.TrailingZeros64(word)
			h := finish(key ^ p.entries[i].identity)
			if best == None || h > bestHash {
				best, bestHash = i, h
			}
		}
	}
	return best
}

func (p *rendezvous) earliest(key uint64, ok Set) int {
	best, bestHash, bestLot := None, uint64(0), math.Inf(1)
	for w, word := range ok {
		for word &= p.weighed[w]; word != 0; word &= word - 1 {
			i := w*64 + bits.TrailingZeros64(word)
			e := &p.entries[i]
			h := finish(key ^ e.identity)
			// −ln u is never less than 1 − u, which is to be had for less and settles nearly all of the cases.
			if short(h)*e.perRate > bestLot {
				continue
			}
			lot := exponential(h) * e.perRate
			if lot < bestLot || lot == bestLot && h > bestHash {
				best, bestHash, bestLot = i, h, lot
			}
		}
	}
	return best
}

// Shares are over all keys.
func (p *rendezvous) Shares(_ Input, ok Set, dst []float64) []float64 {
	return shareOut(ok, dst, func(i int) float64 {
		if !p.weighed.Has(i) {
			return 0
		}
		return 1 / p.entries[i].perRate
	})
}
