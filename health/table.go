package health

import (
	"sync"
	"time"

	"github.com/weirlb/weir/config"
)

// Status is what is believed of an origin.
type Status uint8

const (
	Unknown Status = iota // no result yet: counts as down wherever a monitor is attached
	Up
	Down
)

// Verdict is one vantage group's opinion of one origin, with its reason.
type Verdict struct {
	Status       Status
	Reason       string // in the words of docs/reasons.md, "No failures" when up, "" while unknown
	Detail       string // the particulars of Reason, for people; "" when there are none
	Since        time.Time
	Checked      time.Time     // when the last result came in
	ResponseCode int           // last HTTP status seen, 0 for none
	RTT          time.Duration // of the last successful probe
}

// OriginHealth is everything believed of one origin of one pool.
type OriginHealth struct {
	Identity config.Identity
	Global   Verdict
	// Places holds the verdict of each region in check_regions, or, when that is empty, of each data centre.
	Places map[string]Verdict
}

// PoolHealth is an immutable picture of one pool. Origins stand in the order of the configuration it was made from;
// a reader that may hold another configuration looks them up by identity.
type PoolHealth struct {
	Pool      string // pool id
	Monitored bool   // false: health is not considered when steering
	// Local says that Places are data centres that judge their own traffic (check_regions null).
	Local   bool
	Origins []OriginHealth
}

// Origin returns what is believed of an origin, and false when nothing is. i is where it stands in the configuration of
// whoever asks: a hint that saves the search.
func (p *PoolHealth) Origin(i int, id config.Identity) (OriginHealth, bool) {
	if i < len(p.Origins) && p.Origins[i].Identity == id {
		return p.Origins[i], true
	}
	for _, o := range p.Origins {
		if o.Identity == id {
			return o, true
		}
	}
	return OriginHealth{}, false
}

// Table is what is believed of all pools. One writer, the Engine (or a test, a drill, a simulation); many readers.
type Table struct {
	mu    sync.RWMutex // guards pools; nothing is called while it is held
	pools map[string]*PoolHealth
}

// NewTable returns a table that believes nothing.
func NewTable() *Table { return &Table{pools: map[string]*PoolHealth{}} }

// Pool returns the present picture of a pool, nil when nothing is known of it.
func (t *Table) Pool(id string) *PoolHealth {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.pools[id]
}

// Set replaces the picture of one pool. The caller never changes p again.
func (t *Table) Set(p *PoolHealth) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pools[p.Pool] = p
}

// Delete forgets a pool.
func (t *Table) Delete(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.pools, id)
}
