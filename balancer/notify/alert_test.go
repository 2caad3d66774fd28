package notify

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirlb/weir/config"
	"github.com/weirlb/weir/health"
)

var update = flag.Bool("update", false, "write the golden files anew")

var silent = log.New(io.Discard, "", 0)

// The bodies of every kind of alert, to the byte (behaviour W5): the page "Webhook payload schema" has the envelope.
func TestBodies(t *testing.T) {
	eu := pool("eu", nil)
	eu.Name, eu.MinimumOrigins = `e"u<&>`, 2
	disabled := eu
	disabled.Enabled = false
	c := hooked([]config.Pool{eu}, hookURL)
	c.LoadBalancers = []config.LoadBalancer{{ID: "lb-id", Name: "www.example.com", Enabled: true, DefaultPools: []string{eu.ID}}}
	c.Weir.Notifications[0].Name = "Operations"
	c.Monitors = []config.Monitor{{ID: "deep"}}
	after := *c
	after.Pools = []config.Pool{disabled}
	after.Weir.Notifications = []config.Webhook{{URL: hookURL}}
	after.LoadBalancers = nil

	var r receiver
	virtual(t, &r, func(t *testing.T, n *Notifier, _ *ledger) {
		n.opt.AccountID, n.opt.AccountName = "9035f53656c247e895c5a6939ae8a0e0", "Acme Labs"
		named := func(e health.Event) health.Event {
			e.Pool.Name, e.Pool.MinimumOrigins = eu.Name, 2
			return e
		}
		n.Apply(c, Secrets{})
		n.Notify(named(origin("eu", "a", false)))
		n.Notify(named(state("eu", health.PoolDegraded, health.PoolCritical)))
		time.Sleep(90 * time.Second)
		n.Notify(named(origin("eu", "a", true)))
		n.Notify(named(state("eu", health.PoolCritical, health.PoolHealthy)))
		watch := named(origin("eu", "a", false))
		watch.MonitoringOnly, watch.Monitor = true, "deep"
		n.Notify(watch)
		synctest.Wait()
		n.opt.AccountID, n.opt.AccountName = "", "weir"
		n.Apply(&after, Secrets{})
		synctest.Wait()
	})
	var got bytes.Buffer
	for _, a := range r.arrivals() {
		if err := json.Indent(&got, []byte(a.body), "", "  "); err != nil {
			t.Fatal(err)
		}
		got.WriteByte('\n')
		if strings.ContainsAny(a.body, "\n") {
			t.Errorf("a body of several lines: %q", a.body)
		}
	}
	const golden = "testdata/bodies.golden"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the bodies differ from %s:\n%s", golden, got.Bytes())
	}
}

// An incident's beginning and end have the same id, and no two incidents have.
func TestIncidents(t *testing.T) {
	n := news{}
	a, b := subject{pool: "p", origin: "a"}, subject{pool: "p", origin: "b"}
	at := time.Unix(1_800_000_000, 0)
	first, _ := n.learn(a, false, at)
	other, _ := n.learn(b, false, at)
	end, _ := n.learn(a, true, at.Add(time.Hour))
	second, _ := n.learn(a, false, at.Add(2*time.Hour))
	if first != end {
		t.Errorf("%s began and %s ended", first, end)
	}
	if first == other || first == second {
		t.Errorf("%s, %s and %s are not apart", first, other, second)
	}
}

func TestUUID(t *testing.T) {
	if a, b := uuid("ab", "c"), uuid("a", "bc"); a == b {
		t.Errorf("%s for different parts", a)
	}
	got := uuid("policy", "weir")
	if got != uuid("policy", "weir") || len(got) != 36 || got[14] != '8' || !strings.ContainsRune("89ab", rune(got[19])) {
		t.Errorf("%s is no UUID of version 8", got)
	}
}

func TestTexts(t *testing.T) {
	for _, c := range []struct {
		pool health.EventPool
		want string
	}{
		{health.EventPool{State: health.PoolCritical, MinimumOrigins: 1}, "Pool eu is unhealthy: none of its origins is healthy."},
		{health.EventPool{State: health.PoolCritical, MinimumOrigins: 3}, "Pool eu is unhealthy: fewer than 3 of its origins are healthy."},
		{health.EventPool{State: health.PoolDegraded, Healthy: true}, "Pool eu is healthy again, though not all of its origins are."},
		{health.EventPool{State: health.PoolHealthy, Healthy: true}, "Pool eu is healthy again."},
	} {
		c.pool.Name = "eu"
		if got := poolText(&c.pool); got != c.want {
			t.Errorf("%+v: %q, want %q", c.pool, got, c.want)
		}
	}
	e := origin("eu", "a", false)
	e.Region = "" // after a reload, no place has tipped the verdict
	if got, want := originText(&e, &e.Origins[0]), "Origin a of pool eu is unhealthy: TCP Timeout."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Secrets do not come out by printing.
func TestSecretsAreNotPrinted(t *testing.T) {
	s := Secrets{map[string]string{"http://a/": "s3cr3t"}}
	type holder struct{ S Secrets }
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{s, &s, holder{s}} {
			if out := fmt.Sprintf(verb, v); strings.Contains(out, "s3cr3t") || strings.Contains(out, "733363723374") {
				t.Errorf("%s of %T: %s", verb, v, out)
			}
		}
	}
}
