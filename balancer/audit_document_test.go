package balancer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weirlb/weir/balancer/rules"
	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/steering/steeringtest"
)

// The worked examples of docs/behaviour.md once more, from JSON as the API writes it to the decision: what every room
// does right by itself must come out right of all of them together.

// poolText is a pool of n origins, o1, o2 …, probed by the monitor m; more is further members, each after a comma.
func poolText(id string, n int, more string) string {
	var origins []string
	for i := range n {
		origins = append(origins, fmt.Sprintf(`{"name":"o%d","address":"192.0.2.%d"}`, i+1, i+1))
	}
	return fmt.Sprintf(`{"id":%q,"name":%q,"monitor":"m","origins":[%s]%s}`, id, strings.ToLower(id), strings.Join(origins, ","), more)
}

// singles are pools of one origin for each letter.
func singles(letters string) (list []string) {
	for _, id := range letters {
		list = append(list, poolText(string(id), 1, ""))
	}
	return list
}

// balancerText is a load balancer for www.example.com.
func balancerText(members string) string {
	return `{"id":"lb","name":"www.example.com","proxied":true,` + members + `}`
}

// document is the world that one text describes, in Frankfurt, with every origin up.
func document(t *testing.T, balancers string, pools ...string) *world {
	t.Helper()
	text := fmt.Sprintf(`{"weir":{"location":{"pop":"FRA"}},"monitors":[{"id":"m","type":"http","expected_codes":"200"}],"pools":[%s],"load_balancers":[%s]}`,
		strings.Join(pools, ","), balancers)
	c, problems := config.Load([]config.Source{{Name: "in.json", Data: []byte(text)}}, config.Options{CheckCondition: rules.Check})
	if c == nil {
		t.Fatalf("%s\n%v", text, problems)
	}
	w := newWorld(t, config.LoadBalancer{Enabled: true, Implicit: true}) // for its parts
	w.config = c
	for i := range c.Pools {
		w.table.Set(picture(&c.Pools[i], strings.Repeat("U", len(c.Pools[i].Origins))))
	}
	w.snapshot = Build(nil, w.inputs(), Changed{Config: true})
	return w
}

// ask decides one request that is handled at a data centre, for a client in a country ("" for nobody knows).
func (w *world) ask(pop, country string) string {
	place := w.snapshot.Locate([]byte(pop), nil, []byte(country))
	return where(w.at(1, place))
}

// down takes the pools named by letters down, and every other one up.
func (w *world) down(letters string) {
	for _, p := range w.snapshot.Pools() {
		id, word := p.Config.ID, "U"
		if strings.Contains(letters, id) {
			word = "D"
		}
		w.believe(id, strings.Repeat(word, len(p.Origins)))
	}
}

// Behaviour P1, P2: several load balancers, by host.
func TestDocumentHosts(t *testing.T) {
	named := func(id, name, pool, more string) string {
		return fmt.Sprintf(`{"id":%q,"name":%q,"default_pools":[%q],"fallback_pool":"F"%s}`, id, name, pool, more)
	}
	w := document(t, strings.Join([]string{
		named("1", "*.example.com", "A", ""), named("2", "*.eu.example.com", "B", ""), named("3", "www.example.com", "C", ""),
		named("4", "off.example.org", "A", `,"enabled":false`), named("5", "off.eu.example.com", "A", `,"enabled":false`),
	}, ","), singles("ABCF")...)
	for host, want := range map[string]string{
		"WWW.Example.com:8080": "C/o1",
		"a.b.eu.example.com.":  "B/o1",
		"a.example.com":        "A/o1",
		"off.eu.example.com":   "B/o1",
		"example.com":          "unknown_host",
		"off.example.org":      "load_balancer_disabled", // not even its fallback pool
	} {
		r := request(1)
		r.Host = []byte(host)
		d := w.snapshot.Direct(r, &Trail{})
		if got := where(d); got != want || d.Kind == Refused && d.Status != 530 {
			t.Errorf("%s: %s (%d), want %s", host, got, d.Status, want)
		}
	}
}

// Behaviour P11, P8: pools alone are one load balancer, in order, with the last enabled one behind.
func TestDocumentWithoutALoadBalancer(t *testing.T) {
	w := document(t, "", poolText("A", 1, ""), poolText("B", 1, ""), poolText("C", 1, `,"enabled":false`))
	for down, want := range map[string]string{"": "A/o1", "A": "B/o1", "AB": "B/o1!", "B": "A/o1"} {
		w.down(down)
		if got := w.ask("", ""); got != want {
			t.Errorf("%q down: %s, want %s", down, got, want)
		}
	}
}

