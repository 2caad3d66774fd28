package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weirlb/weir/config"
)

// paper is what a demo writes to: it can be read while the demo goes on, and tells when a text has come.
type paper struct {
	mu    sync.Mutex
	text  bytes.Buffer
	watch string
	then  func()
}

func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, err := p.text.Write(b)
	if p.then != nil && strings.Contains(p.text.String(), p.watch) {
		p.then()
		p.then = nil
	}
	return n, err
}

func (p *paper) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// has fails unless the parts are there in this order.
func (p *paper) has(t *testing.T, parts ...string) {
	t.Helper()
	rest := p.String()
	for _, part := range parts {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Errorf("%q is not there, or not in its place:\n%s", part, p)
			return
		}
		rest = after
	}
}

// demoOf is a demo on free ports that writes to paper.
func demoOf(length time.Duration) (*demoOptions, *paper, *paper) {
	out, errOut := &paper{}, &paper{}
	return &demoOptions{length: length, stage: demoStageOptions{freePorts: true}, program: "weir", out: out, errOut: errOut}, out, errOut
}

// folder is where a demo says that its files are.
func (p *paper) folder(t *testing.T) string {
	t.Helper()
	_, after, _ := strings.Cut(p.String(), "files in ")
	line, _, found := strings.Cut(after, "\n")
	if !found {
		t.Fatalf("the demo does not say where its files are:\n%s", p)
	}
	return line
}

func TestDemo(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	o, out, errOut := demoOf(12 * time.Second)
	if err := runDemo(t.Context(), o); err != nil {
		t.Errorf("the demo ended with %v\n%s\n%s", err, out, errOut)
	}
	out.has(t,
		"free ones are used", "probed every second",
		"traffic begins", "1. all is well",
		"2. eu-2 stops", "eu-2 stopped", "eu-2 is down: TCP connection failed", "pool app-eu critical: 1 of 2 healthy, needs 2 → app-us",
		"3. eu-2 comes back", "eu-2 runs again", "eu-2 is up again", "pool app-eu recovered: 2 of 2 healthy",
		"4. a reload", "weight 0.2 for eu-1",
		" 0 failed", "share in %", "all well", "failover", "app-us", "100.0",
		"failover: ", "recovery: ", "Everything was as it should be.",
		"By hand", "weir demo --origins", "weir serve", "curl -i -H 'Host: www.example.com' http://127.0.0.1:8080/",
	)
	if _, err := os.Stat(out.folder(t)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the demo's files are still there: %v", err)
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("what is no terminal was sent sequences for one")
	}
}

func TestDemoInterrupted(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	for _, moment := range []string{"clients: http", "eu-2 stopped"} {
		o, out, errOut := demoOf(time.Minute)
		o.stage.fast = true
		ctx, interrupt := context.WithCancel(t.Context())
		out.watch, out.then = moment, interrupt
		if err := runDemo(ctx, o); err != nil {
			t.Errorf("interrupted at %q: %v\n%s\n%s", moment, err, out, errOut)
		}
		out.has(t, moment, "Interrupted. Everything until then was as it should be.", "By hand")
		if _, err := os.Stat(out.folder(t)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the demo's files are still there: %v", err)
		}
	}
}

func TestDemoUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"demo", "--for", "9s"}, "--for 9s is out of range; give 10s to 1h0m0s"},
		{[]string{"demo", "--for", "2h"}, "--for 2h0m0s is out of range"},
		{[]string{"demo", "--for", "soon"}, "soon"},
		{[]string{"demo", "examples/"}, "examples/"},
	} {
		var out, errOut bytes.Buffer
		if got := run(c.args, strings.NewReader(""), &out, &errOut); got != exitUsage || !strings.Contains(errOut.String(), c.want) {
			t.Errorf("%q: status %d and %q; want %d and %q", c.args, got, errOut.String(), exitUsage, c.want)
		}
	}
}

// The origins alone, for a weir of one's own: one goes away when it is asked to, and comes back.
func TestDemoOrigins(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t) })
	out := &paper{}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- runDemoOrigins(ctx, "weir", out, demoStageOptions{freePorts: true}) }()
	await(t, "the commands", func() bool { return strings.Contains(out.String(), "grep ^weir_") })
	out.has(t, "eu-2     http://", "weir serve ", "curl -i -H 'Host: www.example.com'", "/stop?for=20s'")

	_, after, _ := strings.Cut(out.String(), "eu-2     ")
	url, _, _ := strings.Cut(after, " ")
	client := newClient(t)
	get := func(path string) string {
		_, body, err := fetch(client, "GET", url+path)
		if err != nil {
			return "no answer"
		}
		return body
	}
	if got := get("/stop?for=never"); !strings.Contains(got, "ask for /stop?for=20s") {
		t.Errorf("a senseless time is answered %q", got)
	}
	if got := get("/stop?for=500ms"); got != "eu-2 stops for 500ms\n" {
		t.Errorf("/stop is answered %q", got)
	}
	await(t, "eu-2's absence", func() bool { return get("/") == "no answer" })
	await(t, "eu-2's return", func() bool { return get("/") == "eu-2\n" })

	_, after, _ = strings.Cut(out.String(), "weir serve ")
	dir, _, _ := strings.Cut(after, "\n")
	if cfg, problems := loadPaths([]string{dir}, config.Options{}); cfg == nil {
		t.Errorf("what serve is to read cannot be read: %v", problems)
	}
	client.CloseIdleConnections()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the files are still there: %v", err)
	}
}
