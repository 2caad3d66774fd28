package proxy

import (
	"strings"
	"testing"
)

func TestRelaysARequestAndItsAnswer(t *testing.T) {
	w := only(t)
	v := w.visit()
	for range 3 {
		v.send("GET /hello?x=1 HTTP/1.1\r\nHost: example.com\r\n\r\n")
		res, body := v.answer("GET")
		if res.StatusCode != 200 || body != "one\n" {
			t.Fatalf("got %d %q", res.StatusCode, body)
		}
	}
	if got := w.origins[0].Stats(); got.Connections != 1 {
		t.Errorf("three requests took %d origin connections, want 1", got.Connections)
	}
	if o := w.outcome(0); o.Status != 200 || string(o.Target) != "/hello?x=1" {
		t.Errorf("outcome %+v", o)
	}
}

func TestOriginSeesTheHead(t *testing.T) {
	w := only(t)
	_, body := w.get("/head")
	t.Log(body)
	if !strings.HasPrefix(body, "GET /head HTTP/1.1\r\nHost: example.com\r\n") {
		t.Fatalf("got %q", body)
	}
}
