package balancer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
	"github.com/weirlb/weir/steering"
	"github.com/weirlb/weir/steering/steeringtest"
)

// pools makes a pool of one origin for each letter.
func pools(letters string) (list []config.Pool) {
	for _, id := range letters {
		list = append(list, pool(string(id), 1))
	}
	return list
}

func steer(l config.LoadBalancer, policy string) config.LoadBalancer {
	l.SteeringPolicy, l.RandomSteering.DefaultWeight = policy, 100
	return l
}

// from decides one request at a place.
func (w *world) at(seed uint64, place config.Place) Decision {
	r := request(seed)
	r.Place = &place
	return w.snapshot.Direct(r, &Trail{})
}

// poolCounts counts the pools that n requests go to, in the order of letters.
func (w *world) poolCounts(n uint64, letters string) []int {
	counts := make([]int, len(letters))
	for seed := range n {
		counts[strings.Index(letters, w.direct(seed).Pool.Config.ID)]++
	}
	return counts
}

var (
	sjc = config.Place{PoP: "SJC", Region: "WNAM", Country: "US"}
	sea = config.Place{PoP: "SEA", Region: "WNAM", Country: "US"}
	fra = config.Place{PoP: "FRA", Region: "WEU", Country: "DE", Latitude: 50.03, Longitude: 8.57}
)

func geo() config.LoadBalancer {
	l := steer(lb("F", "Z"), "geo")
	l.PopPools = map[string][]string{"SJC": {"D"}}
	l.CountryPools = map[string][]string{"CA": {"C"}}
	l.RegionPools = map[string][]string{"WNAM": {"A", "B"}, "OC": {}}
	return l
}

// Behaviour G2: the narrowest list that is mapped, whether it serves or not; inside it failover order; then the fallback
// pool, not the next wider list. The examples of the page "Geo steering".
func TestGeo(t *testing.T) {
	canadian := sea
	canadian.Country = "CA"
	oceania := config.Place{PoP: "AKL", Region: "OC", Country: "NZ"}
	for _, c := range []struct {
		place config.Place
		down  string
		want  string
	}{
		{sjc, "", "D/o1"},
		{sjc, "D", "F/o1!"},
		{canadian, "", "C/o1"},
		{canadian, "C", "F/o1!"},
		{sea, "", "A/o1"},
		{sea, "A", "B/o1"},
		{sea, "AB", "F/o1!"},
		{fra, "", "Z/o1"},
		{fra, "Z", "F/o1!"},
		{oceania, "", "F/o1!"}, // mapped to nothing is mapped
	} {
		w := newWorld(t, geo(), pools("ABCDFZ")...)
		for _, id := range c.down {
			w.believe(string(id), "D")
		}
		if got := where(w.at(1, c.place)); got != c.want {
			t.Errorf("from %s in %s with %q down: got %s, want %s", c.place.PoP, c.place.Country, c.down, got, c.want)
		}
	}
}

// Behaviour G1, P3: "" is geo where anything is mapped, and off otherwise; off looks at no map.
func TestTheEmptyPolicy(t *testing.T) {
	for _, c := range []struct {
		policy string
		mapped bool
		want   string
	}{
		{"", true, "D/o1"}, {"", false, "Z/o1"}, {"off", true, "Z/o1"}, {"geo", false, "Z/o1"},
	} {
		l := geo()
		l.SteeringPolicy = c.policy
		if !c.mapped {
			l.PopPools, l.CountryPools, l.RegionPools = nil, nil, nil
		}
		w := newWorld(t, l, pools("ABCDFZ")...)
		if got := where(w.at(1, sjc)); got != c.want {
			t.Errorf("%q, mapped %v: got %s, want %s", c.policy, c.mapped, got, c.want)
		}
	}
}

// Behaviour G3: weights .3, .5 and the default .2 → 30, 50, 20 %; the second one down → 60, 0, 40 %.
func TestRandomPools(t *testing.T) {
	l := steer(lb("F", "A", "B", "C"), "random")
	l.RandomSteering = config.RandomSteering{DefaultWeight: 20, PoolWeights: map[string]config.Weight{"A": 30, "B": 50}}
	w := newWorld(t, l, pools("ABCF")...)
	steeringtest.Fits(t, w.poolCounts(40000, "ABCF"), []float64{.3, .5, .2, 0})
	w.believe("B", "D")
	steeringtest.Fits(t, w.poolCounts(40000, "ABCF"), []float64{.6, 0, .4, 0})
	w.believe("A", "D")
	w.believe("C", "D")
	w.expect("F/o1!")
}

