package balancer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weirlb/weir/config"
)

// pin makes the n-th client's request carry a session for an origin of the snapshot w started with.
func (w *world) pin(n uint64, id string, origin int) *Request {
	r := client(n, n)
	r.Session = Session{Pinned: true, Pool: id, Origin: w.snapshot.Pool(id).Origins[origin].Live.ID}
	return r
}

// A session outranks the order of pools, weights and policies, and ends when its origin or pool takes no traffic.
func TestSessions(t *testing.T) {
	for _, c := range []struct {
		why    string
		change func(w *world)
		want   string
	}{
		{"nothing happened", func(*world) {}, "B/o2"},
		{"weight 0", func(w *world) { w.reload(func(c *config.Config) { c.Pools[1].Origins[1].Weight = 0 }) }, "B/o2"},
		{"all weights 0", func(w *world) {
			w.reload(func(c *config.Config) {
				for i := range c.Pools[1].Origins {
					c.Pools[1].Origins[i].Weight = 0
				}
			})
		}, "B/o2"},
		{"another origin down", func(w *world) { w.believe("B", "DUU") }, "B/o2"},
		{"origin down", func(w *world) { w.believe("B", "UDU") }, "A/o1"},
		{"origin unknown", func(w *world) { w.believe("B", "U?U") }, "A/o1"},
		{"pool critical", func(w *world) {
			w.reload(func(c *config.Config) { c.Pools[1].MinimumOrigins = 3 })
			w.believe("B", "DUU")
		}, "A/o1"},
		{"origin disabled", func(w *world) { w.reload(func(c *config.Config) { c.Pools[1].Origins[1].Enabled = false }) }, "A/o1"},
		{"origin removed", func(w *world) {
			w.reload(func(c *config.Config) { c.Pools[1].Origins = c.Pools[1].Origins[:1] })
		}, "A/o1"},
		{"origins reordered", func(w *world) {
			w.reload(func(c *config.Config) {
				o := c.Pools[1].Origins
				o[0], o[1] = o[1], o[0]
			})
		}, "B/o2"},
		{"pool disabled", func(w *world) { w.reload(func(c *config.Config) { c.Pools[1].Enabled = false }) }, "A/o1"},
		{"pool removed from the load balancer", func(w *world) {
			w.reload(func(c *config.Config) { c.LoadBalancers[0].DefaultPools = []string{"A"} })
		}, "A/o1"},
		{"pool left as fallback only", func(w *world) {
			w.reload(func(c *config.Config) {
				c.LoadBalancers[0].DefaultPools, c.LoadBalancers[0].FallbackPool = []string{"A"}, "B"
			})
		}, "B/o2"},
		{"pool removed", func(w *world) {
			w.reload(func(c *config.Config) {
				c.LoadBalancers[0].DefaultPools = []string{"A"}
				c.Pools = append(c.Pools[:1:1], c.Pools[2])
			})
		}, "A/o1"},
	} {
		t.Run(c.why, func(t *testing.T) {
			w := newWorld(t, lb("F", "A", "B"), pool("A", 1), pool("B", 3), pool("F", 1))
			r := w.pin(1, "B", 1)
			c.change(w)
			d := w.snapshot.Direct(r, &Trail{})
			if where(d) != c.want {
				t.Errorf("got %s, want %s", where(d), c.want)
			}
			if (d.Reason == Pinned) != (c.want == "B/o2") {
				t.Errorf("because of %v", d.Reason)
			}
		})
	}
}

// Behaviour L3, L4, L5: sessions are shed by their own percentage, and a shed session asks its pool no second time.
func TestSheddingSessions(t *testing.T) {
	b := shed(pool("B", 2), 100, "random")
	w := newWorld(t, lb("F", "B", "A"), pool("A", 1), b, pool("F", 1))
	if d := w.snapshot.Direct(w.pin(1, "B", 1), &Trail{}); where(d) != "B/o2" {
		t.Errorf("at 100 %% of new traffic and 0 %% of sessions, a session went to %s", where(d))
	}
	if got := where(w.direct(1)); got != "A/o1" {
		t.Errorf("and new traffic to %s", got)
	}

	w.reload(func(c *config.Config) {
		c.Pools[1].LoadShedding = &config.LoadShedding{SessionPercent: 30, SessionPolicy: "hash"}
	})
	moved := 0
	for n := range uint64(2000) {
		r := w.pin(n, "B", 1)
		d := w.snapshot.Direct(r, &Trail{})
		switch where(d) {
		case "B/o2":
		case "A/o1":
			moved++
			if d.Shed != 1 {
				t.Fatalf("%d pools shed it, want 1", d.Shed)
			}
		default:
			t.Fatalf("a session went to %s", where(d))
		}
		if got := w.from(n, n); got.Pool.Config.ID != "B" {
			t.Fatalf("new traffic was shed at 0 %%")
		}
	}
	if moved < 500 || moved > 700 {
		t.Errorf("%d of 2000 sessions moved, want 30 %%", moved)
	}
}

