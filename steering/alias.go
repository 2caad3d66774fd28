package steering

import "math/bits"

// alias draws a target in proportion to its weight in constant time (Walker's alias method). The table has a power of two
// of columns, so that a column is the top bits of a draw, and its columns are cut in whole numbers of 1/total: the law is
// exact, not a rounding of it, and the same on every CPU.
//
//	column   0     1     2     3        each column is total high; below cut it belongs to
//	       ┌─────┬─────┬─────┬─────┐    the target of its own number, above to its alias
//	       │  2  │     │  0  │  2  │
//	       ├─────┤  1  ├─────┤     │    columns beyond the targets are all alias
//	       │  0  │     │  2  │     │
//	       └─────┴─────┴─────┴─────┘
type alias struct {
	columns []column
	total   uint64 // the sum of all weights
	shift   uint   // a draw shifted right by it is a column
	spare   uint64 // the draws that must be made again so that the rest divide evenly among total values
}

type column struct{ cut, other uint32 }

// newAlias builds the table in O(n). weights may not all be 0.
func newAlias(targets []Target) alias {
	logSize := uint(bits.Len(uint(len(targets) - 1)))
	a := alias{columns: make([]column, 1<<logSize), shift: 64 - logSize}
	for _, t := range targets {
		a.total += uint64(t.Weight)
	}
	a.spare = spare(a.total, logSize)

	// Scaled by the number of columns, the weights average total. Fill each column that is short from one that is long.
	left := make([]uint64, len(a.columns))
	var short, long []uint32
	for i := range left {
		if i < len(targets) {
			left[i] = uint64(targets[i].Weight) << logSize
		}
		if left[i] < a.total {
			short = append(short, uint32(i))
		} else {
			long = append(long, uint32(i))
		}
	}
	for len(short) > 0 {
		s, l := short[len(short)-1], long[len(long)-1]
		short = short[:len(short)-1]
		a.columns[s] = column{cut: uint32(left[s]), other: l}
		left[l] -= a.total - left[s]
		if left[l] < a.total {
			long = long[:len(long)-1]
			short = append(short, l)
		}
	}
	for _, l := range long {
		a.columns[l] = column{cut: uint32(a.total), other: l}
	}
	return a
}

// spare is 2^(64-used) mod total, in the place where the low half of the product in draw has it.
func spare(total uint64, used uint) uint64 {
	if used == 0 {
		return -total % total
	}
	return (uint64(1) << (64 - used) % total) << used
}

// draw is the target that x falls on. The bits below the column choose the height within it, by Lemire's method ("Fast
// random integer generation in an interval", 2019); total is small, so that hardly any x must be replaced by another.
func (a *alias) draw(x uint64, d *dice) int {
	height, rest := bits.Mul64(x<<(64-a.shift), a.total)
	for rest < a.spare {
		x = d.next()
		height, rest = bits.Mul64(x<<(64-a.shift), a.total)
	}
	c := x >> a.shift
	if col := a.columns[c]; height >= uint64(col.cut) {
		return int(col.other)
	}
	return int(c)
}