// Behaviour G1, G2: the table of geo, under "" as under geo; and off, which looks at no map.
func TestDocumentGeo(t *testing.T) {
	const maps = `"default_pools":["Z"],"fallback_pool":"F","pop_pools":{"SJC":["D"]},"country_pools":{"CA":["C"]},"region_pools":{"WNAM":["A","B"]}`
	for _, policy := range []string{"geo", ""} {
		w := document(t, balancerText(maps+fmt.Sprintf(`,"steering_policy":%q`, policy)), singles("ABCDFZ")...)
		for _, c := range []struct{ pop, country, down, want string }{
			{"SJC", "US", "", "D/o1"},
			{"SJC", "US", "D", "F/o1!"},
			{"SJC", "CA", "", "D/o1"},
			{"SEA", "CA", "", "C/o1"},
			{"SEA", "CA", "C", "F/o1!"},
			{"SEA", "US", "", "A/o1"},
			{"SEA", "XX", "", "A/o1"}, // unknown: the data centre's own
			{"YVR", "XX", "", "C/o1"}, // which here is CA
			{"SEA", "US", "A", "B/o1"},
			{"SEA", "US", "AB", "F/o1!"},
			{"FRA", "DE", "", "Z/o1"},
			{"FRA", "DE", "Z", "F/o1!"},
			{"FRA", "CA", "", "C/o1"}, // the client's country, not the region's
		} {
			w.down(c.down)
			if got := w.ask(c.pop, c.country); got != c.want {
				t.Errorf("%q: from %s in %s with %q down: %s, want %s", policy, c.pop, c.country, c.down, got, c.want)
			}
		}
	}
	w := document(t, balancerText(maps+`,"steering_policy":"off"`), singles("ABCDFZ")...)
	if got := w.ask("SJC", "CA"); got != "Z/o1" {
		t.Errorf("off: %s", got)
	}
}

// Behaviour G3, G6: the tables of shares between pools.
func TestDocumentShares(t *testing.T) {
	const weights = `"random_steering":{"default_weight":0.2,"pool_weights":{"A":0.3,"B":0.5}}`
	for _, c := range []struct {
		why, down, shed string
		want            []float64
	}{
		{"all serve", "", "", []float64{.3, .5, .2, 0}},
		{"the second down", "B", "", []float64{.6, 0, .4, 0}},
		{"the first sheds everything", "", "A", []float64{0, 5. / 7, 2. / 7, 0}},
	} {
		var list []string
		for _, id := range "ABCF" {
			more := ""
			if c.shed == string(id) {
				more = `,"load_shedding":{"default_percent":100}`
			}
			list = append(list, poolText(string(id), 1, more))
		}
		w := document(t, balancerText(`"default_pools":["A","B","C"],"fallback_pool":"F","steering_policy":"random",`+weights), list...)
		w.down(c.down)
		steeringtest.Fits(t, w.poolCounts(40000, "ABCF"), c.want)
		if t.Failed() {
			t.Fatal(c.why)
		}
	}
	for policy, weights := range map[string]string{
		"least_outstanding_requests": `{"A":0.4,"B":0.6}`, "least_connections": `{"A":0.5,"B":0.5}`,
	} {
		w := document(t, balancerText(fmt.Sprintf(`"default_pools":["A","B"],"fallback_pool":"A","steering_policy":%q,"random_steering":{"pool_weights":%s}`, policy, weights)), singles("AB")...)
		a := w.snapshot.Pool("A").Origins[0].Live
		want := []float64{1. / 3, 2. / 3} // one connection, and not a thought of requests
		a.OpenConnection(0)
		if policy == "least_outstanding_requests" {
			want = []float64{1. / 7, 6. / 7} // three requests, and not a thought of connections
			for range 3 {
				a.BeginRequest(0)
			}
		}
		steeringtest.Fits(t, w.poolCounts(40000, "AB"), want)
	}
}

