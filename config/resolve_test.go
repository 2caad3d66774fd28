package config

import (
	"fmt"
	"testing"
)

// TestMonitorOf: which monitor stands for a pool, and whether it has one: a group decides over a monitor, and without
// voters it leaves the pool unmonitored (behaviour H19, H20, P7).
func TestMonitorOf(t *testing.T) {
	const objects = `
		{"id":"m1","type":"http"},{"id":"m2","type":"http"},{"id":"m3","type":"http"},
		{"id":"voters","members":[
			{"monitor_id":"m1","enabled":false,"monitoring_only":false,"must_be_healthy":false},
			{"monitor_id":"m3","enabled":true,"monitoring_only":true,"must_be_healthy":false},
			{"monitor_id":"gone","enabled":true,"monitoring_only":false,"must_be_healthy":false},
			{"monitor_id":"m2","enabled":true,"monitoring_only":false,"must_be_healthy":false}]},
		{"id":"watchers","members":[{"monitor_id":"m1","enabled":true,"monitoring_only":true,"must_be_healthy":true}]}`
	for name, tt := range map[string]struct{ monitor, group, want string }{
		"neither":                            {"", "", "none"},
		"a monitor":                          {"m1", "", "m1"},
		"a monitor that is not known":        {"gone", "", DefaultMonitorID},
		"a group":                            {"", "voters", "m2"},
		"a group without voters":             {"", "watchers", "none"},
		"a group that is not known":          {"", "gone", DefaultMonitorID},
		"both":                               {"m1", "voters", "m2"},
		"both, the group not known":          {"m1", "gone", "m1"},
		"both, the monitor not known":        {"gone", "voters", "m2"},
		"both, neither known":                {"gone", "gone", DefaultMonitorID},
		"no voters and an unknown monitor":   {"gone", "watchers", "none"},
		"no voters and a monitor of its own": {"m2", "watchers", "none"},
	} {
		t.Run(name, func(t *testing.T) {
			c := mustLoad(t, fmt.Sprintf(`[{"id":"p","name":"p","monitor":%q,"monitor_group":%q,"origins":[{"address":"a.b"}]},%s]`, tt.monitor, tt.group, objects))
			got := "none"
			if m, ok := c.MonitorOf(&c.Pools[0]); ok {
				got = m.ID
			}
			if got != tt.want {
				t.Errorf("probed by %s, want %s", got, tt.want)
			}
			g, grouped := c.GroupOf(&c.Pools[0])
			if known := tt.group != "" && tt.group != "gone"; grouped != known || (known && g.ID != tt.group) {
				t.Errorf("judged by group %v, %v", g, grouped)
			}
		})
	}
}

// TestDefaultMonitor: the configured one, else GET / for 200 every 60 s (behaviour H19).
func TestDefaultMonitor(t *testing.T) {
	const pool = `{"id":"p","name":"p","monitor":"gone","origins":[{"address":"a.b"}]}`
	c := mustLoad(t, `{"pools":[`+pool+`],"weir":{"default_monitor":{"path":"/up","interval":5,"timeout":1}}}`)
	if m, _ := c.MonitorOf(&c.Pools[0]); describe(m) != `"default-monitor" (http GET /up expecting 200 every 5s, timeout 1s, 2 retries)` {
		t.Error(describe(m))
	}
	byHand := &Config{Pools: []Pool{{ID: "p", Monitor: "gone"}}}
	if m, ok := byHand.MonitorOf(&byHand.Pools[0]); !ok || describe(m) != `"default-monitor" (http GET / expecting 200 every 1m, timeout 5s, 2 retries)` {
		t.Error(describe(m))
	}
}

// TestLookupsSurviveCopies: a Config that was copied and changed finds its own objects.
func TestLookupsSurviveCopies(t *testing.T) {
	c := *mustLoad(t, `[{"id":"1","name":"a","origins":[{"address":"a.b"}]},{"id":"2","name":"b","origins":[{"address":"a.b","port":1}]}]`)
	c.Pools = []Pool{c.Pools[1]}
	if c.PoolByID("1") != nil || c.PoolByID("2") != &c.Pools[0] || c.PoolByID("") != nil {
		t.Error("a stale index was believed")
	}
}

// TestIdentity: pool, lower-case address, port and virtual network; not name, weight or place in the list.
func TestIdentity(t *testing.T) {
	for want, p := range map[string]Pool{
		"p/a.example.com":    {ID: "p", Origins: []Origin{{Name: "x", Address: "A.example.COM", Weight: 3}}},
		"p/a.example.com:80": {ID: "p", Origins: []Origin{{Address: "a.example.com", Port: 80}}},
		"p/[::1]:80":         {ID: "p", Origins: []Origin{{Address: "::1", Port: 80}}},
		"p/::1":              {ID: "p", Origins: []Origin{{Address: "::1"}}},
		"p/10.0.0.1@net":     {ID: "p", Origins: []Origin{{Address: "10.0.0.1", VirtualNetworkID: "net"}}},
	} {
		if got := p.Identity(0).String(); got != want {
			t.Errorf("identity %s, want %s", got, want)
		}
	}
	named, renamed := Pool{ID: "p", Origins: []Origin{{Name: "x", Address: "a"}}}, Pool{ID: "p", Origins: []Origin{{}, {Name: "y", Address: "A", Weight: 1, Host: "h"}}}
	if named.Identity(0) != renamed.Identity(1) {
		t.Error("renaming an origin changed its identity")
	}
}
