package load

import (
	"math/bits"
	"time"
)

// subBits sets the resolution: 2^subBits buckets per octave, so that a quantile is at most 1/32 too high.
const (
	subBits    = 5
	subBuckets = 1 << subBits
)

// Histogram counts durations in buckets that grow with the value, as an HDR histogram does. The zero value is empty and
// ready. It is not safe for use by several goroutines at once.
type Histogram struct {
	buckets  []int64 // grows to the largest value seen: 8 KiB hold up to 100 s
	count    int64
	sum      time.Duration
	min, max time.Duration
}

// Record adds one duration; a negative one counts as 0.
func (h *Histogram) Record(d time.Duration) {
	d = max(d, 0)
	i := bucket(d)
	for i >= len(h.buckets) {
		h.buckets = append(h.buckets, 0)
	}
	h.buckets[i]++
	if h.count == 0 || d < h.min {
		h.min = d
	}
	h.max = max(h.max, d)
	h.count++
	h.sum += d
}

// bucket numbers values below 2·subBuckets exactly and keeps the leading subBits+1 bits of the others.
func bucket(d time.Duration) int {
	v := uint64(d)
	octave := max(bits.Len64(v)-subBits-1, 0)
	return octave<<subBits + int(v>>octave)
}

// upper is the largest value of a bucket.
func upper(i int) time.Duration {
	octave := max(i>>subBits-1, 0)
	return time.Duration(uint64(i-octave<<subBits+1)<<octave - 1)
}

// Merge adds everything another histogram holds.
func (h *Histogram) Merge(other *Histogram) {
	if other.count == 0 {
		return
	}
	if h.count == 0 || other.min < h.min {
		h.min = other.min
	}
	h.max = max(h.max, other.max)
	h.count += other.count
	h.sum += other.sum
	for len(h.buckets) < len(other.buckets) {
		h.buckets = append(h.buckets, 0)
	}
	for i, n := range other.buckets {
		h.buckets[i] += n
	}
}

// Quantile returns a value that at least the share q (0 to 1) of the durations does not exceed, at most 1/32 above the
// exact one; 0 when nothing was recorded.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.count == 0 {
		return 0
	}
	rank := int64(q * float64(h.count))
	if float64(rank) < q*float64(h.count) {
		rank++
	}
	rank = min(max(rank, 1), h.count)
	for i, n := range h.buckets {
		if rank -= n; rank <= 0 {
			return max(min(upper(i), h.max), h.min)
		}
	}
	panic("BUG: a histogram's buckets hold less than its count")
}

// Count is the number of durations.
func (h *Histogram) Count() int64 { return h.count }

// Min is the exact smallest, 0 when nothing was recorded.
func (h *Histogram) Min() time.Duration { return h.min }

// Max is the exact largest, 0 when nothing was recorded.
func (h *Histogram) Max() time.Duration { return h.max }

// Mean is the exact mean, 0 when nothing was recorded.
func (h *Histogram) Mean() time.Duration {
	if h.count == 0 {
		return 0
	}
	return h.sum / time.Duration(h.count)
}

func (h *Histogram) clone() Histogram {
	c := *h
	c.buckets = append([]int64(nil), h.buckets...)
	return c
}
