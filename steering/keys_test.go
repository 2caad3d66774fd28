package steering_test

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/weirlb/weir/steering"
	"github.com/weirlb/weir/steering/steeringtest"
)

// Keys must not change from one release to the next: every client would move.
func TestSaltsAreHashesOfTheirNames(t *testing.T) {
	for name, salt := range map[string]steering.Salt{
		"weir steering": steering.SaltOrigin,
		"weir pools":    steering.SaltPool,
		"weir session":  steering.SaltSession,
	} {
		if want := steering.Salt(xxhash.Sum64String(name)); salt != want {
			t.Errorf("the salt %q is %#x; it must be %#x", name, salt, want)
		}
	}
}

func TestKeyIsXXH64OfSaltAndBytes(t *testing.T) {
	for address, raw := range map[string][]byte{
		"192.0.2.7":             {192, 0, 2, 7},
		"::ffff:192.0.2.7":      {192, 0, 2, 7},
		"2001:db8::7":           {0: 0x20, 1: 1, 2: 0x0d, 3: 0xb8, 15: 7},
		"fe80::1%eth0":          {0: 0xfe, 1: 0x80, 15: 1},
		"fe80::1":               {0: 0xfe, 1: 0x80, 15: 1},
		"::192.0.2.7":           {12: 192, 14: 2, 15: 7},
		"::ffff:192.0.2.7%eth0": {192, 0, 2, 7},
	} {
		salted := binary.LittleEndian.AppendUint64(nil, uint64(steering.SaltOrigin))
		want := xxhash.Sum64(append(salted, raw...))
		if got := steering.Key(netip.MustParseAddr(address), steering.SaltOrigin); got != want {
			t.Errorf("the key of %s is %#x; it must be %#x", address, got, want)
		}
	}
	if got := steering.Key(netip.Addr{}, steering.SaltPool); got != steering.Key(netip.IPv6Unspecified(), steering.SaltPool) {
		t.Errorf("the key of no address is %#x; it must be that of ::", got)
	}
}

// The salts of one address share no bits: each bit of one key agrees with each bit of the other half of the time.
func TestSaltsAreIndependent(t *testing.T) {
	const n = 1 << 16
	salts := []steering.Salt{steering.SaltOrigin, steering.SaltPool, steering.SaltSession}
	for a := range salts {
		for b := range a {
			agree := 0
			table := [][]int{make([]int, 8), make([]int, 8), make([]int, 8), make([]int, 8)}
			for i := range n {
				addr := sequential4(i)
				x, y := steering.Key(addr, salts[a]), steering.Key(addr, salts[b])
				agree += 64 - bits.OnesCount64(x^y)
				table[x>>62][y>>61]++
			}
			steeringtest.Binomial(t, agree, 64*n, 0.5, 5)
			steeringtest.Independent(t, table)
		}
	}
}

func TestHashIdentityKeepsPartsApart(t *testing.T) {
	seen := map[uint64][]string{}
	for _, parts := range [][]string{
		nil,
		{""},
		{"", ""},
		{"ab", "c"},
		{"a", "bc"},
		{"abc"},
		{"abc", ""},
		{"pool", "10.0.0.1", "80", ""},
		{"pool", "10.0.0.1", "8080", ""},
		{"pool", "10.0.0.1", "80", "vnet"},
	} {
		h := steering.HashIdentity(parts...)
		if other, taken := seen[h]; taken {
			t.Errorf("%q and %q hash alike", parts, other)
		}
		seen[h] = parts
	}
	if got, want := steering.HashIdentity("a"), xxhash.Sum64([]byte{1, 0, 0, 0, 0, 0, 0, 0, 'a'}); got != want {
		t.Errorf("the hash of one part is %#x; it must be %#x, that of its length and bytes", got, want)
	}
}

// Draws of consecutive seeds, purposes and numbers are uniform, top and bottom bits alike, and independent of the last.
func TestMix(t *testing.T) {
	const n = 200_000
	for _, c := range []struct {
		name string
		draw func(k uint64) uint64
	}{
		{"seeds", func(k uint64) uint64 { return steering.Mix(k, 1, 0) }},
		{"purposes", func(k uint64) uint64 { return steering.Mix(7, k, 0) }},
		{"numbers", func(k uint64) uint64 { return steering.Mix(7, 1, k) }},
		{"high seeds", func(k uint64) uint64 { return steering.Mix(k<<44, 0, 0) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			top, bottom := make([]int, 64), make([]int, 64)
			pairs := table(16, 16)
			ones := 0
			last := c.draw(0)
			for k := range uint64(n) {
				x := c.draw(k + 1)
				top[x>>58]++
				bottom[x&63]++
				pairs[last>>60][x>>60]++
				ones += bits.OnesCount64(x)
				last = x
			}
			steeringtest.Fits(t, top, even(64))
			steeringtest.Fits(t, bottom, even(64))
			steeringtest.Independent(t, pairs)
			steeringtest.Binomial(t, ones, 64*n, 0.5, 5)
		})
	}
	if steering.Mix(1, 2, 3) == steering.Mix(1, 3, 2) {
		t.Error("purpose and number can change places")
	}
}

func BenchmarkKey(b *testing.B) {
	for _, s := range []string{"192.0.2.7", "2001:db8::7"} {
		addr := netip.MustParseAddr(s)
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				steering.Key(addr, steering.SaltOrigin)
			}
		})
	}
}

func BenchmarkMix(b *testing.B) {
	k := uint64(0)
	for b.Loop() {
		k = steering.Mix(1, 2, k)
	}
}

// even is n equal shares.
func even(n int) []float64 {
	shares := make([]float64, n)
	for i := range shares {
		shares[i] = 1 / float64(n)
	}
	return shares
}

func table(rows, columns int) [][]int {
	t := make([][]int, rows)
	for r := range t {
		t[r] = make([]int, columns)
	}
	return t
}

// sequential4 is the i-th address of 10.0.0.0/8.
func sequential4(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}
