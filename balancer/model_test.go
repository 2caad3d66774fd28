package balancer

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

// The dumb model of a decision: it reads configuration and beliefs directly, pool by pool, as docs/behaviour.md has it,
// and answers the pool to ask and the origins it may pick, or the reason of a refusal. Shedding is 0 or 100 %.
type model struct {
	config   *config.Config
	statuses map[string]string // by pool id
	resolves map[string]bool   // by name
}

func (m *model) pool(id string) *config.Pool {
	return &m.config.Pools[slices.IndexFunc(m.config.Pools, func(p config.Pool) bool { return p.ID == id })]
}

// origins are the positions of the enabled origins of p that have an address, and are healthy if asked.
func (m *model) origins(p *config.Pool, healthy bool) (list []int) {
	for i, o := range p.Origins {
		_, isName := hostName(o.Address)
		up := p.Monitor == "" || m.statuses[p.ID][i] == 'U'
		if o.Enabled && (!isName || m.resolves[o.Address]) && (up || !healthy) {
			list = append(list, i)
		}
	}
	return list
}

// weighed leaves out weight 0.
func weighed(p *config.Pool, origins []int) (list []int) {
	for _, i := range origins {
		if p.Origins[i].Weight > 0 {
			list = append(list, i)
		}
	}
	return list
}

func (m *model) qualifies(p *config.Pool) bool {
	healthy := 0
	for i, o := range p.Origins {
		if o.Enabled && m.statuses[p.ID][i] == 'U' {
			healthy++
		}
	}
	return p.Enabled && (p.Monitor == "" || healthy >= p.MinimumOrigins)
}

func (m *model) decide() (pool string, origins []int, refusal Reason) {
	l := &m.config.LoadBalancers[0]
	if !l.Enabled {
		return "", nil, LoadBalancerDisabled
	}
	for _, id := range l.DefaultPools {
		p := m.pool(id)
		if open := weighed(p, m.origins(p, true)); m.qualifies(p) && len(open) > 0 && p.LoadShedding == nil {
			return id, open, Yes
		}
	}
	p := m.pool(l.FallbackPool)
	if !p.Enabled {
		return "", nil, FallbackDisabled
	}
	open := m.origins(p, true)
	if len(open) == 0 {
		open = m.origins(p, false)
	}
	if len(open) == 0 {
		return "", nil, NothingLeft
	}
	if heavy := weighed(p, open); len(heavy) > 0 {
		open = heavy
	}
	return p.ID, open, Yes
}

// Against the model, in every state that a random history of changes leads to; and the state that was built step by step
// against the one built from scratch.
func TestDirectAgainstTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{statuses: map[string]string{}, resolves: map[string]bool{}}
		m.config = randomConfig(t)
		table, registry, addresses := health.NewTable(), NewRegistry(1), names{}
		for i := range m.config.Pools {
			m.statuses[m.config.Pools[i].ID] = "??????"
		}
		in := func() Inputs {
			return Inputs{Revision: 1, Config: m.config, Health: table, Resolution: addresses, Registry: registry}
		}
		s := Build(nil, in(), Changed{Config: true})
		check := func() {
			m.check(t, s)
			fresh := Build(nil, in(), Changed{Config: true})
			for seed, pop := range []string{"", "FRA", "AMS", "SIN"} {
				r := client(uint64(seed), uint64(seed))
				r.Place = &config.Place{PoP: pop}
				a, b := s.Direct(r, &Trail{}), fresh.Direct(r, &Trail{})
				if where(a) != where(b) {
					t.Fatalf("from %q: step by step %s, from scratch %s", pop, where(a), where(b))
				}
			}
		}
		check()
		t.Repeat(map[string]func(*rapid.T){
			"health": func(t *rapid.T) {
				p := &m.config.Pools[rapid.IntRange(0, len(m.config.Pools)-1).Draw(t, "pool")]
				m.statuses[p.ID] = rapid.StringOfN(rapid.SampledFrom([]rune("UUD?")), 6, 6, -1).Draw(t, "health")
				table.Set(randomPlaces(t, picture(p, m.statuses[p.ID])))
				s = Build(s, in(), Changed{Pools: []string{p.ID}})
			},
			"names": func(t *rapid.T) {
				name := rapid.SampledFrom([]string{"one.test", "two.test"}).Draw(t, "name")
				m.resolves[name] = rapid.Bool().Draw(t, "resolves")
				addresses[name] = nil
				if m.resolves[name] {
					addresses[name] = []netip.Addr{netip.MustParseAddr("192.0.2.99")}
				}
				changed := Changed{}
				for _, i := range s.index.names[name] {
					changed.Pools = append(changed.Pools, s.pools[i].Config.ID)
				}
				s = Build(s, in(), changed)
			},
			"config": func(t *rapid.T) {
				m.config = randomConfig(t)
				for i := range m.config.Pools {
					p := &m.config.Pools[i]
					if _, known := m.statuses[p.ID]; !known {
						m.statuses[p.ID] = "??????"
					}
					table.Set(picture(p, m.statuses[p.ID]))
				}
				s = Build(s, in(), Changed{Config: true})
			},
			"": func(*rapid.T) { check() },
		})
	})
}

