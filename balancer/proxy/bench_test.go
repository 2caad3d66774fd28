package proxy

import (
	"io"
	"maps"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirlb/weir/config"
)

// request is a GET as browsers send it, with ten fields.
const request = "GET /static/app.js?v=3 HTTP/1.1\r\nHost: www.example.com\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n" +
	"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n" +
	"Accept-Language: en-GB,en;q=0.9,de;q=0.7\r\nAccept-Encoding: gzip, deflate, br\r\n" +
	"Referer: https://www.example.com/index.html\r\nCookie: session=0123456789abcdef; theme=dark\r\n" +
	"Cache-Control: max-age=0\r\nSec-Fetch-Mode: navigate\r\nUpgrade-Insecure-Requests: 1\r\n\r\n"

const answer200 = "HTTP/1.1 200 OK\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Type: text/plain\r\nContent-Length: 20\r\n" +
	"Cache-Control: no-store\r\nEtag: \"abc\"\r\n\r\n01234567890123456789"

// dumbOrigin answers every read with the same answer and allocates nothing.
func dumbOrigin(tb testing.TB) *net.TCPAddr {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf, answer := make([]byte, 4096), []byte(answer200)
				for {
					if _, err := c.Read(buf); err != nil {
						return
					}
					if _, err := c.Write(answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return ln.Addr().(*net.TCPAddr)
}

// keepAlive is a client that asks the same again and again over one connection.
type keepAlive struct {
	net.Conn
	buf []byte
	n   int // length of an answer
}

func newKeepAlive(tb testing.TB, addr, text string) *keepAlive {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	k := &keepAlive{Conn: c, buf: make([]byte, 4096)}
	if _, err := io.WriteString(c, text); err != nil {
		tb.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // the first answer tells how long each is
	if k.n, err = c.Read(k.buf); err != nil {
		tb.Fatal(err)
	}
	return k
}

func (k *keepAlive) get(tb testing.TB, text []byte) {
	if _, err := k.Write(text); err != nil {
		tb.Fatal(err)
	}
	if _, err := io.ReadFull(k.Conn, k.buf[:k.n]); err != nil {
		tb.Fatal(err)
	}
}

// dumbWorld is a world in front of a dumbOrigin, with nobody looking on.
func dumbWorld(tb testing.TB, changes ...change) *world {
	port := dumbOrigin(tb).Port
	dumb := func(c *config.Config, o *Options) {
		c.Pools[0].Origins = []config.Origin{{Name: "dumb", Address: "127.0.0.1", Port: port, Enabled: true, Weight: 100}}
		o.Observe = nil
	}
	return newWorld(tb, nil, append([]change{dumb}, changes...)...)
}

// budgets are worlds whose keep-alive GET must cost no allocation of ours, and the requests that they get.
func budgets(t testing.TB) map[string]func() (w *world, text string) {
	staged := strings.Replace(request, "\r\n\r\n", "\r\nCF-IPCountry: DE\r\nWeir-Pop: SJC\r\nWeir-Seed: 0x123\r\n\r\n", 1)
	return map[string]func() (*world, string){
		"plain": func() (*world, string) { return dumbWorld(t), request },
		"a session by cookie": func() (*world, string) {
			w := dumbWorld(t, affine("cookie", 1800))
			return w, withCookie(t, w)
		},
		"a session by cookie begins": func() (*world, string) { return dumbWorld(t, affine("cookie", 1800)), request },
		"a session by header": func() (*world, string) {
			return dumbWorld(t, affine("header", 60, func(l *config.LoadBalancer) {
				l.SessionAffinityAttributes.Headers = []string{"accept-language", "cookie:session"}
			})), request
		},
		"a place by the header": func() (*world, string) {
			return dumbWorld(t, func(c *config.Config, _ *Options) {
				c.LoadBalancers[0].SteeringPolicy, c.LoadBalancers[0].CountryPools = "geo", map[string][]string{"DE": {"pool-1"}}
			}), staged
		},
		"a rule": func() (*world, string) {
			return dumbWorld(t, func(c *config.Config, _ *Options) {
				c.LoadBalancers[0].Rules = []config.Rule{{
					Name: "r", Condition: `http.request.uri.path contains "/static" and http.cookie contains "theme"`,
					Overrides: config.Overrides{SteeringPolicy: "random"},
				}}
			}), request
		},
		"metrics": func() (*world, string) {
			m := NewMetrics(2)
			w := dumbWorld(t, affine("cookie", 1800), func(_ *config.Config, o *Options) { o.Observe = []func(*Outcome){m.Observe} })
			m.Keep(w.writer.Current(), true)
			return w, withCookie(t, w)
		},
	}
}

// withCookie is the request with the cookie of a session.
func withCookie(tb testing.TB, w *world) string {
	tb.Helper()
	v := w.visit()
	defer v.Close()
	v.send(request)
	res, _ := v.answer("GET")
	for _, c := range res.Cookies() {
		return strings.Replace(request, "theme=dark", "theme=dark; "+c.Name+"="+c.Value, 1)
	}
	tb.Fatalf("no cookie among %v", res.Header)
	return ""
}

func BenchmarkKeepAliveGET(b *testing.B) {
	all := budgets(b)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		b.Run(name, func(b *testing.B) {
			w, request := all[name]()
			k := newKeepAlive(b, w.addr, request)
			defer k.Close()
			text := []byte(request)
			b.ReportAllocs()
			for b.Loop() {
				k.get(b, text)
			}
		})
	}
}

// TestKeepAliveGETAllocates states the budget of one proxied keep-alive GET, client, proxy and origin together: nothing
// of ours, and one byte of fasthttp's, which reads the first byte of a request on its own while it holds no buffer.
func TestKeepAliveGETAllocates(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector empties pools, which looks like allocations")
	}
	for name, make := range budgets(t) {
		t.Run(name, func(t *testing.T) {
			w, request := make()
			k := newKeepAlive(t, w.addr, request)
			defer k.Close()
			text := []byte(request)
			for range 200 {
				k.get(t, text)
			}
			const n = 2000
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range n {
				k.get(t, text)
			}
			runtime.ReadMemStats(&after)
			if per := float64(after.Mallocs-before.Mallocs) / n; per >= 1.5 {
				t.Errorf("a keep-alive GET allocates %.2f times, the budget is 1", per)
			}
		})
	}
}
