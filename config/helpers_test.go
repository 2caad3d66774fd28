package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares got with a file under testdata, or writes it with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// load reads one text under the name in.json.
func load(text string, opt Options) (*Config, []Problem) {
	return Load([]Source{{Name: "in.json", Data: []byte(text)}}, opt)
}

// mustLoad is load for texts that are fine; warnings are allowed.
func mustLoad(t *testing.T, text string) *Config {
	t.Helper()
	c, problems := load(text, Options{})
	if c == nil {
		t.Fatalf("not loaded:\n%s", lines(problems))
	}
	return c
}

func lines(problems []Problem) string {
	var b strings.Builder
	for _, p := range problems {
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}

// sameConfig ignores where objects were read.
var sameConfig = cmp.Options{
	cmpopts.IgnoreTypes(Position{}),
	cmpopts.IgnoreUnexported(Config{}),
}

func readFileT(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

const (
	onePool    = `{"id":"p1","name":"one","origins":[{"name":"a","address":"192.0.2.1"},{"name":"b","address":"192.0.2.2"}]}`
	oneMonitor = `{"id":"m1","type":"http","expected_codes":"200","header":{"Host":["example.com"]}}`
)
