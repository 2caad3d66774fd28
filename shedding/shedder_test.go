package shedding_test

import (
	"fmt"
	"math"
	"net/netip"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/weirlb/weir/shedding"
	"github.com/weirlb/weir/steering"
	"github.com/weirlb/weir/steering/steeringtest"
)

// client is the k-th of some clients, IPv4 and IPv6 in turn.
func client(k int) netip.Addr {
	if k%2 == 0 {
		return netip.AddrFrom4([4]byte{10, byte(k >> 16), byte(k >> 8), byte(k)})
	}
	return netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 2: 0x0d, 3: 0xb8, 5: byte(k >> 16), 6: byte(k >> 8), 7: byte(k), 15: 1})
}

func draw(k int) uint64 { return steering.Mix(51, 1, uint64(k)) }

var percentages = []float64{0.01, 1, 10, 33.3, 50, 90, 99.99}

// Behaviour L1: under random each request is shed with the percentage, whoever asks.
func TestRandomShedsRequests(t *testing.T) {
	const n = 200_000
	for _, percent := range percentages {
		for _, policy := range []string{shedding.Random, ""} {
			s := shedding.New(percent, policy, 0, "pool")
			shed := 0
			for k := range n {
				if s.Sheds(client(0), false, draw(k)) {
					shed++
				}
			}
			steeringtest.Binomial(t, shed, n, percent/100, 5)
		}
	}
}

// Behaviour L2: under hash that share of the clients is shed, whatever is drawn.
func TestHashShedsClients(t *testing.T) {
	const n = 200_000
	for _, percent := range percentages {
		s := shedding.New(percent, shedding.Hash, 0, "pool")
		shed := 0
		for k := range n {
			sheds := s.Sheds(client(k), false, draw(k))
			if sheds {
				shed++
			}
			if s.Sheds(client(k), false, draw(k+n)) != sheds {
				t.Fatalf("at %v %% client %s is shed by one draw and not by another", percent, client(k))
			}
		}
		steeringtest.Binomial(t, shed, n, percent/100, 5)
	}
}

// Behaviour L7 and its opposite: all means all, none means none, whatever the hash and the draw.
func TestAllAndNothing(t *testing.T) {
	for _, c := range []struct {
		name               string
		defaults, sessions float64
		session, want      bool
	}{
		{"100 % of new traffic: a graceful drain", 100, 0, false, true},
		{"0 % of sessions: the drain leaves them", 100, 0, true, false},
		{"0 % of new traffic", 0, 100, false, false},
		{"100 % of sessions", 0, 100, true, true},
	} {
		for _, policy := range []string{shedding.Random, shedding.Hash} {
			s := shedding.New(c.defaults, policy, c.sessions, "pool")
			for k := range 10_000 {
				for _, d := range []uint64{0, math.MaxUint64, draw(k)} {
					if s.Sheds(client(k), c.session, d) != c.want {
						t.Fatalf("%s, %s: client %s with draw %#x is shed: %v", c.name, policy, client(k), d, !c.want)
					}
				}
			}
		}
	}
	if (shedding.Shedder{}).Sheds(client(0), false, 0) || (shedding.Shedder{}).Sheds(client(0), true, 0) {
		t.Error("the zero Shedder sheds")
	}
}

// Behaviour L2: raising the percentage only adds, lowering it only takes away: exactly, under both policies.
func TestShedSetsAreNested(t *testing.T) {
	for _, policy := range []string{shedding.Random, shedding.Hash} {
		last := shedding.New(0, policy, 0, "pool")
		for _, percent := range []float64{0.01, 0.02, 1, 1.5, 10, 33.3, 50, 50.01, 90, 99.99, 100} {
			next := shedding.New(percent, policy, percent, "pool")
			for k := range 20_000 {
				if last.Sheds(client(k), false, draw(k)) && !next.Sheds(client(k), false, draw(k)) {
					t.Fatalf("%s: raised to %v %%, client %s is shed no more", policy, percent, client(k))
				}
			}
			last = next
		}
	}
}

// Behaviour L3: sessions are shed by hash even where the default is random, each for ever or never, and are a subset of
// the clients that a larger default percentage sheds by hash.
func TestSessionsAreShedByTheSameHash(t *testing.T) {
	const n = 100_000
	byRandom := shedding.New(50, shedding.Random, 30, "pool")
	byHash := shedding.New(30.5, shedding.Hash, 30, "pool")
	shed := 0
	for k := range n {
		first := byRandom.Sheds(client(k), true, draw(k))
		if first {
			shed++
		}
		for request := range 3 {
			if byRandom.Sheds(client(k), true, draw(n+3*k+request)) != first {
				t.Fatalf("session of %s is shed at one request and not at another", client(k))
			}
		}
		if byHash.Sheds(client(k), true, 0) != first {
			t.Fatalf("the default policy changes whether the session of %s is shed", client(k))
		}
		if first && !byHash.Sheds(client(k), false, 0) {
			t.Fatalf("%s is shed with a session at 30 %% and not without one at 30.5 %%", client(k))
		}
	}
	steeringtest.Binomial(t, shed, n, 0.3, 5)
}

