package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/weirlb/weir/bench/origin"
)

// object is a JSON object of the API.
type object map[string]any

// world is a configuration on disk: one file per kind of object, each an answer of the API, and the local section.
type world struct {
	dir                        string
	pools, monitors, balancers []object
	local                      object // of the local section
}

// write puts the files in place, each at once, so that a reader sees the old one or the new one.
func (w *world) write(t testing.TB) {
	t.Helper()
	if w.dir == "" {
		w.dir = t.TempDir()
	}
	w.put(t, "pools.json", answerOf(w.pools))
	w.put(t, "monitors.json", answerOf(w.monitors))
	w.put(t, "load_balancers.json", answerOf(w.balancers))
	local := object{}
	for key, value := range w.local {
		local[key] = value
	}
	w.put(t, "weir.json", object{"weir": local})
}

func answerOf(list []object) object {
	if list == nil {
		list = []object{}
	}
	n := len(list)
	return object{
		"success": true, "errors": []string{}, "messages": []string{}, "result": list,
		"result_info": object{"count": n, "page": 1, "per_page": 9223372036854775807, "total_count": n, "total_pages": 1},
	}
}

func (w *world) put(t testing.TB, name string, v any) {
	t.Helper()
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// idOf is an id as the API gives them: 32 hexadecimal digits.
func idOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16])
}

// poolOf is a pool without a monitor.
func poolOf(name string, origins ...object) object {
	return object{
		"id": idOf(name), "name": name, "description": "", "enabled": true, "minimum_origins": 1, "monitor": "",
		"created_on": "2025-02-26T20:44:27.999349Z", "modified_on": "2025-06-03T09:12:45.120338Z",
		"networks": []string{"cloudflare"}, "notification_email": "", "origin_steering": object{"policy": "random"},
		"load_shedding": object{"default_percent": 0, "default_policy": "random", "session_percent": 0, "session_policy": "hash"},
		"origins":       origins,
	}
}

// monitored has a pool probed from three regions.
func monitored(pool object) object {
	pool["monitor"], pool["check_regions"] = idOf("monitor"), []string{"EEU", "ENAM", "WEU"}
	return pool
}

// quickMonitor probes every second.
func quickMonitor() object {
	return object{
		"id": idOf("monitor"), "type": "http", "method": "GET", "path": "/health", "expected_codes": "2xx", "expected_body": "",
		"header": object{"Host": []string{host}}, "interval": 1, "timeout": 1, "retries": 0, "follow_redirects": false,
		"allow_insecure": false, "description": "GET /health is 2xx", "probe_zone": "",
		"created_on": "2025-02-26T20:43:58.171206Z", "modified_on": "2025-02-26T20:43:58.171206Z",
	}
}

// host is what every load balancer here is called.
const host = "shop.example.com"

func balancerOf(fallback string, pools ...string) object {
	ids := []string{}
	for _, name := range pools {
		ids = append(ids, idOf(name))
	}
	return object{
		"id": idOf("lb"), "name": host, "description": "", "enabled": true, "proxied": true, "steering_policy": "off",
		"default_pools": ids, "fallback_pool": idOf(fallback), "session_affinity": "none", "zone_name": "example.com",
		"adaptive_routing": object{"failover_across_pools": false}, "random_steering": object{"default_weight": 1},
		"created_on": "2025-03-12T10:05:17.664821Z", "modified_on": "2025-03-12T10:05:17.664821Z",
	}
}

// entryOf is an origin as a pool lists it.
func entryOf(o *origin.Origin) object {
	return object{"name": o.Name(), "address": o.AddrPort().Addr().String(), "port": o.Port(), "enabled": true, "weight": 1}
}

// one is the smallest world: a pool of these origins, not monitored. Connections to origins are idle for a shorter time
// than by default, so that a story sees their end soon.
func one(origins ...*origin.Origin) *world {
	pool := poolOf("pool")
	var list []object
	for _, o := range origins {
		list = append(list, entryOf(o))
	}
	pool["origins"] = list
	return &world{pools: []object{pool}, local: object{"timeouts": object{"origin_idle": "1s"}}}
}

// startOrigin starts an origin that ends with the test.
func startOrigin(t testing.TB, name string, h origin.Handler) *origin.Origin {
	t.Helper()
	o, err := origin.Start(origin.Options{Name: name, Handler: h, KeepRecords: 16})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return o
}
