package health

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirlb/weir/config"
)

// Supposed verdicts join as found ones do: a minority of regions takes nothing down (behaviour H10, H11, M5).
func TestSuppose(t *testing.T) {
	pool := func(regions, sources []string) config.Pool {
		return config.Pool{
			ID: "p", Enabled: true, Monitor: "m", CheckRegions: regions, HealthSources: sources,
			Origins: []config.Origin{{Name: "a", Address: "a", Enabled: true}, {Name: "b", Address: "b", Enabled: true}, {Name: "c", Address: "c"}},
		}
	}
	three := []string{"WEU", "EEU", "ENAM"}
	for _, c := range []struct {
		what    string
		pool    config.Pool
		down    string // of origin a, by place
		want    Status // of origin a, everywhere
		sources []string
	}{
		{"nothing is down", pool(three, nil), "", Up, []string{SourceGlobal}},
		{"one region of three", pool(three, nil), "WEU", Up, []string{SourceGlobal}},
		{"two regions of three", pool(three, nil), "WEU EEU", Down, []string{SourceGlobal}},
		{"regions that judge", pool(three, []string{SourceRegional, SourceGlobal}), "WEU", Up, []string{SourceRegional, SourceGlobal}},
		{"the instance's own data centre", pool(nil, nil), "LCL", Down, []string{SourceLocal, SourceGlobal}},
	} {
		t.Run(c.what, func(t *testing.T) {
			cfg := &config.Config{Pools: []config.Pool{c.pool}, Monitors: []config.Monitor{{ID: "m"}}}
			cfg.Weir.Location.PoP = "LCL"
			down := func(i int, place string) bool { return i == 0 && slices.Contains(strings.Fields(c.down), place) }
			got := Suppose(cfg, &cfg.Pools[0], down)
			if got.Origins[0].Global.Status != c.want || got.Origins[1].Global.Status != Up {
				t.Errorf("a is %v and b is %v, want %v and up", got.Origins[0].Global.Status, got.Origins[1].Global.Status, c.want)
			}
			if got.Origins[2].Global.Status != Unknown {
				t.Errorf("a disabled origin is %v, want unknown: it is not probed", got.Origins[2].Global.Status)
			}
			if diff := cmp.Diff(c.sources, got.Sources); diff != "" {
				t.Errorf("sources: -want +got:\n%s", diff)
			}
			for _, place := range SupposePlaces(cfg, &cfg.Pools[0]) {
				want := Up
				if down(0, place) {
					want = Down
				}
				if v := got.Origins[0].Places[place]; v.Status != want {
					t.Errorf("a from %s is %v, want %v", place, v.Status, want)
				}
			}
		})
	}
}

func TestSupposeUnmonitored(t *testing.T) {
	cfg := &config.Config{Pools: []config.Pool{{ID: "p", Enabled: true, Origins: []config.Origin{{Name: "a", Address: "a", Enabled: true}}}}}
	got := Suppose(cfg, &cfg.Pools[0], func(int, string) bool { return true })
	if got.Monitored || got.Origins[0].Global.Status != Unknown || len(SupposePlaces(cfg, &cfg.Pools[0])) != 0 {
		t.Errorf("%+v, want a pool that nobody judges", got)
	}
}
