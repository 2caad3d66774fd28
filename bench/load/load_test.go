package load

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// conserve checks the two sums that every report promises.
func conserve(t *testing.T, r *Report) {
	t.Helper()
	if r.Due != r.Sent+r.Unsent || r.Sent != r.Answered+r.Failed+r.Interrupted || r.Unsent < 0 {
		t.Errorf("requests were lost: %v", r)
	}
}

// pipes is a server without sockets, for virtual time: answer waits as it likes and returns the raw answer.
func pipes(answer func(n int64) string) func(context.Context, string) (net.Conn, error) {
	var n atomic.Int64
	return func(context.Context, string) (net.Conn, error) {
		here, there := net.Pipe()
		go func() {
			defer there.Close()
			br := bufio.NewReader(there)
			for {
				if _, err := http.ReadRequest(br); err != nil {
					return
				}
				if _, err := io.WriteString(there, answer(n.Add(1)-1)); err != nil {
					return
				}
			}
		}()
		return here, nil
	}
}

const okAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\none\n"

func TestRequestsLeaveOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		dues := map[int64]time.Duration{}
		r, err := Run(t.Context(), Options{
			Addr: "pipe", Rate: 100, For: time.Second, Conns: 10,
			Dial:     pipes(func(int64) string { return okAnswer }),
			OnResult: func(r *Result) { mu.Lock(); dues[r.Index] = r.Due; mu.Unlock() },
		})
		if err != nil {
			t.Fatal(err)
		}
		conserve(t, r)
		if text := r.String(); !strings.HasPrefix(text, "100 due in 990ms: 100 answered, 0 failed,") || !strings.Contains(text, "tags     map[one:100]\n") {
			t.Error(text)
		}
		if r.Sent != 100 || r.Answered != 100 || r.Late != 0 || r.Lag.Max() != 0 || r.Latency.Max() != 0 || r.Elapsed != 990*time.Millisecond {
			t.Errorf("%v", r)
		}
		for i := range int64(100) {
			if dues[i] != time.Duration(i)*10*time.Millisecond {
				t.Errorf("request %d was due at %v", i, dues[i])
			}
		}
		if r.Dials != 10 || r.Reconnects != 0 || r.Tags["one"] != 100 || r.Status[200] != 100 || r.Bytes != 400 {
			t.Errorf("%v", r)
		}
	})
}

// One connection, stalled for the first half: a closed loop would report one slow request, not fifty.
func TestStallShowsInEveryRequestThatWasDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		latency := map[int64]time.Duration{}
		r, err := Run(t.Context(), Options{
			Addr: "pipe", Rate: 100, For: time.Second, Conns: 1,
			Dial: pipes(func(n int64) string {
				if n == 0 {
					time.Sleep(500 * time.Millisecond)
				}
				return okAnswer
			}),
			OnResult: func(r *Result) { mu.Lock(); latency[r.Index] = r.Latency; mu.Unlock() },
		})
		if err != nil {
			t.Fatal(err)
		}
		conserve(t, r)
		for i := range int64(100) {
			want := max(0, time.Duration(50-i)*10*time.Millisecond)
			if latency[i] != want {
				t.Errorf("request %d took %v, want %v", i, latency[i], want)
			}
		}
		if p50 := r.Latency.Quantile(0.5); p50 != 0 {
			t.Errorf("half of the requests took %v", p50)
		}
		if p75 := r.Latency.Quantile(0.75); p75 < 250*time.Millisecond || p75 > 260*time.Millisecond {
			t.Errorf("three quarters of the requests took up to %v, want 250 ms", p75)
		}
		if r.Late != 49 || r.Lag.Count() != 51 || r.Lag.Max() != 0 { // 1 to 49 fell due during the stall, 50 at its end
			t.Errorf("%d late, lag of %d up to %v", r.Late, r.Lag.Count(), r.Lag.Max())
		}
	})
}

func TestRunEndsAlthoughNobodyAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := Run(t.Context(), Options{
			Addr: "pipe", Rate: 100, For: time.Second, Conns: 2, Timeout: time.Second,
			Dial: pipes(func(int64) string { time.Sleep(time.Hour); return "" }),
		})
		if err != nil {
			t.Fatal(err)
		}
		conserve(t, r)
		time.Sleep(time.Hour) // virtual: the server's turns end too
		if r.Sent != 4 || r.Unsent != 96 || r.Causes[CauseTimeout] != 4 || r.Elapsed > 2100*time.Millisecond {
			t.Errorf("%v", r)
		}
	})
}

func TestRunStopsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 105*time.Millisecond)
		defer cancel()
		run, err := Start(ctx, Options{
			Addr: "pipe", Rate: 100, For: time.Hour, Conns: 4,
			Dial: pipes(func(n int64) string {
				if n >= 2 {
					time.Sleep(time.Hour)
				}
				return okAnswer
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		if r := run.Report(); r.Sent != 6 || r.Answered != 2 || r.Elapsed != 50*time.Millisecond || r.Due != 6 {
			t.Errorf("under way: %v", r)
		}
		r := run.Wait()
		conserve(t, r)
		time.Sleep(time.Hour) // virtual: the server's turns end too
		if r.Answered != 2 || r.Interrupted != 4 || r.Due != 11 || r.Elapsed != 105*time.Millisecond {
			t.Errorf("at the end: %v", r)
		}
	})
}

// scripted is a server on a real socket that plays one script per connection.
func scripted(t *testing.T, script func(conn *net.TCPConn, br *bufio.Reader)) string {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				script(conn.(*net.TCPConn), bufio.NewReader(conn))
			})
		}
	})
	t.Cleanup(func() { _ = ln.Close(); wg.Wait() })
	return ln.Addr().String()
}

func say(answer string) func(*net.TCPConn, *bufio.Reader) {
	return func(conn *net.TCPConn, br *bufio.Reader) {
		if _, err := http.ReadRequest(br); err == nil {
			_, _ = io.WriteString(conn, answer) // a client that has gone is part of some scripts
		}
	}
}

