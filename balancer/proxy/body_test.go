package proxy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/bench/origin"
	"github.com/weirlb/weir/config"
)

func (w *world) awaitOrigin(what string, ok func(origin.Stats) bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.origins[0].Await(ctx, ok); err != nil {
		w.t.Fatalf("waited in vain for %s: %+v", what, w.origins[0].Stats())
	}
}

func TestRequestBodies(t *testing.T) {
	for name, message := range map[string]string{
		"length":             "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
		"length 0":           "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
		"chunked":            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n",
		"chunked, trailer":   "PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\nX-Sum: 1\r\n\r\n",
		"PATCH, empty":       "PATCH /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
		"GET with a body":    "GET /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
		"DELETE with a body": "DELETE /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
	} {
		want := "hello world"
		if strings.Contains(message, "Length: 0") {
			want = ""
		}
		method, _, _ := strings.Cut(message, " ")
		for mode, send := range map[string]func(*visitor, string){
			"whole":        (*visitor).send,
			"byte by byte": (*visitor).trickle,
		} {
			t.Run(name+"/"+mode, func(t *testing.T) {
				w := only(t)
				v := w.visit()
				for range 2 { // the second shows that the first took exactly its own bytes
					send(v, message)
					if res, body := v.answer(method); res.StatusCode != 200 || body != want {
						t.Fatalf("got %d %q", res.StatusCode, body)
					}
				}
				if o := w.origins[0].Stats(); o.Malformed+o.Truncated > 0 || o.Requests != 2 {
					t.Errorf("the origin saw %+v", o)
				}
			})
		}
	}
}

