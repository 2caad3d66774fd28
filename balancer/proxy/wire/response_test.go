package wire

import (
	"strconv"
	"strings"
	"testing"
)

func TestRefusedAnswers(t *testing.T) { // behaviour E7
	ok := func(lines ...string) string { return crlf(append([]string{"HTTP/1.1 200 OK"}, lines...)...) }
	for _, c := range []struct {
		why, head string
		want      Cause
	}{
		{"no HTTP", crlf("SSH-2.0-OpenSSH_9.6"), BadVersion},
		{"HTTP/2", crlf("HTTP/2.0 200 OK"), UnsupportedVersion},
		{"no minor", crlf("HTTP/1 200 OK"), BadVersion},
		{"ICY", crlf("ICY 200 OK"), BadVersion},
		{"no status", crlf("HTTP/1.1"), BadStatusLine},
		{"two digits", crlf("HTTP/1.1 20 OK"), BadStatusLine},
		{"four digits", crlf("HTTP/1.1 2000 OK"), BadStatusLine},
		{"letters", crlf("HTTP/1.1 2xx OK"), BadStatusLine},
		{"below 100", crlf("HTTP/1.1 099 OK"), BadStatusLine},
		{"signed", crlf("HTTP/1.1 +20 OK"), BadStatusLine},
		{"two spaces", crlf("HTTP/1.1  200 OK"), BadStatusLine},
		{"a tab", crlf("HTTP/1.1\t200 OK"), BadStatusLine},
		{"a tab behind the code", crlf("HTTP/1.1 200\tOK"), BadStatusLine},
		{"space in front", crlf(" HTTP/1.1 200 OK"), BadVersion},
		{"control byte in the reason", crlf("HTTP/1.1 200 O\x00K"), ControlByte},
		{"bare CR in the reason", crlf("HTTP/1.1 200 O\rK"), BadLineEnd},
		{"bare LF", "HTTP/1.1 200 OK\nA: b\n\n", BadLineEnd},
		{"bare LF behind the code", "HTTP/1.1 200\nA: b\n\n", BadLineEnd},
		{"reason too long", crlf("HTTP/1.1 200 " + strings.Repeat("x", 1025)), HeaderTooLong},
		{"cut", "HTTP/1.1 200 OK\r\n", BadLineEnd},
		{"TE and CL", ok("Transfer-Encoding: chunked", "Content-Length: 5"), ConflictingLength},
		{"TE in HTTP/1.0 (RFC 9112 §6.1)", crlf("HTTP/1.0 200 OK", "Transfer-Encoding: chunked"), CodingInHTTP10},
		{"another coding", ok("Transfer-Encoding: gzip, chunked"), UnknownCoding},
		{"identity", ok("Transfer-Encoding: identity"), BadTransferEncoding},
		{"chunked twice", ok("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), BadTransferEncoding},
		{"CL twice, equal", ok("Content-Length: 5", "Content-Length: 5"), SeveralLengths},
		{"CL list", ok("Content-Length: 5, 5"), BadLength},
		{"CL signed", ok("Content-Length: -1"), BadLength},
		{"CL doubled on 204", crlf("HTTP/1.1 204 No Content", "Content-Length: 0", "Content-Length: 5"), SeveralLengths},
		{"folded", ok("A: b", " c"), Folded},
		{"space before the colon", ok("A : b"), SpaceBeforeColon},
		{"control byte", ok("A: \x01"), ControlByte},
		{"Connection no list", ok("Connection: a b"), BadConnection},
		{"too many fields", ok(strings.Split(strings.TrimSuffix(strings.Repeat("A: b\n", 129), "\n"), "\n")...), TooManyFields},
	} {
		t.Run(c.why, func(t *testing.T) {
			if got := new(Response).Parse([]byte(c.head), testLimits, []byte("GET")); got != c.want {
				t.Errorf("%q\n got %v, want %v", c.head, got, c.want)
			}
		})
	}
}

// TestAnswerFraming is RFC 9112 §6.3 as a table: what follows the head, and whether the connection can be used again.
func TestAnswerFraming(t *testing.T) {
	const keep, once = true, false
	for _, c := range []struct {
		why, method, line string
		fields            []string
		framing           Framing
		length            int64
		keep              bool
	}{
		{"length", "GET", "HTTP/1.1 200 OK", []string{"Content-Length: 5"}, Length, 5, keep},
		{"length 0", "GET", "HTTP/1.1 200 OK", []string{"Content-Length: 0"}, Length, 0, keep},
		{"chunked", "GET", "HTTP/1.1 200 OK", []string{"transfer-encoding: Chunked"}, Chunked, 0, keep},
		{"neither", "GET", "HTTP/1.1 200 OK", nil, UntilClose, 0, once},
		{"neither, though keep-alive is claimed", "GET", "HTTP/1.1 200 OK", []string{"Connection: keep-alive"}, UntilClose, 0, once},
		{"close", "GET", "HTTP/1.1 200 OK", []string{"Content-Length: 5", "Connection: Close"}, Length, 5, once},
		{"HTTP/1.0", "GET", "HTTP/1.0 200 OK", []string{"Content-Length: 5"}, Length, 5, once},
		{"HTTP/1.0 kept", "GET", "HTTP/1.0 200 OK", []string{"Content-Length: 5", "Connection: keep-alive"}, Length, 5, keep},
		{"HTTP/1.0 both", "GET", "HTTP/1.0 200 OK", []string{"Content-Length: 5", "Connection: keep-alive, close"}, Length, 5, once},
		{"HEAD with length", "HEAD", "HTTP/1.1 200 OK", []string{"Content-Length: 5"}, None, 0, keep},
		{"HEAD with chunked", "HEAD", "HTTP/1.1 200 OK", []string{"Transfer-Encoding: chunked"}, None, 0, keep},
		{"HEAD with neither", "HEAD", "HTTP/1.1 200 OK", nil, None, 0, keep},
		{"HEAD, an error", "HEAD", "HTTP/1.1 404 Not Found", []string{"Content-Length: 5"}, None, 0, keep},
		{"head is another method", "head", "HTTP/1.1 200 OK", []string{"Content-Length: 5"}, Length, 5, keep},
		{"204", "GET", "HTTP/1.1 204 No Content", nil, None, 0, keep},
		{"204 with length 0", "GET", "HTTP/1.1 204 No Content", []string{"Content-Length: 0"}, None, 0, keep},
		{"204 that announces a body", "GET", "HTTP/1.1 204 No Content", []string{"Content-Length: 5"}, None, 0, once},
		{"204 with chunks", "GET", "HTTP/1.1 204 No Content", []string{"Transfer-Encoding: chunked"}, None, 0, once},
		{"304 with the length of the 200", "GET", "HTTP/1.1 304 Not Modified", []string{"Content-Length: 5"}, None, 0, keep},
		{"304 with chunked", "GET", "HTTP/1.1 304 Not Modified", []string{"Transfer-Encoding: chunked"}, None, 0, keep},
		{"205 is like others", "GET", "HTTP/1.1 205 Reset Content", []string{"Content-Length: 0"}, Length, 0, keep},
		{"100", "GET", "HTTP/1.1 100 Continue", nil, None, 0, keep},
		{"103", "GET", "HTTP/1.1 103 Early Hints", []string{"Link: </a>"}, None, 0, keep},
		{"101", "GET", "HTTP/1.1 101 Switching Protocols", []string{"Connection: upgrade", "Upgrade: websocket"}, None, 0, once},
		{"2xx to CONNECT", "CONNECT", "HTTP/1.1 200 OK", []string{"Content-Length: 5"}, None, 0, keep},
		{"4xx to CONNECT", "CONNECT", "HTTP/1.1 403 Forbidden", []string{"Content-Length: 5"}, Length, 5, keep},
		{"beyond 599", "GET", "HTTP/1.1 999 Denied", []string{"Content-Length: 5"}, Length, 5, keep},
		{"no reason", "GET", "HTTP/1.1 200 ", []string{"Content-Length: 5"}, Length, 5, keep},
		{"no space for it either", "GET", "HTTP/1.1 200", []string{"Content-Length: 5"}, Length, 5, keep},
		{"HTTP/1.9", "GET", "HTTP/1.9 200 OK", []string{"Transfer-Encoding: chunked"}, Chunked, 0, keep},
		{"no fields at all", "GET", "HTTP/1.0 200 OK", nil, UntilClose, 0, once},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := parseResponse(t, crlf(append([]string{c.line}, c.fields...)...), c.method)
			if r.Framing != c.framing || r.Length != c.length || r.KeepAlive != c.keep {
				t.Errorf("got %v %d, keep %v; want %v %d, keep %v", r.Framing, r.Length, r.KeepAlive, c.framing, c.length, c.keep)
			}
			if want := c.framing != None && !(c.framing == Length && c.length == 0); r.HasBody() != want {
				t.Errorf("HasBody = %v, want %v", r.HasBody(), want)
			}
			if got := strconv.Itoa(r.Status); got != c.line[9:12] {
				t.Errorf("Status = %s", got)
			}
		})
	}
}

