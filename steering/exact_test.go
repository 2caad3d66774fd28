package steering

import (
	"math"
	"math/big"
	"slices"
	"testing"
)

// These tests look inside: they hold the fast ways to the plain ones.

func plainTargets(n int, weight func(i int) int) []Target {
	targets := make([]Target, n)
	for i := range targets {
		targets[i] = Target{Identity: Mix(41, 1, uint64(i)), Weight: weight(i)}
	}
	return targets
}

// Every target owns exactly weight·columns of the table's area: the law of the alias table is not rounded.
func TestAliasTableIsExact(t *testing.T) {
	for _, n := range []int{1, 2, 3, 8, 9, 100, 1000} {
		targets := plainTargets(n, func(i int) int { return (i*37 + 1) % (MaxWeight + 1) })
		a := newAlias(targets)
		area := make([]uint64, len(a.columns))
		for c, col := range a.columns {
			area[c] += uint64(col.cut)
			area[col.other] += a.total - uint64(col.cut)
		}
		for i := range area {
			want := uint64(0)
			if i < n {
				want = uint64(targets[i].Weight * len(a.columns))
			}
			if area[i] != want {
				t.Errorf("of %d, target %d owns %d of the table; it must own %d", n, i, area[i], want)
			}
		}
	}
}

// spare is what 2^(64−used) leaves over when it is dealt out to total heights.
func TestSpare(t *testing.T) {
	for _, used := range []uint{0, 1, 3, 14} {
		for _, total := range []uint64{1, 3, 100, 12_345, 1_000_000} {
			over := new(big.Int).Lsh(big.NewInt(1), 64-used)
			over.Mod(over, new(big.Int).SetUint64(total))
			over.Lsh(over, used)
			if got := spare(total, used); over.Cmp(new(big.Int).SetUint64(got)) != 0 {
				t.Errorf("spare(%d, %d) is %d; it must be %v", total, used, got, over)
			}
		}
	}
}

func TestNegLogIsAccurate(t *testing.T) {
	check := func(x uint64) {
		want := -math.Log(float64(x) * 0x1p-49)
		if got := negLog(x); math.Abs(got-want) > 1e-15*(1+want) {
			t.Errorf("−ln(%d·2⁻⁴⁹) is %v; it must be %v", x, got, want)
		}
	}
	for k := range uint64(200_000) {
		check(odd(Mix(42, 1, k)))
		check(odd(Mix(42, 2, k) >> (k % 48)))
	}
	check(1)
	check(1<<49 - 1)
}

// The lot falls strictly as u rises, also where the table of logarithms changes cells, so that comparing hashes and
// comparing lots of equal weights is the same thing; and 1 − u is never above it.
func TestLotsFallStrictly(t *testing.T) {
	check := func(u uint64) {
		h, next := u<<16, (u+1)<<16
		e := entry{perRate: 1 << 63 / MaxWeight}
		if e.after(exponential(h)) <= e.after(exponential(next)) {
			t.Errorf("the lots of u = %d and %d (of 2⁴⁸) do not fall: %d, %d", u, u+1, exponential(h), exponential(next))
		}
		if short(h) > exponential(h) {
			t.Errorf("u = %d: the bound %d is above the lot %d", u, short(h), exponential(h))
		}
	}
	for octave := range uint(48) {
		for c := range uint64(1 << cellBits) {
			edge := (1<<cellBits + c) << octave >> cellBits
			for u := max(edge, 4) - 4; u < edge+4; u++ {
				check(u)
			}
		}
	}
	for u := range uint64(1000) {
		check(u)
		check(1<<48 - 2 - u)
	}
	for k := range uint64(200_000) {
		check(Mix(43, 1, k) >> 17)
	}
}

// dumb is rendezvous hashing as it is defined: everybody's lot, by −ln u/weight.
func (p *rendezvous) dumb(key uint64, ok Set) int {
	best, bestHash, bestTime := None, uint64(0), uint64(math.MaxUint64)
	for i, e := range p.entries {
		if !ok.Has(i) || p.weights[i] == 0 {
			continue
		}
		h := finish(key ^ e.identity)
		if time := e.after(exponential(h)); time < bestTime || time == bestTime && h > bestHash {
			best, bestHash, bestTime = i, h, time
		}
	}
	return best
}

func TestRendezvousIsTheDumbOne(t *testing.T) {
	for name, weight := range map[string]func(i int) int{
		"equal":      func(int) int { return 30 },
		"equal or 0": func(i int) int { return i % 3 * 25 % 50 },
		"unequal":    func(i int) int { return 1 + i*37%MaxWeight },
		"one heavy":  func(i int) int { return max(1, MaxWeight*(1-i)) },
	} {
		for _, n := range []int{2, 8, 64, 100} {
			p := newRendezvous(plainTargets(n, weight))
			for k := range uint64(20_000) {
				ok := Set{Mix(44, 1, k) | 1, Mix(44, 2, k) & (1<<36 - 1)}[:(n+63)/64]
				if n < 64 {
					ok[0] &= 1<<n - 1
				}
				in := Input{Key: Mix(44, 3, k)}
				if got, want := p.Pick(in, ok), p.dumb(in.Key, ok); got != want {
					t.Fatalf("%s, %d: key %d goes to %d; it must go to %d", name, n, k, got, want)
				}
			}
		}
	}
}

