//go:build linux || darwin

package health

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
)

// dialDatagram opens an ICMP socket that needs no privilege: the system sends and receives echoes only, and gives a
// socket its own replies only. Package net has no name for it. Connecting it does not wait.
func dialDatagram(to, source netip.Addr) (net.Conn, error) {
	family, proto := syscall.AF_INET, syscall.IPPROTO_ICMP
	if to.Is6() {
		family, proto = syscall.AF_INET6, syscall.IPPROTO_ICMPV6
	}
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(family, syscall.SOCK_DGRAM, proto)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), "icmp")
	defer func() { _ = f.Close() }() // net.FileConn has its own copy
	if source.IsValid() {
		if err := syscall.Bind(fd, sockaddr(source)); err != nil {
			return nil, os.NewSyscallError("bind", err)
		}
	}
	if err := syscall.Connect(fd, sockaddr(to)); err != nil {
		return nil, os.NewSyscallError("connect", err)
	}
	return net.FileConn(f)
}

func sockaddr(ip netip.Addr) syscall.Sockaddr {
	ip = ip.Unmap()
	if ip.Is4() {
		return &syscall.SockaddrInet4{Addr: ip.As4()}
	}
	return &syscall.SockaddrInet6{Addr: ip.As16(), ZoneId: zoneID(ip.Zone())}
}

// zoneID is the number of an interface; 0, any, when there is no such interface.
func zoneID(zone string) uint32 {
	if ifi, err := net.InterfaceByName(zone); err == nil {
		return uint32(ifi.Index)
	}
	n, err := strconv.ParseUint(zone, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}
