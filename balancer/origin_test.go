package balancer

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/weirlb/weir/config"
)

func named(i int) config.Identity {
	return config.Identity{Pool: "A", Address: "192.0.2.1", Port: i}
}

func TestCountersOfOriginsAndRowsDoNotMix(t *testing.T) {
	g := NewRegistry(3)
	origins := make([]*Origin, 40) // more than two chunks
	for i := range origins {
		origins[i] = g.Origin(named(i))
	}
	for i, o := range origins {
		for k := range i {
			o.BeginRequest(k % 3)
			if k%2 == 0 {
				o.OpenConnection(k % 3)
			}
		}
	}
	for i, o := range origins {
		if o.Outstanding() != i || o.Connections() != (i+1)/2 {
			t.Errorf("origin %d counts %d requests and %d connections", i, o.Outstanding(), o.Connections())
		}
	}
	for i, o := range origins {
		for k := range i {
			o.EndRequest(k % 3)
			if k%2 == 0 {
				o.CloseConnection(k % 3)
			}
		}
	}
	if err := g.Quiet(); err != nil {
		t.Error(err)
	}
}

func TestQuietNamesWhatIsNot(t *testing.T) {
	g := NewRegistry(2)
	o := g.Origin(named(80))
	o.BeginRequest(1)
	o.OpenConnection(0)
	o.OpenConnection(1)
	err := g.Quiet()
	if err == nil || !strings.Contains(err.Error(), "192.0.2.1 port 80 of pool A: 1 requests outstanding and 2 connections") {
		t.Errorf("got %v", err)
	}
	runtime.KeepAlive(o)
}

// A counter that is taken back twice is found where it happens, and not made up for.
func TestCountingBelowZeroIsABug(t *testing.T) {
	g := NewRegistry(2)
	for what, back := range map[string]func(o *Origin){
		"request":                func(o *Origin) { o.EndRequest(0) },
		"connection":             func(o *Origin) { o.CloseConnection(0) },
		"request of another row": func(o *Origin) { o.BeginRequest(1); o.EndRequest(0) },
	} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.HasPrefix(fmt.Sprint(r), "BUG: ") {
					t.Errorf("%s: %v", what, r)
				}
			}()
			back(g.Origin(named(1)))
		}()
	}
}

// Two writers share no cache line, and the counters of a chunk are as small as they can be.
func TestLayoutOfRows(t *testing.T) {
	if size := unsafe.Sizeof(row{}); size != 128 {
		t.Errorf("a row of %d origins has %d bytes, want two cache lines", chunkSize, size)
	}
	for rows := 1; rows <= 16; rows++ {
		o := NewRegistry(rows).Origin(named(1))
		if at := uintptr(unsafe.Pointer(&o.rows[0])); at%64 != 0 {
			t.Errorf("%d rows begin within a cache line, at %#x", rows, at)
		}
	}
}

// Regression: counters that belong to settings lose what is in flight when the settings change. Here they belong to the
// identity: through a change of name, weight and order, and through leaving and coming back while in flight.
func TestInFlightSurvivesReloads(t *testing.T) {
	w := newWorld(t, lb("A", "A"), policy(pool("A", 3), "least_outstanding_requests"))
	o := w.snapshot.Pool("A").Origins[1].Live
	for range 1000 {
		o.BeginRequest(0)
	}
	w.reload(func(c *config.Config) {
		p := &c.Pools[0]
		p.Origins[0], p.Origins[1] = p.Origins[1], p.Origins[0]
		p.Origins[0].Name, p.Origins[0].Weight = "renamed", 50
	})
	if now := w.snapshot.Pool("A").Origins[0].Live; now != o || now.Outstanding() != 1000 {
		t.Errorf("after the reload the origin counts %d", now.Outstanding())
	}
	gone := func(c *config.Config) { c.Pools[0].Origins = c.Pools[0].Origins[1:] }
	var kept config.Origin
	w.reload(func(c *config.Config) { kept = c.Pools[0].Origins[0]; gone(c) })
	for range 3 {
		runtime.GC()
	}
	w.reload(func(c *config.Config) { c.Pools[0].Origins = append(c.Pools[0].Origins, kept) })
	if now := w.snapshot.Pool("A").Origins[2].Live; now != o || now.Outstanding() != 1000 {
		t.Errorf("after leaving and coming back it counts %d", now.Outstanding())
	}
	for range 1000 {
		o.EndRequest(0)
	}
	if err := w.registry.Quiet(); err != nil {
		t.Error(err)
	}
}

// What nothing holds any more is forgotten; what a snapshot or a request holds is not.
func TestTheRegistryForgets(t *testing.T) {
	g := NewRegistry(1)
	held := g.Origin(named(0))
	for i := 1; i < 100; i++ {
		g.Origin(named(i))
	}
	for end := time.Now().Add(20 * time.Second); g.Len() > 1; {
		if time.Now().After(end) {
			t.Fatalf("%d origins are still known", g.Len())
		}
		runtime.GC()
	}
	if g.Origin(named(0)) != held {
		t.Error("the one that is held was forgotten")
	}
	kept := g.Pool("kept")
	g.Pool("dropped")
	known := func() int {
		g.mu.Lock()
		defer g.mu.Unlock()
		return len(g.pools)
	}
	for end := time.Now().Add(20 * time.Second); known() > 2; { // the one that is held, and that of the origin held
		if time.Now().After(end) {
			t.Fatalf("%d pools are still known", known())
		}
		runtime.GC()
	}
	if g.Pool("kept") != kept || g.Pool(held.Identity.Pool) != held.pool {
		t.Error("a pool that is held was forgotten")
	}
	runtime.KeepAlive(held)
}

// Conservation: whatever goes on at once, the sum is what is in flight, and at the end nothing is.
func TestConservation(t *testing.T) {
	w := newWorld(t, lb("A", "A"), policy(pool("A", 4), "least_outstanding_requests"))
	const goroutines, each, held = 8, 2000, 5
	var all, ready sync.WaitGroup
	release := make(chan struct{})
	ready.Add(goroutines)
	for n := range uint64(goroutines) {
		all.Go(func() {
			row := int(n) % w.registry.Rows()
			var inFlight []*Origin
			for k := range uint64(each) {
				o := w.from(n, n*each+k).Origin.Live
				o.BeginRequest(row)
				o.OpenConnection(row)
				inFlight = append(inFlight, o)
				if len(inFlight) > held {
					inFlight[0].EndRequest(row)
					inFlight[0].CloseConnection(row)
					inFlight = inFlight[1:]
				}
			}
			ready.Done()
			<-release
			for _, o := range inFlight {
				o.EndRequest(row)
				o.CloseConnection(row)
			}
		})
	}
	ready.Wait()
	requests, connections := 0, 0
	for _, o := range w.snapshot.Pool("A").Origins {
		requests += o.Live.Outstanding()
		connections += o.Live.Connections()
	}
	if requests != goroutines*held || connections != goroutines*held {
		t.Errorf("%d requests and %d connections counted, %d in flight", requests, connections, goroutines*held)
	}
	close(release)
	all.Wait()
	if err := w.registry.Quiet(); err != nil {
		t.Error(err)
	}
}

func BenchmarkCount(b *testing.B) {
	o := NewRegistry(2).Origin(named(1))
	for b.Loop() {
		o.BeginRequest(0)
		o.EndRequest(0)
	}
}
