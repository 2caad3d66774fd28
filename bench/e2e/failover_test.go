package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/weirlb/weir/bench/origin"
)

// poolView is what /pools tells and this story asks.
type poolView struct {
	Name    string `json:"name"`
	State   string `json:"state"`
	Serves  bool   `json:"serves"`
	Origins []struct {
		Name    string                 `json:"name"`
		Health  verdictView            `json:"health"`
		Regions map[string]verdictView `json:"regions"`
	} `json:"origins"`
}

type verdictView struct {
	Status string `json:"status"`
	Reason string `json:"reason"`
}

// TestFailover kills origins one after the other and follows the traffic through the pools in their order, down to the
// fallback pool, to nothing left, and back (behaviour P3, P8, P10, P13, H10).
func TestFailover(t *testing.T) {
	t.Parallel()
	first, second := startOrigin(t, "first-1", nil), startOrigin(t, "first-2", nil)
	other, last := startOrigin(t, "other-1", nil), startOrigin(t, "last-1", nil)
	world := &world{
		pools: []object{
			monitored(poolOf("first", entryOf(first), entryOf(second))), monitored(poolOf("other", entryOf(other))),
			monitored(poolOf("last", entryOf(last))),
		},
		monitors:  []object{quickMonitor()},
		balancers: []object{balancerOf("last", "first", "other")},
		local:     object{"regions": object{"ENAM": object{"partition": []string{"first/first-2"}}}},
	}
	w := serve(t, world, with{flags: []string{"--explain-headers"}})

	w.verdictsByRegion()
	w.servedBy("first-1", "first-2")

	// One of two: the other takes over within the request, and in the pool.
	first.Kill()
	for range 50 {
		if a, err := w.get("/"); err != nil || a.status != http.StatusOK || !strings.HasPrefix(a.body, "first-2") {
			t.Fatalf("with one of two origins dead: %v %d %q, want an answer of first-2", err, a.status, a.body)
		}
	}
	second.Kill()
	w.movesTo("other-1", "first", "Critical")
	other.Kill()
	w.movesTo("last-1", "other", "Critical")
	if a, err := w.get("/"); err != nil || a.header.Get("Weir-Reason") != "last_resort" {
		t.Errorf("in the fallback pool: %v, Weir-Reason %q, want last_resort", err, a.header.Get("Weir-Reason"))
	}

	// Its health is not considered: it is asked even when it is dead.
	last.Kill()
	eventually(t, patience, "the fallback pool is asked for what it cannot do", func() bool {
		a, err := w.get("/")
		return err == nil && a.status == 521 && a.body == "error code: 521"
	})
	world.pools[2]["enabled"] = false
	w.reloadByFile()
	a, err := w.get("/")
	if err != nil || a.status != 530 || a.body != "error code: 1016" || a.header.Get("Weir-Reason") != "fallback_disabled" {
		t.Errorf("with nothing left: %v %d %q %v, want 530, error code: 1016, fallback_disabled", err, a.status, a.body, a.header)
	}

	// And back, in the order in which they recover.
	restart(t, other)
	w.movesTo("other-1", "other", "Healthy")
	restart(t, second)
	w.movesTo("first-2", "first", "Degraded")
	restart(t, first)
	w.movesTo("first-1", "first", "Healthy")
	w.servedBy("first-1", "first-2")

	w.tellsEvents()
	w.stop()
}

func restart(t testing.TB, o *origin.Origin) {
	t.Helper()
	if err := o.Restart(); err != nil {
		t.Fatal(err)
	}
}

// verdictsByRegion: what one region cannot reach is down there, and up by majority.
func (w *weir) verdictsByRegion() {
	w.t.Helper()
	eventually(w.t, patience, "regions judge apart", func() bool {
		var pools []poolView
		w.look("/pools", &pools)
		o := pools[0].Origins[1]
		return o.Health.Status == "up" && o.Regions["WEU"].Status == "up" && o.Regions["EEU"].Status == "up" &&
			o.Regions["ENAM"].Status == "down" && o.Regions["ENAM"].Reason != ""
	})
	m := w.scrape()
	for region, want := range map[string]float64{"WEU": 1, "EEU": 1, "ENAM": 0, "global": 1} {
		series := fmt.Sprintf(`weir_origin_healthy{origin="first-2",pool="first",region=%q}`, region)
		if got, there := m[series]; !there || got != want {
			w.t.Errorf("%s is %v (there: %v), want %v", series, got, there, want)
		}
	}
}

// servedBy sends requests until each of these origins has answered; any other answer is wrong.
func (w *weir) servedBy(names ...string) {
	w.t.Helper()
	seen := map[string]bool{}
	for range 200 { // the chance to miss one of two is 2^-199
		a, err := w.get("/")
		name := strings.TrimSpace(a.body)
		if err != nil || a.status != http.StatusOK || !slices.Contains(names, name) {
			w.t.Fatalf("%v, %d %q, want an answer of %v", err, a.status, a.body, names)
		}
		if seen[name] = true; len(seen) == len(names) {
			return
		}
	}
	w.t.Fatalf("of %v only %v have answered", names, seen)
}

// movesTo waits until an origin answers and the pool is seen in this state. Until probes have noticed, a request to a
// pool whose last origin has died is answered 521: a retry stays in its pool (behaviour R2).
func (w *weir) movesTo(name, pool, state string) {
	w.t.Helper()
	eventually(w.t, patience, name+" answers", func() bool {
		a, err := w.get("/")
		if err != nil || a.status != http.StatusOK && a.status != 521 && a.status != 530 {
			w.t.Fatalf("on the way to %s: %v, %d %q", name, err, a.status, a.body)
		}
		return a.status == http.StatusOK && a.header.Get(origin.NameField) == name
	})
	eventually(w.t, patience, "pool "+pool+" is "+state, func() bool {
		var pools []poolView
		w.look("/pools", &pools)
		return slices.ContainsFunc(pools, func(p poolView) bool { return p.Name == pool && p.State == state })
	})
}

// tellsEvents: whoever comes later can read what happened, and why.
func (w *weir) tellsEvents() {
	w.t.Helper()
	_, body := w.ask(http.MethodGet, "/events")
	for _, want := range []string{"first-1", "first-2", "other-1", "last-1", "TCP connection failed", "No failures"} {
		if !strings.Contains(string(body), want) {
			w.t.Errorf("/events does not say %q:\n%s", want, body)
		}
	}
	m := w.scrape()
	for _, want := range []string{
		`weir_health_transitions_total{origin="other-1",pool="other",to="down"}`,
		`weir_health_transitions_total{origin="other-1",pool="other",to="up"}`,
	} {
		if m[want] < 1 {
			w.t.Errorf("%s is %v, want at least 1", want, m[want])
		}
	}
}
