package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/weirlb/weir/health"
)

// httpServer serves until the test ends, and answers its URL.
func httpServer(t *testing.T, serve http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(serve)
	t.Cleanup(s.Close)
	return s.URL
}

// A key is made once, for its owner alone, and whoever comes later reads it (behaviour N9).
func TestKeepSessionKey(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "key")
	var made sync.WaitGroup
	keys := make([]string, 8)
	for i := range keys {
		made.Go(func() {
			key, err := keepSessionKey(file, nil)
			if err != nil {
				t.Error(err)
			}
			keys[i] = string(key)
		})
	}
	made.Wait()
	for _, key := range keys {
		if len(key) != 64 || key != keys[0] {
			t.Errorf("keys %q, want one and the same", keys)
		}
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v, want mode 0600", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".weir-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	other := filepath.Join(dir, "other")
	if key, err := keepSessionKey(other, []byte(keys[0])); err != nil || string(key) != keys[0] {
		t.Errorf("%s %v: the key in use is not kept in a new file", key, err)
	}
	if key, err := keepSessionKey("", []byte(keys[0])); err != nil || string(key) != keys[0] {
		t.Errorf("%s %v: the key in use does not stay without a file", key, err)
	}
	if a, _ := keepSessionKey("", nil); string(a) == keys[0] || len(a) != 64 {
		t.Errorf("%s: no fresh key", a)
	}
	for text, says := range map[string]string{
		"": "holds 0 bytes", "short": "holds 5 bytes", strings.Repeat("x", 5000): "16 to 4096",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := keepSessionKey(file, nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("a key of %d bytes: %v, want an error that says %q", len(text), err, says)
		}
	}
	if _, err := keepSessionKey(filepath.Join(dir, "none", "key"), nil); err == nil || !strings.Contains(err.Error(), "making sessions.key_file") {
		t.Errorf("a directory that is not there: %v", err)
	}
}

// sessionWorld is one pool of two origins with sessions by cookie.
func sessionWorld(t *testing.T) map[string]any {
	t.Helper()
	doc := document([]map[string]any{poolJSON("eu", "", startOrigin(t, "a"), startOrigin(t, "b"))})
	doc["load_balancers"] = []any{map[string]any{
		"id": "lb", "name": "*.example.com", "default_pools": []string{"id-eu"}, "fallback_pool": "id-eu", "session_affinity": "cookie",
	}}
	return doc
}

// sessionOf sends a request and answers who served it, with the session that the client then has.
func (r *running) sessionOf(cookie string) (origin, next string) {
	r.t.Helper()
	q, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.url("/"), http.NoBody)
	if err != nil {
		r.t.Fatal(err)
	}
	q.Host = "www.example.com"
	if cookie != "" {
		q.Header.Set("Cookie", cookie)
	}
	answer, err := r.client.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	set, _, _ := strings.Cut(answer.Header.Get("Set-Cookie"), ";")
	return strings.TrimSpace(string(body)), set
}

// Sessions outlive restarts and moves of the key, and end with the key that signed them (behaviour N9, O1).
func TestSessionKeyOverReloads(t *testing.T) {
	dir := t.TempDir()
	file, key := filepath.Join(dir, "all.json"), filepath.Join(dir, "session.key")
	doc := sessionWorld(t)
	writeJSON(t, file, doc)
	r := serveApp(t, file)
	r.logged("the cookies of sessions are signed with a key that ends with this process")
	origin, cookie := r.sessionOf("")
	if cookie == "" {
		t.Fatal("no session")
	}
	stays := func(when string, r *running) {
		t.Helper()
		if got, next := r.sessionOf(cookie); got != origin || next != "" {
			t.Errorf("%s: served by %s with %q, want %s and no other session", when, got, next, origin)
		}
	}
	stays("at once", r)

	doc["weir"] = map[string]any{"sessions": map[string]any{"key_file": key}}
	writeJSON(t, file, doc)
	r.reloaded()
	stays("after the key went into a file", r)
	if text := readFile(t, key); strings.TrimSpace(text) != string(r.key) {
		t.Error("the file does not hold the key in use")
	}
	other := serveApp(t, file)
	stays("at another instance", other)

	writeJSON(t, key, strings.Repeat("another key ", 4))
	r.reloaded()
	if _, next := r.sessionOf(cookie); next == "" {
		t.Error("with another key the session of the old one stands")
	}

	writeJSON(t, key, "short")
	if status, body := r.do(http.MethodPost, r.adminURL("/-/reload")); status != 422 || !strings.Contains(body, "sessions.key_file") {
		t.Errorf("a key that is none: %d %s, want 422", status, body)
	}
	for _, e := range r.logs.All() {
		if strings.Contains(e.Message, string(r.key)) {
			t.Errorf("the key is in the log: %s", e.Message)
		}
	}
}

