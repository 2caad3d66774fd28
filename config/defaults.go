package config

import (
	"fmt"
	"slices"
	"sync"
)

// Profile names a set of timeouts.
type Profile string

// The profiles. Both differ only in how long an origin may take.
const (
	ProfileCloudflare Profile = "cloudflare" // Cloudflare's own patience with origins; the default
	ProfileSidecar    Profile = "sidecar"    // for origins that are near
)

// ParseProfile accepts the profiles' names, and "" for the default one.
func ParseProfile(s string) (Profile, error) {
	switch p := Profile(s); p {
	case "":
		return ProfileCloudflare, nil
	case ProfileCloudflare, ProfileSidecar:
		return p, nil
	}
	return "", fmt.Errorf("profile %q is not known; use %s or %s", s, ProfileCloudflare, ProfileSidecar)
}

// Default is what a field is taken to be when the input does not set it.
type Default struct {
	Field string   // kind of object and name, "pool.enabled"
	When  []string // only for monitors of these types; nil: always
	Value string   // JSON
	// Sidecar is the value under ProfileSidecar, "" when it is the same.
	Sidecar string
	Source  string // the sentence it comes from
}

var (
	httpTypes = []string{"http", "https"}
	tcpType   = []string{"tcp"}
)

const (
	poolReference     = "API reference, Pool: "
	monitorReference  = "API reference, Monitor: "
	balancerReference = "API reference, Load Balancer: "
	recorded          = "as recorded answers of the API have it"
	connectionLimits  = "Cloudflare docs, Connection limits: "
	ourChoice         = "our choice, because "
)

