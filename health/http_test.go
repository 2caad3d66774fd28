package health

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/weirlb/weir/config"
)

// Every prober passes, plain and TLS, over IPv4 and IPv6, and says which address it reached.
func TestProbersPass(t *testing.T) {
	ca := newAuthority(t)
	trusting := &network{roots: ca.roots}
	for version, host := range loopbacks {
		for _, kind := range []string{"http", "https", "tcp"} {
			t.Run(kind+" "+version, func(t *testing.T) {
				var serverTLS *tls.Config
				if kind == "https" {
					serverTLS = ca.issue(t, time.Now().Add(time.Hour), host)
				}
				m := httpMonitor()
				m.Type = kind
				at := startOrigin(t, host, serverTLS, answer(fine))
				r := probe(t, trusting, targetAt(at, m))
				if !r.Passed() || r.IP != at.Addr() {
					t.Errorf("%+v", r)
				}
				if want := map[string]int{"http": 200, "https": 200}[kind]; r.ResponseCode != want {
					t.Errorf("response code %d, want %d", r.ResponseCode, want)
				}
			})
		}
	}
}

func TestProbeByHostName(t *testing.T) {
	heads := make(chan string, 1)
	at := startOrigin(t, "127.0.0.1", nil, record(heads, fine))
	n := &network{resolver: startDNS(t, map[string]string{"origin.example.": "127.0.0.1"}, dnsmessage.RCodeNameError)}
	target := targetAt(at, httpMonitor())
	target.Address = "origin.example"
	if r := probe(t, n, target); !r.Passed() || r.IP != at.Addr() {
		t.Errorf("%+v", r)
	}
	if want := fmt.Sprintf("\r\nHost: origin.example:%d\r\n", at.Port()); !strings.Contains(<-heads, want) {
		t.Errorf("H7: no %q in the request", want)
	}
}

// record serves one fixed answer and tells what was asked.
func record(heads chan<- string, text string) func(net.Conn) {
	return func(conn net.Conn) {
		heads <- readHead(conn)
		_, _ = io.WriteString(conn, text)
	}
}

const prefixOfUserAgent = "Mozilla/5.0 (compatible; Cloudflare-Traffic-Manager/1.0; +https://www.cloudflare.com/traffic-manager/; pool-id: "

