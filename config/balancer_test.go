package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func balancerOf(t *testing.T, members string) *LoadBalancer {
	t.Helper()
	return &mustLoad(t, balancerWith(members)).LoadBalancers[0]
}

// TestRulePriorities: where no rule carries a priority, array order gives 0, 10, 20, as recorded answers of the API have
// it (behaviour U4).
func TestRulePriorities(t *testing.T) {
	for rules, want := range map[string]string{
		`{"name":"a"},{"name":"b"},{"name":"c"}`:                                              "a:0 b:10 c:20",
		`{"name":"a","priority":0},{"name":"b","priority":null},{"name":"c"}`:                 "a:0 b:10 c:20",
		`{"name":"a"},{"name":"b","priority":5},{"name":"c"}`:                                 "a:0 c:0 b:5",
		`{"name":"a","priority":2},{"name":"b","priority":1},{"name":"c","priority":1}`:       "b:1 c:1 a:2",
		`{"name":"a","disabled":true},{"name":"b"},{"name":"c","disabled":true},{"name":"d"}`: "b:10 d:30",
	} {
		b := balancerOf(t, `"rules":[`+rules+`]`)
		var got []string
		for _, r := range b.RulesInOrder() {
			got = append(got, fmt.Sprintf("%s:%d", r.Name, r.Priority))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", rules, got, want)
		}
	}
}

// TestFixedResponseTerminates: as recorded answers of the API have it (behaviour U3).
func TestFixedResponseTerminates(t *testing.T) {
	b := balancerOf(t, `"rules":[{"terminates":false,"fixed_response":{"status_code":200}},{"terminates":true},{}]`)
	if got := []bool{b.Rules[0].Terminates, b.Rules[1].Terminates, b.Rules[2].Terminates}; !cmp.Equal(got, []bool{true, true, false}) {
		t.Errorf("terminates: %v", got)
	}
	text := string(b.JSON())
	if want := `{"condition":"","disabled":false,"fixed_response":{"status_code":200},"name":"","overrides":{},"priority":0,"terminates":true}`; !strings.Contains(text, want) {
		t.Errorf("%s is not in %s", want, text)
	}
	if want := `{"condition":"","disabled":false,"name":"","overrides":{},"priority":20}`; !strings.Contains(text, want) {
		t.Errorf("%s is not in %s", want, text)
	}
}

// TestOverridesStayAsGiven: no default is filled in inside overrides, and an empty map is not a missing one.
func TestOverridesStayAsGiven(t *testing.T) {
	for _, overrides := range []string{
		`{}`,
		`{"region_pools":{}}`,
		`{"pool_weights":{},"pools":["p1"]}`,
		`{"random_steering":{"default_weight":0}}`,
		`{"random_steering":{"pool_weights":{"p1":0.5}}}`,
		`{"adaptive_routing":{}}`,
		`{"location_strategy":{"mode":"pop"}}`,
		`{"session_affinity_attributes":{"zero_downtime_failover":"none"}}`,
		`{"session_affinity_attributes":{"require_all_headers":false}}`,
		`{"pool_default_weight":0,"ttl":0}`,
	} {
		got := string(balancerOf(t, `"rules":[{"overrides":`+overrides+`}]`).JSON())
		if !strings.Contains(got, `"overrides":`+overrides+`,"priority"`) {
			t.Errorf("%s became %s", overrides, got)
		}
	}
	b := balancerOf(t, `"rules":[{"overrides":{"region_pools":{},"session_affinity":"","default_pools":null}}]`)
	o := b.Rules[0].Overrides
	if o.RegionPools == nil || o.CountryPools != nil || o.SessionAffinity != "" || o.DefaultPools != nil {
		t.Errorf("overrides %+v", o)
	}
}

// TestSessionTTL: the default is that of the kind, filled in when affinity is on (behaviour N1, N4).
func TestSessionTTL(t *testing.T) {
	for members, want := range map[string]time.Duration{
		`"session_affinity":"none"`:                                                   0,
		`"session_affinity":""`:                                                       0,
		`"session_affinity":"cookie"`:                                                 82800 * time.Second,
		`"session_affinity":"cookie","session_affinity_ttl":0`:                        82800 * time.Second,
		`"session_affinity":"IP_cookie","session_affinity_ttl":null`:                  82800 * time.Second,
		`"session_affinity":"header","session_affinity_attributes":{"headers":["a"]}`: 1800 * time.Second,
		`"session_affinity":"header","session_affinity_attributes":{"headers":["a"]},"session_affinity_ttl":30`: 30 * time.Second,
		`"session_affinity":"cookie","session_affinity_ttl":604800`:                                             604800 * time.Second,
	} {
		if got := balancerOf(t, members).SessionAffinityTTL; got != want {
			t.Errorf("%s: %s, want %s", members, got, want)
		}
	}
}

