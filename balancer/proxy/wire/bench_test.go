package wire

import "testing"

// browserGet is a GET with 10 fields, about 600 bytes.
var browserGet = []byte(crlf("GET /api/v1/items?page=2&sort=asc HTTP/1.1",
	"Host: www.example.com",
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
	"Accept-Language: en-GB,en;q=0.9,de;q=0.8",
	"Accept-Encoding: gzip, deflate, br",
	"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=yes",
	"Referer: https://www.example.com/api/v1/",
	"Connection: keep-alive",
	"Cache-Control: no-cache",
	"X-Request-Id: 7f3c1b2a-1d2e-4f5a-8b9c-0d1e2f3a4b5c"))

var usualAnswer = []byte(crlf("HTTP/1.1 200 OK",
	"Date: Fri, 20 Nov 2026 12:00:00 GMT", "Server: origin", "Content-Type: application/json", "Content-Length: 200",
	"Connection: keep-alive", "Cache-Control: no-store", `ETag: "33a64df551425fcc55e4d42a148795d9f25f89d4"`))

// TestNothingIsAllocated is the budget of the hot path: none, once the values are warm.
func TestNothingIsAllocated(t *testing.T) {
	var r Request
	var a Response
	var b Body
	out := make([]byte, 0, 4096)
	e, ae := testEdits(), &ResponseEdits{Ray: []byte("r"), Persist: PersistClose}
	busy := []byte(post("Transfer-Encoding: CHUNKED", "Connection: close, a, upgrade", "Upgrade: h2c, websocket", "A: b", "X-Forwarded-For: a", "X-Forwarded-For: b", "Expect: 100-continue", "Cookie: a=1; b=2"))
	body := []byte("5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n")
	get, hostless := []byte("GET"), []byte(crlf("GET / HTTP/1.1"))
	for _, c := range []struct {
		what string
		do   func()
	}{
		{"a usual request", func() {
			_ = HeadEnd(browserGet, 0)
			_ = TooLong(browserGet, testLimits)
			must(t, r.Parse(browserGet, testLimits))
			out = r.AppendHead(out[:0], e)
		}},
		{"a request with everything", func() {
			must(t, r.Parse(busy, testLimits))
			out = r.AppendHead(out[:0], e)
			_ = r.Get("x-forwarded-FOR")
			_ = r.Cookie("b")
		}},
		{"values in a loop", func() {
			for v := range r.Values("X-Forwarded-For") {
				if len(v) == 0 {
					t.Fatal("empty")
				}
			}
		}},
		{"a refusal", func() { _ = r.Parse(hostless, testLimits).String() }},
		{"an answer", func() {
			must(t, a.Parse(usualAnswer, testLimits, get))
			_ = a.ReframeFor(10)
			out = a.AppendHead(out[:0], ae)
		}},
		{"a chunked body", func() {
			b.Reset(Chunked, 0, testLimits)
			_, _, cause := b.Scan(body)
			must(t, cause)
			b.Reset(Chunked, 0, testLimits)
			_, _, _, cause = b.Next(body)
			must(t, cause)
			out = AppendChunk(out[:0], body)
		}},
	} {
		c.do() // warm
		if n := testing.AllocsPerRun(100, c.do); n != 0 {
			t.Errorf("%s: %v allocations, want 0", c.what, n)
		}
	}
}

func must(t testing.TB, cause Cause) {
	if cause != OK {
		t.Helper()
		t.Fatal(cause)
	}
}

func BenchmarkRequest(b *testing.B) {
	e := testEdits()
	var r Request
	var out []byte
	b.SetBytes(int64(len(browserGet)))
	b.ReportAllocs()
	for b.Loop() {
		must(b, r.Parse(browserGet, testLimits))
		out = r.AppendHead(out[:0], e)
	}
}

func BenchmarkHeadEnd(b *testing.B) {
	b.SetBytes(int64(len(browserGet)))
	for b.Loop() {
		if HeadEnd(browserGet, 0) == 0 {
			b.Fatal("no end")
		}
	}
}

func BenchmarkAnswer(b *testing.B) {
	e := &ResponseEdits{Ray: []byte("230b030023ae2822-SJC")}
	var r Response
	var out []byte
	method := []byte("GET")
	b.SetBytes(int64(len(usualAnswer)))
	b.ReportAllocs()
	for b.Loop() {
		must(b, r.Parse(usualAnswer, testLimits, method))
		out = r.AppendHead(out[:0], e)
	}
}

func BenchmarkChunks(b *testing.B) {
	p := append(AppendChunk(nil, make([]byte, 16<<10)), LastChunk...)
	var body Body
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		body.Reset(Chunked, 0, testLimits)
		if _, done, cause := body.Scan(p); !done {
			b.Fatal(cause)
		}
	}
}
