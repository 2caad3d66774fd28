package steering

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Policy names, as the API spells them.
const (
	Off                      = "off"
	Random                   = "random"
	Hash                     = "hash"
	LeastOutstandingRequests = "least_outstanding_requests"
	LeastConnections         = "least_connections"
)

// policies says what each word of the API compiles to. The two least policies differ only in what Live counts.
var policies = map[string]func([]Target) Picker{
	Off:                      newInOrder,
	Random:                   newRandom,
	Hash:                     newHash,
	LeastOutstandingRequests: newLeast,
	LeastConnections:         newLeast,
}

// None is what Pick answers when no target of the set can be chosen.
const None = -1

// MaxWeight is the weight 1 of the API, in hundredths.
const MaxWeight = 100

// Target is what a policy may know of one choice. A target is an origin of a pool, or a pool of a load balancer.
type Target struct {
	Identity uint64 // stable across reorderings and reloads; ties and hashes go by it
	Weight   int    // hundredths, 0 to MaxWeight; 0 is never picked. Off does not look at it
	Lat, Lon float64
	Located  bool // Lat and Lon are given
}

// Input is what a policy may know of one request.
type Input struct {
	Key  uint64 // hashed client identity, salted for steering
	Draw uint64 // fresh random bits; a policy that needs more derives them from these
	Live Live   // never nil for the least policies
}

// Live is what changes between two picks.
type Live interface {
	// Load is the number of outstanding requests, or of open connections, of target i, never negative.
	Load(i int) int
}

// Picker is a compiled policy. It is immutable and safe for concurrent use; none of its methods allocates.
type Picker interface {
	// Pick returns a member of ok, or None. ok has room for exactly the compiled targets.
	Pick(in Input, ok Set) int
	// Shares appends nothing: it fills dst, one entry per target, with the exact probability that Pick answers it
	// given in.Live and ok (for hash: over all keys), and returns dst. All zero when Pick would answer None.
	Shares(in Input, ok Set, dst []float64) []float64
}

// Compile prepares a policy for targets. It depends on configuration alone: who may be picked is said at each Pick. It
// fails for a word that is no policy and for a weight out of range. It may allocate, and keeps no reference to targets.
func Compile(policy string, targets []Target) (Picker, error) {
	compile, known := policies[policy]
	if !known {
		words := slices.Sorted(maps.Keys(policies))
		return nil, fmt.Errorf("compiling steering policy %q: it is not one of %s", policy, strings.Join(words, ", "))
	}
	for i, t := range targets {
		if t.Weight < 0 || t.Weight > MaxWeight {
			return nil, fmt.Errorf("compiling steering policy %q: target %d has weight %d; it must be 0 to %d hundredths",
				policy, i, t.Weight, MaxWeight)
		}
	}
	return compile(targets), nil
}

// Equal returns a copy of targets in which every weight is 1. A last resort that must answer although all of its targets
// have weight 0 compiles a second Picker from it (behaviour S3).
func Equal(targets []Target) []Target {
	equal := slices.Clone(targets)
	for i := range equal {
		equal[i].Weight = MaxWeight
	}
	return equal
}

// shareOut fills dst with mass(i) of the members of ok, divided by their sum.
func shareOut(ok Set, dst []float64, mass func(i int) float64) []float64 {
	var total float64
	for i := range dst {
		dst[i] = 0
		if ok.Has(i) {
			dst[i] = mass(i)
			total += dst[i]
		}
	}
	if total == 0 {
		return dst
	}
	for i := range dst {
		dst[i] /= total
	}
	return dst
}
