package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiff(t *testing.T) {
	const two = `{"id":"2","name":"two","origins":[{"name":"a","address":"192.0.2.3"}]}`
	const before = `{
		"pools":[{"id":"1","name":"one","origins":[{"name":"a","address":"192.0.2.1"},{"name":"b","address":"192.0.2.2"}]},
			` + two + `,
			{"id":"3","name":"three","modified_on":"2026-01-01T00:00:00Z","origins":[{"name":"a","address":"192.0.2.4"}]}],
		"monitors":[{"id":"m","type":"http","header":{"Authorization":["x"]}}]}`
	for name, tt := range map[string]struct{ after, want string }{
		"nothing":                {before, ""},
		"only white space":       {strings.ReplaceAll(before, ",", " ,\n"), ""},
		"a time stamp":           {strings.Replace(before, "2026-01-01", "2026-01-02", 1), ""},
		"a weight":               {strings.Replace(before, `"address":"192.0.2.1"`, `"address":"192.0.2.1","weight":0.5`, 1), "pool one: origin a: weight 1 → 0.5"},
		"an origin's name":       {strings.Replace(before, `"name":"b"`, `"name":"c"`, 1), `pool one: origin c: name "b" → "c"`},
		"an origin's address":    {strings.Replace(before, "192.0.2.2", "192.0.2.9", 1), "pool one: origin b added\npool one: origin b removed"},
		"a pool's name":          {strings.Replace(before, `"two"`, `"zwei"`, 1), `pool zwei: name "two" → "zwei"`},
		"a pool less":            {strings.Replace(before, two+",", "", 1), "pool two removed"},
		"another id":             {strings.Replace(before, `"id":"2"`, `"id":"4"`, 1), "pool two added\npool two removed"},
		"an optional field":      {strings.Replace(before, `"name":"two"`, `"name":"two","load_shedding":{"default_percent":5}`, 1), `pool two: load_shedding unset → {"default_percent":5,"default_policy":"random","session_perc…`},
		"order":                  {strings.Replace(strings.Replace(before, two+",", "", 1), `"192.0.2.4"}]}]`, `"192.0.2.4"}]},`+two+"]", 1), "pools: order one, two, three → one, three, two"},
		"a monitor":              {strings.Replace(before, `"type":"http"`, `"type":"http","interval":30`, 1), "monitor m: interval 60 → 30"},
		"a secret":               {strings.Replace(before, `["x"]`, `["y"]`, 1), "monitor m: header.Authorization changed"},
		"a timeout":              {strings.Replace(before, `"monitors"`, `"weir":{"timeouts":{"connect":"1s"}},"monitors"`, 1), `weir: timeouts.connect "19s" → "1s"`},
		"a load balancer more":   {strings.Replace(before, `"monitors"`, `"load_balancers":[{"id":"b","name":"a.b","default_pools":["1"],"fallback_pool":"1"}],"monitors"`, 1), "load balancer a.b added"},
		"a webhook":              {strings.Replace(before, `"monitors"`, `"weir":{"notifications":[{"url":"https://a.b/s3cret"}]},"monitors"`, 1), `weir: notifications [] → [{"url":"https://a.b/REDACTED"}]`},
		"a monitor for a pool":   {strings.Replace(before, `"name":"two"`, `"name":"two","monitor":"m"`, 1), `pool two: monitor unset → "m"`},
		"a monitor without name": {strings.Replace(before, `"monitors":[`, `"monitors":[{"type":"http"},`, 1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(Diff(mustLoad(t, before), mustLoad(t, tt.after)), "\n")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestDiffSteps: a rule or a pool set is known by its name, and the order of pool sets is that of evaluation.
func TestDiffSteps(t *testing.T) {
	const (
		rules = `"rules":[{"name":"a","overrides":{"pools":["p1"]}},{"name":"b","fixed_response":{"status_code":200}},{"name":"b"}],`
		sets  = `"pool_sets":[{"name":"x","overrides":{"pools":["p1"]}},{"name":"y","overrides":{"pools":["p1"]}}]`
	)
	for name, tt := range map[string]struct{ after, want string }{
		"nothing":      {rules + sets, ""},
		"a field":      {strings.Replace(rules, "200", "404", 1) + sets, `load balancer a.b: rule "b": fixed_response.status_code 200 → 404`},
		"a rule less":  {strings.Replace(rules, `,{"name":"b"}`, "", 1) + sets, `load balancer a.b: rule "b" (2) removed`},
		"another name": {strings.Replace(rules, `"a"`, `"c"`, 1) + sets, `load balancer a.b: rule "c" added` + "\n" + `load balancer a.b: rule "a" removed`},
		"order": {
			rules + `"pool_sets":[{"name":"y","overrides":{"pools":["p1"]}},{"name":"x","overrides":{"pools":["p1"]}}]`,
			`load balancer a.b: pool sets: order "x", "y" → "y", "x"`,
		},
		"priorities": {
			strings.Replace(rules, `{"name":"a"`, `{"name":"a","priority":15`, 1) + sets,
			`load balancer a.b: rule "a": priority 0 → 15` + "\n" + `load balancer a.b: rule "b": priority 10 → 0` + "\n" + `load balancer a.b: rule "b" (2): priority 20 → 0`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(Diff(mustLoad(t, balancerWith(rules+sets)), mustLoad(t, balancerWith(tt.after))), "\n")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
