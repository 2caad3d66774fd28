package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirlb/weir/balancer/explain"
)

const explainWorld = "testdata/explain/world.json"

// A session of the world's load balancer with the key that there is when none is configured.
const explainCookie = "__cflb=25qqgm6YN6q6SyeDBcyv888Bfut671h8bTi5L3m"

func TestExplainOutput(t *testing.T) {
	for name, args := range map[string][]string{
		"shed":     nil,
		"rule":     {"--path", "/reports/2026?year=2026", "--https", "--client", "203.0.113.7"},
		"geo":      {"--pop", "IAD", "--down", "frankfurt/fra-1", "--seed", "7"},
		"poolset":  {"--country", "NZ", "--region", "OC"},
		"fixed":    {"--path", "/old"},
		"session":  {"--cookie", explainCookie},
		"broken":   {"--cookie", explainCookie, "--down", "iad-1"},
		"expired":  {"--cookie", explainCookie, "--now", "2026-01-02T15:34:05Z"},
		"fallback": {"--down", "fra-1", "--down", "fra-2", "--down", "iad-1"},
		"regions":  {"--region-down", "WEU=fra-1", "--region-down", "EEU=fra-1", "--seed", "2"},
		"unknown":  {"--host", "www.example.org"},
		"disabled": {"--host", "closed.example.com"},
		"json":     {"-o", "json", "--down", "fra-1", "--region-down", "WEU=iad-1"},
	} {
		t.Run(name, func(t *testing.T) {
			status, got, stderr := weir(t, append([]string{"explain", explainWorld, "--now", "2026-01-02T15:04:05Z"}, args...)...)
			if status != exitOK || stderr != "" {
				t.Fatalf("status %d: %s", status, stderr)
			}
			golden := filepath.Join("testdata", "explain", name+".golden")
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
				t.Errorf("weir explain %s: -want +got:\n%s", strings.Join(args, " "), diff)
			}
		})
	}
}

