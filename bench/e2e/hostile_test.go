package e2e

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestSlowHeads: clients that send a byte now and then are shed when the time of a head is over, and nobody else
// notices (behaviour E13, T1).
func TestSlowHeads(t *testing.T) {
	t.Parallel()
	const slow, patient = 100, 2 * time.Second
	o := startOrigin(t, "one", nil)
	world := one(o)
	world.local["timeouts"].(object)["client_header"] = patient.String()
	w := serve(t, world, with{})

	good := make(chan error, 1)
	stop := make(chan struct{})
	go func() { good <- w.serveOne(stop) }()
	err := together(slow, func(int) error {
		c, err := w.dial()
		if err != nil {
			return err
		}
		defer c.Close()
		began := time.Now()
		go c.trickle("GET / HTTP/1.1\r\nHost: " + host + "\r\nX-Slow: yes\r\n\r\n")
		resp, err := http.ReadResponse(c.r, nil)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, c.r); err != nil && !errors.Is(err, net.ErrClosed) && !isReset(err) {
			return fmt.Errorf("after the answer: %w", err)
		}
		if took := time.Since(began); resp.StatusCode != http.StatusRequestTimeout || took < patient || took > patient+5*time.Second {
			return fmt.Errorf("answered %s and closed after %v, want 408 after %v", resp.Status, took, patient)
		}
		return nil
	})
	close(stop)
	if err := errors.Join(err, <-good); err != nil {
		t.Error(err)
	}
	w.quiet("pool", o)
	w.stop()
}

func isReset(err error) bool { return strings.Contains(err.Error(), "reset by peer") }

// trickle sends a byte per 100 ms until the connection ends: at that pace no head would ever be whole in time.
func (c *conn) trickle(text string) {
	for i := range len(text) {
		if _, err := io.WriteString(c, text[i:i+1]); err != nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// serveOne is a well-behaved client that asks again and again until it is stopped.
func (w *weir) serveOne(stop <-chan struct{}) error {
	c, err := w.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		select {
		case <-stop:
			return nil
		case <-time.After(10 * time.Millisecond):
		}
		if err := c.hello(); err != nil {
			return fmt.Errorf("a client that does nothing wrong: %w", err)
		}
	}
}

// hello is one request and its answer.
func (c *conn) hello() error {
	if err := c.ask(http.MethodGet, "/", ""); err != nil {
		return err
	}
	resp, err := c.answer(http.MethodGet)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// slowly asks for something that takes a moment, and answers "" for 200, or the reason of a refusal.
func (c *conn) slowly() (reason string, err error) {
	if err := c.ask(http.MethodGet, "/delay/20ms", ""); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode == http.StatusOK {
		return "", err
	}
	return cmp.Or(resp.Header.Get("Weir-Reason"), resp.Status), nil
}

// TestOversizedHeads are refused with the status that says what was too large, the connection is closed, and no origin
// hears of them (behaviour E10, T2).
func TestOversizedHeads(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, "one", nil)
	w := serve(t, one(o), with{})
	long := func(n int) string { return strings.Repeat("a", n) }
	for _, c := range []struct {
		name, head string
		want       int
	}{
		{"target", "GET /" + long(20<<10) + " HTTP/1.1\r\nHost: h\r\n\r\n", http.StatusRequestURITooLong},
		{"endless target", "GET /" + long(1<<20), http.StatusRequestURITooLong},
		{"field", "GET / HTTP/1.1\r\nHost: h\r\nX-Long: " + long(20<<10) + "\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge},
		{"endless field", "GET / HTTP/1.1\r\nHost: h\r\nX-Long: " + long(1<<20), http.StatusRequestHeaderFieldsTooLarge},
		{"fields in all", "GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X-Part: "+long(4<<10)+"\r\n", 9) + "\r\n", http.StatusRequestHeaderFieldsTooLarge},
		{"number of fields", "GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X: 1\r\n", 200) + "\r\n", http.StatusRequestHeaderFieldsTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			connection, err := w.dial()
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			go func() { _, _ = io.WriteString(connection, c.head) }() // weir need not take all of it
			resp, err := http.ReadResponse(connection.r, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != c.want || !resp.Close {
				t.Errorf("answered %s, close: %v; want %d and the end of the connection", resp.Status, resp.Close, c.want)
			}
		})
	}
	if n := o.Stats().Requests; n != 0 {
		t.Errorf("the origin saw %d requests, want none", n)
	}
	w.stop()
}

