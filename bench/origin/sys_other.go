//go:build !linux

package origin

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

// reserve finds a free port; elsewhere than on Linux somebody else could take it while the origin is dead.
func reserve(want netip.AddrPort) (netip.AddrPort, func(), error) {
	ln, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(want))
	if err != nil {
		return netip.AddrPort{}, nil, err
	}
	got := unmapped(ln.Addr().(*net.TCPAddr).AddrPort())
	return got, func() {}, ln.Close()
}

// waitSent gives the kernel a moment: there is no portable way to ask.
func waitSent(ctx context.Context, _ *net.TCPConn, _ time.Duration) {
	_ = sleep(ctx, 5*time.Millisecond) // an ended context means that nobody waits any more
}

// peerGone cannot be asked portably: a hanging connection ends with its origin.
func peerGone(*net.TCPConn) bool { return false }

// BlackHole is an address that answers no SYN; see the Linux version.
type BlackHole struct{}

// StartBlackHole fails: only Linux is known to drop a SYN when a backlog is full.
func StartBlackHole() (*BlackHole, error) {
	return nil, errors.New("start a black hole: only possible on Linux")
}

// Addr is the address as host:port.
func (*BlackHole) Addr() string { return "" }

// AddrPort is Addr as a value.
func (*BlackHole) AddrPort() netip.AddrPort { return netip.AddrPort{} }

// Close does nothing.
func (*BlackHole) Close() {}
