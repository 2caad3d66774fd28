package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirlb/weir/bench/origin"
	"github.com/weirlb/weir/config"
)

// The main job: pool JSON in, traffic out; the origin that fails is left, and taken again when it recovers.
func TestServeFailsOverAndRecovers(t *testing.T) {
	a, b := startOrigin(t, "a"), startOrigin(t, "b")
	file := filepath.Join(t.TempDir(), "pools.json")
	writeJSON(t, file, document([]map[string]any{poolJSON("first", "m", a), poolJSON("second", "m", b)}, everySecond("m")))
	r := serveApp(t, file)
	r.logged("weir serves 2 pools with 2 origins on http://")
	r.logged("every host is served by first, then second; the last resort is second")
	r.answers("a")

	a.Kill()
	r.answers("b")
	r.logged("origin a of pool first is down")
	r.logged("pool first: Critical, was Healthy")
	if err := a.Restart(); err != nil {
		t.Fatal(err)
	}
	r.answers("a")
	r.logged("pool first: Healthy, was Critical")

	_, events := r.get(r.adminURL("/events"))
	var list []struct {
		Reason, Region string
		Pool           struct{ Name string }
	}
	if err := json.Unmarshal([]byte(events), &list); err != nil {
		t.Fatal(err)
	}
	var reasons []string
	for _, e := range list {
		if e.Pool.Name == "first" && e.Region == "WEU" {
			reasons = append(reasons, e.Reason)
		}
	}
	if diff := cmp.Diff([]string{"No failures", "TCP connection failed", "No failures"}, reasons); diff != "" {
		t.Errorf("events of the first pool, newest first: -want +got:\n%s", diff)
	}
	for _, name := range []string{
		`weir_requests_total{code_class="2xx",lb="",origin="a",pool="first"}`,
		`weir_probes_total{origin="a",pool="first",reason="No failures",region="WEU",result="passed"}`,
		`weir_origin_healthy{origin="a",pool="first",region="global"}`,
		"weir_config_last_reload_successful", "go_goroutines", "process_open_fds",
	} {
		if n, err := strconv.ParseFloat(r.metric(name), 64); err != nil || n < 1 {
			t.Errorf("%s is %q, want 1 at least", name, r.metric(name))
		}
	}
}

// holdProbes makes an origin leave health checks waiting until release is closed.
func holdProbes(o *origin.Origin, release <-chan struct{}) {
	rest := origin.Default(o.Name())
	o.Use(func(q *origin.Request) origin.Action {
		if q.Path != "/health" {
			return rest(q)
		}
		return func(x *origin.Exchange) error {
			<-release
			return rest(q)(x)
		}
	})
}

// Behaviour H22, O3.
func TestReadinessWaitsForTheFirstProbes(t *testing.T) {
	a := startOrigin(t, "a")
	release := make(chan struct{})
	letGo := sync.OnceFunc(func() { close(release) })
	t.Cleanup(letGo)
	holdProbes(a, release)
	monitor := everySecond("m")
	monitor["interval"], monitor["timeout"] = 30, 10
	file := filepath.Join(t.TempDir(), "pools.json")
	writeJSON(t, file, document([]map[string]any{poolJSON("eu", "m", a)}, monitor))
	r := serveApp(t, file)

	status, body := r.get(r.adminURL("/readyz"))
	if status != 503 || !strings.Contains(body, `"eu/a from WEU"`) {
		t.Errorf("before the first probe: %d %s, want 503 and what is waited for", status, body)
	}
	if status, body := r.get(r.adminURL("/healthz")); status != 200 {
		t.Errorf("/healthz: %d %s, want 200", status, body)
	}
	letGo()
	await(t, "readiness", func() bool { status, _ := r.get(r.adminURL("/readyz")); return status == 200 })
	if status, _ := r.do(http.MethodPost, r.adminURL("/-/drain")); status != 202 {
		t.Errorf("/-/drain: %d, want 202", status)
	}
	if status, body := r.get(r.adminURL("/readyz")); status != 503 || !strings.Contains(body, `"draining": true`) {
		t.Errorf("after /-/drain: %d %s, want 503", status, body)
	}
	r.answers("a") // the process goes on serving
}