// Behaviour G3: all weights 0 → failover order; a weight of 0 beside others → nothing for that pool.
func TestPoolsOfNoWeight(t *testing.T) {
	for _, policy := range []string{"random", "least_outstanding_requests", "least_connections"} {
		l := steer(lb("F", "A", "B"), policy)
		l.RandomSteering = config.RandomSteering{DefaultWeight: 0}
		w := newWorld(t, l, pools("ABF")...)
		w.expect("A/o1")
		w.believe("A", "D")
		w.expect("B/o1")

		l.RandomSteering.PoolWeights = map[string]config.Weight{"A": 10}
		w = newWorld(t, l, pools("ABF")...)
		if got := w.poolCounts(100, "ABF"); got[0] != 100 {
			t.Errorf("%s: %v", policy, got)
		}
		w.believe("A", "D")
		w.expect("F/o1!")
	}
}

// Behaviour G3: a pool that is drawn and sheds the request is drawn no second time: the rest share by their weights.
func TestDrawnAgainWithoutReplacement(t *testing.T) {
	l := steer(lb("F", "A", "B", "C"), "random")
	l.RandomSteering = config.RandomSteering{DefaultWeight: 20, PoolWeights: map[string]config.Weight{"A": 30, "B": 50}}
	w := newWorld(t, l, pool("A", 1), shed(pool("B", 1), 100, "random"), pool("C", 1), pool("F", 1))
	steeringtest.Fits(t, w.poolCounts(40000, "ABCF"), []float64{.6, 0, .4, 0})
	for seed := range uint64(1000) {
		if d := w.direct(seed); d.Shed > 1 {
			t.Fatalf("%d pools shed it", d.Shed)
		}
	}
	w.reload(func(c *config.Config) {
		for i := range 3 {
			c.Pools[i] = shed(c.Pools[i], 100, "random")
		}
	})
	if d := w.direct(1); where(d) != "F/o1!" || d.Shed != 3 {
		t.Errorf("all shed: %s after %d", where(d), d.Shed)
	}
}

// Behaviour G6: weight/(load+1), of the pools' own living loads. The example of the reference architecture: weight 0.4 with
// 3 outstanding against 0.6 with none → 14.29 and 85.71 %; equal weights, 1 and 0 connections → 33.33 and 66.67 %.
func TestLeastLoadedPools(t *testing.T) {
	for _, c := range []struct {
		policy  string
		weights map[string]config.Weight
		loads   []int
		want    []float64
	}{
		{"least_outstanding_requests", map[string]config.Weight{"A": 40, "B": 60}, []int{3, 0}, []float64{1. / 7, 6. / 7}},
		{"least_connections", map[string]config.Weight{"A": 50, "B": 50}, []int{1, 0}, []float64{1. / 3, 2. / 3}},
	} {
		l := steer(lb("A", "A", "B"), c.policy)
		l.RandomSteering.PoolWeights = c.weights
		w := newWorld(t, l, pool("A", 3), pool("B", 2))
		for i, n := range c.loads {
			for k := range n { // spread over the pool's origins: they count together
				o := w.snapshot.pools[i].Origins[k%len(w.snapshot.pools[i].Origins)].Live
				if c.policy == "least_connections" {
					o.OpenConnection(k % 2)
				} else {
					o.BeginRequest(k % 2)
				}
			}
		}
		steeringtest.Fits(t, w.poolCounts(40000, "AB"), c.want)
	}
}

// A pool's load is that of all its origins, also of those that left it with something in flight, and no other pool's.
func TestPoolLoads(t *testing.T) {
	w := newWorld(t, lb("A", "A", "B"), pool("A", 2), pool("B", 1))
	a := w.snapshot.Pool("A")
	one, two := a.Origins[0].Live, a.Origins[1].Live
	one.BeginRequest(0)
	two.BeginRequest(1)
	two.OpenConnection(1)
	w.reload(func(c *config.Config) { c.Pools[0].Origins = c.Pools[0].Origins[:1] })
	if load := w.snapshot.Pool("A").Load(); load.Outstanding() != 2 || load.Connections() != 1 || load.Pool != "A" {
		t.Errorf("%d requests, %d connections", load.Outstanding(), load.Connections())
	}
	if load := w.snapshot.Pool("B").Load(); load.Outstanding() != 0 {
		t.Errorf("the other pool: %d requests", load.Outstanding())
	}
	if err := w.registry.Quiet(); err == nil || !strings.Contains(err.Error(), "pool A") {
		t.Errorf("quiet: %v", err)
	}
	one.EndRequest(0)
	two.EndRequest(1)
	two.CloseConnection(1)
	if err := w.registry.Quiet(); err != nil {
		t.Error(err)
	}
}

