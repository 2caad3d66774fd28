package shedding

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"net/netip"

	"github.com/cespare/xxhash/v2"
)

// Policies for requests without a session, as the API spells them. Sessions are always shed by hash.
const (
	Random = "random"
	Hash   = "hash"
)

// Shedder says "not this share of traffic, not here". It is immutable and small enough to pass by value. The zero value
// sheds nothing.
type Shedder struct {
	salt     uint64
	defaults threshold
	sessions threshold
	byHash   bool
}

// New compiles the load shedding of one pool. Percentages are 0 to 100; defaultPolicy is Random, Hash or empty, which is
// Random as in the API. Anything else is a bug: configuration is validated before.
func New(defaultPercent float64, defaultPolicy string, sessionPercent float64, poolID string) Shedder {
	if defaultPolicy != "" && defaultPolicy != Random && defaultPolicy != Hash {
		panic(fmt.Sprintf("BUG: load shedding of pool %s: policy %q passed validation", poolID, defaultPolicy))
	}
	return Shedder{
		salt:     xxhash.Sum64String("weir shed " + poolID),
		defaults: newThreshold(defaultPercent),
		sessions: newThreshold(sessionPercent),
		byHash:   defaultPolicy == Hash,
	}
}

// Sheds reports whether a request is turned away from the pool. client is the resolved client; draw is fresh random bits,
// which only the random policy looks at. session says that the request is pinned to the pool already. Ask once per pool
// and request: under random, asking again would be another roll.
func (s Shedder) Sheds(client netip.Addr, session bool, draw uint64) bool {
	t := s.defaults
	if session {
		t = s.sessions
	}
	switch {
	case t.all:
		return true
	case t.below == 0:
		return false
	case session || s.byHash:
		return bucket(client, s.salt) < t.below
	default:
		return draw < t.below
	}
}

// bucket is where a client stands in a pool: XXH64, seed 0, of the pool's salt (8 bytes, little-endian) and the 4 or 16
// bytes of the address. IPv4 mapped into IPv6 is IPv4, and a zone does not count. The pool's salt keeps two pools at 50 %
// from shedding the same clients, and shedding from choosing the origin.
func bucket(client netip.Addr, salt uint64) uint64 {
	var b [24]byte
	binary.LittleEndian.PutUint64(b[:], salt)
	client = client.Unmap()
	if client.Is4() {
		a := client.As4()
		copy(b[8:], a[:])
		return xxhash.Sum64(b[:12])
	}
	a := client.As16()
	copy(b[8:], a[:])
	return xxhash.Sum64(b[:])
}

// threshold is a percentage as a part of 2⁶⁴, which is one more than it can hold.
type threshold struct {
	below uint64
	all   bool
}

func newThreshold(percent float64) threshold {
	if !(percent >= 0 && percent <= 100) {
		panic(fmt.Sprintf("BUG: load shedding of %v %% passed validation", percent))
	}
	if percent == 100 {
		return threshold{all: true}
	}
	part := new(big.Rat).SetFloat64(percent)
	part.Mul(part, new(big.Rat).SetFrac(new(big.Int).Lsh(big.NewInt(1), 64), big.NewInt(100)))
	return threshold{below: new(big.Int).Quo(part.Num(), part.Denom()).Uint64()}
}

// Roll is what Sheds decides by, for people: a number from 0 to 100, and the request is shed when it is below the
// percentage.
func (s Shedder) Roll(client netip.Addr, session bool, draw uint64) float64 {
	if session || s.byHash {
		draw = bucket(client, s.salt)
	}
	return float64(draw) / (1 << 64) * 100
}
