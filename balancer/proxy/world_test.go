package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/bench/origin"
	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second // how long a test waits for what must happen

// world is a server in front of real origins, on loopback.
type world struct {
	t        testing.TB
	origins  []*origin.Origin
	conf     *config.Config
	registry *balancer.Registry
	table    *health.Table
	writer   *balancer.Writer
	srv      *Server
	addr     string

	mu       sync.Mutex
	outcomes []Outcome
}

// change alters the configuration before the server starts.
type change func(c *config.Config, o *Options)

func weirDefaults() config.Weir {
	return config.Weir{
		Location:       config.Place{PoP: "TST", Region: "WEU"},
		TrustedProxies: []string{"127.0.0.0/8", "::1/128"},
		Origins:        config.Origins{Scheme: "http"},
		Timeouts: config.Timeouts{
			Connect: 2 * time.Second, FirstByte: patience, OriginWrite: patience, OriginGap: patience,
			OriginIdle: 4 * time.Second, ClientHeader: patience, ClientGap: patience, ClientWrite: patience,
			ClientKeepAlive: patience, TunnelIdle: patience, Drain: patience, DNS: 5 * time.Second,
		},
		Limits: config.Limits{
			URI: 16 << 10, HeaderField: 16 << 10, Header: 32 << 10, HeaderFields: 128,
			ClientConnections: 1000, OriginConnections: 1000, OriginIdle: 256,
		},
	}
}

func poolOf(origins ...*origin.Origin) config.Pool {
	p := config.Pool{
		ID: "pool-1", Name: "pool-1", Enabled: true, MinimumOrigins: 1,
		OriginSteering: config.OriginSteering{Policy: "random"},
	}
	for i, o := range origins {
		p.Origins = append(p.Origins, config.Origin{
			Name: fmt.Sprintf("o%d", i+1), Address: o.AddrPort().Addr().String(),
			Port: o.Port(), Enabled: true, Weight: 100,
		})
	}
	return p
}

func startOrigin(t *testing.T, o origin.Options) *origin.Origin {
	t.Helper()
	at, err := origin.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(at.Close)
	return at
}

// newWorld serves one pool of the given origins for every host.
func newWorld(t testing.TB, origins []*origin.Origin, changes ...change) *world {
	t.Helper()
	pool := poolOf(origins...)
	w := &world{t: t, origins: origins, registry: balancer.NewRegistry(2), table: health.NewTable()}
	w.conf = &config.Config{
		Pools: []config.Pool{pool},
		LoadBalancers: []config.LoadBalancer{{
			ID: "lb-1", Name: "lb-1", Enabled: true, Implicit: true, DefaultPools: []string{pool.ID}, FallbackPool: pool.ID,
		}},
		Weir: weirDefaults(),
	}
	opt := Options{Rows: 2, Seed: 1, Observe: []func(*Outcome){w.observe}}
	w.writer = balancer.NewWriter(balancer.WriterOptions{
		Registry: w.registry, Health: w.table, Sessions: balancer.NewSessions(balancer.NewSealer([]byte("a key of tests")), 1000),
	})
	opt.Snapshot = w.writer.Current
	for _, f := range changes {
		f(w.conf, &opt)
	}
	for i := range w.conf.Pools {
		if w.conf.Pools[i].Monitor != "" {
			w.believe(w.conf.Pools[i].ID, strings.Repeat("U", len(w.conf.Pools[i].Origins)))
		}
	}
	w.writer.SetConfig(w.conf)
	w.srv = New(opt)
	if err := w.srv.Apply(&w.conf.Weir); err != nil {
		t.Fatal(err)
	}
	listener := config.Listener{Address: "127.0.0.1:0"}
	if len(w.conf.Weir.Listen) > 0 {
		listener = w.conf.Weir.Listen[0]
	}
	at, err := w.srv.Listen(listener)
	if err != nil {
		t.Fatal(err)
	}
	w.addr = at.String()
	t.Cleanup(w.close)
	return w
}

// believe sets the health of a pool, a letter for each origin: U up, D down.
func (w *world) believe(pool, statuses string) {
	p := w.conf.PoolByID(pool)
	h := &health.PoolHealth{Pool: pool, Monitored: true}
	for i := range p.Origins {
		status := map[byte]health.Status{'U': health.Up, 'D': health.Down}[statuses[i]]
		h.Origins = append(h.Origins, health.OriginHealth{Identity: p.Identity(i), Global: health.Verdict{Status: status}})
	}
	w.table.Set(h)
	w.writer.PoolChanged(pool)
	w.writer.Flush()
}