// defaults is every default there is. Members that are missing here are empty when they are not given.
var defaults = []Default{
	{Field: "pool.enabled", Value: `true`, Source: poolReference + "whether to enable (the default) this pool"},
	{Field: "pool.minimum_origins", Value: `1`, Source: poolReference + "minimum_origins, default 1"},
	{Field: "pool.networks", Value: `["cloudflare"]`, Source: recorded},
	{Field: "origin.enabled", Value: `true`, Source: poolReference + "whether to enable (the default) this origin within the pool"},
	{Field: "origin.weight", Value: `1`, Source: poolReference + "origin weight, default 1"},
	{Field: "origin.flatten_cname", Value: `true`, Source: poolReference + "flatten_cname, default true"},
	{Field: "origin_steering.policy", Value: `"random"`, Source: poolReference + "origin_steering.policy, default random"},
	{Field: "load_shedding.default_percent", Value: `0`, Source: poolReference + "default_percent, default 0"},
	{Field: "load_shedding.default_policy", Value: `"random"`, Source: poolReference + "default_policy, default random"},
	{Field: "load_shedding.session_percent", Value: `0`, Source: poolReference + "session_percent, default 0"},
	{Field: "load_shedding.session_policy", Value: `"hash"`, Source: poolReference + "only the hash policy is supported for existing sessions"},

	{Field: "monitor.type", Value: `"http"`, Source: monitorReference + "type, default http"},
	{Field: "monitor.method", When: httpTypes, Value: `"GET"`, Source: monitorReference + "this defaults to 'GET' for HTTP/HTTPS based checks"},
	{Field: "monitor.method", When: tcpType, Value: `"connection_established"`, Source: monitorReference + "and 'connection_established' for TCP based health checks"},
	{Field: "monitor.path", When: httpTypes, Value: `"/"`, Source: monitorReference + "path, default /"},
	{Field: "monitor.expected_codes", When: httpTypes, Value: `"200"`, Source: monitorReference + "expected_codes, default 200"},
	{Field: "monitor.timeout", Value: `5`, Source: monitorReference + "timeout, default 5"},
	{Field: "monitor.retries", Value: `2`, Source: monitorReference + "retries, default 2"},
	{Field: "monitor.interval", Value: `60`, Source: monitorReference + "interval, default 60"},

	{Field: "load_balancer.enabled", Value: `true`, Source: balancerReference + "enabled, default true"},
	{Field: "load_balancer.networks", Value: `["cloudflare"]`, Source: recorded},
	{Field: "load_balancer.ttl", Value: `30`, Source: recorded + " for load balancers that are not proxied"},
	{Field: "load_balancer.session_affinity", Value: `"none"`, Source: balancerReference + "session_affinity, default none"},
	{Field: "random_steering.default_weight", Value: `1`, Source: balancerReference + "random_steering.default_weight, default 1"},
	{Field: "adaptive_routing.failover_across_pools", Value: `false`, Source: balancerReference + "failover_across_pools, default false"},
	{Field: "location_strategy.mode", Value: `"pop"`, Source: balancerReference + "location_strategy.mode, default pop"},
	{Field: "location_strategy.prefer_ecs", Value: `"proximity"`, Source: balancerReference + "location_strategy.prefer_ecs, default proximity"},
	{Field: "session_affinity_attributes.samesite", Value: `"Auto"`, Source: balancerReference + "samesite, default Auto"},
	{Field: "session_affinity_attributes.secure", Value: `"Auto"`, Source: balancerReference + "secure, default Auto"},
	{Field: "session_affinity_attributes.drain_duration", Value: `0`, Source: recorded},
	{Field: "session_affinity_attributes.zero_downtime_failover", Value: `"none"`, Source: balancerReference + "zero_downtime_failover, default none"},

	{Field: "weir.listen", Value: `["127.0.0.1:8080"]`, Source: ourChoice + "nothing should be reachable from outside unasked"},
	{Field: "weir.admin.address", Value: `"127.0.0.1:8081"`, Source: ourChoice + "nothing should be reachable from outside unasked"},
	{Field: "weir.location.pop", Value: `"LCL"`, Source: ourChoice + "LCL (local) is the code of no airport's data centre in use, so that no pop_pools entry matches by accident"},
	{Field: "weir.location.region", Value: `"WEU"`, Source: ourChoice + "a place must have a region, and check says which one was taken"},
	{Field: "weir.identity.trusted_proxies", Value: `["127.0.0.0/8", "::1/128"]`, Source: ourChoice + "only this machine can vouch for a client"},
	{Field: "weir.origins.scheme", Value: `"client"`, Source: ourChoice + "Cloudflare's SSL mode Full does the same"},
	{Field: "weir.origins.verify", Value: `true`, Source: ourChoice + "an unverified certificate protects nobody"},

	{Field: "weir.timeouts.connect", Value: `"19s"`, Sidecar: `"3s"`, Source: connectionLimits + "complete TCP connection, 19 seconds, error 522"},
	{Field: "weir.timeouts.first_byte", Value: `"100s"`, Sidecar: `"60s"`, Source: connectionLimits + "proxy read timeout, 100 seconds, error 524"},
	{Field: "weir.timeouts.origin_write", Value: `"30s"`, Source: connectionLimits + "proxy write timeout, 30 seconds, error 524"},
	{Field: "weir.timeouts.origin_gap", Value: `"15m"`, Source: connectionLimits + "proxy idle timeout, 900 seconds, error 520"},
	{Field: "weir.timeouts.origin_idle", Value: `"4s"`, Source: ourChoice + "common servers close after 5 s, and the side that closes last loses a request"},
	{Field: "weir.timeouts.client_header", Value: `"10s"`, Source: ourChoice + "a request head is one packet; slower senders are usually attacks"},
	{Field: "weir.timeouts.client_gap", Value: `"30s"`, Source: ourChoice + "it outlasts a lost radio link and bounds a stalled upload"},
	{Field: "weir.timeouts.client_write", Value: `"30s"`, Source: ourChoice + "it outlasts a lost radio link and bounds a stalled download"},
	{Field: "weir.timeouts.client_keep_alive", Value: `"75s"`, Source: ourChoice + "browsers and proxies expect about a minute"},
	{Field: "weir.timeouts.tunnel_idle", Value: `"1h"`, Source: ourChoice + "quiet WebSockets are common and forgotten ones must end"},
	{Field: "weir.timeouts.drain", Value: `"30s"`, Source: ourChoice + "service managers kill after 30 s or later"},
	{Field: "weir.timeouts.dns", Value: `"5s"`, Source: ourChoice + "a moved origin should be found within seconds"},

	{Field: "weir.limits.uri", Value: `16384`, Source: connectionLimits + "URL, 16 KB, error 414"},
	{Field: "weir.limits.header_field", Value: `16384`, Source: connectionLimits + "one request header, 16 KB, error 431"},
	{Field: "weir.limits.header", Value: `32768`, Source: connectionLimits + "all request headers, 32 KB, error 431"},
	{Field: "weir.limits.header_fields", Value: `128`, Source: ourChoice + "more fields cost time and carry nothing"},
	{Field: "weir.limits.origin_idle", Value: `256`, Source: ourChoice + "it covers bursts at one origin, and 4 s later unused connections are gone"},
	{Field: "weir.limits.origin_wait", Value: `"0s"`, Source: ourChoice + "an answer of 503 at once is better than a queue"},
}

