package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/weirlb/weir/bench/origin"
	"github.com/weirlb/weir/config"
)

// patience is what no test ever waits unless something is broken.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	status := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	if status == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	os.Exit(status)
}

// await polls until ok holds.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// startOrigin runs an origin for the test.
func startOrigin(t *testing.T, name string) *origin.Origin {
	t.Helper()
	o, err := origin.Start(origin.Options{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return o
}

// poolJSON is a pool as the API returns it, monitored every second from one region; monitor "" for none.
func poolJSON(name, monitor string, origins ...*origin.Origin) map[string]any {
	list := []map[string]any{}
	for _, o := range origins {
		list = append(list, map[string]any{"name": o.Name(), "address": "127.0.0.1", "port": o.Port(), "enabled": true, "weight": 1})
	}
	p := map[string]any{"name": name, "id": "id-" + name, "enabled": true, "minimum_origins": 1, "origins": list, "check_regions": []string{"WEU"}}
	if monitor != "" {
		p["monitor"] = monitor
	}
	return p
}

// everySecond is a monitor.
func everySecond(id string) map[string]any {
	return map[string]any{"id": id, "type": "http", "path": "/health", "expected_codes": "200", "interval": 1, "timeout": 1, "retries": 0}
}

// document is a whole document.
func document(pools []map[string]any, monitors ...map[string]any) map[string]any {
	return map[string]any{"pools": pools, "monitors": monitors}
}

// writeJSON replaces a file as a careful program does.
func writeJSON(t *testing.T, path string, v any) {
	t.Helper()
	data, ok := v.(string)
	if !ok {
		b, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		data = string(b)
	}
	if err := os.WriteFile(path+".new", []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// optionsOf is what serve makes of arguments, with free ports.
func optionsOf(t *testing.T, args ...string) *options {
	t.Helper()
	var f serveFlags
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	f.add(flags)
	if err := flags.Parse(append([]string{"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--seed", "1"}, args...)); err != nil {
		t.Fatal(err)
	}
	o, err := f.options(flags, flags.Args())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// running is an app that runs.
type running struct {
	*app
	t       *testing.T
	signals chan os.Signal
	logs    *observer.ObservedLogs
	status  chan int
	client  *http.Client
}

// serveApp runs an app until the test ends; stop it with a signal to look at its status.
func serveApp(t *testing.T, args ...string) *running {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	o := optionsOf(t, args...)
	o.log = zap.New(core)
	a, status := start(o)
	if a == nil {
		t.Fatalf("the app does not start: %d\n%v", status, logs.All())
	}
	r := &running{app: a, t: t, signals: make(chan os.Signal, 8), logs: logs, status: make(chan int, 1), client: newClient(t)}
	ctx, cancel := context.WithCancel(context.Background()) //nolint:usetesting // it must outlive the test's own
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.status <- a.run(ctx, r.signals)
	}()
	t.Cleanup(func() {
		r.client.CloseIdleConnections() // or they are given a moment for another request
		cancel()
		<-ended
		if err := a.registry.Quiet(); err != nil {
			t.Errorf("after the end: %v", err)
		}
	})
	return r
}

func newClient(t *testing.T) *http.Client {
	t.Helper()
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

// wait answers the exit status.
func (r *running) wait() int {
	r.t.Helper()
	r.client.CloseIdleConnections()
	select {
	case status := <-r.status:
		return status
	case <-time.After(patience):
		r.t.Fatal("the app does not stop")
		return -1
	}
}

func (r *running) url(path string) string { return "http://" + r.listening[0].String() + path }

func (r *running) adminURL(path string) string { return "http://" + r.adminAddr.String() + path }

// get answers status and body, 0 for no answer.
func (r *running) get(url string) (int, string) {
	r.t.Helper()
	return r.do(http.MethodGet, url)
}

func (r *running) do(method, url string) (int, string) {
	r.t.Helper()
	status, body, err := fetch(r.client, method, url)
	if err != nil {
		return 0, err.Error()
	}
	return status, body
}

func fetch(c *http.Client, method, url string) (int, string, error) {
	q, err := http.NewRequestWithContext(context.Background(), method, url, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	answer, err := c.Do(q)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

// answers waits until the proxy's answers are an origin's.
func (r *running) answers(name string) {
	r.t.Helper()
	var status int
	var body string
	await(r.t, "an answer of "+name, func() bool {
		status, body = r.get(r.url("/"))
		return status == 200 && body == name+"\n"
	})
}

// logged waits for a line of the log.
func (r *running) logged(part string) {
	r.t.Helper()
	await(r.t, "a log line with "+part, func() bool { return r.hasLogged(part) })
}

func (r *running) hasLogged(part string) bool {
	for _, e := range r.logs.All() {
		if strings.Contains(e.Message, part) {
			return true
		}
	}
	return false
}

// metric is the value of a metric as /metrics shows it, "" when it is not there.
func (r *running) metric(name string) string {
	r.t.Helper()
	_, text := r.get(r.adminURL("/metrics"))
	for line := range strings.Lines(text) {
		if value, found := strings.CutPrefix(line, name+" "); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// built is the real binary, made once.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// binary answers the path of the real program.
func binary(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("runs the real binary, which has no race detector")
	}
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "weir-test"); built.err != nil { //nolint:usetesting // it outlives the first test that needs it
			return
		}
		out, err := exec.CommandContext(context.Background(), "go", "build", "-o", built.dir, ".").CombinedOutput() //nolint:usetesting // likewise
		if err != nil {
			built.err = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, "weir")
}

// process is the real program, serving.
type process struct {
	t             *testing.T
	cmd           *exec.Cmd
	listen, admin string
	mu            sync.Mutex
	errors        bytes.Buffer
	ended         chan error
}

var greeting = regexp.MustCompile(`on http://([0-9.:]+); admin on http://([0-9.:]+)`)

// serveProcess starts the program on free ports and returns once it serves.
func serveProcess(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, ended: make(chan error, 1)}
	args = append([]string{"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--log-format", "json"}, args...)
	p.cmd = exec.CommandContext(context.Background(), binary(t), args...) //nolint:usetesting // stopped below
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	greeted := make(chan []string, 1)
	go func() {
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			p.mu.Lock()
			p.errors.WriteString(lines.Text() + "\n")
			p.mu.Unlock()
			if m := greeting.FindStringSubmatch(lines.Text()); m != nil {
				greeted <- m
			}
		}
		p.ended <- p.cmd.Wait()
	}()
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	select {
	case m := <-greeted:
		p.listen, p.admin = m[1], m[2]
	case err := <-p.ended:
		t.Fatalf("weir ended: %v\n%s", err, p.log())
	case <-time.After(patience):
		t.Fatalf("weir does not say where it listens:\n%s", p.log())
	}
	return p
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.errors.String()
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// status waits for the end and answers the exit status.
func (p *process) status() int {
	p.t.Helper()
	select {
	case err := <-p.ended:
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return exit.ExitCode()
		}
		if err != nil {
			p.t.Fatal(err)
		}
		return 0
	case <-time.After(patience):
		p.t.Fatalf("weir does not end:\n%s", p.log())
		return -1
	}
}

// problemsOf loads a document for tests of what is made from it.
func loaded(t *testing.T, text string) *config.Config {
	t.Helper()
	c, problems := config.Load([]config.Source{{Name: "test.json", Data: []byte(text)}}, config.Options{})
	if c == nil {
		t.Fatal(problems)
	}
	return c
}
