package health

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// network opens the connections of probes: always a fresh one, and nothing from the environment (no proxies).
type network struct {
	resolver *net.Resolver
	roots    func() *x509.CertPool
	echo     func(ctx context.Context, raw bool, to, source netip.Addr) (net.Conn, error) // opens ICMP sockets; nil: echoSocket
}

// dial connects to a TCP port of an address literal or a host name. Until the connection is closed, the end of ctx ends
// every wait on it.
func (n *network) dial(ctx context.Context, address string, port int, source netip.Addr) (net.Conn, error) {
	return n.connect(ctx, "tcp", net.JoinHostPort(address, strconv.Itoa(port)), source)
}

// connect is dial for any network of package net.
func (n *network) connect(ctx context.Context, network, address string, source netip.Addr) (net.Conn, error) {
	// No keep-alive: a probe's connection lives for seconds.
	d := net.Dialer{Resolver: n.resolver, KeepAlive: -1, LocalAddr: localAddr(network, source)}
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, aboutSource(err, address, source)
	}
	return tie(ctx, conn), nil
}

// localAddr is where a connection starts from; nil for anywhere.
func localAddr(network string, source netip.Addr) net.Addr {
	switch {
	case !source.IsValid():
		return nil
	case network == "tcp":
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))
	case network == "udp":
		return net.UDPAddrFromAddrPort(netip.AddrPortFrom(source, 0))
	default:
		return &net.IPAddr{IP: source.AsSlice(), Zone: source.Zone()}
	}
}

// aboutSource says so when err is the configured source's fault.
func aboutSource(err error, address string, source netip.Addr) error {
	if source.IsValid() && isSourceError(err) {
		return &configError{fmt.Sprintf("cannot probe %s from source %s: %v", address, source, err)}
	}
	return err
}

// tie makes the end of ctx end every wait on conn, until it is closed.
func tie(ctx context.Context, conn net.Conn) net.Conn {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	return &probeConn{Conn: conn, stop: stop}
}

// isSourceError recognises a source that this machine does not have, or of the wrong family.
func isSourceError(err error) bool {
	_, isAddr := errors.AsType[*net.AddrError](err)
	return isAddr || errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EINVAL)
}

// probeConn is a connection that ends with its probe.
type probeConn struct {
	net.Conn
	stop func() bool
}

func (c *probeConn) Close() error {
	c.stop()
	return c.Conn.Close()
}

// serverName says how a TLS handshake names the server: what it sends, and what the certificate is checked against.
// Cloudflare sends the Host header used for the probe, and nothing when none is configured (behaviour H5).
type serverName struct {
	sent   string // "": no SNI
	expect string
}

// handshake puts TLS on a connection.
func (n *network) handshake(ctx context.Context, conn net.Conn, name serverName, insecure bool) (net.Conn, error) {
	cfg := &tls.Config{
		ServerName: name.sent,
		// The library checks a certificate only against the name it sends. Ours may have to be checked without any
		// name being sent, so verify does it, with the library's own functions.
		InsecureSkipVerify: true,
	}
	if !insecure {
		var roots *x509.CertPool
		if n.roots != nil {
			roots = n.roots()
		}
		cfg.VerifyConnection = func(s tls.ConnectionState) error { return verify(s.PeerCertificates, roots, name) }
	}
	tc := tls.Client(conn, cfg)
	err := tc.HandshakeContext(ctx)
	return tc, err
}

// verify checks a chain as crypto/tls does.
func verify(chain []*x509.Certificate, roots *x509.CertPool, name serverName) error {
	if len(chain) == 0 {
		return x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign, Detail: "no certificate was sent"}
	}
	opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool(), DNSName: name.expect}
	for _, c := range chain[1:] {
		opts.Intermediates.AddCert(c)
	}
	_, err := chain[0].Verify(opts)
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return &nameMismatch{name: name, has: namesOf(chain[0]), err: err}
	}
	return err
}

// nameMismatch says which name was sent and which the certificate has: the one thing people need and seldom get.
type nameMismatch struct {
	name serverName
	has  []string
	err  error
}

func (e *nameMismatch) Error() string {
	sent := "sent no server name"
	if e.name.sent != "" {
		sent = fmt.Sprintf("sent server name %q", e.name.sent)
	}
	has := "the certificate has no names"
	if len(e.has) > 0 {
		has = "the certificate is for " + strings.Join(e.has, ", ")
	}
	return fmt.Sprintf("%s, expected a certificate for %q; %s", sent, e.name.expect, has)
}

