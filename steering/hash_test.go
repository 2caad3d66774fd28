package steering_test

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"testing"

	"github.com/weirlb/weir/steering"
	"github.com/weirlb/weir/steering/steeringtest"
)

// eight weights of very different size.
var eight = []int{100, 50, 25, 25, 10, 5, 2, 1}

// mapping is where each of n keys goes, by identity, so that mappings of different lists can be compared.
func mapping(t *testing.T, targets []steering.Target, n int, closed ...uint64) []uint64 {
	t.Helper()
	p := steeringtest.Compile(t, steering.Hash, targets)
	ok := steeringtest.Only(len(targets), func(i int) bool { return !slices.Contains(closed, targets[i].Identity) })
	to := make([]uint64, n)
	for k := range to {
		i := p.Pick(steering.Input{Key: steering.Mix(31, 1, uint64(k))}, ok)
		if i == steering.None || !ok.Has(i) {
			t.Fatalf("key %d goes to %d, which is not open", k, i)
		}
		to[k] = targets[i].Identity
	}
	return to
}

// moved counts the keys that changed their target, and among them those that neither left nor reached one of changed.
func moved(before, after []uint64, changed ...uint64) (moves, extra int) {
	for k := range before {
		if before[k] == after[k] {
			continue
		}
		moves++
		if !slices.Contains(changed, before[k]) && !slices.Contains(changed, after[k]) {
			extra++
		}
	}
	return moves, extra
}

// pools of every kind: equal and unequal, few and many, light and heavy.
func hashPools() map[string][]steering.Target {
	unequal := func(n, step int) []int {
		w := make([]int, n)
		for i := range w {
			w[i] = 1 + i*step%steering.MaxWeight
		}
		return w
	}
	return map[string][]steering.Target{
		"eight unequal":        steeringtest.Targets(eight...),
		"five equal":           steeringtest.Targets(100, 100, 100, 100, 100),
		"sixty-four unequal":   steeringtest.Targets(unequal(64, 37)...),
		"ninety equal":         steeringtest.Targets(slices.Repeat([]int{100}, 90)...),
		"a hundred light":      steeringtest.Targets(slices.Repeat([]int{1}, 100)...),
		"two hundred unequal":  steeringtest.Targets(unequal(200, 37)...),
		"a hundred and 1 to 3": steeringtest.Targets(slices.Repeat([]int{1, 2, 3, 3}, 26)...),
	}
}

// Behaviour S6: what happens to one target moves no key between two others. The counts of such moves are exactly 0.
func TestHashMovesNoMoreThanItMust(t *testing.T) {
	const keys = 10_000
	for name, targets := range hashPools() {
		t.Run(name, func(t *testing.T) {
			before := mapping(t, targets, keys)
			for _, i := range []int{0, len(targets) / 2, len(targets) - 1} {
				it := targets[i].Identity
				t.Run(fmt.Sprintf("target %d fails", i), func(t *testing.T) {
					after := mapping(t, targets, keys, it)
					if moves, extra := moved(before, after, it); extra != 0 || moves != count(before, it) {
						t.Errorf("%d keys moved, %d of them needlessly; %d had to", moves, extra, count(before, it))
					}
					again := mapping(t, targets, keys)
					if moves, _ := moved(before, again); moves != 0 {
						t.Errorf("%d keys did not come back", moves)
					}
				})
				t.Run(fmt.Sprintf("two fail, %d among them", i), func(t *testing.T) {
					other := targets[(i+1)%len(targets)].Identity
					first := mapping(t, targets, keys, it)
					if _, extra := moved(first, mapping(t, targets, keys, it, other), other); extra != 0 {
						t.Errorf("%d keys moved needlessly at the second failure", extra)
					}
				})
				for _, w := range []int{0, 1, 2, 7, 40, 63, 100} {
					t.Run(fmt.Sprintf("target %d weighs %d", i, w), func(t *testing.T) {
						edited := slices.Clone(targets)
						edited[i].Weight = w
						after := mapping(t, edited, keys)
						if moves, extra := moved(before, after, it); extra != 0 {
							t.Errorf("%d of %d moved keys moved between other targets", extra, moves)
						}
						if w > targets[i].Weight && left(before, after, it) > 0 {
							t.Errorf("%d keys left the target whose weight was raised", left(before, after, it))
						}
						if w < targets[i].Weight && left(after, before, it) > 0 {
							t.Errorf("%d keys came to the target whose weight was lowered", left(after, before, it))
						}
					})
				}
			}
			t.Run("the list is turned round", func(t *testing.T) {
				turned := slices.Clone(targets)
				slices.Reverse(turned)
				if moves, _ := moved(before, mapping(t, turned, keys)); moves != 0 {
					t.Errorf("%d keys moved", moves)
				}
			})
		})
	}
}