// Defaults returns the table of all defaults.
func Defaults() []Default { return slices.Clone(defaults) }

// emptyObject is what a missing member is read as when defaults are inside it.
var emptyObject = mustParse("{}")

// defaultNodes holds the table's values, parsed: by field, by type of monitor or "", for each profile.
var defaultNodes = sync.OnceValue(func() map[defaultKey]*node {
	nodes := map[defaultKey]*node{}
	for _, d := range defaults {
		whens := d.When
		if whens == nil {
			whens = []string{""}
		}
		for _, when := range whens {
			nodes[defaultKey{d.Field, when, ProfileCloudflare}] = mustParse(d.Value)
			value := d.Value
			if d.Sidecar != "" {
				value = d.Sidecar
			}
			nodes[defaultKey{d.Field, when, ProfileSidecar}] = mustParse(value)
		}
	}
	return nodes
})

type defaultKey struct {
	field, when string
	profile     Profile
}

func mustParse(s string) *node {
	n, _, err := parseText(&text{data: []byte(s), builtin: true})
	if err != nil {
		panic("BUG: " + s + ": " + err.what)
	}
	return n
}

// defaultOf returns the value of a field that is not given, nil when there is no default.
func (l *loader) defaultOf(field string) *node { return l.defaultWhen(field, "") }

func (l *loader) defaultWhen(field, when string) *node {
	profile := l.opt.Profile
	if profile == "" {
		profile = ProfileCloudflare
	}
	return defaultNodes()[defaultKey{field, when, profile}]
}

// Timeouts are the profile's timeouts, before a weir section has its say.
func (p Profile) Timeouts() Timeouts {
	var t Timeouts
	p.read(func(l *loader) { timeoutsSchema.read(l, emptyObject, &t) })
	return t
}

// Limits are the profile's limits, before a weir section has its say.
func (p Profile) Limits() Limits {
	var t Limits
	p.read(func(l *loader) { limitsSchema.read(l, emptyObject, &t) })
	return t
}

func (p Profile) read(fill func(*loader)) {
	l := &loader{opt: Options{Profile: p}}
	fill(l)
	if l.errors > 0 {
		panic(fmt.Sprintf("BUG: the defaults are wrong: %v", l.problems))
	}
}

// DefaultMonitorID is the id of the monitor that probes pools whose own monitor is not known.
const DefaultMonitorID = "default-monitor"

// builtinMonitor is weir.default_monitor where none is configured: GET / over http every 60 s, expecting 200 within
// 5 s, with two further attempts after a timeout.
var builtinMonitor = sync.OnceValue(func() *Monitor {
	m := &Monitor{}
	ProfileCloudflare.read(func(l *loader) { defaultMonitorSchema.read(l, emptyObject, m) })
	return m
})
