package e2e

import (
	"net/http"
	"testing"
	"time"
)

// TestIdleCPU: a process that holds a thousand clients and has nothing to do does next to nothing.
func TestIdleCPU(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a while of doing nothing")
	}
	t.Parallel()
	const clients, long = 1000, 5 * time.Second
	w := serve(t, one(startOrigin(t, "one", nil)), with{})
	for range clients {
		c, err := w.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close() //nolint:gocritic // they stay to the end of the test
		if err := c.ask(http.MethodGet, "/", ""); err != nil {
			t.Fatal(err)
		}
		resp, err := c.answer(http.MethodGet)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	eventually(t, patience, "connections to the origin are closed", func() bool {
		return w.scrape().sum("weir_origin_connections_open") == 0
	})
	before := w.cpuTime(t)
	time.Sleep(long) // what is measured is what happens while nothing does
	used := w.cpuTime(t) - before
	t.Logf("%v of CPU in %v with %d idle clients: %.2f %% of a core; %v before that", used, long, clients,
		100*used.Seconds()/long.Seconds(), before)
	if used > long/20 {
		t.Errorf("an idle process has used %v of CPU in %v, want at most a twentieth", used, long)
	}
	if open := w.scrape()["weir_clients_open"]; open != clients {
		t.Errorf("%v clients are still connected, want %d", open, clients)
	}
	w.stop()
}
