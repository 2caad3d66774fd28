package wire

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// scanned is what a Body made of some bytes.
type scanned struct {
	used  int
	done  bool
	cause Cause
	whole bool // the connection could end here
	data  string
}

// scanPieces feeds b the pieces of p between the cuts to Scan.
func scanPieces(b *Body, p []byte, cuts func() int) (s scanned) {
	for len(p) > 0 && !s.done && s.cause == OK {
		piece := p[:min(cuts(), len(p))]
		var n int
		n, s.done, s.cause = b.Scan(piece)
		s.used += n
		p = p[n:]
		if n < len(piece) && !s.done && s.cause == OK {
			panic("Scan stopped without a reason")
		}
	}
	s.whole = b.Complete()
	return s
}

// nextPieces is scanPieces for Next; it gathers the data.
func nextPieces(b *Body, p []byte, cuts func() int) (s scanned) {
	for len(p) > 0 && !s.done && s.cause == OK {
		piece := p[:min(cuts(), len(p))]
		for len(piece) > 0 && !s.done && s.cause == OK {
			var data []byte
			var n int
			data, n, s.done, s.cause = b.Next(piece)
			s.data += string(data)
			s.used += n
			if n == 0 && !s.done && s.cause == OK {
				panic("Next stopped without a reason")
			}
			piece, p = piece[n:], p[n:]
		}
	}
	s.whole = b.Complete()
	return s
}

func all() int { return math.MaxInt }
func one() int { return 1 }

// scanEveryWay feeds p whole, byte by byte and in two pieces at every place, and demands one verdict.
func scanEveryWay(t *testing.T, p []byte, reset func(*Body)) scanned {
	t.Helper()
	run := func(feed func(*Body, []byte, func() int) scanned, cuts func() int) scanned {
		var b Body
		reset(&b)
		return feed(&b, p, cuts)
	}
	want, wantData := run(scanPieces, all), run(nextPieces, all)
	check := func(how string, got, want scanned) {
		t.Helper()
		if got != want {
			t.Fatalf("%q %s: %+v, whole: %+v", p, how, got, want)
		}
	}
	check("byte by byte", run(scanPieces, one), want)
	check("byte by byte, data", run(nextPieces, one), wantData)
	for cut := 1; cut < len(p) && len(p) < 2000; cut++ {
		at := cut
		halves := func() int { n := at; at = math.MaxInt; return n }
		check(fmt.Sprintf("cut at %d", cut), run(scanPieces, halves), want)
	}
	withoutData := wantData
	withoutData.data = ""
	check("Next against Scan", withoutData, want)
	return wantData
}

func chunked(b *Body) { b.Reset(Chunked, 0, testLimits) }

func TestChunkedBodies(t *testing.T) {
	const next = "GET /next"
	for _, c := range []struct{ why, body, data string }{
		{"empty", "0\r\n\r\n", ""},
		{"one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello"},
		{"two chunks, hex in both cases", "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"},
		{"data that looks like framing", "7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", "\r\n0\r\n\r\n"},
		{"leading zeros", "0000000000000005\r\nhello\r\n0000\r\n\r\n", "hello"},
		{"extension", "5;a\r\nhello\r\n0;b\r\n\r\n", "hello"},
		{"extensions with values", "5;a=b;c=\"d;\\\"\r\n"[:13] + "\"\r\nhello\r\n0\r\n\r\n", "hello"},
		{"white space around extensions", "5 ; a = b\t;\tc = \"x y\" ;d\r\nhello\r\n0\r\n\r\n", "hello"},
		{"trailer", "5\r\nhello\r\n0\r\nX-Sum: 1\r\nExpires:\r\nA:\tb c \r\n\r\n", "hello"},
		{"names that begin like forbidden ones", "0\r\nHostess: x\r\nContent-Length-Of-Something-Else-Entirely: 5\r\nWeird: y\r\n\r\n", ""},
	} {
		t.Run(c.why, func(t *testing.T) {
			want := scanned{used: len(c.body), done: true, whole: true, data: c.data}
			if got := scanEveryWay(t, []byte(c.body+next), chunked); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			for cut := range len(c.body) { // fasthttp's item 1: cut at a chunk boundary is still cut
				var b Body
				chunked(&b)
				if n, done, cause := b.Scan([]byte(c.body[:cut])); n != cut || done || cause != OK || b.Complete() || b.Done() {
					t.Fatalf("%q: n %d, done %v, cause %v, complete %v", c.body[:cut], n, done, cause, b.Complete())
				}
			}
		})
	}
}

