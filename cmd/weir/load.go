package main

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"os"
	"slices"

	"github.com/weirlb/weir/balancer/rules"
	"github.com/weirlb/weir/config"
)

// loadPaths reads and checks what paths stand for. The Config is nil when a Problem is an error.
func loadPaths(paths []string, opt config.Options) (*config.Config, []config.Problem) {
	sources, problems := config.ReadPaths(paths)
	return loadSources(sources, problems, opt)
}

func loadSources(sources []config.Source, unread []config.Problem, opt config.Options) (*config.Config, []config.Problem) {
	opt.CheckCondition = rules.Check
	cfg, problems := config.Load(sources, opt)
	problems = append(slices.Clone(unread), problems...)
	config.SortProblems(problems)
	if slices.ContainsFunc(problems, isError) {
		return nil, problems
	}
	return cfg, problems
}

// fingerprint tells apart what was read: files by name and content.
type fingerprint [sha256.Size]byte

// fingerprintOf covers sources, and the other files that a configuration names. A file that cannot be read counts as
// one of its own kind.
func fingerprintOf(sources []config.Source, others []string) (f fingerprint) {
	h := sha256.New()
	for _, s := range sources {
		hashFile(h, s.Name, s.Data)
	}
	for _, name := range others {
		data, err := os.ReadFile(name)
		if err != nil {
			data = []byte(err.Error())
		}
		hashFile(h, name, data)
	}
	h.Sum(f[:0])
	return f
}

func hashFile(h hash.Hash, name string, data []byte) {
	fmt.Fprintf(h, "%d %s %d ", len(name), name, len(data))
	h.Write(data)
}

// otherFiles are the files that a reload reads beside the sources.
func otherFiles(w *config.Weir) []string {
	files := []string{w.Origins.CAFile, w.Origins.ClientCert, w.Origins.ClientKey, w.Sessions.KeyFile, w.GeoIP.Database}
	for _, h := range w.Notifications {
		files = append(files, h.SecretFile)
	}
	for _, l := range w.Listen {
		for _, c := range l.TLS {
			files = append(files, c.Cert, c.Key)
		}
	}
	return slices.DeleteFunc(files, func(name string) bool { return name == "" })
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
