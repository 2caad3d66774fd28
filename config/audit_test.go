package config

import (
	"strings"
	"testing"
)

// What Load makes of a text.
const fine, warned, refused = "fine", "warned", "refused"

// judged is the worst that is said of a text. Lint does not count: it judges taste.
func judged(text string, opt Options) (string, []Problem) {
	_, problems := load(text, opt)
	got := fine
	for _, p := range problems {
		switch {
		case p.Rule != "":
		case p.Severity == Error:
			return refused, problems
		case p.Severity == Warning:
			got = warned
		}
	}
	return got, problems
}

// Behaviour I6, I5, H19: the table of leniencies, in both modes, at the ends of each range.
func TestLeniency(t *testing.T) {
	monitor := func(members string) string {
		return `{"id":"m","type":"http","expected_codes":"200",` + members + `}`
	}
	pool := func(origins string) string { return `{"name":"p","origins":[` + origins + `]}` }
	balancer := func(name string) string {
		return `[` + onePool + `,{"id":"b","name":"` + name + `","proxied":true,"default_pools":["p1"],"fallback_pool":"p1"}]`
	}
	for _, c := range []struct{ why, text, local, strict string }{
		{"interval 0", monitor(`"interval":0,"timeout":1,"retries":0`), refused, refused},
		{"interval 2", monitor(`"interval":2,"timeout":1,"retries":0`), fine, refused},
		{"interval 9", monitor(`"interval":9,"timeout":1,"retries":0`), fine, refused},
		{"interval 10", monitor(`"interval":10,"timeout":1,"retries":0`), fine, fine},
		{"interval 3600", monitor(`"interval":3600`), fine, fine},
		{"interval 3601", monitor(`"interval":3601`), refused, refused},
		{"interval = (retries+1) * timeout", monitor(`"interval":15,"timeout":5,"retries":2`), warned, refused},
		{"interval > (retries+1) * timeout", monitor(`"interval":16,"timeout":5,"retries":2`), fine, fine},
		{"retries 0", monitor(`"retries":0`), fine, fine},
		{"retries 5", monitor(`"retries":5`), fine, fine},
		{"retries 6", monitor(`"retries":6`), refused, refused},
		{"timeout 10", monitor(`"timeout":10`), fine, fine},
		{"timeout 11", monitor(`"timeout":11`), refused, refused},
		{"no expected_codes", `{"id":"m","type":"http"}`, fine, refused},
		{"a range of codes", `{"id":"m","type":"http","expected_codes":"200-299"}`, refused, refused},
		{"a private address", pool(`{"name":"a","address":"10.0.0.1"}`), fine, refused},
		{"a loopback address", pool(`{"name":"a","address":"127.0.0.1"}`), fine, refused},
		{"a private address in a virtual network", pool(`{"name":"a","address":"10.0.0.1","virtual_network_id":"v"}`), fine, fine},
		{"one address on two ports", pool(`{"name":"a","address":"192.0.2.1","port":81},{"name":"b","address":"192.0.2.1","port":82}`), fine, refused},
		{"one address twice", pool(`{"name":"a","address":"192.0.2.1","port":81},{"name":"b","address":"192.0.2.1","port":81}`), refused, refused},
		{"port 65535", pool(`{"name":"a","address":"192.0.2.1","port":65535}`), fine, fine},
		{"port 65536", pool(`{"name":"a","address":"192.0.2.1","port":65536}`), refused, refused},
		{"an unknown field", `{"name":"p","colour":"red","origins":[{"name":"a","address":"192.0.2.1"}]}`, warned, refused},
		{"an unknown monitor", `{"name":"p","monitor":"m9","origins":[{"name":"a","address":"192.0.2.1"}]}`, warned, refused},
		{"an unknown monitor group", `{"name":"p","monitor_group":"g9","origins":[{"name":"a","address":"192.0.2.1"}]}`, warned, refused},
		{"an unknown pool", `[` + onePool + `,{"id":"b","name":"a.b","default_pools":["p9"],"fallback_pool":"p1"}]`, refused, refused},
		{"a name with a dot", balancer("a.b"), fine, fine},
		{"a name without one", balancer("localhost"), fine, refused},
	} {
		for strict, want := range map[bool]string{false: c.local, true: c.strict} {
			got, problems := judged(c.text, Options{Strict: strict})
			if got != want {
				t.Errorf("%s, strict %v: %s, want %s\n%s", c.why, strict, got, want, lines(problems))
			}
		}
	}
}