// The whole request, byte by byte: nothing is invented.
func TestProbeRequest(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Target)
		want   []string // lines
	}{
		{
			"H6, H7: the default monitor: the address as Host, sixteen characters of the pool id",
			func(*Target) {},
			[]string{"GET / HTTP/1.1", "Host: ADDRESS", "User-Agent: " + prefixOfUserAgent + "17b5962d775c646f)", "Connection: close"},
		},
		{
			"H6: a short pool id",
			func(t *Target) { t.Pool = "short" },
			[]string{"GET / HTTP/1.1", "Host: ADDRESS", "User-Agent: " + prefixOfUserAgent + "short)", "Connection: close"},
		},
		{
			"H7: the monitor's Host",
			func(t *Target) {
				t.Monitor.Header = []config.HeaderField{{Name: "Host", Values: []string{"www.example.com"}}}
			},
			[]string{"GET / HTTP/1.1", "Host: www.example.com", "User-Agent: UA", "Connection: close"},
		},
		{
			"H7: the origin's Host before the monitor's",
			func(t *Target) {
				t.Host = "lb-app-a.example.com"
				t.Monitor.Header = []config.HeaderField{{Name: "Host", Values: []string{"www.example.com"}}}
			},
			[]string{"GET / HTTP/1.1", "Host: lb-app-a.example.com", "User-Agent: UA", "Connection: close"},
		},
		{
			"H6: the monitor's fields in its order and case; none overrides the User-Agent or the framing",
			func(t *Target) {
				t.Monitor.Method, t.Monitor.Path = "HEAD", "/health?deep=1&x=%20"
				t.Monitor.Header = []config.HeaderField{
					{Name: "x-ZEBRA", Values: []string{"1", "2"}},
					{Name: "Accept", Values: []string{"*/*"}},
					{Name: "user-agent", Values: []string{"mine"}},
					{Name: "Connection", Values: []string{"keep-alive"}},
					{Name: "Content-Length", Values: []string{"5"}},
					{Name: "Authorization", Values: []string{"Bearer abc"}},
				}
			},
			[]string{
				"HEAD /health?deep=1&x=%20 HTTP/1.1", "Host: ADDRESS", "User-Agent: UA",
				"x-ZEBRA: 1", "x-ZEBRA: 2", "Accept: */*", "Authorization: Bearer abc", "Connection: close",
			},
		},
		{
			"RFC 9110 §8.6: a POST without a body says so",
			func(t *Target) { t.Monitor.Method = "POST" },
			[]string{"POST / HTTP/1.1", "Host: ADDRESS", "User-Agent: UA", "Content-Length: 0", "Connection: close"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			heads := make(chan string, 1)
			at := startOrigin(t, "127.0.0.1", nil, record(heads, fine))
			target := targetAt(at, httpMonitor())
			tt.change(&target)
			probe(t, &network{}, target)
			want := strings.Join(tt.want, "\r\n") + "\r\n\r\n"
			want = strings.ReplaceAll(want, "ADDRESS", at.String())
			want = strings.ReplaceAll(want, "User-Agent: UA", "User-Agent: "+prefixOfUserAgent+"17b5962d775c646f)")
			if got := <-heads; got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

func TestHostForAnAddress(t *testing.T) {
	for _, tt := range []struct {
		address string
		port    int
		secure  bool
		want    string
	}{
		{"192.0.2.1", 80, false, "192.0.2.1"},
		{"192.0.2.1", 443, true, "192.0.2.1"},
		{"192.0.2.1", 443, false, "192.0.2.1:443"},
		{"192.0.2.1", 8080, false, "192.0.2.1:8080"},
		{"2001:db8::1", 80, false, "[2001:db8::1]"},
		{"2001:db8::1", 8443, true, "[2001:db8::1]:8443"},
		{"origin.example", 80, false, "origin.example"},
	} {
		if got := authority(tt.address, tt.port, tt.secure); got != tt.want {
			t.Errorf("H7: Host for %s port %d: got %s, want %s", tt.address, tt.port, got, tt.want)
		}
	}
}

// Behaviour H5: the name sent is the Host of the probe without its port, and none when no Host is configured; then the
// certificate is checked against the address.
func TestServerName(t *testing.T) {
	ca := newAuthority(t)
	for _, tt := range []struct {
		name, host string   // configured Host
		names      []string // in the certificate
		want       string   // server name sent
		passes     bool
	}{
		{"the Host is sent", "www.example.com", []string{"www.example.com"}, "www.example.com", true},
		{"without its port", "www.example.com:8443", []string{"www.example.com"}, "www.example.com", true},
		{"a wildcard certificate", "www.example.com", []string{"*.example.com"}, "www.example.com", true},
		{"the wrong certificate", "www.example.com", []string{"127.0.0.1"}, "www.example.com", false},
		{"no Host, a certificate for the address", "", []string{"127.0.0.1"}, "", true},
		{"no Host, a certificate for a name", "", []string{"www.example.com"}, "", false},
		{"an address as Host is no name to send", "127.0.0.1:8443", []string{"127.0.0.1"}, "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sent := make(chan string, 1)
			server := ca.issue(t, time.Now().Add(time.Hour), tt.names...)
			server.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				sent <- h.ServerName
				return nil, nil
			}
			m := httpMonitor()
			m.Type = "https"
			target := targetAt(startOrigin(t, "127.0.0.1", server, answer(fine)), m)
			target.Host = tt.host
			r := probe(t, &network{roots: ca.roots}, target)
			if got := <-sent; got != tt.want {
				t.Errorf("sent %q, want %q", got, tt.want)
			}
			if r.Passed() != tt.passes || !tt.passes && r.Reason != TLSNameMismatch {
				t.Errorf("%s: %s", r.Reason, r.Detail)
			}
		})
	}
}

func TestNameMismatchSaysWhichNames(t *testing.T) {
	ca := newAuthority(t)
	server := ca.issue(t, time.Now().Add(time.Hour), "a.example", "b.example")
	m := httpMonitor()
	m.Type = "https"
	target := targetAt(startOrigin(t, "127.0.0.1", server, answer(fine)), m)
	for host, want := range map[string]string{
		"www.example.com": `sent server name "www.example.com", expected a certificate for "www.example.com"; the certificate is for a.example, b.example`,
		"":                `sent no server name, expected a certificate for "127.0.0.1"; the certificate is for a.example, b.example`,
	} {
		target.Host = host
		if r := probe(t, &network{roots: ca.roots}, target); r.Reason != TLSNameMismatch || r.Detail != want {
			t.Errorf("H5, Host %q: got %s: %s\nwant %s", host, r.Reason, r.Detail, want)
		}
	}
}

func TestAllowInsecure(t *testing.T) {
	ca := newAuthority(t)
	server := ca.issue(t, time.Now().Add(-time.Minute), "elsewhere.example")
	m := httpMonitor()
	m.Type, m.AllowInsecure = "https", true
	if r := probe(t, &network{}, targetAt(startOrigin(t, "127.0.0.1", server, answer(fine)), m)); !r.Passed() {
		t.Errorf("H5: an expired certificate of nobody's for another name: %s: %s", r.Reason, r.Detail)
	}
}

func TestExpectedCodes(t *testing.T) {
	for _, tt := range []struct {
		expected string
		code     int
		want     bool
	}{
		{"200", 200, true},
		{"200", 201, false},
		{"2xx", 204, true},
		{"2XX", 204, true},
		{"2xx", 302, false},
		{"200,301,302", 301, true},
		{"200, 3xx", 307, true},
		{"200,3xx", 404, false},
		{"4xx", 404, true},
		{"20", 200, false},
		{"", 200, false},
		{"200-299", 250, false},
		{"2x", 200, false},
	} {
		if got := codeExpected(tt.expected, tt.code); got != tt.want {
			t.Errorf("H2: %d for %q: got %t", tt.code, tt.expected, got)
		}
	}
}

// endless is a body of one letter that counts what was read of it.
type endless struct{ read int }

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = '.'
	}
	e.read += len(b)
	return len(b), nil
}