func TestEveryCauseIsNamed(t *testing.T) {
	refused := scripted(t, say(""))
	dead, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = dead.Close() // the address is all that is needed
	for _, c := range []struct {
		want   Cause
		status int
		addr   string
		opts   Options
	}{
		{CauseRefused, 0, dead.Addr().String(), Options{}},
		{CauseConnect, 0, "x", Options{Dial: func(context.Context, string) (net.Conn, error) { return nil, errors.New("no") }}},
		{CauseTLS, 0, refused, Options{TLS: &tls.Config{}}},
		{CauseClosed, 0, scripted(t, say("")), Options{}},
		{CauseReset, 0, scripted(t, func(conn *net.TCPConn, br *bufio.Reader) { say("")(conn, br); _ = conn.SetLinger(0) }), Options{}},
		{CauseTimeout, 0, scripted(t, func(_ *net.TCPConn, br *bufio.Reader) { _, _ = io.Copy(io.Discard, br) }), Options{Timeout: 20 * time.Millisecond}},
		{CauseTruncated, 0, scripted(t, say("HTTP/1.1 200 OK\r\nContent-Le")), Options{}},
		{CauseTruncated, 200, scripted(t, say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort")), Options{}},
		{CauseTruncated, 200, scripted(t, say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n")), Options{}},
		{CauseMalformed, 0, scripted(t, say("SSH-2.0\r\n\r\n")), Options{}},
		{CauseMalformed, 200, scripted(t, say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n")), Options{}},
		{CauseUnsolicited, 200, scripted(t, say(okAnswer+okAnswer)), Options{}},
		{CauseCheck, 200, scripted(t, say(okAnswer)), Options{Check: func(r *Result) error { return fmt.Errorf("not %q", r.Tag) }}},
	} {
		t.Run(string(c.want), func(t *testing.T) {
			c.opts.Addr, c.opts.Rate, c.opts.For = c.addr, 1000, time.Millisecond
			c.opts.Host = "app.example"
			c.opts.OnResult = func(r *Result) {
				if r.Cause != c.want || r.Err == nil || r.Status != c.status {
					t.Errorf("%s with status %d, %v; want %s with %d", r.Cause, r.Status, r.Err, c.want, c.status)
				}
			}
			r, err := Run(t.Context(), c.opts)
			if err != nil {
				t.Fatal(err)
			}
			conserve(t, r)
			if r.Failed != 1 || r.Causes[c.want] != 1 || len(r.Errors) != 1 || !strings.Contains(r.Errors[0], string(c.want)) {
				t.Errorf("%v", r)
			}
		})
	}
}

func TestSendFailureYieldsToAnEarlyAnswer(t *testing.T) {
	addr := scripted(t, func(conn *net.TCPConn, br *bufio.Reader) {
		if _, err := br.ReadString('\n'); err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		}
	})
	r, err := Run(t.Context(), Options{Addr: addr, Rate: 1000, For: time.Millisecond, Request: func(int64) Request {
		return Request{Method: "POST", Body: make([]byte, 16<<20)}
	}})
	if err != nil {
		t.Fatal(err)
	}
	conserve(t, r)
	// The kernel may destroy an answer that a reset overtakes, so either is right; a success or a hang is not.
	if r.Status[413]+r.Causes[CauseReset] != 1 {
		t.Errorf("%v", r)
	}
}

func TestConnectionClosedWhileIdleIsReplaced(t *testing.T) {
	if idleState(nil) != idleQuiet {
		t.Fatal("a connection that cannot be asked is not called quiet")
	}
	closed := make(chan struct{})
	addr := scripted(t, func(conn *net.TCPConn, br *bufio.Reader) {
		say(okAnswer)(conn, br)
		_ = conn.Close() // the test's point
		closed <- struct{}{}
	})
	r, err := Run(t.Context(), Options{
		Addr: addr, Rate: 1000, For: 5 * time.Millisecond, Conns: 1,
		OnResult: func(*Result) { <-closed }, // loopback delivers the end before Close returns
	})
	if err != nil {
		t.Fatal(err)
	}
	conserve(t, r)
	if runtimeKnowsIdle := idleKnown(); runtimeKnowsIdle && (r.Answered != 5 || r.Reconnects != 4 || r.Dials != 5) {
		t.Errorf("%v", r)
	}
}

// idleKnown says whether this platform can tell.
func idleKnown() bool {
	here, there := net.Pipe()
	_ = there.Close() // its end is what the other side is asked about
	defer here.Close()
	ln, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return false
	}
	defer ln.Close()
	conn, err := net.DialTCP("tcp", nil, ln.Addr().(*net.TCPAddr))
	if err != nil {
		return false
	}
	_ = conn.Close() // a closed connection is the case that only a knowing platform tells
	return idleState(conn) == idleClosed
}

func TestRequestsAreWrittenAsAsked(t *testing.T) {
	heads := make(chan string, 4)
	addr := scripted(t, func(conn *net.TCPConn, br *bufio.Reader) {
		for {
			var head strings.Builder
			for !strings.HasSuffix(head.String(), "\r\n\r\n") {
				line, err := br.ReadString('\n')
				if err != nil {
					return
				}
				head.WriteString(line)
			}
			body := ""
			if strings.Contains(head.String(), "Content-Length: 2") {
				b := make([]byte, 2)
				if _, err := io.ReadFull(br, b); err != nil {
					return
				}
				body = string(b)
			}
			heads <- head.String() + body
			if _, err := io.WriteString(conn, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nOrigin-Name: two\r\nContent-Length: 0\r\n\r\n"); err != nil {
				return
			}
		}
	})
	requests := []Request{
		{},
		{Method: "POST", Target: "/a?b", Fields: [][2]string{{"X-A", "1"}}, Body: []byte("hi")},
		{Method: "PUT"},
		{Fields: [][2]string{{"host", "other"}}},
	}
	r, err := Run(t.Context(), Options{
		Addr: addr, Host: "app.example", Rate: 1000, For: 4 * time.Millisecond, Conns: 1, TagField: "Origin-Name",
		Request: func(i int64) Request { return requests[i] },
	})
	if err != nil {
		t.Fatal(err)
	}
	conserve(t, r)
	if r.Tags["two"] != 4 || r.Dials != 1 {
		t.Errorf("%v", r)
	}
	for _, want := range []string{
		"GET / HTTP/1.1\r\nHost: app.example\r\n\r\n",
		"POST /a?b HTTP/1.1\r\nHost: app.example\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nhi",
		"PUT / HTTP/1.1\r\nHost: app.example\r\nContent-Length: 0\r\n\r\n",
		"GET / HTTP/1.1\r\nhost: other\r\n\r\n",
	} {
		if got := <-heads; got != want {
			t.Errorf("sent %q, want %q", got, want)
		}
	}
}

func TestAgainstNetHTTP(t *testing.T) {
	var served atomic.Int64
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := served.Add(1)
		w.Header().Set("Origin-Name", []string{"a", "b"}[n%2])
		if n%4 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.WriteString(w, strings.Repeat("x", 10_000)) // a failure shows in the report
	})
	for name, start := range map[string]func(http.Handler) *httptest.Server{"plain": httptest.NewServer, "tls": httptest.NewTLSServer} {
		t.Run(name, func(t *testing.T) {
			served.Store(0)
			s := start(handler)
			defer s.Close()
			opts := Options{
				Addr: s.Listener.Addr().String(), Host: "example.com", TagField: "Origin-Name",
				Rate: 2000, For: 100 * time.Millisecond, Conns: 8,
			}
			if s.TLS != nil {
				opts.TLS = s.Client().Transport.(*http.Transport).TLSClientConfig
			}
			r, err := Run(t.Context(), opts)
			if err != nil {
				t.Fatal(err)
			}
			conserve(t, r)
			if !maps.Equal(r.Status, map[int]int64{200: 150, 503: 50}) || r.Tags["a"] != 100 || r.Tags["b"] != 100 || r.Failed != 0 {
				t.Errorf("%v", r)
			}
			if r.Dials > 8 || r.Bytes != 200*10_000 {
				t.Errorf("%d dials, %d bytes", r.Dials, r.Bytes)
			}
		})
	}
}

func TestTagsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := Run(t.Context(), Options{
			Addr: "pipe", Rate: 1000, For: 2 * time.Second,
			Dial: pipes(func(n int64) string {
				return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n%04d", n)
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		conserve(t, r)
		if len(r.Tags) != maxTags+1 || r.Tags["*"] != 2000-maxTags {
			t.Errorf("%d tags, %d beyond", len(r.Tags), r.Tags["*"])
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	for _, opts := range []Options{
		{Rate: 1, For: 1},
		{Addr: "a", For: 1},
		{Addr: "a", Rate: 1},
		{Addr: "a", Rate: -1, For: 1},
		{Addr: "a", Rate: 1, For: 1, Conns: -1},
		{Addr: "a", Rate: 1, For: 1, Timeout: -1},
	} {
		if _, err := Run(t.Context(), opts); err == nil || !slices.Contains(strings.Fields(err.Error()), "give") {
			t.Errorf("%+v: %v; want an error that says what to give", opts, err)
		}
	}
}