// Behaviour O1, by request: good and bad.
func TestReloadByRequest(t *testing.T) {
	a, b := startOrigin(t, "a"), startOrigin(t, "b")
	dir := t.TempDir()
	file := filepath.Join(dir, "pools.json")
	writeJSON(t, file, poolJSON("eu", "", a))
	r := serveApp(t, file)
	r.watcher.close() // only the request is to be seen
	r.answers("a")

	writeJSON(t, file, poolJSON("eu", "", b))
	if status, body := r.do(http.MethodPost, r.adminURL("/-/reload")); status != 200 || !strings.Contains(body, `"revision": 2`) {
		t.Errorf("reload: %d %s, want 200 and revision 2", status, body)
	}
	r.answers("b")
	r.logged("changed: pool eu: origin a removed")
	_, before := r.get(r.adminURL("/config"))

	for what, wrong := range map[string]any{
		"broken JSON":   `{"pools": [`,
		"wrong content": map[string]any{"name": "eu", "origins": []any{}},
		"a certificate that is not there": map[string]any{
			"pools": []any{poolJSON("eu", "", a)}, "weir": map[string]any{"origins": map[string]any{"ca_file": filepath.Join(dir, "none.pem")}},
		},
	} {
		writeJSON(t, file, wrong)
		status, body := r.do(http.MethodPost, r.adminURL("/-/reload"))
		var answer struct{ Errors []struct{ What string } }
		if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 422 || len(answer.Errors) == 0 || answer.Errors[0].What == "" {
			t.Errorf("%s: %d %s, want 422 and the errors", what, status, body)
		}
		if got := r.metric("weir_config_last_reload_successful"); got != "0" {
			t.Errorf("%s: last_reload_successful is %s, want 0", what, got)
		}
		if _, after := r.get(r.adminURL("/config")); after != before {
			t.Errorf("%s: /config has changed", what)
		}
		r.answers("b")
	}
	r.logged("the configuration was not reloaded; the one before stays in force")

	writeJSON(t, file, poolJSON("eu", "", b))
	if status, body := r.do(http.MethodPost, r.adminURL("/-/reload")); status != 200 || r.metric("weir_config_last_reload_successful") != "1" {
		t.Errorf("mended: %d %s", status, body)
	}
}

// Behaviour O1, by signal and by a change of the file.
func TestReloadBySignalAndByFile(t *testing.T) {
	a, b, c := startOrigin(t, "a"), startOrigin(t, "b"), startOrigin(t, "c")
	dir := t.TempDir()
	file := filepath.Join(dir, "pools.json")
	writeJSON(t, file, poolJSON("eu", "", a))
	r := serveApp(t, dir)
	r.answers("a")
	writeJSON(t, file, poolJSON("eu", "", b))
	r.answers("b")

	r.watcher.close()
	writeJSON(t, file, poolJSON("eu", "", c))
	r.signals <- syscall.SIGHUP
	r.answers("c")
	r.logged("the configuration was reloaded")
}

// A configuration map of Kubernetes: a link to a directory that is swapped whole.
func TestReloadWhenALinkIsSwapped(t *testing.T) {
	a, b := startOrigin(t, "a"), startOrigin(t, "b")
	dir := t.TempDir()
	for name, o := range map[string]*origin.Origin{"one": a, "two": b} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		writeJSON(t, filepath.Join(dir, name, "pools.json"), poolJSON("eu", "", o))
	}
	link := func(to string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, "..tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	link("one")
	if err := os.Symlink("..data/pools.json", filepath.Join(dir, "pools.json")); err != nil {
		t.Fatal(err)
	}
	r := serveApp(t, filepath.Join(dir, "pools.json"))
	r.answers("a")
	link("two")
	r.answers("b")
}

// A touched file is no change; a changed certificate would be.
func TestReloadByFileNeedsAChange(t *testing.T) {
	a := startOrigin(t, "a")
	file := filepath.Join(t.TempDir(), "pools.json")
	writeJSON(t, file, poolJSON("eu", "", a))
	r := serveApp(t, file)
	writeJSON(t, file, poolJSON("eu", "", a))
	if revision, problems := r.reload(byFile); revision != 1 || problems != nil {
		t.Errorf("revision %d (%v) after a change of nothing, want 1", revision, problems)
	}
	if revision, _ := r.reload(bySignal); revision != 2 {
		t.Errorf("revision %d after a signal, want 2: it always reads again", revision)
	}
}

