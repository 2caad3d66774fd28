package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/bench/origin"
	"github.com/weirlb/weir/config"
)

func dead(t *testing.T) *origin.Origin {
	t.Helper()
	o := startOrigin(t, origin.Options{})
	o.Kill()
	return o
}

// firstTry repeats a request until its first attempt was at the origin meant, as Trail and weights leave that to chance.
func (w *world) firstTry(path string, tried func(Outcome) bool) (status int, body string, o Outcome) {
	w.t.Helper()
	for n := range 200 {
		res, b := w.get(path)
		if o := w.outcome(n); tried(o) {
			return res.StatusCode, b, o
		}
	}
	w.t.Fatal("the origin was never tried first")
	return 0, "", Outcome{}
}

func retried(o Outcome) bool { return o.Tries == 2 }

// One retry at another origin of the pool (docs/behaviour.md R1, R2).
func TestRetryAtAnotherOrigin(t *testing.T) {
	t.Run("one refuses, one serves", func(t *testing.T) {
		w := newWorld(t, []*origin.Origin{dead(t), startOrigin(t, origin.Options{Name: "two"})})
		status, body, o := w.firstTry("/", retried)
		if status != 200 || body != "two\n" || o.Retried != balancer.ConnectRefused || o.Class != balancer.OK {
			t.Errorf("got %d %q, outcome %+v", status, body, o)
		}
	})
	t.Run("two refuse: one retry only, although a third would work", func(t *testing.T) {
		w := newWorld(t, []*origin.Origin{dead(t), dead(t), startOrigin(t, origin.Options{Name: "three"})})
		status, body, o := w.firstTry("/", func(o Outcome) bool { return o.Status == 521 })
		if status != 521 || body != "error code: 521" || o.Tries != 2 {
			t.Errorf("got %d %q after %d tries", status, body, o.Tries)
		}
	})
	t.Run("nobody else", func(t *testing.T) {
		w := newWorld(t, []*origin.Origin{dead(t)})
		res, body := w.get("/")
		if res.StatusCode != 521 || body != "error code: 521" || res.Header.Get("Weir-Reason") != "connect_refused" {
			t.Errorf("got %d %q %v", res.StatusCode, body, res.Header)
		}
	})
	t.Run("a body that was not sent goes to the other origin whole", func(t *testing.T) {
		w := newWorld(t, []*origin.Origin{dead(t), startOrigin(t, origin.Options{Name: "two"})})
		for n := 0; ; n++ {
			v := w.visit()
			v.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello")
			v.send(" world")
			if res, body := v.answer("POST"); res.StatusCode != 200 || body != "hello world" {
				t.Fatalf("got %d %q", res.StatusCode, body)
			}
			if retried(w.outcome(n)) {
				return
			}
		}
	})
	for name, act := range map[string]origin.Action{
		"the origin's own 503 passes through": origin.Answer(503, nil, "mine"),
		"the origin's own 521 passes through": origin.Answer(521, nil, "mine"),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, []*origin.Origin{startOrigin(t, origin.Options{Handler: origin.Always(act)}), startOrigin(t, origin.Options{Handler: origin.Always(act)})})
			res, body := w.get("/")
			if o := w.outcome(0); res.StatusCode < 500 || body != "mine" || o.Tries != 1 {
				t.Errorf("got %d %q, %d tries", res.StatusCode, body, o.Tries)
			}
		})
	}
}

