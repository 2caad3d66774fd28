package shedding

// Shedder says "not this share of traffic, not here". The zero value sheds nothing.
type Shedder struct {
	defaults, sessions threshold
}

type threshold struct{}
