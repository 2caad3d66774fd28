package proxy

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/weirlb/weir/bench/origin"
	"github.com/weirlb/weir/config"
)

// A request is served by the settings of when it comes, not of when its connection became idle (behaviour O1).
func TestReloadReachesIdleConnections(t *testing.T) {
	w := only(t)
	v := w.visit()
	v.send(plainGET)
	v.answer("GET")
	reloaded := *w.conf
	reloaded.Weir.Limits.URI, reloaded.Weir.Location.PoP = 20, "NEW"
	if err := w.srv.Apply(&reloaded.Weir); err != nil {
		t.Fatal(err)
	}
	w.writer.SetConfig(&reloaded)
	v.send(plainGET)
	if res, _ := v.answer("GET"); !strings.HasSuffix(res.Header.Get("CF-Ray"), "-NEW") {
		t.Errorf("the ray is %q", res.Header.Get("CF-Ray"))
	}
	v.send("GET /" + strings.Repeat("x", 30) + " HTTP/1.1\r\nHost: a\r\n\r\n")
	if res, _ := v.answer("GET"); res.StatusCode != 414 {
		t.Errorf("got %d", res.StatusCode)
	}
}

// A request that waits for room at its origin takes a connection that another one has left (behaviour T2, origin_wait).
func TestOriginWaitTakesAFreedConnection(t *testing.T) {
	goOn := make(chan struct{})
	o := startOrigin(t, origin.Options{Handler: origin.Sequence(origin.Default("one"), func(x *origin.Exchange) error {
		<-goOn
		return origin.Answer(200, nil, "slow")(x)
	})})
	w := newWorld(t, []*origin.Origin{o}, func(c *config.Config, _ *Options) {
		c.Weir.Limits.OriginConnections, c.Weir.Limits.OriginWait = 1, patience
	})
	first, second, third := w.visit(), w.visit(), w.visit()
	first.send(plainGET)
	w.awaitOrigin("the first request", func(s origin.Stats) bool { return s.InFlight == 1 })
	second.send(plainGET)
	third.send(plainGET)
	time.Sleep(3 * roomTurn) // in which both look for room, in vain
	close(goOn)
	if _, body := first.answer("GET"); body != "slow" {
		t.Errorf("got %q", body)
	}
	for _, v := range []*visitor{second, third} {
		if res, body := v.answer("GET"); body != "one\n" {
			t.Errorf("got %d %q", res.StatusCode, body)
		}
	}
	if n := o.Stats().Connections; n != 1 {
		t.Errorf("%d connections, the limit is 1", n)
	}
}

// Idle connections that cannot serve a request do not keep it from being served.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	ca := newCA(t)
	o := startOrigin(t, origin.Options{Name: "one", TLS: must(t)(ca.Server("a.example", "b.example"))})
	w := newWorld(t, []*origin.Origin{o}, secureOrigins(caFile(t, ca)), func(c *config.Config, _ *Options) { c.Weir.Limits.OriginConnections = 1 })
	for n, host := range []string{"a.example", "b.example", "a.example"} {
		v := w.visit()
		v.send("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
		if res, body := v.answer("GET"); body != "one\n" {
			t.Errorf("%s: got %d %q", host, res.StatusCode, body)
		}
		w.outcome(n) // the connection is idle
	}
}

// A fault outside of an exchange costs one connection.
func TestPanicCostsOneConnection(t *testing.T) {
	w := only(t)
	bystander, v := w.visit(), w.visit()
	w.await("both clients", func() bool { return w.idleClients() == 2 })
	set := w.srv.settings.Swap(nil) // which nobody expects
	v.send(plainGET)
	v.cut()
	w.srv.settings.Store(set)
	bystander.send(plainGET)
	if _, body := bystander.answer("GET"); body != "one\n" {
		t.Errorf("got %q", body)
	}
	w.await("the end of the connection", func() bool { return w.srv.Clients() == 1 })
	if n := w.srv.Panics.Load(); n != 1 {
		t.Errorf("counted %d panics", n)
	}
}

// Where fasthttp sees the end of a head later than wire, the next request must not become a part of it.
func TestFrontShowsOneHeadAtATime(t *testing.T) {
	f := &front{head: []byte("GET / HTTP/1.1\r\n\r\n"), held: true}
	b := make([]byte, 100)
	if n, err := f.Read(b); n != 18 || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
	if n, err := f.Read(b); n != 0 || err != io.ErrUnexpectedEOF {
		t.Errorf("got %d, %v", n, err)
	}
}

// idleClients is how many clients are waited for to begin a request.
func (w *world) idleClients() (n int) {
	w.srv.mu.Lock()
	defer w.srv.mu.Unlock()
	for c := range w.srv.clients {
		if c.idle.Load() {
			n++
		}
	}
	return n
}
