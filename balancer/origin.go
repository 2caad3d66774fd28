package balancer

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/steering"
)

// Origin is the living thing behind an origin's settings: its counters. It belongs to an identity and outlives
// snapshots, reloads and reorderings. Loads are rows of counters, one row per writer, summed by readers.
//
// What was counted up in a row is counted down in the same row, exactly once: so no row is ever negative, and neither
// is a sum, however many writers there are. A row that would go negative panics where it happens.
type Origin struct {
	Identity config.Identity
	ID       uint64 // stable hash of Identity

	rows []row // shared with the other origins of a chunk
	slot int
}

// chunkSize origins share the rows of one chunk.
const chunkSize = 16

// row is what one writer counts for the origins of one chunk: a cache line for each kind of counter, so that writers
// do not disturb each other and a reader who compares the origins of a small pool finds them side by side.
type row struct {
	outstanding [chunkSize]atomic.Int32
	connections [chunkSize]atomic.Int32
}

// BeginRequest counts an outstanding request in row; EndRequest takes it back, after the last byte.
func (o *Origin) BeginRequest(row int) { o.rows[row].outstanding[o.slot].Add(1) }

// EndRequest takes back what BeginRequest counted in the same row.
func (o *Origin) EndRequest(row int) { down(&o.rows[row].outstanding[o.slot]) }

// OpenConnection counts an established connection in row; CloseConnection takes it back.
func (o *Origin) OpenConnection(row int) { o.rows[row].connections[o.slot].Add(1) }

// CloseConnection takes back what OpenConnection counted in the same row.
func (o *Origin) CloseConnection(row int) { down(&o.rows[row].connections[o.slot]) }

func down(counter *atomic.Int32) {
	if counter.Add(-1) < 0 {
		panic("BUG: a load was counted down more often than up")
	}
}

// Outstanding is the number of requests between pick and last byte.
func (o *Origin) Outstanding() int {
	n := 0
	for i := range o.rows {
		n += int(o.rows[i].outstanding[o.slot].Load())
	}
	return n
}

// Connections is the number of established connections, idle ones and tunnels included.
func (o *Origin) Connections() int {
	n := 0
	for i := range o.rows {
		n += int(o.rows[i].connections[o.slot].Load())
	}
	return n
}

// Registry finds the living Origin of an identity. It holds its origins weakly: what keeps one alive is a snapshot
// that serves it, or a request or connection that is counted in it. So an origin that leaves the configuration and
// comes back while something of it is still in flight is found again with its loads, and one that nothing can reach
// any more is gone without anybody having to decide when.
type Registry struct {
	rows int

	mu      sync.Mutex
	origins map[config.Identity]weak.Pointer[Origin]
	chunk   []row // the newest chunk; slots below used are taken, and never given out again
	used    int
}

// NewRegistry returns an empty registry whose origins have rows of counters, one for each goroutine or group of
// goroutines that counts.
func NewRegistry(rows int) *Registry {
	if rows < 1 {
		panic(fmt.Sprintf("BUG: a registry needs at least one row of counters, not %d", rows))
	}
	return &Registry{rows: rows, origins: map[config.Identity]weak.Pointer[Origin]{}, used: chunkSize}
}

// Rows is the number of rows of every origin: rows 0 to Rows()-1 may be counted in.
func (g *Registry) Rows() int { return g.rows }

// Origin returns the living origin of an identity, making it if nothing holds one.
func (g *Registry) Origin(id config.Identity) *Origin {
	g.mu.Lock()
	defer g.mu.Unlock()
	if o := g.origins[id].Value(); o != nil {
		return o
	}
	o := g.create(id)
	g.origins[id] = weak.Make(o)
	runtime.AddCleanup(o, g.forget, id)
	return o
}

// create needs mu.
func (g *Registry) create(id config.Identity) *Origin {
	if g.used == chunkSize {
		g.chunk, g.used = make([]row, g.rows), 0
	}
	o := &Origin{Identity: id, ID: hashIdentity(id), rows: g.chunk, slot: g.used}
	g.used++
	return o
}

// hashIdentity is fixed for all times: sessions and the hash policy go by it.
func hashIdentity(id config.Identity) uint64 {
	return steering.HashIdentity(id.Pool, id.Address, strconv.Itoa(id.Port), id.VirtualNetwork)
}

// forget drops the entry of an origin that was collected, unless the identity has come back since.
func (g *Registry) forget(id config.Identity) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.origins[id].Value() == nil {
		delete(g.origins, id)
	}
}

// Len is the number of origins that something holds or held a moment ago.
func (g *Registry) Len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.origins)
}

// Quiet returns nil when every counter of every origin is 0, as it must be when nothing is in flight and no
// connection is open; otherwise an error that names each origin with what it still counts.
func (g *Registry) Quiet() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var errs []error
	for id, held := range g.origins {
		o := held.Value()
		if o == nil {
			continue
		}
		if requests, connections := o.Outstanding(), o.Connections(); requests != 0 || connections != 0 {
			errs = append(errs, fmt.Errorf("origin %s port %d of pool %s: %d requests outstanding and %d connections open, where none should be",
				id.Address, id.Port, id.Pool, requests, connections))
		}
	}
	return errors.Join(errs...)
}
