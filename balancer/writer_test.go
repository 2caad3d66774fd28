package balancer

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// told is what a writer's OnSnapshot was told.
type diary struct {
	mu      sync.Mutex
	entries []string
}

func (d *diary) write(s *Snapshot, changes []Transition) {
	d.mu.Lock()
	defer d.mu.Unlock()
	entry := fmt.Sprint(s.Revision)
	for _, c := range changes {
		entry += fmt.Sprintf(" %s: %v to %v, %v;", c.Pool.Config.ID, c.From, c.To, c.Reason)
	}
	d.entries = append(d.entries, entry)
}

// read returns what was written since the last time.
func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	entries := d.entries
	d.entries = nil
	return entries
}

// answers is a Names that answers at once, or after a while.
type answers struct {
	mu    sync.Mutex
	known names
	takes time.Duration
	log   []string
	// serving is the writer's revision.
	serving func() uint64
}

func (a *answers) Addrs(name string) []netip.Addr {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.known[name]
}

func (a *answers) Prepare(names []string) {
	time.Sleep(a.takes)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.log = append(a.log, fmt.Sprint("prepare ", names))
	for _, name := range names {
		a.known[name] = []netip.Addr{netip.MustParseAddr("192.0.2.99")}
	}
}

func (a *answers) Keep(names []string) {
	serving := a.serving()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.log = append(a.log, fmt.Sprintf("keep %v at revision %d", names, serving))
}

// inBubble runs f with a writer over pools A and B, all up, in virtual time.
func inBubble(t *testing.T, f func(t *testing.T, w *Writer, table *health.Table, d *diary, n *answers)) {
	synctest.Test(t, func(t *testing.T) {
		table, d, n := health.NewTable(), &diary{}, &answers{known: names{}}
		w := NewWriter(WriterOptions{Registry: NewRegistry(1), Health: table, Names: n, OnSnapshot: d.write})
		n.serving = func() uint64 { return w.Current().Revision }
		defer w.Close()
		f(t, w, table, d, n)
	})
}

func twoPools() *config.Config {
	return &config.Config{
		LoadBalancers: []config.LoadBalancer{lb("B", "A", "B")},
		Pools:         []config.Pool{pool("A", 2), pool("B", 2)},
		Monitors:      []config.Monitor{{ID: "m", Type: "tcp"}},
	}
}

// What changed before a configuration is in its snapshot, and makes no other one.
func TestAConfigurationCatchesUp(t *testing.T) {
	inBubble(t, func(t *testing.T, w *Writer, table *health.Table, d *diary, _ *answers) {
		c := twoPools()
		w.SetConfig(c)
		d.read()
		table.Set(picture(&c.Pools[0], "UU"))
		w.PoolChanged("A")
		w.SetConfig(twoPools())
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := d.read(); !slices.Equal(got, []string{"2 A: Health unknown to Healthy, yes;"}) {
			t.Errorf("got %q", got)
		}
	})
}

// Many changes within 10 ms make one snapshot, 10 ms after the first of them.
func TestChangesAreCoalesced(t *testing.T) {
	inBubble(t, func(t *testing.T, w *Writer, table *health.Table, d *diary, _ *answers) {
		c := twoPools()
		w.SetConfig(c)
		first := w.Current()
		d.read()
		start := time.Now()
		table.Set(picture(&c.Pools[0], "UU"))
		for range 9 {
			w.PoolChanged("A")
			time.Sleep(time.Millisecond)
		}
		table.Set(picture(&c.Pools[1], "UD"))
		w.PoolChanged("B")
		if w.Current() != first {
			t.Errorf("the first snapshot was replaced after %v", time.Since(start))
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		want := []string{"1 A: Health unknown to Healthy, yes; B: Health unknown to Degraded, yes;"}
		if got := d.read(); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := d.read(); got != nil {
			t.Errorf("with nothing new: %q", got)
		}
	})
}

func TestFlushWaitsForNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, w *Writer, table *health.Table, d *diary, _ *answers) {
		w.Flush() // before there is anything
		if w.Current() != nil {
			t.Error("there is a snapshot of nothing")
		}
		c := twoPools()
		w.SetConfig(c)
		before := w.Current()
		w.Flush()
		if w.Current() != before {
			t.Error("a new snapshot of nothing new")
		}
		d.read()
		table.Set(picture(&c.Pools[0], "DD"))
		w.PoolChanged("A")
		w.Flush()
		if got := d.read(); !slices.Equal(got, []string{"1 A: Health unknown to Critical, pool_critical;"}) {
			t.Errorf("got %q", got)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := d.read(); got != nil {
			t.Errorf("the same again: %q", got)
		}
	})
}

