package resolve_test

import (
	"context"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weirlb/weir/balancer"
	"github.com/weirlb/weir/balancer/resolve"
	"github.com/weirlb/weir/config"
)

// A writer and a resolver together: a configuration acts with its names resolved, and follows them afterwards
// (behaviour P12).
func TestAWriterFollowsNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		lookup := func(context.Context, string) ([]netip.Addr, time.Duration, error) {
			if time.Since(start) < 3*time.Second {
				return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, time.Second, nil
			}
			return []netip.Addr{netip.MustParseAddr("192.0.2.2")}, time.Second, nil
		}
		var w *balancer.Writer
		r := resolve.New(resolve.Options{Lookup: lookup, OnChange: func(name string) { w.Resolved(name) }})
		w = balancer.NewWriter(balancer.WriterOptions{Registry: balancer.NewRegistry(1), Names: r})
		defer w.Close()
		defer r.Close()
		addrs := func() []netip.Addr { return w.Current().Pool("A").Origins[0].Addrs }

		w.SetConfig(&config.Config{Pools: []config.Pool{{
			ID: "A", Enabled: true, Origins: []config.Origin{{Address: "Origin.test", Enabled: true, Weight: 100}},
		}}})
		if got := addrs(); !slices.Equal(got, []netip.Addr{netip.MustParseAddr("192.0.2.1")}) {
			t.Errorf("at first %v", got)
		}
		time.Sleep(3*time.Second + balancer.Coalescing)
		synctest.Wait()
		if got := addrs(); !slices.Equal(got, []netip.Addr{netip.MustParseAddr("192.0.2.2")}) {
			t.Errorf("after the change %v", got)
		}
		w.SetConfig(&config.Config{})
		if _, kept := r.Status("origin.test"); kept {
			t.Error("a name nobody uses is still kept")
		}
	})
}
