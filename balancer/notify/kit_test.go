package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
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

// receiver is the far end of a webhook. It remembers what came, and answers 200 unless answer says otherwise.
type receiver struct {
	answer func(n int, w http.ResponseWriter, r *http.Request) // n counts from 1

	mu   sync.Mutex
	came []arrival
}

// arrival is one request.
type arrival struct {
	at     time.Time
	host   string
	path   string
	header http.Header
	body   string
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	r.mu.Lock()
	r.came = append(r.came, arrival{time.Now(), req.Host, req.Method + " " + req.URL.Path, req.Header.Clone(), string(body)})
	n := len(r.came)
	r.mu.Unlock()
	if r.answer != nil {
		r.answer(n, w, req)
	}
}

func (r *receiver) arrivals() []arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.came)
}

// texts are the alerts that came, by their sentences.
func (r *receiver) texts() []string {
	var list []string
	for _, a := range r.arrivals() {
		var e envelope
		if err := json.Unmarshal([]byte(a.body), &e); err != nil {
			list = append(list, err.Error())
			continue
		}
		list = append(list, e.Text)
	}
	return list
}

// ledger remembers what a Notifier reported, a line each.
type ledger struct {
	mu    sync.Mutex
	lines []string
}

func (l *ledger) options() Options {
	note := func(what string) func(Report) {
		return func(r Report) {
			l.mu.Lock()
			defer l.mu.Unlock()
			line := fmt.Sprintf("%s %s after %d", r.Webhook, what, r.Attempts)
			if r.Pause > 0 {
				line += fmt.Sprintf(", again in %v", r.Pause)
			}
			if r.Err != nil {
				line += ": " + r.Err.Error()
			}
			l.lines = append(l.lines, line)
		}
	}
	return Options{
		OnDelivered: note("delivered"), OnRetry: note("failed"), OnFailed: note("given up"), OnDropped: note("dropped"),
	}
}

func (l *ledger) read() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// pipes is a network inside a synctest bubble: real clients and servers of net/http, and no clock but the bubble's.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error { close(p.closed); return nil }

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// virtual runs a test in virtual time, with a Notifier whose requests all reach the receiver.
func virtual(t *testing.T, r *receiver, test func(t *testing.T, n *Notifier, l *ledger)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := &pipes{make(chan net.Conn), make(chan struct{})}
		server := &http.Server{Handler: r}
		done := make(chan struct{})
		go func() { defer close(done); _ = server.Serve(network) }()
		transport := newTransport()
		transport.Proxy = nil
		transport.DialContext = dialer(network)
		l := &ledger{}
		o := l.options()
		o.Transport = transport
		n := New(o)
		test(t, n, l)
		n.Close(t.Context())
		_ = server.Close()
		<-done
	})
}

// pool is a pool with two origins, a and b, and the filter.
func pool(name string, filter *config.NotificationFilter) config.Pool {
	return config.Pool{
		ID: name + "-id", Name: name, Enabled: true, MinimumOrigins: 1, NotificationFilter: filter,
		Origins: []config.Origin{{Name: "a", Enabled: true}, {Name: "b", Enabled: true}},
	}
}

// hooked is a configuration with one webhook per URL.
func hooked(pools []config.Pool, urls ...string) *config.Config {
	c := &config.Config{Pools: pools}
	for i, u := range urls {
		c.Weir.Notifications = append(c.Weir.Notifications, config.Webhook{Name: fmt.Sprint("hook", i+1), URL: u})
	}
	return c
}

// state is an event of a pool's state alone, tipped by a probe.
func state(name string, was, is health.PoolState) health.Event {
	return health.Event{
		Time: time.Now(), Region: "WEU", Pool: health.EventPool{
			ID: name + "-id", Name: name, Changed: was != is, Was: was, State: is, MinimumOrigins: 1,
			Healthy: is == health.PoolHealthy || is == health.PoolDegraded,
		},
		Origins: []health.EventOrigin{},
	}
}

// origin is an event of one origin, in a pool that stays as it is.
func origin(pool, name string, healthy bool) health.Event {
	e := state(pool, health.PoolDegraded, health.PoolDegraded)
	o := health.EventOrigin{Name: name, Enabled: true, Healthy: healthy, Changed: true, FailureReason: health.NoFailures}
	if !healthy {
		o.FailureReason = health.TCPTimeout
	}
	e.Origins = append(e.Origins, o)
	return e
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// dialer connects to a network of pipes.
func dialer(p *pipes) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		near, far := net.Pipe()
		select {
		case p.conns <- far:
			return near, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
