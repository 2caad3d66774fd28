package balancer

import (
	"iter"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// lines are the X-Forwarded-For lines of a request, as a header yields them.
func lines(all ...string) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, line := range all {
			if !yield([]byte(line)) {
				return
			}
		}
	}
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// Behaviour C1 to C4.
func TestResolveClient(t *testing.T) {
	for _, c := range []struct {
		why, peer, cf string
		forwarded     []string
		want          string
	}{
		{"C1: nobody else is believed", "203.0.113.9", "192.0.2.1", []string{"192.0.2.2"}, "203.0.113.9"},
		{"C2", "127.0.0.1", "192.0.2.1", []string{"192.0.2.2"}, "192.0.2.1"},
		{"C3", "127.0.0.1", "", []string{"192.0.2.66, 192.0.2.2, 127.0.0.1"}, "192.0.2.2"},
		{"C4", "127.0.0.1", "", nil, "127.0.0.1"},
		{"C1: a mapped peer is IPv4", "::ffff:127.0.0.1", "192.0.2.1", nil, "192.0.2.1"},
		{"C4: a mapped peer is unmapped", "::ffff:203.0.113.9", "", nil, "203.0.113.9"},
		{"C4: a zone is dropped", "fe80::1%eth0", "", nil, "fe80::1"},
		{"C2: garbage is passed over", "127.0.0.1", "unknown", []string{"192.0.2.2"}, "192.0.2.2"},
		{"C2: spaces around", "127.0.0.1", " 192.0.2.1\t", nil, "192.0.2.1"},
		{"C2: two are none", "127.0.0.1", "192.0.2.1, 192.0.2.2", nil, "127.0.0.1"},
		{"C3: all lines are one list", "127.0.0.1", "", []string{"192.0.2.66", "192.0.2.2", "127.0.0.2"}, "192.0.2.2"},
		{"C3: the last line decides", "127.0.0.1", "", []string{"192.0.2.66, 192.0.2.2", "192.0.2.3"}, "192.0.2.3"},
		{"C3: garbage ends the walk", "127.0.0.1", "", []string{"192.0.2.66, unknown, 127.0.0.1"}, "127.0.0.1"},
		{"C3: garbage further left does not matter", "127.0.0.1", "", []string{"unknown, 192.0.2.2"}, "192.0.2.2"},
		{"C3: a cut-off line ends the walk", "127.0.0.1", "", []string{"192.0.2.66", "_hidden"}, "127.0.0.1"},
		{"C3: holes are nothing", "127.0.0.1", "", []string{"192.0.2.2,, ,", ""}, "192.0.2.2"},
		{"C3: none but trusted ones", "127.0.0.1", "", []string{"127.0.0.3, 127.0.0.2"}, "127.0.0.1"},
		{"C3: port beside IPv4", "127.0.0.1", "", []string{"192.0.2.2:4711"}, "192.0.2.2"},
		{"C3: port beside IPv6", "::1", "", []string{"[2001:db8::2]:4711"}, "2001:db8::2"},
		{"C3: brackets", "::1", "", []string{"[2001:db8::2]"}, "2001:db8::2"},
		{"C3: bare IPv6", "::1", "", []string{"2001:db8::2"}, "2001:db8::2"},
		{"C3: mapped", "::1", "", []string{"::ffff:192.0.2.2"}, "192.0.2.2"},
		{"C3: zone", "::1", "", []string{"fe80::2%en0"}, "fe80::2"},
		{"C3: no port after the colon", "::1", "", []string{"192.0.2.2:"}, "::1"},
		{"C3: no number after the colon", "::1", "", []string{"192.0.2.2:http"}, "::1"},
		{"C3: open bracket", "::1", "", []string{"[2001:db8::2"}, "::1"},
		{"C3: after the bracket", "::1", "", []string{"[2001:db8::2]x"}, "::1"},
	} {
		t.Run(c.why, func(t *testing.T) {
			got := ResolveClient(netip.MustParseAddr(c.peer), loopback, []byte(c.cf), lines(c.forwarded...))
			if got != netip.MustParseAddr(c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// The one pass from left to right against a walk from right to left, word by word.
func TestResolveClientAgainstAWalk(t *testing.T) {
	walk := func(peer netip.Addr, elements []string) netip.Addr {
		for _, e := range slices.Backward(elements) {
			a, err := netip.ParseAddr(e)
			if err != nil {
				return peer
			}
			if !contains(loopback, a) {
				return a
			}
		}
		return peer
	}
	rapid.Check(t, func(t *rapid.T) {
		peer := netip.MustParseAddr("127.0.0.1")
		elements := rapid.SliceOfN(rapid.SampledFrom([]string{"127.0.0.2", "::1", "192.0.2.1", "192.0.2.2", "2001:db8::1", "x"}), 1, 8).Draw(t, "elements")
		cut := rapid.IntRange(0, len(elements)).Draw(t, "cut")
		var all []string
		for _, part := range [][]string{elements[:cut], elements[cut:]} {
			all = append(all, strings.Join(part, ", "))
		}
		if got, want := ResolveClient(peer, loopback, nil, lines(all...)), walk(peer, elements); got != want {
			t.Fatalf("%q: got %s, want %s", all, got, want)
		}
	})
}

func TestResolveClientDoesNotAllocate(t *testing.T) {
	peer := netip.MustParseAddr("127.0.0.1")
	cf := []byte("192.0.2.1")
	forwarded := slices.Values([][]byte{[]byte("192.0.2.66, [2001:db8::2]:4711"), []byte("127.0.0.1")})
	if n := testing.AllocsPerRun(100, func() {
		ResolveClient(peer, loopback, cf, nil)
		ResolveClient(peer, loopback, nil, nil)
		ResolveClient(peer, loopback, nil, forwarded)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
