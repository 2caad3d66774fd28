package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long the program may take for what takes it milliseconds: the machine has other work.
const patience = 20 * time.Second

// weir is a running "weir serve".
type weir struct {
	t            testing.TB
	world        *world
	cmd          *exec.Cmd
	said         *stderr
	proxy, admin string // host:port
	accessLog    string // the file
	exited       chan struct{}
}

// with is how a program is started other than by default.
type with struct {
	flags       []string
	environment []string
	descriptors int // the limit of open files; 0 leaves it
}

// serve starts the program and waits until it is ready. It is ended with the test, if the story has not ended it.
func serve(t testing.TB, world *world, how with) *weir {
	t.Helper()
	world.write(t)
	w := &weir{t: t, world: world, accessLog: t.TempDir() + "/access.log", exited: make(chan struct{})}
	w.said = &stderr{greeted: make(chan struct{})}
	args := append([]string{
		"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--log-format", "json", "--access-log", w.accessLog,
	}, how.flags...)
	w.cmd = command(how.descriptors, append(args, world.dir)...)
	w.cmd.Env = append(cleanEnvironment(), how.environment...)
	w.cmd.Stderr = w.said
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(w.exited)
		_ = w.cmd.Wait() // the exit status is in ProcessState
	}()
	t.Cleanup(w.cleanUp)
	w.awaitGreeting()
	eventually(t, patience, "the program is ready", func() bool {
		status, _ := w.ask(http.MethodGet, "/readyz")
		return status == http.StatusOK
	})
	return w
}

// command is the program, with a limit of open files if one is given: the shell sets it and becomes the program.
func command(descriptors int, args ...string) *exec.Cmd {
	if descriptors == 0 {
		return exec.Command(binary, args...)
	}
	limited := fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, descriptors)
	return exec.Command("/bin/sh", append([]string{"-c", limited, binary}, args...)...)
}

// cleanEnvironment is ours without what the program would take for flags.
func cleanEnvironment() []string {
	var kept []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "WEIR_") {
			kept = append(kept, variable)
		}
	}
	return kept
}

func (w *weir) awaitGreeting() {
	w.t.Helper()
	select {
	case <-w.said.greeted:
	case <-w.exited:
		w.t.Fatalf("the program has ended at once, %v", w.cmd.ProcessState)
	case <-time.After(patience):
		w.t.Fatal("the program does not say where it listens")
	}
	w.proxy, w.admin = w.said.addresses()
}

// cleanUp ends the program the hard way and shows what it said, when the test has failed.
func (w *weir) cleanUp() {
	select {
	case <-w.exited:
	default:
		if w.t.Failed() {
			_, now := w.ask(http.MethodGet, "/metrics")
			w.t.Logf("the program counted:\n%s", withoutHelp(now))
		}
		_ = w.cmd.Process.Kill() // it may have ended by itself just now
		<-w.exited
	}
	if w.t.Failed() {
		w.t.Logf("the program said:\n%s", w.said.tail(60))
	}
}

func (w *weir) signal(s syscall.Signal) {
	w.t.Helper()
	if err := w.cmd.Process.Signal(s); err != nil {
		w.t.Fatalf("signal %v: %v", s, err)
	}
}

// exit waits for the end of the program and answers its exit status, -1 for one that a signal has ended.
func (w *weir) exit(within time.Duration) int {
	w.t.Helper()
	select {
	case <-w.exited:
	case <-time.After(within):
		w.t.Fatalf("the program has not ended within %v", within)
	}
	return w.cmd.ProcessState.ExitCode()
}

// stop ends the program the gentle way, which must succeed.
func (w *weir) stop() {
	w.t.Helper()
	w.signal(syscall.SIGTERM)
	if status := w.exit(patience); status != 0 {
		w.t.Errorf("stopped with exit status %d, want 0", status)
	}
}

func (w *weir) running() bool {
	select {
	case <-w.exited:
		return false
	default:
		return true
	}
}

// once sends every request on a connection of its own, which ends with it.
var once = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}, Timeout: patience}

// ask asks the admin listener; status 0 is no answer.
func (w *weir) ask(method, path string) (status int, body []byte) {
	w.t.Helper()
	resp, err := once.Do(w.request(method, "http://"+w.admin+path))
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil
	}
	return resp.StatusCode, body
}

// look reads JSON from the admin listener.
func (w *weir) look(path string, into any) {
	w.t.Helper()
	status, body := w.ask(http.MethodGet, path)
	if status != http.StatusOK {
		w.t.Fatalf("%s answers %d: %s", path, status, body)
	}
	if err := json.Unmarshal(body, into); err != nil {
		w.t.Fatalf("%s: %v in %s", path, err, body)
	}
}

// get sends one request through the proxy; an error is one of the connection.
func (w *weir) get(path string) (answer, error) {
	w.t.Helper()
	r := w.request(http.MethodGet, "http://"+w.proxy+path)
	r.Host = host
	resp, err := once.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body)}, err
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (w *weir) request(method, url string) *http.Request {
	w.t.Helper()
	ctx := context.Background() // asked in cleanups too, when the test's own is over
	r, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// revision is that of the configuration in force, as /config tells it.
func (w *weir) revision() uint64 {
	w.t.Helper()
	resp, err := once.Do(w.request(http.MethodGet, "http://"+w.admin+"/config"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	n, err := strconv.ParseUint(resp.Header.Get("Weir-Revision"), 10, 64)
	if err != nil {
		w.t.Fatalf("Weir-Revision: %v", err)
	}
	return n
}

// The three ways to ask for a reload.
func (w *weir) reloadByFile() { w.untilReloaded(func() {}) }

func (w *weir) reloadBySignal() { w.untilReloaded(func() { w.signal(syscall.SIGHUP) }) }

func (w *weir) reloadByRequest() {
	w.untilReloaded(func() {
		if status, body := w.ask(http.MethodPost, "/-/reload"); status != http.StatusOK {
			w.t.Errorf("POST /-/reload answers %d: %s", status, body)
		}
	})
}

// untilReloaded writes the world, asks for a reload and waits until a newer revision is in force.
func (w *weir) untilReloaded(ask func()) {
	w.t.Helper()
	before := w.revision()
	w.world.write(w.t)
	ask()
	eventually(w.t, patience, "a newer configuration is in force", func() bool { return w.revision() > before })
}

// stderr keeps what the program says and finds its greeting.
type stderr struct {
	mu           sync.Mutex
	text         []byte
	greeted      chan struct{}
	proxy, admin string
}

var greeting = regexp.MustCompile(`"weir serves [^"]* on http://([^" ,;]+); admin on http://([^" ,;]+)"`)

func (s *stderr) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, p...)
	if s.proxy != "" {
		return len(p), nil
	}
	if found := greeting.FindSubmatch(s.text); found != nil {
		s.proxy, s.admin = string(found[1]), string(found[2])
		close(s.greeted)
	}
	return len(p), nil
}

func (s *stderr) addresses() (proxy, admin string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proxy, s.admin
}

func (s *stderr) tail(lines int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := bytes.SplitAfter(s.text, []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], nil))
}

// contains says whether the program has said so.
func (s *stderr) contains(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Contains(s.text, []byte(text))
}

// withoutHelp is a scrape's series of weir's own that are not 0.
func withoutHelp(scrape []byte) string {
	var b strings.Builder
	for line := range strings.Lines(string(scrape)) {
		if strings.HasPrefix(line, "weir_") && !strings.HasSuffix(line, " 0\n") && !strings.Contains(line, "_bucket{") {
			b.WriteString(line)
		}
	}
	return b.String()
}
