package load

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestBucketsTileTheWholeRange(t *testing.T) {
	next := time.Duration(0)
	for i := 0; next >= 0; i++ {
		if b := bucket(next); b != i {
			t.Fatalf("%d is in bucket %d, want %d", next, b, i)
		}
		last := upper(i)
		if b := bucket(last); b != i {
			t.Fatalf("%d, the last of bucket %d, is in bucket %d", last, i, b)
		}
		if width := last - next; float64(width) > float64(next)/subBuckets {
			t.Fatalf("bucket %d from %d to %d is wider than 1/%d of its start", i, next, last, subBuckets)
		}
		if last == math.MaxInt64 {
			return
		}
		next = last + 1
	}
}

// Clever against dumb: the sorted list.
func TestQuantilesAgainstSortedValues(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 10, 1000} {
		var h, left, right Histogram
		var all []time.Duration
		for i := range n {
			d := time.Duration(math.Exp(dice.Float64() * 25))
			all = append(all, d)
			h.Record(d)
			if i%3 == 0 {
				left.Record(d)
			} else {
				right.Record(d)
			}
		}
		left.Merge(&right)
		left.Merge(&Histogram{})
		slices.Sort(all)
		for _, q := range []float64{0, 0.001, 0.5, 0.9, 0.99, 0.999, 1} {
			exact := all[max(0, int(math.Ceil(q*float64(n)))-1)]
			got := h.Quantile(q)
			if got < exact || float64(got) > float64(exact)*(1+1.0/subBuckets) {
				t.Errorf("n=%d q=%v: %v, exactly %v", n, q, got, exact)
			}
			if merged := left.Quantile(q); merged != got {
				t.Errorf("n=%d q=%v: %v after merging, want %v", n, q, merged, got)
			}
		}
		if h.Min() != all[0] || h.Max() != all[n-1] || h.Count() != int64(n) || left.Mean() != h.Mean() {
			t.Errorf("n=%d: %v..%v, %d, %v", n, h.Min(), h.Max(), h.Count(), h.Mean())
		}
	}
}

func TestEmptyAndOddValues(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Mean() != 0 || h.Max() != 0 {
		t.Error("an empty histogram is not 0 everywhere")
	}
	h.Record(-time.Second)
	if h.Quantile(1) != 0 || h.Count() != 1 {
		t.Error("a negative duration is not 0")
	}
}

func BenchmarkRecord(b *testing.B) {
	var h Histogram
	for i := 0; b.Loop(); i++ {
		h.Record(time.Duration(i%1000) * time.Microsecond)
	}
}