// Behaviour L2: who is shed says nothing about the origin that the others are sent to.
func TestSheddingIsIndependentOfSteering(t *testing.T) {
	const n = 200_000
	for _, percent := range []float64{10, 50} {
		for _, origins := range []int{2, 5, 100} {
			targets := steeringtest.Targets(make([]int, origins)...)
			p := steeringtest.Compile(t, steering.Hash, steering.Equal(targets))
			s := shedding.New(percent, shedding.Hash, 0, "pool")
			ok := steeringtest.All(origins)
			table := [][]int{make([]int, origins), make([]int, origins)}
			for k := range n {
				i := p.Pick(steering.Input{Key: steering.Key(client(k), steering.SaltOrigin)}, ok)
				table[row(s.Sheds(client(k), false, 0))][i]++
			}
			steeringtest.Independent(t, table)
		}
	}
}

// Behaviour L5: pools shed different clients: of two pools at 50 % a quarter of the clients is shed by both.
func TestPoolsShedIndependently(t *testing.T) {
	const n = 200_000
	pools := []string{"17b5962d775c646f3f9725cbc7a53df4", "9290f38c5d07c2e2f4df57b1f61d4196", "pool-1", "pool-2"}
	for a := range pools {
		for b := range a {
			first, second := shedding.New(50, shedding.Hash, 0, pools[a]), shedding.New(50, shedding.Hash, 0, pools[b])
			table := [][]int{{0, 0}, {0, 0}}
			for k := range n {
				table[row(first.Sheds(client(k), false, 0))][row(second.Sheds(client(k), false, 0))]++
			}
			steeringtest.Independent(t, table)
			steeringtest.Binomial(t, table[1][1], n, 0.25, 5)
		}
	}
}

func row(shed bool) int {
	if shed {
		return 1
	}
	return 0
}

func TestMappedIPv4IsIPv4(t *testing.T) {
	s := shedding.New(50, shedding.Hash, 0, "pool")
	for k := 0; k < 2000; k += 2 {
		mapped := netip.AddrFrom16(client(k).As16())
		if s.Sheds(client(k), false, 0) != s.Sheds(mapped, false, 0) {
			t.Fatalf("%s is shed differently from %s", client(k), mapped)
		}
	}
	link, zoned := netip.MustParseAddr("fe80::1"), netip.MustParseAddr("fe80::1%eth0")
	for _, pool := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		s := shedding.New(50, shedding.Hash, 0, pool)
		if s.Sheds(link, false, 0) != s.Sheds(zoned, false, 0) {
			t.Fatalf("pool %s: a zone makes a difference", pool)
		}
	}
}

// The rule can be computed elsewhere: XXH64 of the salt and the address, against the percentage of 2⁶⁴. It must not change
// from one release to the next.
func TestTheRuleIsFrozen(t *testing.T) {
	const pool, quarter = "pool", uint64(1) << 62
	salt := xxhash.Sum64String("weir shed " + pool)
	s := shedding.New(25, shedding.Hash, 0, pool)
	for k := 0; k < 1000; k += 2 {
		raw := client(k).As4()
		salted := make([]byte, 8, 12)
		for i := range salted {
			salted[i] = byte(salt >> (8 * i))
		}
		if want := xxhash.Sum64(append(salted, raw[:]...)) < quarter; s.Sheds(client(k), false, 0) != want {
			t.Fatalf("client %s is shed: %v", client(k), !want)
		}
	}
	if s := shedding.New(25, shedding.Random, 0, pool); !s.Sheds(client(0), false, quarter-1) || s.Sheds(client(0), false, quarter) {
		t.Error("25 % is not exactly a quarter of all draws")
	}
}

func TestNewRefusesWhatValidationLetsThrough(t *testing.T) {
	for _, c := range []struct {
		defaults float64
		policy   string
		sessions float64
	}{
		{-1, shedding.Hash, 0},
		{100.5, shedding.Hash, 0},
		{math.NaN(), shedding.Hash, 0},
		{0, shedding.Hash, math.Inf(1)},
		{10, "round_robin", 0},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("New made a Shedder of it")
				}
			}()
			shedding.New(c.defaults, c.policy, c.sessions, "pool")
		})
	}
}

func TestShedsDoesNotAllocate(t *testing.T) {
	v4, v6 := client(0), client(1)
	for _, s := range []shedding.Shedder{
		{}, shedding.New(50, shedding.Random, 50, "pool"), shedding.New(50, shedding.Hash, 50, "pool"),
	} {
		if allocs := testing.AllocsPerRun(100, func() {
			s.Sheds(v4, false, 1)
			s.Sheds(v6, false, 1)
			s.Sheds(v6, true, 1)
		}); allocs != 0 {
			t.Errorf("three answers allocate %v times", allocs)
		}
	}
}

func BenchmarkSheds(b *testing.B) {
	for _, c := range []struct {
		name    string
		shedder shedding.Shedder
		client  netip.Addr
	}{
		{"none", shedding.Shedder{}, client(0)},
		{"random", shedding.New(50, shedding.Random, 0, "pool"), client(0)},
		{"hash/v4", shedding.New(50, shedding.Hash, 0, "pool"), client(0)},
		{"hash/v6", shedding.New(50, shedding.Hash, 0, "pool"), client(1)},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.shedder.Sheds(c.client, false, 1)
			}
		})
	}
}