// A reload applies what it can and names the rest (behaviour O1).
func TestReloadTellsWhatNeedsARestart(t *testing.T) {
	a := startOrigin(t, "a")
	file := filepath.Join(t.TempDir(), "pools.json")
	with := func(weir map[string]any) map[string]any {
		doc := document([]map[string]any{poolJSON("eu", "", a)})
		doc["weir"] = weir
		return doc
	}
	writeJSON(t, file, with(map[string]any{}))
	r := serveApp(t, file)
	writeJSON(t, file, with(map[string]any{"state": "/nowhere", "timeouts": map[string]any{"drain": "7s"}}))
	if _, problems := r.reload(byRequest); problems != nil {
		t.Fatal(problems)
	}
	if !r.hasLogged("state has changed and takes effect at the next start") {
		t.Error("nothing says that state needs a restart")
	}
	if got := r.config().Weir.Timeouts.Drain; got != 7*time.Second {
		t.Errorf("drain is %v, want the new 7s: everything else is in force", got)
	}
}

func TestNeedRestart(t *testing.T) {
	old := loaded(t, `{"weir": {}}`).Weir
	for section, want := range map[string][]string{
		`"listen": ["127.0.0.1:8080"]`: nil,
		`"listen": ["127.0.0.1:9999"]`: {"listen"},
		`"listen": [{"address": "127.0.0.1:8080", "tls": [{"cert": "a", "key": "b"}]}]`: {"listen"},
		`"admin": {"address": "127.0.0.1:9999"}`:                                        {"admin"},
		`"admin": {"token_file": "x"}`:                                                  {"admin"},
		`"state": "x", "timeouts": {"dns": "1s", "connect": "1s"}`:                      {"state", "timeouts.dns"},
	} {
		now := loaded(t, `{"weir": {`+section+`}}`).Weir
		if diff := cmp.Diff(want, needRestart(&old, &now)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", section, diff)
		}
	}
}

// Reloads under traffic lose nothing (behaviour O1): weights, order and membership change all the time.
func TestReloadLosesNoRequest(t *testing.T) {
	a, b, c := startOrigin(t, "a"), startOrigin(t, "b"), startOrigin(t, "c")
	file := filepath.Join(t.TempDir(), "pools.json")
	stages := []any{
		document([]map[string]any{poolJSON("eu", "m", a, b), poolJSON("us", "m", c)}, everySecond("m")),
		document([]map[string]any{poolJSON("us", "m", c), poolJSON("eu", "m", b)}, everySecond("m")),
		document([]map[string]any{poolJSON("eu", "m", b, a, c)}, everySecond("m")),
		document([]map[string]any{poolJSON("us", "", c)}),
	}
	writeJSON(t, file, stages[0])
	r := serveApp(t, file)
	await(t, "readiness", func() bool { status, _ := r.get(r.adminURL("/readyz")); return status == 200 })

	var done atomic.Bool
	var requests atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		client := newClient(t)
		wg.Go(func() {
			for !done.Load() {
				status, body, err := fetch(client, http.MethodGet, r.url("/"))
				if err != nil || status != 200 {
					t.Errorf("a request was lost: %d %s %v", status, body, err)
					return
				}
				requests.Add(1)
			}
		})
	}
	for i := range 50 {
		writeJSON(t, file, stages[i%len(stages)])
		if _, problems := r.reload(bySignal); problems != nil {
			t.Error(problems)
		}
		served := requests.Load()
		await(t, "traffic between reloads", func() bool { return requests.Load() > served || t.Failed() })
	}
	done.Store(true)
	wg.Wait()
	if t.Failed() {
		t.Logf("after %d requests", requests.Load())
	}
}

// A reload that changes weights only leaves health as it is: no request sees the pool unjudged and goes to the last
// resort (behaviour H18).
func TestReloadKeepsHealth(t *testing.T) {
	a, b, last := startOrigin(t, "a"), startOrigin(t, "b"), startOrigin(t, "last")
	file := filepath.Join(t.TempDir(), "all.json")
	with := func(weight float64) map[string]any {
		eu := poolJSON("eu", "m", a, b)
		eu["origins"].([]map[string]any)[0]["weight"] = weight
		doc := document([]map[string]any{eu, poolJSON("last", "m", last)}, everySecond("m"))
		doc["load_balancers"] = []any{map[string]any{
			"id": "lb", "name": "127.0.0.1", "default_pools": []string{"id-eu"}, "fallback_pool": "id-last",
		}}
		return doc
	}
	writeJSON(t, file, with(1))
	r := serveApp(t, file)
	await(t, "readiness", func() bool { status, _ := r.get(r.adminURL("/readyz")); return status == 200 })

	var done atomic.Bool
	var requests atomic.Int64
	var wg sync.WaitGroup
	client := newClient(t)
	wg.Go(func() {
		for !done.Load() {
			if _, body, err := fetch(client, http.MethodGet, r.url("/")); err != nil || body == "last\n" {
				t.Errorf("during a reload: %q %v, want an answer of a or b", body, err)
				return
			}
			requests.Add(1)
		}
	})
	for i := range 30 {
		writeJSON(t, file, with(float64(1+i%9)/10))
		if _, problems := r.reload(bySignal); problems != nil {
			t.Error(problems)
		}
		served := requests.Load()
		await(t, "traffic between reloads", func() bool { return requests.Load() > served+3 || t.Failed() })
	}
	done.Store(true)
	wg.Wait()
	if got := r.metric(`weir_fallback_total{reason="last_resort"}`); got != "" {
		t.Errorf("%s requests came down to the last resort", got)
	}
}

