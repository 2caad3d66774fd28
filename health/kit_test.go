package health

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/weirlb/weir/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// origins on loopback

var loopbacks = map[string]string{"v4": "127.0.0.1", "v6": "::1"}

// startOrigin listens on a free port and serves every connection; tlsConfig is nil for plain. Everything ends with the
// test.
func startOrigin(t testing.TB, host string, tlsConfig *tls.Config, serve func(net.Conn)) netip.AddrPort {
	t.Helper()
	ln, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Skipf("no %s here: %v", host, err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[conn] = true
			mu.Unlock()
			wg.Go(func() {
				defer func() {
					_ = conn.Close()
					mu.Lock()
					delete(open, conn)
					mu.Unlock()
				}()
				if tlsConfig == nil {
					serve(conn)
					return
				}
				tc := tls.Server(conn, tlsConfig)
				if tc.Handshake() == nil {
					serve(tc)
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		mu.Lock()
		for conn := range open {
			_ = conn.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return ln.Addr().(*net.TCPAddr).AddrPort()
}

// readHead reads a request up to its empty line.
func readHead(conn net.Conn) string {
	var b strings.Builder
	r := bufio.NewReader(conn)
	for {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		if err != nil || line == "\r\n" {
			return b.String()
		}
	}
}

// answer serves one request with fixed bytes.
func answer(text string) func(net.Conn) {
	return func(conn net.Conn) {
		readHead(conn)
		_, _ = io.WriteString(conn, text)
	}
}

// silence reads and says nothing until the other side has gone.
func silence(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

const fine = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

// certificates

type authorityKit struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authorityKit {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authorityKit{cert, key}
}

func (a *authorityKit) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// issue makes a server's configuration with a certificate for names and addresses, good until notAfter.
func (a *authorityKit) issue(t testing.TB, notAfter time.Time, names ...string) *tls.Config {
	t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "test origin"},
		NotBefore: notAfter.Add(-2 * time.Hour), NotAfter: notAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, n)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// names

// startDNS answers A questions: an address, or an error code for names that have none.
func startDNS(t testing.TB, names map[string]string, otherwise dnsmessage.RCode) *net.Resolver {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply, err := dnsReply(buf[:n], names, otherwise); err == nil {
				_, _ = pc.WriteTo(reply, from)
			}
		}
	}()
	t.Cleanup(func() { _ = pc.Close(); <-done })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "udp", pc.LocalAddr().String())
	}}
}

func dnsReply(query []byte, names map[string]string, otherwise dnsmessage.RCode) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		return nil, err
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	q := m.Questions[0]
	address, known := names[q.Name.String()]
	switch {
	case !known:
		m.RCode = otherwise
	case q.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
			Body:   &dnsmessage.AResource{A: netip.MustParseAddr(address).As4()},
		}}
	}
	return m.Pack()
}

// targets and configurations

// httpMonitor is Cloudflare's default one, with a short timeout.
func httpMonitor() config.Monitor {
	return config.Monitor{
		ID: "m1", Type: "http", Method: "GET", Path: "/", ExpectedCodes: "200",
		Timeout: 5 * time.Second, Retries: 2, Interval: time.Minute,
	}
}

func targetAt(at netip.AddrPort, m config.Monitor) Target {
	return Target{Monitor: m, Pool: "17b5962d775c646f3f9725cbc7a53df4", Address: at.Addr().String(), Port: int(at.Port())}
}

// probe makes one attempt with the prober for the monitor's type.
func probe(t testing.TB, n *network, target Target) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), target.Monitor.Timeout)
	defer cancel()
	return n.prober(target.Monitor.Type)(ctx, target)
}

// poolOf is a monitored pool with origins at 10.0.0.1, 10.0.0.2 …, named a, b ….
func poolOf(id string, n int) config.Pool {
	p := config.Pool{ID: id, Name: id, Enabled: true, MinimumOrigins: 1, Monitor: "m1"}
	for i := range n {
		p.Origins = append(p.Origins, config.Origin{
			Name: string(rune('a' + i)), Address: netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}).String(), Enabled: true, Weight: 100,
		})
	}
	return p
}

func configOf(m config.Monitor, pools ...config.Pool) *config.Config {
	return &config.Config{
		Pools: pools, Monitors: []config.Monitor{m},
		Weir: config.Weir{Location: config.Place{PoP: "FRA", Region: "WEU"}},
	}
}
