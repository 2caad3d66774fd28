package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirlb/weir/config"
)

func stageOf(t *testing.T, o demoStageOptions) *demoStage {
	t.Helper()
	s, err := newDemoStage(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// configOf is what the stage's files say now.
func (s *demoStage) configOf(t *testing.T) *config.Config {
	t.Helper()
	cfg, problems := loadPaths([]string{s.dir}, config.Options{})
	if cfg == nil {
		t.Fatal(problems)
	}
	return cfg
}

// An origin runs at every address that the files name, and the tcp monitor asks at the port of its origin.
func TestDemoStageFilesNameItsOrigins(t *testing.T) {
	s := stageOf(t, demoStageOptions{freePorts: true})
	cfg := s.configOf(t)
	if len(cfg.LoadBalancers) != 2 || len(cfg.Monitors) != 2 || len(s.origins) != 6 {
		t.Errorf("%d load balancers, %d monitors and %d origins; want 2, 2 and 6", len(cfg.LoadBalancers), len(cfg.Monitors), len(s.origins))
	}
	for _, p := range cfg.Pools {
		for _, o := range p.Origins {
			if got := s.origin(o.Name).Port(); got != o.Port {
				t.Errorf("origin %s is at port %d, the files say %d", o.Name, got, o.Port)
			}
		}
	}
	for _, m := range cfg.Monitors {
		if m.Type == "tcp" && m.Port != s.origin("static").Port() {
			t.Errorf("the tcp monitor asks at port %d, its origin is at %d", m.Port, s.origin("static").Port())
		}
	}
	for _, address := range []string{cfg.Weir.Listen[0].Address, cfg.Weir.Admin.Address} {
		if address != "127.0.0.1:0" {
			t.Errorf("listens on %s, want a free port", address)
		}
	}
}

func TestDemoStageTakesOtherPortsForTakenOnes(t *testing.T) {
	if l, err := net.Listen("tcp", "127.0.0.1:9002"); err == nil {
		defer l.Close() // otherwise somebody else has it, which is as good
	}
	if l, err := net.Listen("tcp", "127.0.0.1:8081"); err == nil {
		defer l.Close()
	}
	s := stageOf(t, demoStageOptions{})
	cfg := s.configOf(t)
	if got := s.origin("eu-2").Port(); got == 9002 || cfg.Pools[0].Origins[1].Port != got {
		t.Errorf("eu-2 is at port %d, and the files say %d; 9002 was taken", got, cfg.Pools[0].Origins[1].Port)
	}
	if cfg.Weir.Admin.Address != "127.0.0.1:0" || !s.moved {
		t.Errorf("the admin listener is to be at %s, where 8081 was taken; moved: %v", cfg.Weir.Admin.Address, s.moved)
	}
}

func TestDemoStageProbesFasterWhenTimeIsShort(t *testing.T) {
	for fast, want := range map[bool]string{false: "3s", true: "1s"} {
		s := stageOf(t, demoStageOptions{freePorts: true, fast: fast})
		for _, m := range s.configOf(t).Monitors {
			if m.Interval.String() != want {
				t.Errorf("fast %v: monitor %s asks every %v, want %s", fast, m.Description, m.Interval, want)
			}
		}
	}
}

// A weight of the script is one of the files; editing it changes that one alone.
func TestDemoStageWeigh(t *testing.T) {
	s := stageOf(t, demoStageOptions{freePorts: true})
	before := s.configOf(t)
	if err := s.weigh(demoWeight, demoReweight); err != nil {
		t.Fatal(err)
	}
	changes := config.Diff(before, s.configOf(t))
	if len(changes) != 1 || !strings.Contains(changes[0], "eu-1") || !strings.Contains(changes[0], "0.6 → 0.2") {
		t.Errorf("the edit changes %q, want the weight of eu-1 from 0.6 to 0.2 alone", changes)
	}
	if err := s.weigh(demoWeight, demoReweight); err == nil || !strings.Contains(err.Error(), "has no eu-1 of weight 0.6") {
		t.Errorf("an edit of what is not there: %v", err)
	}
	if err := s.weigh(demoReweight, demoWeight); err != nil {
		t.Fatal(err)
	}
	if changes := config.Diff(before, s.configOf(t)); len(changes) > 0 {
		t.Errorf("there and back again changes %q", changes)
	}
	if left, _ := filepath.Glob(filepath.Join(s.dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// Everybody in the script is in the files, with the part that the script relies on.
func TestDemoCast(t *testing.T) {
	_, cfg, err := readExamples()
	if err != nil {
		t.Fatal(err)
	}
	role := map[string]config.Origin{}
	in := map[string]string{}
	for _, p := range cfg.Pools {
		for _, o := range p.Origins {
			role[o.Name], in[o.Name] = o, p.Name
		}
		if p.Name == demoFrom && p.MinimumOrigins != len(p.Origins) {
			t.Errorf("%s does not need all its origins", p.Name)
		}
		if p.Name == demoTo && p.OriginSteering.Policy != "least_outstanding_requests" {
			t.Errorf("%s steers by %s", p.Name, p.OriginSteering.Policy)
		}
	}
	for name, pool := range map[string]string{demoFails: demoFrom, demoStays: demoFrom, demoSlow: demoTo, demoQuick: demoTo} {
		if in[name] != pool {
			t.Errorf("%s is in pool %q, want %s", name, in[name], pool)
		}
	}
	if role[demoSlow].Weight != role[demoQuick].Weight || role[demoStays].Weight != 60 || role[demoFails].Weight != 40 {
		t.Errorf("weights are not those that the report judges by: %+v", role)
	}
	if cfg.LoadBalancers[0].Name != demoHost && cfg.LoadBalancers[1].Name != demoHost {
		t.Errorf("no load balancer serves %s by name", demoHost)
	}
}

func TestDemoStageLeavesNothing(t *testing.T) {
	s := stageOf(t, demoStageOptions{freePorts: true})
	address := s.origins[0].Addr()
	s.close()
	if _, err := os.Stat(s.dir); err == nil {
		t.Errorf("%s is still there", s.dir)
	}
	if c, err := net.Dial("tcp", address); err == nil {
		c.Close()
		t.Errorf("an origin still answers at %s", address)
	}
}
