package steeringtest

import (
	"math"
	"testing"
)

// Critical values as in any table of the distribution.
func TestUpperTailAgreesWithTables(t *testing.T) {
	for _, c := range []struct {
		df   int
		x2   float64
		tail float64
	}{
		{1, 3.841459, 0.05},
		{1, 10.8276, 0.001},
		{1, 1.570797e-6, 0.999},
		{2, 5.991465, 0.05},
		{2, 27.6310, 1e-6},
		{4, 0.0908040, 0.999},
		{7, 24.3219, 0.001},
		{9, 16.9190, 0.05},
		{15, 37.6973, 0.001},
		{31, 44.9853, 0.05},
		{63, 103.4424, 0.001},
	} {
		got := UpperTail(c.x2, c.df)
		if math.Abs(got-c.tail) > 1e-4*c.tail {
			t.Errorf("df %d: the upper tail at %v is %.7g; tables say %v", c.df, c.x2, got, c.tail)
		}
	}
}

// The cube root of a χ² variable over its mean is nearly normal (Wilson and Hilferty 1931).
func TestUpperTailAgreesWithTheNormalApproximation(t *testing.T) {
	for _, df := range []int{10, 50, 255, 1023, 9999} {
		for _, z := range []float64{-3.09, -1, 0, 1, 3.09, 4.75} {
			s := 2 / (9 * float64(df))
			x2 := float64(df) * math.Pow(1-s+z*math.Sqrt(s), 3)
			want := math.Erfc(z/math.Sqrt2) / 2
			if got := UpperTail(x2, df); math.Abs(got/want-1) > 1.5/math.Sqrt(float64(df)) {
				t.Errorf("df %d, z %v: the upper tail is %.4g; it must be near %.4g", df, z, got, want)
			}
		}
	}
}

// recorder is a testing.TB that remembers only whether it failed.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper()               {}
func (r *recorder) Errorf(string, ...any) { r.failed = true }

func TestGatesRefuse(t *testing.T) {
	thirds := []float64{0.25, 0.25, 0.5}
	for _, c := range []struct {
		name   string
		counts []int
		fits   bool
	}{
		{"a fair sample", []int{24_900, 25_200, 49_900}, true},
		{"a share too large", []int{26_000, 24_500, 49_500}, false},
		{"a round-robin", []int{25_000, 25_000, 50_000}, false},
		{"too few to say", []int{2, 2, 4}, false},
	} {
		r := &recorder{TB: t}
		if Fits(r, c.counts, thirds); r.failed == c.fits {
			t.Errorf("%s: fits is %v; it must be %v", c.name, !r.failed, c.fits)
		}
	}
	r := &recorder{TB: t}
	if Fits(r, []int{50_100, 49_900, 1}, []float64{0.5, 0.5, 0}); !r.failed {
		t.Error("a target of share 0 was counted, and passed")
	}
	r = &recorder{TB: t}
	if Independent(r, [][]int{{600, 400}, {400, 600}}); !r.failed {
		t.Error("a dependent table passed")
	}
	r = &recorder{TB: t}
	if Independent(r, [][]int{{520, 480}, {490, 510}}); r.failed {
		t.Error("an independent table failed")
	}
	r = &recorder{TB: t}
	if Binomial(r, 5600, 10_000, 0.5, 5); !r.failed {
		t.Error("twelve standard deviations passed")
	}
}
