package notify

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

// Over real sockets, with the transport that a Notifier makes itself.

// notifyReal sends the news that origin a is down to a URL, and returns the reports when the Notifier is closed, at the
// latest after within.
func notifyReal(t *testing.T, url string, transport *http.Transport, within time.Duration, s Secrets) []string {
	t.Helper()
	var l ledger
	o := l.options()
	if transport != nil {
		o.Transport = transport
	}
	n := New(o)
	n.Apply(hooked([]config.Pool{pool("eu", nil)}, url), s)
	n.Notify(origin("eu", "a", false))
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	n.Close(ctx)
	return l.read()
}

const patience = time.Minute // far more than any of it takes

func TestRealDelivery(t *testing.T) {
	t.Parallel()
	var r receiver
	server := httptest.NewServer(&r)
	defer server.Close()
	url := server.URL + "/T0K3N"
	same(t, "reports", notifyReal(t, url, nil, patience, Secrets{map[string]string{url: "s3cr3t"}}), []string{"hook1 delivered after 1"})
	came := r.arrivals()
	if len(came) != 1 {
		t.Fatalf("%d requests, want 1", len(came))
	}
	a := came[0]
	if a.path != "POST /T0K3N" {
		t.Errorf("%s", a.path)
	}
	for name, want := range map[string]string{
		"Cf-Webhook-Auth": "s3cr3t", "Content-Type": "application/json", "User-Agent": "weir",
	} {
		if got := a.header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestRealDeliveryWithoutSecret(t *testing.T) {
	t.Parallel()
	var r receiver
	server := httptest.NewServer(&r)
	defer server.Close()
	notifyReal(t, server.URL, nil, patience, Secrets{map[string]string{"http://another.test/": "s3cr3t"}})
	if a := r.arrivals(); len(a) != 1 || a[0].header["Cf-Webhook-Auth"] != nil {
		t.Errorf("%+v, want one request without a secret", a)
	}
}

func TestRealErrorThenOK(t *testing.T) {
	t.Parallel()
	r := receiver{answer: answers("500", "200")}
	server := httptest.NewServer(&r)
	defer server.Close()
	same(t, "reports", notifyReal(t, server.URL, nil, patience, Secrets{}), []string{
		"hook1 failed after 1, again in 1s: the answer was 500 Internal Server Error",
		"hook1 delivered after 2",
	})
}

func TestRealRetryAfter(t *testing.T) {
	t.Parallel()
	r := receiver{answer: answers("429 2", "200")}
	server := httptest.NewServer(&r)
	defer server.Close()
	same(t, "reports", notifyReal(t, server.URL, nil, patience, Secrets{}), []string{
		"hook1 failed after 1, again in 2s: the answer was 429 Too Many Requests", "hook1 delivered after 2",
	})
	if a := r.arrivals(); len(a) != 2 || a[1].at.Sub(a[0].at) < 900*time.Millisecond {
		t.Errorf("%+v, want two requests with two seconds between them", a)
	}
}

// A receiver that does not answer holds up nothing but its own alerts, and Close not at all beyond its limit.
func TestRealHanging(t *testing.T) {
	t.Parallel()
	r := receiver{answer: answers("hang")}
	server := httptest.NewServer(&r)
	defer server.Close()
	same(t, "reports", notifyReal(t, server.URL, nil, 900*time.Millisecond, Secrets{}), []string{
		"hook1 given up after 1: weir stopped before it was delivered",
	})
}

// The secret goes where it was configured to go and nowhere else (behaviour W7).
func TestRealRedirect(t *testing.T) {
	t.Parallel()
	var other receiver
	elsewhere := httptest.NewServer(&other)
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		r := receiver{answer: func(_ int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, status)
		}}
		server := httptest.NewServer(&r)
		lines := notifyReal(t, server.URL, nil, patience, Secrets{map[string]string{server.URL: "s3cr3t"}})
		if len(lines) != 1 || !strings.HasSuffix(lines[0], "redirects are not followed; configure the URL it leads to") {
			t.Errorf("%d: %q", status, lines)
		}
		server.Close()
	}
	if n := len(other.arrivals()); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

// Certificates are verified (behaviour W7).
func TestRealTLS(t *testing.T) {
	t.Parallel()
	var r receiver
	server := httptest.NewUnstartedServer(&r)
	server.Config.ErrorLog = silent
	server.StartTLS()
	defer server.Close()
	lines := notifyReal(t, server.URL, nil, 900*time.Millisecond, Secrets{map[string]string{server.URL: "s3cr3t"}})
	if len(lines) == 0 || !strings.Contains(lines[0], "certificate signed by unknown authority") {
		t.Errorf("an unknown certificate: %q", lines)
	}
	if n := len(r.arrivals()); n != 0 {
		t.Fatalf("%d requests came to a receiver with an unknown certificate", n)
	}
	known := newTransport()
	known.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	same(t, "a known certificate", notifyReal(t, server.URL, known, patience, Secrets{}), []string{"hook1 delivered after 1"})

	wrong := newTransport()
	wrong.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	wrong.TLSClientConfig.ServerName = "wrong.test"
	lines = notifyReal(t, server.URL, wrong, 900*time.Millisecond, Secrets{})
	if len(lines) == 0 || !strings.Contains(lines[0], "not wrong.test") {
		t.Errorf("a certificate for another name: %q", lines)
	}
}

func TestRealRefusal(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	url := server.URL
	server.Close()
	lines := notifyReal(t, url+"/T0K3N", nil, 900*time.Millisecond, Secrets{})
	if len(lines) != 2 || !strings.Contains(lines[0], "hook1 failed after 1, again in 1s: dial tcp") || strings.Contains(lines[0], "T0K3N") {
		t.Errorf("%q", lines)
	}
}

// From an engine's probes to a webhook: an origin that nobody listens at is told once, and its pool after it.
func TestFromAnEngine(t *testing.T) {
	t.Parallel()
	r := receiver{}
	told := make(chan bool, 1)
	r.answer = func(n int, _ http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			told <- true
		}
	}
	server := httptest.NewServer(&r)
	defer server.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	c, problems := config.Load([]config.Source{{Name: "in.json", Data: []byte(`{
		"monitors": [{"id": "m", "type": "tcp", "port": ` + closed.URL[strings.LastIndex(closed.URL, ":")+1:] + `, "interval": 60}],
		"pools": [{"id": "p", "name": "eu", "monitor": "m", "origins": [{"name": "a", "address": "127.0.0.1"}]}],
		"weir": {"notifications": [{"name": "ops", "url": "` + server.URL + `"}]}
	}`)}}, config.Options{})
	if c == nil {
		t.Fatal(problems)
	}
	var l ledger
	n := New(l.options())
	n.Apply(c, Secrets{})
	engine := health.NewEngine(health.Options{OnEvent: n.Notify})
	engine.Apply(c)
	<-told
	engine.Close()
	n.Close(t.Context())
	same(t, "told", r.texts(), []string{"Origin a of pool eu is unhealthy, seen from " + c.Weir.DataCenters[0].PoP + ": TCP connection failed."})
}

