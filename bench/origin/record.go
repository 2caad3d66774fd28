package origin

import (
	"context"
	"sync"
	"sync/atomic"
)

// IDField is the request field that carries the id Seen and Executed count by.
const IDField = "X-Request-Id"

// bounds of what a book remembers; beyond them only totals grow.
const (
	defaultRecords = 1024
	maxIDs         = 1 << 21
	maxPaths       = 1024
)

// Stats is a reading of the counters. Totals never go down, also not over Kill and Restart.
type Stats struct {
	ConnectionsOpen   int64
	ConnectionsIdle   int64 // of the open ones: waiting for a request
	Connections       int64 // total, refused and reset ones included
	InFlight          int64 // from a request's head to the end of both its answer and its body
	Requests          int64 // total heads that were well formed
	Malformed         int64 // heads or bodies that a careful server refuses
	Truncated         int64 // heads and bodies that ended before their end
	HandshakeFailures int64 // TLS
}

type counts struct {
	open, idle, connections, inFlight, requests, malformed, truncated, handshakeFailures atomic.Int64

	waiters atomic.Int32
	mu      sync.Mutex
	news    chan struct{} // closed at the next change while somebody waits
}

// Stats reads the counters.
func (o *Origin) Stats() Stats {
	c := &o.counts
	return Stats{
		ConnectionsOpen: c.open.Load(), ConnectionsIdle: c.idle.Load(), Connections: c.connections.Load(),
		InFlight: c.inFlight.Load(), Requests: c.requests.Load(),
		Malformed: c.malformed.Load(), Truncated: c.truncated.Load(), HandshakeFailures: c.handshakeFailures.Load(),
	}
}

// Await returns once the counters satisfy ok, or with the error of ctx. It is what a test uses instead of a pause.
func (o *Origin) Await(ctx context.Context, ok func(Stats) bool) error {
	c := &o.counts
	c.waiters.Add(1)
	defer c.waiters.Add(-1)
	for {
		news := c.subscribe()
		if ok(o.Stats()) {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *counts) subscribe() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.news == nil {
		c.news = make(chan struct{})
	}
	return c.news
}

// changed wakes Await. It is cheap while nobody waits.
func (c *counts) changed() {
	if c.waiters.Load() == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.news != nil {
		close(c.news)
		c.news = nil
	}
}

// book remembers what arrived, within bounds.
type book struct {
	mu    sync.Mutex
	keep  int
	ring  []*Request
	next  int
	paths map[string]int64
	ids   map[string]sightings
}

type sightings struct{ seen, executed int32 }

func (b *book) init(keep int) {
	if keep == 0 {
		keep = defaultRecords
	}
	b.keep = keep
	b.paths = make(map[string]int64)
	b.ids = make(map[string]sightings)
}

func (b *book) arrived(r *Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.keep < 0:
	case len(b.ring) < b.keep:
		b.ring = append(b.ring, r)
	default:
		b.ring[b.next] = r
		b.next = (b.next + 1) % b.keep
	}
	b.id(r, sightings{seen: 1})
}

func (b *book) executed(r *Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	path := r.Path
	if _, known := b.paths[path]; !known && len(b.paths) >= maxPaths {
		path = "*"
	}
	b.paths[path]++
	b.id(r, sightings{executed: 1})
}

// id needs the lock.
func (b *book) id(r *Request, add sightings) {
	id := r.Fields.Get(IDField)
	if id == "" {
		return
	}
	now, known := b.ids[id]
	if !known && len(b.ids) >= maxIDs {
		return
	}
	b.ids[id] = sightings{now.seen + add.seen, now.executed + add.executed}
}

// Records returns the last requests, oldest first, at most Options.KeepRecords.
func (o *Origin) Records() []*Request {
	b := &o.book
	b.mu.Lock()
	defer b.mu.Unlock()
	return append(append([]*Request(nil), b.ring[b.next:]...), b.ring[:b.next]...)
}

// Last returns the latest request, or nil.
func (o *Origin) Last() *Request {
	records := o.Records()
	if len(records) == 0 {
		return nil
	}
	return records[len(records)-1]
}

// Seen says how often a head with this id arrived, whatever became of it.
func (o *Origin) Seen(id string) int {
	o.book.mu.Lock()
	defer o.book.mu.Unlock()
	return int(o.book.ids[id].seen)
}

// Executed says how often a request with this id arrived whole, body included: what an application would have acted on.
func (o *Origin) Executed(id string) int {
	o.book.mu.Lock()
	defer o.book.mu.Unlock()
	return int(o.book.ids[id].executed)
}

// ExecutedIDs returns every id with its number of executions, ids that only began left out.
func (o *Origin) ExecutedIDs() map[string]int {
	o.book.mu.Lock()
	defer o.book.mu.Unlock()
	ids := make(map[string]int, len(o.book.ids))
	for id, s := range o.book.ids {
		if s.executed > 0 {
			ids[id] = int(s.executed)
		}
	}
	return ids
}

// ExecutedPath says how many requests for a path arrived whole. Beyond 1024 different paths the rest counts as "*".
func (o *Origin) ExecutedPath(path string) int64 {
	o.book.mu.Lock()
	defer o.book.mu.Unlock()
	return o.book.paths[path]
}

// Forget empties the records, the ids and the paths; the counters stay.
func (o *Origin) Forget() {
	b := &o.book
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ring, b.next = nil, 0
	clear(b.paths)
	clear(b.ids)
}
