package origin

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// reserve binds an address without listening on it, and takes a free port for port 0. While the origin listens the
// reservation is shared with its listener; while the origin is dead the kernel refuses connections to the port and gives
// it to nobody else, so that Restart always finds it free.
func reserve(want netip.AddrPort) (netip.AddrPort, func(), error) {
	fd, err := boundSocket(want)
	if err != nil {
		return netip.AddrPort{}, nil, err
	}
	got, err := socketAddr(fd)
	if err != nil {
		_ = unix.Close(fd) // the first error says more
		return netip.AddrPort{}, nil, err
	}
	return got, func() { _ = unix.Close(fd) }, nil
}

func boundSocket(want netip.AddrPort) (int, error) {
	family, sa := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Port: int(want.Port()), Addr: as4(want.Addr())})
	if want.Addr().Is6() {
		family, sa = unix.AF_INET6, &unix.SockaddrInet6{Port: int(want.Port()), Addr: want.Addr().As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("make a socket: %w", err)
	}
	if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err == nil {
		err = unix.Bind(fd, sa)
	}
	if err != nil {
		_ = unix.Close(fd) // the first error says more
		return -1, fmt.Errorf("bind: %w", err)
	}
	return fd, nil
}

func as4(a netip.Addr) [4]byte {
	if !a.Is4() {
		return [4]byte{}
	}
	return a.As4()
}

func socketAddr(fd int) (netip.AddrPort, error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("ask for the bound address: %w", err)
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), nil
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port)), nil
	}
	panic("BUG: a TCP socket is bound to neither IPv4 nor IPv6")
}

// waitSent returns when the other side's kernel has everything that was written, or after limit.
func waitSent(ctx context.Context, raw *net.TCPConn, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for unsent(raw) > 0 {
		if sleep(ctx, time.Millisecond) != nil {
			return
		}
	}
}

func unsent(raw *net.TCPConn) (n int) {
	control(raw, func(fd int) { n, _ = unix.IoctlGetInt(fd, unix.SIOCOUTQ) })
	return n
}

// States of the kernel's enum in include/net/tcp_states.h in which the other side can still send.
const (
	tcpEstablished = 1
	tcpFinWait1    = 4
	tcpFinWait2    = 5
)

// peerGone asks the kernel, because reading would swallow bytes that belong to a later step of the play.
func peerGone(raw *net.TCPConn) bool {
	gone := true
	control(raw, func(fd int) {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		gone = err != nil || info.State != tcpEstablished && info.State != tcpFinWait1 && info.State != tcpFinWait2
	})
	return gone
}

// control does nothing on a closed connection.
func control(raw *net.TCPConn, f func(fd int)) {
	sc, err := raw.SyscallConn()
	if err != nil {
		return
	}
	_ = sc.Control(func(fd uintptr) { f(int(fd)) }) // fails only on a closed connection
}