// Behaviour G5: both tables, from data centres with codes and from one of our own.
func TestDocumentProximity(t *testing.T) {
	const policy = `"fallback_pool":"F","steering_policy":"proximity",`
	at := func(lat, lon string) string { return fmt.Sprintf(`,"latitude":%s,"longitude":%s`, lat, lon) }
	order := func(w *world, pop string) string {
		var b strings.Builder
		for {
			got := w.ask(pop, "")
			if strings.HasSuffix(got, "!") {
				return b.String()
			}
			b.WriteString(got[:1])
			w.believe(got[:1], "D")
		}
	}
	w := document(t, balancerText(policy+`"default_pools":["N","S","I","A"]`),
		poolText("A", 1, at("52.31", "4.76")), poolText("I", 1, at("38.94", "-77.46")), poolText("S", 1, at("1.36", "103.99")),
		poolText("N", 1, ""), poolText("F", 1, ""))
	if got := order(w, "FRA"); got != "AISN" {
		t.Errorf("from FRA: %s", got)
	}
	w = document(t, balancerText(policy+`"default_pools":["X","Y"]`),
		poolText("X", 1, at("0", "170")), poolText("Y", 1, at("0", "-179.5")), poolText("F", 1, ""))
	w.reload(func(c *config.Config) {
		c.Weir.Pops = map[string]config.Place{"DATE": {Region: "OC", Longitude: 179.5}}
	})
	if got := order(w, "DATE"); got != "YX" {
		t.Errorf("beside the date line: %s", got)
	}
}

// Behaviour L3, L5, L7: the tables of shedding, and its end: null, or percentages of 0.
func TestDocumentShedding(t *testing.T) {
	half := `,"load_shedding":{"default_percent":50,"default_policy":"random"}`
	w := document(t, balancerText(`"default_pools":["A","B"],"fallback_pool":"F"`), poolText("A", 1, half), poolText("B", 1, half), poolText("F", 1, half))
	steeringtest.Fits(t, w.poolCounts(40000, "ABF"), []float64{.5, .25, .25})

	for _, c := range []struct {
		shedding string
		want     string // who of 100 pinned clients and 100 new ones is at A
	}{
		{`null`, "100 and 100"},
		{`{}`, "100 and 100"},
		{`{"default_percent":0,"session_percent":0}`, "100 and 100"},
		{`{"default_percent":100,"session_percent":0}`, "100 and 0"},
		{`{"default_percent":0,"session_percent":100}`, "0 and 100"},
		{`{"default_percent":100,"default_policy":"hash","session_percent":100}`, "0 and 0"},
	} {
		cookie := balancerText(`"default_pools":["A","B"],"fallback_pool":"B","session_affinity":"cookie"`)
		before := document(t, cookie, singles("AB")...)
		w := document(t, cookie, poolText("A", 1, `,"load_shedding":`+c.shedding), poolText("B", 1, ""))
		w.sessions = before.sessions
		w.snapshot = Build(nil, w.inputs(), Changed{Config: true})
		pinned, fresh := 0, 0
		for n := range uint64(100) {
			b := before.browser(n)
			b.expect(0, "A/o1 steered set")
			b.w = w
			switch got := b.ask(1); got {
			case "A/o1 session":
				pinned++
			case "B/o1 steered set":
			default:
				t.Fatalf("%s: a session: %s", c.shedding, got)
			}
			if strings.HasPrefix(w.browser(n+100).ask(1), "A/") {
				fresh++
			}
		}
		if got := fmt.Sprintf("%d and %d", pinned, fresh); got != c.want {
			t.Errorf("%s: %s, want %s", c.shedding, got, c.want)
		}
	}
}

// Behaviour N4: the table of sessions by header.
func TestDocumentSessionsByHeader(t *testing.T) {
	header := func(all bool) *world {
		return document(t, balancerText(fmt.Sprintf(`"default_pools":["A"],"fallback_pool":"A","session_affinity":"header","session_affinity_ttl":60,`+
			`"session_affinity_attributes":{"headers":["x-user","X-Tenant"],"require_all_headers":%v}`, all)), poolText("A", 200, ""))
	}
	w := header(false)
	b := w.browser(1)
	b.header = fields{"x-user": {"1"}}
	home, began := strings.CutSuffix(b.ask(0), " steered")
	if !began || w.sessions.Len() != 1 {
		t.Fatalf("%d sessions", w.sessions.Len())
	}
	b.expect(50, home+" session")
	b.expect(100, home+" session")
	both := w.browser(2)
	both.header = fields{"x-user": {"1"}, "x-tenant": {"9"}}
	if got := both.ask(100); !strings.HasSuffix(got, " steered") || w.sessions.Len() != 2 {
		t.Errorf("S2: %s, %d sessions", got, w.sessions.Len())
	}
	if got := w.browser(3).ask(100); !strings.HasSuffix(got, " steered") || w.sessions.Len() != 2 {
		t.Errorf("neither header: %s, %d sessions", got, w.sessions.Len())
	}
	if got := b.ask(161); !strings.HasSuffix(got, " steered") {
		t.Errorf("61 s after its last use: %s", got)
	}
	w = header(true)
	if b.w = w; !strings.HasSuffix(b.ask(0), " steered") || w.sessions.Len() != 0 {
		t.Errorf("one header of two: %d sessions", w.sessions.Len())
	}
	if both.w = w; !strings.HasSuffix(both.ask(0), " steered") || w.sessions.Len() != 1 {
		t.Errorf("both headers: %d sessions", w.sessions.Len())
	}
}

