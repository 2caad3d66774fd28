package config

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const everything = `{
  "load_balancers": [{"id":"b1","name":"*.example.com","description":"d","created_on":"2026-01-01T00:00:00.5Z","modified_on":"2026-01-02T00:00:00Z","zone_name":"example.com",
    "enabled":false,"proxied":true,"ttl":60,"default_pools":["p1","p2"],"fallback_pool":"p2","region_pools":{"weu":["p1"]},"country_pools":{"DE":["p2"]},"pop_pools":{"fra":["p1"]},
    "steering_policy":"geo","session_affinity":"cookie","session_affinity_ttl":1800,"session_affinity_attributes":{"samesite":"lax","secure":"ALWAYS","drain_duration":60,"zero_downtime_failover":"sticky","headers":["X-User","cookie:a,b"],"require_all_headers":true,"q":1},"networks":["jdcloud"],
    "rules":[{"name":"r","condition":"true","priority":0,"overrides":{"default_pools":["p1"],"fallback_pool":"p2","region_pools":{},"country_pools":{"de":["p1"]},"pop_pools":{"AMS":[]},"steering_policy":"Random",
        "random_steering":{"pool_weights":{}},"adaptive_routing":{"failover_across_pools":false},"location_strategy":{"mode":"resolver_ip"},"session_affinity":"header","session_affinity_ttl":30,
        "session_affinity_attributes":{"headers":["cookie"],"require_all_headers":false},"ttl":0,"z":1},"y":2},
      {"name":"s","condition":"ip.src eq 192.0.2.1","disabled":true,"terminates":true,"overrides":{"pools":["p2","p1"],"pool_weights":{"p1":0.25},"pool_default_weight":0,"adaptive_routing":{}}},
      {"fixed_response":{"status_code":301,"content_type":"text/plain","location":"/x","message_body":"gone\n","w":null}}],
    "pool_sets":[{"name":"a","match":{"topology":{"pops":["fra"],"countries":["de","AT"],"regions":["weu"],"t":1}},"overrides":{"pools":["p2"],"pool_weights":{"p2":1},"pool_default_weight":0.5,"fallback_pool":"p1","steering_policy":"random"}},
      {"name":"b","disabled":true,"match":{"default":true},"fixed_response":{"status_code":503}},{"overrides":{"pools":["p1"]}}],
    "tunnel_id":"t","adaptive_routing":{"failover_across_pools":true},"location_strategy":{"mode":"resolver_ip","prefer_ecs":"geo"},
    "random_steering":{"default_weight":0.2,"pool_weights":{"p1":0.30}},"brand_new":{"x":1.0}},
    {"id":"b2","name":"other.example.com","default_pools":["p1"],"fallback_pool":"p2","pop_pools":{"FRA":["p2"]},"session_affinity":"header","session_affinity_attributes":{"headers":["a"]}}],
  "pools": [{"id":"p1","name":"one","description":"ünï\u00e7ode \"q\" <&>","enabled":false,"disabled_at":"2026-02-01T00:00:00Z","minimum_origins":0,"monitor":"m1","monitor_group":"g1",
    "check_regions":["WEU","ENAM"],"health_sources":["regional","global"],"latitude":0,"longitude":-8.5,
    "load_shedding":{"default_percent":12.345,"default_policy":"hash","session_percent":1,"session_policy":"hash","x":null},"origin_steering":{"policy":"hash","y":1},
    "notification_filter":{"origin":{"disable":true,"healthy":null},"pool":null},"notification_email":"a@example.com","networks":["cloudflare","jdcloud"],"healthy":true,"new":[1,{"a":"\u0041"}],
    "origins":[{"name":"a","address":"Origin.example.com","enabled":false,"disabled_at":"2026-02-01T00:00:00Z","weight":0.29,"header":{"host":["h.example.com:8080"]},"port":8443,"virtual_network_id":"v","flatten_cname":false,"healthy":false,"failure_reason":"No failures","z":"z"},
      {"name":"b","address":"2001:db8::1","weight":0.57}]},
    {"id":"p2","name":"two","origins":[{"address":"192.0.2.1"}]}],
  "monitors": [{"id":"m1","type":"https","description":"d","method":"HEAD","path":"/h?x=1","port":8443,"header":{"Host":["h"],"X-Token":["s3cret","t"]},"timeout":1,"retries":0,"interval":10,"expected_codes":"2xx,301","expected_body":"","follow_redirects":true,"allow_insecure":true,"consecutive_up":2,"consecutive_down":3,"probe_zone":"z","odd":1},
    {"id":"m2","type":"tcp","port":25}],
  "monitor_groups": [{"id":"g1","description":"g","created_at":"2026-01-01T00:00:00Z","members":[{"monitor_id":"m1","enabled":true,"monitoring_only":false,"must_be_healthy":true,"created_at":"2026-01-01T00:00:00Z"}]}],
  "$schema": "x",
  "weir": {"listen":["127.0.0.1:0",{"address":"[::]:8443","tls":[{"cert":"a.pem","key":"a.key"}]}],"admin":{"address":"127.0.0.1:0","token_file":"t","tls":[{"cert":"a","key":"b"}]},"state":"/var/lib/weir",
    "location":{"pop":"fra","country":"de"},"data_centers":[{"pop":"FRA"},{"pop":"AMS","region":"WEU"}],"regions":{"weu":{"source":"127.0.0.2","delay":"20ms","loss":0.1,"partition":["one/a"]}},
    "pops":{"FRA":{"region":"WEU","country":"DE","latitude":50.03,"longitude":8.57}},"identity":{"trusted_proxies":["10.0.0.0/8","192.0.2.1"]},
    "origins":{"scheme":"https","verify":false,"ca_file":"ca","client_cert":"c","client_key":"k"},"sessions":{"key_file":"k","always_use_https":true},"notifications":[{"name":"ops","url":"https://hooks.example.com/T0/s3cret?x=1","secret_file":"hook.secret"},{"url":"http://127.0.0.1:9000","secret_env":"HOOK_SECRET"}],"geoip":{"database":"GeoLite2-Country.mmdb"},
    "default_monitor":{"type":"tcp","port":1},"timeouts":{"connect":"1s","first_byte":"1m30s"},"limits":{"uri":8192,"origin_wait":"1s"}}
}`

