package steeringtest

import (
	"fmt"
	"math"
	"testing"
)

// The gates: the probabilities, for a right law, of a x² above the upper critical value and below the lower one.
const (
	AboveUpper = 1e-6
	BelowLower = 1e-3
)

// minExpected is the least count to expect in a cell for x² to have nearly the χ² distribution.
const minExpected = 5

// ChiSquare compares counts with shares, which sum to 1. It returns x² and its degrees of freedom. It fails when a share
// of 0 was counted, and when there are too few counts for the smallest share.
func ChiSquare(counts []int, shares []float64) (x2 float64, df int, err error) {
	total := sum(counts)
	df = -1
	for i, share := range shares {
		switch expected := share * float64(total); {
		case share == 0 && counts[i] != 0:
			return 0, 0, fmt.Errorf("cell %d has share 0 and was counted %d times", i, counts[i])
		case share == 0:
			continue
		case expected < minExpected:
			return 0, 0, fmt.Errorf("cell %d expects %.2f counts of %d; it must be at least %d", i, expected, total, minExpected)
		default:
			x2 += square(float64(counts[i])-expected) / expected
			df++
		}
	}
	return x2, df, nil
}

// Contingency tests whether rows and columns of a table of counts are independent. Empty rows and columns are left out.
func Contingency(table [][]int) (x2 float64, df int) {
	rows := make([]int, len(table))
	columns := make([]int, len(table[0]))
	total := 0
	for r, row := range table {
		for c, n := range row {
			rows[r] += n
			columns[c] += n
			total += n
		}
	}
	for r, row := range table {
		for c, n := range row {
			if expected := float64(rows[r]) * float64(columns[c]) / float64(total); expected > 0 {
				x2 += square(float64(n)-expected) / expected
			}
		}
	}
	return x2, (used(rows) - 1) * (used(columns) - 1)
}

// Fits fails the test unless counts have the given shares.
func Fits(tb testing.TB, counts []int, shares []float64) {
	tb.Helper()
	x2, df, err := ChiSquare(counts, shares)
	if err != nil {
		tb.Errorf("comparing counts %v with shares %v: %v", few(counts), few(shares), err)
		return
	}
	gate(tb, x2, df, fmt.Sprintf("counts %v with shares %v", few(counts), few(shares)))
}

// Independent fails the test unless rows and columns of table are independent.
func Independent(tb testing.TB, table [][]int) {
	tb.Helper()
	x2, df := Contingency(table)
	gate(tb, x2, df, fmt.Sprintf("table %v", few(table)))
}

func gate(tb testing.TB, x2 float64, df int, what string) {
	tb.Helper()
	if df == 0 {
		return
	}
	if p := UpperTail(x2, df); p < AboveUpper || p > 1-BelowLower {
		tb.Errorf("%s: x² = %.2f with %d degrees of freedom has upper tail %.3g; it must be %.0e to %v",
			what, x2, df, p, AboveUpper, 1-BelowLower)
	}
}

// UpperTail is the probability that a χ² variable with df degrees of freedom exceeds x2: the regularised incomplete gamma
// function Q(df/2, x2/2), by its series or its continued fraction (DLMF 8.11.4 and 8.9.2).
func UpperTail(x2 float64, df int) float64 {
	a, x := float64(df)/2, x2/2
	if x <= 0 {
		return 1
	}
	logGamma, _ := math.Lgamma(a)
	front := math.Exp(a*math.Log(x) - x - logGamma)
	if x < a+1 {
		term := 1 / a
		series := term
		for n := 1.0; term > series*1e-15; n++ {
			term *= x / (a + n)
			series += term
		}
		return 1 - front*series
	}
	return front * fraction(a, x)
}

// fraction is the continued fraction of Γ(a, x)·eˣ·x⁻ᵃ, by Lentz's method.
func fraction(a, x float64) float64 {
	const tiny = 1e-300
	b := x + 1 - a
	c, d := 1/tiny, 1/b
	h := d
	for n := 1.0; n < 10_000; n++ {
		an := n * (a - n)
		b += 2
		d = 1 / nonzero(an*d+b, tiny)
		c = nonzero(b+an/c, tiny)
		h *= d * c
		if math.Abs(d*c-1) < 1e-15 {
			break
		}
	}
	return h
}

func nonzero(x, tiny float64) float64 {
	if math.Abs(x) < tiny {
		return tiny
	}
	return x
}

// Binomial fails the test unless successes of n trials are within z standard deviations of probability p.
func Binomial(tb testing.TB, successes, n int, p, z float64) {
	tb.Helper()
	mean := float64(n) * p
	if off := float64(successes) - mean; math.Abs(off) > z*math.Sqrt(mean*(1-p)) {
		tb.Errorf("%d of %d are %.2f standard deviations from probability %v; at most %v are allowed",
			successes, n, off/math.Sqrt(mean*(1-p)), p, z)
	}
}

func square(x float64) float64 { return x * x }

func sum(counts []int) (total int) {
	for _, n := range counts {
		total += n
	}
	return total
}

func used(counts []int) (n int) {
	for _, c := range counts {
		if c > 0 {
			n++
		}
	}
	return n
}

// few keeps messages readable.
func few[T any](all []T) []T { return all[:min(len(all), 16)] }