func count(mapping []uint64, identity uint64) (n int) {
	for _, to := range mapping {
		if to == identity {
			n++
		}
	}
	return n
}

// left counts the keys that were at identity and are not any more.
func left(before, after []uint64, identity uint64) (n int) {
	for k := range before {
		if before[k] == identity && after[k] != identity {
			n++
		}
	}
	return n
}

// Behaviour S6: a newcomer takes its share from all and nothing else moves; when it goes, everything returns.
func TestHashMovesKeysOnlyToNewcomers(t *testing.T) {
	const keys = 50_000
	for _, n := range []int{1, 2, 8, 40, 63} {
		targets := steeringtest.Targets(slices.Repeat(eight, 8)[:n+1]...)
		newcomer := targets[n].Identity
		moves, extra := moved(mapping(t, targets[:n], keys), mapping(t, targets, keys), newcomer)
		share := shareOf(t, targets, n)
		if extra != 0 {
			t.Errorf("%d and one: %d keys moved between other targets", n, extra)
		}
		steeringtest.Binomial(t, moves, keys, share, 5)
	}
}

func shareOf(t *testing.T, targets []steering.Target, i int) float64 {
	t.Helper()
	n := len(targets)
	return steeringtest.Compile(t, steering.Hash, targets).Shares(steering.Input{}, steeringtest.All(n), make([]float64, n))[i]
}

// Above 64 a newcomer may want the place of somebody, who then has to find another one. That is rare, and moves keys of
// these two only: about one in n, and of one newcomer in ten.
func TestHashNewcomersAboveSixtyFour(t *testing.T) {
	const n, keys = 100, 4_000
	targets := steeringtest.Targets(slices.Repeat([]int{100, 60}, 14)...)
	for i := range n - len(targets) {
		targets = append(targets, steering.Target{Identity: steering.HashIdentity("more", fmt.Sprint(i)), Weight: 100})
	}
	before := mapping(t, targets, keys)
	disturbing, extraKeys := 0, 0
	const newcomers = 200
	for i := range newcomers {
		newcomer := steering.Target{Identity: steering.HashIdentity("newcomer", fmt.Sprint(i)), Weight: 100}
		after := mapping(t, append(slices.Clone(targets), newcomer), keys)
		_, extra := moved(before, after, newcomer.Identity)
		extraKeys += extra
		if extra == 0 {
			continue
		}
		disturbing++
		displaced := func() uint64 { // whoever lost a key to somebody else than the newcomer and gained one, too
			for k := range before {
				if after[k] != before[k] && after[k] != newcomer.Identity {
					if _, rest := moved(before, after, newcomer.Identity, before[k]); rest == 0 {
						return before[k]
					}
					return after[k]
				}
			}
			return 0
		}()
		if _, rest := moved(before, after, newcomer.Identity, displaced); rest != 0 {
			t.Errorf("newcomer %d moved %d keys among targets that had nothing to do with it", i, rest)
		}
	}
	if disturbing == 0 || disturbing > newcomers/4 {
		t.Errorf("%d of %d newcomers disturbed another target; about one in ten is expected", disturbing, newcomers)
	}
	if mean := float64(extraKeys) / (keys * newcomers); mean > 0.005 {
		t.Errorf("a newcomer moves %.2g of the keys needlessly on average; at most 0.005 is expected", mean)
	}
}

