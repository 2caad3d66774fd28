package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"testing"
	"time"

	"github.com/weirlb/weir/bench/origin"
)

// atATime is how many bodies are on their way at once.
const atATime = 8

// TestLargeBodies moves long bodies down, up, and both ways at once, under a memory limit that holds none of them.
func TestLargeBodies(t *testing.T) {
	const limit = 128 << 20
	size := sized[int64](8<<20, 64<<20, 2<<30)
	w := serve(t, one(startOrigin(t, "one", nil)), with{environment: []string{"GOMEMLIMIT=128MiB"}})
	for _, way := range []struct {
		name string
		size int64
		move func(c *conn, size int64, chunked bool) error
	}{
		{"down", size, (*conn).download},
		{"up", size, (*conn).upload},
		{"both ways", size / atATime, (*conn).echo},
	} {
		began := time.Now()
		err := together(atATime, func(i int) error {
			c, err := w.dial()
			if err != nil {
				return err
			}
			defer c.Close()
			return way.move(c, way.size, i%2 == 1)
		})
		if err != nil {
			t.Fatalf("%s: %v", way.name, err)
		}
		took := time.Since(began)
		moved := float64(way.size*atATime) / (1 << 20)
		t.Logf("%s: %d at a time of %d MiB, %.0f MiB/s; most memory so far %d MiB",
			way.name, atATime, way.size>>20, moved/took.Seconds(), w.peakMemory(t)>>20)
	}
	if peak := w.peakMemory(t); peak >= limit {
		t.Errorf("the process has held %d MiB, want less than %d", peak>>20, limit>>20)
	}
	w.quiet("pool")
	w.stop()
}

// together runs n of f at the same time.
func together(n int, f func(i int) error) error {
	failed := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { failed[i] = f(i) })
	}
	all.Wait()
	return errors.Join(failed...)
}

// conn is a client's connection of which every byte is at hand.
type conn struct {
	net.Conn
	r *bufio.Reader
}

// dial connects to the proxy. No exchange takes longer than the deadline.
func (w *weir) dial() (*conn, error) {
	c, err := net.Dial("tcp", w.proxy)
	if err != nil {
		return nil, err
	}
	return &conn{c, bufio.NewReaderSize(c, 64<<10)}, c.SetDeadline(time.Now().Add(sized(time.Minute, time.Minute, 5*time.Minute)))
}

func (c *conn) ask(method, path, fields string) error {
	_, err := fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", method, path, host, fields)
	return err
}

func (c *conn) answer(method string) (*http.Response, error) {
	resp, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err == nil && resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s is answered %s", method, resp.Status)
	}
	return resp, err
}

func (c *conn) download(size int64, chunked bool) error {
	path := fmt.Sprintf("/bytes/%d", size)
	if chunked {
		path += "?chunked"
	}
	if err := c.ask(http.MethodGet, path, ""); err != nil {
		return err
	}
	resp, err := c.answer(http.MethodGet)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := exact(resp.Body, size); err != nil {
		return err
	}
	if sum := fmt.Sprintf("%08x", origin.PatternSum(size)); chunked && resp.Trailer.Get(origin.SumField) != sum {
		return fmt.Errorf("the trailer says %v, want %s", resp.Trailer, sum)
	}
	return nil
}

// exact reads a body that must be this much of the pattern.
func exact(body io.Reader, size int64) error {
	var seen origin.Checker
	if _, err := io.CopyBuffer(&seen, body, make([]byte, 64<<10)); err != nil {
		return fmt.Errorf("after %d of %d bytes: %w", seen.Count(), size, err)
	}
	if seen.Count() != size || seen.Mismatch() >= 0 || seen.Sum() != origin.PatternSum(size) {
		return fmt.Errorf("%d bytes, the first wrong one at %d; want %d and none", seen.Count(), seen.Mismatch(), size)
	}
	return nil
}

func (c *conn) upload(size int64, chunked bool) error {
	if err := c.post("/sink", size, chunked); err != nil {
		return err
	}
	resp, err := c.answer(http.MethodPost)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var got origin.Received
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		return err
	}
	if sum := fmt.Sprintf("%08x", origin.PatternSum(size)); got.Bytes != size || got.Mismatch >= 0 || got.Sum != sum {
		return fmt.Errorf("the origin received %+v, want %d bytes with the sum %s", got, size, sum)
	}
	return nil
}

func (c *conn) post(path string, size int64, chunked bool) error {
	fields := fmt.Sprintf("Content-Length: %d\r\n", size)
	if chunked {
		fields = "Transfer-Encoding: chunked\r\n"
	}
	if err := c.ask(http.MethodPost, path, fields); err != nil {
		return err
	}
	if !chunked {
		_, err := io.CopyBuffer(plain{c}, origin.Pattern(size), make([]byte, 64<<10))
		return err
	}
	chunks := httputil.NewChunkedWriter(c)
	if _, err := io.CopyBuffer(plain{chunks}, origin.Pattern(size), make([]byte, 64<<10)); err != nil {
		return err
	}
	if err := chunks.Close(); err != nil {
		return err
	}
	_, err := io.WriteString(c, "\r\n") // the end of the trailer is the caller's, says httputil
	return err
}

// plain hides what else a writer can, so that the buffer given is the buffer used.
type plain struct{ io.Writer }

// echo sends a body and reads it back meanwhile.
func (c *conn) echo(size int64, chunked bool) error {
	sent := make(chan error, 1)
	go func() { sent <- c.post("/echo", size, chunked) }()
	resp, err := c.answer(http.MethodPost)
	if err == nil {
		defer resp.Body.Close()
		err = exact(resp.Body, size)
	}
	if err != nil {
		_ = c.Close() // ends the sender
	}
	return errors.Join(err, <-sent)
}

// TestEventsTickByTick sends one event after the other, each only once the one before has arrived.
func TestEventsTickByTick(t *testing.T) {
	t.Parallel()
	events := make(chan string)
	o := startOrigin(t, "one", origin.OnPath(map[string]origin.Action{"/events": origin.SSE(nil, events)}, origin.Default("one")))
	w := serve(t, one(o), with{})
	c, err := w.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.ask(http.MethodGet, "/events", "Accept: text/event-stream\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := c.answer(http.MethodGet)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("Content-Type %q", got)
	}
	lines := bufio.NewReader(resp.Body)
	for i := range 100 {
		want := fmt.Sprintf("tick %d", i)
		select {
		case events <- want:
		case <-time.After(patience):
			t.Fatal("the origin is not there to send")
		}
		for _, want := range []string{"data: " + want + "\n", "\n"} {
			if line, err := lines.ReadString('\n'); err != nil || line != want {
				t.Fatalf("%q, %v, want %q", line, err, want)
			}
		}
	}
	close(events)
	if rest, err := io.ReadAll(lines); err != nil || len(rest) > 0 {
		t.Errorf("at the end: %q, %v", rest, err)
	}
	_ = c.Close()
	w.quiet("pool", o)
	w.stop()
}
