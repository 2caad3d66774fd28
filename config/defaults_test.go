package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDefaults states every default a second time, as the Go value that the other rooms see (behaviour I8, T1, T2).
func TestDefaults(t *testing.T) {
	c := mustLoad(t, defaultsText)
	p, o, b, w := c.Pools[0], c.Pools[0].Origins[0], c.LoadBalancers[0], c.Weir
	tested := map[string]bool{}
	for field, got := range map[string][2]any{
		"pool.enabled":                  {p.Enabled, true},
		"pool.minimum_origins":          {p.MinimumOrigins, 1},
		"pool.networks":                 {fmt.Sprint(p.Networks), "[cloudflare]"},
		"origin.enabled":                {o.Enabled, true},
		"origin.weight":                 {o.Weight, Weight(100)},
		"origin.flatten_cname":          {o.FlattenCNAME, true},
		"origin_steering.policy":        {p.OriginSteering.Policy, "random"},
		"load_shedding.default_percent": {p.LoadShedding.DefaultPercent, 0.0},
		"load_shedding.default_policy":  {p.LoadShedding.DefaultPolicy, "random"},
		"load_shedding.session_percent": {p.LoadShedding.SessionPercent, 0.0},
		"load_shedding.session_policy":  {p.LoadShedding.SessionPolicy, "hash"},

		"monitor.type":                   {c.MonitorByID("d").Type, "http"},
		"monitor.method (http)":          {c.MonitorByID("d").Method, "GET"},
		"monitor.method (https)":         {c.MonitorByID("s").Method, "GET"},
		"monitor.method (tcp)":           {c.MonitorByID("t").Method, "connection_established"},
		"monitor.path (http)":            {c.MonitorByID("d").Path, "/"},
		"monitor.path (https)":           {c.MonitorByID("s").Path, "/"},
		"monitor.expected_codes (http)":  {c.MonitorByID("d").ExpectedCodes, "200"},
		"monitor.expected_codes (https)": {c.MonitorByID("s").ExpectedCodes, "200"},
		"monitor.timeout":                {c.MonitorByID("u").Timeout, 5 * time.Second},
		"monitor.retries":                {c.MonitorByID("u").Retries, 2},
		"monitor.interval":               {c.MonitorByID("u").Interval, time.Minute},

		"load_balancer.enabled":          {b.Enabled, true},
		"load_balancer.networks":         {fmt.Sprint(b.Networks), "[cloudflare]"},
		"load_balancer.ttl":              {b.TTL, 30},
		"load_balancer.session_affinity": {b.SessionAffinity, "none"},

		"random_steering.default_weight":                     {b.RandomSteering.DefaultWeight, Weight(100)},
		"adaptive_routing.failover_across_pools":             {b.AdaptiveRouting.FailoverAcrossPools, false},
		"location_strategy.mode":                             {b.LocationStrategy.Mode, "pop"},
		"location_strategy.prefer_ecs":                       {b.LocationStrategy.PreferECS, "proximity"},
		"session_affinity_attributes.samesite":               {b.SessionAffinityAttributes.SameSite, "Auto"},
		"session_affinity_attributes.secure":                 {b.SessionAffinityAttributes.Secure, "Auto"},
		"session_affinity_attributes.drain_duration":         {b.SessionAffinityAttributes.DrainDuration, time.Duration(0)},
		"session_affinity_attributes.zero_downtime_failover": {b.SessionAffinityAttributes.ZeroDowntimeFailover, "none"},

		"weir.listen":                   {fmt.Sprint(w.Listen), "[{127.0.0.1:8080 []}]"},
		"weir.admin.address":            {w.Admin.Address, "127.0.0.1:8081"},
		"weir.location.pop":             {w.Location.PoP, "LCL"},
		"weir.location.region":          {w.Location.Region, "WEU"},
		"weir.identity.trusted_proxies": {fmt.Sprint(w.TrustedProxies), "[127.0.0.0/8 ::1/128]"},
		"weir.origins.scheme":           {w.Origins.Scheme, "client"},
		"weir.origins.verify":           {*w.Origins.Verify, true},

		"weir.timeouts.connect":           {w.Timeouts.Connect, 19 * time.Second},
		"weir.timeouts.first_byte":        {w.Timeouts.FirstByte, 100 * time.Second},
		"weir.timeouts.origin_write":      {w.Timeouts.OriginWrite, 30 * time.Second},
		"weir.timeouts.origin_gap":        {w.Timeouts.OriginGap, 900 * time.Second},
		"weir.timeouts.origin_idle":       {w.Timeouts.OriginIdle, 4 * time.Second},
		"weir.timeouts.client_header":     {w.Timeouts.ClientHeader, 10 * time.Second},
		"weir.timeouts.client_gap":        {w.Timeouts.ClientGap, 30 * time.Second},
		"weir.timeouts.client_write":      {w.Timeouts.ClientWrite, 30 * time.Second},
		"weir.timeouts.client_keep_alive": {w.Timeouts.ClientKeepAlive, 75 * time.Second},
		"weir.timeouts.tunnel_idle":       {w.Timeouts.TunnelIdle, time.Hour},
		"weir.timeouts.drain":             {w.Timeouts.Drain, 30 * time.Second},
		"weir.timeouts.dns":               {w.Timeouts.DNS, 5 * time.Second},

		"weir.limits.uri":           {w.Limits.URI, 16 << 10},
		"weir.limits.header_field":  {w.Limits.HeaderField, 16 << 10},
		"weir.limits.header":        {w.Limits.Header, 32 << 10},
		"weir.limits.header_fields": {w.Limits.HeaderFields, 128},
		"weir.limits.origin_idle":   {w.Limits.OriginIdle, 256},
		"weir.limits.origin_wait":   {w.Limits.OriginWait, time.Duration(0)},
	} {
		if got[0] != got[1] {
			t.Errorf("%s is %v, want %v", field, got[0], got[1])
		}
		tested[field] = true
	}
	for _, d := range Defaults() {
		for _, field := range fieldsOf(d) {
			if !tested[field] {
				t.Errorf("the default of %s is not tested", field)
			}
		}
	}
}

