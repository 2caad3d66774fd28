package health

import "time"

// Event is one change of what is believed: of the global verdict of an origin, of the state of a pool, or of both.
// Its JSON is that of Cloudflare's health events, with two fields more, reason and region, and a third where it is true.
type Event struct {
	ID      int64         `json:"id"` // counts from 1
	Time    time.Time     `json:"timestamp"`
	Pool    EventPool     `json:"pool"`
	Origins []EventOrigin `json:"origins"` // the origin that changed; empty when only the pool's state did
	Reason  string        `json:"reason"`  // why, in the words of docs/reasons.md
	Region  string        `json:"region"`  // the region, or data centre, whose probe tipped the verdict
	Detail  string        `json:"-"`       // Reason's particulars, for people
	Monitor string        `json:"-"`       // id of the monitor whose probe tipped the verdict; "" for none
	// MonitoringOnly marks news from a monitor that only watches (behaviour M4): Origins[0].Healthy and FailureReason are
	// what that monitor says, and nothing that decisions depend on has changed.
	MonitoringOnly bool `json:"monitoring_only,omitempty"`
}

// EventPool is the pool of an Event, as it is after the change.
type EventPool struct {
	ID             string    `json:"id"`
	Name           string    `json:"name"`
	Healthy        bool      `json:"healthy"` // Healthy or Degraded
	Changed        bool      `json:"changed"`
	MinimumOrigins int       `json:"minimum_origins"`
	State          PoolState `json:"-"`
	Was            PoolState `json:"-"`
}

// EventOrigin is the origin of an Event, as it is after the change.
type EventOrigin struct {
	Name          string `json:"name"`
	Address       string `json:"address"`
	IP            string `json:"ip"` // the address last probed; empty while none was reached
	Enabled       bool   `json:"enabled"`
	Healthy       bool   `json:"healthy"`
	Changed       bool   `json:"changed"` // false for news from a monitor that only watches
	FailureReason string `json:"failure_reason"`
}

// ringSize is how many events are kept.
const ringSize = 1024

// ring holds the newest events.
type ring struct {
	events []Event // up to ringSize; then a circle whose oldest is at next
	next   int
	last   int64 // ID of the newest
}

// add numbers an event and keeps it in the place of the oldest.
func (r *ring) add(e Event) Event {
	r.last++
	e.ID = r.last
	if len(r.events) < ringSize {
		r.events = append(r.events, e)
		return e
	}
	r.events[r.next] = e
	r.next = (r.next + 1) % ringSize
	return e
}

// newestFirst returns a copy.
func (r *ring) newestFirst() []Event {
	out := make([]Event, 0, len(r.events))
	for i := len(r.events) - 1; i >= 0; i-- {
		out = append(out, r.events[(r.next+i)%len(r.events)])
	}
	return out
}
