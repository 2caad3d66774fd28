package health

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirlb/weir/config"
)

// Each case of testdata/group.txt is a line: members, the verdict, a sentence.
func TestConsensusCases(t *testing.T) {
	data, err := os.ReadFile("testdata/group.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "//") {
			continue
		}
		setting, sentence, ok := strings.Cut(line, " -- ")
		members, want, ok2 := strings.Cut(setting, " => ")
		if !ok || !ok2 || len(want) != 1 {
			t.Fatalf("cannot read %q: want members => verdict -- sentence", line)
		}
		cases++
		if got := word([]Status{consensus(ballotsOf(members))}); got != want {
			t.Errorf("%s: got %s: %s", setting, got, sentence)
		}
	}
	if cases < 30 {
		t.Fatalf("read %d cases only", cases)
	}
}

func ballotsOf(members string) []ballot {
	var list []ballot
	for _, m := range strings.Fields(members) {
		list = append(list, ballot{role(strings.IndexByte("vmo", m[0])), statuses(m[1:])[0]})
	}
	return list
}

// The clever answer against the dumb one: the published sentence, for every way in which the open ones could turn out.
func TestConsensusAgainstEveryEnding(t *testing.T) {
	dice := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		in := make([]ballot, 1+dice.IntN(7))
		voters := 0
		for i := range in {
			in[i] = ballot{role(dice.IntN(3)), Status(dice.IntN(3))}
			if in[i].role != watcher {
				voters++
			}
		}
		canUp, canDown := groupEndings(in)
		want := Unknown
		switch {
		case voters == 0:
		case !canDown:
			want = Up
		case !canUp:
			want = Down
		}
		if got := consensus(in); got != want {
			t.Fatalf("%+v: got %d, want %d", in, got, want)
		}
	}
}

func groupEndings(in []ballot) (canUp, canDown bool) {
	for i, b := range in {
		if b.status != Unknown {
			continue
		}
		for _, turn := range []Status{Up, Down} {
			next := slices.Clone(in)
			next[i].status = turn
			u, d := groupEndings(next)
			canUp, canDown = canUp || u, canDown || d
		}
		return canUp, canDown
	}
	voters, unhealthy, override := 0.0, 0.0, false
	for _, b := range in {
		if b.role == watcher {
			continue
		}
		voters++
		if b.status == Down {
			unhealthy++
			override = override || b.role == critical
		}
	}
	down := override || voters > 0 && unhealthy/voters > 0.5
	return !down, down
}

func TestRoles(t *testing.T) {
	for _, tt := range []struct {
		enabled, only, must bool
		want                role
		takesPart           bool
	}{
		{true, false, false, voter, true},
		{true, false, true, critical, true},
		{true, true, false, watcher, true},
		{true, true, true, watcher, true}, // monitoring_only wins
		{false, false, false, 0, false},
		{false, true, true, 0, false},
	} {
		m := config.GroupMember{Enabled: tt.enabled, MonitoringOnly: tt.only, MustBeHealthy: tt.must}
		if got, ok := roleOf(&m); got != tt.want || ok != tt.takesPart {
			t.Errorf("M4: %+v: role %d, takes part %t", tt, got, ok)
		}
	}
}

// A veto is blamed on who has one, a lost vote on what most of the losers say.
func TestBlame(t *testing.T) {
	said := map[string]Verdict{
		"a": {Status: Down, Reason: CodeMismatch, Detail: "x"},
		"b": {Status: Down, Reason: CodeMismatch, Detail: "y"},
		"c": {Status: Down, Reason: TCPTimeout, Detail: "z"},
		"d": {Status: Up, Reason: NoFailures},
	}
	for _, tt := range []struct {
		last   role // c's
		reason string
		detail string
	}{
		{critical, TCPTimeout, "monitor c: z"},
		{voter, CodeMismatch, "monitor a: x"},
	} {
		o := &origin{voters: []*member{{monitor: "a"}, {monitor: "b"}, {monitor: "c", role: tt.last}, {monitor: "d"}}}
		v := o.agree(Verdict{}, func(m *member) Verdict { return said[m.monitor] }, epoch)
		if v.Status != Down || v.Reason != tt.reason || v.Detail != tt.detail || !v.Since.Equal(epoch) {
			t.Errorf("M4: c is %d: %+v", tt.last, v)
		}
	}
	if said["a"].Detail != "x" {
		t.Error("a member's own verdict was written to")
	}
}