func fieldsOf(d Default) []string {
	if d.When == nil {
		return []string{d.Field}
	}
	var fields []string
	for _, w := range d.When {
		fields = append(fields, d.Field+" ("+w+")")
	}
	return fields
}

const defaultsText = `[
	{"id":"p","name":"one","load_shedding":{},"origins":[{"address":"192.0.2.1","port":81},{"address":"::1","port":81},{"address":"a.b"}]},
	{"id":"d","interval":null,"expected_body":""},
	{"id":"s","type":"https"},
	{"id":"t","type":"tcp","port":25},
	{"id":"u","type":"udp_icmp","port":53},
	{"id":"b","name":"a.b","default_pools":["p"],"fallback_pool":"p"},
	{"id":"x","name":"a.c","proxied":true,"default_pools":["p"],"fallback_pool":"p"}
]`

// TestDerivedDefaults: defaults that come from other fields.
func TestDerivedDefaults(t *testing.T) {
	c := mustLoad(t, defaultsText)
	var names []string
	for _, o := range c.Pools[0].Origins {
		names = append(names, o.Name)
	}
	if want := []string{"192.0.2.1:81", "[::1]:81", "a.b"}; !cmp.Equal(names, want) {
		t.Errorf("origins without names are called %q, want %q", names, want)
	}
	if ttl := c.LoadBalancers[1].TTL; ttl != 0 {
		t.Errorf("the ttl of a proxied load balancer is %d", ttl)
	}
	if m := c.Monitors[3]; m.Method != "" || m.Path != "" || m.ExpectedCodes != "" {
		t.Errorf("a udp_icmp monitor got fields of http: %+v", m)
	}
	if c.Pools[0].OriginSteering.Given {
		t.Error("origin_steering was not given")
	}
	if got := c.Weir.DataCenters; len(got) != 1 || got[0] != c.Weir.Location {
		t.Errorf("data centers %v, want the location alone", got)
	}
}

// TestProfiles: the profiles differ in two timeouts, and what is given beats both.
func TestProfiles(t *testing.T) {
	want := ProfileCloudflare.Timeouts()
	want.Connect, want.FirstByte = 3*time.Second, 60*time.Second
	if diff := cmp.Diff(want, ProfileSidecar.Timeouts()); diff != "" {
		t.Error(diff)
	}
	if ProfileSidecar.Limits() != ProfileCloudflare.Limits() {
		t.Error("limits differ between profiles")
	}
	c, problems := load(`{"weir":{"timeouts":{"connect":"1500ms"}}}`, Options{Profile: ProfileSidecar})
	if c == nil {
		t.Fatal(lines(problems))
	}
	if got := c.Weir.Timeouts; got.Connect != 1500*time.Millisecond || got.FirstByte != 60*time.Second {
		t.Errorf("timeouts %+v", got)
	}
	for _, name := range []string{"", "cloudflare", "sidecar"} {
		if _, err := ParseProfile(name); err != nil {
			t.Error(err)
		}
	}
	if _, err := ParseProfile("edge"); err == nil || !strings.Contains(err.Error(), "use cloudflare or sidecar") {
		t.Errorf("error %v", err)
	}
}

// TestSources: every default says where it comes from, every inert field why it does not act.
func TestSources(t *testing.T) {
	for _, d := range Defaults() {
		if d.Source == "" || d.Value == "" {
			t.Errorf("%+v is not complete", d)
		}
	}
	for _, f := range InertFields() {
		if f.Reason == "" || f.Severity == Error {
			t.Errorf("%+v is not complete", f)
		}
		if !knownField(f.Field) {
			t.Errorf("%s is no field", f.Field)
		}
	}
}

// knownField looks a name of the tables up in the schemas.
func knownField(field string) bool {
	i := strings.LastIndexByte(field, '.')
	kind, name := field[:i], field[i+1:]
	switch kind {
	case poolSchema.kind:
		return poolSchema.knows(name)
	case originSchema.kind:
		return originSchema.knows(name)
	case monitorSchema.kind:
		return monitorSchema.knows(name)
	case balancerSchema.kind:
		return balancerSchema.knows(name)
	case overridesSchema.kind:
		return overridesSchema.knows(name)
	}
	return false
}
