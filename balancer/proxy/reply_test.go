package proxy

import (
	"regexp"
	"strings"
	"testing"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/config"
)

var dateText = regexp.MustCompile(`Date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT`)

// fixed answers every request with r.
func fixed(r config.FixedResponse) change {
	return func(c *config.Config, _ *Options) {
		c.LoadBalancers[0].Rules = []config.Rule{{Name: "fixed", FixedResponse: &r}}
	}
}

// Behaviour U3: the answer is what the configuration says, and no origin hears of the request. Whole and byte by byte.
func TestFixedResponse(t *testing.T) {
	const keptGET, keptHEAD = "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
	redirect := config.FixedResponse{StatusCode: 301, ContentType: "text/html", Location: "https://example.com/x?y#z", MessageBody: "<p>moved\n"}
	for _, c := range []struct {
		name     string
		response config.FixedResponse
		request  string
		want     string // DATE and RAY stand for themselves
		closes   bool
	}{
		{
			"everything", redirect, plainGET,
			"HTTP/1.1 301 Moved Permanently\r\nDate: DATE\r\nContent-Type: text/html\r\nContent-Length: 9\r\nLocation: https://example.com/x?y#z\r\nCF-Ray: RAY\r\n\r\n<p>moved\n", false,
		},
		{
			"HEAD", redirect, keptHEAD,
			"HTTP/1.1 301 Moved Permanently\r\nDate: DATE\r\nContent-Type: text/html\r\nContent-Length: 9\r\nLocation: https://example.com/x?y#z\r\nCF-Ray: RAY\r\n\r\n", false,
		},
		{
			"a status alone",
			config.FixedResponse{StatusCode: 403},
			plainGET,
			"HTTP/1.1 403 Forbidden\r\nDate: DATE\r\nContent-Length: 0\r\nCF-Ray: RAY\r\n\r\n", false,
		},
		{
			"a status without a phrase",
			config.FixedResponse{StatusCode: 599, MessageBody: "x"},
			plainGET,
			"HTTP/1.1 599 \r\nDate: DATE\r\nContent-Length: 1\r\nCF-Ray: RAY\r\n\r\nx", false,
		},
		{
			"204 has no body",
			config.FixedResponse{StatusCode: 204, MessageBody: "x"},
			plainGET,
			"HTTP/1.1 204 No Content\r\nDate: DATE\r\nCF-Ray: RAY\r\n\r\n", false,
		},
		{
			"304 has no body",
			config.FixedResponse{StatusCode: 304, MessageBody: "x"},
			plainGET,
			"HTTP/1.1 304 Not Modified\r\nDate: DATE\r\nCF-Ray: RAY\r\n\r\n", false,
		},
		{
			"205 has an empty one",
			config.FixedResponse{StatusCode: 205, MessageBody: "x"},
			plainGET,
			"HTTP/1.1 205 Reset Content\r\nDate: DATE\r\nContent-Length: 0\r\nCF-Ray: RAY\r\n\r\n", false,
		},
		{
			"HTTP/1.0 that stays",
			config.FixedResponse{StatusCode: 200, MessageBody: "x"},
			keptGET,
			"HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Length: 1\r\nCF-Ray: RAY\r\nConnection: keep-alive\r\n\r\nx", false,
		},
		{
			"a request to close",
			config.FixedResponse{StatusCode: 200, MessageBody: "x"},
			closeGET,
			"HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Length: 1\r\nCF-Ray: RAY\r\nConnection: close\r\n\r\nx", true,
		},
		{
			"an empty body that was announced",
			config.FixedResponse{StatusCode: 200, MessageBody: "x"},
			"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Length: 1\r\nCF-Ray: RAY\r\n\r\nx", false,
		},
		{
			"a body that nobody reads",
			config.FixedResponse{StatusCode: 200, MessageBody: "x"},
			"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
			"HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Length: 1\r\nCF-Ray: RAY\r\nConnection: close\r\n\r\nx", true,
		},
		{
			"a body that waits to be asked for",
			config.FixedResponse{StatusCode: 200, MessageBody: "x"},
			"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
			"HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Length: 1\r\nCF-Ray: RAY\r\nConnection: close\r\n\r\nx", true,
		},
	} {
		for how, send := range map[string]func(*visitor, string){"whole": (*visitor).send, "byte by byte": (*visitor).trickle} {
			t.Run(c.name+", "+how, func(t *testing.T) {
				w := only(t, fixed(c.response))
				v := w.visit()
				for n := range 2 {
					if send(v, c.request); c.closes {
						_ = v.Conn.(interface{ CloseWrite() error }).CloseWrite()
					}
					body := c.want[strings.Index(c.want, "\r\n\r\n")+4:]
					got := v.head() + v.read(len(body))
					got = dateText.ReplaceAllString(rayText.ReplaceAllString(got, "CF-Ray: RAY"), "Date: DATE")
					if got != c.want {
						t.Fatalf("answer %d: got\n%q\nwant\n%q", n, got, c.want)
					}
					o := w.outcome(n)
					if o.Status != c.response.StatusCode || o.Class != balancer.OK || o.Tries != 0 || o.Session != NoSession ||
						o.Decision.Reason != balancer.RuleResponse || o.BytesOut != int64(len(body)) {
						t.Errorf("outcome %+v", o)
					}
					if c.closes {
						v.ended()
						break
					}
				}
				if s := w.origins[0].Stats(); s.Connections > 0 {
					t.Errorf("the origin heard of it: %+v", s)
				}
			})
		}
	}
}