// A configuration acts when SetConfig returns, with the health of now and its names resolved; it counts revisions.
func TestSetConfig(t *testing.T) {
	inBubble(t, func(t *testing.T, w *Writer, table *health.Table, d *diary, n *answers) {
		c := twoPools()
		table.Set(picture(&c.Pools[0], "UU"))
		if s := w.SetConfig(c); s != w.Current() || s.Revision != 1 || s.Config != c {
			t.Errorf("revision %d", s.Revision)
		}
		if got := d.read(); !slices.Equal(got, []string{"1 A: Health unknown to Healthy, yes;"}) {
			t.Errorf("got %q", got)
		}
		table.Set(picture(&c.Pools[1], "UU"))
		w.PoolChanged("B") // seen by the next configuration already
		next := twoPools()
		next.Pools[0].Origins[0].Address = "one.test"
		n.takes = time.Second
		n.log = nil
		changed := make(chan bool)
		go func() {
			w.SetConfig(next)
			close(changed)
		}()
		time.Sleep(500 * time.Millisecond)
		if got := w.Current().Config; got != c {
			t.Error("the new configuration acts before its names are resolved")
		}
		<-changed
		if got := w.Current().Pool("A").Origins[0].Addrs; len(got) != 1 {
			t.Errorf("addresses %v", got)
		}
		if !slices.Equal(n.log, []string{"prepare [one.test]", "keep [one.test] at revision 2"}) {
			t.Errorf("names: %q", n.log)
		}
		if w.Current().Revision != 2 {
			t.Errorf("revision %d", w.Current().Revision)
		}
		// Origin A/o1 is another one now, and unknown.
		want := []string{"1 B: Health unknown to Healthy, yes;", "2 A: Healthy to Degraded, yes;"}
		if got := d.read(); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestResolved(t *testing.T) {
	inBubble(t, func(t *testing.T, w *Writer, _ *health.Table, d *diary, n *answers) {
		w.Resolved("one.test") // before there is anything
		c := twoPools()
		c.Pools[1].Origins[1].Address = "One.test"
		w.SetConfig(c)
		d.read()
		want := []netip.Addr{netip.MustParseAddr("2001:db8::9")}
		n.mu.Lock()
		n.known["one.test"] = want
		n.mu.Unlock()
		w.Resolved("ONE.test")
		w.Resolved("other.test")
		time.Sleep(Coalescing)
		synctest.Wait()
		if got := w.Current().Pool("B").Origins[1].Addrs; !slices.Equal(got, want) {
			t.Errorf("addresses %v", got)
		}
		if got := d.read(); !slices.Equal(got, []string{"1"}) {
			t.Errorf("got %q", got)
		}
	})
}

func TestAClosedWriterStaysStill(t *testing.T) {
	inBubble(t, func(t *testing.T, w *Writer, table *health.Table, d *diary, _ *answers) {
		c := twoPools()
		w.SetConfig(c)
		table.Set(picture(&c.Pools[0], "UU"))
		w.PoolChanged("A")
		before := w.Current()
		w.Close()
		w.PoolChanged("A")
		d.read()
		time.Sleep(time.Hour)
		synctest.Wait()
		if w.Current() != before || d.read() != nil {
			t.Error("it made another snapshot")
		}
	})
}

// Readers see whole snapshots while everything changes; afterwards the last word holds. For the race detector.
func TestReadersBesideTheWriter(t *testing.T) {
	table := health.NewTable()
	w := NewWriter(WriterOptions{Registry: NewRegistry(2), Health: table})
	c := twoPools()
	w.SetConfig(c)
	stop := make(chan struct{})
	var readers, writers sync.WaitGroup
	for row := range 2 {
		readers.Go(func() {
			var trail Trail
			for seed := uint64(0); ; seed++ {
				select {
				case <-stop:
					return
				default:
				}
				trail.Reset()
				if d := w.Current().Direct(request(seed), &trail); d.Kind == ToOrigin {
					d.Origin.Live.BeginRequest(row)
					d.Origin.Live.EndRequest(row)
				}
			}
		})
	}
	for i, statuses := range []string{"UD", "DU"} {
		writers.Go(func() {
			for k := range 200 {
				table.Set(picture(&c.Pools[i], statuses))
				w.PoolChanged(c.Pools[i].ID)
				switch k % 20 {
				case 0:
					w.SetConfig(twoPools())
				case 10:
					w.Flush()
				}
			}
		})
	}
	writers.Wait()
	w.Flush()
	close(stop)
	readers.Wait()
	w.Close()
	for i, want := range []string{"A/o1", "B/o2"} {
		s := w.Current()
		if i == 1 {
			table.Set(picture(&c.Pools[0], "DD"))
			s = Build(s, Inputs{Revision: 1, Config: s.Config, Health: table, Registry: w.options.Registry}, Changed{Pools: []string{"A"}})
		}
		if got := where(s.Direct(request(1), &Trail{})); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if err := w.options.Registry.Quiet(); err != nil {
		t.Error(err)
	}
}