// The errors of docs/behaviour.md E1 to E7, each by an origin that fails that way.
func TestErrors(t *testing.T) {
	quick := func(c *config.Config, _ *Options) {
		c.Weir.Timeouts.Connect = 100 * time.Millisecond
		c.Weir.Timeouts.FirstByte = 100 * time.Millisecond
	}
	for _, c := range []struct {
		name   string
		act    origin.Action
		status int
		class  balancer.Class
	}{
		{"closes without an answer", origin.Close(), 520, balancer.OriginClosed},
		{"resets without an answer", origin.Reset(), 520, balancer.OriginClosed},
		{"closes inside the head", origin.CloseAfter(20, origin.Answer(200, nil, "x")), 520, balancer.OriginClosed},
		{"garbage", origin.Raw("SSH-2.0-OpenSSH_9.2\r\n\r\n"), 520, balancer.OriginInvalid},
		{"oversized head", origin.Answer(200, origin.F("X-Big", strings.Repeat("x", 40<<10)), "x"), 520, balancer.OriginInvalid},
		{"two lengths", origin.Raw("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"), 520, balancer.OriginInvalid},
		{"unasked 101", origin.Raw("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"), 520, balancer.OriginInvalid},
		{"silent", origin.Silent(), 524, balancer.FirstByteTimeout},
		{"stalls inside the head", origin.StallAfter(20, origin.Answer(200, nil, "x")), 524, balancer.FirstByteTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			act := origin.Always(c.act)
			w := newWorld(t, []*origin.Origin{startOrigin(t, origin.Options{Handler: act}), startOrigin(t, origin.Options{Handler: act})}, quick)
			res, body := w.get("/")
			if res.StatusCode != c.status || !strings.HasPrefix(body, "error code: ") {
				t.Errorf("got %d %q", res.StatusCode, body)
			}
			if o := w.outcome(0); o.Class != c.class || o.Tries != 1 { // none of these is retried (behaviour R1, R7)
				t.Errorf("outcome %v after %d tries, want %v after one", o.Class, o.Tries, c.class)
			}
		})
	}
	t.Run("no connection in time", func(t *testing.T) {
		hole, err := origin.StartBlackHole()
		if err != nil {
			t.Skip(err)
		}
		t.Cleanup(hole.Close)
		w := newWorld(t, nil, quick, func(c *config.Config, _ *Options) {
			c.Pools[0].Origins = []config.Origin{{Name: "hole", Address: hole.AddrPort().Addr().String(), Port: int(hole.AddrPort().Port()), Enabled: true, Weight: 100}}
		})
		res, body := w.get("/")
		if o := w.outcome(0); res.StatusCode != 522 || body != "error code: 522" || o.Class != balancer.ConnectTimeout {
			t.Errorf("got %d %q %v", res.StatusCode, body, o.Class)
		}
	})
	t.Run("too many connections", func(t *testing.T) {
		w := newWorld(t, []*origin.Origin{startOrigin(t, origin.Options{Handler: origin.Always(origin.Silent())})}, func(c *config.Config, _ *Options) {
			c.Weir.Limits.OriginConnections = 1
		})
		v := w.visit()
		v.send(plainGET)
		w.awaitOrigin("the first request", func(s origin.Stats) bool { return s.InFlight == 1 })
		if res, _ := w.get("/"); res.StatusCode != 503 || res.Header.Get("Weir-Reason") != "origin_busy" {
			t.Errorf("got %d %v", res.StatusCode, res.Header)
		}
	})
}

// A kept connection that the origin closed just now costs no safe request (docs/behaviour.md R4).
func TestStaleConnections(t *testing.T) {
	t.Run("closed while idle", func(t *testing.T) {
		w := only(t)
		for range 20 {
			if res, body := w.get("/"); res.StatusCode != 200 || body != "one\n" {
				t.Fatalf("got %d %q", res.StatusCode, body)
			}
			w.await("an idle connection", func() bool { return w.origins[0].CloseIdle() > 0 })
		}
	})
	// The origin closes on the second request of each connection instead of answering it: for us that looks like a
	// connection that went stale while the request was on its way.
	flaky := func() *origin.Origin {
		return startOrigin(t, origin.Options{Handler: origin.Always(func(x *origin.Exchange) error {
			if x.Request.OnConnection > 1 {
				return origin.ErrReset
			}
			return origin.AfterBody(origin.Answer(200, nil, "fresh"))(x)
		})})
	}
	t.Run("GET is sent again on a new connection", func(t *testing.T) {
		w := newWorld(t, []*origin.Origin{flaky()})
		for n := range 10 {
			if res, body := w.get("/"); res.StatusCode != 200 || body != "fresh" {
				t.Fatalf("got %d %q", res.StatusCode, body)
			}
			if o := w.outcome(n); o.Tries != 1 || o.Redialed != (n > 0) {
				t.Fatalf("request %d: %+v", n, o)
			}
		}
	})
	t.Run("POST is not", func(t *testing.T) {
		w := newWorld(t, []*origin.Origin{flaky()})
		const post = "POST / HTTP/1.1\r\nHost: a\r\nX-Request-Id: p\r\nContent-Length: 2\r\n\r\nhi"
		v := w.visit()
		v.send(post)
		v.answer("POST")
		v.send(post)
		if res, _ := v.answer("POST"); res.StatusCode != 520 {
			t.Errorf("got %d", res.StatusCode)
		}
		if n := w.origins[0].Stats().Requests; n != 2 {
			t.Errorf("the origin saw %d requests, want 2", n)
		}
	})
	t.Run("a first use that fails is not repeated", func(t *testing.T) {
		w := newWorld(t, []*origin.Origin{startOrigin(t, origin.Options{Handler: origin.Always(origin.Reset())})})
		w.get("/")
		if n := w.origins[0].Stats().Requests; n != 1 {
			t.Errorf("the origin saw %d requests, want 1", n)
		}
	})
}