func TestInterim(t *testing.T) {
	for line, want := range map[string]bool{
		"HTTP/1.1 100 Continue": true, "HTTP/1.1 102 Processing": true, "HTTP/1.1 103 Early Hints": true, "HTTP/1.1 199 X": true,
		"HTTP/1.1 101 Switching Protocols": false, "HTTP/1.1 200 OK": false, "HTTP/1.1 500 X": false,
	} {
		if got := parseResponse(t, crlf(line), "GET").Interim(); got != want {
			t.Errorf("%s: Interim = %v", line, got)
		}
	}
}

func TestOnlyOfferedProtocolsSwitch(t *testing.T) { // behaviour A7, RFC 9110 §7.8
	ws := parseRequest(t, get("Connection: Upgrade", "Upgrade: WebSocket, foo/1, h2c"))
	plain := parseRequest(t, get())
	for _, c := range []struct {
		why     string
		q       *Request
		lines   []string
		switch_ bool
	}{
		{"as asked, in other case", ws, []string{"HTTP/1.1 101 x", "connection: UPGRADE", "upgrade: websocket"}, true},
		{"the second offer", ws, []string{"HTTP/1.1 101 x", "Connection: Upgrade", "Upgrade: foo/1"}, true},
		{"two layers", ws, []string{"HTTP/1.1 101 x", "Connection: Upgrade", "Upgrade: foo/1, websocket"}, true},
		{"nobody asked", plain, []string{"HTTP/1.1 101 x", "Connection: Upgrade", "Upgrade: websocket"}, false},
		{"not offered", ws, []string{"HTTP/1.1 101 x", "Connection: Upgrade", "Upgrade: bar"}, false},
		{"another version", ws, []string{"HTTP/1.1 101 x", "Connection: Upgrade", "Upgrade: foo/2"}, false},
		{"one not offered", ws, []string{"HTTP/1.1 101 x", "Connection: Upgrade", "Upgrade: websocket, bar"}, false},
		{"offered, but never passed on", ws, []string{"HTTP/1.1 101 x", "Connection: Upgrade", "Upgrade: h2c"}, false},
		{"no Connection", ws, []string{"HTTP/1.1 101 x", "Upgrade: websocket"}, false},
		{"no Upgrade", ws, []string{"HTTP/1.1 101 x", "Connection: Upgrade"}, false},
		{"HTTP/1.0", ws, []string{"HTTP/1.0 101 x", "Connection: Upgrade", "Upgrade: websocket"}, false},
		{"another status", ws, []string{"HTTP/1.1 200 OK", "Connection: Upgrade", "Upgrade: websocket"}, false},
	} {
		if got := parseResponse(t, crlf(c.lines...), "GET").Switches(c.q); got != c.switch_ {
			t.Errorf("%s: Switches = %v, want %v", c.why, got, c.switch_)
		}
	}
}

