package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadPaths: arguments in order, directories sorted, not recursive, links followed (behaviour I2).
func TestReadPaths(t *testing.T) {
	dir := t.TempDir()
	write := func(name string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"conf/b.json", "conf/a.json", "conf/.hidden.json", "conf/notes.txt", "conf/sub/c.json", "conf/dir.json/d.json", "empty/x.txt", "real/e", "z.conf"} {
		write(name)
	}
	if err := os.Symlink(filepath.Join(dir, "real", "e"), filepath.Join(dir, "conf", "link.json")); err != nil {
		t.Fatal(err)
	}
	paths := []string{"z.conf", "conf", "missing.json", "empty"}
	for i := range paths {
		paths[i] = filepath.Join(dir, paths[i])
	}
	srcs, problems := ReadPaths(paths)
	var got []string
	for _, s := range srcs {
		got = append(got, strings.TrimPrefix(s.Name, dir+"/")+"="+string(s.Data))
	}
	if want := "z.conf=z.conf conf/a.json=conf/a.json conf/b.json=conf/b.json conf/link.json=real/e"; strings.Join(got, " ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
	}
	said := strings.ReplaceAll(lines(problems), dir+"/", "")
	if want := "missing.json: error: cannot be read: no such file or directory; a JSON file, or a directory of *.json files\n" +
		"empty: error: cannot be read: the directory holds no *.json file; a JSON file, or a directory of *.json files\n"; said != want {
		t.Errorf("said %s", said)
	}
}

func TestReadStandardInput(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdin
	os.Stdin = r
	defer func() { os.Stdin = old }()
	if _, err := w.WriteString("{}"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	srcs, problems := ReadPaths([]string{StdinName})
	if len(problems) > 0 || len(srcs) != 1 || srcs[0].Name != "-" || string(srcs[0].Data) != "{}" {
		t.Errorf("%v %v", srcs, problems)
	}
}