func TestExplainStatus(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.json")
	writeJSON(t, bad, strings.Replace(readFile(t, explainWorld), `eq \"GET\"`, `is \"GET\"`, 1))
	notWeir := httpServer(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") })
	for _, c := range []struct {
		what string
		args []string
		want int
		says string
	}{
		{"nothing to read or ask", nil, 2, "--url"},
		{"files and an address", []string{explainWorld, "--url", "http://127.0.0.1:1"}, 2, "not both"},
		{"another form", []string{explainWorld, "-o", "yaml"}, 2, "text or json"},
		{"a client that is none", []string{explainWorld, "--client", "here"}, 2, "--client is"},
		{"a region that is none", []string{explainWorld, "--region", "EUROPE"}, 2, "--region is"},
		{"an origin that is none", []string{explainWorld, "--down", "x"}, 2, `--down: no origin is called "x"`},
		{"a region that does not probe", []string{explainWorld, "--region-down", "OC=fra-1"}, 2, "--region-down: OC does not probe"},
		{"supposing of a running weir", []string{"--url", "http://127.0.0.1:1", "--down", "x"}, 2, "--down"},
		{"an address that is none", []string{"--url", "127.0.0.1:8081"}, 2, "--url"},
		{"a file that is not there", []string{"testdata/none.json"}, 1, "cannot be read"},
		{"a condition that cannot be evaluated", []string{bad}, 1, "condition"},
		{"nobody there", []string{"--url", "http://127.0.0.1:1"}, 1, "refused"},
		{"somebody else there", []string{"--url", notWeir}, 1, "is that a weir's admin listener?"},
		{"a token that is not there", []string{"--url", notWeir, "--token-file", "none"}, 1, "--token-file"},
	} {
		t.Run(c.what, func(t *testing.T) {
			status, stdout, stderr := weir(t, append([]string{"explain"}, c.args...)...)
			if status != c.want || !strings.Contains(stderr, c.says) || stdout != "" {
				t.Errorf("status %d, want %d with %q\nstdout: %s\nstderr: %s", status, c.want, c.says, stdout, stderr)
			}
		})
	}
}

// What docs/explain.md shows is what the program says.
func TestExplainDocument(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	const document = "docs/explain.md"
	text := readFile(t, document)
	block := regexp.MustCompile("(?s)```console\n\\$ weir ([^\n]*)\n(.*?)```\n")
	fresh := block.ReplaceAllStringFunc(text, func(shown string) string {
		command := block.FindStringSubmatch(shown)[1]
		status, out, stderr := weir(t, strings.Fields(command)...)
		if status != exitOK {
			t.Errorf("weir %s: %d %s", command, status, stderr)
		}
		return "```console\n$ weir " + command + "\n" + out + "```\n"
	})
	if *update {
		if err := os.WriteFile(document, []byte(fresh), 0o600); err != nil {
			t.Fatal(err)
		}
		text = fresh
	}
	if diff := cmp.Diff(text, fresh); diff != "" || !block.MatchString(text) {
		t.Errorf("%s: -shown +said:\n%s", document, diff)
	}
}

// explainable are pools that nobody monitors, over origins that run, behind rules, sessions and shedding.
func explainable(t *testing.T, dir string) string {
	t.Helper()
	a, b, c := startOrigin(t, "a"), startOrigin(t, "b"), startOrigin(t, "c")
	eu := poolJSON("eu", "", a, b)
	eu["load_shedding"] = map[string]any{"default_percent": 40, "default_policy": "random", "session_percent": 30}
	doc := document([]map[string]any{eu, poolJSON("us", "", c)})
	doc["load_balancers"] = []any{map[string]any{
		"id": "lb", "name": "*.example.com", "default_pools": []string{"id-eu", "id-us"}, "fallback_pool": "id-us",
		"steering_policy": "random", "session_affinity": "cookie",
		"rules": []any{map[string]any{"name": "us", "condition": `http.request.uri.path eq "/us"`, "overrides": map[string]any{"default_pools": []string{"id-us"}}}},
	}}
	doc["weir"] = map[string]any{"sessions": map[string]any{"key_file": filepath.Join(dir, "session.key")}}
	file := filepath.Join(dir, "all.json")
	writeJSON(t, file, doc)
	return file
}

// On files and on the weir that serves them the same question has the same answer, and a request with the same seed goes
// there (behaviour X1).
func TestExplainIsWhatHappens(t *testing.T) {
	file := explainable(t, t.TempDir())
	r := serveApp(t, file, "--explain-headers")
	cookie := ""
	seen := map[string]int{}
	for seed := range 100 {
		await(t, "the end of the request before", func() bool { return underWay(r) == 0 })
		path := []string{"/", "/us"}[seed%2]
		args := []string{"explain", "-o", "json", "--host", "www.example.com", "--path", path, "--seed", fmt.Sprint(seed), "--now", "2026-01-02T15:04:05Z"}
		if cookie != "" {
			args = append(args, "--cookie", cookie)
		}
		status, offline, stderr := weir(t, append(args, file)...)
		_, online, stderr2 := weir(t, append(args, "--url", r.adminURL(""))...)
		if diff := cmp.Diff(offline, online); diff != "" || status != exitOK {
			t.Fatalf("seed %d: %s %s: -offline +online:\n%s", seed, stderr, stderr2, diff)
		}
		var report explain.Report
		if err := json.Unmarshal([]byte(online), &report); err != nil {
			t.Fatal(err)
		}
		d := report.Attempts[0].Decision

		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url(path), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		q.Host = "www.example.com"
		q.Header.Set("Weir-Seed", report.Seed)
		if cookie != "" {
			q.Header.Set("Cookie", cookie)
		}
		answer, err := r.client.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		got := answer.Header.Get("Weir-Pool") + " " + answer.Header.Get("Weir-Origin") + " " + answer.Header.Get("Weir-Reason")
		if want := d.Pool.Name + " " + d.Origin.Name + " " + d.Reason; got != want {
			t.Fatalf("seed %d: the request went %s, and was explained as %s", seed, got, want)
		}
		seen[d.Reason+" "+d.Pool.Name]++
		if set := answer.Header.Get("Set-Cookie"); set != "" && seed > 50 {
			cookie, _, _ = strings.Cut(set, ";")
		}
	}
	if seen["steered eu"] == 0 || seen["steered us"] == 0 || seen["session eu"]+seen["session us"] == 0 {
		t.Errorf("the requests went %v: too few ways", seen)
	}
}

// underWay counts the requests that loads count.
func underWay(r *running) (n int) {
	for _, p := range r.writer.Current().Pools() {
		n += p.Load().Outstanding()
	}
	return n
}

// The admin token is sent, and needed.
func TestExplainSendsTheToken(t *testing.T) {
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "pools.json")
	doc := document([]map[string]any{poolJSON("eu", "", startOrigin(t, "a"))})
	doc["weir"] = map[string]any{"admin": map[string]any{"token_file": token}}
	writeJSON(t, file, doc)
	r := serveApp(t, file)
	if status, _, stderr := weir(t, "explain", "--url", r.adminURL("")); status != exitInput || !strings.Contains(stderr, "token is needed") {
		t.Errorf("without the token: %d %s, want 1 and what is needed", status, stderr)
	}
	status, stdout, stderr := weir(t, "explain", "--url", r.adminURL("/"), "--token-file", token)
	if status != exitOK || !strings.Contains(stdout, "goes to  origin a") {
		t.Errorf("with the token: %d %s %s", status, stdout, stderr)
	}
	if status, body := r.get(r.adminURL("/explain?client=nowhere")); status != http.StatusUnauthorized {
		t.Errorf("without the token, a question is looked at: %d %s", status, body)
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