func TestBodyWindow(t *testing.T) {
	const full = bodyWindow
	for _, tt := range []struct {
		name, body, text string
		want             bool
	}{
		{"whatever the case", "all systems Alive.", "aLIVE", true},
		{"letters beyond ASCII", "ALLES ÜBER", "über", true},
		{"absent", "all systems dead", "alive", false},
		{"the very end of the window", strings.Repeat(".", full-5) + "alive", "alive", true},
		{"one byte past the window", strings.Repeat(".", full-4) + "alive", "alive", false},
		{"an empty body", "", "alive", false},
		{"the whole body", "alive", "alive", true},
	} {
		for how, wrap := range map[string]func(io.Reader) io.Reader{
			"whole":        func(r io.Reader) io.Reader { return r },
			"byte by byte": iotest.OneByteReader,
			"data and EOF": iotest.DataErrReader,
		} {
			got, err := contains(wrap(strings.NewReader(tt.body)), tt.text)
			if err != nil || got != tt.want {
				t.Errorf("H4: %s, %s: got %t, %v", tt.name, how, got, err)
			}
		}
	}

	e := &endless{}
	if found, err := contains(e, "alive"); found || err != nil || e.read != bodyWindow {
		t.Errorf("H4: read %d bytes of an endless body, want %d", e.read, bodyWindow)
	}
	e = &endless{}
	if found, _ := contains(io.MultiReader(strings.NewReader("alive"), e), "alive"); !found || e.read != 0 {
		t.Errorf("H4: read %d bytes beyond what was looked for", e.read)
	}
	broken := errors.New("broken")
	if _, err := contains(iotest.ErrReader(broken), "alive"); !errors.Is(err, broken) {
		t.Errorf("a read error became %v", err)
	}
}

// The body as it comes over the wire.
func TestBodyFraming(t *testing.T) {
	m := httpMonitor()
	m.ExpectedBody = "ALIVE"
	for name, text := range map[string]string{
		"length":      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nalive",
		"chunked":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nal\r\n3\r\nive\r\n0\r\n\r\n",
		"to the end":  "HTTP/1.1 200 OK\r\n\r\nalive",
		"HTTP/1.0":    "HTTP/1.0 200 OK\r\n\r\nalive",
		"100 first":   "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nalive",
		"tiny chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\n.\r\n", bodyWindow-5) + "5\r\nalive\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			if r := probe(t, &network{}, targetAt(startOrigin(t, "127.0.0.1", nil, answer(text)), m)); !r.Passed() {
				t.Errorf("H4: %s: %s", r.Reason, r.Detail)
			}
		})
	}
}

// Without expected_body the head is enough: a body that never comes delays nobody.
func TestHeadIsEnough(t *testing.T) {
	at := startOrigin(t, "127.0.0.1", nil, func(conn net.Conn) {
		readHead(conn)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
		silence(conn)
	})
	if r := probe(t, &network{}, targetAt(at, httpMonitor())); !r.Passed() {
		t.Errorf("%s: %s", r.Reason, r.Detail)
	}
}

