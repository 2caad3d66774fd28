package health

// counter damps one check's results: the status flips after enough opposite results in a row (behaviour H9). The zero
// value is a check that has no result yet.
type counter struct {
	status Status
	streak int // opposite results in a row
}

// observe returns the counter after one more result. Zero thresholds act as 1. From Unknown the first result decides.
func (c counter) observe(passed bool, consecutiveUp, consecutiveDown int) counter {
	seen, needed := Down, consecutiveDown
	if passed {
		seen, needed = Up, consecutiveUp
	}
	if c.status == Unknown || c.status == seen {
		return counter{status: seen}
	}
	c.streak++
	if c.streak >= needed {
		return counter{status: seen}
	}
	return c
}
