package resolve

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// The bounds of how long an answer is believed, unless Options say otherwise.
const (
	DefaultFloor   = time.Second
	DefaultCeiling = 5 * time.Second
)

const (
	// prepareFor is how long Prepare waits for names that do not answer.
	prepareFor = 2 * time.Second
	// lookupFor is time enough for a second name server when the first one is silent.
	lookupFor = 12 * time.Second
	// atOnce lookups may be under way, so that a large configuration is no flood for its name server.
	atOnce = 64
)

// Lookup asks for a name's addresses. ttl is how long the answer may be believed, 0 for "do not keep it", negative when
// nobody said. A name that does not exist or has no address is a *net.DNSError with IsNotFound.
type Lookup func(ctx context.Context, name string) (addrs []netip.Addr, ttl time.Duration, err error)

// Options are what a Resolver works with. The zero value asks the system.
type Options struct {
	Lookup   Lookup            // nil: System
	OnChange func(name string) // told, by the goroutine that looked, when a name's addresses changed; may be nil
	// Floor and Ceiling are the bounds of how long an answer is believed; 0: DefaultFloor, DefaultCeiling.
	Floor, Ceiling time.Duration
}

// Status is what is known of a name.
type Status struct {
	Addrs []netip.Addr // in the order to try them
	Err   error        // why the last lookup brought nothing; nil after a good one
	Asked time.Time    // end of the last lookup, zero before the first
	Since time.Time    // when Addrs was last confirmed
}

// Resolver keeps names resolved. Its methods may be called from anywhere.
type Resolver struct {
	options Options
	slots   chan struct{} // one for each lookup that may be under way
	context context.Context
	stop    context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	names  map[string]*entry
	closed bool
}

// entry is one name. All of it is under the resolver's mu.
type entry struct {
	status   Status
	failures int           // in a row
	asked    chan struct{} // closed after the first lookup
	timer    *time.Timer   // to the next lookup; spent while one is under way, nil before the second
	gone     bool          // dropped by Keep
}

// New returns a resolver that knows no names.
func New(options Options) *Resolver {
	if options.Lookup == nil {
		options.Lookup = System
	}
	if options.Ceiling <= 0 {
		options.Ceiling = DefaultCeiling
	}
	if options.Floor <= 0 {
		options.Floor = min(DefaultFloor, options.Ceiling)
	}
	r := &Resolver{options: options, slots: make(chan struct{}, atOnce), names: map[string]*entry{}}
	r.context, r.stop = context.WithCancel(context.Background())
	return r
}

// Addrs returns the addresses of a name, none while it does not resolve. The slice is shared: it must not be changed.
func (r *Resolver) Addrs(name string) []netip.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.names[strings.ToLower(name)]; e != nil {
		return e.status.Addrs
	}
	return nil
}

// Status returns what is known of a name, false when it is not kept.
func (r *Resolver) Status(name string) (Status, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.names[strings.ToLower(name)]; e != nil {
		return e.status, true
	}
	return Status{}, false
}

// Prepare begins to keep names resolved. It returns when each of them was looked up once, or after two seconds.
func (r *Resolver) Prepare(names []string) {
	deadline := time.NewTimer(prepareFor)
	defer deadline.Stop()
	for _, asked := range r.add(names) {
		select {
		case <-asked:
		case <-deadline.C:
			return
		case <-r.context.Done():
			return
		}
	}
}

func (r *Resolver) add(names []string) []chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	var asked []chan struct{}
	for _, name := range names {
		name = strings.ToLower(name)
		if _, err := netip.ParseAddr(name); err == nil {
			panic("BUG: " + name + " is an address, not a name to resolve")
		}
		e := r.names[name]
		if e == nil && !r.closed {
			e = &entry{asked: make(chan struct{})}
			r.names[name] = e
			r.start(name, e)
		}
		if e != nil {
			asked = append(asked, e.asked)
		}
	}
	return asked
}