// redirecting answers by path: a redirect for every path in to, else 200 with the path as body.
func redirecting(to map[string]string, heads chan<- string) func(net.Conn) {
	return func(conn net.Conn) {
		head := readHead(conn)
		heads <- head
		path := strings.Fields(head)[1]
		if line, ok := to[path]; ok {
			code, location, _ := strings.Cut(line, " ")
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 %s Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", code, location)
			return
		}
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(path), path)
	}
}

func TestRedirects(t *testing.T) {
	elsewhere := make(chan string, 20)
	other := startOrigin(t, "127.0.0.1", nil, redirecting(nil, elsewhere))
	to := map[string]string{
		"/moved":   "301 /here",
		"/found":   "302 http://www.example.com/here",
		"/other":   "307 /here",
		"/away":    fmt.Sprintf("302 http://%s/there", other),
		"/chain":   "302 /moved",
		"/loop":    "302 /loop",
		"/ftp":     "302 ftp://www.example.com/",
		"/nowhere": "302 ",
		"/blank":   "302 /a?b c",
		"/missing": "304 /here",
	}
	for i := range 11 {
		to[fmt.Sprintf("/n%d", i)] = fmt.Sprintf("302 /n%d", i+1)
	}
	for _, tt := range []struct {
		name, path, method string
		follow             bool
		code               int    // of the answer that is judged
		last               string // request line of the last request
	}{
		{"H3: not followed, a 301 is judged as one", "/moved", "GET", false, 301, "GET /moved"},
		{"H3: followed", "/moved", "GET", true, 200, "GET /here"},
		{"H3: the probe's Host leads to the probed origin, on its port", "/found", "GET", true, 200, "GET /here"},
		{"H3: followed twice", "/chain", "GET", true, 200, "GET /here"},
		{"H3: a HEAD stays one", "/moved", "HEAD", true, 200, "HEAD /here"},
		{"H3: a POST becomes a GET", "/moved", "POST", true, 200, "GET /here"},
		{"H3: but not after a 307", "/other", "POST", true, 200, "POST /here"},
		{"H3: ten at most, the eleventh is judged", "/loop", "GET", true, 302, "GET /loop"},
		{"H3: the tenth is followed", "/n1", "GET", true, 200, "GET /n11"},
		{"H3: one more is not", "/n0", "GET", true, 302, "GET /n10"},
		{"H3: only to http and https", "/ftp", "GET", true, 302, "GET /ftp"},
		{"H3: an empty Location leads nowhere", "/nowhere", "GET", true, 302, "GET /nowhere"},
		{"H3: what cannot be asked for is not followed", "/blank", "GET", true, 302, "GET /blank"},
		{"H3: a 304 is no redirect", "/missing", "GET", true, 304, "GET /missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			heads := make(chan string, 20)
			m := httpMonitor()
			m.Path, m.Method, m.FollowRedirects = tt.path, tt.method, tt.follow
			target := targetAt(startOrigin(t, "127.0.0.1", nil, redirecting(to, heads)), m)
			target.Host = "www.example.com"
			r := probe(t, &network{}, target)
			if r.ResponseCode != tt.code || r.Passed() != (tt.code == 200) {
				t.Errorf("code %d, %s: %s", r.ResponseCode, r.Reason, r.Detail)
			}
			close(heads)
			var last string
			for last = range heads {
				if !strings.Contains(last, "\r\nHost: www.example.com\r\n") {
					t.Errorf("another Host in %q", last)
				}
			}
			if !strings.HasPrefix(last, tt.last+" ") {
				t.Errorf("last request %q, want %q", last, tt.last)
			}
		})
	}

	t.Run("H3: another host is another place, and gets no credentials", func(t *testing.T) {
		heads := make(chan string, 20)
		m := httpMonitor()
		m.Path, m.FollowRedirects = "/away", true
		m.Header = []config.HeaderField{
			{Name: "Authorization", Values: []string{"Bearer abc"}},
			{Name: "Cookie", Values: []string{"a=b"}},
			{Name: "X-Kept", Values: []string{"1"}},
		}
		target := targetAt(startOrigin(t, "127.0.0.1", nil, redirecting(to, heads)), m)
		target.Host = "www.example.com"
		if r := probe(t, &network{}, target); !r.Passed() {
			t.Fatalf("%s: %s", r.Reason, r.Detail)
		}
		want := "GET /there HTTP/1.1\r\nHost: " + other.String() + "\r\nUser-Agent: " + prefixOfUserAgent +
			"17b5962d775c646f)\r\nX-Kept: 1\r\nConnection: close\r\n\r\n"
		if got := <-elsewhere; got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		if first := <-heads; !strings.Contains(first, "Authorization: Bearer abc\r\nCookie: a=b\r\n") {
			t.Errorf("no credentials in %q", first)
		}
	})
}

