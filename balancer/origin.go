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

	counters
	pool *PoolLoad // counts along, for the steering between pools
}

// PoolLoad is the living thing behind a pool: what all of its origins count together, also those that have left it with
// something still in flight.
type PoolLoad struct {
	Pool string // id
	counters
}

// counters are one slot in the rows of a chunk.
type counters struct {
	rows []row
	slot int
}

// chunkSize slots share the rows of one chunk.
const chunkSize = 16

// row is what one writer counts in one chunk: a cache line for each kind of counter, so that writers do not disturb each
// other and a reader who compares the origins of a small pool finds them side by side.
type row struct {
	outstanding [chunkSize]atomic.Int32
	connections [chunkSize]atomic.Int32
}

// BeginRequest counts an outstanding request in row; EndRequest takes it back, after the last byte.
func (o *Origin) BeginRequest(row int) {
	o.rows[row].outstanding[o.slot].Add(1)
	o.pool.rows[row].outstanding[o.pool.slot].Add(1)
}

// EndRequest takes back what BeginRequest counted in the same row.
func (o *Origin) EndRequest(row int) {
	down(&o.rows[row].outstanding[o.slot])
	down(&o.pool.rows[row].outstanding[o.pool.slot])
}

// OpenConnection counts an established connection in row; CloseConnection takes it back.
func (o *Origin) OpenConnection(row int) {
	o.rows[row].connections[o.slot].Add(1)
	o.pool.rows[row].connections[o.pool.slot].Add(1)
}

// CloseConnection takes back what OpenConnection counted in the same row.
func (o *Origin) CloseConnection(row int) {
	down(&o.rows[row].connections[o.slot])
	down(&o.pool.rows[row].connections[o.pool.slot])
}

func down(counter *atomic.Int32) {
	if counter.Add(-1) < 0 {
		panic("BUG: a load was counted down more often than up")
	}
}

// Outstanding is the number of requests between pick and last byte.
func (c *counters) Outstanding() int {
	n := 0
	for i := range c.rows {
		n += int(c.rows[i].outstanding[c.slot].Load())
	}
	return n
}

// Connections is the number of established connections, idle ones and tunnels included.
func (c *counters) Connections() int {
	n := 0
	for i := range c.rows {
		n += int(c.rows[i].connections[c.slot].Load())
	}
	return n
}

// Registry finds the living Origin of an identity, and the living PoolLoad of a pool id. It holds them weakly: what keeps one alive is a snapshot
// that serves it, or a request or connection that is counted in it. So an origin that leaves the configuration and
// comes back while something of it is still in flight is found again with its loads, and one that nothing can reach
// any more is gone without anybody having to decide when.
type Registry struct {
	rows int

	mu      sync.Mutex
	origins map[config.Identity]weak.Pointer[Origin]
	pools   map[string]weak.Pointer[PoolLoad]
	chunk   []row // the newest chunk; slots below used are taken, and never given out again
	used    int
}

// NewRegistry returns an empty registry whose origins have rows of counters, one for each goroutine or group of
// goroutines that counts.
func NewRegistry(rows int) *Registry {
	if rows < 1 {
		panic(fmt.Sprintf("BUG: a registry needs at least one row of counters, not %d", rows))
	}
	return &Registry{
		rows: rows, used: chunkSize,
		origins: map[config.Identity]weak.Pointer[Origin]{}, pools: map[string]weak.Pointer[PoolLoad]{},
	}
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
	return &Origin{Identity: id, ID: hashIdentity(id), pool: g.pool(id.Pool), counters: g.slot()}
}

// slot needs mu.
func (g *Registry) slot() counters {
	if g.used == chunkSize {
		g.chunk, g.used = make([]row, g.rows), 0
	}
	g.used++
	return counters{rows: g.chunk, slot: g.used - 1}
}

// Pool returns the living load of a pool, making it if nothing holds one.
func (g *Registry) Pool(id string) *PoolLoad {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pool(id)
}

// pool needs mu.
func (g *Registry) pool(id string) *PoolLoad {
	if p := g.pools[id].Value(); p != nil {
		return p
	}
	p := &PoolLoad{Pool: id, counters: g.slot()}
	g.pools[id] = weak.Make(p)
	runtime.AddCleanup(p, g.forgetPool, id)
	return p
}

// forgetPool is forget for a pool.
func (g *Registry) forgetPool(id string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pools[id].Value() == nil {
		delete(g.pools, id)
	}
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
	for id, held := range g.pools {
		p := held.Value()
		if p == nil {
			continue
		}
		if requests, connections := p.Outstanding(), p.Connections(); requests != 0 || connections != 0 {
			errs = append(errs, fmt.Errorf("pool %s: %d requests outstanding and %d connections open, where none should be",
				id, requests, connections))
		}
	}
	return errors.Join(errs...)
}
