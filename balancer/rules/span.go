package rules

import (
	"slices"
	"sort"
)

// span is a range of values, both ends included.
type span[T any] struct{ low, high T }

// merge sorts spans and joins those that overlap.
func merge[T any](spans []span[T], compare func(a, b T) int) []span[T] {
	sorted := slices.Clone(spans)
	slices.SortFunc(sorted, func(a, b span[T]) int { return compare(a.low, b.low) })
	merged := sorted[:1]
	for _, s := range sorted[1:] {
		top := &merged[len(merged)-1]
		if compare(s.low, top.high) > 0 {
			merged = append(merged, s)
		} else if compare(s.high, top.high) > 0 {
			top.high = s.high
		}
	}
	return merged
}

// within reports whether one of the spans, as merge made them, holds v.
func within[T any](spans []span[T], v T, compare func(a, b T) int) bool {
	i := sort.Search(len(spans), func(i int) bool { return compare(spans[i].high, v) >= 0 })
	return i < len(spans) && compare(spans[i].low, v) <= 0
}