// Behaviour G7: WNAM is exactly as published: these states and provinces, Haiti and Mexico, and nothing else in the world.
func TestWesternNorthAmerica(t *testing.T) {
	published := map[string]string{"CA": "AB BC", "US": "AZ CA CO HI MN MO NV OR TX UT WA"}
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code := string([]rune{a, b})
			if got, want := RegionOfCountry(code) == "WNAM", code == "HT" || code == "MX"; got != want {
				t.Errorf("%s is in WNAM: %v", code, got)
			}
			for country, list := range published {
				if got, want := RegionOfSubdivision(country, code) == "WNAM", strings.Contains(" "+list+" ", " "+code+" "); got != want {
					t.Errorf("%s-%s is in WNAM: %v", country, code, got)
				}
			}
		}
	}
}

// Behaviour N1, N2, N4, N6, N7: what attributes of sessions may be, at the ends of each range.
func TestSessionSettings(t *testing.T) {
	header := `"session_affinity":"header","session_affinity_attributes":{"headers":["x"]},`
	for members, want := range map[string]string{
		`"session_affinity":"cookie","session_affinity_ttl":1800`:                                                       fine,
		`"session_affinity":"cookie","session_affinity_ttl":1799`:                                                       refused,
		`"session_affinity":"cookie","session_affinity_ttl":604800`:                                                     fine,
		`"session_affinity":"cookie","session_affinity_ttl":604801`:                                                     refused,
		`"session_affinity":"ip_cookie","session_affinity_ttl":1799`:                                                    refused,
		header + `"session_affinity_ttl":30`:                                                                            fine,
		header + `"session_affinity_ttl":29`:                                                                            refused,
		header + `"session_affinity_ttl":3600`:                                                                          fine,
		header + `"session_affinity_ttl":3601`:                                                                          refused,
		`"session_affinity":"header"`:                                                                                   refused, // by which one?
		`"session_affinity":"cookie","session_affinity_attributes":{"drain_duration":86400}`:                            fine,
		`"session_affinity":"cookie","session_affinity_attributes":{"drain_duration":86401}`:                            refused,
		`"session_affinity":"cookie","session_affinity_attributes":{"samesite":"None","secure":"Never"}`:                refused,
		`"session_affinity":"cookie","session_affinity_attributes":{"samesite":"None","secure":"Auto"}`:                 fine,
		`"session_affinity":"cookie","session_affinity_attributes":{"samesite":"Auto","secure":"Never"}`:                fine,
		`"session_affinity":"header","session_affinity_attributes":{"headers":["x"],"zero_downtime_failover":"sticky"}`: warned,
		`"session_affinity":"cookie","session_affinity_attributes":{"zero_downtime_failover":"sticky"}`:                 fine,
		`"rules":[{"overrides":{"session_affinity_attributes":{"drain_duration":60}}}]`:                                 warned, // and has no effect
		`"rules":[{"fixed_response":{"status_code":199}}]`:                                                              refused,
		`"rules":[{"fixed_response":{"status_code":200}}]`:                                                              fine,
		`"rules":[{"fixed_response":{"status_code":599}}]`:                                                              fine,
		`"rules":[{"fixed_response":{"status_code":600}}]`:                                                              refused,
		`"rules":[{"fixed_response":{"status_code":200,"message_body":"` + strings.Repeat("b", 1024) + `"}}]`:           fine,
		`"rules":[{"fixed_response":{"status_code":200,"message_body":"` + strings.Repeat("b", 1025) + `"}}]`:           refused,
		`"rules":[{"fixed_response":{"status_code":200,"location":"` + strings.Repeat("l", 2048) + `"}}]`:               fine,
		`"rules":[{"fixed_response":{"status_code":200,"content_type":"` + strings.Repeat("c", 32) + `"}}]`:             fine,
		`"rules":[{"fixed_response":{"status_code":200,"content_type":"` + strings.Repeat("c", 33) + `"}}]`:             refused,
		`"rules":[{"overrides":{"pools":["p1"],"random_steering":{"default_weight":1}}}]`:                               refused,
		`"steering_policy":"random_steering"`:                                                                           refused, // a misprint of one page
		`"steering_policy":"LEAST_connections"`:                                                                         fine,
	} {
		got, problems := judged(balancerWith(members), Options{})
		if got != want {
			t.Errorf("%.120s: %s, want %s\n%s", members, got, want, lines(problems))
		}
	}
}
