package origin

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is what no test ever waits unless something is broken.
const patience = 10 * time.Second

func start(t *testing.T, opts Options) *Origin {
	t.Helper()
	o, err := Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		o.Close()
		if s := o.Stats(); s.ConnectionsOpen != 0 || s.InFlight != 0 {
			t.Errorf("after Close: %+v, want nothing open", s)
		}
	})
	return o
}

func play(t *testing.T, a Action) *Origin {
	t.Helper()
	return start(t, Options{Name: "one", Handler: Always(a)})
}

// line is a raw client: what it sends and receives are the bytes on the wire.
type line struct {
	t *testing.T
	*net.TCPConn
	br *bufio.Reader
}

func dial(t *testing.T, o *Origin) *line {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", o.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // many tests closed it before
	conn.SetDeadline(time.Now().Add(patience))
	return &line{t, conn.(*net.TCPConn), bufio.NewReader(conn)}
}

func (l *line) send(s string) {
	l.t.Helper()
	if _, err := io.WriteString(l.TCPConn, s); err != nil {
		l.t.Fatal(err)
	}
}

func (l *line) want(s string) {
	l.t.Helper()
	got := make([]byte, len(s))
	n, err := io.ReadFull(l.br, got)
	if err != nil || string(got) != s {
		l.t.Fatalf("received %q, %v; want %q", got[:n], err, s)
	}
}

// wantEnd reads to the end and says whether it was a reset.
func (l *line) wantEnd(rest string, reset bool) {
	l.t.Helper()
	got, err := io.ReadAll(l.br)
	if wasReset := errors.Is(err, syscall.ECONNRESET); string(got) != rest || wasReset != reset || !reset && err != nil {
		l.t.Fatalf("the connection ended with %q, %v; want %q, reset %v", got, err, rest, reset)
	}
}

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

func await(t *testing.T, o *Origin, what string, ok func(Stats) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := o.Await(ctx, ok); err != nil {
		t.Fatalf("waiting for %s: %v; %+v", what, err, o.Stats())
	}
}

// client is net/http with connections of its own.
func client(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type answer struct {
	*http.Response
	body string
	err  error // of reading the body
}

func do(t *testing.T, c *http.Client, method, url string, body io.Reader) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return send(t, c, r)
}

func send(t *testing.T, c *http.Client, r *http.Request) answer {
	t.Helper()
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	if closeErr := resp.Body.Close(); closeErr != nil {
		t.Error(closeErr)
	}
	return answer{resp, string(got), err}
}
