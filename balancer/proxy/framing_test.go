package proxy

import (
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/weirlb/weir/bench/origin"
)

// The framing corpus: what an origin says, byte for byte, and what the client must then see, byte for byte, with
// every case sent whole and byte by byte in both directions. "client" is the raw answer with the ray replaced by RAY.
//
// Each line of docs/behaviour.md A1 to A7 has its cases here, and so has each way that proxies on fasthttp have been
// seen to break framing.

type framingCase struct {
	name    string
	request string // default: a plain GET
	origin  string // the origin's bytes
	ends    bool   // the origin closes after them
	client  string // the client's bytes
	closes  bool   // then the server closes the connection
	aborted bool   // then the server aborts the connection: what came must not look whole
}

const (
	plainGET  = "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"
	plainHEAD = "HEAD / HTTP/1.1\r\nHost: example.com\r\n\r\n"
	oldGET    = "GET / HTTP/1.0\r\nHost: example.com\r\n\r\n"
	oldKeep   = "GET / HTTP/1.0\r\nHost: example.com\r\nConnection: keep-alive\r\n\r\n"
	closeGET  = "GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"
	stamp     = "Date: Mon, 02 Jan 2006 15:04:05 GMT\r\n"
	ours      = "CF-Ray: RAY\r\nVia: 1.1 weir\r\n"
)

