package steering

import (
	"fmt"
	"maps"
	"math"
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
	Geo                      = "geo"
	DynamicLatency           = "dynamic_latency"
	Proximity                = "proximity"
)

// policies says what each word of the API compiles to. The two least policies differ only in what Live counts; geo
// differs from off only in whose list of targets it is given, which is not for a policy to say.
var policies = map[string]func([]Target) Picker{
	Off:                      newInOrder,
	Random:                   newRandom,
	Hash:                     newHash,
	LeastOutstandingRequests: newLeast,
	LeastConnections:         newLeast,
	Geo:                      newInOrder,
	DynamicLatency:           newFastest,
	Proximity:                newNearest,
}

// None is what Pick answers when no target of the set can be chosen.
const None = -1

// MaxWeight is the weight 1 of the API, in hundredths.
const MaxWeight = 100

// Target is what a policy may know of one choice. A target is an origin of a pool, or a pool of a load balancer.
type Target struct {
	Identity uint64 // stable across reorderings and reloads; ties and hashes go by it
	Weight   int    // hundredths, 0 to MaxWeight; 0 is never picked by those policies that look at it
	Lat, Lon float64
	Located  bool // Lat and Lon are given, in degrees: -90 to 90 and -180 to 180. Only proximity looks at them
}

// Input is what a policy may know of one request.
type Input struct {
	Key   uint64 // hashed client identity, salted for steering
	Draw  uint64 // fresh random bits; a policy that needs more derives them from these
	Live  Live   // never nil for the least policies and dynamic_latency
	Place Place  // where the request is handled; for proximity
}

// Live is what changes between two picks.
type Live interface {
	// Load is the number of outstanding requests, or of open connections, of target i, never negative.
	Load(i int) int
	// RTT is the smoothed round-trip time to target i in seconds, as measured where the request is handled, and whether
	// there is one.
	RTT(i int) (seconds float64, known bool)
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
// fails for a word that is no policy, and for weights and coordinates out of range. It may allocate, and keeps no
// reference to targets.
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
		if t.Located && !(math.Abs(t.Lat) <= 90 && math.Abs(t.Lon) <= 180) { // so that NaN is none, either
			return nil, fmt.Errorf("compiling steering policy %q: target %d is at latitude %v, longitude %v; "+
				"it must be -90 to 90 and -180 to 180 degrees", policy, i, t.Lat, t.Lon)
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

// all gives everything to target i, if there is one.
func all(i int, dst []float64) []float64 {
	clear(dst)
	if i != None {
		dst[i] = 1
	}
	return dst
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