// From http to https, the usual redirect: the same origin, the other scheme's port, the same name.
func TestRedirectToHTTPS(t *testing.T) {
	h := hop{host: "www.example.com", address: "192.0.2.1", port: 8080, method: "GET", path: "/a/b"}
	target := Target{Monitor: httpMonitor(), Address: "192.0.2.1", Port: 8080, Host: "www.example.com"}
	for location, want := range map[string]hop{
		"https://www.example.com/x": {
			secure: true, host: "www.example.com", address: "192.0.2.1", port: 443, method: "GET", path: "/x",
			name: serverName{"www.example.com", "www.example.com"},
		},
		"https://www.example.com:8443/x?y=1": {
			secure: true, host: "www.example.com:8443", address: "192.0.2.1", port: 8443, method: "GET", path: "/x?y=1",
			name: serverName{"www.example.com", "www.example.com"},
		},
		"https://cdn.example.com/": {
			secure: true, host: "cdn.example.com", address: "cdn.example.com", port: 443, method: "GET", path: "/",
			name: serverName{"cdn.example.com", "cdn.example.com"}, foreign: true,
		},
		"c": {
			host: "www.example.com", address: "192.0.2.1", port: 8080, method: "GET", path: "/a/c",
			name: serverName{"www.example.com", "www.example.com"},
		},
	} {
		got, ok := h.redirect(target, response(301, location))
		if !ok || got != want {
			t.Errorf("H3: %s:\ngot  %+v\nwant %+v", location, got, want)
		}
	}
}

func TestMisconfiguredProbes(t *testing.T) {
	at := netip.MustParseAddrPort("127.0.0.1:9") // never dialled
	for name, change := range map[string]func(*Target){
		"method":            func(t *Target) { t.Monitor.Method = "GET /" },
		"no method":         func(t *Target) { t.Monitor.Method = "" },
		"path":              func(t *Target) { t.Monitor.Path = "health" },
		"path blank":        func(t *Target) { t.Monitor.Path = "/a b" },
		"Host":              func(t *Target) { t.Host = "a\r\nX: y" },
		"pool id":           func(t *Target) { t.Pool = "a\nb" },
		"field name":        func(t *Target) { t.Monitor.Header = []config.HeaderField{{Name: "a b"}} },
		"field value":       func(t *Target) { t.Monitor.Header = []config.HeaderField{{Name: "A", Values: []string{"x\r\ny"}}} },
		"type":              func(t *Target) { t.Monitor.Type = "ldap" },
		"tcp, no port":      func(t *Target) { t.Monitor.Type, t.Port = "tcp", 0 },
		"smtp, no port":     func(t *Target) { t.Monitor.Type, t.Port = "smtp", 0 },
		"udp_icmp, no port": func(t *Target) { t.Monitor.Type, t.Port = "udp_icmp", 0 },
	} {
		t.Run(name, func(t *testing.T) {
			target := targetAt(at, httpMonitor())
			change(&target)
			if r := probe(t, &network{}, target); r.Reason != MonitorConfigError || r.Detail == "" || r.Timeout {
				t.Errorf("H16: %+v", r)
			}
		})
	}
}

func TestProbeFromSource(t *testing.T) {
	from := make(chan string, 1)
	at := startOrigin(t, "127.0.0.1", nil, func(conn net.Conn) {
		host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
		from <- host
		answer(fine)(conn)
	})
	target := targetAt(at, httpMonitor())
	target.Source = netip.MustParseAddr("127.0.0.2")
	if r := probe(t, &network{}, target); !r.Passed() {
		t.Fatalf("%s: %s", r.Reason, r.Detail)
	}
	if got := <-from; got != "127.0.0.2" {
		t.Errorf("probed from %s", got)
	}
	for _, elsewhere := range []string{"192.0.2.77", "2001:db8::77"} {
		target.Source = netip.MustParseAddr(elsewhere)
		if r := probe(t, &network{}, target); r.Reason != MonitorConfigError {
			t.Errorf("H16: source %s: %s: %s", elsewhere, r.Reason, r.Detail)
		}
	}
}

func response(code int, location string) *http.Response {
	return &http.Response{StatusCode: code, Header: http.Header{"Location": {location}}}
}