// Behaviour G4: 120 ms, 40 ms and none → the second, the first, the third; the profile of the request's own place first.
func TestDynamicLatency(t *testing.T) {
	order := func(w *world, place config.Place) string {
		var got strings.Builder
		for range 3 {
			id := w.at(1, place).Pool.Config.ID
			got.WriteString(id)
			w.believe(id, "D")
		}
		for _, id := range "ABC" {
			w.believe(string(id), "U")
		}
		return got.String()
	}
	list := pools("ABCF")
	list[1].CheckRegions = []string{"WNAM", "WEU"}
	list[2].CheckRegions = []string{config.AllRegions}
	w := newWorld(t, steer(lb("F", "A", "B", "C"), "dynamic_latency"), list...)
	if got := order(w, fra); got != "ABC" {
		t.Errorf("without data: %s", got)
	}
	before := w.snapshot
	w.table.RTT("A", health.Everywhere).Store(120 * time.Millisecond)
	w.table.RTT("B", health.Everywhere).Store(40 * time.Millisecond)
	if got := order(w, fra); got != "BAC" {
		t.Errorf("120, 40 and none: %s", got)
	}
	w.table.RTT("A", "FRA").Store(10 * time.Millisecond) // a data centre: it has no check_regions
	if got := order(w, fra); got != "ABC" {
		t.Errorf("with 10 ms from here: %s", got)
	}
	if got := order(w, sea); got != "BAC" {
		t.Errorf("and from elsewhere: %s", got)
	}
	w.table.RTT("C", "WNAM").Store(time.Millisecond)
	if got := order(w, sea); got != "CBA" {
		t.Errorf("with 1 ms from the region: %s", got)
	}
	w.table.RTT("A", health.Everywhere).Store(40 * time.Millisecond)
	w.table.RTT("C", "WNAM").Store(0)
	if got := order(w, sea); got != "ABC" {
		t.Errorf("a tie goes by the order: %s", got)
	}
	if before.lbs[0].plan != w.snapshot.lbs[0].plan {
		t.Error("round-trip times had something compiled")
	}
}

// Behaviour G5: from FRA to AMS, IAD, SIN; a pool without coordinates comes last, and a place without any makes it
// failover order.
func TestProximity(t *testing.T) {
	located := func(id string, lat, lon float64) config.Pool {
		p := pool(id, 1)
		p.Latitude, p.Longitude = &lat, &lon
		return p
	}
	w := newWorld(t, steer(lb("F", "N", "S", "I", "A"), "proximity"),
		pool("N", 1), located("S", 1.36, 103.99), located("I", 38.94, -77.46), located("A", 52.31, 4.76), pool("F", 1))
	for _, want := range []string{"A/o1", "I/o1", "S/o1", "N/o1"} {
		if got := where(w.at(1, fra)); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		if got := where(w.at(1, config.Place{PoP: "ZZZ"})); got != "N/o1" {
			t.Fatalf("from nowhere: %s", got)
		}
		w.believe(want[:1], "D")
	}
	if got := where(w.at(1, fra)); got != "F/o1!" {
		t.Errorf("with all down: %s", got)
	}
}

// Behaviour M5: with health_sources ["regional","global"] a request is judged by its own region, else globally. Regions
// WNAM, ENAM, WEU; WEU is down: European traffic skips the pool, American traffic uses it, and so does that from OC.
func TestRegionalHealth(t *testing.T) {
	w := newWorld(t, lb("B", "A", "B"), pool("A", 1), pool("B", 1))
	p := picture(w.snapshot.Pool("A").Config, "U")
	p.Sources = []string{health.SourceRegional, health.SourceGlobal}
	p.Origins[0].Places = map[string]health.Verdict{
		"WNAM": {Status: health.Up}, "ENAM": {Status: health.Up}, "WEU": {Status: health.Down}, "SAS": {Status: health.Unknown},
	}
	w.table.Set(p)
	w.refresh("A")
	for _, c := range []struct{ region, want string }{
		{"WEU", "B/o1"}, {"WNAM", "A/o1"}, {"ENAM", "A/o1"}, {"OC", "A/o1"}, {"SAS", "A/o1"}, {"", "A/o1"},
	} {
		// A data centre that is called like a region is none.
		if got := where(w.at(1, config.Place{PoP: "WEU", Region: c.region})); got != c.want {
			t.Errorf("from %q: %s, want %s", c.region, got, c.want)
		}
	}
	if _, why := w.snapshot.Pool("A").ServesAt(&fra); why != PoolCritical {
		t.Errorf("from FRA it serves: %v", why)
	}
	if _, why := w.snapshot.Pool("A").ServesAs(""); why != Yes {
		t.Errorf("globally it serves: %v", why)
	}
	// Beside one with data centres, each is judged by its own.
	q := picture(w.snapshot.Pool("B").Config, "U")
	q.Local, q.Sources = true, []string{health.SourceLocal, health.SourceGlobal}
	q.Origins[0].Places = map[string]health.Verdict{"FRA": {Status: health.Down}}
	w.table.Set(q)
	w.refresh("B")
	if got := where(w.at(1, fra)); got != "B/o1!" {
		t.Errorf("with both down from FRA: %s", got)
	}
	if got := where(w.at(1, config.Place{PoP: "AMS", Region: "WEU"})); got != "B/o1" {
		t.Errorf("from AMS: %s", got)
	}
	// A change of one of several pools in one build finds the others' places again.
	w.believe("B", "D")
	if got := where(w.at(1, fra)); got != "B/o1!" {
		t.Errorf("with B down everywhere: %s", got)
	}
	w.table.Set(picture(w.snapshot.Pool("A").Config, "U"))
	w.table.Set(q)
	w.refresh("B", "A")
	if got := where(w.at(1, fra)); got != "A/o1" {
		t.Errorf("with A up everywhere: %s", got)
	}
}

