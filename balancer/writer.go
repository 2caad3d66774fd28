package balancer

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

// Coalescing is how long a change of health or addresses may wait for others, so that many at once make one snapshot.
const Coalescing = 10 * time.Millisecond

// Names keeps host names resolved.
type Names interface {
	Resolution
	// Prepare begins to keep names resolved, and returns when each of the new ones was asked for once, or it took too
	// long.
	Prepare(names []string)
	// Keep stops keeping all other names.
	Keep(names []string)
}

// Transition is one pool's change of state by the global verdict.
type Transition struct {
	Pool     *Pool // as it is now
	From, To health.PoolState
	Reason   Reason // why the pool takes no traffic of its own now; Yes: it serves
}

// WriterOptions are what a Writer works with.
type WriterOptions struct {
	Registry *Registry     // required
	Health   *health.Table // nil: nothing is known of any origin
	Names    Names         // nil: no host name resolves
	Sessions *Sessions     // nil: there is no session affinity
	// OnSnapshot, if any, is told of every snapshot after it became the current one, in order, with the pools whose
	// state changed. It must not call the Writer.
	OnSnapshot func(s *Snapshot, changes []Transition)
}

// Writer is the one who makes snapshots. Current is for everybody and costs one atomic load.
type Writer struct {
	options WriterOptions
	current atomic.Pointer[Snapshot]

	configuring sync.Mutex // held by SetConfig; locked before building
	building    sync.Mutex // held while a snapshot is made; locked before mu

	mu      sync.Mutex
	pending []string    // ids of the pools that changed since the current snapshot
	timer   *time.Timer // runs while there are any
	flushes sync.WaitGroup
	closed  bool
}

// NewWriter returns a writer that has no snapshot yet.
func NewWriter(options WriterOptions) *Writer {
	if options.Registry == nil {
		panic("BUG: a writer needs a registry")
	}
	return &Writer{options: options}
}

// Current returns the newest snapshot, nil before the first SetConfig.
func (w *Writer) Current() *Snapshot { return w.current.Load() }

// SetConfig makes a configuration the current one before it returns. Host names that are new are resolved first, so
// that moving an origin to another name loses no request.
func (w *Writer) SetConfig(c *config.Config) *Snapshot {
	w.configuring.Lock()
	defer w.configuring.Unlock()
	names := HostNames(c)
	if w.options.Names != nil {
		w.options.Names.Prepare(names)
		defer w.options.Names.Keep(names)
	}
	return w.replaceConfig(c)
}

func (w *Writer) replaceConfig(c *config.Config) *Snapshot {
	w.building.Lock()
	defer w.building.Unlock()
	w.takePending() // the new snapshot sees what they were about
	in := w.inputs()
	in.Config = c
	in.Revision++
	s := Build(w.Current(), in, Changed{Config: true})
	w.publish(s, s.pools)
	return s
}

// inputs are what the next snapshot is made of, as far as it does not change.
func (w *Writer) inputs() Inputs {
	in := Inputs{Health: w.options.Health, Registry: w.options.Registry, Sessions: w.options.Sessions}
	if w.options.Names != nil {
		in.Resolution = w.options.Names
	}
	if now := w.Current(); now != nil {
		in.Config, in.Revision = now.Config, now.Revision
	}
	return in
}

// PoolChanged says that the health of a pool changed. The snapshot follows within Coalescing.
func (w *Writer) PoolChanged(id string) { w.changed(id) }

// Resolved says that the addresses of a host name changed. The snapshot follows within Coalescing.
func (w *Writer) Resolved(name string) {
	now := w.Current()
	if now == nil {
		return
	}
	for _, i := range now.index.names[strings.ToLower(name)] {
		w.changed(now.pools[i].Config.ID)
	}
}

func (w *Writer) changed(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.pending = append(w.pending, id)
	if w.timer == nil {
		w.flushes.Add(1)
		w.timer = time.AfterFunc(Coalescing, func() {
			defer w.flushes.Done()
			w.Flush()
		})
	}
}

// Flush makes the snapshot of everything that changed before the call, if anything did.
func (w *Writer) Flush() {
	w.building.Lock()
	defer w.building.Unlock()
	pools := w.takePending()
	before := w.Current()
	if len(pools) == 0 || before == nil {
		return
	}
	s := Build(before, w.inputs(), Changed{Pools: pools})
	touched := make([]*Pool, 0, len(pools))
	for _, id := range pools {
		if p := s.Pool(id); p != nil {
			touched = append(touched, p)
		}
	}
	w.publish(s, touched)
}

// takePending returns the pools that changed, each once, and stops the timer that was to fetch them.
func (w *Writer) takePending() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopTimer()
	pools := w.pending
	w.pending = nil
	slices.Sort(pools)
	return slices.Compact(pools)
}

// stopTimer needs mu.
func (w *Writer) stopTimer() {
	if w.timer != nil && w.timer.Stop() {
		w.flushes.Done()
	}
	w.timer = nil
}

// publish needs building. touched are the pools of s that may have changed.
func (w *Writer) publish(s *Snapshot, touched []*Pool) {
	before := w.current.Swap(s)
	if w.options.OnSnapshot != nil {
		w.options.OnSnapshot(s, transitions(before, touched))
	}
}

func transitions(before *Snapshot, touched []*Pool) []Transition {
	var changes []Transition
	for _, p := range touched {
		from := health.PoolUnknown
		if before != nil {
			if old := before.Pool(p.Config.ID); old != nil {
				from = old.State()
			}
		}
		if to := p.State(); to != from {
			changes = append(changes, Transition{Pool: p, From: from, To: to, Reason: p.global.why})
		}
	}
	return changes
}

// Close stops following changes and returns when nothing of the writer runs any more. Current goes on answering.
func (w *Writer) Close() {
	w.mu.Lock()
	w.closed = true
	w.stopTimer()
	w.mu.Unlock()
	w.flushes.Wait()
}