func (e *nameMismatch) Unwrap() error { return e.err }

// namesOf lists a certificate's names, at most eight of them.
func namesOf(c *x509.Certificate) []string {
	names := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) > 8 {
		names = append(names[:8], "…")
	}
	return names
}

// configError says that a monitor, an origin or a region cannot be probed as it is configured.
type configError struct{ what string }

func (e *configError) Error() string { return e.what }

// phase is how far an attempt had come.
type phase uint8

const (
	connecting phase = iota
	handshaking
	exchanging // HTTP
	pinging    // ICMP, and UDP after it
	conversing // SMTP
)

// failed judges an error: this is the one place where errors become reasons (behaviour H16).
func failed(ctx context.Context, p phase, err error) Result {
	r := Result{Reason: reasonOf(p, err), Detail: err.Error()}
	r.Timeout = isTimeout(ctx, err)
	if r.Timeout {
		r.Reason = timeoutReason(p, r.Reason)
	}
	r.NoVerdict = isLocal(err)
	return r
}

// isLocal recognises that this machine, not the origin, has run out of something.
func isLocal(err error) bool {
	for _, e := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func isTimeout(ctx context.Context, err error) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return true
	}
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

// timeoutReason names a timeout by what was waited for.
func timeoutReason(p phase, reason string) string {
	switch {
	case reason == DNSInternal || reason == DNSUnknownHost:
		return DNSInternal
	case p == connecting || p == conversing:
		return TCPTimeout // which the page also has for data that is not acknowledged
	case p == handshaking:
		return TLSHandshakeFailure
	case p == pinging:
		return OtherFailure // the page knows no other timeouts
	default:
		return HTTPTimeout
	}
}

func reasonOf(p phase, err error) string {
	if _, ok := errors.AsType[*configError](err); ok {
		return MonitorConfigError
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return DNSUnknownHost
		}
		return DNSInternal
	}
	if reason := tlsReason(err); reason != "" {
		return reason
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errnoReason(p, errno)
	}
	switch p {
	case connecting:
		return TCPConnectionFailed
	case handshaking:
		return TLSHandshakeFailure // such as a connection closed in the middle of it
	case exchanging:
		return HTTPInvalidResponse // such as a connection closed without an answer
	case pinging, conversing:
		return OtherFailure
	}
	panic("BUG: no such phase")
}

// Alerts by which a server says what it dislikes (RFC 8446 §6).
const (
	alertProtocolVersion  = tls.AlertError(70)
	alertUnrecognizedName = tls.AlertError(112)
)

// tlsReason returns "" for an error that is not TLS's.
func tlsReason(err error) string {
	// The library's type for an alert that was received is its own; its words are those of the public one.
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		switch op.Err.Error() {
		case alertUnrecognizedName.Error():
			return TLSUnrecognizedName
		case alertProtocolVersion.Error():
			return TLSProtocol
		default:
			return TLSHandshakeFailure
		}
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return TLSProtocol
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return TLSNameMismatch
	}
	if isUntrusted(err) {
		return TLSUntrusted
	}
	// The library has no type for what it dislikes itself, such as a version that was never offered.
	if strings.HasPrefix(err.Error(), "tls: ") {
		return TLSProtocol
	}
	return ""
}

func isUntrusted(err error) bool {
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	_, constraint := errors.AsType[x509.ConstraintViolationError](err)
	_, roots := errors.AsType[x509.SystemRootsError](err)
	_, critical := errors.AsType[x509.UnhandledCriticalExtension](err)
	return authority || invalid || constraint || roots || critical
}

func errnoReason(p phase, errno syscall.Errno) string {
	switch errno {
	case syscall.EHOSTUNREACH, syscall.EHOSTDOWN:
		return NoRoute
	case syscall.ENETUNREACH, syscall.ENETDOWN, syscall.EADDRNOTAVAIL:
		return NetworkUnreachable
	case syscall.ECONNRESET, syscall.EPIPE:
		return ConnectionReset
	case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM:
		return OtherFailure
	default:
		if p == connecting {
			return TCPConnectionFailed // refused, or forbidden by a firewall
		}
		return OtherFailure
	}
}

// remoteIP is the address that a connection reached.
func remoteIP(conn net.Conn) netip.Addr {
	ap, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return netip.Addr{} // not a socket: a test's pipe
	}
	return ap.Addr().Unmap()
}

// errHeadTooLarge replaces the end of input that the limit on a head looks like.
var errHeadTooLarge = fmt.Errorf("the answer's head is larger than %d bytes: %w", headLimit, io.ErrShortBuffer)
