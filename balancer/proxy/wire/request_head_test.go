package wire

import (
	"slices"
	"strings"
	"testing"
)

// TestRequestGolden shows whole heads as origins see them. What is not listed in a golden file is not sent.
func TestRequestGolden(t *testing.T) {
	websocket := []string{
		"GET /chat HTTP/1.1", "Host: www.example.com", "Upgrade: websocket", "Connection: keep-alive, Upgrade",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
	}
	for _, c := range []struct {
		name, head string
		edit       func(*Edits)
	}{
		{"plain", crlf("GET /a%2Fb//c/../d?x=1&y HTTP/1.1", "Host: www.example.com", "user-AGENT:curl/8", "Accept: */*  ", "X-Odd:\t a\tb ", "Accept-Encoding: gzip", "Empty:"), nil},
		{"bare-question-mark", crlf("GET /a? HTTP/1.1", "Host: x"), nil},
		{"host-override", crlf("GET / HTTP/1.1", "A: b", "hOST: www.example.com", "C: d"), func(e *Edits) { e.Host = "endpoint1.example.com" }},
		{"absolute-form", crlf("GET http://www.example.com:8080?q HTTP/1.1", "Host: other.example"), nil},
		{"options-asterisk", crlf("OPTIONS http://www.example.com HTTP/1.1", "Host: www.example.com", "Max-Forwards: 5"), nil},
		{"http10", crlf("POST /a HTTP/1.0", "User-Agent: old", "Content-Length: 3", "Connection: Keep-Alive", "Keep-Alive: timeout=5", "Expect: 100-continue", "Via: 1.0 fred"), nil},
		{"hop-by-hop", get("Connection: close, X-Once, x-twice, TE, Expect, X-Forwarded-For, Cookie2", "Keep-Alive: 5", "X-Once: cut",
			"X-Twice: cut", "Stays: yes", "X-Twice: cut", "Proxy-Connection: keep-alive", "Proxy-Authorization: Basic Zm9v", "Authorization: Basic YmFy",
			"TE: trailers", "Trailer: X-Sum", "Upgrade: websocket", "HTTP2-Settings: AAMAAABk", "X-Forwarded-For: 198.51.100.7", "Transfer-Encoding: chunked"), nil},
		{
			"every-field-of-ours", get("CF-Connecting-IP: 6.6.6.6", "cf-connecting-ip: 6.6.6.7", "X-Forwarded-Proto: gopher", "CF-Visitor: {}",
				"CF-Ray: 1-XXX", "CF-IPCountry: T1", "CDN-Loop: other; a=b", "CDN-Loop: third", "Via: 1.0 fred, 1.1 p.example.net", "X-Real-IP: 6.6.6.6", "True-Client-IP: 6.6.6.6",
				"CF-Connecting-IPv6: ::6", "CF-Pseudo-IPv4: 240.0.0.6", "Weir-Pop: FRA", "weir-seed: 7", "Weird: stays", "X-Forwarded-Host: stays"),
			func(e *Edits) { e.Proto, e.Country = "https", "DE" },
		},
		{
			"forwarded-for", get("x-forwarded-for: 192.0.2.1, 192.0.2.2", "A: b", "X-Forwarded-For:", "X-Forwarded-For: 192.0.2.3"),
			func(e *Edits) { e.ClientIP, e.PeerIP = []byte("192.0.2.2"), []byte("2001:db8::1") },
		},
		{"framing-plain", post("content-LENGTH:\t0012 "), nil},
		{"framing-chunked", post("Transfer-encoding: Chunked", "Expect: 100-continue", "Trailer: X-Sum"), nil},
		{"max-forwards", crlf("TRACE /a HTTP/1.1", "Host: x", "max-forwards: 10"), nil},
		{"max-forwards-of-get", get("Max-Forwards: 10"), nil},
		{"websocket", crlf(websocket...), func(e *Edits) { e.Upgrade = true }},
		{"websocket-not-passed-on", crlf(websocket...), nil},
		{"upgrade-beside-h2c", get("Connection: Upgrade, HTTP2-Settings", "upgrade: h2c, foo/1,  bar", "HTTP2-Settings: AAMAAABk", "Upgrade: TLS/1.0"), func(e *Edits) { e.Upgrade = true }},
		{"no-ray", get(), func(e *Edits) { e.Ray = nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := testEdits()
			if c.edit != nil {
				c.edit(e)
			}
			golden(t, "request/"+c.name, parseRequest(t, c.head).AppendHead(nil, e))
		})
	}
}

func TestHostSentToTheOrigin(t *testing.T) { // behaviour Q1, worked example
	r := parseRequest(t, crlf("GET / HTTP/1.1", "Host: www.example.com"))
	for override, want := range map[string]string{"endpoint1.example.com": "endpoint1.example.com", "": "www.example.com"} {
		e := testEdits()
		e.Host = override
		if got := valuesOf(r.AppendHead(nil, e), "Host"); !slices.Equal(got, []string{want}) {
			t.Errorf("override %q: Host %q, want %q", override, got, want)
		}
	}
}

