package proxy

import (
	"crypto/tls"
	"net/netip"
)

// An engine knows how to wait, how to dial and which row to count in. It judges nothing and decides nothing: that is
// serve's, wire's and the director's.
type engine interface {
	// dial opens a connection; the deadline is on the clock of mono.
	dial(addr netip.AddrPort, deadline int64) (stream, error)
	// handshake speaks TLS over a connection it dialled.
	handshake(s stream, c *tls.Config, deadline int64) (stream, error)
	// spawn runs f beside the caller; the answer waits for its end.
	spawn(f func()) (wait func())
}
