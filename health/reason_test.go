package health

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/weirlb/weir/config"
)

// failure is one way in which a probe fails for real, on loopback.
type failure struct {
	name   string
	want   string
	code   int
	retry  bool // a timeout
	change func(*config.Monitor)
	origin func(t *testing.T) (netip.AddrPort, *network)
}

func monitorOf(kind string) func(*config.Monitor) {
	return func(m *config.Monitor) { m.Type = kind }
}

// soon makes a timeout come soon.
func soon(kind string) func(*config.Monitor) {
	return func(m *config.Monitor) { m.Type, m.Timeout = kind, 150*time.Millisecond }
}

// plain is an origin of one behaviour, over TCP.
func plain(serve func(net.Conn)) func(*testing.T) (netip.AddrPort, *network) {
	return func(t *testing.T) (netip.AddrPort, *network) {
		return startOrigin(t, "127.0.0.1", nil, serve), &network{}
	}
}

// overTLS is an origin with a good certificate for its address, but for what change does to it.
func overTLS(serve func(net.Conn), change func(*testing.T, *authorityKit, *tls.Config) *tls.Config) func(*testing.T) (netip.AddrPort, *network) {
	return func(t *testing.T) (netip.AddrPort, *network) {
		ca := newAuthority(t)
		cfg := ca.issue(t, time.Now().Add(time.Hour), "127.0.0.1")
		if change != nil {
			cfg = change(t, ca, cfg)
		}
		return startOrigin(t, "127.0.0.1", cfg, serve), &network{roots: ca.roots}
	}
}

// resetting reads a request and resets the connection.
func resetting(conn net.Conn) {
	readHead(conn)
	_ = conn.(*net.TCPConn).SetLinger(0)
}

var failures = []failure{
	{"a closed port", TCPConnectionFailed, 0, false, monitorOf("http"), closedPort},
	{"a closed port", TCPConnectionFailed, 0, false, monitorOf("tcp"), closedPort},
	{"a full backlog", TCPTimeout, 0, true, soon("http"), fullBacklog},
	{"a full backlog", TCPTimeout, 0, true, soon("tcp"), fullBacklog},
	{"a reset", ConnectionReset, 0, false, monitorOf("http"), plain(resetting)},
	{"a reset during the handshake", ConnectionReset, 0, false, monitorOf("https"), plain(func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 10))
		_ = conn.(*net.TCPConn).SetLinger(0)
	})},
	{"silence", HTTPTimeout, 0, true, soon("http"), plain(silence)},
	{"silence after the handshake", HTTPTimeout, 0, true, soon("https"), overTLS(silence, nil)},
	{"a body that stops", HTTPTimeout, 200, true, func(m *config.Monitor) {
		soon("http")(m)
		m.ExpectedBody = "alive"
	}, plain(func(conn net.Conn) {
		readHead(conn)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nal")
		silence(conn)
	})},
	{"no handshake", TLSHandshakeFailure, 0, true, soon("https"), plain(silence)},
	{"closed without an answer", HTTPInvalidResponse, 0, false, monitorOf("http"), plain(func(conn net.Conn) { readHead(conn) })},
	{"not HTTP", HTTPInvalidResponse, 0, false, monitorOf("http"), plain(answer("220 mail.example ESMTP\r\n"))},
	{"half a head", HTTPInvalidResponse, 0, false, monitorOf("http"), plain(answer("HTTP/1.1 200 OK\r\nA: b\r\n"))},
	{"an endless head", HTTPInvalidResponse, 0, false, monitorOf("http"), plain(answer("HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", headLimit)))},
	{
		"a body cut short", HTTPInvalidResponse, 200, false, func(m *config.Monitor) { m.ExpectedBody = "alive" },
		plain(answer("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")),
	},
	{"a wrong code", CodeMismatch, 503, false, monitorOf("http"), plain(answer("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"))},
	{"a wrong body", BodyMismatch, 200, false, func(m *config.Monitor) { m.ExpectedBody = "alive" }, plain(answer(fine))},
	{"an authority nobody knows", TLSUntrusted, 0, false, monitorOf("https"), overTLS(answer(fine),
		func(t *testing.T, _ *authorityKit, _ *tls.Config) *tls.Config {
			return newAuthority(t).issue(t, time.Now().Add(time.Hour), "127.0.0.1")
		})},
	{"an expired certificate", TLSUntrusted, 0, false, monitorOf("https"), overTLS(answer(fine),
		func(t *testing.T, ca *authorityKit, _ *tls.Config) *tls.Config {
			return ca.issue(t, time.Now().Add(-time.Minute), "127.0.0.1")
		})},
	{"another name's certificate", TLSNameMismatch, 0, false, monitorOf("https"), overTLS(answer(fine),
		func(t *testing.T, ca *authorityKit, _ *tls.Config) *tls.Config {
			return ca.issue(t, time.Now().Add(time.Hour), "other.example")
		})},
	{"no TLS at all", TLSProtocol, 0, false, monitorOf("https"), plain(func(conn net.Conn) {
		_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
		silence(conn)
	})},
	{"an old version", TLSProtocol, 0, false, monitorOf("https"), overTLS(answer(fine),
		func(_ *testing.T, _ *authorityKit, c *tls.Config) *tls.Config {
			c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
			return c
		})},
	{"a name the server does not know", TLSUnrecognizedName, 0, false, monitorOf("https"), overTLS(answer(fine),
		func(_ *testing.T, _ *authorityKit, c *tls.Config) *tls.Config {
			c.Certificates = nil
			c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }
			return c
		})},
	{"a handshake that is closed", TLSHandshakeFailure, 0, false, monitorOf("https"), plain(func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
	})},
	{"a client certificate is demanded", TLSHandshakeFailure, 0, false, monitorOf("https"), overTLS(answer(fine),
		func(_ *testing.T, _ *authorityKit, c *tls.Config) *tls.Config {
			c.ClientAuth, c.MaxVersion = tls.RequireAnyClientCert, tls.VersionTLS12
			return c
		})},
	{"a client certificate is demanded, TLS 1.3", TLSHandshakeFailure, 0, false, monitorOf("https"), overTLS(answer(fine),
		func(_ *testing.T, _ *authorityKit, c *tls.Config) *tls.Config {
			c.ClientAuth = tls.RequireAnyClientCert
			return c
		})},
}