func TestFixedResponseIsExplained(t *testing.T) {
	w := only(t, fixed(config.FixedResponse{StatusCode: 200}), func(_ *config.Config, o *Options) { o.ExplainHeaders = true })
	if res, _ := w.get("/"); res.Header.Get("Weir-Reason") != "rule_response" {
		t.Errorf("got %v", res.Header)
	}
}

// Adaptive routing: a retry in another pool asks that pool's origin, with its Host and with the body from its start
// (behaviour D1, Q1, R3).
func TestRetryAcrossPools(t *testing.T) {
	across := func(on bool) change {
		return func(c *config.Config, _ *Options) {
			c.LoadBalancers[0].SteeringPolicy = "off"
			c.LoadBalancers[0].AdaptiveRouting.FailoverAcrossPools = on
			c.Pools[0].Origins[0].Host = "a.example.com"
			c.Pools[1].Origins[0].Host = "b.example.com"
		}
	}
	const post = "POST /echo HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 11\r\n\r\nhello"
	t.Run("off", func(t *testing.T) {
		w := newWorld(t, named(t, "A"), secondPool(named(t, "B")...), across(false))
		w.origins[0].Kill()
		if res, body := w.get("/"); res.StatusCode != 521 {
			t.Errorf("got %d %q", res.StatusCode, body)
		}
	})
	t.Run("on", func(t *testing.T) {
		second := named(t, "B")
		w := newWorld(t, named(t, "A"), secondPool(second...), across(true))
		w.origins[0].Kill()
		v := w.visit()
		v.send(plainGET)
		if res, body := v.answer("GET"); res.StatusCode != 200 || body != "B\n" {
			t.Errorf("got %d %q", res.StatusCode, body)
		}
		o := w.outcome(0)
		if o.Tries != 2 || o.Retried != balancer.ConnectRefused || o.Decision.Reason != balancer.RetriedAcross || o.Decision.Pool.Config.ID != "pool-2" {
			t.Errorf("%d tries, %v, %v in %s", o.Tries, o.Retried, o.Decision.Reason, o.Decision.Pool.Config.ID)
		}
		v.send(post)
		v.send(" world")
		if res, body := v.answer("POST"); res.StatusCode != 200 || body != "hello world" {
			t.Errorf("got %d %q", res.StatusCode, body)
		}
		if head := string(second[0].Last().Head); !strings.Contains(head, "\r\nHost: b.example.com\r\n") {
			t.Errorf("the origin saw %q", head)
		}
	})
	t.Run("one retry only", func(t *testing.T) {
		second := named(t, "B")
		w := newWorld(t, named(t, "A"), secondPool(second...), across(true))
		w.origins[0].Kill()
		second[0].Kill()
		if res, _ := w.get("/"); res.StatusCode != 521 || w.outcome(0).Tries != 2 {
			t.Errorf("got %d", res.StatusCode)
		}
	})
	t.Run("the cookie names who answered", func(t *testing.T) {
		w := newWorld(t, named(t, "A"), secondPool(named(t, "B")...), across(true), affine("cookie", 1800, failover("sticky")))
		b := w.browser()
		b.expect("A new set")
		w.origins[0].Kill()
		b.expect("B moved set")
		b.expect("B hit")
		w.browser().expect("B new set")
	})
}

// A pool counts what its origins count, from the pick to the last byte and while connections are open (behaviour S9). That
// all of it is back at 0 in the end is looked at after every test.
func TestPoolLoads(t *testing.T) {
	w := newWorld(t, named(t, "A", "B"))
	load := w.writer.Current().Pools()[0].Load()
	var clients []*visitor
	for range 5 {
		v := w.visit()
		v.send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		v.head()
		clients = append(clients, v)
	}
	if load.Outstanding() != 5 || load.Connections() != 5 {
		t.Errorf("%d requests and %d connections, want 5 and 5", load.Outstanding(), load.Connections())
	}
	for _, v := range clients {
		_ = v.Close()
	}
	w.await("the end of the tunnels", func() bool { return load.Outstanding() == 0 && load.Connections() == 0 })
	w.get("/")
	w.outcome(5)
	if load.Outstanding() != 0 || load.Connections() != 1 {
		t.Errorf("%d requests and %d connections, want none and the kept one", load.Outstanding(), load.Connections())
	}
}
