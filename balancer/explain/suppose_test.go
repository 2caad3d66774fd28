package explain

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weirlb/weir/config"
)

func TestSuppose(t *testing.T) {
	origins := func(names ...string) (list []config.Origin) {
		for _, n := range names {
			list = append(list, config.Origin{Name: n, Address: n + ".example.com", Enabled: true, Weight: 100})
		}
		return list
	}
	c := &config.Config{
		Monitors: []config.Monitor{{ID: "m", Type: "tcp"}},
		Pools: []config.Pool{
			{ID: "1", Name: "eu", Enabled: true, MinimumOrigins: 1, Monitor: "m", CheckRegions: []string{"WEU", "EEU", "ENAM"}, Origins: origins("a", "b")},
			{ID: "2", Name: "us", Enabled: true, MinimumOrigins: 1, Monitor: "m", Origins: origins("a")},
			{ID: "3", Name: "static", Enabled: true, MinimumOrigins: 1, Origins: origins("page")},
		},
	}
	c.Weir.Location.PoP = "LCL"
	for _, x := range []struct {
		what  Supposition
		want  string // states of the pools
		wrong string // or what the error says
	}{
		{what: Supposition{}, want: "Healthy Healthy Health unknown"},
		{what: Supposition{Down: []string{"a"}}, want: "Degraded Critical Health unknown"},
		{what: Supposition{Down: []string{"eu/a"}}, want: "Degraded Healthy Health unknown"},
		{what: Supposition{Down: []string{"a", "b"}}, want: "Critical Critical Health unknown"},
		{what: Supposition{RegionDown: []string{"WEU=eu/a"}}, want: "Healthy Healthy Health unknown"},
		{what: Supposition{RegionDown: []string{"WEU=eu/a", "eeu=eu/a"}}, want: "Degraded Healthy Health unknown"},
		{what: Supposition{RegionDown: []string{"lcl=us/a"}}, want: "Healthy Critical Health unknown"},
		{what: Supposition{Down: []string{"z"}}, wrong: `down: no origin is called "z"`},
		{what: Supposition{Down: []string{"eu/page"}}, wrong: `no origin is called "eu/page"`},
		{what: Supposition{Down: []string{"page"}}, wrong: "page is in no pool that is monitored"},
		{what: Supposition{RegionDown: []string{"eu/a"}}, wrong: "use REGION=POOL/ORIGIN"},
		{what: Supposition{RegionDown: []string{"OC=eu/a"}}, wrong: "OC does not probe eu/a; it is probed from EEU, ENAM, WEU"},
	} {
		s, err := Suppose(c, x.what, nil)
		if err != nil {
			if x.wrong == "" || !strings.Contains(err.Error(), x.wrong) {
				t.Errorf("%+v: %v, want an error that says %q", x.what, err, x.wrong)
			}
			continue
		}
		var states []string
		for _, p := range s.Pools() {
			states = append(states, p.State().String())
		}
		if got := strings.Join(states, " "); got != x.want {
			t.Errorf("%+v: %s, want %s", x.what, got, x.want)
		}
	}
}

// A report of a large pool costs in proportion to it.
func TestReportOfALargePool(t *testing.T) {
	pool := config.Pool{ID: "1", Name: "large", Enabled: true, MinimumOrigins: 1, Monitor: "m", CheckRegions: []string{"WEU", "EEU", "ENAM"}}
	for i := range 10_000 {
		pool.Origins = append(pool.Origins, config.Origin{Name: fmt.Sprint(i), Address: fmt.Sprintf("o%d.example.com", i), Enabled: true, Weight: 100})
	}
	c := &config.Config{
		Monitors: []config.Monitor{{ID: "m", Type: "tcp"}}, Pools: []config.Pool{pool},
		LoadBalancers: []config.LoadBalancer{{ID: "lb", Name: "example.com", Enabled: true, DefaultPools: []string{"1"}, SteeringPolicy: "off"}},
	}
	s, err := Suppose(c, Supposition{RegionDown: []string{"WEU=9999"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	report := (&Question{}).Ask(s, nil, time.Unix(0, 0))
	if n := len(report.Attempts[0].Steps); n != 10_003 {
		t.Errorf("%d steps, want one for each origin and three more", n)
	}
	if text := report.Text(); !strings.Contains(text, "o9999.example.com") || !strings.Contains(text, "down from WEU") {
		t.Error("an origin is missing")
	}
}
