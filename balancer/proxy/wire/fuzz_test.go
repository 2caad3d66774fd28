package wire

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// wideLimits leave room for what AppendHead adds to a head at the limits of testLimits.
var wideLimits = Limits{URI: 1 << 20, Field: 1 << 20, Header: 1 << 20, Fields: 1 << 10}

// checkHop looks for what must not cross a hop.
func checkHop(t *testing.T, out []byte, hopByHop ...string) {
	t.Helper()
	for _, l := range lines(out) {
		name, _, _ := strings.Cut(l, ":")
		if slices.ContainsFunc(hopByHop, func(h string) bool { return strings.EqualFold(h, name) }) {
			t.Fatalf("%s crosses the hop:\n%q", name, out)
		}
	}
}

func FuzzRequest(f *testing.F) {
	for _, head := range []string{
		get("A: b"), post("Content-Length: 5"), post("Transfer-Encoding: chunked", "Connection: close, a", "A: b"),
		crlf("GET http://a.example?q HTTP/1.0", "Via: 1.0 x"), get("Connection: upgrade", "Upgrade: h2c, websocket", "X-Forwarded-For: a"),
		crlf("OPTIONS * HTTP/1.1", "Host: [::1]:80", "Max-Forwards: 3"), post("Content-Length: 5", "Transfer-Encoding: chunked"),
		crlf("GET / HTTP/1.2", "Host:"), "GET / HTTP/1.1\nHost: x\n\n",
	} {
		f.Add([]byte(head), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, upgrade bool) {
		end := HeadEnd(b, 0)
		for cut := range min(len(b), 200) {
			if n := HeadEnd(b, cut); HeadEnd(b[:cut], 0) == 0 && n != end {
				t.Fatalf("%q: the end is %d, continued from %d it is %d", b, end, cut, n)
			}
		}
		if end == 0 {
			return
		}
		head := b[:end]
		var r, again Request
		if r.Parse(head, testLimits) != OK {
			return
		}
		for cut := range len(head) {
			if cause := TooLong(head[:cut], testLimits); cause != OK {
				t.Fatalf("TooLong(%q) = %v, but Parse accepts the whole", head[:cut], cause)
			}
		}
		if len(head) > testLimits.MaxHead() {
			t.Fatalf("a head of %d bytes is accepted, MaxHead is %d", len(head), testLimits.MaxHead())
		}
		e := testEdits()
		e.Upgrade = upgrade
		out := r.AppendHead(nil, e)
		if n := HeadEnd(out, 0); n != len(out) {
			t.Fatalf("the head sent ends at %d of %d:\n%q", n, len(out), out)
		}
		if cause := again.Parse(out, wideLimits); cause != OK {
			t.Fatalf("%q is accepted, what is sent is %v:\n%q", head, cause, out)
		}
		sameRequest(t, head, &r, &again)
		if again.Upgrade != (upgrade && r.Upgrade) {
			t.Fatalf("upgrade sent: %v, wanted: %v\n%q", again.Upgrade, r.Upgrade, out)
		}
		if got := len(valuesOf(out, "Host")); got != 1 {
			t.Fatalf("%d Hosts are sent:\n%q", got, out)
		}
		if got := valuesOf(out, "Connection"); len(got) > 0 && (!again.Upgrade || !slices.Equal(got, []string{"Upgrade"})) {
			t.Fatalf("Connection %q is sent:\n%q", got, out)
		}
		if again.Has("Upgrade") != again.Upgrade {
			t.Fatalf("Upgrade without its Connection:\n%q", out)
		}
		checkHop(t, out, "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "TE", "HTTP2-Settings")
		for _, ours := range []string{"CF-Connecting-IP", "X-Forwarded-For", "X-Forwarded-Proto", "CF-Visitor", "CF-Ray"} {
			if got := len(valuesOf(out, ours)); got != 1 {
				t.Fatalf("%d %s are sent:\n%q", got, ours, out)
			}
		}
	})
}

func sameRequest(t *testing.T, head []byte, r, again *Request) {
	t.Helper()
	if again.Framing != r.Framing || again.Length != r.Length {
		t.Fatalf("%q: framing %v %d becomes %v %d", head, r.Framing, r.Length, again.Framing, again.Length)
	}
	if !bytes.Equal(again.Method, r.Method) || !bytes.Equal(again.Path, r.Path) || !bytes.Equal(again.Query, r.Query) ||
		again.HasQuery != r.HasQuery || !bytes.Equal(again.Host, r.Host) {
		t.Fatalf("%q: the target changes to %q", head, again.head)
	}
	if again.Version != 11 || again.Form == AbsoluteForm || again.Expect100 != r.Expect100 {
		t.Fatalf("%q: becomes %q", head, again.head)
	}
}

func FuzzResponse(f *testing.F) {
	for _, head := range []string{
		crlf("HTTP/1.1 200 OK", "Content-Length: 5"), crlf("HTTP/1.0 200 OK"), crlf("HTTP/1.1 204"), crlf("HTTP/1.1 999 "),
		crlf("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Connection: close, date, a", "A: b", "Date: x"),
		crlf("HTTP/1.1 101 x", "Upgrade: websocket", "Connection: upgrade"), crlf("HTTP/1.1 426 x", "Upgrade: h2c, a/1", "Connection: upgrade"),
		crlf("HTTP/1.1 304 Not Modified", "Content-Length: 007"),
	} {
		f.Add([]byte(head), "GET", uint8(11))
	}
	f.Fuzz(func(t *testing.T, b []byte, method string, version uint8) {
		end := HeadEnd(b, 0)
		if end == 0 {
			return
		}
		var r, again Response
		if r.Parse(b[:end], testLimits, []byte(method)) != OK {
			return
		}
		for cut := range end {
			if cause := AnswerTooLong(b[:cut], testLimits); cause != OK {
				t.Fatalf("AnswerTooLong(%q) = %v, but Parse accepts the whole", b[:cut], cause)
			}
		}
		e := ResponseEdits{Date: []byte("now"), Ray: []byte("r"), Reframe: r.ReframeFor(version), Persist: PersistClose}
		out := r.AppendHead(nil, &e)
		if n := HeadEnd(out, 0); n != len(out) {
			t.Fatalf("the head sent ends at %d of %d:\n%q", n, len(out), out)
		}
		if cause := again.Parse(out, wideLimits, []byte(method)); cause != OK {
			t.Fatalf("%q is accepted, what is sent is %v:\n%q", b[:end], cause, out)
		}
		want := r.Framing
		switch e.Reframe {
		case CloseDelimited:
			if want != None {
				want = UntilClose
			}
		case Rechunk:
			want = Chunked
		}
		if again.Framing != want || again.Length != r.Length || again.Status != r.Status || again.KeepAlive {
			t.Fatalf("%v %d becomes %v %d, keep %v:\n%q", want, r.Length, again.Framing, again.Length, again.KeepAlive, out)
		}
		if version < 11 && again.Has("Transfer-Encoding") {
			t.Fatalf("chunks for HTTP/1.0:\n%q", out)
		}
		if got := len(valuesOf(out, "Connection")); got != 1 {
			t.Fatalf("%d Connections are sent:\n%q", got, out)
		}
		if r.Status >= 200 && !again.HasDate {
			t.Fatalf("no Date:\n%q", out)
		}
		if again.Has("Upgrade") && r.Status != 101 && r.Status != 426 {
			t.Fatalf("Upgrade with %d:\n%q", r.Status, out)
		}
		checkHop(t, out, "Keep-Alive", "Proxy-Connection", "TE", "HTTP2-Settings")
	})
}

func FuzzBody(f *testing.F) {
	for _, body := range []string{
		"5\r\nhello\r\n0\r\n\r\n", "5;a=\"b\\\"\" ; c\r\nhello\r\n0;x\r\nA: b\r\n\r\nGET", "0\r\nHost: x\r\n\r\n",
		"ffffffffffffffff\r\n", "5 \r\n", "1\r\nx\r\n1\r\ny\r\n0\r\nA:\r\n\r\n",
	} {
		f.Add([]byte(body), uint8(Chunked), int64(3), uint16(1))
	}
	f.Add([]byte("hello"), uint8(Length), int64(3), uint16(2))
	f.Add([]byte("hello"), uint8(UntilClose), int64(0), uint16(2))
	f.Fuzz(func(t *testing.T, p []byte, framing uint8, length int64, seed uint16) {
		if length < 0 {
			length = 0
		}
		reset := func() *Body {
			b := new(Body)
			b.Reset(Framing(framing%4), length, testLimits)
			return b
		}
		random := func() func() int {
			x := uint32(seed) | 1
			return func() int { x = x*1664525 + 1013904223; return 1 + int(x>>28) }
		}
		want := scanPieces(reset(), p, all)
		if got := scanPieces(reset(), p, one); got != want {
			t.Fatalf("%q: byte by byte %+v, whole %+v", p, got, want)
		}
		if got := scanPieces(reset(), p, random()); got != want {
			t.Fatalf("%q: in pieces %+v, whole %+v", p, got, want)
		}
		data := nextPieces(reset(), p, random())
		if whole := nextPieces(reset(), p, all); whole != data {
			t.Fatalf("%q: data in pieces %+v, whole %+v", p, data, whole)
		}
		if data.used != want.used || data.done != want.done || data.cause != want.cause || data.whole != want.whole {
			t.Fatalf("%q: Next %+v, Scan %+v", p, data, want)
		}
		if Framing(framing%4) == Chunked && want.done {
			readsPlainly(t, p[:want.used], data.data)
		}
	})
}

// readsPlainly checks the data of a whole chunked body against a reading of its lines that trusts everything.
func readsPlainly(t *testing.T, p []byte, data string) {
	t.Helper()
	var got []byte
	for {
		line, rest, _ := bytes.Cut(p, []byte("\r\n"))
		digits, _, _ := bytes.Cut(line, []byte(";"))
		size := 0
		for _, c := range bytes.TrimSpace(digits) {
			size = size*16 + strings.IndexByte("0123456789abcdef", lower[c])
		}
		if p = rest; size == 0 {
			break
		}
		got, p = append(got, p[:size]...), p[size+2:]
	}
	if string(got) != data {
		t.Fatalf("data %q, read plainly %q", data, got)
	}
}

// FuzzHost: what passes for a host cannot break out of the field.
func FuzzHost(f *testing.F) {
	for _, h := range []string{"example.com", "a:80", "[::1]:80", "[", "a,b", "u@h", "%41"} {
		f.Add([]byte(h))
	}
	f.Fuzz(func(t *testing.T, h []byte) {
		if ValidHost(h) && (len(h) == 0 || bytes.ContainsAny(h, " \t\r\n,@/\\?#\"<>^`{|}") || slices.Max(h) > 0x7e) {
			t.Errorf("ValidHost(%q)", h)
		}
	})
}
