package origin

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestDefaultNamesItself(t *testing.T) {
	for _, addr := range []string{"", "[::1]:0"} {
		o := start(t, Options{Name: "one", Addr: addr})
		got := do(t, client(t), "GET", o.URL("/any/path?q=1"), http.NoBody)
		if got.StatusCode != 200 || got.body != "one\n" || got.Header.Get(NameField) != "one" {
			t.Errorf("%s: %v %q %v", o.Addr(), got.StatusCode, got.body, got.Header)
		}
		if r := o.Last(); r.Path != "/any/path" || r.Query != "q=1" || o.ExecutedPath("/any/path") != 1 {
			t.Errorf("recorded %+v", r)
		}
	}
}

func TestAnswersHoldNothingInvented(t *testing.T) {
	l := dial(t, play(t, Answer(200, F("X-A", "1"), "hello")))
	l.send(get)
	l.want("HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 5\r\n\r\nhello")
	l.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	l.want("HTTP/1.1 200 OK\r\nX-A: 1\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")
	l.wantEnd("", false)
}

func TestFramingOfBodylessAnswers(t *testing.T) {
	for _, c := range []struct{ method, want string }{
		{"HEAD /", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
		{"GET /204", "HTTP/1.1 204 No Content\r\n\r\n"},
		{"GET /304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"},
	} {
		o := start(t, Options{Handler: OnPath(map[string]Action{
			"/204": Answer(204, nil, "never sent"),
			"/304": Answer(304, F("Content-Length", "5"), "never sent"),
		}, Always(Answer(200, nil, "hello")))})
		l := dial(t, o)
		request := c.method + " HTTP/1.1\r\nHost: a\r\n\r\n"
		l.send(request + request) // the second proves that nothing followed the first
		l.want(c.want + c.want)
	}
}

func TestPipeliningKeepsTheOrder(t *testing.T) {
	l := dial(t, start(t, Options{}))
	l.send("GET /status/201 HTTP/1.1\r\nHost: a\r\n\r\n" +
		"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n" +
		"GET /status/203 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	got, err := io.ReadAll(l.br)
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, want := range []string{"HTTP/1.1 201 ", "HTTP/1.1 200 ", "3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n", "HTTP/1.1 203 "} {
		i := strings.Index(string(got)[at:], want)
		if i < 0 {
			t.Fatalf("%q is missing or misplaced in %q", want, got)
		}
		at += i + len(want)
	}
}

func TestMalformedRequestsAreRefusedAndCounted(t *testing.T) {
	for _, request := range []string{
		"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n folded: 1\r\n\r\n",
		"GET / HTTP/1.1\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
		"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
	} {
		o := start(t, Options{})
		l := dial(t, o)
		l.send(request)
		l.want("HTTP/1.1 400 ")
		if s := o.Stats(); s.Malformed != 1 || s.Requests != 0 {
			t.Errorf("%q: %+v", request, s)
		}
	}
}

func TestMalformedChunksAreCountedAndNotExecuted(t *testing.T) {
	for _, chunks := range []string{"x\r\n", "3\nabc\r\n0\r\n\r\n", "3\r\nabcd\r\n", "0\r\nbad field\r\n\r\n", "-1\r\n\r\n"} {
		o := start(t, Options{})
		l := dial(t, o)
		l.send("POST /sink HTTP/1.1\r\nHost: a\r\nX-Request-Id: i\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
		await(t, o, "the end", func(s Stats) bool { return s.Malformed == 1 && s.ConnectionsOpen == 0 })
		if o.Seen("i") != 1 || o.Executed("i") != 0 {
			t.Errorf("%q: seen %d, executed %d", chunks, o.Seen("i"), o.Executed("i"))
		}
	}
}

func TestExecutedCountsWholeRequestsOnly(t *testing.T) {
	o := start(t, Options{})
	for _, body := range []string{"hello", "hell"} {
		l := dial(t, o)
		l.send("POST /sink HTTP/1.1\r\nHost: a\r\nX-Request-Id: i\r\nContent-Length: 5\r\n\r\n" + body)
		if err := l.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		_, _ = io.ReadAll(l.br) // a truncated request is not answered
	}
	await(t, o, "both", func(s Stats) bool { return s.Truncated == 1 && s.ConnectionsOpen == 0 })
	if o.Seen("i") != 2 || o.Executed("i") != 1 || o.ExecutedIDs()["i"] != 1 {
		t.Errorf("seen %d, executed %d", o.Seen("i"), o.Executed("i"))
	}
	o.Forget()
	if o.Seen("i") != 0 || o.Last() != nil || o.Stats().Requests != 2 {
		t.Error("Forget keeps only the counters")
	}
}

func TestRecordsAreBoundedAndInOrder(t *testing.T) {
	o := start(t, Options{KeepRecords: 3})
	l := dial(t, o)
	for i := range 5 {
		l.send(fmt.Sprintf("GET /%d HTTP/1.1\r\nhOST: a\r\n\r\n", i))
		if _, err := http.ReadResponse(l.br, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := l.br.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	var paths []string
	for _, r := range o.Records() {
		paths = append(paths, r.Path)
	}
	if !slices.Equal(paths, []string{"/2", "/3", "/4"}) {
		t.Error(paths)
	}
	if last := o.Last(); string(last.Head) != "GET /4 HTTP/1.1\r\nhOST: a\r\n\r\n" || last.OnConnection != 5 || last.Connection != 1 {
		t.Errorf("%q, request %d on connection %d", last.Head, last.OnConnection, last.Connection)
	}
}

func TestKillResetsAndRefusesAndRestartComesBack(t *testing.T) {
	o := start(t, Options{Name: "one"})
	l := dial(t, o)
	l.send(get)
	l.want("HTTP/1.1 200 OK\r\n")
	for round := range 5 {
		o.Kill()
		o.Kill() // a second time does nothing
		if conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", o.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("round %d: dialling a dead origin: %v, %v", round, conn, err)
		}
		if err := o.Restart(); err != nil {
			t.Fatal(err)
		}
		if got := do(t, client(t), "GET", o.URL("/"), http.NoBody); got.body != "one\n" {
			t.Fatalf("round %d: %q", round, got.body)
		}
	}
	if _, err := io.ReadAll(l.br); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a connection of a killed origin ends with %v", err)
	}
	if err := o.Restart(); err == nil {
		t.Error("restarting a running origin works")
	}
	o.Close()
	if err := o.Restart(); err == nil {
		t.Error("restarting a closed origin works")
	}
}

func TestKillEndsWaitingActions(t *testing.T) {
	for name, a := range map[string]Action{
		"silent": Silent(), "delay": Delay(time.Hour, Close()), "sse": SSE(nil, make(chan string)),
		"unread": IgnoreBody(Silent()), "drip": Drip(1, time.Hour, Answer(200, nil, "x")),
		"stall": StallAfter(3, Answer(200, nil, "x")), "tunnel": Upgrade(nil),
	} {
		o := play(t, a)
		l := dial(t, o)
		l.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
		await(t, o, name, func(s Stats) bool { return s.InFlight == 1 })
		o.Kill()
		if s := o.Stats(); s.InFlight != 0 || s.ConnectionsOpen != 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestLifeFromManyGoroutines(t *testing.T) {
	o := start(t, Options{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				o.Kill()
				_ = o.Restart() // another goroutine may have been faster
				o.Use(Always(Reset()))
				o.CloseIdle()
				if conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", o.Addr()); err == nil {
					_, _ = io.WriteString(conn, get) // may be dead already
					_ = conn.Close()                 // likewise
				}
			}
		})
	}
	wg.Wait()
}

func TestUseChangesRunningOrigin(t *testing.T) {
	o := start(t, Options{Name: "one"})
	l := dial(t, o)
	o.Use(Sequence(Always(Answer(200, nil, "rest")), Answer(503, nil, "first")))
	for _, want := range []string{"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nfirst", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nrest"} {
		l.send(get)
		l.want(want)
	}
	o.Use(nil)
	l.send(get)
	l.want("HTTP/1.1 200 OK\r\nOrigin-Name: one\r\n")
}

func TestAcceptModes(t *testing.T) {
	o := start(t, Options{})
	o.UseAccept(AcceptClose)
	dial(t, o).wantEnd("", false)

	o.UseAccept(AcceptReset)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", o.Addr())
	if err == nil { // the reset may come before the dial returns
		_, err = conn.Read(make([]byte, 1))
		_ = conn.Close() // dead already
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reset at once: %v", err)
	}

	o.UseAccept(AcceptSilent)
	l := dial(t, o)
	l.send(get)
	await(t, o, "the silent connection", func(s Stats) bool { return s.ConnectionsOpen == 1 })
	_ = l.Close() // cannot fail in a way that matters here
	await(t, o, "its end", func(s Stats) bool { return s.ConnectionsOpen == 0 })
	if s := o.Stats(); s.Requests != 0 || s.Connections != 3 {
		t.Errorf("%+v", s)
	}
}

func TestIdleConnectionsClose(t *testing.T) {
	o := start(t, Options{})
	l := dial(t, o)
	l.send(get)
	l.want("HTTP/1.1 200 OK\r\n")
	await(t, o, "idleness", func(s Stats) bool { return s.Requests == 1 && s.ConnectionsIdle == 1 })
	if n := o.CloseIdle(); n != 1 {
		t.Errorf("CloseIdle closed %d connections", n)
	}
	if rest, err := io.ReadAll(l.br); err != nil || !strings.HasSuffix(string(rest), "\r\n\r\n"+o.Addr()+"\n") {
		t.Errorf("%q, %v", rest, err)
	}
	o.CloseIdleAfter(time.Millisecond)
	dial(t, o).wantEnd("", false)
}

func TestTLS(t *testing.T) {
	ca, err := NewCA()
	if err != nil {
		t.Fatal(err)
	}
	verdict := func(config *tls.Config, err error) (answer, error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		o := start(t, Options{Name: "one", TLS: config})
		c := client(t)
		c.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: ca.Pool(), ServerName: "app.example"}
		r, _ := http.NewRequestWithContext(t.Context(), "GET", o.URL("/head"), http.NoBody)
		resp, err := c.Do(r)
		if err != nil {
			await(t, o, "the failed handshake", func(s Stats) bool { return s.HandshakeFailures == 1 })
			return answer{}, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if r := o.Last(); !r.TLS || r.ServerName != "app.example" {
			t.Errorf("recorded SNI %q", r.ServerName)
		}
		return answer{resp, string(body), nil}, err
	}
	if got, err := verdict(ca.Server("app.example", "127.0.0.1")); err != nil || !strings.HasPrefix(got.body, "GET /head HTTP/1.1\r\n") {
		t.Errorf("good certificate: %q, %v", got.body, err)
	}
	for want, config := range map[string]func(...string) (*tls.Config, error){
		"expired": ca.Expired, "unknown authority": ca.Untrusted, "certificate required": ca.ServerAskingClients,
		"not app.example": func(...string) (*tls.Config, error) { return ca.Server("wrong.invalid") },
	} {
		if _, err := verdict(config("app.example")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TLS 1.2, because its alerts can be told from data without the keys.
func TestTLSEndsTellCloseFromCut(t *testing.T) {
	ca, err := NewCA()
	if err != nil {
		t.Fatal(err)
	}
	config, err := ca.Server("app.example")
	if err != nil {
		t.Fatal(err)
	}
	long := UntilClose(200, nil, strings.Repeat("x", 100))
	for _, c := range []struct {
		name        string
		a           Action
		length      int
		closeNotify bool
		want        error
	}{
		{"until close", long, 138, true, nil},
		{"cut", CloseAfter(50, long), 50, false, nil},
		{"reset", ResetAfter(50, long), 50, false, syscall.ECONNRESET},
	} {
		o := start(t, Options{TLS: config, Handler: Always(c.a)})
		records := &lastRecord{Conn: dial(t, o).TCPConn}
		conn := tls.Client(records, &tls.Config{RootCAs: ca.Pool(), ServerName: "app.example", MaxVersion: tls.VersionTLS12})
		if _, err := io.WriteString(conn, get); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(conn)
		const alert = 21
		if len(got) != c.length || !errors.Is(err, c.want) || (records.kind() == alert) != c.closeNotify {
			t.Errorf("%s: %q, %v, last record of kind %d", c.name, got, err, records.kind())
		}
	}
}

// lastRecord remembers what was received, to say of which kind the last TLS record was.
type lastRecord struct {
	net.Conn
	received []byte
}

func (l *lastRecord) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	l.received = append(l.received, p[:n]...)
	return n, err
}

func (l *lastRecord) kind() (kind byte) {
	for rest := l.received; len(rest) >= 5; {
		kind = rest[0]
		rest = rest[5+int(binary.BigEndian.Uint16(rest[3:])):]
	}
	return kind
}

func TestCertificateFiles(t *testing.T) {
	ca, err := NewCA()
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile, err := ca.WriteFiles(t.TempDir(), "app.example")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.LoadX509KeyPair(certFile, keyFile); err != nil {
		t.Error(err)
	}
	if cert, err := ca.Client("weir"); err != nil || cert.Leaf.Subject.CommonName != "Weir bench" {
		t.Error(cert.Leaf, err)
	}
	if !strings.HasPrefix(string(ca.PEM()), "-----BEGIN CERTIFICATE-----\n") {
		t.Error("no PEM")
	}
}

func TestBlackHoleNeverConnects(t *testing.T) {
	hole, err := StartBlackHole()
	if err != nil {
		t.Skip(err)
	}
	defer hole.Close()
	d := net.Dialer{Timeout: 50 * time.Millisecond}
	conn, err := d.DialContext(t.Context(), "tcp", hole.Addr())
	if timeout := net.Error(nil); !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("dialling a black hole: %v, %v; want a timeout", conn, err)
	}
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	o := start(t, Options{})
	if _, err := Start(Options{Addr: o.Addr()}); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), o.Addr()) {
		t.Errorf("the same port twice: %v", err)
	}
	if _, err := Start(Options{Addr: "nonsense"}); err == nil {
		t.Error("an address without a port works")
	}
}
