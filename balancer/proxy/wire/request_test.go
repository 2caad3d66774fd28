package wire

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestRefusedRequests is the corpus of heads that two hops could read differently, or that break a MUST.
func TestRefusedRequests(t *testing.T) {
	for _, c := range []struct {
		why  string
		head string
		want Cause
	}{
		// The request line, RFC 9112 §3.
		{"no version: HTTP/0.9", crlf("GET /", "Host: x"), BadRequestLine},
		{"no target", crlf("GET HTTP/1.1", "Host: x"), BadRequestLine},
		{"empty request line", "\r\n\r\n", BadRequestLine},
		{"two spaces before the target", crlf("GET  / HTTP/1.1", "Host: x"), BadRequestLine},
		{"two spaces before the version", crlf("GET /  HTTP/1.1", "Host: x"), BadVersion},
		{"a tab for a space", crlf("GET\t/ HTTP/1.1", "Host: x"), BadMethod},
		{"a tab before the version", crlf("GET /\tHTTP/1.1", "Host: x"), BadRequestLine},
		{"space before the method", crlf(" GET / HTTP/1.1", "Host: x"), BadRequestLine},
		{"space after the version", crlf("GET / HTTP/1.1 ", "Host: x"), BadVersion},
		{"space in the target", crlf("GET /a b HTTP/1.1", "Host: x"), BadVersion},
		{"method is no token", crlf("G@T / HTTP/1.1", "Host: x"), BadMethod},
		{"NUL in the target", crlf("GET /a\x00b HTTP/1.1", "Host: x"), ControlByte},
		{"DEL in the target", crlf("GET /a\x7fb HTTP/1.1", "Host: x"), ControlByte},
		{"bare CR in the target", crlf("GET /a\rb HTTP/1.1", "Host: x"), BadLineEnd},
		{"bare LF after the request line", "GET / HTTP/1.1\nHost: x\r\n\r\n", BadLineEnd},
		{"bare LF before the version", "GET /\nHTTP/1.1\r\n\r\n", BadLineEnd},
		{"bare CR after the request line", "GET / HTTP/1.1\rHost: x\r\n\r\n", BadLineEnd},
		{"TLS on a plain port", "\x16\x03\x01\r\n\r\n", ControlByte},
		{"CONNECT (behaviour E12)", crlf("CONNECT example.com:443 HTTP/1.1", "Host: example.com"), MethodConnect},

		// Versions, RFC 9112 §2.3, RFC 9110 §2.5.
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\n", UnsupportedVersion},
		{"HTTP/0.9 by name", crlf("GET / HTTP/0.9", "Host: x"), UnsupportedVersion},
		{"lower case", crlf("GET / http/1.1", "Host: x"), BadVersion},
		{"no minor", crlf("GET / HTTP/1", "Host: x"), BadVersion},
		{"two-digit minor", crlf("GET / HTTP/1.10", "Host: x"), BadVersion},
		{"no digits", crlf("GET / HTTP/x.y", "Host: x"), BadVersion},
		{"other protocol", crlf("GET / HTTQ/1.1", "Host: x"), BadVersion},

		// Targets, RFC 9112 §3.2.
		{"no leading slash", crlf("GET index.html HTTP/1.1", "Host: x"), BadTarget},
		{"fragment", crlf("GET /a#b HTTP/1.1", "Host: x"), BadTarget},
		{"asterisk without OPTIONS", crlf("GET * HTTP/1.1", "Host: x"), BadTarget},
		{"asterisk and more", crlf("OPTIONS ** HTTP/1.1", "Host: x"), BadTarget},
		{"authority without CONNECT", crlf("GET example.com:80 HTTP/1.1", "Host: x"), BadTarget},
		{"scheme not served", crlf("GET ftp://x/ HTTP/1.1", "Host: x"), BadTarget},
		{"one slash", crlf("GET http:/x HTTP/1.1", "Host: x"), BadTarget},
		{"empty host (RFC 9110 §4.2.1)", crlf("GET http:///x HTTP/1.1", "Host: x"), BadTarget},
		{"user information (RFC 9110 §4.2.4)", crlf("GET http://u@x/ HTTP/1.1", "Host: x"), BadTarget},
		{"backslash in the authority", crlf("GET http://x\\@y/ HTTP/1.1", "Host: x"), BadTarget},

		// Lines, RFC 9112 §2.2, §5.
		{"bare LF after a field", "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", BadLineEnd},
		{"bare LF for the blank line", "GET / HTTP/1.1\r\nHost: x\r\n\n", BadLineEnd},
		{"bare CR in a value", get("A: b\rc"), BadLineEnd},
		{"CR CR LF", get("A: b\r"), BadLineEnd},
		{"CRLF in the wrong order", "GET / HTTP/1.1\r\nHost: x\n\r\n\r\n", BadLineEnd},
		{"head without its blank line", "GET / HTTP/1.1\r\nHost: x\r\n", BadLineEnd},
		{"bytes behind the blank line", get() + "x", BadLineEnd},
		{"NUL in a value", get("A: b\x00c"), ControlByte},
		{"vertical tab in a value", get("A: b\x0bc"), ControlByte},
		{"DEL in a value", get("A: b\x7f"), ControlByte},
		{"escape at the end of a long value", get("A: " + strings.Repeat("x", 100) + "\x1b"), ControlByte},
		{"space before the colon (RFC 9112 §5.1)", get("A : b"), SpaceBeforeColon},
		{"tab before the colon", get("A\t: b"), SpaceBeforeColon},
		{"space in a name", get("A b: c"), BadFieldName},
		{"empty name", get(": b"), BadFieldName},
		{"no colon", get("A"), BadFieldName},
		{"name is no token", get("A(b): c"), BadFieldName},
		{"name beyond ASCII", get("\xc3\xa9: c"), BadFieldName},
		{"folded with a space (RFC 9112 §5.2)", get("A: b", " c"), Folded},
		{"folded with a tab", get("A: b", "\tc"), Folded},
		{"first line folded", crlf("GET / HTTP/1.1", " Host: x"), Folded},

		// Host, RFC 9112 §3.2.
		{"no Host in HTTP/1.1", crlf("GET / HTTP/1.1"), MissingHost},
		{"no Host beside an absolute target", crlf("GET http://x/ HTTP/1.1"), MissingHost},
		{"two Hosts", get("Host: example.com"), SeveralHosts},
		{"two Hosts in HTTP/1.0", crlf("GET / HTTP/1.0", "Host: x", "hOST: y"), SeveralHosts},
		{"two names in one Host", crlf("GET / HTTP/1.1", "Host: x, y"), BadHost},
		{"user information in Host", crlf("GET / HTTP/1.1", "Host: u@x"), BadHost},
		{"path in Host", crlf("GET / HTTP/1.1", "Host: x/y"), BadHost},
		{"bad port", crlf("GET / HTTP/1.1", "Host: x:y"), BadHost},
		{"bad Host beside an absolute target", crlf("GET http://x/ HTTP/1.1", "Host: a b"), BadHost},
		{"space before Host's colon", crlf("GET / HTTP/1.1", "Host : x"), SpaceBeforeColon},

		// Framing, RFC 9112 §6: the smuggling corpus.
		{"CL.TE", post("Content-Length: 6", "Transfer-Encoding: chunked"), ConflictingLength},
		{"TE.CL", post("Transfer-Encoding: chunked", "Content-Length: 6"), ConflictingLength},
		{"TE.CL, odd case", post("tRANSFER-eNCODING: cHUNKED", "cONTENT-lENGTH: 6"), ConflictingLength},
		{"TE identity beside CL", post("Transfer-Encoding: identity", "Content-Length: 6"), ConflictingLength},
		{"empty TE beside CL", post("Transfer-Encoding:", "Content-Length: 6"), ConflictingLength},
		{"TE with space before the colon", post("Transfer-Encoding : chunked"), SpaceBeforeColon},
		{"TE folded", post("Transfer-Encoding:", " chunked"), Folded},
		{"TE with a leading space", post("X: y", " Transfer-Encoding: chunked"), Folded},
		{"TE with vertical tab", post("Transfer-Encoding: chunked\x0b"), ControlByte},
		{"TE with leading vertical tab", post("Transfer-Encoding: \x0bchunked"), ControlByte},
		{"TE with NUL", post("Transfer-Encoding: chunked\x00"), ControlByte},
		{"TE after a bare LF", post("X: y\nTransfer-Encoding: chunked"), BadLineEnd},
		{"TE after a bare CR", post("X: y\rTransfer-Encoding: chunked"), BadLineEnd},
		{"TE xchunked", post("Transfer-Encoding: xchunked"), BadTransferEncoding},
		{"TE quoted", post(`Transfer-Encoding: "chunked"`), BadTransferEncoding},
		{"TE with parameter", post("Transfer-Encoding: chunked;q=1"), BadTransferEncoding},
		{"TE twice in a line", post("Transfer-Encoding: chunked, chunked"), BadTransferEncoding},
		{"TE twice in lines", post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), BadTransferEncoding},
		{"TE chunked, then identity", post("Transfer-Encoding: chunked", "Transfer-Encoding: identity"), BadTransferEncoding},
		{"TE chunked not last", post("Transfer-Encoding: chunked, gzip"), BadTransferEncoding},
		{"TE without chunked", post("Transfer-Encoding: gzip"), BadTransferEncoding},
		{"TE identity", post("Transfer-Encoding: identity"), BadTransferEncoding},
		{"TE empty", post("Transfer-Encoding:"), BadTransferEncoding},
		{"TE with empty element", post("Transfer-Encoding: , chunked"), BadTransferEncoding},
		{"TE with empty last element", post("Transfer-Encoding: chunked,"), BadTransferEncoding},
		{"TE of two words", post("Transfer-Encoding: x chunked"), BadTransferEncoding},
		{"unknown coding before chunked (RFC 9112 §6.1)", post("Transfer-Encoding: gzip, chunked"), UnknownCoding},
		{"unknown coding in a line before", post("Transfer-Encoding: identity", "Transfer-Encoding: chunked"), UnknownCoding},
		{"TE in HTTP/1.0 (RFC 9112 §6.1)", crlf("POST / HTTP/1.0", "Transfer-Encoding: chunked"), CodingInHTTP10},
		{"TE and CL in HTTP/1.0", crlf("POST / HTTP/1.0", "Transfer-Encoding: chunked", "Content-Length: 1"), CodingInHTTP10},
		{"CL twice, equal", post("Content-Length: 5", "Content-Length: 5"), SeveralLengths},
		{"CL twice, different", post("Content-Length: 5", "Content-Length: 6"), SeveralLengths},
		{"CL as a list", post("Content-Length: 5, 5"), BadLength},
		{"CL with plus", post("Content-Length: +5"), BadLength},
		{"CL negative", post("Content-Length: -5"), BadLength},
		{"CL in hex", post("Content-Length: 0x5"), BadLength},
		{"CL with underscore", post("Content-Length: 1_0"), BadLength},
		{"CL with fraction", post("Content-Length: 5.0"), BadLength},
		{"CL with space inside", post("Content-Length: 5 0"), BadLength},
		{"CL empty", post("Content-Length:"), BadLength},
		{"CL with vertical tab", post("Content-Length: 5\x0b"), ControlByte},
		{"CL beyond ASCII digits", post("Content-Length: \xd9\xa5"), BadLength},
		{"CL 2^63", post("Content-Length: 9223372036854775808"), BadLength},
		{"CL 2^64+5", post("Content-Length: 18446744073709551621"), BadLength},
		{"CL of twenty digits", post("Content-Length: 00000000000000000005"), BadLength},
		{"TRACE with a body (RFC 9110 §9.3.8)", crlf("TRACE / HTTP/1.1", "Host: x", "Content-Length: 1"), TraceBody},
		{"TRACE with chunks", crlf("TRACE / HTTP/1.1", "Host: x", "Transfer-Encoding: chunked"), TraceBody},

		// Others.
		{"Connection is no token", get(`Connection: "close"`), BadConnection},
		{"Connection asks for too much work", get("Connection: " + strings.Repeat("a,", 65)), BadConnection},
		{"Max-Forwards negative (RFC 9110 §7.6.2)", crlf("OPTIONS * HTTP/1.1", "Host: x", "Max-Forwards: -1"), BadMaxForwards},
		{"Max-Forwards twice", crlf("TRACE / HTTP/1.1", "Host: x", "Max-Forwards: 1", "Max-Forwards: 2"), BadMaxForwards},
	} {
		t.Run(c.why, func(t *testing.T) {
			if got := new(Request).Parse([]byte(c.head), testLimits); got != c.want {
				t.Errorf("%q\n got %v, want %v", c.head, got, c.want)
			}
		})
	}
}

