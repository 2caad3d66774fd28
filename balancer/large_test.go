package balancer

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

// large is a configuration of n load balancers over 10·n pools of ten origins each, with every kind of thing in it.
func large(n int) *config.Config {
	c := &config.Config{Monitors: []config.Monitor{{ID: "m", Type: "tcp"}}}
	c.Weir.Location = fra
	for i := range n {
		var ids []string
		for k := range 10 {
			p := pool(fmt.Sprintf("pool-%d-%d", i, k), 10)
			for j := range p.Origins {
				p.Origins[j].Address = netip.AddrFrom4([4]byte{10, byte(i), byte(i>>8 + k<<4), byte(j)}).String()
			}
			p.OriginSteering.Policy = policies[k%len(policies)]
			c.Pools = append(c.Pools, p)
			ids = append(ids, p.ID)
		}
		l := steer(affine(lb(ids[9], ids...), "cookie", 1800), allPolicies[i%len(allPolicies)])
		l.ID, l.Name = fmt.Sprint("lb", i), fmt.Sprintf("www%d.example.com", i)
		l.RegionPools = map[string][]string{"WNAM": ids[:5], "WEU": ids[5:]}
		l.Rules = []config.Rule{on(0, "/a", config.Overrides{DefaultPools: ids[1:3]}), on(1, "/b", config.Overrides{SteeringPolicy: "random"})}
		c.LoadBalancers = append(c.LoadBalancers, l)
	}
	return c
}

func largeInputs(n int) Inputs {
	in := Inputs{
		Revision: 1, Config: large(n), Health: health.NewTable(), Registry: NewRegistry(2), Sessions: NewSessions(NewSealer(nil), 1),
	}
	for i := range in.Config.Pools {
		in.Health.Set(picture(&in.Config.Pools[i], "UUUUUUUUUU"))
	}
	return in
}

// One of 10,000 pools that comes or goes touches its own load balancer and no other, and compiles nothing; what all of it
// takes is a matter of seconds at worst.
func TestALargeConfiguration(t *testing.T) {
	if testing.Short() {
		t.Skip("100,000 origins")
	}
	in := largeInputs(1000)
	began := time.Now()
	s := Build(nil, in, Changed{Config: true})
	built := time.Since(began)
	ask := func(s *Snapshot, i int, target string) Decision {
		r := path(1, target)
		r.Host, r.Now = fmt.Appendf(nil, "www%d.example.com", i), epoch
		return s.Direct(r, &Trail{})
	}
	for i := range 1000 {
		for _, target := range []string{"/", "/a", "/b", "/a/b"} {
			if d := ask(s, i, target); d.Kind != ToOrigin || d.LB != s.lbs[i] {
				t.Fatalf("www%d%s: %s", i, target, where(d))
			}
		}
	}
	const at = 500*10 + 1 // of load balancer 500
	in.Health.Set(picture(&in.Config.Pools[at], "DDDDDDDDDD"))
	began = time.Now()
	next := Build(s, in, Changed{Pools: []string{in.Config.Pools[at].ID}})
	flipped := time.Since(began)
	for i := range s.pools {
		if (s.pools[i] == next.pools[i]) == (i == at) {
			t.Fatalf("pool %d: shared %v", i, s.pools[i] == next.pools[i])
		}
	}
	for i := range s.lbs {
		if (s.lbs[i] == next.lbs[i]) == (i == 500) || s.lbs[i].plan != next.lbs[i].plan {
			t.Fatalf("load balancer %d: shared %v", i, s.lbs[i] == next.lbs[i])
		}
	}
	if d := ask(next, 500, "/a"); d.Pool.Config.ID != "pool-500-2" {
		t.Errorf("then %s", where(d))
	}
	began = time.Now()
	c := *in.Config
	c.LoadBalancers = append([]config.LoadBalancer(nil), c.LoadBalancers...)
	c.LoadBalancers[7].Enabled = false
	in.Config = &c
	again := Build(next, in, Changed{Config: true})
	t.Logf("built in %v, one flip in %v, reloaded in %v", built, flipped, time.Since(began))
	for i := range again.pools {
		if again.pools[i].plan.picker != next.pools[i].plan.picker {
			t.Fatalf("pool %d was compiled anew", i)
		}
	}
}

// BenchmarkLargeBuild says what 1,000 load balancers, 10,000 pools and 100,000 origins cost to join.
func BenchmarkLargeBuild(b *testing.B) {
	in := largeInputs(1000)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var s *Snapshot
	b.ReportAllocs()
	for b.Loop() {
		s = Build(nil, in, Changed{Config: true})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MB-held")
	runtime.KeepAlive(s)
}

// BenchmarkLargeFlip is one of its pools that comes or goes.
func BenchmarkLargeFlip(b *testing.B) {
	in := largeInputs(1000)
	s := Build(nil, in, Changed{Config: true})
	up, down := picture(&in.Config.Pools[5001], "UUUUUUUUUU"), picture(&in.Config.Pools[5001], "DDDDDDDDDD")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		in.Health.Set(up)
		if i%2 == 0 {
			in.Health.Set(down)
		}
		s = Build(s, in, Changed{Pools: []string{up.Pool}})
	}
}