// dumb is slot rejection as it is defined: try after try, each with its height in full.
func (p *slots) dumb(key uint64, ok Set) int {
	first := key
	for range p.blocks {
		var all heights
		all.draw(key, maxLevels)
		for t := range 64 {
			h := finish(key + golden*uint64(t+1))
			at := p.places[h>>p.shift]
			level := 0
			for level < maxLevels && all[level+1]>>t&1 != 0 {
				level++
			}
			height := math.Ldexp(1, -level-1) * (1 + float64(h&math.MaxUint32)*0x1p-32) // in [2^−(level+1), 2^−level)
			if level == maxLevels {
				height = 0 // below every weight
			}
			if ok.Has(at.target()) && height < float64(at.weight())/MaxWeight-1e-10 {
				return at.target()
			}
		}
		key = finish(key ^ golden)
	}
	return p.rendezvous.dumb(first, ok)
}

// Whatever levels are skipped or not drawn: the answer is that of trying every height.
func TestSlotsAreTheDumbOnes(t *testing.T) {
	for name, weight := range map[string]func(i int) int{
		"full":          func(int) int { return MaxWeight },
		"full or 0":     func(i int) int { return i % 2 * MaxWeight },
		"light":         func(int) int { return 1 },
		"half":          func(int) int { return 50 },
		"heavy":         func(int) int { return 75 },
		"light to half": func(i int) int { return 1 + i*7%50 },
		"unequal":       func(i int) int { return i * 37 % (MaxWeight + 1) },
	} {
		targets := plainTargets(150, weight)
		p := newSlots(targets, newRendezvous(targets))
		for k := range uint64(5_000) {
			ok := Set{Mix(45, 1, k), Mix(45, 2, k), Mix(45, 3, k) & (1<<22 - 1)}
			in := Input{Key: Mix(45, 4, k)}
			if got, want := p.Pick(in, ok), p.dumb(in.Key, ok); got != want {
				t.Fatalf("%s: key %d goes to %d; it must go to %d", name, k, got, want)
			}
		}
	}
}

// A weight accepts exactly its part of all heights.
func TestBars(t *testing.T) {
	for w := 1; w <= MaxWeight; w++ {
		b := bars[w]
		reach := math.Ldexp(1+float64(b.part)*0x1p-32, -b.level-1)
		if math.Abs(reach-float64(w)/MaxWeight) > 1e-9*reach || b.level >= maxLevels {
			t.Errorf("weight %d reaches to %v (level %d)", w, reach, b.level)
		}
	}
}

// Places belong to identities: they are distinct, and the order of the list does not matter.
func TestSettle(t *testing.T) {
	ids := identities(plainTargets(1000, func(int) int { return 1 }))
	const shift = 64 - 12
	places := settle(ids, shift)
	if sorted := slices.Sorted(slices.Values(places)); len(slices.Compact(sorted)) != len(ids) || sorted[len(ids)-1] >= 1<<12 {
		t.Error("places are shared or beyond the table")
	}
	slices.Reverse(ids)
	turned := settle(ids, shift)
	slices.Reverse(turned)
	if !slices.Equal(places, turned) {
		t.Error("places depend on the order of the list")
	}
}

// Two targets of one identity are still two.
func TestEqualIdentitiesShare(t *testing.T) {
	targets := make([]Target, 70)
	for i := range targets {
		targets[i].Weight = MaxWeight
	}
	for _, n := range []int{2, 70} {
		p := newHash(targets[:n])
		ok := NewSet(n)
		for i := range n {
			ok.Add(i)
		}
		counts := make([]int, n)
		for k := range uint64(n) * 200 {
			counts[p.Pick(Input{Key: Mix(46, 1, k)}, ok)]++
		}
		if slices.Min(counts) < 100 {
			t.Errorf("of %d targets of one identity some get hardly anything: %v", n, counts)
		}
	}
}

// Of three heights in 2⁶² one draw per column is left over; it is replaced, and no other.
func TestAliasReplacesSpareDraws(t *testing.T) {
	a := newAlias(plainTargets(3, func(int) int { return 1 }))
	for column := range uint64(4) {
		for low, spare := range map[uint64]bool{0: true, 1: false, 1<<62 - 1: false} {
			var d dice
			a.draw(column<<62|low, &d)
			if rolled := d != 0; rolled != spare {
				t.Errorf("column %d, %d below it: the dice are rolled: %v", column, low, rolled)
			}
		}
	}
}

// A draw that stands for no height evenly is replaced, and the replacement comes from the dice.
func TestBelowReplacesSpareDraws(t *testing.T) {
	const n = 3 << 62 // a quarter of all draws are spare
	var d dice = 1
	if high := below(n, 0, &d); d == 1 || high >= n {
		t.Errorf("below(%d, 0) is %d and rolled the dice: %v", uint64(n), high, d != 1)
	}
	d = 1
	if high := below(10, math.MaxUint64, &d); high != 9 || d != 1 {
		t.Errorf("below(10, max) is %d and rolled the dice: %v", high, d != 1)
	}
}