func (m *model) check(t *rapid.T, s *Snapshot) {
	pool, origins, refusal := m.decide()
	for seed := range uint64(4) {
		r, trail := client(seed, seed), Trail{Steps: &Steps{}}
		d := s.Direct(r, &trail)
		if refusal != Yes {
			if d.Kind != Refused || d.Reason != refusal || d.Status != 530 {
				t.Fatalf("got %s, want %v\n%s", where(d), refusal, told(trail.Steps))
			}
			continue
		}
		position := func(d Decision) int {
			return slices.IndexFunc(d.Pool.Origins, func(o PoolOrigin) bool { return o.Live == d.Origin.Live })
		}
		if d.Kind != ToOrigin || d.Pool.Config.ID != pool || !slices.Contains(origins, position(d)) {
			t.Fatalf("got %s, want one of %v of %s\n%s", where(d), origins, pool, told(trail.Steps))
		}
		first := position(d)
		trail.Failed(Failure{Class: ConnectRefused})
		d = s.Direct(r, &trail)
		others := slices.DeleteFunc(slices.Clone(origins), func(i int) bool { return i == first })
		switch {
		case d.Kind == ToOrigin && d.Pool.Config.ID == pool && slices.Contains(others, position(d)):
		case d.Kind == ToOrigin && d.Fallback && len(others) == 0 && d.Origin.Config.Weight == 0 && position(d) != first:
			// the last resort falls back on weight 0 when the others are tried
		case d.Kind == Refused && d.Reason == NoOtherOrigin && len(others) == 0:
		default:
			t.Fatalf("the retry: %s, want one of %v of %s\n%s", where(d), others, pool, told(trail.Steps))
		}
	}
}

// randomPlaces lets two data centres judge for themselves, perhaps.
func randomPlaces(t *rapid.T, h *health.PoolHealth) *health.PoolHealth {
	if h.Local = rapid.Bool().Draw(t, "local"); h.Local {
		h.Sources = []string{health.SourceLocal, health.SourceGlobal}
	}
	for i := range h.Origins {
		h.Origins[i].Places = map[string]health.Verdict{}
		for _, pop := range []string{"FRA", "AMS"} {
			letter := rapid.SampledFrom([]byte("UUD?")).Draw(t, pop)
			h.Origins[i].Places[pop] = health.Verdict{Status: status(letter)}
		}
	}
	return h
}

// randomConfig has up to four pools of up to six origins of every kind.
func randomConfig(t *rapid.T) *config.Config {
	c := &config.Config{Monitors: []config.Monitor{{ID: "m", Type: "tcp"}}}
	var ids []string
	for i := range rapid.IntRange(1, 4).Draw(t, "pools") {
		p := randomPool(t, fmt.Sprintf("%c", 'A'+i))
		c.Pools = append(c.Pools, p)
		ids = append(ids, p.ID)
	}
	order := rapid.Permutation(ids).Draw(t, "order")
	l := lb(rapid.SampledFrom(ids).Draw(t, "fallback"), order[:rapid.IntRange(0, len(order)).Draw(t, "listed")]...)
	l.Enabled = rapid.IntRange(0, 19).Draw(t, "enabled") > 0
	c.LoadBalancers = []config.LoadBalancer{l}
	return c
}

func randomPool(t *rapid.T, id string) config.Pool {
	p := policy(pool(id, rapid.IntRange(0, 6).Draw(t, "origins")), rapid.SampledFrom(policies).Draw(t, "policy"))
	p.Enabled = rapid.IntRange(0, 3).Draw(t, "pool enabled") > 0
	p.MinimumOrigins = rapid.IntRange(0, 3).Draw(t, "minimum")
	if rapid.IntRange(0, 3).Draw(t, "monitor") == 0 {
		p = unmonitored(p)
	}
	if rapid.IntRange(0, 3).Draw(t, "sheds") == 0 {
		p = shed(p, 100, "random")
	}
	for i := range p.Origins {
		o := &p.Origins[i]
		o.Enabled = rapid.IntRange(0, 4).Draw(t, "origin enabled") > 0
		o.Weight = config.Weight(rapid.SampledFrom([]int{0, 1, 50, 100}).Draw(t, "weight"))
		o.Address = rapid.SampledFrom([]string{o.Address, o.Address, "one.test", "two.test"}).Draw(t, "address")
	}
	return p
}
