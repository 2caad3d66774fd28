package health

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// udpTarget is a udp_icmp probe of a port, with so much time and so many datagrams.
func udpTarget(at netip.AddrPort, timeout time.Duration, datagrams int) Target {
	m := httpMonitor()
	m.Type, m.Timeout, m.Retries = "udp_icmp", timeout, datagrams-1
	return targetAt(at, m)
}

// startUDP listens on a free port, counts datagrams and answers each with text, if there is one.
func startUDP(t *testing.T, host, text string) (netip.AddrPort, *atomic.Int64) {
	t.Helper()
	pc, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Skipf("no %s here: %v", host, err)
	}
	var count atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		b := make([]byte, 100)
		for {
			_, from, err := pc.ReadFrom(b)
			if err != nil {
				return
			}
			count.Add(1)
			if text != "" {
				_, _ = pc.WriteTo([]byte(text), from)
			}
		}
	})
	t.Cleanup(func() { _ = pc.Close(); wg.Wait() })
	return pc.LocalAddr().(*net.UDPAddr).AddrPort(), &count
}

// pinged is a network whose pings succeed without privilege, so that the second half is always tested.
func pinged(t *testing.T) *network {
	return echoServer(t, func(request []byte) [][]byte { return [][]byte{as(0, request)} })
}

// Behaviour M2: silence is up, after the whole timeout; the RTT is the ping's.
func TestUDPSilenceIsUp(t *testing.T) {
	for family, host := range loopbacks {
		t.Run(family, func(t *testing.T) {
			at, datagrams := startUDP(t, host, "")
			n := pinged(t)
			if family == "v6" {
				n = &network{}
			}
			begun := time.Now()
			r := probe(t, n, udpTarget(at, 150*time.Millisecond, 3))
			needsPing(t, r)
			if took := time.Since(begun); !r.Passed() || took < 140*time.Millisecond || r.RTT <= 0 || r.RTT >= took {
				t.Errorf("M2: %+v after %v", r, took)
			}
			if got := datagrams.Load(); got < 1 || got > 3 {
				t.Errorf("M2: %d datagrams, want up to three", got)
			}
		})
	}
}

// Three datagrams in six seconds, two seconds apart, and an answer to any of them ends it.
func TestUDPDatagramsAreSpread(t *testing.T) {
	for _, tt := range []struct {
		answered int // which datagram; 0 for none
		want     string
	}{
		{0, "[0s 2s 4s] 6s"},
		{1, "[0s] 0s"},
		{2, "[0s 2s] 2s"},
	} {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
			defer cancel()
			here, there := net.Pipe() // carries empty messages, as UDP does
			var sent []time.Duration
			var wg sync.WaitGroup
			wg.Go(func() {
				for {
					if _, err := there.Read(make([]byte, 1)); err != nil {
						return
					}
					if sent = append(sent, time.Since(begun)); len(sent) == tt.answered {
						_, _ = there.Write([]byte("!"))
					}
				}
			})
			conn := tie(ctx, here)
			err := listen(ctx, conn, 3)
			took := time.Since(begun)
			_ = conn.Close()
			wg.Wait()
			if got := fmt.Sprint(sent, took); err != nil || got != tt.want {
				t.Errorf("M2: sent and done at %s (%v), want %s", got, err, tt.want)
			}
		})
	}
}

func TestUDPAnswerIsUpAtOnce(t *testing.T) {
	at, _ := startUDP(t, "127.0.0.1", "hello")
	begun := time.Now()
	r := probe(t, pinged(t), udpTarget(at, 20*time.Second, 1))
	if took := time.Since(begun); !r.Passed() || took > 10*time.Second {
		t.Errorf("M2: %+v after %v", r, took)
	}
}

// A closed port: the kernel sends ICMP port unreachable, and nobody waits for the timeout.
func TestUDPClosedPort(t *testing.T) {
	for family, host := range loopbacks {
		t.Run(family, func(t *testing.T) {
			pc, err := net.ListenPacket("udp", net.JoinHostPort(host, "0"))
			if err != nil {
				t.Skipf("no %s here: %v", host, err)
			}
			at := pc.LocalAddr().(*net.UDPAddr).AddrPort()
			_ = pc.Close()
			n := pinged(t)
			if family == "v6" {
				n = &network{}
			}
			begun := time.Now()
			r := probe(t, n, udpTarget(at, 20*time.Second, 3))
			needsPing(t, r)
			if r.Reason != OtherFailure || r.Timeout || r.NoVerdict || !strings.Contains(r.Detail, "port unreachable") || r.IP != at.Addr() {
				t.Errorf("M2: %+v", r)
			}
			if took := time.Since(begun); took > 15*time.Second {
				t.Errorf("M2: it took %v", took)
			}
		})
	}
}

// First the ping: without it nothing is sent to the port.
func TestUDPNeedsAPing(t *testing.T) {
	at, datagrams := startUDP(t, "127.0.0.1", "hello")
	n := echoServer(t, func([]byte) [][]byte { return nil })
	r := probe(t, n, udpTarget(at, 50*time.Millisecond, 1))
	if r.Reason != OtherFailure || !r.Timeout || !strings.Contains(r.Detail, "echo reply") || datagrams.Load() != 0 {
		t.Errorf("M2: %+v after %d datagrams", r, datagrams.Load())
	}
}

func TestUDPFromSource(t *testing.T) {
	at, _ := startUDP(t, "127.0.0.1", "hello")
	target := udpTarget(at, 5*time.Second, 1)
	target.Source = netip.MustParseAddr("127.0.0.2")
	if r := probe(t, pinged(t), target); !r.Passed() {
		t.Errorf("M2: %+v", r)
	}
	target.Source = netip.MustParseAddr("192.0.2.77")
	if r := probe(t, pinged(t), target); r.Reason != MonitorConfigError {
		t.Errorf("H16: %+v", r)
	}
}