// Keep stops keeping every name but these.
func (r *Resolver) Keep(names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	keep := make(map[string]bool, len(names))
	for _, name := range names {
		keep[strings.ToLower(name)] = true
	}
	for name, e := range r.names {
		if !keep[name] {
			delete(r.names, name)
			r.drop(e)
		}
	}
}

// Close stops everything and returns when nothing of the resolver runs any more. What is known stays known.
func (r *Resolver) Close() {
	r.mu.Lock()
	r.closed = true
	for _, e := range r.names {
		r.drop(e)
	}
	r.mu.Unlock()
	r.stop()
	r.running.Wait()
}

// drop needs mu.
func (r *Resolver) drop(e *entry) {
	e.gone = true
	if e.timer != nil && e.timer.Stop() {
		r.running.Done()
	}
	e.timer = nil
}

// start looks a name up now. It needs mu.
func (r *Resolver) start(name string, e *entry) {
	r.running.Add(1)
	go r.refresh(name, e)
}

// wait looks a name up later. It needs mu. The lookup that is to come counts as running.
func (r *Resolver) wait(name string, e *entry, d time.Duration) {
	r.running.Add(1)
	e.timer = time.AfterFunc(d, func() { r.refresh(name, e) })
}

// refresh looks a name up once and arranges for the next time.
func (r *Resolver) refresh(name string, e *entry) {
	defer r.running.Done()
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-r.context.Done():
		return
	}
	ctx, cancel := context.WithTimeout(r.context, lookupFor)
	defer cancel()
	addrs, ttl, err := r.options.Lookup(ctx, name)
	if r.learn(name, e, addrs, ttl, err) && r.options.OnChange != nil {
		r.options.OnChange(name)
	}
}

// learn takes in the end of a lookup and reports whether the name's addresses changed.
func (r *Resolver) learn(name string, e *entry, addrs []netip.Addr, ttl time.Duration, err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.status.Asked.IsZero() {
		close(e.asked)
	}
	changed := e.learn(time.Now(), arrange(addrs), err)
	if e.gone {
		return false
	}
	r.wait(name, e, r.pause(ttl, e.failures))
	return changed
}

// learn is the judgement: what a lookup's end means for what is known.
func (e *entry) learn(now time.Time, addrs []netip.Addr, err error) (changed bool) {
	e.status.Asked, e.status.Err = now, err
	if err != nil {
		e.failures++
		if !isDenial(err) {
			return false // no answer is no reason to forget the last one
		}
	} else {
		e.failures = 0
	}
	e.status.Since = now
	if slices.Equal(addrs, e.status.Addrs) {
		return false
	}
	e.status.Addrs = addrs
	return true
}

// isDenial reports whether err is an answer: the name does not exist, or it has no address.
func isDenial(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound && !dns.IsTimeout && !dns.IsTemporary
}

// pause is the time to the next lookup: the answer's own, within bounds; after failures the least one, doubled each
// time.
func (r *Resolver) pause(ttl time.Duration, failures int) time.Duration {
	switch {
	case failures > 0:
		return min(r.options.Floor<<min(failures-1, 16), r.options.Ceiling)
	case ttl < 0:
		return r.options.Ceiling
	default:
		return min(max(ttl, r.options.Floor), r.options.Ceiling)
	}
}

// arrange puts addresses in an order that does not depend on the turn of the name server's answer: the family that came
// first stays first, as the system sorts out what it can reach, and each is sorted in itself. Each address comes once,
// without mapping; so answers that mean the same are equal.
func arrange(addrs []netip.Addr) []netip.Addr {
	if len(addrs) == 0 {
		return nil
	}
	plain := make([]netip.Addr, len(addrs))
	for i, a := range addrs {
		plain[i] = a.Unmap()
	}
	first := plain[0].Is4()
	slices.SortFunc(plain, func(a, b netip.Addr) int {
		if a.Is4() != b.Is4() {
			if a.Is4() == first {
				return -1
			}
			return 1
		}
		return a.Compare(b)
	})
	return slices.Compact(plain)
}