// reloaded has the configuration read again.
func (r *running) reloaded() {
	r.t.Helper()
	if status, body := r.do(http.MethodPost, r.adminURL("/-/reload")); status != 200 {
		r.t.Fatalf("reload: %d %s", status, body)
	}
}

func TestStartRefusesAKeyThatIsNone(t *testing.T) {
	dir := t.TempDir()
	file, key := filepath.Join(dir, "all.json"), filepath.Join(dir, "session.key")
	doc := sessionWorld(t)
	doc["weir"] = map[string]any{"sessions": map[string]any{"key_file": key}}
	writeJSON(t, file, doc)
	writeJSON(t, key, "short")
	if status, _, stderr := weir(t, "serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", file); status != exitInput || !strings.Contains(stderr, "key_file") {
		t.Errorf("%d %s, want 1", status, stderr)
	}
}

// Changes of health reach the webhook with its secret, are counted, and no secret is told (behaviour W1, W7).
func TestNotifications(t *testing.T) {
	type post struct{ secret, text, source string }
	var mu sync.Mutex
	var posts []post
	hook := httpServer(t, func(_ http.ResponseWriter, q *http.Request) {
		var body struct {
			Text string
			Data struct {
				Source string `json:"event_source"`
			}
		}
		if err := json.NewDecoder(q.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		posts = append(posts, post{q.Header.Get("cf-webhook-auth"), body.Text, body.Data.Source})
	})
	dir := t.TempDir()
	file, secret := filepath.Join(dir, "all.json"), filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, b := startOrigin(t, "a"), startOrigin(t, "b")
	doc := document([]map[string]any{poolJSON("eu", "m", a, b)}, everySecond("m"))
	doc["weir"] = map[string]any{"notifications": []any{map[string]any{"name": "ops", "url": hook + "/T0/k3y", "secret_file": secret}}}
	writeJSON(t, file, doc)
	r := serveApp(t, file)
	await(t, "readiness", func() bool { status, _ := r.get(r.adminURL("/readyz")); return status == 200 })
	a.Kill()
	told := func(part string) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			for _, p := range posts {
				if strings.Contains(p.text, part) && p.secret == "hunter2" && p.source == "origin" {
					return true
				}
			}
			return false
		}
	}
	await(t, "news of the origin", told("Origin a of pool eu is unhealthy"))
	const delivered = `weir_notifications_total{result="delivered",webhook="ops"}`
	await(t, "its count", func() bool { return r.metric(delivered) == "1" })

	doc["pools"].([]map[string]any)[0]["enabled"] = false
	writeJSON(t, file, doc)
	r.reloaded()
	await(t, "news of the pool", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(posts) == 2 && strings.Contains(posts[1].text, "Pool eu was disabled")
	})
	for _, e := range r.logs.All() {
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(line), "hunter2") || strings.Contains(string(line), "k3y") {
			t.Errorf("a secret is in the log: %s", line)
		}
	}

	delete(doc["weir"].(map[string]any), "notifications")
	writeJSON(t, file, doc)
	r.reloaded()
	if got := r.metric(delivered); got != "" {
		t.Errorf("%s is %s after the webhook is gone", delivered, got)
	}
}

func TestAWebhookWithoutItsSecretIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "all.json")
	doc := document([]map[string]any{poolJSON("eu", "", startOrigin(t, "a"))})
	writeJSON(t, file, doc)
	r := serveApp(t, file)
	doc["weir"] = map[string]any{"notifications": []any{map[string]any{"name": "ops", "url": "http://127.0.0.1:1/", "secret_file": "none"}}}
	writeJSON(t, file, doc)
	if status, body := r.do(http.MethodPost, r.adminURL("/-/reload")); status != 422 || !strings.Contains(body, "secret of weir.notifications") {
		t.Errorf("%d %s, want 422 and which secret", status, body)
	}
	r.answers("a")
}

// A monitor that only watches takes nothing out of service, and the log does not say that it does (behaviour M4).
func TestOriginNews(t *testing.T) {
	e := health.Event{Pool: health.EventPool{Name: "eu"}, Monitor: "m2"}
	o := health.EventOrigin{Name: "a"}
	if got, want := originNews(&e, &o), "origin a of pool eu is down"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	e.MonitoringOnly = true
	if got, want := originNews(&e, &o), "monitor m2, which only watches, finds origin a of pool eu down"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