func closedPort(t *testing.T) (netip.AddrPort, *network) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().(*net.TCPAddr).AddrPort(), &network{}
}

// fullBacklog is a black hole: a listener that takes no more connections, so that the kernel drops handshakes.
func fullBacklog(t *testing.T) (netip.AddrPort, *network) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(sa.(*syscall.SockaddrInet4).Port))
	for range 10 {
		conn, err := net.DialTimeout("tcp", at.String(), 100*time.Millisecond)
		if err != nil {
			return at, &network{}
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Skip("this kernel's backlog cannot be filled")
	return at, nil
}

// Behaviour H16, with real servers that fail.
func TestFailureReasons(t *testing.T) {
	for _, f := range failures {
		m := httpMonitor()
		f.change(&m)
		t.Run(m.Type+" "+f.name, func(t *testing.T) {
			at, n := f.origin(t)
			r := probe(t, n, targetAt(at, m))
			if r.Reason != f.want || r.ResponseCode != f.code || r.Timeout != f.retry || r.NoVerdict {
				t.Errorf("got %s (code %d, timeout %t): %s\nwant %s (code %d, timeout %t)",
					r.Reason, r.ResponseCode, r.Timeout, r.Detail, f.want, f.code, f.retry)
			}
			if r.Detail == "" {
				t.Error("no detail")
			}
		})
	}
}

func TestNameFailures(t *testing.T) {
	for code, want := range map[dnsmessage.RCode]string{
		dnsmessage.RCodeNameError:     DNSUnknownHost,
		dnsmessage.RCodeServerFailure: DNSInternal,
	} {
		n := &network{resolver: startDNS(t, nil, code)}
		target := targetAt(netip.MustParseAddrPort("127.0.0.1:9"), httpMonitor())
		target.Address = "nowhere.example"
		if r := probe(t, n, target); r.Reason != want {
			t.Errorf("H16: %v: got %s: %s, want %s", code, r.Reason, r.Detail, want)
		}
	}
	t.Run("no answer", func(t *testing.T) {
		n := &network{resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}}
		m := httpMonitor()
		m.Timeout = 100 * time.Millisecond
		target := targetAt(netip.MustParseAddrPort("127.0.0.1:9"), m)
		target.Address = "nowhere.example"
		if r := probe(t, n, target); r.Reason != DNSInternal || !r.Timeout {
			t.Errorf("H16: got %s (timeout %t): %s", r.Reason, r.Timeout, r.Detail)
		}
	})
}

// What loopback cannot do: the kernel's words for it.
func TestErrnoReasons(t *testing.T) {
	for errno, want := range map[syscall.Errno]string{
		syscall.EHOSTUNREACH:  NoRoute,
		syscall.EHOSTDOWN:     NoRoute,
		syscall.ENETUNREACH:   NetworkUnreachable,
		syscall.ENETDOWN:      NetworkUnreachable,
		syscall.EADDRNOTAVAIL: NetworkUnreachable,
		syscall.ECONNREFUSED:  TCPConnectionFailed,
		syscall.EPERM:         TCPConnectionFailed,
		syscall.ECONNRESET:    ConnectionReset,
		syscall.EPIPE:         ConnectionReset,
		syscall.ETIMEDOUT:     TCPTimeout,
		syscall.EMFILE:        OtherFailure,
	} {
		err := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errno)}
		r := failed(t.Context(), connecting, fmt.Errorf("wrapped: %w", err))
		if r.Reason != want || r.NoVerdict != (errno == syscall.EMFILE) || r.Timeout != (errno == syscall.ETIMEDOUT) {
			t.Errorf("H16: %v: %+v, want %s", errno, r, want)
		}
	}
	err := &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.EIO)}
	if r := failed(t.Context(), exchanging, err); r.Reason != OtherFailure {
		t.Errorf("H16: %v: %s", err, r.Reason)
	}
}

// Every reason is listed once, and every one of them is shown above, or elsewhere by name.
func TestEveryReasonIsShown(t *testing.T) {
	elsewhere := []string{
		NoFailures, NoRoute, NetworkUnreachable, DNSUnknownHost, DNSInternal, MonitorConfigError, OtherFailure,
	}
	seen := map[string]bool{}
	for _, r := range Reasons() {
		if seen[r] {
			t.Errorf("%s is listed twice", r)
		}
		seen[r] = true
		if !slices.Contains(elsewhere, r) && !slices.ContainsFunc(failures, func(f failure) bool { return f.want == r }) {
			t.Errorf("no test fails with %q", r)
		}
	}
	for _, f := range failures {
		if !seen[f.want] {
			t.Errorf("%q is not listed", f.want)
		}
	}
}