// TestEveryControlByteIsRefusedEverywhere puts each control byte at each place of a head.
func TestEveryControlByteIsRefusedEverywhere(t *testing.T) {
	head := get("Content-Length: 5", "A: b")
	var r Request
	for c := range 256 {
		if c >= ' ' && c != 0x7f {
			continue
		}
		for i := range len(head) + 1 {
			b := []byte(head[:i] + string(rune(c)) + head[i:])
			cause := r.Parse(b, testLimits)
			if cause != OK {
				continue
			}
			// A tab is white space: legal around a value, and inside one that is not looked at.
			if c != '\t' || !slices.Contains([]byte(": \tb\r\n"), head[i-1]) && !slices.Contains([]byte(": \tb\r\n"), head[i]) {
				t.Errorf("byte %#x at %d: %q is accepted", c, i, b)
			}
		}
	}
}

type requestWant struct {
	form              Form
	path, query, host string
	hasQuery          bool
	framing           Framing
	length            int64
	version           uint8
	closes            bool
	expect, upgrade   bool
	forwards          string // Max-Forwards, empty for none
}

func TestAcceptedRequests(t *testing.T) {
	for _, c := range []struct {
		why, head string
		want      requestWant
	}{
		{"the plainest", get(), requestWant{path: "/"}},
		{"query", crlf("GET /a?b=c?d HTTP/1.1", "Host: example.com"), requestWant{path: "/a", query: "b=c?d", hasQuery: true}},
		{"bare question mark", crlf("GET /a? HTTP/1.1", "Host: example.com"), requestWant{path: "/a", hasQuery: true}},
		{"nothing is decoded or cleaned", crlf("GET //a/../%2F%zz|{}\xc3\xa9 HTTP/1.1", "Host: example.com"), requestWant{path: "//a/../%2F%zz|{}\xc3\xa9"}},
		{"any method", crlf("x-M~1 / HTTP/1.1", "Host: example.com"), requestWant{path: "/"}},
		{"methods know case: this is no CONNECT", crlf("connect / HTTP/1.1", "Host: example.com"), requestWant{path: "/"}},
		{"absolute form wins over Host (RFC 9112 §3.2.2)", crlf("GET HTTP://a.example:81/p?q HTTP/1.1", "Host: b.example"), requestWant{form: AbsoluteForm, path: "/p", query: "q", hasQuery: true, host: "a.example:81"}},
		{"absolute form without path", crlf("GET https://a.example HTTP/1.1", "Host: a.example"), requestWant{form: AbsoluteForm, path: "/", host: "a.example"}},
		{"absolute form with query only", crlf("GET http://a.example?q HTTP/1.1", "Host: a.example"), requestWant{form: AbsoluteForm, path: "/", query: "q", hasQuery: true, host: "a.example"}},
		{"absolute form with IPv6", crlf("GET http://[::1]:8080/ HTTP/1.1", "Host:"), requestWant{form: AbsoluteForm, path: "/", host: "[::1]:8080"}},
		{"OPTIONS of a server (RFC 9112 §3.2.4)", crlf("OPTIONS * HTTP/1.1", "Host: example.com"), requestWant{form: AsteriskForm, path: "*"}},
		{"OPTIONS of a server, absolute", crlf("OPTIONS http://a.example HTTP/1.1", "Host: example.com"), requestWant{form: AbsoluteForm, path: "*", host: "a.example"}},
		{"OPTIONS of the root", crlf("OPTIONS http://a.example/ HTTP/1.1", "Host: example.com"), requestWant{form: AbsoluteForm, path: "/", host: "a.example"}},
		{"Host may be empty (RFC 9112 §3.2)", crlf("GET / HTTP/1.1", "Host:"), requestWant{path: "/", host: "-"}},
		{"HTTP/1.0 needs no Host", crlf("GET / HTTP/1.0"), requestWant{path: "/", host: "-", version: 10, closes: true}},
		{"HTTP/1.0 kept alive", crlf("GET / HTTP/1.0", "Host: example.com", "Connection: Keep-Alive"), requestWant{path: "/", version: 10}},
		{"HTTP/1.2 is read as 1.1 (RFC 9110 §2.5)", crlf("GET / HTTP/1.2", "Host: example.com"), requestWant{path: "/"}},
		{"close", get("Connection: CLOSE"), requestWant{path: "/", closes: true}},
		{"close among others, in lines, with empty elements", get("Connection: , keep-alive,,", "Connection:\tfoo ,close"), requestWant{path: "/", closes: true}},
		{"length", post("Content-Length: 5"), requestWant{path: "/", framing: Length, length: 5}},
		{"length 0", post("Content-Length: 0"), requestWant{path: "/", framing: Length}},
		{"length with leading zeros", post("Content-Length: 0005"), requestWant{path: "/", framing: Length, length: 5}},
		{"longest length", post("Content-Length: 9223372036854775807"), requestWant{path: "/", framing: Length, length: 1<<63 - 1}},
		{"chunked", post("Transfer-Encoding: chunked"), requestWant{path: "/", framing: Chunked}},
		{"chunked, tabs around and capitals", post("Transfer-Encoding:\tCHUNKED\t "), requestWant{path: "/", framing: Chunked}},
		{"body of a GET", get("Content-Length: 5"), requestWant{path: "/", framing: Length, length: 5}},
		{"Connection cannot name the framing away", post("Content-Length: 5", "Connection: Content-Length, Host"), requestWant{path: "/", framing: Length, length: 5}},
		{"expect", post("Content-Length: 5", "Expect: 100-Continue"), requestWant{path: "/", framing: Length, length: 5, expect: true}},
		{"expect without a body", post("Expect: 100-continue"), requestWant{path: "/"}},
		{"another expectation", post("Content-Length: 5", "Expect: tea"), requestWant{path: "/", framing: Length, length: 5}},
		{"expect in HTTP/1.0 (RFC 9110 §10.1.1)", crlf("POST / HTTP/1.0", "Host: example.com", "Content-Length: 5", "Expect: 100-continue"), requestWant{path: "/", framing: Length, length: 5, version: 10, closes: true}},
		{"upgrade", get("Connection: keep-alive, Upgrade", "Upgrade: websocket"), requestWant{path: "/", upgrade: true}},
		{"upgrade that Connection does not name", get("Upgrade: websocket"), requestWant{path: "/"}},
		{"upgrade option without a protocol", get("Connection: upgrade"), requestWant{path: "/"}},
		{"upgrade in HTTP/1.0 (RFC 9110 §7.8)", crlf("GET / HTTP/1.0", "Host: example.com", "Connection: upgrade", "Upgrade: websocket"), requestWant{path: "/", version: 10, closes: true}},
		{"h2c past our checks", get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"), requestWant{path: "/"}},
		{"TLS past our checks", get("Connection: Upgrade", "Upgrade: TLS/1.2, HTTP/2.0"), requestWant{path: "/"}},
		{"h2c beside others", get("Connection: Upgrade", "Upgrade: h2c, foo/2"), requestWant{path: "/", upgrade: true}},
		{"a protocol that is no token", get("Connection: Upgrade", "Upgrade: web socket, foo/, /1"), requestWant{path: "/"}},
		{"Max-Forwards", crlf("TRACE / HTTP/1.1", "Host: example.com", "Max-Forwards: 3"), requestWant{path: "/", forwards: "3"}},
		{"Max-Forwards 0", crlf("OPTIONS / HTTP/1.1", "Host: example.com", "Max-Forwards: 0"), requestWant{path: "/", forwards: "0"}},
		{"Max-Forwards is bounded (RFC 9110 §7.6.2)", crlf("TRACE / HTTP/1.1", "Host: example.com", "Max-Forwards: 9999999999"), requestWant{path: "/", forwards: "1048576"}},
		{"Max-Forwards of others is left alone", get("Max-Forwards: x"), requestWant{path: "/"}},
		{"odd but legal values", get("A:", "B: ", "C:d", "D: \t e\tf \t", "E: \x80\xff", "!#$%&'*+-.^_`|~: x"), requestWant{path: "/"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := parseRequest(t, c.head)
			w := c.want
			if w.version == 0 {
				w.version = 11
			}
			switch w.host {
			case "":
				w.host = "example.com"
			case "-":
				w.host = ""
			}
			forwards := ""
			if r.MaxForwards != -1 {
				forwards = strconv.Itoa(r.MaxForwards)
			}
			got := requestWant{
				r.Form, string(r.Path), string(r.Query), string(r.Host), r.HasQuery, r.Framing, r.Length,
				r.Version, !r.KeepAlive, r.Expect100, r.Upgrade, forwards,
			}
			if got != w {
				t.Errorf("%q\n got %+v\nwant %+v", c.head, got, w)
			}
			if r.HeadLen() != len(c.head) {
				t.Errorf("HeadLen = %d, want %d", r.HeadLen(), len(c.head))
			}
		})
	}
}

func TestRequestsAreReused(t *testing.T) {
	var r Request
	full := crlf("OPTIONS http://a.example/?q HTTP/1.1", "Host: x", "Content-Length: 5", "Expect: 100-continue",
		"Connection: close, upgrade", "Upgrade: websocket", "Max-Forwards: 3")
	if cause := r.Parse([]byte(full), testLimits); cause != OK {
		t.Fatal(cause)
	}
	if cause := r.Parse([]byte(crlf("GET /b HTTP/1.0")), testLimits); cause != OK {
		t.Fatal(cause)
	}
	if len(r.Host) != 0 || r.HasQuery || r.HasBody() || r.Expect100 || r.Upgrade || r.MaxForwards != -1 || r.Len() != 0 ||
		r.Form != OriginForm || string(r.Path) != "/b" {
		t.Errorf("something of the last request is left: %+v", r)
	}
}

func TestReplayable(t *testing.T) { // behaviour R3
	for method, want := range map[string]bool{
		"GET": true, "HEAD": true, "OPTIONS": true, "TRACE": true, "get": false, "POST": false, "PUT": false, "DELETE": false, "PATCH": false, "QUERY": false,
	} {
		if got := parseRequest(t, crlf(method+" / HTTP/1.1", "Host: x")).Replayable(); got != want {
			t.Errorf("%s: %v, want %v", method, got, want)
		}
	}
	for length, want := range map[int]bool{0: true, 1: false} {
		if got := parseRequest(t, get("Content-Length: "+strconv.Itoa(length))).Replayable(); got != want {
			t.Errorf("GET with Content-Length %d: %v, want %v", length, got, want)
		}
	}
	if parseRequest(t, get("Transfer-Encoding: chunked")).Replayable() {
		t.Error("a GET with chunks is called replayable")
	}
}

func TestFieldLookup(t *testing.T) {
	r := parseRequest(t, get("X-A:  one ", "x-a: two", "X-Ab: three", "Empty:", "Cookie: a=1; b = 2 ;bare; c=x=y", "cookie: a=9; d=\"q\""))
	for name, want := range map[string]string{"x-a": "one", "X-AB": "three", "HOST": "example.com", "x": "<nil>", "Empty": "", "X-Abc": "<nil>"} {
		got := "<nil>"
		if v := r.Get(name); v != nil {
			got = string(v)
		}
		if got != want || r.Has(name) != (want != "<nil>") {
			t.Errorf("Get(%q) = %q, want %q", name, got, want)
		}
	}
	var values []string
	for v := range r.Values("X-A") {
		values = append(values, string(v))
	}
	if !slices.Equal(values, []string{"one", "two"}) {
		t.Errorf("Values = %q", values)
	}
	for range r.Values("X-A") {
		break // must be allowed
	}
	for name, want := range map[string]string{"a": "1", "b": "2", "c": "x=y", "d": `"q"`, "A": "<nil>", "bare": "<nil>", "": "<nil>"} {
		got := "<nil>"
		if v := r.Cookie(name); v != nil {
			got = string(v)
		}
		if got != want {
			t.Errorf("Cookie(%q) = %q, want %q", name, got, want)
		}
	}
	names := 0
	for name, value := range r.All() {
		if names == 1 && (string(name) != "X-A" || string(value) != "one") {
			t.Errorf("All: second field is %q: %q", name, value)
		}
		names++
	}
	if names != r.Len() || names != 7 {
		t.Errorf("All yields %d fields, Len is %d, want 7", names, r.Len())
	}
}

// Fields that are addressed to us are noticed while the head is read, so that looking for them costs others nothing.
func TestStaging(t *testing.T) {
	for field, want := range map[string]bool{"Weir-Pop: FRA": true, "wEIR-x:": true, "Weir: x": false, "X-Weir-Pop: FRA": false} {
		var r Request
		if cause := r.Parse([]byte(crlf("GET / HTTP/1.1", "Host: x", field)), testLimits); cause != OK || r.Staging != want {
			t.Errorf("%q: %v, staging %v, want %v", field, cause, r.Staging, want)
		}
	}
}
