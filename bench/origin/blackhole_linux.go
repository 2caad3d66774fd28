package origin

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// BlackHole is an address that answers no SYN: a connection attempt to it times out, as to a machine that is switched
// off. It is a listener with a backlog of one whose queue is full and never emptied.
type BlackHole struct {
	addr netip.AddrPort
	fd   int
	fill []net.Conn
	once sync.Once
}

// StartBlackHole opens a black hole on a free port of 127.0.0.1.
func StartBlackHole() (*BlackHole, error) {
	fd, err := boundSocket(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		return nil, fmt.Errorf("start a black hole: %w", err)
	}
	h := &BlackHole{fd: fd}
	if h.addr, err = socketAddr(fd); err == nil {
		if err = unix.Listen(fd, 0); err == nil {
			err = h.fillQueue()
		}
	}
	if err != nil {
		h.Close()
		return nil, fmt.Errorf("start a black hole: %w", err)
	}
	return h, nil
}

// fillQueue connects until an attempt hangs. The kernel admits backlog+1 connections; the margin is for its races.
func (h *BlackHole) fillQueue() error {
	const attempt = 150 * time.Millisecond
	for range 8 {
		d := net.Dialer{Timeout: attempt, Control: noSynRetry}
		conn, err := d.DialContext(context.Background(), "tcp", h.Addr())
		if err != nil {
			return nil //nolint:nilerr // the attempt that hangs is the one wanted
		}
		h.fill = append(h.fill, conn)
	}
	return fmt.Errorf("%s still accepts after %d connections", h.addr, len(h.fill))
}

// noSynRetry keeps a filler's SYN from being repeated into a queue that is meant to stay full.
func noSynRetry(_, _ string, raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_SYNCNT, 1) // an optimisation only
	})
}

// Addr is the address as host:port.
func (h *BlackHole) Addr() string { return h.addr.String() }

// AddrPort is Addr as a value.
func (h *BlackHole) AddrPort() netip.AddrPort { return h.addr }

// Close gives the port back; attempts under way are refused at their next SYN.
func (h *BlackHole) Close() {
	h.once.Do(func() {
		for _, conn := range h.fill {
			_ = conn.Close() // nothing was ever sent on it
		}
		_ = unix.Close(h.fd) // it is our own and closed once
	})
}
