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
	weights []uint8
	equal   bool // all weights but 0 are equal
	weighed Set  // the targets whose weight is not 0
}

type entry struct {
	identity uint64 // distinct within the pool
	perRate  uint64 // 2⁶³/weight
}

// after is the time of a lot of rate 1, when the rate is the target's weight.
func (e *entry) after(lot uint64) uint64 {
	time, _ := bits.Mul64(lot, e.perRate)
	return time
}

func newRendezvous(targets []Target) rendezvous {
	r := rendezvous{
		entries: make([]entry, len(targets)),
		weights: weights(targets),
		equal:   true,
		weighed: NewSet(len(targets)),
	}
	first := 0
	for i, identity := range identities(targets) {
		w := targets[i].Weight
		if w == 0 {
			continue
		}
		if first == 0 {
			first = w
		}
		r.entries[i] = entry{identity: identity, perRate: 1 << 63 / uint64(w)}
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
		word &= p.weighed[w]
		for i := w * 64; word != 0; i, word = i+1, word>>1 {
			if word&1 == 0 {
				continue
			}
			if h := finish(key ^ p.entries[i].identity); h >= bestHash {
				best, bestHash = i, h
			}
		}
	}
	return best
}

// earliest looks at bounds first: a lot −ln u is never less than 1 − u, and hardly more where it matters. When even the
// second best bound is above the lot of the target with the best one, that target has won; otherwise all lots are drawn.
// The loop has no branches that depend on hashes, and integers throughout: they are exact and the same on every CPU.
func (p *rendezvous) earliest(key uint64, ok Set) int {
	best := None
	bestBound, secondBound := uint64(math.MaxUint64), uint64(math.MaxUint64)
	for w, word := range ok {
		word &= p.weighed[w]
		for i := w * 64; word != 0; i, word = i+1, word>>1 {
			if word&1 == 0 {
				continue
			}
			e := &p.entries[i]
			bound := e.after(short(finish(key ^ e.identity)))
			secondBound = min(secondBound, max(bestBound, bound))
			if bound < bestBound {
				best, bestBound = i, bound
			}
		}
	}
	if best == None {
		return None
	}
	e := &p.entries[best]
	h := finish(key ^ e.identity)
	time := e.after(exponential(h))
	if time < secondBound {
		return best
	}
	return p.earlier(best, h, time, key, ok)
}

// earlier is the earliest target when best, with its hash and time, is known to be one of the earliest.
func (p *rendezvous) earlier(best int, bestHash, bestTime, key uint64, ok Set) int {
	for i := range ok.each {
		if i == best || !p.weighed.Has(i) {
			continue
		}
		e := &p.entries[i]
		h := finish(key ^ e.identity)
		if e.after(short(h)) > bestTime {
			continue
		}
		if time := e.after(exponential(h)); time < bestTime || time == bestTime && h > bestHash {
			best, bestHash, bestTime = i, h, time
		}
	}
	return best
}

// Shares are over all keys.
func (p *rendezvous) Shares(_ Input, ok Set, dst []float64) []float64 {
	return shareOut(ok, dst, func(i int) float64 {
		return float64(p.weights[i])
	})
}