// Lists that several things name are one, and follow health in each.
func TestListsAreShared(t *testing.T) {
	l := geo()
	l.RegionPools = map[string][]string{"WNAM": {"A", "B"}, "ENAM": {"A", "B"}, "WEU": {"Z"}}
	w := newWorld(t, l, pools("ABCDFZ")...)
	if n := len(w.snapshot.lbs[0].plan.lists); n != 4 { // [Z], [A B], [C], [D]
		t.Errorf("%d lists", n)
	}
	w.believe("A", "D")
	for _, region := range []string{"WNAM", "ENAM"} {
		if got := where(w.at(1, config.Place{Region: region})); got != "B/o1" {
			t.Errorf("from %s: %s", region, got)
		}
	}
}

// Every policy there is serves, and the policies of pools and of origins do not share their draws.
func TestDrawsOfPoolsAndOriginsAreIndependent(t *testing.T) {
	w := newWorld(t, steer(lb("A", "A", "B"), "random"), pool("A", 2), pool("B", 2))
	table := [][]int{{0, 0}, {0, 0}}
	for seed := range uint64(20000) {
		d := w.direct(seed)
		table[strings.Index("AB", d.Pool.Config.ID)][slices.Index([]string{"o1", "o2"}, d.Origin.Config.Name)]++
	}
	steeringtest.Independent(t, table)
}

// Direct allocates nothing with any policy between pools, places that judge for themselves included.
func TestPoolSteeringDoesNotAllocate(t *testing.T) {
	for _, policy := range []string{
		steering.Off, steering.Geo, steering.Random, steering.DynamicLatency, steering.Proximity,
		steering.LeastOutstandingRequests, steering.LeastConnections,
	} {
		t.Run(policy, func(t *testing.T) {
			l := geo()
			l = steer(l, policy)
			l.DefaultPools = []string{"A", "B", "C", "D", "Z"}
			list := pools("ABCDFZ")
			for i := range list {
				list[i] = shed(list[i], 30, "random")
			}
			w := newWorld(t, l, list...)
			h := picture(w.snapshot.Pool("A").Config, "U")
			h.Local, h.Sources = true, []string{health.SourceLocal, health.SourceGlobal}
			h.Origins[0].Places = map[string]health.Verdict{"FRA": {Status: health.Down}}
			w.table.Set(h)
			w.refresh("A")
			r, trail := request(0), Trail{}
			decide := func() {
				r.Seed++
				r.Place = [...]*config.Place{&fra, &sea, &sjc, nil}[r.Seed%4]
				trail.Reset()
				w.snapshot.Direct(r, &trail)
			}
			for range 50 {
				decide()
			}
			if allocs := testing.AllocsPerRun(200, decide); allocs != 0 {
				t.Errorf("%v allocations", allocs)
			}
		})
	}
}

// BenchmarkPoolSteering chooses between n pools.
func BenchmarkPoolSteering(b *testing.B) {
	for _, policy := range []string{steering.Off, steering.Random, steering.DynamicLatency, steering.Proximity, steering.LeastConnections} {
		for _, n := range []int{2, 8, 64} {
			b.Run(fmt.Sprintf("%s/%d", policy, n), func(b *testing.B) {
				w := many(b, n)
				w.reload(func(c *config.Config) { c.LoadBalancers[0] = steer(c.LoadBalancers[0], policy) })
				r, trail := request(0), Trail{}
				b.ReportAllocs()
				for b.Loop() {
					r.Seed++
					trail.Reset()
					w.snapshot.Direct(r, &trail)
				}
			})
		}
	}
}