// Behaviour N1, N5, N6: the tables of sessions by cookie; a rule changes other attributes and not the drain.
func TestDocumentSessionsByCookie(t *testing.T) {
	w := document(t, balancerText(`"default_pools":["A","B"],"fallback_pool":"A","session_affinity":"cookie","session_affinity_ttl":1800`), singles("AB")...)
	b := w.browser(1)
	w.down("A")
	b.expect(0, "B/o1 steered set")
	w.down("")
	b.expect(300, "B/o1 session")
	b.expect(1799, "B/o1 session")
	w.browser(2).expect(300, "A/o1 steered set")
	b.expect(1801, "A/o1 steered set")

	draining := func(origin string) *world {
		return document(t, balancerText(`"default_pools":["A"],"fallback_pool":"A","session_affinity":"cookie","session_affinity_ttl":5000,`+
			`"session_affinity_attributes":{"drain_duration":60},"rules":[{"overrides":{"session_affinity_attributes":{"drain_duration":3600,"secure":"Always"}}}]`),
			`{"id":"A","name":"a","monitor":"m","origins":[`+origin+`,{"name":"o2","address":"192.0.2.2"}]}`)
	}
	before := draining(`{"name":"o1","address":"192.0.2.1"}`)
	after := draining(`{"name":"o1","address":"192.0.2.1","enabled":false,"disabled_at":"2026-03-01T12:00:00Z"}`)
	after.sessions = before.sessions
	after.snapshot = Build(nil, after.inputs(), Changed{Config: true})
	b = before.begin("A/o1")
	b.w = after
	b.expect(59, "A/o1 session")
	for n := range uint64(50) {
		after.browser(n).expect(1, "A/o2 steered set")
	}
	b.expect(60, "A/o2 steered set")
}

// Behaviour N7, R2, D1: the tables of what an origin that refuses comes to; o1 of pool A refuses.
func TestDocumentFailover(t *testing.T) {
	for _, c := range []struct {
		origins int // of A
		members string
		first   string // where the session began, "" for no session
		want    string
		then    string // the next request, which nobody refuses
	}{
		{1, `"adaptive_routing":{"failover_across_pools":false}`, "", "521", ""},
		{1, `"adaptive_routing":{"failover_across_pools":true}`, "", "B/o1 retry_across_pools", ""},
		{2, `"session_affinity":"cookie","session_affinity_attributes":{"zero_downtime_failover":"none"}`, "A/o1", "521", "A/o1 session"},
		{2, `"session_affinity":"cookie"`, "A/o1", "521", "A/o1 session"}, // none is the default
		{2, `"session_affinity":"cookie","session_affinity_attributes":{"zero_downtime_failover":"temporary"}`, "A/o1", "A/o2 retry", "A/o1 session"},
		{2, `"session_affinity":"cookie","session_affinity_attributes":{"zero_downtime_failover":"sticky"}`, "A/o1", "A/o2 retry set", "A/o2 session"},
	} {
		w := document(t, balancerText(`"default_pools":["A","B"],"fallback_pool":"B",`+c.members), poolText("A", c.origins, ""), poolText("B", 1, ""))
		b := w.browser(1)
		if c.first != "" {
			b = w.begin(c.first)
		}
		b.expect(1, c.want, "A/o1")
		if c.then != "" {
			b.expect(2, c.then)
		}
	}
}

