//go:build !linux && !darwin

package health

import (
	"errors"
	"net"
	"net/netip"
)

// dialDatagram: other systems have no ICMP sockets without privilege.
func dialDatagram(_, _ netip.Addr) (net.Conn, error) { return nil, errors.ErrUnsupported }
