package health

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/weirlb/weir/config"
)

const (
	// bodyWindow is how much of a body is searched for expected_body (behaviour H4).
	bodyWindow = 10 << 10
	// headLimit bounds the head of an answer, bodyLimit the body with its framing: a window cut into chunks of one
	// byte still fits.
	headLimit = 64 << 10
	bodyLimit = 128 << 10
	// redirectLimit is how many redirects are followed; the next one is judged as it is.
	redirectLimit = 10
)

// userAgent cannot be overridden: origins recognise probes by it (behaviour H6).
const userAgent = "Mozilla/5.0 (compatible; Cloudflare-Traffic-Manager/1.0; +https://www.cloudflare.com/traffic-manager/; pool-id: %s)"

// http probes with one request on a connection of its own. The request is written by hand so that the origin sees the
// monitor's fields as they are: their order, their case, and nothing besides what it takes to be HTTP/1.1.
func (n *network) http(ctx context.Context, t Target) Result {
	h, err := firstHop(t)
	if err != nil {
		return misconfigured(err.Error())
	}
	for redirects := 0; ; redirects++ {
		follow := t.Monitor.FollowRedirects && redirects < redirectLimit
		result, next := n.visit(ctx, t, h, follow)
		if next == nil {
			return result
		}
		h = *next
	}
}

// visit makes one request and judges the answer, or says where it redirects to.
func (n *network) visit(ctx context.Context, t Target, h hop, follow bool) (Result, *hop) {
	conn, err := n.dial(ctx, h.address, h.port, t.Source)
	if err != nil {
		return failed(ctx, connecting, err), nil
	}
	defer func() { _ = conn.Close() }()
	ip := remoteIP(conn)
	if h.secure {
		if conn, err = n.handshake(ctx, conn, h.name, t.Monitor.AllowInsecure); err != nil {
			return at(ip, failed(ctx, handshaking, err)), nil
		}
	}
	resp, err := exchange(conn, h.request(t), h.method) //nolint:bodyclose // the connection is closed, body and all
	if err != nil {
		return at(ip, failed(ctx, exchanging, err)), nil
	}
	if follow {
		if next, ok := h.redirect(t, resp); ok {
			return Result{}, &next
		}
	}
	r := judge(ctx, &t.Monitor, resp)
	r.ResponseCode = resp.StatusCode
	return at(ip, r), nil
}

func at(ip netip.Addr, r Result) Result {
	r.IP = ip
	return r
}

func misconfigured(detail string) Result {
	return Result{Reason: MonitorConfigError, Detail: detail}
}

// hop is one request on the way to an answer: where it connects to and what it says. Only redirects make a second one.
type hop struct {
	secure  bool
	address string // to connect to
	port    int
	host    string // the Host field
	name    serverName
	method  string
	path    string // request target, origin form
	foreign bool   // another host than the one that is probed: it gets no credentials
}

// firstHop is the request that the monitor asks for. Host: the origin's, else the monitor's, else the origin's address
// (behaviour H7), with the port when it is not the scheme's own (RFC 9110 §7.2).
func firstHop(t Target) (hop, error) {
	h := hop{
		secure: t.Monitor.Type == "https", address: t.Address, port: t.Port,
		host: t.Host, method: t.Monitor.Method, path: t.Monitor.Path,
	}
	if h.host == "" {
		h.host = headerOf(t.Monitor.Header, "Host")
	}
	if h.host == "" {
		h.host = authority(t.Address, t.Port, h.secure)
		h.name = serverName{expect: t.Address}
	} else {
		h.name = serverName{sent: hostname(h.host), expect: hostname(h.host)}
	}
	err := h.check(t)
	return h, err
}

