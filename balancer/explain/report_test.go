package explain

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

func world(t *testing.T) *balancer.Snapshot {
	t.Helper()
	origin := func(name, address string, weight config.Weight) config.Origin {
		return config.Origin{Name: name, Address: address, Port: 80, Enabled: true, Weight: weight}
	}
	c := &config.Config{
		Pools: []config.Pool{
			{ID: "A", Name: "first", Enabled: true, MinimumOrigins: 1, Monitor: "m", Origins: []config.Origin{origin("a1", "192.0.2.1", 100)}},
			{ID: "B", Name: "second", Enabled: true, MinimumOrigins: 1, Monitor: "m", Origins: []config.Origin{
				origin("b1", "192.0.2.2", 25), origin("b2", "192.0.2.3", 75), origin("b3", "192.0.2.4", 100),
			}},
		},
		Monitors: []config.Monitor{{ID: "m", Type: "tcp"}},
		LoadBalancers: []config.LoadBalancer{{
			ID: "lb", Name: "www.example.com", Enabled: true, DefaultPools: []string{"A", "B"}, FallbackPool: "A", SteeringPolicy: "off",
			SessionAffinity: "cookie", SessionAffinityTTL: time.Hour,
			Rules: []config.Rule{
				{Name: "posts", Condition: `http.request.method eq "POST"`, Priority: 10},
				{Name: "never", Condition: `http.request.uri.path eq "/x"`, Priority: 20},
			},
		}},
	}
	c.Weir.Location = config.Place{PoP: "FRA", Region: "WEU", Country: "DE"}
	table := health.NewTable()
	for i := range c.Pools {
		h := &health.PoolHealth{Pool: c.Pools[i].ID, Monitored: true}
		for j := range c.Pools[i].Origins {
			s := health.Up
			if n := c.Pools[i].Origins[j].Name; n == "a1" || n == "b3" {
				s = health.Down
			}
			h.Origins = append(h.Origins, health.OriginHealth{Identity: c.Pools[i].Identity(j), Global: health.Verdict{Status: s}})
		}
		table.Set(h)
	}
	return balancer.Build(nil, balancer.Inputs{
		Revision: 7, Config: c, Health: table, Registry: balancer.NewRegistry(1),
		Sessions: balancer.NewSessions(balancer.NewSealer([]byte("key")), 1),
	}, balancer.Changed{Config: true})
}

// The report names every candidate with its probability, and why the others were passed over (behaviour X1).
func TestReport(t *testing.T) {
	s := world(t)
	r := &balancer.Request{
		Host: []byte("www.example.com"), Method: []byte("POST"), Path: []byte("/"), Client: netip.MustParseAddr("198.51.100.1"),
		Seed: 1, Now: time.Unix(1000, 0),
	}
	report := Of(s, r, balancer.Failure{Class: balancer.ConnectRefused}, balancer.Failure{Class: balancer.ConnectRefused})
	if r.Place != nil {
		t.Error("the request was changed")
	}
	if len(report.Attempts) != 2 || report.Revision != 7 || report.Place.PoP != "FRA" {
		t.Fatalf("%+v", report)
	}
	first := report.Attempts[0]
	var told strings.Builder
	for _, step := range first.Steps {
		b, err := json.Marshal(step)
		if err != nil {
			t.Fatal(err)
		}
		told.Write(b)
		told.WriteByte('\n')
	}
	const want = `{"stage":"rule","reason":"yes","rule":"posts","condition":"http.request.method eq \"POST\"","priority":10}
{"stage":"rule","reason":"not_matched","rule":"never","condition":"http.request.uri.path eq \"/x\"","priority":20}
{"stage":"list","reason":"yes","list":"default_pools","policy":"off"}
{"stage":"session","reason":"session_absent"}
{"stage":"pool","reason":"pool_critical","pool":{"id":"A","name":"first"},"judge":"global","state":"Critical","places":[{"place":"global","state":"Critical","reason":"pool_critical"}],"origins":[{"name":"a1","address":"192.0.2.1","port":80,"reason":"origin_down"}],"weight":1,"load":0,"probability":0}
{"stage":"pool","reason":"yes","pool":{"id":"B","name":"second"},"judge":"global","state":"Degraded","places":[{"place":"global","state":"Degraded","reason":"yes"}],"weight":1,"load":0,"probability":1}
{"stage":"origin","reason":"yes","pool":{"id":"B","name":"second"},"origin":{"name":"b1","address":"192.0.2.2","port":80},"policy":"random","judge":"global","health":"up","places":[{"place":"global","health":"up"}],"weight":0.25,"load":0,"probability":0.25}
{"stage":"origin","reason":"yes","pool":{"id":"B","name":"second"},"origin":{"name":"b2","address":"192.0.2.3","port":80},"policy":"random","judge":"global","health":"up","places":[{"place":"global","health":"up"}],"weight":0.75,"load":0,"probability":0.75}
{"stage":"origin","reason":"origin_down","pool":{"id":"B","name":"second"},"origin":{"name":"b3","address":"192.0.2.4","port":80},"policy":"random","judge":"global","health":"down","places":[{"place":"global","health":"down"}],"weight":1,"load":0,"probability":0}
`
	rest, ok := strings.CutPrefix(told.String(), want)
	if !ok || !strings.HasPrefix(rest, `{"stage":"decision","reason":"steered"`) {
		t.Errorf("got:\n%s\nwant:\n%s", told.String(), want)
	}
	if d := first.Decision; d.Kind != "origin" || d.Session != "set" || !strings.HasPrefix(d.SetCookie, "__cflb=") {
		t.Errorf("decision %+v", d)
	}
	second := report.Attempts[1]
	if second.After != "connect_refused" || second.Decision.Reason != "retry" || second.Decision.Origin.Name == first.Decision.Origin.Name {
		t.Errorf("then %+v", second.Decision)
	}
}

func TestReportOfARefusal(t *testing.T) {
	report := Of(world(t), &balancer.Request{Host: []byte("x")})
	if d := report.Attempts[0].Decision; d.Kind != "refused" || d.Reason != "unknown_host" || d.Status != 530 || d.LoadBalancer != "" {
		t.Errorf("%+v", d)
	}
}
