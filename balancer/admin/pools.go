package admin

import (
	"cmp"
	"fmt"
	"time"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/health"
)

// PoolView is a pool as it stands, for people and tools.
type PoolView struct {
	ID             string `json:"id"`
	Name           string `json:"name"`
	Enabled        bool   `json:"enabled"`
	Monitored      bool   `json:"monitored"`
	State          string `json:"state"`  // Healthy, Degraded, Critical or Health unknown (behaviour P4)
	Serves         bool   `json:"serves"` // it takes traffic of its own
	Reason         string `json:"reason"` // why it does not, a token of docs/reasons.md; yes when it does
	MinimumOrigins int    `json:"minimum_origins"`
	Policy         string `json:"policy"`
	Outstanding    int    `json:"outstanding"` // of all origins together, those included that have left the pool
	Connections    int    `json:"connections"` // likewise
	// RTT is how far away the pool is in milliseconds, by region or data centre and for all together: global. Places
	// without data are left out.
	RTT     map[string]float64 `json:"rtt_ms"`
	Origins []OriginView       `json:"origins"`
}

// OriginView is an origin of a PoolView.
type OriginView struct {
	Name        string                 `json:"name"`
	Address     string                 `json:"address"`
	Port        int                    `json:"port"`
	Addresses   []string               `json:"addresses"` // what the address resolves to
	Enabled     bool                   `json:"enabled"`
	Weight      float64                `json:"weight"`
	Share       float64                `json:"share"`       // of the pool's new requests, now; under hash, of all clients
	Outstanding int                    `json:"outstanding"` // requests between pick and last byte
	Connections int                    `json:"connections"` // idle ones and tunnels included
	Health      VerdictView            `json:"health"`      // the global verdict
	Regions     map[string]VerdictView `json:"regions"`     // by region, or by data centre
}

// VerdictView is what is believed of an origin.
type VerdictView struct {
	Status       string     `json:"status"` // up, down, unknown, or unmonitored
	Reason       string     `json:"reason"`
	Detail       string     `json:"detail,omitempty"`
	Since        *time.Time `json:"since,omitempty"`
	Checked      *time.Time `json:"checked,omitempty"`
	ResponseCode int        `json:"response_code,omitempty"`
	RTT          string     `json:"rtt,omitempty"` // of the last successful probe
}

// Pools shows every pool of a snapshot, in the order of the configuration.
func Pools(s *balancer.Snapshot, t *health.Table) []PoolView {
	list := []PoolView{}
	for _, p := range s.Pools() {
		list = append(list, viewPool(p, t))
	}
	return list
}

func viewPool(p *balancer.Pool, t *health.Table) PoolView {
	why, known := reasonOf(p), t.Pool(p.Config.ID) // nil when nothing is known of it
	v := PoolView{
		ID: p.Config.ID, Name: p.Config.Name, Enabled: p.Config.Enabled, Monitored: known != nil && known.Monitored,
		State: p.State().String(), Serves: why == balancer.Yes, Reason: why.String(),
		MinimumOrigins: p.Config.MinimumOrigins, Policy: p.Config.OriginSteering.Policy,
		Outstanding: p.Load().Outstanding(), Connections: p.Load().Connections(),
		RTT: viewRTT(p, t), Origins: []OriginView{},
	}
	shares := p.Shares()
	for i := range p.Origins {
		origin := viewOrigin(p, i, known)
		origin.Share = shares[i]
		v.Origins = append(v.Origins, origin)
	}
	return v
}

func viewRTT(p *balancer.Pool, t *health.Table) map[string]float64 {
	all := map[string]float64{}
	if !p.Monitored() {
		return all
	}
	for _, place := range append(p.Places(), health.Everywhere) {
		if rtt, known := t.RTT(p.Config.ID, place).Load(); known {
			all[cmp.Or(place, "global")] = float64(rtt) / float64(time.Millisecond)
		}
	}
	return all
}

// reasonOf is why a pool takes no traffic of its own by the global verdict. No place is called "".
func reasonOf(p *balancer.Pool) balancer.Reason {
	_, why := p.ServesAs("")
	return why
}

func viewOrigin(p *balancer.Pool, i int, known *health.PoolHealth) OriginView {
	o := &p.Origins[i]
	v := OriginView{
		Name: o.Config.Name, Address: o.Config.Address, Port: o.Config.Port, Addresses: []string{}, Enabled: o.Config.Enabled,
		Weight: float64(o.Config.Weight) / 100, Outstanding: o.Live.Outstanding(), Connections: o.Live.Connections(),
		Health: VerdictView{Status: "unmonitored"}, Regions: map[string]VerdictView{},
	}
	for _, a := range o.Addrs {
		v.Addresses = append(v.Addresses, a.String())
	}
	if known == nil || !known.Monitored {
		return v
	}
	h, _ := known.Origin(i, o.Live.Identity) // one that is not known is unknown
	v.Health = viewVerdict(&h.Global)
	for place, verdict := range h.Places {
		v.Regions[place] = viewVerdict(&verdict)
	}
	return v
}

func viewVerdict(v *health.Verdict) VerdictView {
	view := VerdictView{
		Status: statusWord(v.Status), Reason: v.Reason, Detail: v.Detail, ResponseCode: v.ResponseCode,
		Since: given(v.Since), Checked: given(v.Checked),
	}
	if v.RTT > 0 {
		view.RTT = v.RTT.Round(time.Microsecond).String()
	}
	return view
}

func statusWord(s health.Status) string {
	switch s {
	case health.Up:
		return "up"
	case health.Down:
		return "down"
	case health.Unknown:
		return "unknown"
	}
	panic(fmt.Sprintf("BUG: no such status: %d", s))
}

func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
