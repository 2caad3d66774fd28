package proxy

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/bench/origin"
	"github.com/weirlb/weir/config"
)

// A client that reads slowly is not one that reads nothing (behaviour T1, client_write): the kernel takes a long answer
// far ahead of it, and then nothing for long.
func TestSlowReaderIsNotStalled(t *testing.T) {
	w := only(t, func(c *config.Config, _ *Options) { c.Weir.Timeouts.ClientWrite = 500 * time.Millisecond })
	v := w.visit()
	if err := v.Conn.(*net.TCPConn).SetReadBuffer(32 << 10); err != nil {
		t.Fatal(err)
	}
	v.send("GET /bytes/100000000 HTTP/1.1\r\nHost: a\r\n\r\n")
	var got origin.Checker
	v.head()
	for began := time.Now(); time.Since(began) < 1500*time.Millisecond; time.Sleep(10 * time.Millisecond) {
		if _, err := io.CopyN(&got, v.r, 4096); err != nil {
			t.Fatalf("after %d bytes: %v", got.Count(), err)
		}
	}
	if got.Mismatch() >= 0 {
		t.Errorf("the first difference is at %d", got.Mismatch())
	}
	if o := w.outcome(0); o.Class != balancer.ClientStalled { // now it reads nothing any more
		t.Errorf("outcome %v", o.Class)
	}
}

// The same for an origin that takes a request slowly (behaviour T1, origin_write).
func TestSlowOriginIsNotStalled(t *testing.T) {
	o := startOrigin(t, origin.Options{Handler: origin.Always(func(x *origin.Exchange) error {
		for began := time.Now(); time.Since(began) < 1500*time.Millisecond; {
			if _, err := io.CopyN(io.Discard, x, 4<<10); err != nil {
				return err
			}
			if err := x.Sleep(10 * time.Millisecond); err != nil {
				return err
			}
		}
		return origin.IgnoreBody(origin.Answer(413, origin.F("Connection", "close"), "enough"))(x)
	})})
	w := newWorld(t, []*origin.Origin{o}, func(c *config.Config, _ *Options) { c.Weir.Timeouts.OriginWrite = 500 * time.Millisecond })
	v := w.visit()
	go func() {
		_, _ = io.WriteString(v.Conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
		_, _ = io.Copy(v.Conn, origin.Pattern(1_000_000_000))
	}()
	if res, body := v.answer("POST"); res.StatusCode != 413 || body != "enough" {
		t.Errorf("got %d %q", res.StatusCode, body)
	}
	_ = v.Close()
}
