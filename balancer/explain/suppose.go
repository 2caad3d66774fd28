package explain

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

// Supposition is what is taken to be out of order when a configuration is explained that nobody runs. Everything else is
// in order: every other origin that would be probed is up, every host name resolves, and nothing is under way anywhere.
type Supposition struct {
	Down       []string // ORIGIN or POOL/ORIGIN, by name: down from everywhere
	RegionDown []string // REGION=ORIGIN or REGION=POOL/ORIGIN: down from one region or data centre
}

// Suppose makes the snapshot of a configuration under a supposition. An error says which part of it fits nothing. key
// signs and reads the cookies of sessions.
func Suppose(c *config.Config, what Supposition, key []byte) (*balancer.Snapshot, error) {
	down, err := what.resolve(c)
	if err != nil {
		return nil, err
	}
	table := health.NewTable()
	for i := range c.Pools {
		table.Set(health.Suppose(c, &c.Pools[i], func(origin int, place string) bool { return down[sight{i, origin, place}] }))
	}
	return balancer.Build(nil, balancer.Inputs{
		Revision: 1, Config: c, Health: table, Resolution: anyName{}, Registry: balancer.NewRegistry(1),
		Sessions: balancer.NewSessions(balancer.NewSealer(key), 1),
	}, balancer.Changed{Config: true}), nil
}

// anyName has an address for every host name. Nobody dials it.
type anyName struct{}

func (anyName) Addrs(string) []netip.Addr { return []netip.Addr{netip.IPv4Unspecified()} }

// sight is one place's view of one origin, by positions in the configuration.
type sight struct {
	pool, origin int
	place        string
}

// resolve finds what the names stand for.
func (s *Supposition) resolve(c *config.Config) (map[sight]bool, error) {
	down := map[sight]bool{}
	for _, name := range s.Down {
		if err := mark(down, c, "", name); err != nil {
			return nil, fmt.Errorf("down: %w", err)
		}
	}
	for _, text := range s.RegionDown {
		region, name, found := strings.Cut(text, "=")
		if !found || region == "" {
			return nil, fmt.Errorf("region-down: %q does not say where; use REGION=POOL/ORIGIN", text)
		}
		if err := mark(down, c, strings.ToUpper(region), name); err != nil {
			return nil, fmt.Errorf("region-down: %w", err)
		}
	}
	return down, nil
}

// mark takes an origin to be down from a place, or from all where place is empty. A name without a pool is that of every
// origin so called.
func mark(down map[sight]bool, c *config.Config, place, name string) error {
	known, marked := false, false
	var judges []string
	for i := range c.Pools {
		p := &c.Pools[i]
		for j := range p.Origins {
			if name != p.Origins[j].Name && name != p.Name+"/"+p.Origins[j].Name {
				continue
			}
			known = true
			judges = append(judges, health.SupposePlaces(c, p)...)
			for _, from := range health.SupposePlaces(c, p) {
				if place == "" || place == strings.ToUpper(from) {
					down[sight{i, j, from}], marked = true, true
				}
			}
		}
	}
	slices.Sort(judges)
	switch {
	case marked:
		return nil
	case !known:
		return fmt.Errorf("no origin is called %q; use ORIGIN, or POOL/ORIGIN, by name", name)
	case len(judges) == 0:
		return fmt.Errorf("%s is in no pool that is monitored, so that it is never found down", name)
	default:
		return fmt.Errorf("%s does not probe %s; it is probed from %s", place, name, strings.Join(slices.Compact(judges), ", "))
	}
}