// groupOfFive is the published example: M1 must be healthy, M5 only watches, M6 is disabled.
func groupOfFive() config.MonitorGroup {
	return config.MonitorGroup{ID: "g", Members: []config.GroupMember{
		{MonitorID: "m1", Enabled: true, MustBeHealthy: true},
		{MonitorID: "m2", Enabled: true},
		{MonitorID: "m3", Enabled: true},
		{MonitorID: "m4", Enabled: true},
		{MonitorID: "m5", Enabled: true, MonitoringOnly: true, MustBeHealthy: true},
		{MonitorID: "m6"},
	}}
}

// groupConfig is pools under a group and its monitors m1 to m6; the path of each is its id.
func groupConfig(g config.MonitorGroup, pools ...config.Pool) *config.Config {
	cfg := &config.Config{
		MonitorGroups: []config.MonitorGroup{g},
		Weir:          config.Weir{Location: config.Place{PoP: "FRA", Region: "WEU"}},
	}
	for _, id := range []string{"m1", "m2", "m3", "m4", "m5", "m6"} {
		m := httpMonitor()
		m.ID, m.Path = id, "/"+id
		cfg.Monitors = append(cfg.Monitors, m)
	}
	for _, p := range pools {
		p.Monitor, p.MonitorGroup = "", g.ID
		cfg.Pools = append(cfg.Pools, p)
	}
	return cfg
}

// inGroupLab answers each probe by what the test says of its monitor: in verdicts, "U" unless set.
func inGroupLab(t *testing.T, f func(l *lab, verdicts map[string]string)) {
	t.Helper()
	verdicts := map[string]string{}
	var l *lab
	inLab(t, Options{Probe: func(ctx context.Context, target Target) Result {
		l.mu.Lock()
		defer l.mu.Unlock()
		id := strings.TrimPrefix(target.Monitor.Path, "/")
		l.probes = append(l.probes, id)
		if target.Source.IsValid() && verdicts[id+" from "+target.Source.String()] != "" {
			id += " from " + target.Source.String()
		}
		if verdicts[id] == "D" {
			return fail(ctx)
		}
		return pass(ctx)
	}}, func(made *lab) {
		l = made
		f(l, verdicts)
	})
}

// Behaviour M4 through the engine, an afternoon of it.
func TestMonitorGroup(t *testing.T) {
	inGroupLab(t, func(l *lab, verdicts map[string]string) {
		l.Apply(groupConfig(groupOfFive(), poolOf("p", 1)))
		ready, waiting := l.Ready()
		if ready || len(waiting) != 5 || waiting[1] != "p/a from FRA by monitor m2" {
			t.Errorf("H22: ready %t, waiting for %v", ready, waiting)
		}
		l.after(time.Second)
		l.want("all pass", l.global("p"), "U")
		if len(l.probes) != 5 || slices.Contains(l.probes, "m6") {
			t.Errorf("M4: a disabled member probes: %v", l.probes)
		}
		step := func(why, want string, down ...string) {
			t.Helper()
			clear(verdicts)
			for _, id := range down {
				verdicts[id] = "D"
			}
			l.after(time.Minute)
			l.want("M4: "+why, l.global("p"), want)
			l.want("M4: "+why+", in its place", l.from("p", "FRA"), want)
		}
		step("two of four", "U", "m2", "m3")
		step("three of four", "D", "m2", "m3", "m4")
		if v := l.Table().Pool("p").Origins[0].Global; v.Reason != CodeMismatch || v.Detail != "monitor m2: got 503, expected 200" || v.ResponseCode == 0 {
			t.Errorf("H16: %+v", v)
		}
		step("two of four again", "U", "m2", "m3")
		step("only the critical one", "D", "m1")
		if v := l.Table().Pool("p").Origins[0].Global; !strings.HasPrefix(v.Detail, "monitor m1: ") {
			t.Errorf("H16: blamed on %q", v.Detail)
		}
		step("only the one that watches", "U", "m5")
		if h := l.Table().Pool("p"); !h.Monitored {
			t.Error("M4: not monitored")
		}
	})
}

