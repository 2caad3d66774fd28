package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/steering"
)

// drainGrace is how long an idle client connection may still bring a request once draining has begun: one that was
// on its way when the drain began is answered, with Connection: close.
const drainGrace = time.Second

// Options of a Server.
type Options struct {
	// Snapshot answers the present state of the world; it is called once per request.
	Snapshot func() *balancer.Snapshot
	// Rows is the number of rows of counters, as given to the registry.
	Rows int
	// Seed makes every draw reproducible.
	Seed uint64
	// Now is what time decisions are made at: how long sessions last goes by it. nil: that of the system.
	Now func() time.Time
	// ExplainHeaders adds Weir-Pool, Weir-Origin and Weir-Reason to answers.
	ExplainHeaders bool
	// Observe is called with every exchange's outcome. It must not keep it.
	Observe []func(*Outcome)
	Log     *zap.Logger
}

// Server takes clients' traffic and proxies it to the origins that the snapshot decides on.
type Server struct {
	opt      Options
	settings atomic.Pointer[settings]
	peers    peers
	eng      *fastEngine // the only engine so far
	draining atomic.Bool
	nextID   atomic.Uint64

	mu        sync.Mutex
	listeners []*listener
	clients   map[*client]struct{}
	cut       bool           // what is left was cut off: nobody comes in any more
	wg        sync.WaitGroup // accept loops and clients
	stop      sync.Once

	// Counts of what never becomes an exchange.
	Overloads atomic.Uint64 // connections answered 503 because the client table was full
	Panics    atomic.Uint64
}

// New makes a server without listeners. Apply must be called before the first Listen.
func New(opt Options) *Server {
	if opt.Log == nil {
		opt.Log = zap.NewNop()
	}
	s := &Server{opt: opt, eng: newFastEngine(), clients: map[*client]struct{}{}}
	s.eng.watch.hook(s.reap)
	return s
}

// Apply takes timeouts, limits, trusted proxies, origin TLS and certificates from w. On error nothing changes.
// Requests being served keep what they began with.
func (s *Server) Apply(w *config.Weir) error {
	set, err := newSettings(w)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := make([]*tls.Config, len(s.listeners))
	for i, l := range s.listeners {
		if fresh[i], err = l.reload(w.Listen); err != nil {
			return err
		}
	}
	for i, l := range s.listeners {
		if fresh[i] != nil {
			l.tls.Store(fresh[i])
		}
	}
	set.keepTrust(s.settings.Load())
	s.settings.Store(set)
	return nil
}

// Keep tells which origins the configuration still has: idle connections to others are closed.
func (s *Server) Keep(snap *balancer.Snapshot) {
	live := map[*balancer.Origin]bool{}
	for _, p := range snap.Pools() {
		for i := range p.Origins {
			live[p.Origins[i].Live] = true
		}
	}
	s.peers.keep(live)
}

// Listen takes traffic on one more address and answers the address taken.
func (s *Server) Listen(c config.Listener) (net.Addr, error) {
	l := &listener{srv: s, conf: c}
	if len(c.TLS) > 0 {
		t, err := l.load(c.TLS)
		if err != nil {
			return nil, err
		}
		l.tls.Store(t)
	}
	var err error
	if l.ln, err = net.Listen("tcp", c.Address); err != nil {
		return nil, fmt.Errorf("listening for clients: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		_ = l.ln.Close()
		return nil, errors.New("listening for clients: the server is stopping")
	}
	s.listeners = append(s.listeners, l)
	s.wg.Add(1)
	go l.accept()
	return l.ln.Addr(), nil
}

// Clients is the number of client connections.
func (s *Server) Clients() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.clients)
}

// Draining reports that Shutdown has begun.
func (s *Server) Draining() bool { return s.draining.Load() }

// Shutdown stops taking connections, lets the requests being served finish and closes each connection after its
// answer. When ctx ends first, what is left is cut off and ctx's error returned. A second call waits as well.
func (s *Server) Shutdown(ctx context.Context) error {
	s.beginDrain()
	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(done)
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
		s.cutOff()
		<-done
	}
	s.peers.keep(nil)
	s.stop.Do(s.eng.close)
	return err
}

// Close stops at once.
func (s *Server) Close() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.Shutdown(ctx)
}

func (s *Server) beginDrain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining.Store(true)
	for _, l := range s.listeners {
		_ = l.ln.Close()
	}
	for c := range s.clients {
		if c.idle.Load() {
			c.link.io.armRead(after(int64(drainGrace)))
		}
	}
}