// TestRefusedChunks is the corpus of chunked bodies that two hops could read differently (RFC 9112 §7.1, §11.2).
func TestRefusedChunks(t *testing.T) {
	trailer := func(lines ...string) string { return "0\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n" }
	for _, c := range []struct {
		why, body string
		used      int // bytes in order before the fault; -1: not looked at
		want      Cause
	}{
		{"empty size", "\r\n", 0, BadChunkSize},
		{"space before the size", " 5\r\nhello", 0, BadChunkSize},
		{"space after the size", "5 \r\nhello", 2, BadChunkExtension},
		{"tab after the size", "5\t\r\nhello", 2, BadChunkExtension},
		{"negative", "-1\r\n", 0, BadChunkSize},
		{"plus", "+5\r\nhello", 0, BadChunkSize},
		{"0x", "0x5\r\nhello", 1, BadChunkSize},
		{"no hex", "g\r\n", 0, BadChunkSize},
		{"underscore", "1_0\r\n", 1, BadChunkSize},
		{"seventeen digits", "00000000000000005\r\nhello", 16, BadChunkSize},
		{"2^63", "8000000000000000\r\n", 15, BadChunkSize},
		{"2^64-1", "ffffffffffffffff\r\n", 15, BadChunkSize},
		{"LF only after the size", "5\nhello", 1, BadLineEnd},
		{"CR only after the size", "5\rhello", 2, BadLineEnd},
		{"CR CR LF", "5\r\r\nhello", 2, BadLineEnd},
		{"NUL after the size", "5\x00\r\n", 1, BadChunkSize},
		{"data longer than the size", "5\r\nhello!\r\n", 8, BadChunkEnd},
		{"LF only after the data", "5\r\nhello\n0\r\n\r\n", 8, BadChunkEnd},
		{"CR only after the data", "5\r\nhello\r0\r\n\r\n", 9, BadChunkEnd},
		{"two bytes instead of CRLF", "5\r\nhelloXX0\r\n\r\n", 8, BadChunkEnd},
		{"empty extension", "5;\r\nhello", 2, BadChunkExtension},
		{"empty extension between", "5;;a\r\nhello", 2, BadChunkExtension},
		{"extension without name", "5;=b\r\nhello", 2, BadChunkExtension},
		{"extension without value", "5;a=\r\nhello", 4, BadChunkExtension},
		{"LF in an extension", "5;a\nhello", 3, BadLineEnd},
		{"LF in an extension's white space", "5; \nhello", 3, BadLineEnd},
		{"LF in a quoted value", "5;a=\"\n\"\r\nhello", 5, BadLineEnd},
		{"CR in a quoted value", "5;a=\"\r\n\"\r\nhello", 5, BadChunkExtension},
		{"CR after a backslash", "5;a=\"\\\r\n\"\r\nhello", 6, BadChunkExtension},
		{"control byte in an extension", "5;a\x01\r\nhello", 3, BadChunkExtension},
		{"quotes in a token", "5;a=b\"c\"\r\nhello", 5, BadChunkExtension},
		{"text after the quotes", "5;a=\"b\"c\r\nhello", 7, BadChunkExtension},
		{"white space at the end of extensions", "5;a \r\nhello", 4, BadChunkExtension},
		{"extension of 257 bytes", "5;" + strings.Repeat("a", 257) + "\r\nhello", 258, ChunkExtensionTooLong},
		{"white space without end", "5" + strings.Repeat(" ", 400), 258, ChunkExtensionTooLong},
		{"extensions flood", strings.Repeat("1;"+strings.Repeat("a", 250)+"\r\nx\r\n", 70), -1, ChunkExtensionTooLong},
		{"trailer with LF", "0\r\nA: b\n\r\n", 7, BadLineEnd},
		{"trailer with CR", "0\r\nA: b\rc\r\n", 8, BadLineEnd},
		{"LF for the last line", "0\r\n\n", 3, BadLineEnd},
		{"CR without LF for the last line", "0\r\n\rx", 4, BadLineEnd},
		{"folded trailer", trailer("A: b", " c"), 9, Folded},
		{"trailer without name", trailer(": b"), 3, BadFieldName},
		{"trailer without colon", trailer("A"), 4, BadFieldName},
		{"space before a trailer's colon", trailer("A : b"), 4, SpaceBeforeColon},
		{"control byte in a trailer", trailer("A: \x00"), 6, ControlByte},
		{"smuggled request as trailer", "0\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 6, SpaceBeforeColon},
		{"Content-Length in the trailer", trailer("Content-Length: 5"), 17, ForbiddenTrailer},
		{"Transfer-Encoding in the trailer", trailer("transfer-encoding: chunked"), 20, ForbiddenTrailer},
		{"Host in the trailer", trailer("A: b", "HOST: x"), 13, ForbiddenTrailer},
		{"Connection in the trailer", trailer("Connection: close"), 13, ForbiddenTrailer},
		{"identity in the trailer", trailer("X-Forwarded-For: 6.6.6.6"), 18, ForbiddenTrailer},
		{"our own in the trailer", trailer("Weir-Pop: FRA"), 11, ForbiddenTrailer},
		{"our own in the trailer, long", trailer("WEIR-" + strings.Repeat("a", 40) + ": x"), 48, ForbiddenTrailer},
		{"trailer of too many fields", trailer(strings.Split(strings.TrimSuffix(strings.Repeat("A: b\n", 129), "\n"), "\n")...), 3 + 128*6, TooManyFields},
		{"trailer field too long", trailer("A: " + strings.Repeat("x", 17<<10)), 3 + 16<<10, FieldTooLong},
		{"trailer too long", trailer("A: "+strings.Repeat("x", 15<<10), "A: "+strings.Repeat("x", 15<<10), "A: "+strings.Repeat("x", 15<<10)), 3 + 32<<10, TrailerTooLong},
	} {
		t.Run(c.why, func(t *testing.T) {
			got := scanEveryWay(t, []byte(c.body), chunked)
			if got.cause != c.want || got.done || got.whole {
				t.Errorf("%.80q\n got %+v, want %v", c.body, got, c.want)
			}
			if c.used >= 0 && got.used != c.used {
				t.Errorf("%.80q: %d bytes in order, want %d", c.body, got.used, c.used)
			}
		})
	}
}

func TestLongestExtensionsPass(t *testing.T) {
	body := strings.Repeat("1;"+strings.Repeat("a", 256)+"\r\nx\r\n", 64) + "0\r\n\r\n" // 64 × 256 = 16 KiB in all
	if got := scanEveryWay(t, []byte(body), chunked); !got.done || got.cause != OK || got.used != len(body) {
		t.Errorf("got %+v", got)
	}
}

func TestBadBodiesStayBad(t *testing.T) {
	var b Body
	chunked(&b)
	_, _, _ = b.Scan([]byte("x"))
	if n, done, cause := b.Scan([]byte("0\r\n\r\n")); n != 0 || done || cause != BadChunkSize || b.Complete() {
		t.Errorf("after a fault: n %d, done %v, cause %v, complete %v", n, done, cause, b.Complete())
	}
}

func TestCountedAndOpenBodies(t *testing.T) {
	const p = "hello, next"
	for _, c := range []struct {
		why     string
		framing Framing
		length  int64
		want    scanned
	}{
		{"none", None, 0, scanned{done: true, whole: true}},
		{"length 0", Length, 0, scanned{done: true, whole: true}},
		{"length 5", Length, 5, scanned{used: 5, done: true, whole: true, data: "hello"}},
		{"all of it", Length, int64(len(p)), scanned{used: len(p), done: true, whole: true, data: p}},
		{"more to come", Length, 100, scanned{used: len(p), data: p}},
		{"longest", Length, math.MaxInt64, scanned{used: len(p), data: p}},
		{"until close", UntilClose, 0, scanned{used: len(p), whole: true, data: p}},
	} {
		t.Run(c.why, func(t *testing.T) {
			reset := func(b *Body) { b.Reset(c.framing, c.length, testLimits) }
			got := scanEveryWay(t, []byte(p), reset)
			if got.used == 0 { // the helper does not call Scan for nothing
				var b Body
				reset(&b)
				got.used, got.done, got.cause = b.Scan([]byte(p))
				if _, done, _ := b.Scan(nil); !done || !b.Done() {
					t.Error("an empty body is not done before its first byte")
				}
			}
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestUnknownFramingIsABug(t *testing.T) {
	for _, c := range []func(){
		func() { new(Body).Reset(UntilClose+1, 0, testLimits) },
		func() { new(Body).Reset(Length, -1, testLimits) },
		func() { _ = (UntilClose + 1).String() },
	} {
		func() {
			defer func() {
				if r, _ := recover().(string); !strings.HasPrefix(r, "BUG:") {
					t.Errorf("got %q, want a BUG: panic", r)
				}
			}()
			c()
		}()
	}
}

// TestRechunking makes chunks of random data and takes them apart again.
func TestRechunking(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		var data, body []byte
		for range r.IntN(6) {
			piece := bytes.Repeat([]byte{byte(r.IntN(256))}, r.IntN(300))
			data = append(data, piece...)
			if r.IntN(2) == 0 || len(piece) == 0 {
				body = AppendChunk(body, piece)
				continue
			}
			body = AppendChunkSize(body, int64(len(piece)))
			body = append(append(body, piece...), ChunkEnd...)
		}
		body = append(body, LastChunk...)
		var b Body
		chunked(&b)
		got := nextPieces(&b, append(body, "rest"...), func() int { return 1 + r.IntN(50) })
		if want := (scanned{used: len(body), done: true, whole: true, data: string(data)}); got != want {
			t.Fatalf("%q: got %+v, want %+v", body, got, want)
		}
	}
}

// TestHeadsSplitAtEveryByte: wherever the connection's reads cut it, a head has one end and one verdict.
func TestHeadsSplitAtEveryByte(t *testing.T) {
	head := []byte(post("Transfer-Encoding: chunked", "A: b"))
	for step := 1; step < len(head); step++ {
		from := 0
		for got := min(step, len(head)); ; got = min(got+step, len(head)) {
			if cause := TooLong(head[:got], testLimits); cause != OK {
				t.Fatalf("step %d, %d bytes: %v", step, got, cause)
			}
			if n := HeadEnd(head[:got], from); n != 0 {
				if n != len(head) {
					t.Fatalf("step %d: end at %d, want %d", step, n, len(head))
				}
				break
			}
			if got == len(head) {
				t.Fatalf("step %d: no end", step)
			}
			from = got
		}
	}
}
