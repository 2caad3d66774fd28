package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestPublishedExample: the example answer of Cloudflare's API reference, page Pool Details, loads as it stands.
func TestPublishedExample(t *testing.T) {
	text := readFileT(t, "testdata/pool_details.json")
	c, problems := Load([]Source{{"pool_details.json", []byte(text)}}, Options{})
	golden(t, "pool_details.golden", lines(problems)+Summary(problems)+"\n")
	if c == nil {
		t.Fatal("not loaded")
	}
	golden(t, "pool_details.document.golden", string(c.JSON(false)))
	p := c.Pools[0]
	if !p.DisabledAt.Equal(time.Date(2019, 12, 27, 18, 11, 19, 117e6, time.UTC)) || p.Enabled || *p.Latitude != 0 || p.Origins[0].Weight != 60 {
		t.Errorf("decoded wrongly: %+v", p)
	}
}

// TestShapes: every form in which objects come out of the API, or are written by hand (behaviour I1, I2).
func TestShapes(t *testing.T) {
	second := `{"id":"p2","name":"two","origins":[{"name":"a","address":"192.0.2.3"}]}`
	balancer := `{"id":"b1","name":"www.example.com","default_pools":["p1"],"fallback_pool":"p1"}`
	group := `{"id":"g1","description":"","members":[{"monitor_id":"m1","enabled":true,"monitoring_only":false,"must_be_healthy":false}]}`
	for name, tt := range map[string]struct{ text, want string }{
		"answer with one pool":       {`{"success":true,"errors":[],"messages":[],"result":` + onePool + `}`, "pools one; monitors; groups; balancers implicit"},
		"answer with a list":         {`{"success":true,"result":[` + onePool + `,` + second + `],"result_info":{"page":1}}`, "pools one two; monitors; groups; balancers implicit"},
		"bare pool":                  {onePool, "pools one; monitors; groups; balancers implicit"},
		"bare monitor":               {oneMonitor, "pools; monitors m1; groups; balancers"},
		"array of mixed kinds":       {`[` + oneMonitor + `,` + second + `,` + group + `,` + onePool + `,` + balancer + `]`, "pools two one; monitors m1; groups g1; balancers b1"},
		"array of answers":           {`[{"success":true,"result":` + onePool + `},{"success":true,"result":[` + oneMonitor + `]}]`, "pools one; monitors m1; groups; balancers implicit"},
		"document":                   {`{"pools":[` + onePool + `],"monitors":[` + oneMonitor + `],"load_balancers":[` + balancer + `],"monitor_groups":[` + group + `]}`, "pools one; monitors m1; groups g1; balancers b1"},
		"document with null lists":   {`{"pools":null,"weir":null}`, "pools; monitors; groups; balancers"},
		"empty array":                {`[]`, "pools; monitors; groups; balancers"},
		"byte order mark and CRLF":   {"\xEF\xBB\xBF" + strings.ReplaceAll(onePool, ",", ",\r\n"), "pools one; monitors; groups; balancers implicit"},
		"empty list in an answer":    {`{"success":true,"result":[]}`, "pools; monitors; groups; balancers"},
		"local section on its own":   {`{"weir":{"listen":["127.0.0.1:0"]}}`, "pools; monitors; groups; balancers"},
		"answer with a null in pool": {`{"success":true,"result":{"name":"one","monitor":null,"check_regions":null,"load_shedding":null,"origin_steering":null,"notification_filter":null,"health_sources":null,"description":null,"enabled":null,"minimum_origins":null,"latitude":null,"longitude":null,"networks":null,"origins":[{"address":"192.0.2.1","name":null,"weight":null,"header":null,"port":null,"enabled":null,"virtual_network_id":null,"flatten_cname":null}]}}`, "pools one; monitors; groups; balancers implicit"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := outline(mustLoad(t, tt.text)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func outline(c *Config) string {
	var b strings.Builder
	b.WriteString("pools")
	for _, p := range c.Pools {
		b.WriteString(" " + p.Name)
	}
	b.WriteString("; monitors")
	for _, m := range c.Monitors {
		b.WriteString(" " + m.ID)
	}
	b.WriteString("; groups")
	for _, g := range c.MonitorGroups {
		b.WriteString(" " + g.ID)
	}
	b.WriteString("; balancers")
	for _, lb := range c.LoadBalancers {
		b.WriteString(" " + lb.ID)
	}
	return b.String()
}

// TestNullIsUnset: null and absence are the same for every optional field (behaviour I8).
func TestNullIsUnset(t *testing.T) {
	absent := mustLoad(t, `[{"name":"one","origins":[{"address":"192.0.2.1"}]},{"id":"m","type":"http"},{"id":"b","name":"a.b","default_pools":["`+derivedID("one")+`"],"fallback_pool":"`+derivedID("one")+`"}]`)
	null := mustLoad(t, fmt.Sprintf(`[{"name":"one",%s"origins":[{%s"address":"192.0.2.1"}]},{"id":"m",%s"type":"http"},{"id":"b","name":"a.b",%s"default_pools":[%q],"fallback_pool":%q}]`,
		nulls(&poolSchema), nulls(&originSchema), nulls(&monitorSchema), nulls(&balancerSchema), derivedID("one"), derivedID("one")))
	if diff := cmp.Diff(absent, null, sameConfig); diff != "" {
		t.Errorf("absent and null differ:\n%s", diff)
	}
}

// nulls are all members of a schema that are not in the texts above, set to null.
func nulls[T any](s *schema[T]) string {
	var b strings.Builder
	for _, m := range s.members {
		taken := m.required || m.name == "type" || (m.name == "id" && s.kind != "pool")
		if !taken {
			fmt.Fprintf(&b, "%q:null,", m.name)
		}
	}
	return b.String()
}

// TestBlankIsUnset: "" stands for absence where Cloudflare's clients send it.
func TestBlankIsUnset(t *testing.T) {
	c := mustLoad(t, `[{"id":"p","name":"one","monitor":"","monitor_group":"","notification_email":"","load_shedding":{"default_policy":"","session_policy":""},"origin_steering":{"policy":""},"origins":[{"address":"192.0.2.1"}]},
		{"id":"b","name":"a.b","default_pools":["p"],"fallback_pool":"p","steering_policy":"","session_affinity":""}]`)
	p, b := c.Pools[0], c.LoadBalancers[0]
	got := []string{p.Monitor, p.LoadShedding.DefaultPolicy, p.LoadShedding.SessionPolicy, p.OriginSteering.Policy, b.SteeringPolicy, b.SessionAffinity}
	if want := []string{"", "random", "hash", "random", "off", "none"}; !cmp.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestCanonical: enums are read in any case and kept as the API spells them (behaviour I6).
func TestCanonical(t *testing.T) {
	c := mustLoad(t, `[{"name":"one","check_regions":["weu","Enam","IN"],"origin_steering":{"policy":"Least_Connections"},"origins":[{"address":"A.Example.COM","header":{"host":["H.example.com"]}}]},
		{"id":"m","type":"HTTPS","method":"head","expected_codes":"2XX, 301"}]`)
	p, m := c.Pools[0], c.Monitors[0]
	got := fmt.Sprintln(p.CheckRegions, p.OriginSteering.Policy, p.Origins[0].Address, p.Origins[0].Host, m.Type, m.Method, m.ExpectedCodes)
	if want := "[WEU ENAM SAS] least_connections A.Example.COM H.example.com https HEAD 2xx,301" + "\n"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestGeoByMaps: the empty policy is geo when any map of pools is set, else off (API reference, steering_policy).
func TestGeoByMaps(t *testing.T) {
	const lb = `[%s,{"id":"b","name":"a.b","default_pools":["p1"],"fallback_pool":"p1","steering_policy":"",%q:{%q:["p1"]}}]`
	for name, key := range map[string]string{"region_pools": "WEU", "country_pools": "de", "pop_pools": "fra"} {
		c := mustLoad(t, fmt.Sprintf(lb, onePool, name, key))
		if got := c.LoadBalancers[0].SteeringPolicy; got != "geo" {
			t.Errorf("%s: policy %q, want geo", name, got)
		}
	}
}

// TestImplicit: pools without a load balancer (behaviour P11).
func TestImplicit(t *testing.T) {
	const pools = `[{"id":"1","name":"a","created_on":"2026-01-02T00:00:00Z","origins":[{"address":"192.0.2.1"}]},
		{"id":"2","name":"b","created_on":"2026-01-01T00:00:00Z","origins":[{"address":"192.0.2.2"}]},
		{"id":"3","name":"c","enabled":false,"origins":[{"address":"192.0.2.3"}]}]`
	c, problems := load(pools, Options{})
	b := c.LoadBalancers[0]
	if !b.Implicit || !b.Enabled || !b.Proxied || b.SteeringPolicy != "off" || b.FallbackPool != "2" || !cmp.Equal(b.DefaultPools, []string{"1", "2", "3"}) {
		t.Errorf("made up %+v", b)
	}
	if !strings.Contains(lines(problems), "note: /0: without a load balancer, pools are used in the order read; by created_on it would be b, a") {
		t.Errorf("no hint about the order:\n%s", lines(problems))
	}
	if c := mustLoad(t, `{"name":"a","enabled":false,"origins":[{"address":"192.0.2.1"}]}`); c.LoadBalancers[0].FallbackPool != "" {
		t.Errorf("fallback %q although no pool is enabled", c.LoadBalancers[0].FallbackPool)
	}
	if c := mustLoad(t, oneMonitor); len(c.LoadBalancers) != 0 {
		t.Error("a load balancer without pools")
	}
}

// TestDerivedID: a pool without id gets the first 32 hex digits of SHA-256 of its name (behaviour I3).
func TestDerivedID(t *testing.T) {
	c := mustLoad(t, `{"name":"abc","origins":[{"address":"192.0.2.1"}]}`)
	// The test vector of FIPS 180-2, appendix B.1.
	if got, want := c.Pools[0].ID, "ba7816bf8f01cfea414140de5dae2223"; got != want {
		t.Errorf("id %s, want %s", got, want)
	}
}

// TestAllProblemsInOneRun: no problem hides another, and files come in order.
func TestAllProblemsInOneRun(t *testing.T) {
	srcs := []Source{
		{"a.json", []byte(`{"name":"o n e","weight":1,"enabled":"yes","origins":[{"address":"http://x","weight":2},{"weight":"1"}]}`)},
		{"b.json", []byte(`{"name":`)},
		{"c.json", []byte("[\n  {\"id\":\"m\",\"type\":\"gopher\"},\n  7\n]")},
	}
	c, problems := Load(srcs, Options{})
	if c != nil {
		t.Fatal("loaded in spite of errors")
	}
	golden(t, "all_problems.golden", lines(problems)+Summary(problems)+"\n")
}

// TestProblemJSON: the JSON form has the fields of the text form.
func TestProblemJSON(t *testing.T) {
	p := Problem{Warning, Position{"f.json", 2, 3}, "/a", "what", "want", "rule"}
	got, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"file":"f.json","line":2,"col":3,"severity":"warning","pointer":"/a","what":"what","want":"want","rule":"rule"}`; string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := p.String(), "f.json:2:3: warning: /a: what; want [rule]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Summary([]Problem{{Severity: Error}, {Severity: Note}, {Severity: Warning}, {Severity: Warning}}); got != "1 error, 2 warnings" {
		t.Errorf("summary %q", got)
	}
}

// TestUnknownFields: kept, warned about, and errors in strict mode (behaviour I4).
func TestUnknownFields(t *testing.T) {
	const text = `{"id":"p","name":"one","shiny":{"a": [1, 2]},"orgins":1,"origins":[{"address":"192.0.2.1","wieght":0.5}],"load_shedding":{"default_percnt":5}}`
	c, problems := load(text, Options{})
	golden(t, "unknown.golden", lines(problems))
	p := c.Pools[0]
	want := []Unknown{{"orgins", []byte("1")}, {"shiny", []byte(`{"a":[1,2]}`)}}
	if diff := cmp.Diff(want, p.Unknown); diff != "" {
		t.Error(diff)
	}
	for _, part := range []string{`"shiny":{"a":[1,2]}`, `"wieght":0.5`, `"default_percnt":5`} {
		if !strings.Contains(string(p.JSON()), part) {
			t.Errorf("%s is lost in %s", part, p.JSON())
		}
	}
	if c, strict := load(text, Options{Strict: true}); c != nil || count(strict, Error) != 4 {
		t.Errorf("strict mode accepts unknown fields:\n%s", lines(strict))
	}
}

// TestManyPools: reading is linear, also when everything stands on one line.
func TestManyPools(t *testing.T) {
	var b strings.Builder
	const n = 5000
	b.WriteString("[")
	for i := range n {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `{"id":"%d","name":"pool-%d","origins":[{"name":"a","address":"10.%d.%d.1"},{"name":"b","address":"10.%d.%d.2"}]}`, i, i, i/256, i%256, i/256, i%256)
	}
	b.WriteString("]")
	c := mustLoad(t, b.String())
	if len(c.Pools) != n || c.PoolByID("4999").Name != "pool-4999" || c.Pools[n-1].Pos.Line != 1 {
		t.Errorf("%d pools", len(c.Pools))
	}
}