// A client that goes away ends the wait for the answer, at any point, and the next client gets its own bytes.
func TestClientGoesAway(t *testing.T) {
	t.Run("while the origin is silent", func(t *testing.T) {
		w := newWorld(t, []*origin.Origin{startOrigin(t, origin.Options{Handler: origin.Always(origin.Silent())})})
		v := w.visit()
		v.send(plainGET)
		w.awaitOrigin("the request", func(s origin.Stats) bool { return s.InFlight == 1 })
		_ = v.Close()
		if o := w.outcome(0); o.Class != balancer.ClientGone || o.Status != 0 {
			t.Errorf("outcome %v %d", o.Class, o.Status)
		}
		w.awaitOrigin("the end of the request", func(s origin.Stats) bool { return s.InFlight == 0 })
	})
	t.Run("inside an answer", func(t *testing.T) {
		w := only(t)
		v := w.visit()
		v.send("GET /bytes/100000000 HTTP/1.1\r\nHost: a\r\n\r\n")
		v.read(100_000)
		_ = v.Close()
		if o := w.outcome(0); o.Class != balancer.ClientGone {
			t.Errorf("outcome %v", o.Class)
		}
		for range 10 {
			if _, body := w.get("/"); body != "one\n" {
				t.Fatalf("got %q", body)
			}
		}
	})
	t.Run("inside a stream of events", func(t *testing.T) {
		events := make(chan string, 1)
		w := newWorld(t, []*origin.Origin{startOrigin(t, origin.Options{Handler: origin.Always(origin.SSE(nil, events))})})
		v := w.visit()
		v.send(plainGET)
		v.head()
		events <- "one"
		v.chunk()
		_ = v.Close()
		if o := w.outcome(0); o.Class != balancer.ClientGone {
			t.Errorf("outcome %v", o.Class)
		}
	})
}

func TestClientThatStopsReading(t *testing.T) {
	w := only(t, func(c *config.Config, _ *Options) { c.Weir.Timeouts.ClientWrite = 100 * time.Millisecond })
	v := w.visit()
	v.send("GET /bytes/100000000 HTTP/1.1\r\nHost: a\r\n\r\n")
	if o := w.outcome(0); o.Class != balancer.ClientStalled {
		t.Errorf("outcome %v", o.Class)
	}
}

func TestAnswerThatStalls(t *testing.T) {
	o := startOrigin(t, origin.Options{Handler: origin.Always(origin.StallAfter(60, origin.Answer(200, nil, strings.Repeat("x", 1000))))})
	w := newWorld(t, []*origin.Origin{o}, func(c *config.Config, _ *Options) { c.Weir.Timeouts.OriginGap = 50 * time.Millisecond })
	v := w.visit()
	v.send(plainGET)
	v.head()
	v.cut()
	if o := w.outcome(0); o.Class != balancer.AnswerCut || o.Status != 200 {
		t.Errorf("outcome %v %d", o.Class, o.Status)
	}
}