// blockedRequest is a request that an origin has and does not answer until release is called.
func blockedRequest(t *testing.T, r *running, o *origin.Origin) (release func(), answer <-chan int) {
	t.Helper()
	gate := make(chan struct{})
	release = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(release)
	rest := origin.Default(o.Name())
	o.Use(func(q *origin.Request) origin.Action {
		if q.Path != "/slow" {
			return rest(q)
		}
		return func(x *origin.Exchange) error {
			<-gate
			return rest(q)(x)
		}
	})
	got := make(chan int, 1)
	client := newClient(t)
	go func() {
		status, _, err := fetch(client, http.MethodGet, r.url("/slow"))
		if err != nil {
			status = 0 // cut off
		}
		client.CloseIdleConnections()
		got <- status
	}()
	if err := o.Await(t.Context(), func(s origin.Stats) bool { return s.InFlight > 0 }); err != nil {
		t.Fatal(err)
	}
	return release, got
}

// Behaviour O2: readiness fails, what is under way finishes, status 0.
func TestStopDrains(t *testing.T) {
	a := startOrigin(t, "a")
	file := filepath.Join(t.TempDir(), "pools.json")
	writeJSON(t, file, poolJSON("eu", "", a))
	r := serveApp(t, file)
	release, answer := blockedRequest(t, r, a)
	r.signals <- syscall.SIGTERM
	await(t, "readiness to fail", func() bool { status, _ := r.get(r.adminURL("/readyz")); return status == 503 })
	await(t, "the listener to close", func() bool {
		c, err := net.Dial("tcp", r.listening[0].String())
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	release()
	if got := <-answer; got != 200 {
		t.Errorf("the request under way got %d, want 200", got)
	}
	if status := r.wait(); status != exitOK {
		t.Errorf("exit status %d, want 0", status)
	}
}

// Behaviour O2: a second signal ends it at once, status 3.
func TestASecondSignalForces(t *testing.T) {
	a := startOrigin(t, "a")
	file := filepath.Join(t.TempDir(), "pools.json")
	writeJSON(t, file, poolJSON("eu", "", a))
	r := serveApp(t, file)
	_, answer := blockedRequest(t, r, a)
	r.signals <- syscall.SIGTERM
	r.logged("stopping: requests under way may finish")
	r.signals <- syscall.SIGHUP // not a signal to stop
	r.signals <- os.Interrupt
	if status := r.wait(); status != exitCutShort {
		t.Errorf("exit status %d, want 3", status)
	}
	if got := <-answer; got != 0 {
		t.Errorf("the request under way got %d, want it cut off", got)
	}
}

// Behaviour O2: timeouts.drain is the end, status 3.
func TestDrainEnds(t *testing.T) {
	a := startOrigin(t, "a")
	file := filepath.Join(t.TempDir(), "pools.json")
	doc := document([]map[string]any{poolJSON("eu", "", a)})
	doc["weir"] = map[string]any{"timeouts": map[string]any{"drain": "10ms"}}
	writeJSON(t, file, doc)
	r := serveApp(t, file)
	_, answer := blockedRequest(t, r, a)
	r.signals <- syscall.SIGTERM
	if status := r.wait(); status != exitCutShort {
		t.Errorf("exit status %d, want 3", status)
	}
	<-answer
}

func TestAccessLogFlag(t *testing.T) {
	a := startOrigin(t, "a")
	dir := t.TempDir()
	file, log := filepath.Join(dir, "pools.json"), filepath.Join(dir, "access.log")
	writeJSON(t, file, poolJSON("eu", "", a))
	r := serveApp(t, "--access-log", log, file)
	r.answers("a")
	lines := func(path string) int {
		text, err := os.ReadFile(path)
		if err != nil {
			return 0
		}
		return bytes.Count(text, []byte(`"pool":"eu"`))
	}
	await(t, "a line of the access log", func() bool { return lines(log) > 0 })
	if err := os.Rename(log, log+".1"); err != nil {
		t.Fatal(err)
	}
	r.signals <- syscall.SIGUSR1
	r.logged("the access log was opened again")
	r.answers("a")
	await(t, "a line in the new file", func() bool { return lines(log) > 0 })
	if got := r.metric("weir_access_log_dropped_total"); got != "0" {
		t.Errorf("dropped lines: %q, want 0", got)
	}
}

func TestWarningsAreToldAtStart(t *testing.T) {
	a := startOrigin(t, "a")
	file := filepath.Join(t.TempDir(), "all.json")
	doc := document([]map[string]any{poolJSON("eu", "missing", a)})
	doc["load_balancers"] = []any{map[string]any{
		"id": "lb", "name": "*.example.com", "default_pools": []string{"id-eu"}, "fallback_pool": "id-eu", "steering_policy": "random",
	}}
	writeJSON(t, file, doc)
	r := serveApp(t, file)
	for _, part := range []string{"[single-origin]", "missing"} {
		if !r.hasLogged(part) {
			t.Errorf("nothing at start about %q", part)
		}
	}
	if status, body := r.get(r.url("/")); status != 530 || !strings.Contains(body, "1016") {
		t.Errorf("another host: %d %s, want 530 and 1016 (behaviour P2)", status, body)
	}
}

func TestSecretsAreNotLogged(t *testing.T) {
	a := startOrigin(t, "a")
	dir := t.TempDir()
	file, token := filepath.Join(dir, "pools.json"), filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	with := func(secret string) map[string]any {
		m := everySecond("m")
		m["header"] = map[string]any{"Authorization": []string{secret}}
		doc := document([]map[string]any{poolJSON("eu", "m", a)}, m)
		doc["weir"] = map[string]any{"admin": map[string]any{"address": "127.0.0.1:0", "token_file": token}}
		return doc
	}
	writeJSON(t, file, with("hunter2-first"))
	r := serveApp(t, file)
	if status, _ := r.get(r.adminURL("/config")); status != 401 {
		t.Errorf("/config without the token: %d, want 401", status)
	}
	writeJSON(t, file, with("hunter2-second"))
	r.signals <- syscall.SIGHUP
	r.logged("the configuration was reloaded")
	await(t, "the probe's secret at the origin", func() bool {
		for _, q := range a.Records() {
			if q.Fields.Get("Authorization") == "hunter2-second" {
				return true
			}
		}
		return false
	})
	for _, e := range r.logs.All() {
		if line := fmt.Sprint(e.Message, e.ContextMap()); strings.Contains(line, "hunter2") {
			t.Errorf("a secret is in the log: %s", line)
		}
	}
}

func TestCountRows(t *testing.T) {
	for threads, want := range map[int]int{1: 2, 2: 2, 3: 4, 4: 4, 5: 8, 16: 16, 17: 16, 128: 16} {
		if got := countRows(threads); got != want {
			t.Errorf("%d threads have %d rows, want %d", threads, got, want)
		}
	}
}

// Behaviour T2: what follows from the descriptor limit, and what was given.
func TestFillLimits(t *testing.T) {
	for descriptors, want := range map[uint64]int{1024: 384, 100: 16, 1 << 40: 1 << 20} {
		l := config.Limits{OriginConnections: 7}
		fillLimits(&l, descriptors)
		if l.ClientConnections != want || l.OriginConnections != 7 {
			t.Errorf("%d descriptors: %+v, want %d client connections and 7 as given", descriptors, l, want)
		}
	}
}

func TestWatchedDirectories(t *testing.T) {
	dir := t.TempDir()
	for _, sub := range []string{"real", "dir", "elsewhere"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	writeJSON(t, filepath.Join(dir, "real", "a.json"), "{}")
	writeJSON(t, filepath.Join(dir, "elsewhere", "b.json"), "{}")
	for from, to := range map[string]string{"link.json": "real/a.json", "dir/b.json": "../elsewhere/b.json"} {
		if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	c := &config.Config{}
	c.Weir.Origins.CAFile = filepath.Join(dir, "certs", "ca.pem")
	got := watched([]string{filepath.Join(dir, "link.json"), filepath.Join(dir, "dir"), "-"}, c)
	want := []string{dir, filepath.Join(dir, "certs"), filepath.Join(dir, "dir"), filepath.Join(dir, "elsewhere"), filepath.Join(dir, "real")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
