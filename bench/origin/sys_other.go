//go:build !linux

package origin

import (
	"context"
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