// A reset at any offset of the answer: what was cut never looks whole, and the next answers are exact.
func TestResetAtEveryOffset(t *testing.T) {
	body := strings.Repeat("0123456789abcdef", 8)
	whole := len("HTTP/1.1 200 OK\r\nContent-Length: 128\r\n\r\n") + len(body)
	step := 1
	if testing.Short() {
		step = 7
	}
	for k := 0; k < whole; k += step {
		o := startOrigin(t, origin.Options{Handler: origin.Sequence(origin.Always(origin.Answer(200, nil, "next")), origin.ResetAfter(int64(k), origin.Answer(200, nil, body)))})
		w := newWorld(t, []*origin.Origin{o})
		v := w.visit()
		v.send(closeGET)
		got, err := v.rest()
		if _, text, ok := strings.Cut(got, "\r\n\r\n"); ok && strings.HasPrefix(got, "HTTP/1.1 200") && (err == nil || text == body) {
			t.Fatalf("cut after %d bytes, the client saw %q, %v", k, text, err)
		}
		if _, next := w.get("/"); next != "next" {
			t.Fatalf("cut after %d bytes, the next answer is %q", k, next)
		}
		w.close()
		o.Close()
	}
}

func TestPanicCostsOneRequest(t *testing.T) {
	for name, where := range map[string]func(o *Options, boom func()){
		"deciding": func(o *Options, boom func()) {
			snapshot := o.Snapshot
			o.Snapshot = func() *balancer.Snapshot { boom(); return snapshot() }
		},
		"observing": func(o *Options, boom func()) {
			o.Observe = append(o.Observe, func(*Outcome) { boom() })
		},
	} {
		t.Run(name, func(t *testing.T) {
			var armed atomic.Bool
			armed.Store(true)
			w := only(t, func(_ *config.Config, o *Options) {
				where(o, func() {
					if armed.Swap(false) {
						panic("boom")
					}
				})
			})
			bystander := w.visit()
			res, _ := w.get("/")
			if want := map[string]int{"deciding": 500, "observing": 200}[name]; res.StatusCode != want {
				t.Errorf("got %d, want %d", res.StatusCode, want)
			}
			bystander.send(plainGET)
			if _, body := bystander.answer("GET"); body != "one\n" {
				t.Fatalf("got %q", body)
			}
			if n := w.srv.Panics.Load(); n != 1 {
				t.Errorf("counted %d panics", n)
			}
		})
	}
}

func TestTunnel(t *testing.T) {
	const upgrade = "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo/1\r\n\r\n"
	t.Run("bytes go both ways, early ones first", func(t *testing.T) {
		w := only(t)
		v := w.visit()
		v.send(upgrade + "early")
		if got := v.head(); !strings.HasPrefix(got, "HTTP/1.1 101 ") || !strings.Contains(got, "Upgrade: echo/1\r\n") || !strings.Contains(got, "Connection: Upgrade\r\n") {
			t.Fatalf("got %q", got)
		}
		if got := v.read(5); got != "early" {
			t.Fatalf("got %q", got)
		}
		for _, word := range []string{"one", "two", strings.Repeat("long", 50_000)} {
			go v.send(word)
			if got := v.read(len(word)); got != word {
				t.Fatalf("got %d bytes", len(got))
			}
		}
		_ = v.Conn.(*net.TCPConn).CloseWrite()
		v.ended()
		if o := w.outcome(0); !o.Upgraded || o.Status != 101 || o.Class != balancer.OK {
			t.Errorf("outcome %+v", o)
		}
	})
	t.Run("counted until it closes", func(t *testing.T) {
		w := only(t)
		v := w.visit()
		v.send(upgrade)
		v.head()
		live := w.writer.Current().Pools()[0].Origins[0].Live
		if live.Outstanding() != 1 || live.Connections() != 1 {
			t.Errorf("outstanding %d, connections %d", live.Outstanding(), live.Connections())
		}
		_ = v.Close()
		w.await("the counters at zero", func() bool { return live.Outstanding() == 0 && live.Connections() == 0 })
	})
	t.Run("ends when nothing moves", func(t *testing.T) {
		w := only(t, func(c *config.Config, _ *Options) { c.Weir.Timeouts.TunnelIdle = 50 * time.Millisecond })
		v := w.visit()
		v.send(upgrade)
		v.head()
		if _, err := v.rest(); err == nil {
			t.Log("ended in order")
		}
	})
	t.Run("an upgrade that is refused is an ordinary answer", func(t *testing.T) {
		w := only(t)
		v := w.visit()
		v.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n")
		if _, body := v.answer("GET"); body != "one\n" {
			t.Fatalf("got %q", body)
		}
	})
}