// reload puts a changed configuration in force.
func (w *world) reload(change func(*config.Config)) {
	c := *w.conf
	c.Pools = slices.Clone(c.Pools)
	for i := range c.Pools {
		c.Pools[i].Origins = slices.Clone(c.Pools[i].Origins)
	}
	c.LoadBalancers = slices.Clone(c.LoadBalancers)
	change(&c)
	w.conf = &c
	w.writer.SetConfig(&c)
}

// seen is how many exchanges have ended.
func (w *world) seen() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.outcomes)
}

// close stops the server; afterwards every counter must be back at zero.
func (w *world) close() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.srv.Shutdown(ctx); err != nil {
		w.t.Errorf("stopping the server: %v", err)
	}
	w.writer.Close()
	if err := w.registry.Quiet(); err != nil {
		w.t.Error(err)
	}
}

func (w *world) observe(o *Outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := *o
	c.Method, c.Host, c.Target = bytes.Clone(o.Method), bytes.Clone(o.Host), bytes.Clone(o.Target)
	w.outcomes = append(w.outcomes, c)
}

// outcome waits for the n-th exchange to have ended, counted from 0.
func (w *world) outcome(n int) Outcome {
	w.t.Helper()
	var out Outcome
	w.await("an outcome", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.outcomes) <= n {
			return false
		}
		out = w.outcomes[n]
		return true
	})
	return out
}

// await polls until ok answers true.
func (w *world) await(what string, ok func() bool) {
	w.t.Helper()
	end := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(end) {
			w.t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// visitor is a raw client connection.
type visitor struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func (w *world) visit() *visitor {
	w.t.Helper()
	c, err := net.Dial("tcp", w.addr)
	if err != nil {
		w.t.Fatal(err)
	}
	return newVisitor(w.t, c)
}

func newVisitor(t testing.TB, c net.Conn) *visitor {
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &visitor{t: t, Conn: c, r: bufio.NewReader(c)}
}

func (v *visitor) send(text string) {
	v.t.Helper()
	if _, err := io.WriteString(v.Conn, text); err != nil {
		v.t.Fatalf("sending: %v", err)
	}
}

// trickle sends text byte by byte, each in a packet of its own.
func (v *visitor) trickle(text string) {
	v.t.Helper()
	for i := range len(text) {
		v.send(text[i : i+1])
	}
}

// answer reads one answer to a request with this method, its body and its trailer.
func (v *visitor) answer(method string) (*http.Response, string) {
	v.t.Helper()
	res, err := http.ReadResponse(v.r, &http.Request{Method: method})
	if err != nil {
		v.t.Fatalf("reading an answer: %v", err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatalf("reading the body of an answer: %v", err)
	}
	return res, string(body)
}

// head reads one raw head.
func (v *visitor) head() string {
	v.t.Helper()
	var b strings.Builder
	for {
		line, err := v.r.ReadString('\n')
		b.WriteString(line)
		if err != nil {
			v.t.Fatalf("reading a head: %v after %q", err, b.String())
		}
		if line == "\r\n" {
			return b.String()
		}
	}
}

// rest reads to the end of the connection and tells how it ended: nil for an orderly end.
func (v *visitor) rest() (string, error) {
	b, err := io.ReadAll(v.r)
	return string(b), err
}

// ended demands that the server closes the connection in order and says no more.
func (v *visitor) ended() {
	v.t.Helper()
	if more, err := v.rest(); err != nil || more != "" {
		v.t.Fatalf("want the end of the connection, got %q, %v", more, err)
	}
}

// cut demands that the connection is reset.
func (v *visitor) cut() {
	v.t.Helper()
	if _, err := v.rest(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		v.t.Fatalf("want the connection aborted, got %v", err)
	}
}

func (w *world) get(path string) (*http.Response, string) {
	w.t.Helper()
	v := w.visit()
	defer v.Close()
	v.send("GET " + path + " HTTP/1.1\r\nHost: example.com\r\n\r\n")
	return v.answer("GET")
}

// only is one origin with the default handler, in front of which a world is made.
func only(t *testing.T, changes ...change) *world {
	t.Helper()
	return newWorld(t, []*origin.Origin{startOrigin(t, origin.Options{Name: "one"})}, changes...)
}

func tlsVisit(t *testing.T, addr string, ca *origin.CA, name string) *visitor {
	t.Helper()
	c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: ca.Pool(), ServerName: name, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	return newVisitor(t, c)
}
