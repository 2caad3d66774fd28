package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// netStream is the fasthttp engine's stream: a net.Conn whose deadlines the watcher keeps.
type netStream struct {
	conn   net.Conn     // what bytes go through: TCP, or TLS over it
	tcp    *net.TCPConn // underneath
	raw    syscall.RawConn
	sealed bool // calls go through conn: TLS, or a system without raw calls
	w      *watcher

	index   int           // in the watcher
	rd, wr  atomic.Int64  // deadlines
	wait    atomic.Int64  // of a write, for the peer to take anything
	taken   int64         // what the peer had taken at the watcher's last look during a write; only the watcher's
	use     atomic.Uint32 // counts the uses of a pooled connection
	ended   atomic.Uint32 // the use that was interrupted
	partner atomic.Pointer[netStream]
	closed  atomic.Bool

	// The read and the write in progress. The functions are bound once: a closure a call would be an allocation.
	rl         *link
	wp         []byte
	rn, pn     int
	rerr, werr error
	perr       error
	tryRead    func(fd uintptr) bool
	tryWrite   func(fd uintptr) bool
	tryPeek    func(fd uintptr)
	one        [1]byte // for held
}

// past is a deadline that has passed.
var past = time.Unix(1, 0)

// newNetStream takes over tcp and closes it on error; conn is tcp itself or the TLS connection over it.
func newNetStream(w *watcher, conn net.Conn, tcp *net.TCPConn) (*netStream, error) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		_ = tcp.Close()
		return nil, err
	}
	s := &netStream{conn: conn, tcp: tcp, raw: raw, sealed: !rawCalls || conn != net.Conn(tcp), w: w}
	s.use.Store(1)
	s.tryRead, s.tryWrite, s.tryPeek = s.readOnce, s.writeOn, s.peekOnce
	w.add(s)
	return s, nil
}

// newTLSStream makes the handshake of a TLS connection over tcp, which it takes over and closes on error.
func newTLSStream(ctx context.Context, w *watcher, tcp *net.TCPConn, over func(net.Conn) *tls.Conn) (*netStream, error) {
	under := &steady{TCPConn: tcp}
	conn := over(under)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = tcp.Close()
		return nil, err
	}
	s, err := newNetStream(w, conn, tcp)
	under.s = s
	return s, err
}

// steady is the TCP connection beneath TLS. A write through TLS that was broken off cannot be taken up again, so here,
// beneath it, is where a deadline is undone that was meant for an earlier one.
type steady struct {
	*net.TCPConn
	s *netStream // nil during the handshake
}

func (c *steady) Write(p []byte) (n int, err error) {
	for {
		m, err := c.TCPConn.Write(p[n:])
		n += m
		if err == nil || c.s == nil {
			return n, err
		}
		if err = c.s.judge(err, &c.s.wr, c.SetWriteDeadline); err != nil {
			return n, err
		}
	}
}

func (s *netStream) fill(l *link) error {
	for {
		n, err := s.read(l)
		if n > 0 {
			l.w += n
			return nil
		}
		if err = s.judge(err, &s.rd, s.conn.SetReadDeadline); err != nil {
			return err
		}
	}
}

func (s *netStream) read(l *link) (int, error) {
	if s.sealed {
		n, err := s.conn.Read(l.room())
		if n == 0 {
			l.release()
		}
		return n, err
	}
	s.rl, s.rn, s.rerr = l, 0, nil
	if err := s.raw.Read(s.tryRead); err != nil {
		return 0, err
	}
	if s.rerr == nil && s.rn == 0 {
		s.rerr = io.EOF
	}
	return s.rn, s.rerr
}

// readOnce is called by the runtime's poller until it answers true. A link that holds nothing has a buffer only
// around the call that may fill it, so that idle connections share few.
func (s *netStream) readOnce(fd uintptr) bool {
	n, err := rawRead(fd, s.rl.room())
	if err == syscall.EAGAIN {
		s.rl.release()
		return false
	}
	if n <= 0 {
		s.rl.release()
		n = 0
	}
	s.rn, s.rerr = n, err
	return true
}

func (s *netStream) write(p []byte) (n int, err error) {
	for n < len(p) {
		m, err := s.send(p[n:])
		n += m
		if err == nil {
			continue
		}
		if err = s.judge(err, &s.wr, s.conn.SetWriteDeadline); err != nil {
			return n, err
		}
	}
	s.wr.Store(0) // spent: the watcher need not look at it any more
	return n, nil
}

func (s *netStream) send(p []byte) (int, error) {
	if s.sealed {
		return s.conn.Write(p)
	}
	s.wp, s.werr = p, nil
	err := s.raw.Write(s.tryWrite)
	n := len(p) - len(s.wp)
	s.wp = nil
	if err != nil {
		return n, err
	}
	return n, s.werr
}

// writeOn sends what the socket takes and waits for more room until all is sent.
func (s *netStream) writeOn(fd uintptr) bool {
	for len(s.wp) > 0 {
		n, err := rawWrite(fd, s.wp)
		if err == syscall.EAGAIN {
			return false
		}
		if err != nil {
			s.werr = err
			return true
		}
		s.wp = s.wp[n:]
	}
	return true
}

