package steering

import (
	"encoding/binary"
	"net/netip"

	"github.com/cespare/xxhash/v2"
)

// Salt keeps the uses of one client's address apart: bits that shed a client or choose its pool must not choose its
// origin too. The values are fixed, so that restarts and replicas agree: XXH64 of "weir " and the name of the use.
type Salt uint64

// The uses of a client's address in steering. Shedding has salts of its own, one per pool.
const (
	SaltOrigin  Salt = 0xff81c75ccf132912 // "weir steering": an origin within a pool
	SaltPool    Salt = 0x126638fa8bcc52d4 // "weir pools": a pool within a load balancer
	SaltSession Salt = 0xc4be66ac19e85a1d // "weir session": anything that is kept per session
)

// Key hashes a client's address for one use: XXH64, seed 0, of the salt (8 bytes, little-endian) and the 4 or 16 bytes of
// the address. IPv4 mapped into IPv6 is IPv4; a zone does not count; the address counts in full length, never a prefix.
// The zero Addr hashes as "::".
func Key(addr netip.Addr, salt Salt) uint64 {
	var b [24]byte
	binary.LittleEndian.PutUint64(b[:], uint64(salt))
	addr = addr.Unmap()
	if addr.Is4() {
		a := addr.As4()
		copy(b[8:], a[:])
		return xxhash.Sum64(b[:12])
	}
	a := addr.As16()
	copy(b[8:], a[:])
	return xxhash.Sum64(b[:])
}

// HashIdentity hashes the parts that make up an identity: XXH64, seed 0, of each part after its length (8 bytes,
// little-endian), so that ("ab", "c") and ("a", "bc") differ. It is not for the hot path.
func HashIdentity(parts ...string) uint64 {
	var b []byte
	for _, p := range parts {
		b = binary.LittleEndian.AppendUint64(b, uint64(len(p)))
		b = append(b, p...)
	}
	return xxhash.Sum64(b)
}

// Mix is the k-th draw for a purpose in the life of one seed: a function, not a stream, so that a draw does not depend on
// which others were made. Seeds and purposes may be small and consecutive.
func Mix(seed, purpose, k uint64) uint64 {
	return finish(finish(finish(seed+golden)+golden*(purpose+1)) + golden*(k+1))
}

// golden is 2⁶⁴ divided by the golden ratio, made odd: the step of SplitMix64.
const golden = 0x9e3779b97f4a7c15

// finish is the finaliser of SplitMix64 (Stafford's variant 13): a bijection in which every input bit reaches every
// output bit.
func finish(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// dice is the stream of further draws within one pick: SplitMix64 from the input's draw, which was the first one.
type dice uint64

func (d *dice) next() uint64 {
	*d += golden
	return finish(uint64(*d))
}