// Members join per place too: each member by its regions first, then the members of each region, and everywhere.
func TestMonitorGroupInRegions(t *testing.T) {
	inGroupLab(t, func(l *lab, verdicts map[string]string) {
		p := poolOf("p", 1)
		p.CheckRegions = []string{"WNAM", "ENAM", "WEU"}
		g := config.MonitorGroup{ID: "g", Members: []config.GroupMember{
			{MonitorID: "m1", Enabled: true, MustBeHealthy: true}, {MonitorID: "m2", Enabled: true},
		}}
		cfg := groupConfig(g, p)
		cfg.Weir.Regions = map[string]config.Region{
			"WNAM": {Source: "127.0.0.11"}, "ENAM": {Source: "127.0.0.12"}, "WEU": {Source: "127.0.0.13"},
		}
		verdicts["m1 from 127.0.0.11"] = "D"
		verdicts["m2 from 127.0.0.11"] = "D"
		verdicts["m2 from 127.0.0.12"] = "D"
		l.Apply(cfg)
		l.after(time.Second)
		l.want("M4: WNAM: both fail", l.from("p", "WNAM"), "D")
		l.want("M4: ENAM: one of two, not the critical one", l.from("p", "ENAM"), "U")
		l.want("M4: WEU", l.from("p", "WEU"), "U")
		l.want("M4: m1 is up in two regions of three, m2 in one: a tie of members", l.global("p"), "U")
		verdicts["m1 from 127.0.0.13"] = "D"
		l.after(time.Minute)
		l.want("M4: m1 is down in two regions of three", l.global("p"), "D")
		l.want("M4: ENAM is none of them", l.from("p", "ENAM"), "U")
	})
}

// A member's last result stays valid until its next run.
func TestMembersLastResultStays(t *testing.T) {
	inGroupLab(t, func(l *lab, verdicts map[string]string) {
		g := config.MonitorGroup{ID: "g", Members: []config.GroupMember{
			{MonitorID: "m1", Enabled: true, MustBeHealthy: true}, {MonitorID: "m2", Enabled: true},
		}}
		cfg := groupConfig(g, poolOf("p", 1))
		cfg.Monitors[0].Interval = time.Hour
		verdicts["m1"] = "D"
		l.Apply(cfg)
		l.after(time.Second)
		delete(verdicts, "m1")
		l.after(58 * time.Minute)
		l.want("M4: m1 has not run again", l.global("p"), "D")
		l.after(2 * time.Minute)
		l.want("M4: now it has", l.global("p"), "U")
		if n := len(slices.DeleteFunc(l.probes, func(id string) bool { return id != "m1" })); n != 2 {
			t.Errorf("M4: m1 probed %d times in an hour", n)
		}
	})
}

// A group decides over a monitor; one that was not read, or has nobody to ask, does not.
func TestGroupAndMonitor(t *testing.T) {
	probers := func(change func(*config.Config)) (who string, monitored bool) {
		inGroupLab(t, func(l *lab, _ map[string]string) {
			cfg := groupConfig(groupOfFive(), poolOf("p", 1))
			change(cfg)
			l.Apply(cfg)
			l.after(time.Second)
			slices.Sort(l.probes)
			who, monitored = strings.Join(l.probes, " "), l.Table().Pool("p").Monitored
			if want := map[bool]string{true: "U", false: "?"}[monitored]; l.global("p") != want {
				t.Errorf("M4: %s is %s", who, l.global("p"))
			}
		})
		return who, monitored
	}
	for _, tt := range []struct {
		name      string
		change    func(*config.Config)
		want      string
		monitored bool
	}{
		{"the group decides", func(c *config.Config) { c.Pools[0].Monitor = "m6" }, "m1 m2 m3 m4 m5", true},
		{"an unknown group", func(c *config.Config) { c.Pools[0].Monitor, c.Pools[0].MonitorGroup = "m6", "elsewhere" }, "m6", true},
		{"a member that was not read", func(c *config.Config) { c.MonitorGroups[0].Members[0].MonitorID = "elsewhere" }, "m2 m3 m4 m5", true},
		{"a repetition", func(c *config.Config) { c.MonitorGroups[0].Members[1].MonitorID = "m1" }, "m1 m3 m4 m5", true},
		{"nobody votes", func(c *config.Config) {
			c.MonitorGroups[0].Members = c.MonitorGroups[0].Members[4:]
		}, "m5", false},
		{"nobody probes", func(c *config.Config) {
			c.MonitorGroups[0].Members = c.MonitorGroups[0].Members[5:]
		}, "", false},
		{"nobody votes, whatever the monitor", func(c *config.Config) {
			c.Pools[0].Monitor = "m6"
			c.MonitorGroups[0].Members = c.MonitorGroups[0].Members[4:]
		}, "m5", false},
	} {
		if who, monitored := probers(tt.change); who != tt.want || monitored != tt.monitored {
			t.Errorf("M4: %s: probed by %q, monitored %t; want %q, %t", tt.name, who, monitored, tt.want, tt.monitored)
		}
	}
}

