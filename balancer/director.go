package balancer

import (
	"net/netip"
	"time"

	"github.com/weirlb/weir/config"
)

// Request is what a decision may know. It is borrowed for the call only.
type Request struct {
	Client  netip.Addr // resolved client, unmapped, without zone
	Host    []byte     // as sent: port, case and trailing dot do not matter
	Method  []byte
	Path    []byte
	Query   []byte
	Version uint8 // 10 or 11
	Secure  bool  // arrived over TLS
	Fields  Fields
	Place   *config.Place // nil: the instance's own place
	Now     time.Time
	Seed    uint64 // the k-th draw for a purpose is a function of (Seed, purpose, k)
	Session Session
}

// Fields looks up the request's header fields and cookies.
type Fields interface {
	Get(name string) []byte
	Cookie(name string) []byte
}

// Session is the affinity a request carries: the origin it is pinned to.
type Session struct {
	Pinned bool
	Pool   string // pool id
	Origin uint64 // Origin.ID
}

// Trail is what one request has tried. The zero value is a fresh trail; Reset makes it one again, keeping memory.
type Trail struct {
	// Steps, nil in the proxy, records every step and every rejected candidate for explain.
	Steps *Steps
}

// Steps is the record of a decision.
type Steps struct{}

// Reset makes t a fresh trail.
func (t *Trail) Reset() {}

// Failed notes how the last attempt ended and reports whether Direct may be asked for another one.
func (t *Trail) Failed(f Failure) bool { return false }

// Direct decides where a request goes next. It reads the snapshot, the living loads and its arguments, nothing else:
// no clock, no dice. It is asked for the first attempt and for every later one.
func (s *Snapshot) Direct(r *Request, t *Trail) Decision { return Decision{} }
