package steering

import "math/bits"

// Set is a set of target indexes, one bit each. Sets in a snapshot are shared: copy before changing one.
type Set []uint64

// NewSet returns an empty set with room for n targets.
func NewSet(n int) Set { return make(Set, (n+63)/64) }

// Has reports whether i is a member. i must be within the room of the set.
func (s Set) Has(i int) bool { return s[uint(i)/64]&(1<<(uint(i)%64)) != 0 }

// Add makes i a member.
func (s Set) Add(i int) { s[uint(i)/64] |= 1 << (uint(i) % 64) }

// Remove makes i no member.
func (s Set) Remove(i int) { s[uint(i)/64] &^= 1 << (uint(i) % 64) }

// Len counts the members.
func (s Set) Len() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// Empty reports whether there is no member.
func (s Set) Empty() bool {
	for _, w := range s {
		if w != 0 {
			return false
		}
	}
	return true
}

// each calls yield with every member, in order, until it returns false.
func (s Set) each(yield func(i int) bool) {
	for w, word := range s {
		for ; word != 0; word &= word - 1 {
			if !yield(w*64 + bits.TrailingZeros64(word)) {
				return
			}
		}
	}
}
