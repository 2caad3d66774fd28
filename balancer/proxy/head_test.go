package proxy

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/balancer/proxy/wire"
	"github.com/weirlb/weir/config"
)

// A malformed head is answered and its connection closed, and no origin hears of it (docs/behaviour.md E9, E10, E12).
// Package wire has the whole corpus; these show that its verdicts are obeyed.
func TestRefusedHeads(t *testing.T) {
	long := strings.Repeat("x", 17<<10)
	for _, c := range []struct {
		name, head string
		status     int
		reason     string
	}{
		{"no version", "GET /\r\n\r\n", 400, "bad_request_line"},
		{"HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "unsupported_version"},
		{"nonsense", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, ""},
		{"bare LF", "GET / HTTP/1.1\nHost: a\n\n", 400, "bad_line_end"},
		{"no Host", "GET / HTTP/1.1\r\n\r\n", 400, "missing_host"},
		{"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "several_hosts"},
		{"Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "bad_host"},
		{"space in a field name", "GET / HTTP/1.1\r\nHost: a\r\nX y: 1\r\n\r\n", 400, "bad_field_name"},
		{"folded field", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", 400, "folded_line"},
		{"CL and TE", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "conflicting_length"},
		{"two equal lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400, "several_lengths"},
		{"identity", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 400, "bad_transfer_encoding"},
		{"gzip, chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, "unknown_coding"},
		{"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501, "method_connect"},
		{"long URI", "GET /" + long + " HTTP/1.1\r\nHost: a\r\n\r\n", 414, "uri_too_long"},
		{"long field", "GET / HTTP/1.1\r\nHost: a\r\nX: " + long + "\r\n\r\n", 431, "field_too_long"},
		{"long header", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: "+long[:15<<10]+"\r\n", 3) + "\r\n", 431, "header_too_long"},
		{"many fields", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: 1\r\n", 200) + "\r\n", 431, "too_many_fields"},
		{"URI without an end", "GET /" + long, 414, "uri_too_long"},
		{"header without an end", "GET / HTTP/1.1\r\nHost: a\r\nX: " + long, 431, "field_too_long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := only(t)
			v := w.visit()
			go func() { _, _ = io.WriteString(v.Conn, c.head+"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n") }()
			res, body := v.answer("GET")
			if res.StatusCode != c.status || !res.Close || !strings.HasPrefix(body, "error code: ") {
				t.Errorf("got %d %q, close %v", res.StatusCode, body, res.Close)
			}
			if got := res.Header.Get("Weir-Reason"); c.reason != "" && got != c.reason {
				t.Errorf("reason %q, want %q", got, c.reason)
			}
			if o := w.outcome(0); o.Class != balancer.ClientInvalid || o.Cause == "" {
				t.Errorf("outcome %v %q", o.Class, o.Cause)
			}
			_ = v.Close()
			if s := w.origins[0].Stats(); s.Connections > 0 {
				t.Errorf("the origin heard of it: %+v", s)
			}
		})
	}
}

func TestSlowHeadIsShed(t *testing.T) {
	w := only(t, func(c *config.Config, _ *Options) { c.Weir.Timeouts.ClientHeader = 100 * time.Millisecond })
	v := w.visit()
	v.send("GET / HTTP/1.1\r\nHost: ")
	if res, _ := v.answer("GET"); res.StatusCode != 408 {
		t.Errorf("got %d", res.StatusCode)
	}
	v.ended()
}

func TestIdleClientIsClosedWithoutAWord(t *testing.T) {
	w := only(t, func(c *config.Config, _ *Options) { c.Weir.Timeouts.ClientKeepAlive = 50 * time.Millisecond })
	v := w.visit()
	v.send(plainGET)
	v.answer("GET")
	v.ended()
}

// The head that the origin sees, byte for byte (docs/behaviour.md Q1 to Q11).
func TestHeadOfTheOrigin(t *testing.T) {
	for _, c := range []struct{ name, client, origin string }{
		{
			"nothing is invented, order and case are kept",
			"GET /a%2Fb//../c?&x=1? HTTP/1.1\r\nhOST: Example.COM:80\r\nx-lower: 1\r\nX-Empty:\r\nAccept-Encoding: br\r\n\r\n",
			"GET /a%2Fb//../c?&x=1? HTTP/1.1\r\nhOST: Example.COM:80\r\nx-lower: 1\r\nX-Empty:\r\nAccept-Encoding: br\r\n" + told(""),
		},
		{
			"a bare question mark stays",
			"GET /? HTTP/1.1\r\nHost: a\r\n\r\n",
			"GET /? HTTP/1.1\r\nHost: a\r\n" + told(""),
		},
		{
			"hop-by-hop fields stay behind",
			"GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Hop, close\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nProxy-Connection: x\r\nX-End: 1\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\nX-End: 1\r\n" + told(""),
		},
		{
			"what only we may say is replaced",
			"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: gopher\r\nCF-Visitor: x\r\nCF-Ray: x\r\nWeir-Anything: LHR\r\nX-Real-IP: 1.2.3.4\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\n" + told(""),
		},
		{
			"absolute form",
			"GET http://b.example:81/x?y HTTP/1.1\r\nHost: ignored\r\n\r\n",
			"GET /x?y HTTP/1.1\r\nHost: b.example:81\r\n" + told(""),
		},
		{
			"OPTIONS *, Max-Forwards",
			"OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 3\r\n\r\n",
			"OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 2\r\n" + told(""),
		},
		{
			"X-Forwarded-For is extended where it stands",
			"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.7\r\nX-End: 1\r\nX-Forwarded-For: 198.51.100.8\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.7,198.51.100.8,127.0.0.1\r\nX-End: 1\r\n" + told("198.51.100.8"),
		},
		{
			"a trusted peer names the client",
			"GET / HTTP/1.1\r\nHost: a\r\nCF-Connecting-IP: 203.0.113.1\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.7,127.0.0.1\r\n" + told("203.0.113.1"),
		},
		{
			"HTTP/1.0",
			"GET / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
			strings.Replace("GET / HTTP/1.1\r\nHost: a\r\n"+told(""), "Via: 1.1", "Via: 1.0", 1),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := only(t)
			v := w.visit()
			v.send(c.client)
			v.answer("GET")
			if got := rayText.ReplaceAllString(string(w.origins[0].Last().Head), "CF-Ray: RAY"); got != c.origin {
				t.Errorf("the origin saw\n%q\nwant\n%q", got, c.origin)
			}
		})
	}
}

// told is what an origin is told by us, for a client; X-Forwarded-For among it only without one of the client's own.
func told(client string) string {
	forwarded := ""
	if client == "" {
		client = "127.0.0.1"
		forwarded = "X-Forwarded-For: 127.0.0.1\r\n"
	}
	return "CF-Connecting-IP: " + client + "\r\n" + forwarded + "X-Forwarded-Proto: http\r\nCF-Visitor: {\"scheme\":\"http\"}\r\n" +
		"CF-Ray: RAY\r\nCDN-Loop: cloudflare\r\nVia: 1.1 weir\r\n\r\n"
}

// Host: the origin's override, else the client's, whatever the monitor says (docs/behaviour.md Q1).
func TestHostOverride(t *testing.T) {
	w := only(t, func(c *config.Config, _ *Options) { c.Pools[0].Origins[0].Host = "endpoint1.example.com" })
	if _, head := w.get("/head"); !strings.Contains(head, "\r\nHost: endpoint1.example.com\r\n") {
		t.Errorf("got %q", head)
	}
}

func TestUntrustedPeerNamesNobody(t *testing.T) {
	w := only(t, func(c *config.Config, _ *Options) { c.Weir.TrustedProxies = []string{"192.0.2.0/24"} })
	v := w.visit()
	v.send("GET /head HTTP/1.1\r\nHost: a\r\nCF-Connecting-IP: 203.0.113.1\r\nX-Forwarded-For: 203.0.113.2\r\nCF-IPCountry: XX\r\n\r\n")
	_, head := v.answer("GET")
	for _, want := range []string{"\r\nCF-Connecting-IP: 127.0.0.1\r\n", "\r\nX-Forwarded-For: 203.0.113.2,127.0.0.1\r\n"} {
		if !strings.Contains(head, want) {
			t.Errorf("the origin saw %q, want %q in it", head, want)
		}
	}
	if o := w.outcome(0); o.Client.String() != "127.0.0.1" || strings.Contains(head, "CF-IPCountry") {
		t.Errorf("client %v, head %q", o.Client, head)
	}
}

// OPTIONS and TRACE that may go no further are answered here (docs/behaviour.md Q11).
func TestMaxForwardsZero(t *testing.T) {
	w := only(t)
	v := w.visit()
	v.send("TRACE /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\nCookie: secret\r\nX-Y: 1\r\n\r\n")
	if res, body := v.answer("TRACE"); res.StatusCode != 200 || res.Header.Get("Content-Type") != "message/http" ||
		!strings.HasPrefix(body, "TRACE /x HTTP/1.1\r\nHost: a\r\n") || !strings.Contains(body, "X-Y: 1\r\n") || strings.Contains(body, "secret") {
		t.Errorf("got %d %q", res.StatusCode, body)
	}
	v.send("OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n")
	if res, _ := v.answer("OPTIONS"); res.StatusCode != 200 {
		t.Errorf("got %d", res.StatusCode)
	}
	if n := w.origins[0].Stats().Requests; n != 0 {
		t.Errorf("the origin saw %d requests", n)
	}
}

func TestNothingLeft(t *testing.T) {
	w := only(t, func(c *config.Config, _ *Options) { c.Pools[0].Enabled = false })
	res, body := w.get("/")
	if res.StatusCode != 530 || body != "error code: 1016" || res.Header.Get("Weir-Reason") != "fallback_disabled" || res.Close {
		t.Errorf("got %d %q %v", res.StatusCode, body, res.Header)
	}
}

func TestExplainHeaders(t *testing.T) {
	w := only(t, func(_ *config.Config, o *Options) { o.ExplainHeaders = true })
	res, _ := w.get("/")
	got := fmt.Sprint(res.Header.Get("Weir-Pool"), " ", res.Header.Get("Weir-Origin"), " ", res.Header.Get("Weir-Reason"))
	if got != "pool-1 o1 steered" {
		t.Errorf("got %q", got)
	}
}

// Every head that wire accepts should be acceptable to fasthttp as well, which parses it next; where it is not, the
// client is refused with 400 and the reason "fasthttp". The fuzzer looks for heads that ordinary clients might send.
func FuzzWireAgreesWithFasthttp(f *testing.F) {
	for _, seed := range []string{
		plainGET, closeGET, oldGET, request,
		"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET http://a/b?c HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST /x HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\n\r\n",
		"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	lim := wire.Limits{URI: 16 << 10, Field: 16 << 10, Header: 32 << 10, Fields: 128}
	f.Fuzz(func(t *testing.T, head []byte) {
		var r wire.Request
		if wire.HeadEnd(head, 0) != len(head) || r.Parse(head, lim) != wire.OK {
			return
		}
		var h fasthttp.RequestHeader
		err := h.Read(bufio.NewReaderSize(bytes.NewReader(head), headRoom))
		if err != nil {
			return // refused by both together: never forwarded
		}
		if !bytes.Equal(h.Method(), r.Method) || !bytes.Equal(h.RequestURI(), r.Target) {
			t.Fatalf("fasthttp reads %q %q, wire %q %q", h.Method(), h.RequestURI(), r.Method, r.Target)
		}
		length := h.ContentLength()
		if r.Framing == wire.Chunked && length != -1 || r.Framing == wire.Length && int64(length) != r.Length {
			t.Fatalf("fasthttp reads length %d, wire %v %d", length, r.Framing, r.Length)
		}
	})
}

// TestFasthttpTakesOrdinaryHeads keeps the two parsers together on what real clients send.
func TestFasthttpTakesOrdinaryHeads(t *testing.T) {
	for _, target := range []string{"/", "/?", "/a%zz", "/a|b", "/\xc3\xa4", "//x", "/a/../b", "/x?y=[1]&z={2}", "http://a", "http://a?x", "http://a/"} {
		w := only(t)
		v := w.visit()
		v.send("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n")
		if res, _ := v.answer("GET"); res.StatusCode != 200 {
			t.Errorf("%q: got %d %s", target, res.StatusCode, res.Header.Get("Weir-Reason"))
		}
	}
	for _, fields := range []string{"Host: a_b", "Host: [::1]:80", "Host: xn--nxasmq6b", "Host: a\r\nX!#$%&'*+-.^_`|~: 1", "Host: a\r\nX: \xff\xfe", "Host: a\r\nCookie: a=b; c"} {
		w := only(t)
		v := w.visit()
		v.send("GET / HTTP/1.1\r\n" + fields + "\r\n\r\n")
		if res, _ := v.answer("GET"); res.StatusCode != 200 {
			t.Errorf("%q: got %d %s", fields, res.StatusCode, res.Header.Get("Weir-Reason"))
		}
	}
}
