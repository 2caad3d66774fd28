// Package examples_test holds the examples to what their README says.
package examples_test

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"github.com/weirlb/weir/config"
)

func load(t *testing.T, path string) (*config.Config, []config.Problem) {
	t.Helper()
	sources, problems := config.ReadPaths([]string{path})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return config.Load(sources, config.Options{})
}

func TestExamplesLoadWithoutAWarning(t *testing.T) {
	c, problems := load(t, ".")
	for _, p := range problems {
		if p.Severity != config.Note {
			t.Errorf("%s:%d: %s: %s; %s", p.Pos.File, p.Pos.Line, p.Pointer, p.What, p.Want)
		}
	}
	if c == nil {
		t.Fatal("nothing was loaded")
	}
	if len(c.LoadBalancers) != 2 || len(c.Monitors) != 2 {
		t.Errorf("%d load balancers, %d monitors; want 2 and 2", len(c.LoadBalancers), len(c.Monitors))
	}
	var ports []int
	for _, pool := range c.Pools {
		byName := func(a, b config.Origin) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) }
		if !slices.IsSortedFunc(pool.Origins, byName) {
			t.Errorf("the origins of %s are not sorted by name, as the API sorts them", pool.Name)
		}
		for _, origin := range pool.Origins {
			ports = append(ports, origin.Port)
		}
	}
	if !slices.Equal(ports, []int{9001, 9002, 9003, 9004, 9005, 9006}) {
		t.Errorf("the pools use ports %v", ports)
	}
}

// Behaviour I5: ids that lead nowhere are warnings in files.
func TestPublishedExampleIsAcceptedAsItStands(t *testing.T) {
	c, problems := load(t, "published")
	for _, p := range problems {
		if p.Severity == config.Error {
			t.Errorf("%s: %s; %s", p.Pointer, p.What, p.Want)
		}
	}
	if c == nil || len(c.Pools) != 1 || c.Pools[0].Name != "primary-dc-1" {
		t.Fatalf("loaded %+v", c)
	}
}

func TestPublishedExampleHasNotBeenTouched(t *testing.T) {
	ours, err := os.ReadFile("published/pool_details.json")
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile("../config/testdata/pool_details.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.TrimSpace(ours), bytes.TrimSpace(kept)) {
		t.Error("examples/published and config/testdata hold different copies")
	}
}
