package proxy

import (
	"testing"
	"time"

	"github.com/weirlb/weir/config"
)

// TestIdleOriginConnectionsAreClosed: a connection that nobody has used for timeouts.origin_idle is closed, and
// everything else goes on (behaviour T1).
func TestIdleOriginConnectionsAreClosed(t *testing.T) {
	w := only(t, func(c *config.Config, _ *Options) { c.Weir.Timeouts.OriginIdle = 50 * time.Millisecond })
	v := w.visit()
	live := w.writer.Current().Pools()[0].Origins[0].Live
	for range 2 {
		v.send("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
		if res, body := v.answer("GET"); res.StatusCode != 200 || body != "one\n" {
			t.Fatalf("got %d %q", res.StatusCode, body)
		}
		w.await("the idle connection to be closed", func() bool {
			return live.Connections() == 0 && w.origins[0].Stats().ConnectionsOpen == 0
		})
	}
	if n := w.origins[0].Stats().Connections; n != 2 {
		t.Errorf("the origin saw %d connections, want one for each request", n)
	}
}
