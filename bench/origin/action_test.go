package origin

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestFaultsOnTheWire(t *testing.T) {
	hello := Answer(200, nil, "hello")
	const whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
	for _, c := range []struct {
		name  string
		a     Action
		want  string
		reset bool
	}{
		{"close", Close(), "", false},
		{"reset", Reset(), "", true},
		{"reset before the first byte", ResetAfter(0, hello), "", true},
		{"reset in the status line", ResetAfter(7, hello), whole[:7], true},
		{"reset in the body", ResetAfter(int64(len(whole))-1, hello), whole[:len(whole)-1], true},
		{"reset after the answer", ResetAfter(1000, hello), whole, true},
		{"close in the head", CloseAfter(20, hello), whole[:20], false},
		{"close in a dripped head", Drip(3, 0, CloseAfter(20, hello)), whole[:20], false},
		{"close in a dripped head, inside out", CloseAfter(20, Drip(3, 0, hello)), whole[:20], false},
		{"announced too long", WrongLength(9, "hello"), "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", false},
		{"announced too short", CloseAfter(1000, WrongLength(2, "hello")), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello", false},
		{"until close", UntilClose(200, nil, "hello"), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", false},
		{"extra", CloseAfter(1000, Extra(hello, "HTTP/1.1 200 OK\r\n")), whole + "HTTP/1.1 200 OK\r\n", false},
		{"1.0", HTTP10(hello), "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello", false},
		{"interim, then death", Interim(103, F("Link", "</a>"), Reset()), "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", true},
		{"interim", Interim(100, nil, CloseAfter(100, hello)), "HTTP/1.1 100 Continue\r\n\r\n" + whole, false},
		{"chunks cut", CloseAfter(52, Chunked(nil, nil, "abc", "def")), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := dial(t, play(t, c.a))
			l.send(get)
			l.wantEnd(c.want, c.reset)
		})
	}
}

func TestGarbageAndHugeHeader(t *testing.T) {
	l := dial(t, play(t, Garbage()))
	l.send(get)
	if resp, err := http.ReadResponse(l.br, nil); err == nil {
		t.Errorf("garbage was read as %v", resp)
	}
	if got := do(t, client(t), "GET", play(t, HugeHeader(60000)).URL("/"), http.NoBody); len(got.Header.Get("X-Huge")) != 60000 {
		t.Error("the huge field did not arrive whole")
	}
}

func TestResetAfterLargeOffsetsDeliversEveryByte(t *testing.T) {
	const size = 200_000
	for _, at := range []int64{65535, 65536, 65537, size} {
		o := play(t, ResetAfter(at, Bytes(nil, size)))
		l := dial(t, o)
		l.send(get)
		got, err := io.ReadAll(l.br)
		if int64(len(got)) != at || err == nil {
			t.Errorf("reset after %d: received %d bytes, %v", at, len(got), err)
		}
	}
}

func TestSilenceEndsWithTheClient(t *testing.T) {
	for name, a := range map[string]Action{"silent": Silent(), "stall": StallAfter(29, Answer(200, nil, "hello"))} {
		o := play(t, a)
		l := dial(t, o)
		l.send(get)
		if name == "stall" {
			l.want("HTTP/1.1 200 OK\r\nContent-Leng")
		}
		await(t, o, name, func(s Stats) bool { return s.InFlight == 1 })
		_ = l.Close() // cannot fail in a way that matters here
		await(t, o, name+" to notice", func(s Stats) bool { return s.InFlight == 0 && s.ConnectionsOpen == 0 })
	}
}

func TestIgnoredBodyHoldsTheSenderBack(t *testing.T) {
	o := play(t, IgnoreBody(Silent()))
	l := dial(t, o)
	l.send("POST / HTTP/1.1\r\nHost: a\r\nX-Request-Id: i\r\nContent-Length: 1000000000\r\n\r\n")
	await(t, o, "the head", func(s Stats) bool { return s.InFlight == 1 })
	if err := l.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	sent, err := io.Copy(l.TCPConn, Pattern(1e9))
	if err == nil || sent > 64<<20 {
		t.Errorf("sent %d bytes, %v; want to be held back by full buffers", sent, err)
	}
	if o.Seen("i") != 1 || o.Executed("i") != 0 {
		t.Errorf("seen %d, executed %d", o.Seen("i"), o.Executed("i"))
	}
}

func TestEarlyAnswerThenTheBodyThenTheNextRequest(t *testing.T) {
	l := dial(t, play(t, Answer(200, nil, "early")))
	l.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n")
	l.want("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly")
	l.send("body" + get)
	l.want("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly")

	l = dial(t, play(t, IgnoreBody(Answer(413, nil, ""))))
	l.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n")
	l.wantEnd("HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 0\r\n\r\n", false)
}

func TestExpectContinue(t *testing.T) {
	const head = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
	l := dial(t, play(t, AfterBody(Answer(200, nil, "thanks"))))
	l.send(head)
	l.want("HTTP/1.1 100 Continue\r\n\r\n")
	l.send("body")
	l.want("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nthanks")

	l = dial(t, play(t, Answer(417, nil, "no"))) // the body is never asked for, so the connection cannot go on
	l.send(head)
	l.wantEnd("HTTP/1.1 417 Expectation Failed\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno", false)

	l = dial(t, play(t, Interim(100, nil, Interim(100, nil, AfterBody(Answer(200, nil, ""))))))
	l.send(head + "body")
	l.want("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
}

func TestDripSplitsWrites(t *testing.T) {
	o := play(t, Drip(1, time.Millisecond, Answer(200, nil, "hi")))
	began := time.Now()
	got := do(t, client(t), "GET", o.URL("/"), http.NoBody)
	if took := time.Since(began); got.body != "hi" || took < 40*time.Millisecond {
		t.Errorf("%q after %v; 40 bytes at 1 ms each take at least 40 ms", got.body, took)
	}
}

func TestChunkedWithTrailer(t *testing.T) {
	got := do(t, client(t), "GET", play(t, Chunked(F("X-A", "1"), F("X-T", "end"), "ab", "", "c")).URL("/"), http.NoBody)
	if got.body != "abc" || got.Trailer.Get("X-T") != "end" || got.Header.Get("X-A") != "1" {
		t.Errorf("%q %v %v", got.body, got.Header, got.Trailer)
	}
}

func TestDefaultPaths(t *testing.T) {
	o, c := start(t, Options{Name: "one"}), client(t)
	for path, want := range map[string]string{
		"/status/503": "503 Service Unavailable\n", "/status/99": "ask for /status/200 to /status/999\n",
		"/delay/1ms": "one\n", "/delay/x": "ask for /delay/250ms\n", "/bytes/x": "ask for /bytes/N\n",
		"/trailers": "one\n", "/redirect?to=/a&status=307": "", "/ws": "this path upgrades\n",
	} {
		if got := do(t, c, "GET", o.URL(path), http.NoBody); got.body != want {
			t.Errorf("%s: %d %q, want %q", path, got.StatusCode, got.body, want)
		}
	}
	if got := do(t, c, "GET", o.URL("/redirect?to=/a&status=307"), http.NoBody); got.StatusCode != 307 || got.Header.Get("Location") != "/a" {
		t.Error(got.StatusCode, got.Header)
	}
	if got := do(t, c, "PUT", o.URL("/echo"), strings.NewReader("hello")); got.body != "hello" || got.ContentLength != 5 {
		t.Errorf("%q", got.body)
	}
	for _, method := range []string{"/echo", "/bytes/9", "/bytes/9?chunked", "/trailers"} {
		if got := do(t, c, "HEAD", o.URL(method), http.NoBody); got.StatusCode != 200 || got.body != "" {
			t.Errorf("HEAD %s: %d %q", method, got.StatusCode, got.body)
		}
	}
	if n := o.Stats().Connections; n > 3 { // /ws closes; everything else is kept
		t.Errorf("%d connections were needed", n)
	}
}

func TestLongBodiesBothWays(t *testing.T) {
	const size = 3_000_017
	o, c := start(t, Options{}), client(t)
	down := &Checker{}
	if _, err := down.Write([]byte(do(t, c, "GET", o.URL(fmt.Sprintf("/bytes/%d", size)), http.NoBody).body)); err != nil {
		t.Fatal(err)
	}
	if down.Count() != size || down.Mismatch() != -1 || down.Sum() != PatternSum(size) {
		t.Errorf("down: %d bytes, mismatch at %d", down.Count(), down.Mismatch())
	}
	got := do(t, c, "GET", o.URL(fmt.Sprintf("/bytes/%d?chunked", size)), http.NoBody)
	if want := fmt.Sprintf("%08x", PatternSum(size)); got.Trailer.Get(SumField) != want {
		t.Errorf("trailer %v, want %s", got.Trailer, want)
	}
	for _, body := range []io.Reader{Pattern(size), bytes.NewReader([]byte(got.body))} { // chunked, then with a length
		var up Received
		if err := json.Unmarshal([]byte(do(t, c, "POST", o.URL("/sink"), body).body), &up); err != nil {
			t.Fatal(err)
		}
		if up.Bytes != size || up.Mismatch != -1 || up.Sum != fmt.Sprintf("%08x", PatternSum(size)) {
			t.Errorf("up: %+v", up)
		}
	}
}

func TestPatternAndChecker(t *testing.T) {
	const size = 3 * patternSize
	want, err := io.ReadAll(Pattern(size))
	if err != nil || PatternSum(size) != crc32.Checksum(want, castagnoli) {
		t.Fatal("the sum is not the sum of the bytes", err)
	}
	if bytes.Equal(want[:1000], want[1:1001]) {
		t.Fatal("a shift would go unnoticed")
	}
	if err := iotest.TestReader(Pattern(size), want); err != nil {
		t.Error(err)
	}
	want[patternSize+7] ^= 1
	c := &Checker{}
	for part := range bytes.SplitAfterSeq(want, []byte{want[3]}) { // uneven writes
		_, _ = c.Write(part) // never fails, by contract
	}
	if c.Mismatch() != patternSize+7 || c.Count() != size {
		t.Errorf("mismatch at %d of %d", c.Mismatch(), c.Count())
	}
}

func TestSSEFollowsTheTestsClock(t *testing.T) {
	events := make(chan string)
	l := dial(t, play(t, SSE(nil, events)))
	l.send(get)
	resp, err := http.ReadResponse(l.br, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	for _, event := range []string{"one", "two"} {
		events <- event // nothing but this event is under way
		if got, err := lines.ReadString('\n'); err != nil || got != "data: "+event+"\n" {
			t.Fatalf("%q, %v", got, err)
		}
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	close(events)
	if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestUpgradeEchoes(t *testing.T) {
	l := dial(t, start(t, Options{Name: "one"}))
	l.send("GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo\r\n\r\nfirst")
	l.want("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\nOrigin-Name: one\r\n\r\nfirst")
	l.send("second")
	l.want("second")
	if err := l.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	l.wantEnd("", false)
}

// The key and its answer are those of RFC 6455 §1.3.
func TestWebSocketEchoesFrames(t *testing.T) {
	l := dial(t, start(t, Options{}))
	l.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	l.want("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
	for _, size := range []int{0, 5, 125, 126, 65535, 65536, 100_000} {
		payload, err := io.ReadAll(Pattern(int64(size)))
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = l.Write(frame(0x82, payload, true)) }() // a failure shows on the reading side
		l.want(string(frame(0x82, payload, false)))
	}
	l.send(string(frame(0x89, []byte("ping"), true)))
	l.want(string(frame(0x8a, []byte("ping"), false)))
	l.send(string(frame(0x88, []byte{3, 232}, true)))
	l.want(string(frame(0x88, []byte{3, 232}, false)))
	l.wantEnd("", false)
}

func frame(first byte, payload []byte, masked bool) []byte {
	var length []byte
	switch n := len(payload); {
	case n < 126:
		length = []byte{byte(n)}
	case n < 1<<16:
		length = binary.BigEndian.AppendUint16([]byte{126}, uint16(n))
	default:
		length = binary.BigEndian.AppendUint64([]byte{127}, uint64(n))
	}
	f := append([]byte{first}, length...)
	if !masked {
		return append(f, payload...)
	}
	f[1] |= 0x80
	key := [4]byte{1, 2, 3, 4}
	f = append(f, key[:]...)
	for i, b := range payload {
		f = append(f, b^key[i%4])
	}
	return f
}

func TestFieldsKeepOrderAndCase(t *testing.T) {
	f := F("a", "1", "B", "2", "A", "3")
	if f.Get("A") != "1" || strings.Join(f.Values("a"), ",") != "1,3" || !f.Has("b") || f.Has("c") || f.Get("c") != "" {
		t.Error(f)
	}
	defer func() {
		if recover() == nil {
			t.Error("an odd number of strings is accepted")
		}
	}()
	F(strings.Fields("alone")...)
}

func TestErrorsOfActionsAreDistinct(t *testing.T) {
	if !errors.Is(errCut, ErrClose) || errors.Is(errCut, ErrReset) || errors.Is(ErrClose, errCut) {
		t.Error("a cut is a close, and a close is no cut")
	}
}