func TestShutdown(t *testing.T) {
	t.Run("lets requests finish", func(t *testing.T) {
		answerNow := make(chan struct{})
		o := startOrigin(t, origin.Options{Handler: origin.Always(func(x *origin.Exchange) error {
			<-answerNow
			return origin.Answer(200, nil, "done")(x)
		})})
		w := newWorld(t, []*origin.Origin{o})
		v := w.visit()
		v.send(plainGET)
		w.awaitOrigin("the request", func(s origin.Stats) bool { return s.InFlight == 1 })
		stopped := make(chan error)
		go func() { stopped <- w.srv.Shutdown(t.Context()) }()
		w.await("the drain", w.srv.Draining)
		w.await("the port to refuse", func() bool {
			c, err := net.Dial("tcp", w.addr)
			if err == nil {
				_ = c.Close()
			}
			return err != nil
		})
		close(answerNow)
		if res, body := v.answer("GET"); body != "done" || !res.Close {
			t.Errorf("got %q, close %v", body, res.Close)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
	t.Run("cuts off what does not", func(t *testing.T) {
		w := newWorld(t, []*origin.Origin{startOrigin(t, origin.Options{Handler: origin.Always(origin.Silent())})})
		v := w.visit()
		v.send(plainGET)
		w.awaitOrigin("the request", func(s origin.Stats) bool { return s.InFlight == 1 })
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := w.srv.Shutdown(ctx); err == nil {
			t.Error("want an error: a request was cut off")
		}
		if _, err := io.ReadAll(v.r); err == nil {
			t.Error("want the client's connection reset")
		}
	})
}

func TestOverload(t *testing.T) {
	w := only(t, func(c *config.Config, _ *Options) { c.Weir.Limits.ClientConnections = 1 })
	first := w.visit()
	first.send(plainGET)
	first.answer("GET")
	second := w.visit()
	res, body := second.answer("GET")
	if res.StatusCode != 503 || body != "error code: 503" || res.Header.Get("Weir-Reason") != "overload" {
		t.Errorf("got %d %q", res.StatusCode, body)
	}
	first.send(plainGET)
	if _, body := first.answer("GET"); body != "one\n" {
		t.Errorf("got %q", body)
	}
}

// A body whose first bytes were already taken from the client goes whole to the next origin when the first one turns
// out to be gone (docs/behaviour.md R1, R3): the kept connection fails at the first write, the port refuses.
func TestBodySurvivesADeadConnection(t *testing.T) {
	const post = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world"
	o := []*origin.Origin{startOrigin(t, origin.Options{Name: "one"}), startOrigin(t, origin.Options{Name: "two"})}
	w := newWorld(t, o)
	v := w.visit()
	for range 50 { // connections to both are kept
		v.send(post)
		v.answer("POST")
	}
	breakOnWrite(w, o[0])
	for range 50 {
		v.send(post)
		if res, body := v.answer("POST"); res.StatusCode != 200 || body != "hello world" {
			t.Fatalf("got %d %q", res.StatusCode, body)
		}
	}
}

// breakOnWrite kills an origin so that kept connections to it look good and fail with the first write.
func breakOnWrite(w *world, o *origin.Origin) {
	live := map[string]*balancer.Origin{}
	for _, p := range w.writer.Current().Pools() {
		for i := range p.Origins {
			live[fmt.Sprint(p.Origins[i].Config.Port)] = p.Origins[i].Live
		}
	}
	p := w.srv.peers.of(live[fmt.Sprint(o.Port())])
	p.mu.Lock()
	for _, c := range p.idle {
		c.link.io = &brokenStream{c.link.io}
	}
	p.mu.Unlock()
	o.Kill()
}

// brokenStream is a connection whose end has not been noticed yet.
type brokenStream struct{ stream }

func (b *brokenStream) stale() bool               { return false }
func (b *brokenStream) write([]byte) (int, error) { return 0, syscall.EPIPE }