// judge says what an error of the network means here: nil to go on waiting. The watcher ends a wait by setting the
// connection's deadline into the past; when that comes too late, meant for a wait that had just ended, it is undone.
func (s *netStream) judge(err error, deadline *atomic.Int64, set func(time.Time) error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	if s.ended.Load() == s.use.Load() {
		return errInterrupted
	}
	if at := deadline.Load(); at != 0 && at <= mono() {
		return errTimeout
	}
	if s.closed.Load() {
		return net.ErrClosed
	}
	return set(time.Time{})
}

func (s *netStream) armRead(at int64) {
	s.rd.Store(at)
	s.w.due(at)
}

func (s *netStream) beginRead(at int64) {
	if s.rd.CompareAndSwap(0, at) {
		s.w.due(at)
	}
}

func (s *netStream) armWrite(wait int64) {
	at := after(wait)
	s.wait.Store(wait)
	s.wr.Store(at)
	s.w.due(at)
}

// look is the watcher's turn: it ends the waits that are over and answers when the next one is.
func (s *netStream) look(now int64) int64 {
	if p := s.partner.Load(); p != nil {
		s.lookAfter(p)
	}
	read := s.rd.Load()
	// Setting a deadline fails only when the connection is closed, and then nobody waits.
	if read != 0 && read <= now {
		_ = s.conn.SetReadDeadline(past)
	}
	return min(pending(read, now), s.lookAtWrite(now))
}

// lookAtWrite ends the write in progress when its peer has taken nothing for too long. The system takes a long message
// far ahead of its peer, and then nothing until a good part of it has gone: only the peer's system knows who is slow
// and who is stuck.
func (s *netStream) lookAtWrite(now int64) int64 {
	at := s.wr.Load()
	switch {
	case at == 0:
		s.taken = -1
		return never
	case s.takes():
		later := now + s.wait.Load()
		s.wr.CompareAndSwap(at, later)
		at = later
	case at <= now:
		_ = s.conn.SetWriteDeadline(past)
	}
	return pending(at, now)
}

// takes reports that the peer has taken something since the last look.
func (s *netStream) takes() (more bool) {
	_ = s.raw.Control(func(fd uintptr) { // fails only when the connection is closed
		taken := rawTaken(fd)
		more = taken != s.taken
		s.taken = taken
	})
	return more
}

// pending is when a deadline will be due, never for none or one that is over.
func pending(at, now int64) int64 {
	if at <= now {
		return never
	}
	return at
}

// lookAfter interrupts p when the peer of s is gone. The use is read before partner is read again: p is still ours
// then, so the use is that of our exchange.
func (s *netStream) lookAfter(p *netStream) {
	use := p.use.Load()
	if s.partner.Load() != p || !s.gone() {
		return
	}
	p.ended.Store(use)
	_ = p.conn.SetReadDeadline(past)
	_ = p.conn.SetWriteDeadline(past)
}

func (s *netStream) watch(partner stream) { s.partner.Store(partner.(*netStream)) }
func (s *netStream) unwatch()             { s.partner.Store(nil) }

func (s *netStream) renew() { s.use.Add(1) }

// gone reports that the peer has finished sending, or reset. Whoever sends no more is taken to want nothing more.
func (s *netStream) gone() bool {
	n, err := s.peek()
	return n == 0 && err != syscall.EAGAIN
}

func (s *netStream) stale() bool {
	_, err := s.peek()
	return err != syscall.EAGAIN || s.held()
}

// held reports what the socket does not show: bytes that TLS took from it behind those that were read, or its end.
func (s *netStream) held() bool {
	if s.conn == net.Conn(s.tcp) {
		return false
	}
	_ = s.conn.SetReadDeadline(past)
	n, err := s.conn.Read(s.one[:])
	_ = s.conn.SetReadDeadline(time.Time{})
	return n > 0 || !errors.Is(err, os.ErrDeadlineExceeded)
}

// peek looks at the socket without waiting and without taking anything: bytes waiting, or 0 and EAGAIN, or 0 and the
// connection's end or error. Only one flow at a time may ask: the watcher for a client, its pool for an origin.
func (s *netStream) peek() (int, error) {
	if err := s.raw.Control(s.tryPeek); err != nil {
		return 0, err
	}
	return s.pn, s.perr
}

func (s *netStream) peekOnce(fd uintptr) {
	s.pn, s.perr = rawPeek(fd)
	if s.pn > 0 && rawHungUp(fd) {
		s.pn = 0 // a TLS goodbye, or pipelined requests of somebody who has gone
	}
}

func (s *netStream) closeWrite() error {
	if c, ok := s.conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

func (s *netStream) close() {
	if s.closed.CompareAndSwap(false, true) {
		s.w.remove(s)
		_ = s.conn.Close()
	}
}

// leave is the end of s without the end of its connection, which somebody else has taken over.
func (s *netStream) leave() {
	if s.closed.CompareAndSwap(false, true) {
		s.w.remove(s)
	}
}

func (s *netStream) abort() {
	if s.closed.CompareAndSwap(false, true) {
		s.w.remove(s)
		s.cut()
	}
}

// cut resets the connection, beneath TLS: a close_notify would make what was sent look complete.
func (s *netStream) cut() {
	_ = s.tcp.SetLinger(0)
	_ = s.tcp.Close()
}