// check refuses what cannot be sent as it is configured.
func (h *hop) check(t Target) error {
	if !isToken(h.method) {
		return fmt.Errorf("method %q cannot be sent: use GET or HEAD", h.method)
	}
	if !strings.HasPrefix(h.path, "/") || strings.ContainsFunc(h.path, isBlankOrControl) {
		return fmt.Errorf("path %q cannot be sent: it must begin with / and hold no blanks", h.path)
	}
	if strings.ContainsFunc(h.host, notInHost) {
		return fmt.Errorf("header Host %q cannot be sent: use a host name, with a port or without", h.host)
	}
	if !isFieldValue(t.Pool) {
		return fmt.Errorf("pool id %q cannot be sent in the User-Agent", t.Pool)
	}
	for _, f := range t.Monitor.Header {
		if !isToken(f.Name) {
			return fmt.Errorf("header name %q cannot be sent", f.Name)
		}
		for _, v := range f.Values {
			if !isFieldValue(v) {
				return fmt.Errorf("a value of header %s cannot be sent: %q", f.Name, v)
			}
		}
	}
	return nil
}

func isBlankOrControl(r rune) bool { return r <= ' ' || r == 0x7f }

func notInHost(r rune) bool { return isBlankOrControl(r) || strings.ContainsRune(`/?#@\"<>`, r) }

// isToken: RFC 9110 §5.6.2.
func isToken(s string) bool {
	const others = "!#$%&'*+-.^_`|~"
	for _, r := range s {
		alphanumeric := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		if !alphanumeric && !strings.ContainsRune(others, r) {
			return false
		}
	}
	return s != ""
}

// isFieldValue: RFC 9110 §5.5; what is refused could end the line.
func isFieldValue(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}

// request is the whole request: a probe has no body.
func (h *hop) request(t Target) []byte {
	b := make([]byte, 0, 512)
	b = fmt.Appendf(b, "%s %s HTTP/1.1\r\nHost: %s\r\n", h.method, h.path, h.host)
	b = fmt.Appendf(b, "User-Agent: "+userAgent+"\r\n", firstRunes(t.Pool, 16))
	for _, f := range t.Monitor.Header {
		if h.keeps(f.Name) {
			for _, v := range f.Values {
				b = fmt.Appendf(b, "%s: %s\r\n", f.Name, v)
			}
		}
	}
	if h.method == "POST" || h.method == "PUT" || h.method == "PATCH" {
		b = append(b, "Content-Length: 0\r\n"...) // RFC 9110 §8.6
	}
	return append(b, "Connection: close\r\n\r\n"...)
}

// keeps reports whether a field of the monitor's is sent as it is. Those that the prober writes itself are not, nor
// those that announce a body.
func (h *hop) keeps(name string) bool {
	switch strings.ToLower(name) {
	case "host", "user-agent", "connection", "content-length", "transfer-encoding":
		return false
	case "authorization", "cookie", "proxy-authorization":
		return !h.foreign
	}
	return true
}

// redirect returns where a redirecting answer leads. Whatever carries the Host of the probe stays at the origin that is
// probed: the name's public address may be another one, or this load balancer's own.
func (h *hop) redirect(t Target, resp *http.Response) (hop, bool) {
	to, ok := h.location(resp)
	if !ok {
		return hop{}, false
	}
	first, err := firstHop(t)
	if err != nil {
		panic("BUG: a hop that was never checked")
	}
	next := hop{secure: to.Scheme == "https", host: to.Host, method: h.method, path: to.RequestURI()}
	if resp.StatusCode == 303 || resp.StatusCode < 303 && h.method == "POST" {
		if h.method != "HEAD" {
			next.method = "GET" // RFC 9110 §15.4
		}
	}
	next.address, next.port = to.Hostname(), portOf(to)
	next.name = serverName{sent: to.Hostname(), expect: to.Hostname()}
	if strings.EqualFold(to.Hostname(), hostname(first.host)) {
		next.address, next.name = first.address, first.name
		if next.secure == first.secure && strings.EqualFold(to.Host, first.host) {
			next.port = first.port
		}
	} else {
		next.foreign = true
	}
	return next, next.check(t) == nil
}

// location reads the Location of an answer that redirects to http or https.
func (h *hop) location(resp *http.Response) (*url.URL, bool) {
	switch resp.StatusCode {
	case 301, 302, 303, 307, 308:
	default:
		return nil, false
	}
	location := resp.Header.Get("Location")
	if location == "" {
		return nil, false
	}
	base := url.URL{Scheme: "http", Host: h.host}
	if h.secure {
		base.Scheme = "https"
	}
	path, err := url.ParseRequestURI(h.path)
	if err != nil {
		return nil, false
	}
	to, err := base.ResolveReference(path).Parse(location)
	if err != nil || to.Hostname() == "" || to.Scheme != "http" && to.Scheme != "https" || portOf(to) == 0 {
		return nil, false
	}
	return to, true
}

