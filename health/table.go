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

// Whose verdict counts for a request: the words of health_sources.
const (
	SourceLocal    = "local"    // that of the data centre that serves it
	SourceRegional = "regional" // that of the region it is served in
	SourceGlobal   = "global"   // everybody's
)

// Everywhere is the name of the global RTT profile among those of places. No place has it.
const Everywhere = ""

// OriginHealth is everything believed of one origin of one pool.
type OriginHealth struct {
	Identity config.Identity
	Global   Verdict
	// Places holds the verdict of each region in check_regions, or, when that is empty, of each data centre.
	Places map[string]Verdict
}

// From is the verdict that counts for requests from a place, named as by PoolHealth.Place: the place's own, or the
// global one as long as the place has none (behaviour M5).
func (o *OriginHealth) From(place string) Verdict {
	if v, ok := o.Places[place]; ok && v.Status != Unknown {
		return v
	}
	return o.Global
}

// PoolHealth is an immutable picture of one pool. Origins stand in the order of the configuration it was made from;
// a reader that may hold another configuration looks them up by identity.
type PoolHealth struct {
	Pool      string // pool id
	Monitored bool   // false: health is not considered when steering
	// Local says that Places are data centres that judge their own traffic (check_regions null).
	Local bool
	// Sources says which of the verdicts count, in the order of precedence: "local" or "regional" that Places do, for
	// requests from there, and "global" that Global does for all others. Empty when not Monitored.
	Sources []string
	// RTT is what Table.RTT said of the places, and of Everywhere, when the picture was drawn: for people. Places
	// without data are left out.
	RTT     map[string]time.Duration
	Origins []OriginHealth
}

// Place names the place that judges requests from at, for OriginHealth.From and as a key of OriginHealth.Places: a data
// centre, a region, or Everywhere when neither counts here. Whether the place is among Places is not looked at.
func (p *PoolHealth) Place(at *config.Place) string {
	for _, s := range p.Sources {
		switch {
		case s == SourceLocal && at.PoP != "":
			return at.PoP
		case s == SourceRegional && at.Region != "":
			return at.Region
		}
	}
	return Everywhere
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
	mu    sync.RWMutex // guards what follows; nothing is called while it is held
	pools map[string]*PoolHealth
	rtts  map[string]map[string]*RTT // by pool and place
}

// NewTable returns a table that believes nothing.
func NewTable() *Table {
	return &Table{pools: map[string]*PoolHealth{}, rtts: map[string]map[string]*RTT{}}
}

// Pool returns the present picture of a pool, nil when nothing is known of it.
func (t *Table) Pool(id string) *PoolHealth {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.pools[id]
}

// RTT returns how far away a pool is from a place (a region in check_regions, a data centre without them, or
// Everywhere). It is the same cell as long as the pool is not deleted, whatever else changes: look it up when a
// configuration is compiled, and load it when a request is decided. Every pair of names that is asked for is kept.
func (t *Table) RTT(pool, place string) *RTT {
	t.mu.Lock()
	defer t.mu.Unlock()
	places := t.rtts[pool]
	if places == nil {
		places = map[string]*RTT{}
		t.rtts[pool] = places
	}
	cell := places[place]
	if cell == nil {
		cell = &RTT{}
		places[place] = cell
	}
	return cell
}

// Set replaces the picture of one pool. The caller never changes p again.
func (t *Table) Set(p *PoolHealth) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pools[p.Pool] = p
}

// Delete forgets a pool. Those who still hold its RTTs read that there is no data.
func (t *Table) Delete(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, cell := range t.rtts[id] {
		cell.Store(0)
	}
	delete(t.rtts, id)
	delete(t.pools, id)
}