// Behaviour U1, U2, U6: the tables of rules.
func TestDocumentRules(t *testing.T) {
	w := document(t, balancerText(`"default_pools":["A"],"fallback_pool":"F","rules":[`+
		`{"name":"1","condition":"http.request.uri.path contains \"/blog\"","overrides":{"default_pools":["B"]}},`+
		`{"name":"2","condition":"http.request.method eq \"POST\"","overrides":{"fallback_pool":"S"}}]`), singles("ABFS")...)
	for _, c := range []struct{ method, path, want, last string }{
		{"GET", "/", "A/o1", "F/o1!"},
		{"GET", "/blog/x", "B/o1", "F/o1!"},
		{"POST", "/blog/x", "B/o1", "S/o1!"},
		{"POST", "/", "A/o1", "S/o1!"},
	} {
		for down, want := range map[string]string{"": c.want, "AB": c.last} {
			w.down(down)
			r := path(1, c.path)
			r.Method = []byte(c.method)
			if got := where(w.snapshot.Direct(r, &Trail{})); got != want {
				t.Errorf("%s %s with %q down: %s, want %s", c.method, c.path, down, got, want)
			}
		}
	}
	for _, c := range []struct {
		condition, target string
		want              bool
	}{
		{`not http.host eq "a" and ip.src in {192.0.2.0/24}`, "/", false}, // the client is 198.51.100.1
		{`not http.host eq "a" and ip.src in {198.51.100.0/24}`, "/", true},
		{`http.request.headers["x-user"][0] ne "1"`, "/", false},
		{`any(http.request.uri.args["v"][*] eq "2")`, "/?v=1&v=2", true},
		{`http.request.uri.path wildcard "/API/*"`, "/api/x", true},
		{`http.request.uri.path strict wildcard "/API/*"`, "/api/x", false},
		{``, "/", true},
	} {
		w := document(t, balancerText(fmt.Sprintf(`"default_pools":["A"],"fallback_pool":"A","rules":[{"condition":%q,"overrides":{"default_pools":["B"]}}]`, c.condition)), singles("AB")...)
		if got := w.path(c.target) == "B/o1"; got != c.want {
			t.Errorf("%s of %s: %v", c.condition, c.target, got)
		}
	}
}

// Behaviour U7, U8: the table of topologies; the policy of a set that names none is off, and its fallback pool the load
// balancer's.
func TestDocumentPoolSets(t *testing.T) {
	for topology, want := range map[string][2]string{ // from FRA, of a client in DE and in PL
		`{"countries":["DE","FR"],"regions":["WEU"]}`: {"B/o1", "A/o1"},
		`{"pops":["FRA"]}`:     {"B/o1", "B/o1"},
		`{"pops":["AMS"]}`:     {"A/o1", "A/o1"},
		`{"countries":["PL"]}`: {"A/o1", "B/o1"},
	} {
		w := document(t, balancerText(`"default_pools":["A"],"fallback_pool":"F","steering_policy":"random","pool_sets":[{"match":{"topology":`+topology+`},"overrides":{"pools":["B","C"]}}]`), singles("ABCF")...)
		for i, country := range []string{"DE", "PL"} {
			for seed := range uint64(20) {
				if got := where(w.at(seed, w.snapshot.Locate(nil, nil, []byte(country)))); got != want[i] {
					t.Fatalf("%s, of %s: %s, want %s", topology, country, got, want[i])
				}
			}
		}
		w.down("ABC")
		if got := w.ask("", "DE"); got != "F/o1!" {
			t.Errorf("%s with all down: %s", topology, got)
		}
	}
}

// Behaviour U2: a rule that changes the kind of affinity and gives no TTL takes the default of that kind, also where the
// load balancer has no affinity and a TTL that the kind does not allow. One that gives a TTL takes that.
func TestDocumentTTLOfARule(t *testing.T) {
	for _, c := range []struct {
		base, override string
		want           string // Max-Age
	}{
		{`"session_affinity":"none"`, `"session_affinity":"cookie"`, "82800"},
		{`"session_affinity":"none","session_affinity_ttl":60`, `"session_affinity":"cookie"`, "82800"},
		{`"session_affinity":"none","session_affinity_ttl":5000`, `"session_affinity":"cookie"`, "82800"},
		{`"session_affinity":"none","session_affinity_ttl":60`, `"session_affinity":"cookie","session_affinity_ttl":1800`, "1800"},
		{`"session_affinity":"cookie","session_affinity_ttl":5000`, `"session_affinity":"ip_cookie"`, "82800"},
		{`"session_affinity":"cookie","session_affinity_ttl":5000`, `"session_affinity":"cookie"`, "5000"},
		{`"session_affinity":"cookie","session_affinity_ttl":5000`, `"session_affinity_ttl":1800`, "1800"},
	} {
		w := document(t, balancerText(`"default_pools":["A"],"fallback_pool":"A",`+c.base+`,"rules":[{"overrides":{`+c.override+`}}]`), singles("A")...)
		r := request(1)
		r.Now = epoch
		d := w.snapshot.Direct(r, &Trail{})
		if got := string(d.Session.AppendSetCookie(nil)); !strings.Contains(got, "; Max-Age="+c.want+";") {
			t.Errorf("%s, then %s: %s, want Max-Age %s", c.base, c.override, got, c.want)
		}
	}
}
