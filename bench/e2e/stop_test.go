package e2e

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/weirlb/weir/bench/load"
	"github.com/weirlb/weir/bench/origin"
)

// TestStopUnderLoad ends the program with TERM under load: everything that was sent to it is answered, the end comes
// soon after, and the exit status is 0 (behaviour O2).
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, "one", kinds("one"))
	w := serve(t, one(o), with{})
	var answered atomic.Int64
	var bad, closed atomic.Int64
	running, err := load.Start(t.Context(), load.Options{
		Addr: w.proxy, Host: host, Rate: 300, For: 3 * time.Second, Conns: 32, TagField: origin.NameField,
		Request: func(i int64) load.Request {
			if i%20 == 0 { // under way when the signal comes, and for a while
				return load.Request{Target: fmt.Sprintf("/late/%d", i)}
			}
			return request(i)
		},
		OnResult: func(r *load.Result) {
			switch {
			case r.Err == nil && r.Status == http.StatusOK:
				answered.Add(1)
			case r.Cause == load.CauseRefused:
			case !r.Reused && (r.Cause == load.CauseReset || r.Cause == load.CauseClosed):
				closed.Add(1) // it waited in the kernel's queue when the listener closed: weir never saw it
			default:
				if bad.Add(1) <= 10 {
					t.Errorf("request %d at %v (reused %v): %d, %s: %v", r.Index, r.Due, r.Reused, r.Status, r.Cause, r.Err)
				}
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, patience, "the load has begun", func() bool { return answered.Load() >= 200 })
	signalled := time.Now()
	w.signal(syscall.SIGTERM)
	status := w.exit(patience)
	took := time.Since(signalled)
	report := running.Wait()
	if status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
	// Every connection carries a request within a tenth of a second; one that is idle has one second.
	if took > 3*time.Second {
		t.Errorf("the end took %v, want about a second", took)
	}
	if refused := report.Causes[load.CauseRefused]; refused == 0 {
		t.Error("no request was refused: the load had ended before the program")
	}
	if logged := int64(len(readLog(t, w.accessLog))); logged != answered.Load() {
		t.Errorf("%d requests answered and %d logged", answered.Load(), logged)
	}
	t.Logf("stopped after %v; %d answered, %d refused afterwards, %d of them in the kernel's queue",
		took.Round(time.Millisecond), answered.Load(), report.Causes[load.CauseRefused]+closed.Load(), closed.Load())
}

// TestStopWaitsForRequests: readiness fails and new clients are refused at once, requests under way are answered.
func TestStopWaitsForRequests(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, "one", nil)
	w := serve(t, one(o), with{})
	slow := w.begin(o, "/delay/1500ms")
	w.signal(syscall.SIGTERM)
	eventually(t, patience, "readiness fails", func() bool {
		status, body := w.ask(http.MethodGet, "/readyz")
		return status == http.StatusServiceUnavailable && len(body) > 0
	})
	if _, err := w.get("/"); err == nil {
		t.Error("a new client is served while the program drains")
	}
	resp, err := slow.answer(http.MethodGet)
	if err != nil {
		t.Fatalf("the request under way: %v", err)
	}
	defer resp.Body.Close()
	if !resp.Close {
		t.Error("the answer does not say that the connection closes")
	}
	if status := w.exit(patience); status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
}

// TestSecondSignal: a second signal ends the program at once, and the exit status says that something was cut off.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	for _, signals := range [][2]syscall.Signal{{syscall.SIGTERM, syscall.SIGTERM}, {syscall.SIGINT, syscall.SIGTERM}} {
		o := startOrigin(t, "one", nil)
		w := serve(t, one(o), with{})
		w.begin(o, "/delay/1h")
		w.signal(signals[0])
		eventually(t, patience, "readiness fails", func() bool {
			status, _ := w.ask(http.MethodGet, "/readyz")
			return status == http.StatusServiceUnavailable
		})
		w.signal(signals[1])
		if status := w.exit(5 * time.Second); status != 3 {
			t.Errorf("%v: exit status %d, want 3", signals, status)
		}
	}
}

// TestDrainCutShort: what does not end in time is cut off, and the exit status says so (behaviour T1, drain).
func TestDrainCutShort(t *testing.T) {
	t.Parallel()
	o := startOrigin(t, "one", nil)
	world := one(o)
	world.local["timeouts"].(object)["drain"] = "300ms"
	w := serve(t, world, with{})
	slow := w.begin(o, "/delay/1h")
	signalled := time.Now()
	w.signal(syscall.SIGTERM)
	if status := w.exit(patience); status != 3 {
		t.Errorf("exit status %d, want 3", status)
	}
	if took := time.Since(signalled); took < 300*time.Millisecond {
		t.Errorf("the end came after %v, before the time was over", took)
	}
	if resp, err := slow.answer(http.MethodGet); err == nil {
		resp.Body.Close()
		t.Errorf("the request that was cut off is answered %s", resp.Status)
	}
}

// begin sends a request and waits until the origin has it.
func (w *weir) begin(o *origin.Origin, path string) *conn {
	w.t.Helper()
	c, err := w.dial()
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() }) // a client that goes is none of the test's business
	if err := c.ask(http.MethodGet, path, ""); err != nil {
		w.t.Fatal(err)
	}
	eventually(w.t, patience, "the origin has the request", func() bool { return o.Stats().InFlight == 1 })
	return c
}
