package health

import "github.com/weirlb/weir/config"

// Supposed is the reason of an origin that Suppose was told to be down. No probe answers it.
const Supposed = "Supposed to be down"

// Suppose draws the picture that there would be of a pool if its origins were found as down says: nobody has probed
// anything. down answers whether the i-th origin is out of reach from a place, which is a region in check_regions, or a
// data centre without them. The verdict of all places together is the quorum's, as ever. Origins that would not be probed
// are unknown.
func Suppose(cfg *config.Config, p *config.Pool, down func(i int, place string) bool) *PoolHealth {
	probing, _ := jury(cfg, p)
	q := &pool{cfg: p, monitored: votes(probing)}
	var from []vantage
	if q.monitored {
		from, q.local = vantages(cfg, p, ScaleOne)
	}
	for i := range p.Origins {
		o := &origin{cfg: &p.Origins[i], key: originKey{identity: p.Identity(i)}}
		var parts []Verdict
		for _, v := range from {
			found := Verdict{}
			switch {
			case !p.Enabled || !o.cfg.Enabled:
			case down(i, v.name):
				found = Verdict{Status: Down, Reason: Supposed}
			default:
				found = Verdict{Status: Up, Reason: NoFailures}
			}
			parts = append(parts, found)
			o.places = append(o.places, view{v.name, found})
		}
		o.global = join(Verdict{}, parts, o.global.Since)
		q.origins = append(q.origins, o)
	}
	return q.picture()
}

// SupposePlaces names where a pool would be probed from, and so who can be told to find an origin down; none for a pool
// that is not monitored.
func SupposePlaces(cfg *config.Config, p *config.Pool) []string {
	probing, _ := jury(cfg, p)
	if !votes(probing) {
		return nil
	}
	from, _ := vantages(cfg, p, ScaleOne)
	names := make([]string, 0, len(from))
	for _, v := range from {
		names = append(names, v.name)
	}
	return names
}