func (s *Server) cutOff() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = true
	s.eng.cut()
	for c := range s.clients {
		_ = c.tcp.SetLinger(0)
		_ = c.tcp.Close()
	}
}

// admit enters c into the client table; false when it is full or the server is stopping.
func (s *Server) admit(c *client) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut || len(s.clients) >= s.settings.Load().limits.ClientConnections {
		return false
	}
	s.clients[c] = struct{}{}
	s.wg.Add(1)
	return true
}

func (s *Server) dismiss(c *client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.clients, c)
	s.wg.Done()
}

// reap closes origin connections that were idle too long; the watcher calls it.
func (s *Server) reap(now int64) int64 {
	set := s.settings.Load()
	if set == nil {
		return never
	}
	next := never
	for _, p := range s.peers.load() {
		if since := p.reap(now - set.timeouts.originIdle); since != never {
			next = min(next, since+set.timeouts.originIdle)
		}
	}
	return next
}

// seedOf is the seed of a client's n-th request: with the server's seed, the order of connections and of requests on
// each reproduces every draw.
func (s *Server) seedOf(c *client) uint64 {
	return steering.Mix(s.opt.Seed, c.id, c.requests)
}

// timeOf is the time at which a request is decided.
func (s *Server) timeOf(x *exchange) time.Time {
	if s.opt.Now != nil {
		return s.opt.Now()
	}
	return x.res.Start
}

// listener is one address that takes client traffic.
type listener struct {
	srv  *Server
	conf config.Listener
	ln   net.Listener
	tls  atomic.Pointer[tls.Config] // nil: plain
}

// load reads certificate files into a configuration for clients.
func (l *listener) load(files []config.Certificate) (*tls.Config, error) {
	certs, err := loadCertificates(files)
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, Certificates: certs}, nil
}

// reload reads the certificates that the new configuration names for this listener's address, nil for none.
func (l *listener) reload(conf []config.Listener) (*tls.Config, error) {
	for _, c := range conf {
		if c.Address == l.conf.Address && len(c.TLS) > 0 {
			return l.load(c.TLS)
		}
	}
	return nil, nil
}

// accept takes connections until the listener is closed. Out of descriptors it pauses: taking nothing is all that
// helps, and the connections wait in the kernel's queue.
func (l *listener) accept() {
	defer l.srv.wg.Done()
	var told time.Time
	for {
		conn, err := l.ln.Accept()
		switch {
		case err == nil:
			l.take(conn.(*net.TCPConn))
		case errors.Is(err, net.ErrClosed):
			return
		default:
			if now := time.Now(); now.Sub(told) > tellAcceptAgain {
				told = now
				l.srv.opt.Log.Warn("accepting connections pauses", zap.Error(err))
			}
			time.Sleep(acceptPause(err))
		}
	}
}

// tellAcceptAgain keeps a log readable while connections cannot be accepted.
const tellAcceptAgain = 10 * time.Second

// acceptPause is how long to leave the listener alone after an error.
func acceptPause(err error) time.Duration {
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return 50 * time.Millisecond
	}
	return 5 * time.Millisecond
}

func (l *listener) take(tcp *net.TCPConn) {
	s := l.srv
	id := s.nextID.Add(1)
	c := &client{
		srv: s, eng: s.eng, id: id, row: int(id % uint64(s.opt.Rows)), tcp: tcp,
		local: tcp.LocalAddr(), remote: tcp.RemoteAddr(), peer: peerOf(tcp),
	}
	if !s.admit(c) {
		l.turnAway(tcp)
		return
	}
	go func() {
		defer s.dismiss(c)
		defer c.caught()
		if c.open(l.tls.Load()) {
			s.eng.run(c)
			c.close()
		}
	}()
}

func peerOf(tcp *net.TCPConn) netip.AddrPort {
	a, _ := tcp.RemoteAddr().(*net.TCPAddr)
	p := a.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap().WithZone(""), p.Port())
}

// turnAway answers a connection that there is no room for, without reading from it. Through TLS that cannot be done.
func (l *listener) turnAway(tcp *net.TCPConn) {
	defer tcp.Close()
	l.srv.Overloads.Add(1)
	if l.tls.Load() != nil {
		return
	}
	_ = tcp.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	_, _ = tcp.Write(overload)
	_ = tcp.CloseWrite()
}
