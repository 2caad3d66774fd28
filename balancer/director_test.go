package balancer

import "testing"

// Behaviour P3: default [A,B,C]; A critical, B disabled → C. A recovers → the next new request goes to A.
func TestOffTakesTheFirstThatServes(t *testing.T) {
	b := pool("B", 1)
	b.Enabled = false
	w := newWorld(t, lb("C", "A", "B", "C"), pool("A", 1), b, pool("C", 1))
	w.expect("A/o1")
	w.believe("A", "D")
	w.expect("C/o1")
	w.believe("A", "U")
	w.expect("A/o1")
}