// News of a monitor that only watches are events of their own and change nothing.
func TestWatcherNotifies(t *testing.T) {
	inGroupLab(t, func(l *lab, verdicts map[string]string) {
		l.Apply(groupConfig(groupOfFive(), poolOf("p", 1)))
		l.after(time.Second)
		l.events, l.changes = nil, nil
		verdicts["m5"] = "D"
		l.after(2 * time.Minute)
		if len(l.events) != 1 || len(l.changes) != 0 {
			t.Fatalf("M4: %d events, changes %v", len(l.events), l.changes)
		}
		e := l.events[0]
		if !e.MonitoringOnly || e.Monitor != "m5" || e.Pool.Changed || !e.Pool.Healthy || e.Region != "FRA" || e.Reason != CodeMismatch {
			t.Errorf("M4: %+v", e)
		}
		if o := e.Origins[0]; o.Healthy || o.Changed || o.FailureReason != CodeMismatch || o.Name != "a" {
			t.Errorf("M4: %+v", o)
		}
		l.want("M4: unchanged", l.global("p"), "U")
		text, err := json.Marshal(e)
		if err != nil || !strings.Contains(string(text), `"monitoring_only":true`) {
			t.Errorf("%s, %v", text, err)
		}

		verdicts["m1"] = "D"
		l.after(time.Minute)
		if e := l.events[len(l.events)-1]; e.MonitoringOnly || e.Monitor != "m1" || !e.Origins[0].Changed {
			t.Errorf("H17: %+v", e)
		}
	})
}

// A group that gains, loses and silences members: what is known stands, and what changes at once is told.
func TestGroupReload(t *testing.T) {
	inGroupLab(t, func(l *lab, verdicts map[string]string) {
		g := groupOfFive()
		alone := configOf(httpMonitor(), poolOf("p", 1))
		alone.Monitors[0].Path = "/m1"
		l.Apply(alone)
		l.after(time.Second)
		l.want("one monitor", l.global("p"), "U")

		only := config.MonitorGroup{ID: "g", Members: g.Members[:1]}
		l.Apply(groupConfig(only, poolOf("p", 1)))
		l.want("H18: the same monitor, now in a group, knows what it knew", l.global("p"), "U")

		verdicts["m2"], verdicts["m3"], verdicts["m4"] = "D", "D", "D"
		l.Apply(groupConfig(g, poolOf("p", 1)))
		l.want("new members have no results: held", l.global("p"), "U")
		l.after(time.Second)
		l.want("three of four", l.global("p"), "D")

		l.events = nil
		g.Members[3].MonitoringOnly = true // m4: two of three are left
		l.Apply(groupConfig(g, poolOf("p", 1)))
		l.want("two of three", l.global("p"), "D")
		g.Members[2].Enabled = false // m3: one of two
		l.Apply(groupConfig(g, poolOf("p", 1)))
		l.want("one of two, without a probe", l.global("p"), "U")
		if len(l.events) != 1 || l.events[0].Detail != "the configuration changed" || !l.events[0].Origins[0].Healthy {
			t.Errorf("H17: %+v", l.events)
		}
		l.probes = nil
		l.after(time.Hour)
		if slices.Contains(l.probes, "m3") || !slices.Contains(l.probes, "m4") {
			t.Error("M4: m3 is disabled, and m4 only silenced")
		}

		g.Members = g.Members[4:]
		l.Apply(groupConfig(g, poolOf("p", 1)))
		if h := l.Table().Pool("p"); h.Monitored || len(h.Origins[0].Places) != 0 || l.global("p") != "?" {
			t.Errorf("M4: nobody votes any more: %+v", h)
		}
	})
}

// Another group, of monitors that have not spoken yet, knows nothing: not even what the last one knew.
func TestAnotherGroup(t *testing.T) {
	inGroupLab(t, func(l *lab, _ map[string]string) {
		l.Apply(groupConfig(config.MonitorGroup{ID: "g", Members: []config.GroupMember{
			{MonitorID: "m1", Enabled: true}, {MonitorID: "m2", Enabled: true},
		}}, poolOf("p", 1)))
		l.after(time.Second)
		l.want("before", l.global("p"), "U")
		l.Apply(groupConfig(config.MonitorGroup{ID: "h", Members: []config.GroupMember{
			{MonitorID: "m3", Enabled: true}, {MonitorID: "m4", Enabled: true},
		}}, poolOf("p", 1)))
		l.want("H18: at once", l.global("p"), "?")
		l.after(time.Second)
		l.want("H13: after a second", l.global("p"), "U")
	})
}
