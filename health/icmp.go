package health

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// icmpPing passes when the origin answers an echo request (behaviour M1).
func (n *network) icmpPing(ctx context.Context, t Target) Result {
	_, r := n.ping(ctx, t)
	return r
}

// ping sends one echo request and waits for its reply. The Result's RTT is that of the two.
func (n *network) ping(ctx context.Context, t Target) (netip.Addr, Result) {
	to, err := n.lookup(ctx, t.Address, t.Source)
	if err != nil {
		return to, failed(ctx, pinging, err)
	}
	conn, framed, err := n.openEcho(ctx, to, t.Source)
	if err != nil {
		return to, at(to, failed(ctx, pinging, err))
	}
	defer func() { _ = conn.Close() }()
	e := newEcho(to)
	began := time.Now()
	if _, err := conn.Write(e.request()); err != nil {
		return to, at(to, failed(ctx, pinging, fmt.Errorf("sending an echo request: %w", err)))
	}
	if err := e.await(conn, framed); err != nil {
		return to, at(to, failed(ctx, pinging, fmt.Errorf("waiting for the echo reply: %w", err)))
	}
	return to, Result{Reason: NoFailures, IP: to, RTT: time.Since(began)}
}

// lookup is the address to ping: the origin's, or the first of its name that the source can reach.
func (n *network) lookup(ctx context.Context, address string, source netip.Addr) (netip.Addr, error) {
	if ip, err := netip.ParseAddr(address); err == nil {
		return ip.Unmap(), sameFamily(address, ip.Unmap(), source)
	}
	resolver := n.resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	list, err := resolver.LookupNetIP(ctx, "ip", address)
	if err != nil {
		return netip.Addr{}, err
	}
	for _, ip := range list {
		if err = sameFamily(address, ip.Unmap(), source); err == nil {
			return ip.Unmap(), nil
		}
	}
	if err == nil {
		err = &net.DNSError{Err: "no addresses", Name: address, IsNotFound: true}
	}
	return netip.Addr{}, err
}

func sameFamily(address string, ip, source netip.Addr) error {
	if source.IsValid() && source.Unmap().Is4() != ip.Is4() {
		return &configError{fmt.Sprintf("cannot probe %s from source %s: one is IPv4, the other IPv6", address, source)}
	}
	return nil
}

// openEcho opens a connected ICMP socket: a datagram one, which needs no privilege where the system offers it at all,
// else a raw one. framed says that what is read from it begins with an IPv4 header.
func (n *network) openEcho(ctx context.Context, to, source netip.Addr) (conn net.Conn, framed bool, err error) {
	open := n.echoSocket
	if n.echo != nil {
		open = n.echo
	}
	conn, first := open(ctx, false, to, source)
	if !isDenied(first) {
		return conn, false, first
	}
	conn, err = open(ctx, true, to, source)
	if isDenied(err) {
		return nil, false, &configError{fmt.Sprintf("this system lets weir send no ICMP echo (datagram socket: %v; raw socket: %v): "+
			"put weir's group into net.ipv4.ping_group_range, or give weir CAP_NET_RAW", first, err)}
	}
	return conn, to.Is4(), err
}

// echoSocket asks the system for one of the two.
func (n *network) echoSocket(ctx context.Context, raw bool, to, source netip.Addr) (net.Conn, error) {
	if !raw {
		conn, err := dialDatagram(to, source)
		if err != nil {
			return nil, aboutSource(err, to.String(), source)
		}
		return tie(ctx, conn), nil
	}
	network := "ip4:icmp"
	if to.Is6() {
		network = "ip6:ipv6-icmp"
	}
	return n.connect(ctx, network, to.String(), source)
}

// isDenied recognises a kind of socket that this process may not have, or that this system does not know.
func isDenied(err error) bool {
	for _, e := range []error{
		syscall.EACCES, syscall.EPERM, syscall.EPROTONOSUPPORT, syscall.EAFNOSUPPORT, errors.ErrUnsupported,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// echo is one request and the reply it waits for (RFC 792, RFC 4443 §4).
type echo struct {
	ask, reply byte // ICMP types
	sum        bool // we do the checksum; for ICMPv6 the system does
	nonce      [16]byte
}

func newEcho(to netip.Addr) echo {
	e := echo{ask: 8, reply: 0, sum: true}
	if to.Is6() {
		e = echo{ask: 128, reply: 129}
	}
	_, _ = rand.Read(e.nonce[:]) // never fails
	return e
}

// echoHead is type, code, checksum, identifier and sequence number.
const echoHead = 8

func (e *echo) request() []byte {
	b := make([]byte, echoHead, echoHead+len(e.nonce))
	b[0] = e.ask
	copy(b[4:echoHead], e.nonce[:])
	b = append(b, e.nonce[:]...)
	if e.sum {
		binary.BigEndian.PutUint16(b[2:], checksum(b))
	}
	return b
}

// await reads until the reply comes. Other traffic comes by on raw sockets: on loopback, the request itself.
func (e *echo) await(conn net.Conn, framed bool) error {
	b := make([]byte, 1500)
	for {
		size, err := conn.Read(b)
		if err != nil {
			return err
		}
		if e.answeredBy(b[:size], framed) {
			return nil
		}
	}
}

// answeredBy goes by the data alone: a datagram socket changes the identifier.
func (e *echo) answeredBy(b []byte, framed bool) bool {
	if framed {
		if len(b) == 0 || len(b) < int(b[0]&0x0f)*4 {
			return false
		}
		b = b[int(b[0]&0x0f)*4:] // RFC 791: the header's length in words
	}
	return len(b) >= echoHead && b[0] == e.reply && b[1] == 0 && bytes.Equal(b[echoHead:], e.nonce[:])
}

// checksum is the Internet checksum (RFC 1071) of an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	sum = sum>>16 + sum&0xffff
	return ^uint16(sum + sum>>16)
}
