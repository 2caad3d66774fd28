package balancer

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

// world is a small configuration with its health, and the snapshot of both. Pools are named A, B, …; origins by their
// address; health is a word of letters, one per origin: U up, D down, ? unknown.
type world struct {
	t        testing.TB
	config   *config.Config
	table    *health.Table
	registry *Registry
	names    names
	sessions *Sessions
	snapshot *Snapshot
}

// names is what host names resolve to.
type names map[string][]netip.Addr

func (n names) Addrs(name string) []netip.Addr { return n[name] }

// pool makes a monitored, enabled pool of origins with weight 1.
func pool(id string, origins int) config.Pool {
	p := config.Pool{
		ID: id, Name: strings.ToLower(id), Enabled: true, MinimumOrigins: 1, Monitor: "m",
		OriginSteering: config.OriginSteering{Policy: "random"},
	}
	for i := range origins {
		p.Origins = append(p.Origins, config.Origin{
			Name: fmt.Sprintf("o%d", i+1), Address: fmt.Sprintf("192.0.2.%d", i%250+1), Port: 1000 + i, Enabled: true, Weight: 100,
		})
	}
	return p
}

func weigh(p config.Pool, weights ...int) config.Pool {
	for i, w := range weights {
		p.Origins[i].Weight = config.Weight(w)
	}
	return p
}

func policy(p config.Pool, word string) config.Pool {
	p.OriginSteering.Policy = word
	return p
}

func shed(p config.Pool, percent float64, word string) config.Pool {
	p.LoadShedding = &config.LoadShedding{DefaultPercent: percent, DefaultPolicy: word, SessionPolicy: "hash"}
	return p
}

// lb is a load balancer for www.example.com over pools in order, the last of which is the fallback.
func lb(fallback string, pools ...string) config.LoadBalancer {
	return config.LoadBalancer{
		ID: "lb", Name: "www.example.com", Enabled: true, Proxied: true, SteeringPolicy: "off",
		DefaultPools: pools, FallbackPool: fallback,
	}
}

// newWorld has every origin up.
func newWorld(t testing.TB, l config.LoadBalancer, pools ...config.Pool) *world {
	w := &world{
		t: t, table: health.NewTable(), registry: NewRegistry(2), names: names{},
		sessions: NewSessions(NewSealer([]byte("a key of tests")), 1000),
		config: &config.Config{
			LoadBalancers: []config.LoadBalancer{l}, Pools: pools,
			Monitors: []config.Monitor{{ID: "m", Type: "tcp"}},
		},
	}
	w.config.Weir.Location.PoP = "FRA"
	for i := range pools {
		if pools[i].Monitor != "" {
			w.table.Set(picture(&w.config.Pools[i], strings.Repeat("U", len(pools[i].Origins))))
		}
	}
	w.snapshot = Build(nil, w.inputs(), Changed{Config: true})
	return w
}

func (w *world) inputs() Inputs {
	return Inputs{Revision: 1, Config: w.config, Health: w.table, Resolution: w.names, Registry: w.registry, Sessions: w.sessions}
}

// believe sets the health of a pool and follows it.
func (w *world) believe(id, statuses string) {
	w.t.Helper()
	w.table.Set(picture(w.snapshot.Pool(id).Config, statuses))
	w.refresh(id)
}

func (w *world) refresh(ids ...string) {
	w.snapshot = Build(w.snapshot, w.inputs(), Changed{Pools: ids})
}

// reload changes the configuration and follows it.
func (w *world) reload(change func(c *config.Config)) {
	c := *w.config
	c.Pools = append([]config.Pool(nil), c.Pools...)
	for i := range c.Pools {
		c.Pools[i].Origins = append([]config.Origin(nil), c.Pools[i].Origins...)
	}
	c.LoadBalancers = append([]config.LoadBalancer(nil), c.LoadBalancers...)
	change(&c)
	w.config = &c
	w.snapshot = Build(w.snapshot, w.inputs(), Changed{Config: true})
}

func status(letter byte) health.Status {
	switch letter {
	case 'U':
		return health.Up
	case 'D':
		return health.Down
	case '?':
		return health.Unknown
	}
	panic("no such status: " + string(letter))
}

func picture(p *config.Pool, statuses string) *health.PoolHealth {
	h := &health.PoolHealth{Pool: p.ID, Monitored: true}
	for i := range p.Origins {
		h.Origins = append(h.Origins, health.OriginHealth{
			Identity: p.Identity(i), Global: health.Verdict{Status: status(statuses[i])},
		})
	}
	return h
}

// request is a request from 198.51.100.1 for www.example.com.
func request(seed uint64) *Request {
	return &Request{Host: []byte("www.example.com"), Seed: seed, Client: netip.MustParseAddr("198.51.100.1"), Version: 11}
}

// direct decides one request.
func (w *world) direct(seed uint64) Decision { return w.snapshot.Direct(request(seed), &Trail{}) }

// where tells a decision in short: "A/o1", with "!" for the last resort, or the reason of a refusal.
func where(d Decision) string {
	switch {
	case d.Kind != ToOrigin:
		return d.Reason.String()
	case d.Fallback:
		return d.Pool.Config.ID + "/" + d.Origin.Config.Name + "!"
	default:
		return d.Pool.Config.ID + "/" + d.Origin.Config.Name
	}
}

func (w *world) expect(want string) {
	w.t.Helper()
	if got := where(w.direct(1)); got != want {
		w.t.Errorf("got %s, want %s", got, want)
	}
}

func disabled(p config.Pool) config.Pool {
	p.Enabled = false
	return p
}

func unmonitored(p config.Pool) config.Pool {
	p.Monitor = ""
	return p
}

// client is a request of the n-th client.
func client(n, seed uint64) *Request {
	r := request(seed)
	r.Client = netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
	return r
}

// from decides one request of the n-th client.
func (w *world) from(n, seed uint64) Decision { return w.snapshot.Direct(client(n, seed), &Trail{}) }

// load gives an origin n outstanding requests and n connections, spread over the rows.
func (w *world) load(id string, origin, n int) {
	o := w.snapshot.Pool(id).Origins[origin].Live
	for i := range n {
		o.BeginRequest(i % w.registry.Rows())
		o.OpenConnection(i % w.registry.Rows())
	}
}

// fields are header fields, by name in lower case, with their lines.
type fields map[string][]string

func (f fields) Get(name string) []byte {
	value, _, _ := f.Next(name, 0)
	return value
}

func (f fields) Next(name string, from int) (value []byte, next int, found bool) {
	if list := f[strings.ToLower(name)]; from < len(list) {
		return []byte(list[from]), from + 1, true
	}
	return nil, 0, false
}

func (f fields) Cookie(name string) []byte {
	for _, line := range f["cookie"] {
		for pair := range strings.SplitSeq(line, "; ") {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return []byte(value)
			}
		}
	}
	return nil
}

// epoch is when the tests begin: 12:00:00.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// at is the epoch and some seconds.
func at(seconds float64) time.Time { return epoch.Add(time.Duration(seconds * float64(time.Second))) }

// weight makes a weight one can point to.
func weight(hundredths config.Weight) *config.Weight { return &hundredths }
