package steering

import "math"

// A lot is a time in units of 2⁻⁵⁷. The lot of a hash is exponential, of rate 1: −ln u with u = (h>>16 + ½)·2⁻⁴⁸.
//
// Its logarithm is made of additions and products that no compiler may fuse, and not of math.Log, which is not the same on
// every CPU: every machine that reads a configuration sends a client to the same origin. Its error is below 10⁻¹⁵, and
// −ln u falls by at least 2⁻⁴⁸ from one u to the next: the lot falls strictly. That is why u has 48 bits and not 53.
func exponential(h uint64) uint64 {
	return max(uint64(int64(negLog(odd(h))*(1<<57))), short(h))
}

// short is the lot 1 − u, exactly: never more than exponential, and much cheaper.
func short(h uint64) uint64 { return (1<<49 - odd(h)) << 8 }

// odd is u·2⁴⁹.
func odd(h uint64) uint64 { return h>>16<<1 | 1 }

// negLog is −ln(x·2⁻⁴⁹) for odd x below 2⁴⁹.
func negLog(x uint64) float64 {
	bits := math.Float64bits(float64(int64(x)))
	exponent := int(bits>>52) - 1023
	cell := &logarithms[bits>>(52-cellBits)&(1<<cellBits-1)]
	m := math.Float64frombits(bits&(1<<52-1) | 1023<<52) // in [1, 2)

	// ln m = −ln(inverse) + ln(1+r): inverse is nearly 1/m, so that the series needs few terms.
	r := float64(m*cell.inverse) - 1
	r2 := float64(r * r)
	low := float64(r2*0.5) - float64(float64(r2*r)*(1.0/3))
	high := 1.0/4 - float64(r*(1.0/5)) + float64(r2*(1.0/6))
	lnM := cell.ln + (r - (low + float64(float64(r2*r2)*high)))
	return float64(float64(49-exponent)*math.Ln2) - lnM
}

const cellBits = 7

type cell struct{ inverse, ln float64 }

var logarithms = func() (cells [1 << cellBits]cell) {
	for i := range cells {
		centre := 1 + float64((float64(i)+0.5)/(1<<cellBits))
		inverse := float64(float32(1 / centre))
		cells[i] = cell{inverse, slowLn(1 / inverse)}
	}
	return cells
}()

// slowLn is ln x for x in [1, 2], by the series of the inverse hyperbolic tangent.
func slowLn(x float64) float64 {
	s := (x - 1) / (x + 1)
	s2 := float64(s * s)
	sum := 0.0
	for k := 41; k > 0; k -= 2 {
		sum = float64(sum*s2) + 1/float64(k)
	}
	return float64(2 * s * sum)
}