func TestReframeFor(t *testing.T) { // behaviour A5
	for _, c := range []struct {
		head, method string
		to10, to11   Reframe
	}{
		{crlf("HTTP/1.1 200 OK", "Content-Length: 5"), "GET", AsReceived, AsReceived},
		{crlf("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"), "GET", CloseDelimited, AsReceived},
		{crlf("HTTP/1.1 200 OK"), "GET", AsReceived, Rechunk},
		{crlf("HTTP/1.1 200 OK"), "HEAD", AsReceived, AsReceived},
		{crlf("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"), "HEAD", CloseDelimited, AsReceived},
		{crlf("HTTP/1.1 304 Not Modified"), "GET", AsReceived, AsReceived},
	} {
		r := parseResponse(t, c.head, c.method)
		if a, b := r.ReframeFor(10), r.ReframeFor(11); a != c.to10 || b != c.to11 {
			t.Errorf("%s %q: for 1.0 %d, for 1.1 %d; want %d, %d", c.method, c.head, a, b, c.to10, c.to11)
		}
	}
}

// TestResponseGolden shows whole heads as clients see them.
func TestResponseGolden(t *testing.T) {
	date, ray := []byte("Fri, 20 Nov 2026 12:00:00 GMT"), []byte("230b030023ae2822-SJC")
	for _, c := range []struct {
		name, head, method string
		e                  ResponseEdits
	}{
		{"plain", crlf("HTTP/1.1 200 All right", "server: x", "Date: Thu, 19 Nov 2026 00:00:00 GMT", "Content-Length: 5", "Set-Cookie: a=b", "X-Odd:\t1 ", "SET-cookie: c=d"), "GET", ResponseEdits{Date: date, Ray: ray}},
		{"date-added", crlf("HTTP/1.1 404 ", "Content-Length: 0"), "GET", ResponseEdits{Date: date}},
		{"no-fields", crlf("HTTP/1.1 200 OK"), "HEAD", ResponseEdits{}},
		{"from-http10", crlf("HTTP/1.0 200 OK", "Content-Length: 5", "Connection: keep-alive", "Via: 1.1 inner"), "GET", ResponseEdits{}},
		{"hop-by-hop", crlf("HTTP/1.1 200 OK", "Connection: close, X-Once, Content-Length, Via, Date", "Keep-Alive: timeout=5", "X-Once: cut", "Proxy-Connection: close",
			"Upgrade: h2,h2c", "TE: x", "Trailer: X-Sum", "Content-Length: 5", "Date: x", "X-Accel-Buffering: no", "X-Accel-Charset: x", "x-accel-limit-rate: 1", "X-Accel-Redirect: /internal",
			"X-Accel-Expires: stays", "Proxy-Authenticate: Basic", "Weir-Pool: forged", "CF-Ray: origin", "Via: 1.1 inner"), "GET", ResponseEdits{Ray: ray, Persist: PersistClose, Extra: []byte("Weir-Pool: p\r\nWeir-Reason: r\r\n")}},
		{"ray-left-alone", crlf("HTTP/1.1 200 OK", "CF-Ray: origin", "Content-Length: 0"), "GET", ResponseEdits{}},
		{"chunks-to-http10", crlf("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Trailer: X-Sum", "A: b"), "GET", ResponseEdits{Reframe: CloseDelimited, Persist: PersistClose}},
		{"rechunk", crlf("HTTP/1.0 200 OK", "A: b"), "GET", ResponseEdits{Reframe: Rechunk}},
		{"keep-alive-for-http10", crlf("HTTP/1.1 200 OK", "Content-Length: 5"), "GET", ResponseEdits{Persist: PersistKeep}},
		{"odd-framing", crlf("HTTP/1.1 200 OK", "content-length:  005"), "GET", ResponseEdits{}},
		{"odd-chunked", crlf("HTTP/1.1 200 OK", "transfer-encoding: CHUNKED"), "GET", ResponseEdits{}},
		{"204", crlf("HTTP/1.1 204 No Content", "Content-Length: 0", "A: b"), "GET", ResponseEdits{Date: date}},
		{"304", crlf("HTTP/1.1 304 Not Modified", "Content-Length: 5", "ETag: x"), "GET", ResponseEdits{Date: date}},
		{"103", crlf("HTTP/1.1 103 Early Hints", "Link: </a>; rel=preload", "Connection: x"), "GET", ResponseEdits{Date: date}},
		{"101", crlf("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: upgrade", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "GET", ResponseEdits{Ray: ray}},
		{"426", crlf("HTTP/1.1 426 Upgrade Required", "Upgrade: h2c, websocket", "Connection: Upgrade, close", "Content-Length: 0"), "GET", ResponseEdits{Persist: PersistClose}},
		{"426-kept", crlf("HTTP/1.1 426 Upgrade Required", "Upgrade: websocket", "Connection: Upgrade", "Content-Length: 0"), "GET", ResponseEdits{Persist: PersistKeep}},
		{"426-nothing-left", crlf("HTTP/1.1 426 Upgrade Required", "Upgrade: h2c", "Connection: Upgrade", "Content-Length: 0"), "GET", ResponseEdits{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			golden(t, "response/"+c.name, parseResponse(t, c.head, c.method).AppendHead(nil, &c.e))
		})
	}
}
