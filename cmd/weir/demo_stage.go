package main

import (
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/weirlb/weir/bench/origin"
	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/examples"
)

// demoStage is what the demo plays on: the files of examples/, written where they can be edited, and an origin at every
// address that they name.
//
//	examples.Files ──► ports that are taken replaced ──► dir/*.json ──► app (which watches them)
//	        └────────► an origin each ◄── stop, slow, return
type demoStage struct {
	dir     string // holds the files; close removes it
	cfg     *config.Config
	origins []*demoOrigin // in the order of the files
	moved   bool          // some port of the files was taken, another one is in its place
}

// demoOrigin is one origin of the demo.
type demoOrigin struct {
	*origin.Origin
	pool, name string
	usual      time.Duration      // how long it takes to answer
	leaves     chan time.Duration // asks it to go away for so long; nil: it cannot be asked
}

// demoStageOptions says how the stage differs from the files.
type demoStageOptions struct {
	freePorts bool // take free ports for everything, whether those of the files are taken or not
	fast      bool // probe every second
	stoppable bool // an origin goes away when it is asked for /stop?for=20s
}

// usually is how long the origins take to answer. One is slower than the others; the rest take a moment.
func usually(name string) time.Duration {
	if name == "us-3" {
		return 60 * time.Millisecond
	}
	return 8 * time.Millisecond
}

// newDemoStage starts the origins and writes the files.
func newDemoStage(o demoStageOptions) (_ *demoStage, err error) {
	texts, cfg, err := readExamples()
	if err != nil {
		return nil, err
	}
	s := &demoStage{cfg: cfg}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	var swaps []string
	for i := range cfg.Pools {
		p := &cfg.Pools[i]
		for _, c := range p.Origins {
			swap, err := s.open(p.Name, &c, o)
			if err != nil {
				return nil, err
			}
			swaps = append(swaps, swap...)
		}
	}
	swaps = append(swaps, s.listeners(o)...)
	if o.fast {
		swaps = append(swaps, `"interval": 3,`, `"interval": 1,`)
	}
	if err := s.write(texts, strings.NewReplacer(swaps...)); err != nil {
		return nil, err
	}
	return s, nil
}

// readExamples returns the embedded files, and what they configure.
func readExamples() (map[string]string, *config.Config, error) {
	names, err := fs.Glob(examples.Files, "*.json") // sorted, as a directory is read
	if err != nil {
		panic("BUG: the pattern of the examples: " + err.Error())
	}
	texts := map[string]string{}
	var sources []config.Source
	for _, name := range names {
		data, err := examples.Files.ReadFile(name)
		if err != nil {
			panic("BUG: an embedded file cannot be read: " + err.Error())
		}
		texts[name] = string(data)
		sources = append(sources, config.Source{Name: name, Data: data})
	}
	cfg, problems := config.Load(sources, config.Options{})
	if cfg == nil {
		return nil, nil, fmt.Errorf("reading the embedded examples: %v", problems)
	}
	return texts, cfg, nil
}

// open starts the origin that c describes: on its port, or on a free one. The texts to swap follow from that.
func (s *demoStage) open(pool string, c *config.Origin, o demoStageOptions) (swap []string, err error) {
	d := &demoOrigin{pool: pool, name: c.Name, usual: usually(c.Name)}
	options := origin.Options{Name: c.Name, Addr: net.JoinHostPort(c.Address, strconv.Itoa(c.Port)), KeepRecords: -1}
	if !o.freePorts {
		d.Origin, err = origin.Start(options)
	}
	if o.freePorts || err != nil {
		options.Addr = net.JoinHostPort(c.Address, "0")
		if d.Origin, err = origin.Start(options); err != nil {
			return nil, err
		}
		s.moved = true
		swap = []string{portText(c.Port), portText(d.Port())}
	}
	if o.stoppable {
		d.leaves = make(chan time.Duration, 1)
	}
	d.slow(d.usual)
	s.origins = append(s.origins, d)
	return swap, nil
}

// portText is a port as the files have it.
func portText(port int) string { return fmt.Sprintf(`"port": %d,`, port) }

// listeners returns the texts to swap for addresses of weir itself that are taken.
func (s *demoStage) listeners(o demoStageOptions) (swaps []string) {
	for _, address := range []string{s.cfg.Weir.Listen[0].Address, s.cfg.Weir.Admin.Address} {
		if o.freePorts || isTaken(address) {
			s.moved = true
			swaps = append(swaps, strconv.Quote(address), `"127.0.0.1:0"`)
		}
	}
	return swaps
}

func isTaken(address string) bool {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return true
	}
	_ = l.Close() // nobody has connected to it
	return false
}

func (s *demoStage) write(texts map[string]string, swap *strings.Replacer) (err error) {
	if s.dir, err = os.MkdirTemp("", "weir-demo-"); err != nil {
		return fmt.Errorf("making a folder for the demo's files: %w", err)
	}
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(swap.Replace(text)), 0o600); err != nil {
			return fmt.Errorf("writing the demo's files: %w", err)
		}
	}
	return nil
}

// close stops the origins and removes the files.
func (s *demoStage) close() {
	for _, o := range s.origins {
		o.Close()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir) // a temporary folder; what cannot be removed is the system's to clear away
	}
}

// origin is the one of a name; the script knows them by name.
func (s *demoStage) origin(name string) *demoOrigin {
	for _, o := range s.origins {
		if o.name == name {
			return o
		}
	}
	panic("BUG: no example has an origin " + name)
}

// slow makes an origin take so long to answer; probes are answered as ever.
func (o *demoOrigin) slow(d time.Duration) {
	rest := origin.Slow(d, origin.Default(o.name))
	o.Use(func(r *origin.Request) origin.Action {
		switch {
		case r.Path == "/health":
			return o.say(o.name + " is well\n")
		case r.Path == "/stop" && o.leaves != nil:
			return o.leave(r.Query)
		}
		return rest(r)
	})
}

func (o *demoOrigin) say(text string) origin.Action {
	named := origin.F(origin.NameField, o.name, "Content-Type", "text/plain; charset=utf-8")
	return origin.AfterBody(origin.Answer(http.StatusOK, named, text))
}

// weigh edits the weight of demoStays in the files, as an editor does: a new file takes the place of the old one.
func (s *demoStage) weigh(from, to string) error {
	path := filepath.Join(s.dir, "pools.json")
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("editing a weight: %w", err)
	}
	before, after, found := strings.Cut(string(data), portText(s.origin(demoStays).Port()))
	was, is := `"weight": `+from+"\n", `"weight": `+to+"\n"
	if !found || !strings.Contains(after, was) {
		return fmt.Errorf("editing a weight: %s has no %s of weight %s", path, demoStays, from)
	}
	text := before + portText(s.origin(demoStays).Port()) + strings.Replace(after, was, is, 1)
	fresh := filepath.Join(s.dir, ".pools.json.new") // no *.json: nobody reads it before it is whole
	if err := os.WriteFile(fresh, []byte(text), 0o600); err != nil {
		return fmt.Errorf("editing a weight: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("editing a weight: %w", err)
	}
	return nil
}