// A session shed from the fallback pool, which is no candidate, passes over none.
func TestSheddingASessionOfTheFallbackPool(t *testing.T) {
	f := pool("F", 2)
	f.LoadShedding = &config.LoadShedding{SessionPercent: 100, SessionPolicy: "hash"}
	w := newWorld(t, lb("F", "A"), pool("A", 1), f)
	if d := w.snapshot.Direct(w.pin(1, "F", 1), &Trail{}); where(d) != "A/o1" || d.Shed != 1 {
		t.Errorf("it went to %s", where(d))
	}
}

// Behaviour R2: what a session chose is not tried elsewhere.
func TestASessionIsNotRetried(t *testing.T) {
	w := newWorld(t, lb("A", "A"), pool("A", 3))
	var trail Trail
	w.snapshot.Direct(w.pin(1, "A", 1), &trail)
	if trail.Failed(Failure{Class: ConnectRefused}) {
		t.Error("it was tried elsewhere")
	}
}

// told is a record in words, one step a line.
func told(s *Steps) string {
	var b strings.Builder
	for _, step := range s.List {
		fmt.Fprintf(&b, "%v", step.Stage)
		switch step.Stage {
		case StageList:
			fmt.Fprintf(&b, " %s\n", step.List)
			continue
		case StagePoolSet:
			fmt.Fprintf(&b, " %s", step.PoolSet.Name)
		case StageRule:
			fmt.Fprintf(&b, " %s", step.Rule.Name)
		}
		if step.Pool != nil {
			fmt.Fprintf(&b, " %s", step.Pool.Config.ID)
		}
		if step.Origin != nil {
			fmt.Fprintf(&b, "/%s", step.Origin.Config.Name)
		}
		fmt.Fprintf(&b, " %v\n", step.Reason)
	}
	return b.String()
}

// The record holds every candidate and why it was passed over, through the very calls that decide.
func TestSteps(t *testing.T) {
	c := weigh(pool("C", 6), 100, 0, 100, 100, 100, 100)
	c.Origins[2].Enabled = false
	c.Origins[3].Address = "nowhere.test"
	w := newWorld(t, lb("F", "D", "A", "B", "C"),
		disabled(pool("D", 1)), pool("A", 1), shed(pool("B", 1), 100, "random"), c, pool("F", 1))
	w.believe("A", "D")
	w.believe("C", "UUUUD?")
	r := w.pin(1, "A", 0)
	trail := Trail{Steps: &Steps{}}
	w.snapshot.Direct(r, &trail)
	const first = `list default_pools
session A/o1 pool_critical
pool D pool_disabled
pool A pool_critical
pool B yes
pool C yes
shed B pool_shed
origin C/o1 yes
origin C/o2 origin_weightless
origin C/o3 origin_disabled
origin C/o4 origin_unresolved
origin C/o5 origin_down
origin C/o6 origin_unknown
decision C/o1 steered
`
	if got := told(trail.Steps); got != first {
		t.Errorf("first attempt:\n%s\nwant:\n%s", got, first)
	}
	before := len(trail.Steps.List)
	trail.Failed(Failure{Class: ConnectRefused})
	w.snapshot.Direct(r, &trail)
	const second = `origin C/o1 origin_tried
origin C/o2 origin_weightless
origin C/o3 origin_disabled
origin C/o4 origin_unresolved
origin C/o5 origin_down
origin C/o6 origin_unknown
decision C/o1 no_other_origin
`
	if got := told(&Steps{List: trail.Steps.List[before:]}); got != second {
		t.Errorf("second attempt:\n%s\nwant:\n%s", got, second)
	}
	trail.Reset()
	if trail.Steps == nil || len(trail.Steps.List) != 0 {
		t.Error("Reset did not empty the record")
	}
}

// The record of a last resort names its origins too, and a refusal ends one.
func TestStepsOfTheLastResort(t *testing.T) {
	w := newWorld(t, lb("F", "A"), pool("A", 1), pool("F", 2))
	w.believe("A", "D")
	w.believe("F", "DU")
	trail := Trail{Steps: &Steps{}}
	w.snapshot.Direct(request(1), &trail)
	const want = `list default_pools
pool A pool_critical
pool F yes
origin F/o1 origin_down
origin F/o2 yes
decision F/o2 last_resort
`
	if got := told(trail.Steps); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	w.reload(func(c *config.Config) { c.Pools[1].Enabled = false })
	trail.Reset()
	w.snapshot.Direct(request(1), &trail)
	if got, want := told(trail.Steps), "list default_pools\npool A pool_critical\npool F pool_disabled\ndecision fallback_disabled\n"; got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	trail.Reset()
	w.snapshot.Direct(&Request{Host: []byte("x")}, &trail)
	if got := told(trail.Steps); got != "decision unknown_host\n" {
		t.Errorf("got %s", got)
	}
}