// TestRoundTrip: what JSON writes, Load reads as the same value.
func TestRoundTrip(t *testing.T) {
	texts := map[string]string{"everything": everything, "defaults": defaultsText, "nothing trusted": `{"weir":{"identity":{"trusted_proxies":[]}}}`}
	files, err := filepath.Glob("testdata/lint/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(files, "testdata/pool_details.json") {
		texts[f] = readFileT(t, f)
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			first := mustLoad(t, text)
			again := mustLoad(t, string(first.JSON(false)))
			if diff := cmp.Diff(first, again, sameConfig); diff != "" {
				t.Errorf("changed by writing and reading:\n%s", diff)
			}
			if diff := cmp.Diff(string(first.JSON(false)), string(again.JSON(false))); diff != "" {
				t.Errorf("the text is not stable:\n%s", diff)
			}
		})
	}
}

func TestDocument(t *testing.T) {
	c := mustLoad(t, everything)
	golden(t, "everything.golden", string(c.JSON(false)))
	if c.Weir.Location != (Place{"FRA", "Frankfurt", "WEU", "DE", 50.03, 8.57}) || c.Weir.DataCenters[0] != c.Weir.Location {
		t.Errorf("the location is not completed from weir.pops: %+v", c.Weir.Location)
	}
	if got := c.Weir.TrustedProxies[1]; got != "192.0.2.1/32" {
		t.Errorf("a single address became %s", got)
	}
}

// TestRedaction: no value of a request field that may be a credential is shown to people.
func TestRedaction(t *testing.T) {
	text := string(mustLoad(t, `[{"id":"m","type":"http","header":{"Host":["h.example.com"],"Authorization":["Bearer s3cret"],"X-Any":["s3cret"]},"api_key":"s3cret"},
		{"weir":{"notifications":[{"url":"https://hooks.example.com/T0/s3cret"},{"url":"https://s3cret@hooks.example.com/"},{"url":"https://hooks.example.com?k=s3cret"},{"url":"https://plain.example.com/"}]}}]`).JSON(true))
	for _, shown := range []string{"h.example.com", redacted, `"https://hooks.example.com/` + redacted + `"`, `"https://plain.example.com/"`} {
		if !strings.Contains(text, shown) {
			t.Errorf("%s is not shown in %s", shown, text)
		}
	}
	if strings.Contains(text, "s3cret") {
		t.Error(text)
	}
}

// TestKeySets: which members an answer of the API has when nothing optional is set, as recorded from the real API.
func TestKeySets(t *testing.T) {
	c := mustLoad(t, `[{"id":"p","created_on":"2026-01-01T00:00:00Z","modified_on":"2026-01-01T00:00:00Z","name":"one","origins":[{"name":"a","address":"192.0.2.1"}]},
		{"id":"m","created_on":"2026-01-01T00:00:00Z","modified_on":"2026-01-01T00:00:00Z","type":"http"},
		{"id":"b","created_on":"2026-01-01T00:00:00Z","modified_on":"2026-01-01T00:00:00Z","zone_name":"b","name":"a.b","default_pools":["p"],"fallback_pool":"p"},{"id":"g","members":[]}]`)
	for _, tt := range []struct {
		json []byte
		want string
	}{
		{c.Pools[0].JSON(), "check_regions created_on description enabled id minimum_origins modified_on name networks notification_email origins"},
		{c.Monitors[0].JSON(), "allow_insecure created_on description expected_body expected_codes follow_redirects header id interval method modified_on path probe_zone retries timeout type"},
		{c.LoadBalancers[0].JSON(), "adaptive_routing created_on default_pools description enabled fallback_pool id location_strategy modified_on name networks pop_pools proxied random_steering region_pools session_affinity session_affinity_attributes steering_policy ttl zone_name"},
		{c.MonitorGroups[0].JSON(), "description id members"},
	} {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(tt.json, &object); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(slices.Sorted(keysOf(object)), " "); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
	if got, want := string(c.Pools[0].JSON()), `"origins":[{"address":"192.0.2.1","enabled":true,"name":"a","weight":1}]`; !strings.Contains(got, want) || strings.Contains(got, "\n") {
		t.Errorf("got %s", got)
	}
}

func keysOf[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// TestWeightsAreExact: every step of 0.01 is read and written as it stands.
func TestWeightsAreExact(t *testing.T) {
	for i := range 101 {
		text := strings.TrimSuffix(strings.TrimRight(json.Number(formatHundredths(i)).String(), "0"), ".")
		if i == 0 {
			text = "0"
		}
		c := mustLoad(t, `{"name":"p","origins":[{"address":"a.b","weight":`+text+`}]}`)
		if got := c.Pools[0].Origins[0].Weight; got != Weight(i) {
			t.Errorf("%s was read as %d hundredths", text, got)
		}
		if !strings.Contains(string(c.Pools[0].JSON()), `"weight":`+text+`}`) {
			t.Errorf("%s was written as %s", text, c.Pools[0].JSON())
		}
	}
}

func formatHundredths(i int) string {
	return string([]byte{'0' + byte(i/100), '.', '0' + byte(i/10%10), '0' + byte(i%10)})
}