// TestMoreClientsThanDescriptors: five thousand clients come to a process that may have a thousand files open. Those
// it has room for are served, the others are told; nothing falls over, no origin is taken for dead, whoever operates it
// still gets in, and afterwards all is as before (behaviour E11, T2).
func TestMoreClientsThanDescriptors(t *testing.T) {
	const descriptors, crowd = 1024, 5000
	o := startOrigin(t, "one", nil)
	world := one(o)
	w, early := fewDescriptors(t, world, descriptors, 1)
	clients := w.crowd(crowd)
	told, waiting := w.tally(clients)
	t.Logf("of %d clients %d were told that there is no room, %d are connected", crowd, told, waiting)
	if told == 0 || waiting == 0 || waiting >= descriptors {
		t.Errorf("%d told and %d connected, want some of each and fewer than %d connected", told, waiting, descriptors)
	}

	// While the house is full.
	if err := early[0].hello(); err != nil {
		t.Errorf("a client that was there before: %v", err)
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if status, _ := w.ask(http.MethodGet, path); status != http.StatusOK {
			t.Errorf("the admin listener answers %d to %s", status, path)
		}
	}
	if n := w.scrape()["weir_overload_connections_total"]; n < float64(told) {
		t.Errorf("%v connections were counted as too many, and %d clients were told so", n, told)
	}
	probed := w.scrape().sum("weir_probes_total")
	eventually(t, patience, "probes go on", func() bool { return w.scrape().sum("weir_probes_total") >= probed+6 })

	// When they have gone.
	for _, c := range clients {
		c.Close()
	}
	eventually(t, patience, "a new client is served again", func() bool {
		a, err := w.get("/")
		return err == nil && a.status == http.StatusOK
	})
	if !w.running() {
		t.Fatalf("the program has ended: %v", w.cmd.ProcessState)
	}
	if down := w.scrape()[`weir_health_transitions_total{origin="one",pool="pool",to="down"}`]; down != 0 {
		t.Errorf("the origin was taken for dead %v times", down)
	}
	for _, c := range early {
		c.Close()
	}
	w.quiet("pool", o)
	w.stop()
}

// TestOutOfDescriptors: a process that is told to take more clients than it has descriptors for runs out of them. It
// waits without a spin, says nothing wrong of its origin, and goes on once clients have left.
func TestOutOfDescriptors(t *testing.T) {
	const descriptors, crowd = 256, 1000 // the kernel's queue holds the rest
	o := startOrigin(t, "one", nil)
	world := one(o)
	world.local["limits"] = object{"client_connections": 100_000, "origin_connections": 100_000}
	w, early := fewDescriptors(t, world, descriptors, 5)
	clients := w.crowd(crowd)
	eventually(t, patience, "the process is out of descriptors", func() bool { return w.said.contains("accepting connections pauses") })

	before, long := w.cpuTime(t), 3*time.Second
	end := time.Now().Add(long)
	var answered, busy atomic.Int64
	err := together(len(early), func(i int) error {
		for time.Now().Before(end) {
			reason, err := early[i].slowly()
			switch {
			case err != nil:
				return fmt.Errorf("a client that was there before: %w", err)
			case reason == "":
				answered.Add(1)
			case reason == "origin_busy":
				busy.Add(1)
				time.Sleep(20 * time.Millisecond) // as long as an answer takes
			default:
				return fmt.Errorf("a client that was there before is refused: %s", reason)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	used := w.cpuTime(t) - before
	t.Logf("out of descriptors: %d requests answered, %d told that the origin is busy, %v of CPU in %v", answered.Load(), busy.Load(), used, long)
	if answered.Load() == 0 || busy.Load() == 0 {
		t.Error("want some requests answered on the connections that there are, and some refused for want of another")
	}
	if used > long/5 {
		t.Errorf("the process has used %v of CPU in %v while it could accept nobody, want at most a fifth", used, long)
	}

	for _, c := range clients {
		c.Close()
	}
	eventually(t, patience, "a new client is served again", func() bool {
		a, err := w.get("/")
		return err == nil && a.status == http.StatusOK
	})
	if down := w.scrape()[`weir_health_transitions_total{origin="one",pool="pool",to="down"}`]; down != 0 {
		t.Errorf("the origin was taken for dead %v times", down)
	}
	for _, c := range early {
		c.Close()
	}
	w.quiet("pool", o)
	w.stop()
}

// fewDescriptors serves a monitored pool with a limit of open files, and answers some clients that came first.
func fewDescriptors(t testing.TB, world *world, limit, first int) (*weir, []*conn) {
	t.Helper()
	world.pools[0] = monitored(world.pools[0])
	world.monitors = []object{quickMonitor()}
	world.local["timeouts"].(object)["client_header"] = "1m" // who says nothing stays to the end of the story
	w := serve(t, world, with{descriptors: limit})
	early := w.crowd(first)
	for _, c := range early {
		if err := c.hello(); err != nil {
			t.Fatal(err)
		}
	}
	return w, early
}

// crowd connects this many clients, who say nothing. They leave with the test at the latest.
func (w *weir) crowd(n int) []*conn {
	w.t.Helper()
	var clients []*conn
	w.t.Cleanup(func() {
		for _, c := range clients {
			_ = c.Close() // most have been closed before
		}
	})
	for range n {
		c, err := w.dial()
		if errors.Is(err, syscall.EMFILE) {
			w.t.Skipf("this process itself may not have %d files open", n)
		}
		if err != nil {
			w.t.Fatalf("client %d: %v", len(clients), err)
		}
		clients = append(clients, c)
	}
	return clients
}

// tally waits until every client knows: those that are told read a 503 and the end, the others read nothing.
func (w *weir) tally(clients []*conn) (told, waiting int) {
	w.t.Helper()
	var before [2]int
	eventually(w.t, patience, "who is told and who is not stays the same", func() bool {
		told, waiting = 0, 0
		for _, c := range clients {
			if err := c.SetReadDeadline(time.Now().Add(time.Microsecond)); err != nil {
				w.t.Fatal(err)
			}
			head, err := c.r.Peek(len("HTTP/1.1 503"))
			switch {
			case string(head) == "HTTP/1.1 503":
				told++
			case errors.Is(err, os.ErrDeadlineExceeded):
				waiting++
			default:
				w.t.Fatalf("a client read %q, %v; want a 503 or nothing", head, err)
			}
		}
		same := before == [2]int{told, waiting}
		before = [2]int{told, waiting}
		return same
	})
	return told, waiting
}
