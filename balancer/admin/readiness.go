package admin

import (
	"sync/atomic"
	"time"
)

// readyAfter is how long the first probes are waited for: an origin that is never answered must not keep the traffic
// of all others away (behaviour H22).
const readyAfter = 15 * time.Second

// Readiness answers whether traffic should be sent here (behaviour H22, O3). Its fields are set before first use.
type Readiness struct {
	// Checks reports whether every check has a result, and which have none.
	Checks func() (ready bool, waitingFor []string)
	// Started is when the process began to probe.
	Started time.Time

	draining atomic.Bool
	settled  atomic.Bool // it was ready once: a reload that brings new checks does not take that back
}

// Ready is what /readyz answers.
type Ready struct {
	Ready      bool     `json:"ready"`
	Draining   bool     `json:"draining"`
	WaitingFor []string `json:"waiting_for"` // "pool/origin from REGION", the checks without a result
}

// Drain makes readiness fail from now on.
func (r *Readiness) Drain() { r.draining.Store(true) }

// Draining reports that Drain was called.
func (r *Readiness) Draining() bool { return r.draining.Load() }

// At is the answer at a time.
func (r *Readiness) At(now time.Time) Ready {
	checked, waiting := r.Checks()
	if checked || now.Sub(r.Started) >= readyAfter {
		r.settled.Store(true)
	}
	draining := r.draining.Load()
	if waiting == nil {
		waiting = []string{}
	}
	return Ready{Ready: r.settled.Load() && !draining, Draining: draining, WaitingFor: waiting}
}
