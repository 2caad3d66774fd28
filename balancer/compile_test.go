package balancer

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/weirlb/weir/config"
)

// many is a world of n pools of three origins in one list.
func many(t testing.TB, n int) *world {
	ids := make([]string, n)
	pools := make([]config.Pool, n)
	for i := range pools {
		ids[i] = fmt.Sprintf("pool-%d", i)
		pools[i] = pool(ids[i], 3)
	}
	return newWorld(t, lb(ids[n-1], ids...), pools...)
}

// One pool's health touches one pool: every other one is shared, and so is everything compiled.
func TestAHealthFlipSharesTheRest(t *testing.T) {
	w := many(t, 10000)
	before := w.snapshot
	w.believe("pool-5000", "DDD")
	after := w.snapshot
	for i := range before.pools {
		if (before.pools[i] == after.pools[i]) != (i != 5000) {
			t.Fatalf("pool %d: shared %v", i, before.pools[i] == after.pools[i])
		}
	}
	old, now := before.pools[5000], after.pools[5000]
	if old.plan != now.plan || &old.Origins[0] != &now.Origins[0] {
		t.Error("health had something compiled anew")
	}
	if before.index != after.index || before.lbs[0].plan != after.lbs[0].plan {
		t.Error("health had the load balancer compiled anew")
	}
	if before.lbs[0].lists[0].open.Len() != 10000 || after.lbs[0].lists[0].open.Len() != 9999 || after.lbs[0].lists[0].open.Has(5000) {
		t.Errorf("%d pools serve, then %d", before.lbs[0].lists[0].open.Len(), after.lbs[0].lists[0].open.Len())
	}

	// While the pool goes on serving, load balancers are none the wiser.
	before = w.snapshot
	w.believe("pool-7", "UDU")
	if before.lbs[0] != w.snapshot.lbs[0] || &before.lbs[0] != &w.snapshot.lbs[0] {
		t.Error("a pool that goes on serving touched its load balancer")
	}
}

// A new configuration compiles the steering of those pools whose origins, weights or policy changed.
func TestAReloadCompilesWhatChanged(t *testing.T) {
	w := newWorld(t, lb("D", "A", "B", "C", "D"), pool("A", 3), pool("B", 3), pool("C", 3), pool("D", 3))
	before := w.snapshot
	w.reload(func(c *config.Config) {
		c.Pools[0].Description, c.Pools[0].Origins[0].Name, c.Pools[0].Pos.Line = "new", "new", 99
		c.Pools[1].Origins[2].Weight = 7
		c.Pools[2].OriginSteering.Policy = "hash"
		c.Pools[3].Origins = append(c.Pools[3].Origins, config.Origin{Name: "new", Address: "192.0.2.99", Enabled: true, Weight: 100})
	})
	for i, same := range []bool{true, false, false, false} {
		if got := before.pools[i].plan.picker == w.snapshot.pools[i].plan.picker; got != same {
			t.Errorf("pool %s: the steering of before: %v, want %v", before.pools[i].Config.ID, got, same)
		}
	}
	for i := range w.snapshot.pools {
		if w.snapshot.pools[i].Config != &w.config.Pools[i] {
			t.Errorf("pool %d shows settings of before", i)
		}
	}
}

// Whatever way a state was reached, it is the same state: incremental against from scratch is in model_test.go. Here:
// names that change address touch their pools, and no other origins.
func TestAddressesAreFollowed(t *testing.T) {
	a, b := pool("A", 2), pool("B", 2)
	a.Origins[1].Address = "one.test"
	w := newWorld(t, lb("B", "A"), a, b)
	before := w.snapshot
	w.names["one.test"] = []netip.Addr{netip.MustParseAddr("192.0.2.77"), netip.MustParseAddr("2001:db8::77")}
	w.refresh("A", "no such pool")
	o := w.snapshot.Pool("A").Origins
	if !slices.Equal(o[1].Addrs, w.names["one.test"]) || o[0].Addrs[0] != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("addresses %v and %v", o[0].Addrs, o[1].Addrs)
	}
	if before.Pool("A").Origins[1].Addrs != nil {
		t.Error("a snapshot changed after it was made")
	}
	if !slices.Equal(HostNames(w.config), []string{"one.test"}) {
		t.Errorf("names to resolve: %v", HostNames(w.config))
	}
	same := w.snapshot
	w.refresh("A")
	if &same.Pool("A").Origins[0] != &w.snapshot.Pool("A").Origins[0] {
		t.Error("addresses that did not change were copied")
	}
}

func TestHostNamesAreDistinctAndLowerCase(t *testing.T) {
	p := pool("A", 5)
	for i, address := range []string{"B.test", "192.0.2.1", "2001:db8::1", "b.TEST", "a.test"} {
		p.Origins[i].Address = address
	}
	if got, want := HostNames(&config.Config{Pools: []config.Pool{p}}), []string{"a.test", "b.test"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAPoolTwiceInAListIsOnce(t *testing.T) {
	w := newWorld(t, lb("B", "A", "A"), shed(pool("A", 1), 100, "random"), pool("B", 1))
	if d := w.direct(1); d.Shed != 1 || where(d) != "B/o1!" {
		t.Errorf("%s after %d pools shed it", where(d), d.Shed)
	}
}

func TestADanglingPoolIsABug(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it was passed over")
		}
	}()
	newWorld(t, lb("A", "A", "Z"), pool("A", 1))
}

func TestTrustedPeers(t *testing.T) {
	w := newWorld(t, lb("A", "A"), pool("A", 1))
	w.reload(func(c *config.Config) { c.Weir.TrustedProxies = []string{"10.1.2.3/8", "::1/128"} })
	want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	if !slices.Equal(w.snapshot.Trusted, want) {
		t.Errorf("got %v, want %v", w.snapshot.Trusted, want)
	}
}

// One pool of n starts and stops serving.
func BenchmarkBuildFlip(b *testing.B) {
	for _, n := range []int{10, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := many(b, n)
			up := picture(w.snapshot.pools[n/2].Config, "UUU")
			down := picture(w.snapshot.pools[n/2].Config, "DDD")
			changed := Changed{Pools: []string{up.Pool}}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				w.table.Set(up)
				if i%2 == 0 {
					w.table.Set(down)
				}
				w.snapshot = Build(w.snapshot, w.inputs(), changed)
			}
		})
	}
}

// A new configuration of n pools, one of which changed.
func BenchmarkBuildReload(b *testing.B) {
	w := many(b, 10000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.reload(func(c *config.Config) { c.Pools[5000].Origins[1].Weight = config.Weight(i % 100) })
	}
}
