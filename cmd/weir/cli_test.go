package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

var update = flag.Bool("update", false, "write the golden files anew")

// weir runs the program and answers its exit status and what it wrote.
func weir(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = run(args, strings.NewReader(""), &out, &errs)
	return status, out.String(), errs.String()
}

func TestExitStatus(t *testing.T) {
	dir := t.TempDir()
	good, bad, open := filepath.Join(dir, "good.json"), filepath.Join(dir, "bad.json"), filepath.Join(dir, "open.json")
	const pool = `{"name": "eu", "origins": [{"name": "a", "address": "127.0.0.1"}]}`
	writeJSON(t, good, pool)
	writeJSON(t, bad, `{"name": "eu", "origins": []}`)
	writeJSON(t, open, `{"pools": [`+pool+`], "weir": {"listen": [{"address": "127.0.0.1:0", "tls": [{"cert": "none.pem", "key": "none.key"}]}]}}`)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free := []string{"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}
	serve := func(args ...string) []string { return append(append([]string{"serve"}, free...), args...) }
	for _, c := range []struct {
		what string
		args []string
		want int
		says string // on standard error
	}{
		{"help", []string{"--help"}, 0, ""},
		{"no command", nil, 0, ""},
		{"version", []string{"version"}, 0, ""},
		{"version in another form", []string{"version", "-o", "yaml"}, 2, "text or json"},
		{"an unknown command", []string{"bogus"}, 2, "bogus"},
		{"an unknown flag", []string{"check", "--bogus", good}, 2, "bogus"},
		{"check", []string{"check", good}, 0, ""},
		{"check of what is wrong", []string{"check", bad}, 1, ""},
		{"check of nothing", []string{"check"}, 2, "FILE"},
		{"check of a file that is not there", []string{"check", filepath.Join(dir, "none.json")}, 1, ""},
		{"check in another form", []string{"check", "-o", "yaml", good}, 2, "text or json"},
		{"serve without a file", []string{"serve"}, 2, "FILE"},
		{"serve of what is wrong", serve(bad), 1, "origins is empty"},
		{"serve of a file that is not there", serve(filepath.Join(dir, "none.json")), 1, "cannot be read"},
		{"a certificate that is not there", []string{"serve", "--admin", "127.0.0.1:0", open}, 1, "none.pem"},
		{"an access log that cannot be opened", serve("--access-log", filepath.Join(dir, "none", "log"), good), 1, "access log"},
		{"an address that is taken", []string{"serve", "--listen", taken.Addr().String(), "--admin", "127.0.0.1:0", good}, 3, "in use"},
		{"an admin address that is taken", []string{"serve", "--listen", "127.0.0.1:0", "--admin", taken.Addr().String(), good}, 3, "in use"},
		{"admin beyond loopback without a token", []string{"serve", "--listen", "127.0.0.1:0", "--admin", "0.0.0.0:0", good}, 1, "token"},
		{"a listen address that is none", []string{"serve", "--listen", "8080", good}, 2, "--listen"},
		{"an admin address that is none", []string{"serve", "--admin", "8080", good}, 2, "--admin"},
		{"an unknown profile", serve("--profile", "x", good), 2, "--profile"},
		{"an unknown scale", serve("--probe-scale", "2", good), 2, "--probe-scale"},
		{"an unknown engine", serve("--engine", "loop", good), 2, "--engine"},
		{"an unknown scheme", serve("--origin-scheme", "ftp", good), 2, "--origin-scheme"},
		{"an unknown level", serve("--log-level", "loud", good), 2, "--log-level"},
		{"an unknown log format", serve("--log-format", "xml", good), 2, "--log-format"},
		{"a seed that is no number", serve("--seed", "x", good), 2, "--seed"},
	} {
		t.Run(c.what, func(t *testing.T) {
			status, stdout, stderr := weir(t, c.args...)
			if status != c.want || !strings.Contains(stderr, c.says) {
				t.Errorf("weir %s: status %d, want %d with %q\nstdout: %s\nstderr: %s", strings.Join(c.args, " "), status, c.want, c.says, stdout, stderr)
			}
			if c.want == exitUsage && stdout != "" {
				t.Errorf("a wrong call is answered on standard output: %s", stdout)
			}
		})
	}
}

// Flags are those of the manual, and every one has its variable.
func TestServeFlags(t *testing.T) {
	var names []string
	cmd := newServeCommand()
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	want := []string{
		"listen", "admin", "strict", "profile", "probe-scale", "seed", "access-log", "log-level", "log-format",
		"explain-headers", "origin-scheme", "engine", "pprof", "metrics-per-origin",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A flag beats its variable, and the variable beats the file.
func TestPrecedence(t *testing.T) {
	a := startOrigin(t, "a")
	file := filepath.Join(t.TempDir(), "all.json")
	doc := document([]map[string]any{poolJSON("eu", "", a)})
	doc["weir"] = map[string]any{"origins": map[string]any{"scheme": "https"}, "listen": []string{"127.0.0.1:1"}}
	writeJSON(t, file, doc)
	for _, c := range []struct {
		what string
		env  map[string]string
		args []string
		want string // scheme and listen addresses
	}{
		{"the file", nil, nil, "https 127.0.0.1:1"},
		{"the variable", map[string]string{"WEIR_ORIGIN_SCHEME": "client", "WEIR_LISTEN": "127.0.0.1:2,127.0.0.1:3"}, nil, "client 127.0.0.1:2 127.0.0.1:3"},
		{"the flag", map[string]string{"WEIR_ORIGIN_SCHEME": "client"}, []string{"--origin-scheme", "http", "--listen", "127.0.0.1:4", "--listen", "127.0.0.1:5"}, "http 127.0.0.1:4 127.0.0.1:5"},
		{"an empty variable is none", map[string]string{"WEIR_ORIGIN_SCHEME": ""}, nil, "https 127.0.0.1:1"},
	} {
		var f serveFlags
		flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
		f.add(flags)
		if err := flags.Parse(c.args); err != nil {
			t.Fatal(err)
		}
		lookup := func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }
		if err := fromEnvironment(flags, lookup); err != nil {
			t.Fatal(err)
		}
		o, err := f.options(flags, []string{file})
		if err != nil {
			t.Fatal(err)
		}
		cfg, problems := loadPaths(o.paths, o.load)
		if cfg == nil {
			t.Fatal(problems)
		}
		o.complete(cfg)
		got := cfg.Weir.Origins.Scheme
		for _, l := range cfg.Weir.Listen {
			got += " " + l.Address
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
}

func TestAWrongVariableIsNamed(t *testing.T) {
	t.Setenv("WEIR_STRICT", "perhaps")
	status, _, stderr := weir(t, "check", "x.json")
	if status != exitUsage || !strings.Contains(stderr, "WEIR_STRICT") {
		t.Errorf("%d %q, want 2 and the name of the variable", status, stderr)
	}
}

func TestCheckOutput(t *testing.T) {
	t.Chdir("testdata")
	for name, args := range map[string][]string{
		"text": {"check.json"}, "verbose": {"-v", "check.json"}, "strict": {"--strict", "check.json"},
		"json": {"-o", "json", "check.json"}, "several": {"check.json", "broken.json", "missing.json"}, "good": {"good.json"}, "goodjson": {"-o", "json", "good.json"},
	} {
		t.Run(name, func(t *testing.T) {
			_, got, stderr := weir(t, append([]string{"check"}, args...)...)
			if stderr != "" {
				t.Errorf("standard error: %s", stderr)
			}
			golden := filepath.Join("check", name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("weir check %s: -want +got:\n%s", strings.Join(args, " "), diff)
			}
			lines := strings.Split(strings.TrimSpace(got), "\n")
			if last := lines[len(lines)-1]; args[0] != "-o" && (!strings.Contains(last, "error") || !strings.HasSuffix(strings.TrimSuffix(last, "s"), "warning")) {
				t.Errorf("the last line is %q, want N errors, M warnings", last)
			}
		})
	}
}

func TestVersionAsJSON(t *testing.T) {
	_, out, _ := weir(t, "version", "-o", "json")
	var v struct{ Version, Commit, Go, FastHTTP string }
	if err := json.Unmarshal([]byte(out), &v); err != nil || v.Version == "" || !strings.HasPrefix(v.Go, "go1.") || v.Commit == "" || v.FastHTTP == "" {
		t.Errorf("%s (%v), want every member", out, err)
	}
}

func TestLoggerForms(t *testing.T) {
	for format, want := range map[string]string{formatAuto: `{"level":"info"`, formatJSON: `{"level":"info"`, formatConsole: "INFO  here"} {
		var out bytes.Buffer
		log := newLogger(&out, zapcore.InfoLevel, format)
		log.Debug("not this")
		log.Info("here", zap.Error(errors.New("x")), zap.Duration("took", time.Second))
		if got := out.String(); !strings.Contains(got, want) || strings.Contains(got, "not this") || strings.Count(got, "\n") != 1 {
			t.Errorf("%s: %q, want one line with %q", format, got, want)
		}
	}
}

// The real program on the real examples: it starts, is asked, reloads, and stops with status 0.
func TestTheProgram(t *testing.T) {
	a, b := startOrigin(t, "a"), startOrigin(t, "b")
	file := filepath.Join(t.TempDir(), "pools.json")
	writeJSON(t, file, document([]map[string]any{poolJSON("eu", "m", a)}, everySecond("m")))
	p := serveProcess(t, file)
	client := newClient(t)
	body := func(url string) string {
		_, text, err := fetch(client, http.MethodGet, url)
		if err != nil {
			return err.Error()
		}
		return text
	}
	await(t, "readiness", func() bool { return strings.Contains(body("http://"+p.admin+"/readyz"), `"ready": true`) })
	if got := body("http://" + p.listen + "/"); got != "a\n" {
		t.Errorf("answer %q, want a's", got)
	}
	writeJSON(t, file, document([]map[string]any{poolJSON("eu", "m", b)}, everySecond("m")))
	await(t, "b's answer", func() bool { return body("http://"+p.listen+"/") == "b\n" })
	writeJSON(t, file, `{`)
	p.signal(syscall.SIGHUP)
	await(t, "the bad reload to be seen", func() bool {
		return strings.Contains(body("http://"+p.admin+"/metrics"), "weir_config_last_reload_successful 0")
	})
	if got := body("http://" + p.listen + "/"); got != "b\n" {
		t.Errorf("after a bad reload: answer %q, want b's", got)
	}
	client.CloseIdleConnections()
	p.signal(syscall.SIGTERM)
	if status := p.status(); status != exitOK {
		t.Errorf("exit status %d, want 0\n%s", status, p.log())
	}
	for line := range strings.Lines(p.log()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON in the log: %s", line)
		}
	}
}

func TestTheProgramOnTheExamples(t *testing.T) {
	p := serveProcess(t, filepath.Join("..", "..", "examples"))
	client := newClient(t)
	status, text, err := fetch(client, http.MethodGet, "http://"+p.admin+"/pools")
	if err != nil || status != 200 || !strings.Contains(text, "last-resort") {
		t.Errorf("/pools: %d %s %v", status, text, err)
	}
	client.CloseIdleConnections()
	p.signal(syscall.SIGINT)
	if status := p.status(); status != exitOK {
		t.Errorf("exit status %d, want 0\n%s", status, p.log())
	}
}
