package health

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func pingTarget(address string, timeout time.Duration) Target {
	m := httpMonitor()
	m.Type, m.Timeout, m.Retries = "icmp_ping", timeout, 0
	return Target{Monitor: m, Pool: "p", Address: address}
}

// needsPing skips where this system lets nobody ping. What the prober makes of that is tested apart.
func needsPing(t *testing.T, r Result) {
	t.Helper()
	if r.Reason == MonitorConfigError && strings.Contains(r.Detail, "lets weir send no ICMP echo") {
		t.Skip(r.Detail)
	}
}

// Behaviour M1, on the system's own sockets: the kernel answers on loopback.
func TestPing(t *testing.T) {
	for family, address := range loopbacks {
		t.Run(family, func(t *testing.T) {
			startOrigin(t, address, nil, silence) // skips where there is no such family
			r := probe(t, &network{}, pingTarget(address, 5*time.Second))
			needsPing(t, r)
			if !r.Passed() || r.IP.String() != address || r.RTT <= 0 || r.RTT > 5*time.Second {
				t.Errorf("M1: %+v", r)
			}
		})
	}
}

func TestPingByName(t *testing.T) {
	n := &network{resolver: startDNS(t, map[string]string{"a.example.": "127.0.0.9"}, dnsmessage.RCodeNameError)}
	r := probe(t, n, pingTarget("a.example", 5*time.Second))
	needsPing(t, r)
	if !r.Passed() || r.IP.String() != "127.0.0.9" {
		t.Errorf("M1: %+v", r)
	}
	if r := probe(t, n, pingTarget("b.example", 5*time.Second)); r.Reason != DNSUnknownHost {
		t.Errorf("H16: %+v", r)
	}
	target := pingTarget("a.example", 5*time.Second)
	target.Source = netip.MustParseAddr("::1")
	if r := probe(t, n, target); r.Reason != MonitorConfigError || r.Detail == "" {
		t.Errorf("H16: a name without an address of the source's family: %+v", r)
	}
}

func TestPingFromSource(t *testing.T) {
	target := pingTarget("127.0.0.1", 5*time.Second)
	target.Source = netip.MustParseAddr("127.0.0.2")
	r := probe(t, &network{}, target)
	needsPing(t, r)
	if !r.Passed() {
		t.Errorf("M1: %+v", r)
	}
	for _, elsewhere := range []string{"192.0.2.77", "::1"} {
		target.Source = netip.MustParseAddr(elsewhere)
		if r := probe(t, &network{}, target); r.Reason != MonitorConfigError || !strings.Contains(r.Detail, "source") {
			t.Errorf("H16: source %s: %s: %s", elsewhere, r.Reason, r.Detail)
		}
	}
}

// echoServer stands in for the far end of an ICMP socket: it reads requests from the network it returns and answers
// with whatever reply makes of them. It needs no privilege.
func echoServer(t *testing.T, reply func(request []byte) [][]byte) *network {
	t.Helper()
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		b := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(b)
			if err != nil {
				return
			}
			for _, answer := range reply(b[:n]) {
				_, _ = pc.WriteTo(answer, from)
			}
		}
	})
	t.Cleanup(func() { _ = pc.Close(); wg.Wait() })
	return &network{echo: func(ctx context.Context, raw bool, _, _ netip.Addr) (net.Conn, error) {
		if raw {
			t.Error("a raw socket is asked for though there is another")
		}
		conn, err := net.Dial("udp4", pc.LocalAddr().String())
		if err != nil {
			return nil, err
		}
		return tie(ctx, conn), nil
	}}
}

// as is a request turned into a message of another type, with another identifier.
func as(kind byte, request []byte) []byte {
	b := append([]byte(nil), request...)
	b[0], b[4], b[5] = kind, b[4]+1, b[5]+1
	return b
}

// RFC 792: an echo request is type 8, its checksum is right, and only its own reply answers it.
func TestEchoMessages(t *testing.T) {
	requests := make(chan []byte, 2)
	n := echoServer(t, func(request []byte) [][]byte {
		requests <- append([]byte(nil), request...)
		other := as(0, request)
		other[len(other)-1]++
		return [][]byte{{}, {0}, request, as(3, request), other, as(0, request)}
	})
	for range 2 {
		if r := probe(t, n, pingTarget("192.0.2.1", 5*time.Second)); !r.Passed() {
			t.Fatalf("M1: %+v", r)
		}
	}
	first, second := <-requests, <-requests
	if first[0] != 8 || first[1] != 0 || checksum(first) != 0 || len(first)%2 != 0 {
		t.Errorf("RFC 792: %x with checksum %x", first, checksum(first))
	}
	if string(first[echoHead:]) == string(second[echoHead:]) {
		t.Error("two requests cannot be told apart")
	}
	if e := newEcho(netip.MustParseAddr("2001:db8::1")); e.request()[0] != 128 || e.reply != 129 {
		t.Errorf("RFC 4443: %x", e.request())
	}
}

