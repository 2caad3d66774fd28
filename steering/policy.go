package steering

// Policy names, as the API spells them.
const (
	Off                      = "off"
	Random                   = "random"
	Hash                     = "hash"
	LeastOutstandingRequests = "least_outstanding_requests"
	LeastConnections         = "least_connections"
)

// None is what Pick answers when no target of the set can be chosen.
const None = -1

// Target is what a policy may know of one choice. A target is an origin of a pool, or a pool of a load balancer.
type Target struct {
	Identity uint64 // stable across reorderings and reloads; ties and hashes go by it
	Weight   int    // hundredths, 0 to 100; 0 is never picked
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
	// Pick returns a member of ok, or None.
	Pick(in Input, ok Set) int
	// Shares appends nothing: it fills dst, one entry per target, with the exact probability that Pick answers it
	// given in.Live and ok (for hash: over all keys), and returns dst. All zero when Pick would answer None.
	Shares(in Input, ok Set, dst []float64) []float64
}