func TestPipelining(t *testing.T) {
	w := only(t)
	v := w.visit()
	const n = 20
	var all strings.Builder
	for i := range n {
		if i%2 == 0 {
			all.WriteString("GET /head HTTP/1.1\r\nHost: a\r\n\r\n")
		} else {
			fmt.Fprintf(&all, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n%02d", i)
		}
	}
	v.send(all.String())
	for i := range n {
		method, want := "GET", "GET /head"
		if i%2 == 1 {
			method, want = "POST", fmt.Sprintf("%02d", i)
		}
		if _, body := v.answer(method); !strings.HasPrefix(body, want) {
			t.Fatalf("answer %d is %q, want %q", i, body, want)
		}
	}
}

func TestUploadReachesTheOriginWhileItIsSent(t *testing.T) {
	got := make(chan string, 1)
	o := startOrigin(t, origin.Options{Handler: origin.Always(func(x *origin.Exchange) error {
		b := make([]byte, 5)
		if _, err := io.ReadFull(x, b); err != nil {
			return err
		}
		got <- string(b)
		return origin.AfterBody(origin.Answer(200, nil, "ok"))(x)
	})})
	w := newWorld(t, []*origin.Origin{o})
	v := w.visit()
	v.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nfirst")
	if first := <-got; first != "first" {
		t.Fatalf("the origin has %q", first)
	}
	v.send("-half")
	if _, body := v.answer("POST"); body != "ok" {
		t.Fatalf("got %q", body)
	}
}

func TestExpectContinue(t *testing.T) {
	const head = "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
	t.Run("the origin's 100 comes before the body", func(t *testing.T) {
		echo := func(x *origin.Exchange) error {
			body, err := io.ReadAll(x)
			if err != nil {
				return err
			}
			return origin.Answer(200, nil, string(body))(x)
		}
		w := newWorld(t, []*origin.Origin{startOrigin(t, origin.Options{Handler: origin.Always(echo)})})
		v := w.visit()
		for range 2 {
			v.send(head)
			if got := v.head(); !strings.HasPrefix(got, "HTTP/1.1 100 ") {
				t.Fatalf("got %q", got)
			}
			v.send("hello")
			if _, body := v.answer("POST"); body != "hello" {
				t.Fatalf("got %q", body)
			}
		}
	})
	t.Run("a final answer instead ends the connection", func(t *testing.T) {
		o := startOrigin(t, origin.Options{Handler: origin.Always(origin.Answer(417, nil, "no"))})
		w := newWorld(t, []*origin.Origin{o})
		v := w.visit()
		v.send(head)
		if res, body := v.answer("POST"); res.StatusCode != 417 || body != "no" || !res.Close {
			t.Fatalf("got %d %q, close %v", res.StatusCode, body, res.Close)
		}
		v.ended()
	})
	t.Run("a client that does not wait is not held up", func(t *testing.T) {
		o := startOrigin(t, origin.Options{Handler: origin.Always(origin.AfterBody(origin.Answer(200, nil, "ok")))})
		w := newWorld(t, []*origin.Origin{o})
		v := w.visit()
		v.send(head + "hello")
		for {
			got := v.head()
			if strings.HasPrefix(got, "HTTP/1.1 200 ") {
				return
			}
		}
	})
}

func TestEarlyAnswerIsRelayedWhileTheClientSends(t *testing.T) {
	o := startOrigin(t, origin.Options{Handler: origin.Always(origin.IgnoreBody(origin.Answer(413, origin.F("Connection", "close"), "too much")))})
	w := newWorld(t, []*origin.Origin{o})
	v := w.visit()
	v.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\nbegin")
	if res, body := v.answer("POST"); res.StatusCode != 413 || body != "too much" {
		t.Fatalf("got %d %q", res.StatusCode, body)
	}
}

func TestFullDuplex(t *testing.T) {
	w := only(t)
	v := w.visit()
	v.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
	v.send("3\r\none\r\n")
	v.head()
	for _, word := range []string{"one", "two", "six"} {
		if got := v.chunk(); got != word {
			t.Fatalf("got %q, want %q", got, word)
		}
		switch word {
		case "one":
			v.send("3\r\ntwo\r\n")
		case "two":
			v.send("3\r\nsix\r\n0\r\n\r\n")
		}
	}
}

// A request whose body breaks off or is malformed must not look whole to the origin (docs/behaviour.md E9).
func TestBrokenRequestBodies(t *testing.T) {
	for _, c := range []struct {
		name, message string
		leaves        bool
		status        int
		class         balancer.Class
	}{
		{"cut at a chunk boundary", "POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", true, 0, balancer.ClientGone},
		{"cut in a counted body", "POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello", true, 0, balancer.ClientGone},
		{"malformed chunk size, at once", "POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", false, 400, balancer.ClientInvalid},
		{"malformed chunk end, at once", "POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX", false, 400, balancer.ClientInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := only(t)
			v := w.visit()
			v.send(c.message)
			if c.leaves {
				w.awaitOrigin("the request", func(s origin.Stats) bool { return s.InFlight > 0 })
				_ = v.Close()
			} else if res, _ := v.answer("POST"); res.StatusCode != c.status || !res.Close {
				t.Errorf("got %d, close %v", res.StatusCode, res.Close)
			}
			if o := w.outcome(0); o.Class != c.class || o.Status != c.status {
				t.Errorf("outcome %v %d", o.Class, o.Status)
			}
			if n := w.origins[0].ExecutedPath("/sink"); n != 0 {
				t.Errorf("the origin took %d of the requests for whole", n)
			}
		})
	}
	t.Run("malformed later", func(t *testing.T) {
		w := only(t)
		v := w.visit()
		v.send("POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
		w.awaitOrigin("the request", func(s origin.Stats) bool { return s.InFlight > 0 })
		v.send("zzz\r\n")
		if res, _ := v.answer("POST"); res.StatusCode != 400 {
			t.Errorf("got %d", res.StatusCode)
		}
		if n := w.origins[0].ExecutedPath("/sink"); n != 0 {
			t.Errorf("the origin took %d of the requests for whole", n)
		}
	})
}

func TestClientThatStopsSendingItsBody(t *testing.T) {
	w := only(t, func(c *config.Config, _ *Options) { c.Weir.Timeouts.ClientGap = 50 * time.Millisecond })
	v := w.visit()
	v.send("POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
	if res, _ := v.answer("POST"); res.StatusCode != 408 {
		t.Errorf("got %d", res.StatusCode)
	}
	if o := w.outcome(0); o.Class != balancer.ClientTimeout {
		t.Errorf("outcome %v", o.Class)
	}
}

func TestLargeUploadsAreExact(t *testing.T) {
	const n = 5_000_001
	for _, framing := range []string{"length", "chunked"} {
		t.Run(framing, func(t *testing.T) {
			w := only(t)
			v := w.visit()
			go func() {
				if framing == "length" {
					fmt.Fprintf(v.Conn, "POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", n)
					_, _ = io.Copy(v.Conn, origin.Pattern(n))
					return
				}
				_, _ = io.WriteString(v.Conn, "POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
				for src, b := origin.Pattern(n), make([]byte, 10_007); ; {
					m, err := io.ReadFull(src, b)
					if m > 0 {
						fmt.Fprintf(v.Conn, "%x\r\n%s\r\n", m, b[:m])
					}
					if err != nil {
						break
					}
				}
				_, _ = io.WriteString(v.Conn, "0\r\n\r\n")
			}()
			_, body := v.answer("POST")
			var got origin.Received
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("%v in %q", err, body)
			}
			if want := fmt.Sprintf("%08x", origin.PatternSum(n)); !strings.Contains(body, want) {
				t.Errorf("the origin received %s, want %d bytes with sum %s", body, n, want)
			}
		})
	}
}