// Behaviour S6: the two crossings. Passing 64 moves nearly all keys, doubling the table (at 128) about half of them.
func TestHashCrossings(t *testing.T) {
	const keys = 20_000
	for _, c := range []struct {
		n          int
		least, top float64
	}{
		{63, 0, 0.03},
		{64, 0.9, 1},
		{65, 0, 0.05},
		{127, 0, 0.03},
		{128, 0.35, 0.75},
		{129, 0, 0.03},
	} {
		targets := steeringtest.Targets(slices.Repeat([]int{100}, c.n+1)...)
		moves, _ := moved(mapping(t, targets[:c.n], keys), mapping(t, targets, keys))
		if part := float64(moves) / keys; part < c.least || part > c.top {
			t.Errorf("from %d to %d targets %.3f of the keys moved; it must be %v to %v", c.n, c.n+1, part, c.least, c.top)
		}
	}
}

// The keys of a failed target go to the others in proportion to their weights.
func TestHashFreedKeysFollowWeights(t *testing.T) {
	for name, targets := range hashPools() {
		t.Run(name, func(t *testing.T) {
			const keys = 150_000
			heaviest := slices.MaxFunc(targets, func(a, b steering.Target) int { return cmp.Compare(a.Weight, b.Weight) })
			gone := heaviest.Identity
			before, after := mapping(t, targets, keys), mapping(t, targets, keys, gone)
			freed := map[uint64]int{}
			for k := range before {
				if before[k] == gone {
					freed[after[k]]++
				}
			}
			// Many targets are put together in eight groups, so that there are keys enough for each.
			counts, shares, total := make([]int, 8), make([]float64, 8), 0.0
			for i, target := range targets {
				if target.Identity == gone {
					continue
				}
				counts[i%8] += freed[target.Identity]
				shares[i%8] += float64(target.Weight)
				total += float64(target.Weight)
			}
			for g := range shares {
				shares[g] /= total
			}
			steeringtest.Fits(t, counts, shares)
		})
	}
}

// families are addresses as they come: in order, in strides, at random.
func families() map[string]func(k int) netip.Addr {
	random := func(k int) (b [16]byte) {
		for i := range b {
			b[i] = byte(steering.Mix(37, uint64(k), uint64(i)))
		}
		return b
	}
	return map[string]func(k int) netip.Addr{
		"IPv4 in order":        sequential4,
		"IPv4 in steps of 256": func(k int) netip.Addr { return sequential4(k << 8) },
		"IPv4 at random": func(k int) netip.Addr {
			b := random(k)
			return netip.AddrFrom4([4]byte(b[:4]))
		},
		"IPv6 in order": func(k int) netip.Addr {
			return netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 2: 0x0d, 3: 0xb8, 13: byte(k >> 16), 14: byte(k >> 8), 15: byte(k)})
		},
		"IPv6 ::1 of networks at random": func(k int) netip.Addr {
			b := random(k)
			copy(b[8:], []byte{7: 1})
			return netip.AddrFrom16(b)
		},
	}
}

func TestHashSpreadsAddresses(t *testing.T) {
	const n = 1 << 16
	for name, address := range families() {
		for _, k := range []int{2, 3, 5, 10, 50, 100} {
			for _, skewed := range []bool{false, true} {
				weights := slices.Repeat([]int{100}, k)
				if skewed {
					for i := range weights {
						weights[i] = 10 + i*40%91
					}
				}
				t.Run(fmt.Sprintf("%s/%d/skewed %v", name, k, skewed), func(t *testing.T) {
					p := steeringtest.Compile(t, steering.Hash, steeringtest.Targets(weights...))
					ok := steeringtest.All(k)
					counts := make([]int, k)
					for i := range n {
						counts[p.Pick(steering.Input{Key: steering.Key(address(i), steering.SaltOrigin)}, ok)]++
					}
					steeringtest.Fits(t, counts, p.Shares(steering.Input{}, ok, make([]float64, k)))
				})
			}
		}
	}
}