// TestImpliedSteering: the API answers what "" stands for; a document that is read again stays open (behaviour G1).
func TestImpliedSteering(t *testing.T) {
	for members, want := range map[string][2]string{
		`"steering_policy":""`:    {"off", ""},
		`"pop_pools":{}`:          {"off", ""},
		`"steering_policy":"OFF"`: {"off", "off"},
		`"pop_pools":{"FRA":[]}`:  {"geo", ""},
		`"region_pools":{"WEU":["p1"]},"steering_policy":"random"`: {"random", "random"},
	} {
		c := mustLoad(t, balancerWith(members))
		b := &c.LoadBalancers[0]
		if b.SteeringPolicy != want[0] || b.SteeringImplied != (want[1] == "") {
			t.Errorf("%s: %q, implied %v", members, b.SteeringPolicy, b.SteeringImplied)
		}
		if text := string(b.JSON()); !strings.Contains(text, fmt.Sprintf(`"steering_policy":%q`, want[0])) {
			t.Errorf("%s: answered %s", members, text)
		}
		if text := string(c.JSON(false)); !strings.Contains(text, fmt.Sprintf(`"steering_policy": %q`, want[1])) {
			t.Errorf("%s: written %s", members, text)
		}
	}
}

// TestConditionPositions: an error inside a condition is reported at its character, however the string is escaped.
func TestConditionPositions(t *testing.T) {
	// The checker finds fault with the first "!", as a parser would.
	check := func(expr string, proxied bool) (int, error) {
		if i := strings.IndexByte(expr, '!'); i >= 0 {
			return i, fmt.Errorf("unexpected %q, proxied %v; a field", "!", proxied)
		}
		return 0, nil
	}
	for condition, col := range map[string]int{
		`!`:                    1,
		`http.host eq !`:       14,
		`http.host eq \"ä\" !`: 20,
		`\u0061\u00e9\u20ac!`:  19,
		`\ud83d\ude00!`:        13,
		`😀!`:                   2,
		`\n\t\\\/!`:            9,
	} {
		text := "[" + onePool + ",\n" + `{"id":"b","name":"a.b","proxied":true,"default_pools":["p1"],"fallback_pool":"p1","rules":[` + "\n" + `{"condition":"` + condition + `"}]}]`
		_, problems := load(text, Options{CheckCondition: check})
		want := fmt.Sprintf(`in.json:3:%d: error: /1/rules/0/condition: condition: unexpected "!", proxied true; a field`, len(`{"condition":"`)+col)
		if got := lines(problems); !strings.HasPrefix(got, want+"\n") {
			t.Errorf("%s:\ngot  %swant %s", condition, got, want)
		}
	}
}

// TestConditionsAreOptional: without a checker, and without a condition, there is nothing to check.
func TestConditionsAreOptional(t *testing.T) {
	const rules = `"rules":[{"condition":"nonsense","terminates":true},{}]`
	balancerOf(t, rules)
	var asked []string
	_, problems := load(balancerWith(rules), Options{CheckCondition: func(expr string, _ bool) (int, error) {
		asked = append(asked, expr)
		return 1000, errors.New("no")
	}})
	if !cmp.Equal(asked, []string{"nonsense"}) || count(problems, Error) != 1 {
		t.Errorf("asked for %q:\n%s", asked, lines(problems))
	}
	if got, want := problems[0].Pos.Col, strings.Index(balancerWith(rules), `nonsense"`)+len(`nonsense`)-strings.Index(balancerWith(rules), "\n"); got != want {
		t.Errorf("an offset beyond the end is column %d, want the closing quote's, %d", got, want)
	}
}

func TestSessionHeaders(t *testing.T) {
	for item, want := range map[string]SessionHeader{
		"X-User":         {Field: "x-user"},
		"a_b":            {Field: "a_b"},
		"cookie":         {},
		"Cookie":         {},
		"cookie:sid":     {Cookies: []string{"sid"}},
		"cookie:sid,b.c": {Cookies: []string{"sid", "b.c"}},
	} {
		if got, ok := ParseSessionHeader(item); !ok || !cmp.Equal(got, want) {
			t.Errorf("%s: %+v, %v", item, got, ok)
		}
	}
	for _, item := range []string{"", ":", "a:b", "cookie:", "cookie:a,", "cookie:a b", "cookie:a;b", "a.b", "é", strings.Repeat("a", 101)} {
		if h, ok := ParseSessionHeader(item); ok {
			t.Errorf("%q is accepted as %+v", item, h)
		}
	}
}

// TestRecordedAnswer: a load balancer with everything defaulted, as recorded from the real API, keeps every member.
func TestRecordedAnswer(t *testing.T) {
	const recorded = `{"adaptive_routing":{"failover_across_pools":false},"created_on":"2025-02-26T20:44:27.999349Z","default_pools":["p1"],"description":"","enabled":true,` +
		`"fallback_pool":"p1","id":"b","location_strategy":{"mode":"pop","prefer_ecs":"proximity"},"modified_on":"2025-02-26T20:44:27.999349Z","name":"a.b","networks":["cloudflare"],` +
		`"pop_pools":{},"proxied":false,"random_steering":{"default_weight":1},"region_pools":{},"session_affinity":"none",` +
		`"session_affinity_attributes":{"drain_duration":0,"samesite":"Auto","secure":"Auto","zero_downtime_failover":"none"},"steering_policy":"off","ttl":30,"zone_name":"b"}`
	for _, sent := range []string{
		recorded,
		`{"created_on":"2025-02-26T20:44:27.999349Z","modified_on":"2025-02-26T20:44:27.999349Z","default_pools":["p1"],"fallback_pool":"p1","id":"b","name":"a.b","zone_name":"b","steering_policy":"","country_pools":null,"rules":null,"pool_sets":[]}`,
	} {
		c := mustLoad(t, "["+onePool+","+sent+"]")
		if diff := cmp.Diff(recorded, string(c.LoadBalancers[0].JSON())); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", sent, diff)
		}
	}
}