func TestClientAddressSentToTheOrigin(t *testing.T) { // behaviour Q2, Q3, worked examples
	for _, c := range []struct {
		incoming     []string
		client, peer string
		forwarded    string
	}{
		{nil, "203.0.113.1", "203.0.113.1", "203.0.113.1"},
		{[]string{"198.51.100.7"}, "203.0.113.1", "203.0.113.1", "198.51.100.7,203.0.113.1"},
		{[]string{"a,b"}, "c", "c", "a,b,c"},
		{[]string{"a", "b"}, "c", "c", "a,b,c"},
		{[]string{"", " "}, "192.0.2.9", "127.0.0.1", "192.0.2.9"},
		{nil, "192.0.2.9", "127.0.0.1", "192.0.2.9"}, // a trusted peer spoke for the client in CF-Connecting-IP alone
		{[]string{"192.0.2.9"}, "192.0.2.9", "127.0.0.1", "192.0.2.9,127.0.0.1"},
	} {
		var in []string
		for _, v := range c.incoming {
			in = append(in, "X-Forwarded-For: "+v)
		}
		e := testEdits()
		e.ClientIP, e.PeerIP = []byte(c.client), []byte(c.peer)
		out := parseRequest(t, get(append(in, "CF-Connecting-IP: 6.6.6.6")...)).AppendHead(nil, e)
		if got := valuesOf(out, "X-Forwarded-For"); !slices.Equal(got, []string{c.forwarded}) {
			t.Errorf("%q from %s: X-Forwarded-For %q, want %q", c.incoming, c.peer, got, c.forwarded)
		}
		if got := valuesOf(out, "CF-Connecting-IP"); !slices.Equal(got, []string{c.client}) {
			t.Errorf("%q from %s: CF-Connecting-IP %q, want %q", c.incoming, c.peer, got, c.client)
		}
	}
}

func TestSchemeRayCountrySentToTheOrigin(t *testing.T) { // behaviour Q4, Q5, Q6
	r := parseRequest(t, get("X-Forwarded-Proto: http", "CF-IPCountry: US", "CF-Ray: x"))
	e := testEdits()
	e.Proto, e.Country = "https", "XX"
	out := r.AppendHead(nil, e)
	for name, want := range map[string]string{
		"X-Forwarded-Proto": "https", "CF-Visitor": `{"scheme":"https"}`, "CF-Ray": "230b030023ae2822-SJC", "CF-IPCountry": "XX",
	} {
		if got := valuesOf(out, name); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := valuesOf(r.AppendHead(nil, testEdits()), "CF-IPCountry"); got != nil {
		t.Errorf("country unknown, yet CF-IPCountry is %q", got)
	}
}

func TestLoopFieldsAreAppended(t *testing.T) { // behaviour Q7, RFC 9110 §7.6.3
	for version, via := range map[string]string{"1.0": "1.0 weir", "1.1": "1.1 weir", "1.2": "1.2 weir"} {
		out := parseRequest(t, crlf("GET / HTTP/"+version, "Host: x", "CDN-Loop: other", "Via: 1.0 fred", "Via: 1.1 p")).AppendHead(nil, testEdits())
		if got, want := valuesOf(out, "Via"), []string{"1.0 fred", "1.1 p", via}; !slices.Equal(got, want) {
			t.Errorf("Via: %q, want %q", got, want)
		}
		if got, want := valuesOf(out, "CDN-Loop"), []string{"other", "cloudflare"}; !slices.Equal(got, want) {
			t.Errorf("CDN-Loop: %q, want %q", got, want)
		}
	}
}

// TestConnectionOptions names every known field in Connection and looks at what is left, behaviour Q8.
func TestConnectionOptions(t *testing.T) {
	stays := []string{
		"Host", "Content-Length", "Via", "CDN-Loop", "X-Forwarded-For", "X-Forwarded-Proto",
		"CF-Connecting-IP", "CF-Visitor", "CF-Ray", "Date", "Expect", "Max-Forwards",
	}
	for _, name := range stays {
		in := post("Content-Length: 5", "Expect: 100-continue", "Via: 1.0 fred", "CDN-Loop: other", "X-Forwarded-For: 192.0.2.1",
			"Date: now", "Max-Forwards: 1", "Connection: close, "+strings.ToUpper(name))
		want := parseRequest(t, strings.Replace(in, ", "+strings.ToUpper(name), "", 1)).AppendHead(nil, testEdits())
		if got := parseRequest(t, in).AppendHead(nil, testEdits()); string(got) != string(want) {
			t.Errorf("Connection: %s changes the request:\n%s\nwant\n%s", name, got, want)
		}
	}
	for _, name := range []string{"Cookie", "Authorization", "X-Api-Key", "Trailer", "Foo"} {
		out := parseRequest(t, get("Connection: "+strings.ToLower(name), name+": 1", "A: b", name+": 2")).AppendHead(nil, testEdits())
		if got := valuesOf(out, name); got != nil {
			t.Errorf("Connection: %s leaves %q (RFC 9110 §7.6.1)", name, got)
		}
		if got := valuesOf(out, "A"); !slices.Equal(got, []string{"b"}) {
			t.Errorf("Connection: %s also cuts its neighbour", name)
		}
	}
}

func TestAppendHeadAppends(t *testing.T) {
	r := parseRequest(t, get())
	alone := r.AppendHead(nil, testEdits())
	if got := r.AppendHead([]byte("before"), testEdits()); string(got) != "before"+string(alone) {
		t.Errorf("behind other bytes: %q", got)
	}
}
