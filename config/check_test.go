package config

import (
	"fmt"
	"strings"
	"testing"
)

// checkCases is one input per rule. What each must answer, with its exact place, is in testdata/checks.golden.
var checkCases = []struct {
	name, text string
	strict     bool
}{
	// text
	{name: "empty", text: " \n"},
	{name: "UTF-16", text: "\xFF\xFE{\x00}\x00"},
	{name: "not UTF-8", text: "{\"name\":\n \"\xff\"}"},
	{name: "trailing comma", text: "[\n  {},\n]"},
	{name: "cut off", text: `{"name": "on`},
	{name: "two values", text: "{\"weir\":{}}\n {\"weir\":{}}"},
	{name: "deep nesting", text: strings.Repeat("[", 102) + strings.Repeat("]", 102)},
	{name: "duplicate members", text: "{\"id\":\"p\",\"name\":\"a\",\n\"name\":\"b\",\"origins\":[{\"address\":\"a.b\",\"address\":\"a.c\"}]}"},
	{name: "invalid escape", text: `{"name":"\x"}`},

	// shapes
	{name: "scalar", text: `"pool"`},
	{name: "no known shape", text: `{"id":"x","foo":1}`},
	{name: "answer of a failure", text: `{"success":false,"errors":[{"code":1002,"message":"interval is not in range [60, 3600]: validation failed"},{"message":"b"}],"messages":[],"result":null}`},
	{name: "answer without reasons", text: `{"success":false}`},
	{name: "answer without result", text: `{"success":true,"result":null}`},
	{name: "success is no boolean", text: `{"success":"yes","result":null}`},
	{name: "lists of a document", text: `{"pools":{},"monitors":[3]}`},
	{name: "unknown section", text: `{"pools":[],"poools":[]}`},
	{name: "two local sections", text: `[{"weir":{}},{"weir":{}}]`},

	// pools
	{name: "pool without name", text: `{"origins":[{"address":"a.b"}]}`},
	{name: "pool without origins", text: `{"name":"p","minimum_origins":1}`},
	{name: "pool with null origins", text: `{"name":"p","origins":null}`},
	{name: "no origins", text: `{"name":"p","origins":[]}`},
	{name: "pool name", text: `{"name":"p q","origins":[{"address":"a.b"}]}`},
	{name: "empty id", text: `{"id":"","name":"p","origins":[{"address":"a.b"}]}`},
	{name: "wrong types", text: `{"id":1,"name":{},"description":[],"enabled":1,"minimum_origins":"1","monitor":2,"check_regions":"WEU","load_shedding":[],"origin_steering":"hash","notification_filter":7,"networks":{},"origins":{"address":"a.b"}}`},
	{name: "minimum_origins", text: `{"name":"p","minimum_origins":-1,"origins":[{"address":"a.b"}]}`},
	{name: "minimum_origins fraction", text: `{"name":"p","minimum_origins":1.5,"origins":[{"address":"a.b"}]}`},
	{name: "huge number", text: `{"name":"p","minimum_origins":1e999,"origins":[{"address":"a.b"}]}`},
	{name: "long number", text: `{"name":"p","minimum_origins":` + strings.Repeat("9", 200) + `,"origins":[{"address":"a.b"}]}`},
	{name: "latitude alone", text: `{"name":"p","latitude":1,"origins":[{"address":"a.b"}]}`},
	{name: "latitude range", text: `{"name":"p","latitude":90.1,"longitude":-180.5,"origins":[{"address":"a.b"}]}`},
	{name: "regions", text: `{"name":"p","check_regions":["WEU","XX","weu","IN"],"origins":[{"address":"a.b"}]}`},
	{name: "health sources", text: `{"name":"p","check_regions":["WEU"],"health_sources":["local","global"],"origins":[{"address":"a.b"}]}`},
	{name: "health sources without regions", text: `{"name":"p","health_sources":["regional","global"],"origins":[{"address":"a.b"}]}`},
	{name: "shedding", text: `{"name":"p","load_shedding":{"default_percent":101,"default_policy":"rand","session_percent":-1,"session_policy":"random"},"origins":[{"address":"a.b"}]}`},
	{name: "origin steering", text: `{"name":"p","origin_steering":{"policy":"round_robin"},"origins":[{"address":"a.b"}]}`},
	{name: "created_on", text: `{"name":"p","created_on":"yesterday","origins":[{"address":"a.b"}]}`},

	// origins
	{name: "weight steps", text: `{"name":"p","origins":[{"address":"a.b","weight":0.015},{"address":"a.c","weight":-0.01},{"address":"a.d","weight":1.01}]}`},
	{name: "addresses", text: `{"name":"p","origins":[{"address":"192.0.2.1:2015"},{"address":"[::1]"},{"address":"[::1]:80"},{"address":"300.1.1.1"},{"address":"a b"},{"address":"fe80::1%eth0"},{"address":"https://a.b"},{"address":""},{"address":"a..b"},{"address":"1.2.3"}]}`},
	{name: "origin without address", text: `{"name":"p","origins":[{"name":"a"}]}`},
	{name: "port", text: `{"name":"p","origins":[{"address":"a.b","port":65536},{"address":"a.c","port":"80"}]}`},
	{name: "origin names", text: `{"name":"p","origins":[{"name":"x","address":"a.b"},{"name":"x","address":"a.c"}]}`},
	{name: "same endpoint", text: `{"name":"p","origins":[{"name":"x","address":"a.b","port":80},{"name":"y","address":"A.b","port":80}]}`},
	{name: "same endpoint in other words", text: `{"name":"p","origins":[{"name":"x","address":"::1"},{"name":"y","address":"0:0:0:0:0:0:0:1"}]}`},
	{name: "same address, other port", text: `{"name":"p","origins":[{"name":"x","address":"a.b","port":80},{"name":"y","address":"a.b","port":81}]}`},
	{name: "same address, other port, strict", strict: true, text: `{"name":"p","origins":[{"name":"x","address":"a.b","port":80},{"name":"y","address":"a.b","port":81}]}`},
	{name: "internal address", text: `{"name":"p","origins":[{"address":"127.0.0.1"},{"address":"10.0.0.1"}]}`},
	{name: "internal address, strict", strict: true, text: `{"name":"p","origins":[{"address":"127.0.0.1"},{"address":"10.0.0.1","virtual_network_id":"v"},{"address":"fd00::1"}]}`},
	{name: "origin header", text: `{"name":"p","origins":[{"address":"a.b","header":{"Host":["x","y"]}},{"address":"a.c","header":{"X-Y":["x"]}},{"address":"a.d","header":{"Host":"x"}},{"address":"a.e","header":{"Host":["x\r\ny"]}}]}`},

	// monitors
	{name: "monitor type", text: `{"id":"m","type":"icmp"}`},
	{name: "monitors of every type", text: `[{"id":"m","type":"icmp_ping"},{"id":"u","type":"udp_icmp","port":53},{"id":"s","type":"smtp","port":25}]`},
	{name: "monitor ranges", text: `{"id":"m","type":"http","timeout":11,"retries":6,"interval":0,"port":-1,"consecutive_up":-1}`},
	{name: "interval too short", text: `{"id":"m","type":"http","interval":15}`},
	{name: "interval too short, strict", strict: true, text: `{"id":"m","type":"http","expected_codes":"200","interval":15}`},
	{name: "interval range, strict", strict: true, text: `{"id":"m","type":"http","expected_codes":"200","interval":9,"timeout":1,"retries":0}`},
	{name: "expected codes range", text: `{"id":"m","type":"http","expected_codes":"200-299"}`},
	{name: "expected codes", text: `{"id":"m","type":"http","expected_codes":"200,9xx"}`},
	{name: "expected codes, strict", strict: true, text: `{"id":"m","type":"http"}`},
	{name: "method and path", text: `{"id":"m","type":"http","method":"G ET","path":"health x"}`},
	{name: "tcp without port", text: `{"id":"m","type":"tcp"}`},
	{name: "monitor header", text: `{"id":"m","type":"http","header":{"User-Agent":["x"],"a b":["x"],"X-A":["1\n2"],"x-a":["1"],"Host":["a","b"],"X-B":"1"}}`},
	{name: "monitor without id", text: `{"type":"http"}`},

	// groups
	{name: "group member", text: `{"id":"g","members":[{"monitor_id":"m"}]}`},
	{name: "group member twice", text: `[` + oneMonitor + `,{"id":"g","description":"","members":[{"monitor_id":"m1","enabled":true,"monitoring_only":false,"must_be_healthy":false},{"monitor_id":"m1","enabled":true,"monitoring_only":false,"must_be_healthy":false}]}]`},
	{name: "group member dangling", text: `{"id":"g","description":"","members":[{"monitor_id":"m9","enabled":true,"monitoring_only":false,"must_be_healthy":false}]}`},

	// load balancers
	{name: "balancer without all", text: `{"default_pools":null,"fallback_pool":null}`},
	{name: "balancer", text: `[` + onePool + `,{"id":"b","name":"a b","default_pools":[],"fallback_pool":"one","ttl":-1,"steering_policy":"random_steering","session_affinity":"ip","region_pools":{"EU":["p1"],"WEU":"p1"},"country_pools":{"deu":["p1"]},"pop_pools":{"a":["p1"],"FRA":["p7"]}}]`},
	{name: "balancer names", text: `[` + onePool + `,{"id":"b","name":"a.b","default_pools":["p1"],"fallback_pool":"p1"},{"id":"c","name":"A.b.","default_pools":["p1"],"fallback_pool":"p1"}]`},
	{name: "bare label, strict", strict: true, text: `[` + onePool + `,{"id":"b","name":"localhost","default_pools":["p1"],"fallback_pool":"p1"}]`},
	{name: "dangling pools", text: `[` + onePool + `,{"id":"b","name":"a.b","default_pools":["p1","p2"],"fallback_pool":"p3","random_steering":{"pool_weights":{"p4":0.5}}}]`},
	{name: "key twice in other case", text: `[` + onePool + `,{"id":"b","name":"a.b","default_pools":["p1"],"fallback_pool":"p1","region_pools":{"WEU":["p1"],"weu":["p1"]}}]`},
	{name: "affinity", text: `[` + onePool + `,{"id":"b","name":"a.b","default_pools":["p1"],"fallback_pool":"p1","session_affinity":"header","session_affinity_ttl":10,"session_affinity_attributes":{"samesite":"None","secure":"Never","drain_duration":90000}}]`},
	{name: "wrong types in a load balancer", text: `[` + onePool + `,{"id":"b","name":"a.b","default_pools":["p1"],"fallback_pool":"p1","random_steering":{"default_weight":2},"adaptive_routing":{"failover_across_pools":1},"location_strategy":{"mode":"x"},"rules":[{"name":1,"overrides":{"stering_policy":"off"},"fixed_response":{"status_code":1}}],"pool_sets":{},"tunnel_id":4}]`},
	{name: "what acts is not noted", text: `[` + onePool + `,{"id":"b","name":"a.b","proxied":false,"ttl":30,"default_pools":["p1"],"fallback_pool":"p1","steering_policy":"random","region_pools":{"WEU":["p1"]},"session_affinity":"cookie","rules":[{"name":"x"}],"adaptive_routing":{"failover_across_pools":true}}]`},
	{name: "idle", text: `[` + onePool + `,{"id":"b","name":"a.b","proxied":true,"default_pools":["p1"],"fallback_pool":"p1","steering_policy":"","region_pools":{},"session_affinity":"none","rules":[],"random_steering":{"default_weight":1},"adaptive_routing":{"failover_across_pools":false},"location_strategy":{"mode":"pop","prefer_ecs":"proximity"},"session_affinity_attributes":{"drain_duration":0,"samesite":"Auto","secure":"Auto","zero_downtime_failover":"none"}}]`},

	{name: "weights of pools", text: balancerWith(`"random_steering":{"default_weight":0.25,"pool_weights":{"p1":0.333,"":1,"p2":1.5}}`)},
	{name: "weights too fine", text: balancerWith(`"random_steering":{"pool_weights":{"p1":0.001}}`)},
	{name: "ttl by cookie", text: balancerWith(`"session_affinity":"cookie","session_affinity_ttl":1799`)},
	{name: "ttl by ip_cookie", text: balancerWith(`"session_affinity":"ip_cookie","session_affinity_ttl":604801`)},
	{name: "ttl by header", text: balancerWith(`"session_affinity":"header","session_affinity_ttl":3601,"session_affinity_attributes":{"headers":["a"]}`)},
	{name: "sticky by header", text: balancerWith(`"session_affinity":"header","session_affinity_attributes":{"headers":["a"],"zero_downtime_failover":"sticky"}`)},
	{name: "session headers", text: balancerWith(`"session_affinity_attributes":{"headers":["x y","cookie:","x:a","Cookie:a,b","cookie","X-A","x-a",""]}`)},
	{name: "too many session headers", text: balancerWith(`"session_affinity_attributes":{"headers":["a","b","c","d","e","f"]}`)},
	{name: "long session header", text: balancerWith(`"session_affinity_attributes":{"headers":["` + strings.Repeat("a", 101) + `"]}`)},
	{name: "rule texts", text: balancerWith(`"rules":[{"name":"` + strings.Repeat("n", 201) + `","priority":-1,"fixed_response":{"status_code":301,"location":"/a\nb","content_type":"` + strings.Repeat("c", 33) + `","message_body":"` + strings.Repeat("b", 1025) + `"}},{"fixed_response":{"location":"` + strings.Repeat("l", 2049) + `"}}]`)},
	{name: "rule asks pools and answers", text: balancerWith(`"rules":[{"fixed_response":{"status_code":200},"overrides":{"pools":["p1"]}}]`)},
	{name: "rule weighs twice", text: balancerWith(`"rules":[{"overrides":{"random_steering":{"default_weight":0.5},"pool_default_weight":0.5}}]`)},
	{name: "rule names unknown pools", text: balancerWith(`"rules":[{"overrides":{"pools":["x1"],"default_pools":["x2"],"fallback_pool":"x3","region_pools":{"WEU":["x4"]},"country_pools":{"DE":["x5"]},"pop_pools":{"FRA":["x6"]},"pool_weights":{"x7":1}}},{"overrides":{"random_steering":{"pool_weights":{"x8":1}}}}]`)},
	{name: "rule names a pool by name", text: balancerWith(`"rules":[{"overrides":{"pools":["one"]}}]`)},
	{name: "rule overrides affinity", text: balancerWith(`"session_affinity":"cookie","session_affinity_attributes":{"secure":"Never"},"rules":[{"overrides":{"session_affinity":"header","session_affinity_ttl":10,"session_affinity_attributes":{"samesite":"None","drain_duration":5,"headers":[]}}},{"overrides":{"session_affinity_ttl":60}}]`)},
	{name: "rule finds headers elsewhere", text: balancerWith(`"rules":[{"overrides":{"session_affinity":"header"}},{"overrides":{"session_affinity_attributes":{"headers":["x-user"],"zero_downtime_failover":"sticky"}}}]`)},
	{name: "overrides of DNS", text: balancerWith(`"proxied":true,"rules":[{"overrides":{"ttl":30}},{"overrides":{"location_strategy":{"mode":"pop"}}}]`)},
	{name: "empty overrides", text: balancerWith(`"rules":[{"overrides":{"default_pools":[],"pools":[]}}]`)},
	{name: "rules of other types", text: balancerWith(`"rules":[7,{"overrides":[],"fixed_response":"x","condition":1}]`)},
	{name: "pool set without intent", text: balancerWith(`"pool_sets":[{"name":"a"},{"name":"b","overrides":{"pools":[]}},{"name":"c","overrides":{"steering_policy":"random"}}]`)},
	{name: "pool set with two intents", text: balancerWith(`"pool_sets":[{"overrides":{"pools":["p1"]},"fixed_response":{"status_code":200}}]`)},
	{name: "pool set match", text: balancerWith(`"pool_sets":[{"match":{},"overrides":{"pools":["p1"]}},{"match":{"default":false},"overrides":{"pools":["p1"]}},{"match":{"default":true,"topology":{"regions":["WEU"]}},"overrides":{"pools":["p1"]}},{"match":{"topology":{}},"overrides":{"pools":["p1"]}},{"match":{"topology":{"pops":[],"regions":null}},"overrides":{"pools":["p1"]}}]`)},
	{name: "pool set places", text: balancerWith(`"pool_sets":[{"match":{"topology":{"pops":["fra","FRA"],"countries":["deu"],"regions":["EU","ALL_REGIONS"]}},"overrides":{"pools":["p1"]}}]`)},
	{name: "pool set names unknown pools", text: balancerWith(`"pool_sets":[{"name":"` + strings.Repeat("n", 201) + `","overrides":{"pools":["x1"],"fallback_pool":"x2","pool_weights":{"x3":1},"pool_default_weight":2,"steering_policy":"round"}}]`)},
	{name: "too many pool sets", text: balancerWith(`"pool_sets":[` + strings.Repeat(`{"overrides":{"pools":["p1"]}},`, 1000) + `{"overrides":{"pools":["p1"]}}]`)},
	{name: "too large a topology", text: balancerWith(`"pool_sets":[{"match":{"topology":{"pops":[` + manyPoPs(1001) + `]}},"overrides":{"pools":["p1"]}}]`)},
	{name: "unknown in rules, strict", strict: true, text: balancerWith(`"rules":[{"terminats":true,"overrides":{"pols":[]}}],"pool_sets":[{"overrides":{"pools":["p1"],"region_pools":{}}}]`)},

	// between objects
	{name: "ids twice", text: "[" + onePool + ",\n" + strings.Replace(onePool, `"one"`, `"two"`, 1) + ",\n" + oneMonitor + ",\n" + oneMonitor + "]"},
	{name: "pool names twice", text: "[" + onePool + ",\n" + strings.Replace(onePool, `"p1"`, `"p2"`, 1) + "]"},
	{name: "dangling monitor", text: `{"name":"p","monitor":"m9","origins":[{"address":"a.b"}]}`},
	{name: "dangling monitor, strict", strict: true, text: `{"name":"p","monitor":"m9","origins":[{"address":"a.b"}]}`},
	{name: "group and monitor", text: `[` + oneMonitor + `,{"id":"g1","members":[{"monitor_id":"m1","enabled":true,"monitoring_only":false,"must_be_healthy":false}]},{"name":"p","monitor":"m1","monitor_group":"g1","origins":[{"address":"a.b"}]},{"name":"q","monitor":"m9","monitor_group":"g1","origins":[{"address":"a.b"}]}]`},
	{name: "dangling group with monitor", text: `[` + oneMonitor + `,{"name":"p","monitor":"m1","monitor_group":"g9","origins":[{"address":"a.b"}]}]`},

	// the local section
	{name: "unknown local keys", text: `{"weir":{"lisen":[],"timeouts":{"conect":"1s"},"limits":{"zzz":1},"origins":{"sceme":"http"},"default_monitor":{"pth":"/"},"admin":{"tokenfile":"x"},"location":{"town":"x"},"regions":{"WEU":{"dely":"1s"}},"identity":{"proxies":[]},"sessions":{"key":""},"listen":[{"address":":1","tsl":[]}],"pops":{"AAA":{"pop":"AAA"}}}}`},
	{name: "listen", text: `{"weir":{"listen":["127.0.0.1","a b:80",":70000","[::1]:8080",":http",{"tls":[{"cert":"a"}]},7]}}`},
	{name: "listeners twice", text: `{"weir":{"listen":[":8080",{"address":":8080"},"127.0.0.1:8081"]}}`},
	{name: "admin in the way", text: `{"weir":{"admin":{"address":"127.0.0.1:8080"}}}`},
	{name: "admin without token", text: `{"weir":{"admin":{"address":"0.0.0.0:8081"}}}`},
	{name: "admin with token", text: `{"weir":{"admin":{"address":":8081","token_file":"t"},"listen":["localhost:0","localhost:0"]}}`},
	{name: "places", text: `{"weir":{"location":{"pop":"F-A","region":"EU","country":"GER","latitude":1},"data_centers":[{"pop":"FRA","region":"WEU"},{"pop":"fra"},{"region":"WEU"},{"pop":"AMS"}],"pops":{"AMS":{"region":"weu","latitude":52.31,"longitude":4.76},"x":{}}}}`},
	{name: "staging", text: `{"weir":{"regions":{"WEU":{"source":"localhost","delay":"-1s","loss":1.5,"partition":["p","p/o"]},"XX":{}}}}`},
	{name: "trusted proxies", text: `{"weir":{"identity":{"trusted_proxies":["10.0.0.1/8","x","10.0.0.0/33"]}}}`},
	{name: "origins", text: `{"weir":{"origins":{"scheme":"ftp","verify":"no","client_cert":"a"}}}`},
	{name: "timeouts", text: `{"weir":{"timeouts":{"connect":"0s","first_byte":5,"drain":"1000h"},"limits":{"uri":1,"origin_wait":"2s","header_fields":1.5}}}`},
	{name: "default monitor", text: `{"weir":{"default_monitor":{"type":"tcp"}}}`},
	{name: "place by code", text: `{"weir":{"location":{"pop":"ZZZ"},"data_centers":[{"pop":"NRT"},{"pop":"QQQ"},{"pop":"WWW","country":"JP"},{"pop":"VVV","region":"OC"}]}}`},
	{name: "webhooks", text: `{"weir":{"notifications":[{"url":"ftp://a.b/secret"},{"name":"x"},{"url":7},{"url":"https://a.b/x","secret_file":"f","secret_env":"E"},{"url":"https://a.b/x","secret_env":"1 A"},{"url":"https:///x"},{"url":"https://a.b/#x","secret":"s"}],"geoip":{"database":1,"file":"x"}}}`},
	{name: "sessions", text: `{"weir":{"sessions":{"key_file":"k","always_use_https":true}}}`},
}

// balancerWith is a pool and a load balancer with these further members.
func balancerWith(members string) string {
	return "[" + onePool + ",\n" + `{"id":"b","name":"a.b","default_pools":["p1"],"fallback_pool":"p1",` + members + `}]`
}

// manyPoPs are n codes, with commas.
func manyPoPs(n int) string {
	codes := make([]string, n)
	for i := range codes {
		codes[i] = fmt.Sprintf(`"A%04d"`, i)
	}
	return strings.Join(codes, ",")
}

func TestChecks(t *testing.T) {
	var b strings.Builder
	for _, tt := range checkCases {
		_, problems := load(tt.text, Options{Strict: tt.strict})
		// Lint has its own examples.
		var own []Problem
		for _, p := range problems {
			if p.Rule == "" {
				own = append(own, p)
			}
		}
		fmt.Fprintf(&b, "== %s\n%s", tt.name, lines(own))
	}
	golden(t, "checks.golden", b.String())
}