func TestHashTakesMappedIPv4ForIPv4(t *testing.T) {
	for k := range 1000 {
		v4 := sequential4(k * 251)
		mapped := netip.AddrFrom16(v4.As16())
		if a, b := steering.Key(v4, steering.SaltOrigin), steering.Key(mapped, steering.SaltOrigin); a != b {
			t.Fatalf("%s has key %#x and %s %#x", v4, a, mapped, b)
		}
	}
}

// Every bit of an address matters as much as any other: after it is flipped, the target is another one as often as for
// an independent address, 1 − Σ share².
func TestHashAvalanche(t *testing.T) {
	const n, sigmas = 10_000, 4
	for name, targets := range map[string][]steering.Target{
		"eight unequal": steeringtest.Targets(eight...),
		"seventy":       steeringtest.Targets(slices.Repeat([]int{100}, 70)...),
	} {
		t.Run(name, func(t *testing.T) {
			p := steeringtest.Compile(t, steering.Hash, targets)
			ok := steeringtest.All(len(targets))
			other := 1.0
			for _, share := range p.Shares(steering.Input{}, ok, make([]float64, len(targets))) {
				other -= share * share
			}
			pick := func(a netip.Addr) int {
				return p.Pick(steering.Input{Key: steering.Key(a, steering.SaltOrigin)}, ok)
			}
			v6 := families()["IPv6 ::1 of networks at random"]
			flips4, flips6 := make([]int, 32), make([]int, 128)
			for k := range n {
				a4, a6 := sequential4(k).As4(), v6(k).As16()
				at4, at6 := pick(netip.AddrFrom4(a4)), pick(netip.AddrFrom16(a6))
				for bit := range flips4 {
					flipped := a4
					flipped[bit/8] ^= 1 << (bit % 8)
					if pick(netip.AddrFrom4(flipped)) != at4 {
						flips4[bit]++
					}
				}
				for bit := range flips6 {
					flipped := a6
					flipped[bit/8] ^= 1 << (bit % 8)
					if pick(netip.AddrFrom16(flipped)) != at6 {
						flips6[bit]++
					}
				}
			}
			for bit, flips := range slices.Concat(flips4, flips6) {
				z := (float64(flips) - n*other) / math.Sqrt(n*other*(1-other))
				if math.Abs(z) > sigmas {
					t.Errorf("bit %d changes the target of %.4f of the addresses; it must be %.4f", bit, float64(flips)/n, other)
				}
			}
		})
	}
}

// A key is bound to nothing but what it says: the frozen answers hold on every CPU and in every release.
func TestHashAnswersAreFrozen(t *testing.T) {
	for name, c := range map[string]struct {
		targets []steering.Target
		want    []int
	}{
		"equal":   {steeringtest.Targets(100, 100, 100, 100), []int{1, 3, 1, 1, 0, 2, 3, 3, 2, 2, 2, 2}},
		"unequal": {steeringtest.Targets(eight...), []int{1, 3, 4, 0, 4, 1, 0, 0, 0, 2, 1, 2}},
		"many":    {steeringtest.Targets(slices.Repeat(eight, 10)...), []int{11, 26, 0, 17, 24, 32, 69, 40, 56, 64, 32, 64}},
	} {
		p := steeringtest.Compile(t, steering.Hash, c.targets)
		ok := steeringtest.All(len(c.targets))
		var got []int
		for k := range 12 {
			got = append(got, p.Pick(steering.Input{Key: steering.Key(sequential4(k), steering.SaltOrigin)}, ok))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: 10.0.0.0 to 10.0.0.11 go to %v; they must go to %v", name, got, c.want)
		}
	}
}