var framingCases = []framingCase{
	{
		name:   "Content-Length",
		origin: "HTTP/1.1 200 OK\r\n" + stamp + "Content-Length: 5\r\nX-a: 1\r\n\r\nhello",
		client: "HTTP/1.1 200 OK\r\n" + stamp + "Content-Length: 5\r\nX-a: 1\r\n" + ours + "\r\nhello",
	},
	{
		name:   "Content-Length in odd case, no reason phrase, odd field case",
		origin: "HTTP/1.1 299 \r\n" + stamp + "cOnTenT-lengTH:5\r\nx-A:\t 1 \r\n\r\nhello",
		client: "HTTP/1.1 299 \r\n" + stamp + "cOnTenT-lengTH: 5\r\nx-A:\t 1 \r\n" + ours + "\r\nhello",
	},
	{
		name:   "empty body by Content-Length: 0",
		origin: "HTTP/1.1 404 Nope\r\n" + stamp + "Content-Length: 0\r\n\r\n",
		client: "HTTP/1.1 404 Nope\r\n" + stamp + "Content-Length: 0\r\n" + ours + "\r\n",
	},
	{
		name:   "chunks, extensions and trailer pass as they are",
		origin: "HTTP/1.1 200 OK\r\n" + stamp + "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5;a=b\r\nhello\r\n006\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n",
		client: "HTTP/1.1 200 OK\r\n" + stamp + "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n" + ours + "\r\n5;a=b\r\nhello\r\n006\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n",
	},
	{
		name:    "chunks for an HTTP/1.0 client lose their framing",
		request: oldGET,
		origin:  "HTTP/1.1 200 OK\r\n" + stamp + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n",
		client:  "HTTP/1.1 200 OK\r\n" + stamp + ours + "Connection: close\r\n\r\nhello world",
		closes:  true,
	},
	{
		name:    "HTTP/1.0 client without keep-alive",
		request: oldGET,
		origin:  "HTTP/1.1 200 OK\r\n" + stamp + "Content-Length: 5\r\n\r\nhello",
		client:  "HTTP/1.1 200 OK\r\n" + stamp + "Content-Length: 5\r\n" + ours + "Connection: close\r\n\r\nhello",
		closes:  true,
	},
	{
		name:    "HTTP/1.0 client with keep-alive",
		request: oldKeep,
		origin:  "HTTP/1.1 200 OK\r\n" + stamp + "Content-Length: 5\r\n\r\nhello",
		client:  "HTTP/1.1 200 OK\r\n" + stamp + "Content-Length: 5\r\n" + ours + "Connection: keep-alive\r\n\r\nhello",
	},
	{
		name:    "client asks to close",
		request: closeGET,
		origin:  "HTTP/1.1 200 OK\r\n" + stamp + "Content-Length: 5\r\n\r\nhello",
		client:  "HTTP/1.1 200 OK\r\n" + stamp + "Content-Length: 5\r\n" + ours + "Connection: close\r\n\r\nhello",
		closes:  true,
	},
	{
		name:   "a body up to the end of the connection is put into chunks",
		origin: "HTTP/1.1 200 OK\r\n" + stamp + "\r\nhello",
		ends:   true,
		client: "HTTP/1.1 200 OK\r\n" + stamp + "CF-Ray: RAY\r\nTransfer-Encoding: chunked\r\nVia: 1.1 weir\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	},
	{
		name:    "a body up to the end of the connection for an HTTP/1.0 client",
		request: oldKeep,
		origin:  "HTTP/1.1 200 OK\r\n" + stamp + "\r\nhello",
		ends:    true,
		client:  "HTTP/1.1 200 OK\r\n" + stamp + ours + "Connection: close\r\n\r\nhello",
		closes:  true,
	},
	{
		name:   "an HTTP/1.0 answer is relayed as ours",
		origin: "HTTP/1.0 200 OK\r\n" + stamp + "Content-Length: 5\r\n\r\nhello",
		ends:   true,
		client: "HTTP/1.1 200 OK\r\n" + stamp + "Content-Length: 5\r\nCF-Ray: RAY\r\nVia: 1.0 weir\r\n\r\nhello",
	},
	{
		name:    "HEAD keeps Content-Length and has no body",
		request: plainHEAD,
		origin:  "HTTP/1.1 200 OK\r\n" + stamp + "Content-Length: 5\r\n\r\n",
		client:  "HTTP/1.1 200 OK\r\n" + stamp + "Content-Length: 5\r\n" + ours + "\r\n",
	},
	{
		name:    "HEAD keeps Transfer-Encoding and has no body",
		request: plainHEAD,
		origin:  "HTTP/1.1 200 OK\r\n" + stamp + "Transfer-Encoding: chunked\r\n\r\n",
		client:  "HTTP/1.1 200 OK\r\n" + stamp + "Transfer-Encoding: chunked\r\n" + ours + "\r\n",
	},
	{
		name:   "204 has no body",
		origin: "HTTP/1.1 204 No Content\r\n" + stamp + "\r\n",
		client: "HTTP/1.1 204 No Content\r\n" + stamp + ours + "\r\n",
	},
	{
		name:   "304 keeps Content-Length and has no body",
		origin: "HTTP/1.1 304 Not Modified\r\n" + stamp + "Content-Length: 5\r\nEtag: \"x\"\r\n\r\n",
		client: "HTTP/1.1 304 Not Modified\r\n" + stamp + "Content-Length: 5\r\nEtag: \"x\"\r\n" + ours + "\r\n",
	},
	{
		name:   "103 is relayed before the answer",
		origin: "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\n" + stamp + "Content-Length: 2\r\n\r\nok",
		client: "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nVia: 1.1 weir\r\n\r\nHTTP/1.1 200 OK\r\n" + stamp + "Content-Length: 2\r\n" + ours + "\r\nok",
	},
	{
		name:   "100 that nobody asked for is not relayed",
		origin: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n" + stamp + "Content-Length: 2\r\n\r\nok",
		client: "HTTP/1.1 200 OK\r\n" + stamp + "Content-Length: 2\r\n" + ours + "\r\nok",
	},
	{
		name:    "an HTTP/1.0 client gets no interim answer",
		request: oldKeep,
		origin:  "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n" + stamp + "Content-Length: 2\r\n\r\nok",
		client:  "HTTP/1.1 200 OK\r\n" + stamp + "Content-Length: 2\r\n" + ours + "Connection: keep-alive\r\n\r\nok",
	},
	{
		name: "hop-by-hop fields and those named in Connection stay behind",
		origin: "HTTP/1.1 200 OK\r\n" + stamp + "Connection: X-Hop, keep-alive\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nX-End: 2\r\n" +
			"Proxy-Connection: x\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n",
		client: "HTTP/1.1 200 OK\r\n" + stamp + "X-End: 2\r\nContent-Length: 0\r\n" + ours + "\r\n",
	},
	{
		name:   "Via is extended, our own fields from outside are dropped",
		origin: "HTTP/1.1 200 OK\r\n" + stamp + "Via: 1.1 edge\r\nCF-Ray: theirs\r\nWeir-Pool: theirs\r\nX-Accel-Buffering: no\r\nContent-Length: 0\r\n\r\n",
		client: "HTTP/1.1 200 OK\r\n" + stamp + "Via: 1.1 edge\r\nContent-Length: 0\r\n" + ours + "\r\n",
	},
	{
		name:    "cut in a counted body",
		origin:  "HTTP/1.1 200 OK\r\n" + stamp + "Content-Length: 10\r\n\r\nhello",
		ends:    true,
		client:  "HTTP/1.1 200 OK\r\n" + stamp + "Content-Length: 10\r\n" + ours + "\r\nhello",
		aborted: true,
	},
	{
		name:    "cut at a chunk boundary",
		origin:  "HTTP/1.1 200 OK\r\n" + stamp + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		ends:    true,
		client:  "HTTP/1.1 200 OK\r\n" + stamp + "Transfer-Encoding: chunked\r\n" + ours + "\r\n5\r\nhello\r\n",
		aborted: true,
	},
	{
		name:    "cut at a chunk boundary, HTTP/1.0 client",
		request: oldGET,
		origin:  "HTTP/1.1 200 OK\r\n" + stamp + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		ends:    true,
		client:  "HTTP/1.1 200 OK\r\n" + stamp + ours + "Connection: close\r\n\r\nhello",
		aborted: true,
	},
	{
		name:    "a malformed chunk in the answer",
		origin:  "HTTP/1.1 200 OK\r\n" + stamp + "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX",
		client:  "HTTP/1.1 200 OK\r\n" + stamp + "Transfer-Encoding: chunked\r\n" + ours + "\r\n5\r\nhello",
		aborted: true,
	},
}

var rayText = regexp.MustCompile(`CF-Ray: [0-9a-f]{16}-TST`)

func TestFraming(t *testing.T) {
	for _, c := range framingCases {
		if c.request == "" {
			c.request = plainGET
		}
		for mode, drip := range map[string]bool{"whole": false, "byte by byte": true} {
			t.Run(c.name+"/"+mode, func(t *testing.T) { c.run(t, drip) })
		}
	}
}

func (c framingCase) run(t *testing.T, drip bool) {
	w := newWorld(t, []*origin.Origin{startOrigin(t, origin.Options{Handler: origin.Always(c.act(drip))})})
	v := w.visit()
	if drip {
		v.trickle(c.request)
	} else {
		v.send(c.request)
	}
	got := v.read(len(c.client) + len("0123456789abcdef-TST") - len("RAY"))
	if got = rayText.ReplaceAllString(got, "CF-Ray: RAY"); got != c.client {
		t.Fatalf("the client saw\n%q\nwant\n%q", got, c.client)
	}
	switch {
	case c.aborted:
		v.cut()
	case c.closes:
		v.ended()
	default:
		c.again(v)
	}
}

// again checks that the connection can carry another request: nothing was left over and nothing is missing.
func (c framingCase) again(v *visitor) {
	v.t.Helper()
	v.send(closeGET)
	if got := v.head(); !strings.HasPrefix(got, "HTTP/1.1 ") {
		v.t.Fatalf("the next answer on the connection begins with %q", got)
	}
}

func (c framingCase) act(drip bool) origin.Action {
	return func(x *origin.Exchange) error {
		step := len(c.origin)
		if drip {
			step = 1
		}
		for text := c.origin; text != ""; text = text[step:] {
			if _, err := io.WriteString(x, text[:step]); err != nil {
				return err
			}
		}
		if c.ends {
			return origin.ErrClose
		}
		return nil
	}
}

// read reads n bytes, or fewer when the connection ends.
func (v *visitor) read(n int) string {
	v.t.Helper()
	b := make([]byte, n)
	m, err := io.ReadFull(v.r, b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		v.t.Logf("waited for %d bytes, have %d", n, m)
	}
	return string(b[:m])
}

// An answer that arrives in small pieces reaches the client piece by piece: the head does not wait for the body, nor
// one event for the next (behaviour A5).
func TestEventsArriveOneByOne(t *testing.T) {
	events := make(chan string)
	w := newWorld(t, []*origin.Origin{startOrigin(t, origin.Options{Handler: origin.Always(origin.SSE(nil, events))})})
	v := w.visit()
	v.send(plainGET)
	if head := v.head(); !strings.Contains(head, "text/event-stream") {
		t.Fatalf("got %q", head)
	}
	for _, event := range []string{"one", "two", "three"} {
		events <- event
		if got := v.chunk(); !strings.Contains(got, event) {
			t.Fatalf("event %q arrived as %q", event, got)
		}
	}
	close(events)
	if last := v.chunk(); last != "" {
		t.Fatalf("the stream ends with %q", last)
	}
}

// chunk reads one chunk's data, "" for the last chunk.
func (v *visitor) chunk() string {
	v.t.Helper()
	size, err := v.r.ReadString('\n')
	if err != nil {
		v.t.Fatal(err)
	}
	n := 0
	for _, d := range strings.TrimSpace(size) {
		n = n*16 + strings.IndexRune("0123456789abcdef", d)
	}
	data := v.read(n + 2)
	return strings.TrimSuffix(data, "\r\n")
}

// Date is added where the origin sent none, and never replaced (behaviour A3, RFC 9110 §6.6.1).
func TestDateIsAddedOnlyWhereMissing(t *testing.T) {
	w := newWorld(t, []*origin.Origin{startOrigin(t, origin.Options{Handler: origin.Always(origin.Answer(200, nil, "x"))})})
	res, _ := w.get("/")
	at, err := time.Parse(time.RFC1123, res.Header.Get("Date"))
	if err != nil || time.Since(at) > time.Minute || time.Since(at) < -time.Minute {
		t.Errorf("Date is %q", res.Header.Get("Date"))
	}
}

// What an idle origin connection says unasked must not become the answer to somebody's request (behaviour A5).
func TestUnaskedBytesNeverReachTheNextClient(t *testing.T) {
	extra := "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
	said := make(chan struct{})
	o := startOrigin(t, origin.Options{Name: "one", Handler: origin.Sequence(origin.Default("one"), func(x *origin.Exchange) error {
		_, err := io.WriteString(x, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		time.AfterFunc(20*time.Millisecond, func() {
			_, _ = io.WriteString(x, extra)
			close(said)
		})
		return err
	})})
	w := newWorld(t, []*origin.Origin{o})
	if _, body := w.get("/"); body != "ok" {
		t.Fatalf("got %q", body)
	}
	<-said
	for range 3 {
		if _, body := w.get("/"); body != "one\n" {
			t.Fatalf("got %q", body)
		}
	}
}

func TestExtraBytesBehindAnAnswerEndTheConnection(t *testing.T) {
	message := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
	o := startOrigin(t, origin.Options{Handler: origin.Sequence(origin.Default("one"), origin.Raw(message))})
	w := newWorld(t, []*origin.Origin{o})
	v := w.visit()
	v.send(plainGET + plainGET)
	if _, body := v.answer("GET"); body != "ok" {
		t.Fatalf("got %q", body)
	}
	if _, body := v.answer("GET"); body != "one\n" {
		t.Fatalf("got %q", body)
	}
}

func TestLargeAnswersAreExact(t *testing.T) {
	w := only(t)
	const n = 5_000_001
	for _, path := range []string{"/bytes/5000001", "/bytes/5000001?chunked"} {
		v := w.visit()
		v.send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
		_, body := v.answer("GET")
		var c origin.Checker
		_, _ = io.WriteString(&c, body)
		if c.Count() != n || c.Mismatch() >= 0 {
			t.Errorf("%s: %d bytes, first difference at %d", path, c.Count(), c.Mismatch())
		}
	}
}
