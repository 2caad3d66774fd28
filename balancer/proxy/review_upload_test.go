package proxy

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/bench/origin"
	"github.com/weirlb/weir/config"
)

// An origin that takes nothing more of a request and says nothing ends it (behaviour E4, T1 origin_write).
func TestOriginThatStopsReading(t *testing.T) {
	o := startOrigin(t, origin.Options{Handler: origin.Always(origin.IgnoreBody(origin.Silent()))})
	w := newWorld(t, []*origin.Origin{o}, func(c *config.Config, _ *Options) { c.Weir.Timeouts.OriginWrite = 100 * time.Millisecond })
	v := w.visit()
	go func() {
		_, _ = io.WriteString(v.Conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
		_, _ = io.Copy(v.Conn, origin.Pattern(1_000_000_000))
	}()
	if res, body := v.answer("POST"); res.StatusCode != 524 || body != "error code: 524" {
		t.Errorf("got %d %q", res.StatusCode, body)
	}
	if o := w.outcome(0); o.Class != balancer.OriginWriteTimeout {
		t.Errorf("outcome %v", o.Class)
	}
	_ = v.Close()
}

// An origin that goes away while the client pauses inside its body is the one to blame (behaviour E7).
func TestOriginLeavesInsideAnUpload(t *testing.T) {
	for name, act := range map[string]origin.Action{"closes": origin.Close(), "resets": origin.Reset()} {
		t.Run(name, func(t *testing.T) {
			o := startOrigin(t, origin.Options{Handler: origin.Always(func(x *origin.Exchange) error {
				if _, err := io.ReadFull(x, make([]byte, 5)); err != nil {
					return err
				}
				return act(x)
			})})
			w := newWorld(t, []*origin.Origin{o})
			v := w.visit()
			v.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
			if res, body := v.answer("POST"); res.StatusCode != 520 || body != "error code: 520" {
				t.Errorf("got %d %q", res.StatusCode, body)
			}
			if o := w.outcome(0); o.Class != balancer.OriginClosed {
				t.Errorf("outcome %v", o.Class)
			}
		})
	}
}

// An answer that pauses longer than a first byte may take, after the request that it answers early was sent whole, is
// not cut: the gap inside an answer has a time of its own (behaviour T1).
func TestEarlyAnswerHasTheTimeOfAnAnswer(t *testing.T) {
	began := make(chan struct{})
	o := startOrigin(t, origin.Options{Handler: origin.Always(func(x *origin.Exchange) error {
		if _, err := io.WriteString(x, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nearly"); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, x); err != nil {
			return err
		}
		close(began)
		if err := x.Sleep(100 * time.Millisecond); err != nil {
			return err
		}
		_, err := io.WriteString(x, "-late")
		return err
	})})
	w := newWorld(t, []*origin.Origin{o}, func(c *config.Config, _ *Options) { c.Weir.Timeouts.FirstByte = 20 * time.Millisecond })
	v := w.visit()
	v.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
	v.head()
	if got := v.read(5); got != "early" {
		t.Fatalf("got %q", got)
	}
	v.send("world")
	<-began
	if got := v.read(5); got != "-late" {
		t.Errorf("got %q", got)
	}
}

// A request whose body is at fault says so also when its answer has begun, and an origin that leaves inside its answer
// is not excused by it.
func TestBlameOfBrokenUploads(t *testing.T) {
	early := func(then origin.Action) origin.Action {
		return func(x *origin.Exchange) error {
			if _, err := io.WriteString(x, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nearly"); err != nil {
				return err
			}
			return then(x)
		}
	}
	for _, c := range []struct {
		name, more string
		act        origin.Action
		class      balancer.Class
	}{
		{"the client sends garbage", "zzz\r\n", early(origin.Silent()), balancer.ClientInvalid},
		{"the origin leaves", "", early(origin.Reset()), balancer.AnswerCut},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, []*origin.Origin{startOrigin(t, origin.Options{Handler: origin.Always(c.act)})})
			v := w.visit()
			v.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
			if head := v.head(); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
				t.Fatalf("got %q", head)
			}
			if c.more != "" {
				v.send(c.more)
			}
			v.cut()
			if o := w.outcome(0); o.Class != c.class {
				t.Errorf("outcome %v, want %v", o.Class, c.class)
			}
		})
	}
}
