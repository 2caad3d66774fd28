package steering

import (
	"fmt"
	"net/netip"
	"testing"
)

// loads is a Live that stands still.
type loads []int

func (l loads) Load(i int) int { return l[i] }

func everybody(n int) Set {
	s := NewSet(n)
	for i := range n {
		s.Add(i)
	}
	return s
}

func BenchmarkPick(b *testing.B) {
	for _, policy := range []string{Off, Random, Hash, LeastOutstandingRequests} {
		for _, weights := range []string{"equal", "unequal"} {
			for _, n := range []int{2, 8, 64, 1024, 10000} {
				b.Run(fmt.Sprintf("%s/%s/%d", policy, weights, n), func(b *testing.B) {
					targets := make([]Target, n)
					live := make(loads, n)
					for i := range targets {
						targets[i] = Target{Identity: Mix(1, 2, uint64(i)), Weight: MaxWeight}
						if weights == "unequal" {
							targets[i].Weight = 1 + i*37%MaxWeight
						}
						live[i] = int(Mix(3, 4, uint64(i)) % 5)
					}
					p, err := Compile(policy, targets)
					if err != nil {
						b.Fatal(err)
					}
					ok := everybody(n)
					in := Input{Live: live}
					k := uint64(0)
					b.ReportAllocs()
					for b.Loop() {
						k += golden
						in.Key = finish(k)
						in.Draw = in.Key
						p.Pick(in, ok)
					}
				})
			}
		}
	}
}

func BenchmarkKey(b *testing.B) {
	for _, s := range []string{"192.0.2.7", "2001:db8::7"} {
		addr := netip.MustParseAddr(s)
		b.Run(s, func(b *testing.B) {
			for b.Loop() {
				Key(addr, SaltOrigin)
			}
		})
	}
}