func TestReadSecrets(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := dir + "/" + name
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("WEIR_TEST_SECRET", " from the environment\n")
	t.Setenv("WEIR_TEST_EMPTY", "")
	good := []config.Webhook{
		{URL: "http://a/", SecretFile: file("good", "  from a file\n")},
		{URL: "http://b/", SecretEnv: "WEIR_TEST_SECRET"},
		{URL: "http://c/"},
	}
	s, err := ReadSecrets(good)
	if err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]string{"http://a/": "from a file", "http://b/": "from the environment", "http://c/": ""} {
		if s.byURL[url] != want {
			t.Errorf("%s: %q, want %q", url, s.byURL[url], want)
		}
	}
	for what, c := range map[string]struct {
		hook config.Webhook
		want string
	}{
		"no file":     {config.Webhook{SecretFile: dir + "/none"}, "no such file"},
		"a directory": {config.Webhook{SecretFile: dir}, "is a directory"},
		"empty":       {config.Webhook{SecretFile: file("empty", " \n")}, "is empty or not set"},
		"long":        {config.Webhook{SecretFile: file("long", strings.Repeat("TEXT", 2000))}, "more than 4096 bytes"},
		"two lines":   {config.Webhook{SecretFile: file("lines", "TEXT\nTEXT")}, "one line of printable ASCII"},
		"a letter":    {config.Webhook{SecretFile: file("letter", "TEXT é")}, "one line of printable ASCII"},
		"unset":       {config.Webhook{SecretEnv: "WEIR_TEST_UNSET"}, "the environment variable WEIR_TEST_UNSET is empty or not set"},
		"blank":       {config.Webhook{SecretEnv: "WEIR_TEST_EMPTY"}, "is empty or not set"},
	} {
		c.hook.URL = "https://hooks.test/T0K3N"
		_, err := ReadSecrets(append(good[:3:3], c.hook))
		if err == nil {
			t.Errorf("%s: no error", what)
			continue
		}
		if text := err.Error(); !strings.Contains(text, c.want) || !strings.Contains(text, "weir.notifications 3 (https://hooks.test): ") ||
			strings.Contains(text, "T0K3N") || strings.Contains(text, "TEXT") {
			t.Errorf("%s: %q, want %q in it, and no secret", what, text, c.want)
		}
	}
}