// portOf is a URL's port, or its scheme's; 0 when it is none.
func portOf(u *url.URL) int {
	if u.Port() == "" {
		return defaultPort(u.Scheme)
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		return 0
	}
	return int(n)
}

// defaultPort is where a monitor's type is spoken when nobody says otherwise; 0 where there is no such place.
func defaultPort(kind string) int {
	switch kind {
	case "http":
		return 80
	case "https":
		return 443
	}
	return 0
}

// authority is a Host field for an address.
func authority(address string, port int, secure bool) string {
	if secure && port == 443 || !secure && port == 80 {
		if strings.Contains(address, ":") {
			return "[" + address + "]"
		}
		return address
	}
	return net.JoinHostPort(address, strconv.Itoa(port))
}

// hostname is a Host field without its port, its brackets and its trailing dot.
func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.TrimSuffix(strings.Trim(host, "[]"), ".")
}

// headerOf is the first value of a monitor's field.
func headerOf(fields []config.HeaderField, name string) string {
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) && len(f.Values) > 0 {
			return f.Values[0]
		}
	}
	return ""
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// exchange sends a request and reads the head of its final answer.
func exchange(conn net.Conn, request []byte, method string) (*http.Response, error) {
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	in := &io.LimitedReader{R: conn, N: headLimit}
	br := bufio.NewReader(in)
	for {
		resp, err := http.ReadResponse(br, &http.Request{Method: method})
		if errors.Is(err, io.ErrUnexpectedEOF) && in.N == 0 {
			return nil, errHeadTooLarge
		}
		if err != nil {
			return nil, fmt.Errorf("reading the answer: %w", err)
		}
		if resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols {
			in.N = bodyLimit
			return resp, nil
		}
	}
}

// judge compares an answer with what the monitor expects. A body is read only as far as needed.
func judge(ctx context.Context, m *config.Monitor, resp *http.Response) Result {
	if !codeExpected(m.ExpectedCodes, resp.StatusCode) {
		return Result{Reason: CodeMismatch, Detail: fmt.Sprintf("got %d, expected %s", resp.StatusCode, m.ExpectedCodes)}
	}
	if m.ExpectedBody == "" {
		return Result{Reason: NoFailures}
	}
	found, err := contains(resp.Body, m.ExpectedBody)
	switch {
	case err != nil:
		return failed(ctx, exchanging, fmt.Errorf("reading the body: %w", err))
	case !found:
		return Result{Reason: BodyMismatch, Detail: fmt.Sprintf("%q is not in the body's first %d bytes", m.ExpectedBody, bodyWindow)}
	}
	return Result{Reason: NoFailures}
}

// codeExpected reports whether a status is one of "200", "2xx" or a comma-separated list of these.
func codeExpected(expected string, code int) bool {
	s := strconv.Itoa(code)
	for want := range strings.SplitSeq(expected, ",") {
		want = strings.ToLower(strings.TrimSpace(want))
		if want == s || len(want) == 3 && want[0] == s[0] && want[1:] == "xx" {
			return true
		}
	}
	return false
}

// contains looks for text in the first bodyWindow bytes, whatever the case, and reads no further than it must.
func contains(body io.Reader, text string) (bool, error) {
	want := bytes.ToLower([]byte(text))
	window := make([]byte, 0, bodyWindow)
	for len(window) < bodyWindow {
		n, err := body.Read(window[len(window):bodyWindow])
		if n > 0 {
			// Only what a match could newly cover is searched: a letter's other case may be up to four times as long.
			from := max(0, len(window)-4*len(want))
			for from > 0 && !utf8.RuneStart(window[from:bodyWindow][0]) {
				from--
			}
			window = window[:len(window)+n]
			if bytes.Contains(bytes.ToLower(window[from:]), want) {
				return true, nil
			}
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}