// A raw IPv4 socket shows the header too, with options or without.
func TestEchoBehindAHeader(t *testing.T) {
	e := newEcho(netip.MustParseAddr("192.0.2.1"))
	another := newEcho(netip.MustParseAddr("192.0.2.1"))
	reply := as(0, e.request())
	header := func(words byte) []byte { return append([]byte{0x40 | words}, make([]byte, int(words)*4-1)...) }
	for _, tt := range []struct {
		name   string
		packet []byte
		framed bool
		want   bool
	}{
		{"plain", reply, false, true},
		{"framed", append(header(5), reply...), true, true},
		{"framed, with options", append(header(15), reply...), true, true},
		{"the request itself", append(header(5), e.request()...), true, false},
		{"a header only", header(5), true, false},
		{"half a header", header(5)[:10], true, false},
		{"nothing", nil, true, false},
		{"another's reply", as(0, another.request()), false, false},
		{"a reply cut short", reply[:len(reply)-1], false, false},
		{"a reply with more to it", append(as(0, e.request()), 0), false, false},
		{"another code", append([]byte{0, 1}, reply[2:]...), false, false},
	} {
		if got := e.answeredBy(tt.packet, tt.framed); got != tt.want {
			t.Errorf("%s: got %t", tt.name, got)
		}
	}
}

// RFC 1071 §3 has this example: the sum is ddf2.
func TestChecksum(t *testing.T) {
	if got := checksum([]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}); got != ^uint16(0xddf2) {
		t.Errorf("got %x", got)
	}
	b := make([]byte, 64)
	for i := range b {
		b[i] = 0xff
	}
	binary.BigEndian.PutUint16(b, 0)
	binary.BigEndian.PutUint16(b, checksum(b))
	if got := checksum(b); got != 0 {
		t.Errorf("a message with its own checksum sums to %x", got)
	}
}

func TestPingTimesOut(t *testing.T) {
	n := echoServer(t, func([]byte) [][]byte { return nil })
	r := probe(t, n, pingTarget("192.0.2.1", 50*time.Millisecond))
	if r.Reason != OtherFailure || !r.Timeout || r.NoVerdict || !strings.Contains(r.Detail, "echo reply") {
		t.Errorf("M1: silence: %+v", r)
	}
}

// What the system says when it opens or uses a socket.
func TestPingErrors(t *testing.T) {
	sys := func(call string, errno syscall.Errno) error { return os.NewSyscallError(call, errno) }
	for _, tt := range []struct {
		name          string
		datagram, raw error
		want          string
		raws          int // how often a raw socket is asked for
		local         bool
	}{
		{"neither is allowed", sys("socket", syscall.EACCES), sys("socket", syscall.EPERM), MonitorConfigError, 1, false},
		{"one is unknown, the other not allowed", sys("socket", syscall.EPROTONOSUPPORT), sys("socket", syscall.EPERM), MonitorConfigError, 1, false},
		{"raw, but no route", sys("socket", syscall.EACCES), sys("connect", syscall.ENETUNREACH), NetworkUnreachable, 1, false},
		{"no route", sys("connect", syscall.ENETUNREACH), nil, NetworkUnreachable, 0, false},
		{"no host", sys("connect", syscall.EHOSTUNREACH), nil, NoRoute, 0, false},
		{"no descriptors", sys("socket", syscall.EMFILE), nil, OtherFailure, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raws := 0
			n := &network{echo: func(_ context.Context, raw bool, _, _ netip.Addr) (net.Conn, error) {
				if raw {
					raws++
					return nil, tt.raw
				}
				return nil, tt.datagram
			}}
			r := probe(t, n, pingTarget("192.0.2.1", time.Second))
			if r.Reason != tt.want || r.Detail == "" || r.Timeout || r.NoVerdict != tt.local || raws != tt.raws {
				t.Errorf("H16: %+v after %d raw sockets", r, raws)
			}
			if tt.want == MonitorConfigError && !(strings.Contains(r.Detail, "ping_group_range") && strings.Contains(r.Detail, "CAP_NET_RAW")) {
				t.Errorf("M1: the detail does not say what would be right: %s", r.Detail)
			}
		})
	}
}

// The ping's own time is told, with what the stage adds before it and without what comes after it.
func TestStageAddsToTheProbersRTT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := stage{delay: 80 * time.Millisecond}
		for own, want := range map[time.Duration]time.Duration{20 * time.Millisecond: 100 * time.Millisecond, 0: 0} {
			r := s.run(t.Context(), func(context.Context, Target) Result { return Result{Reason: NoFailures, RTT: own} }, Target{}, 0)
			if r.RTT != want {
				t.Errorf("M6: own %v: got %v, want %v", own, r.RTT, want)
			}
		}
	})
}
