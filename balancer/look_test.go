package balancer

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

// What is shown of a pool is what it decides by (behaviour S1, P8).
func TestSharesAreShown(t *testing.T) {
	origin := func(port int, weight config.Weight) config.Origin {
		return config.Origin{Address: "192.0.2.1", Port: port, Enabled: true, Weight: weight}
	}
	for _, c := range []struct {
		what    string
		down    []int
		weights []config.Weight
		want    []float64
	}{
		{"all are up", nil, []config.Weight{100, 50, 50}, []float64{0.5, 0.25, 0.25}},
		{"one is down", []int{0}, []config.Weight{100, 50, 50}, []float64{0, 0.5, 0.5}},
		{"all are down: as the last resort", []int{0, 1, 2}, []config.Weight{100, 50, 50}, []float64{0.5, 0.25, 0.25}},
		{"nothing but weight 0", []int{0}, []config.Weight{100, 0, 0}, []float64{0, 0.5, 0.5}},
	} {
		pool := config.Pool{ID: "A", Name: "a", Enabled: true, MinimumOrigins: 1, Monitor: "m", CheckRegions: []string{"WEU", "ENAM", "OC"}}
		for i, w := range c.weights {
			pool.Origins = append(pool.Origins, origin(1000+i, w))
		}
		cfg := &config.Config{Pools: []config.Pool{pool}, Monitors: []config.Monitor{{ID: "m", Type: "tcp"}}}
		table := health.NewTable()
		table.Set(health.Suppose(cfg, &cfg.Pools[0], func(i int, _ string) bool { return slices.Contains(c.down, i) }))
		s := Build(nil, Inputs{Config: cfg, Health: table, Registry: NewRegistry(1)}, Changed{Config: true})
		p := s.Pool("A")
		if diff := cmp.Diff(c.want, p.Shares()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", c.what, diff)
		}
		if diff := cmp.Diff([]string{"ENAM", "OC", "WEU"}, p.Places()); diff != "" || !p.Monitored() {
			t.Errorf("%s: places: -want +got:\n%s", c.what, diff)
		}
		for i := range c.weights {
			want := health.Up
			if slices.Contains(c.down, i) {
				want = health.Down
			}
			if got := p.Verdict(i, "OC").Status; got != want || p.Verdict(i, health.Everywhere).Status != want {
				t.Errorf("%s: origin %d is %v, want %v", c.what, i, got, want)
			}
		}
	}
}

// A new key makes cookies of the old one void, and the old key brings them back (behaviour N9).
func TestRekey(t *testing.T) {
	s := NewSealer([]byte("one"))
	value := s.AppendValue(nil, "lb", 7, at(1000))
	s.Rekey([]byte("two"))
	if _, why := s.Open(value, "lb", at(0)); why != SessionInvalid {
		t.Errorf("with another key: %v, want %v", why, SessionInvalid)
	}
	s.Rekey([]byte("one"))
	if origin, why := s.Open(value, "lb", at(0)); origin != 7 || why != Yes {
		t.Errorf("with the key again: %d %v", origin, why)
	}
}
