package resolve

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// zone answers one question. It returns false to stay silent.
type zone func(q dnsmessage.Question, b *answer) bool

// answer is what a name server says: an RCode and resources, each with its time to live.
type answer struct {
	rcode     dnsmessage.RCode
	truncated bool // over UDP
	records   []record
}

type record struct {
	ttl  uint32
	addr netip.Addr
	to   string // a CNAME when set
}

// nameServer is a real one on loopback, UDP and TCP on the same port.
type nameServer struct {
	udp     *net.UDPConn
	tcp     net.Listener
	running sync.WaitGroup

	mu    sync.Mutex
	zone  zone
	asked int
	tcps  int
}

func serveNames(t *testing.T, z zone) *nameServer {
	t.Helper()
	var s *nameServer
	for range 20 { // until a UDP port is free for TCP as well
		udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
		if err != nil {
			t.Fatal(err)
		}
		var lc net.ListenConfig
		tcp, err := lc.Listen(t.Context(), "tcp", udp.LocalAddr().String())
		if err == nil {
			s = &nameServer{udp: udp, tcp: tcp, zone: z}
			break
		}
		_ = udp.Close()
	}
	if s == nil {
		t.Fatal("no port is free for both UDP and TCP")
	}
	s.running.Go(s.serveUDP)
	s.running.Go(s.serveTCP)
	t.Cleanup(func() {
		_ = s.udp.Close()
		_ = s.tcp.Close()
		s.running.Wait()
	})
	return s
}

func (s *nameServer) lookup(t *testing.T, name string) ([]netip.Addr, time.Duration, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return Server(s.udp.LocalAddr().String())(ctx, name)
}

func (s *nameServer) serveUDP() {
	b := make([]byte, 4096)
	for {
		n, from, err := s.udp.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		if reply := s.reply(b[:n], false); reply != nil {
			_, _ = s.udp.WriteToUDPAddrPort(reply, from)
		}
	}
}

func (s *nameServer) serveTCP() {
	for {
		conn, err := s.tcp.Accept()
		if err != nil {
			return
		}
		s.running.Go(func() {
			defer conn.Close()
			var size [2]byte
			if _, err := io.ReadFull(conn, size[:]); err != nil {
				return
			}
			query := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(conn, query); err != nil {
				return
			}
			if reply := s.reply(query, true); reply != nil {
				_, _ = conn.Write(binary.BigEndian.AppendUint16(nil, uint16(len(reply))))
				_, _ = conn.Write(reply)
			}
		})
	}
}

// reply is the message that answers a query, nil for none.
func (s *nameServer) reply(query []byte, overTCP bool) []byte {
	var p dnsmessage.Parser
	header, err := p.Start(query)
	if err != nil {
		return nil
	}
	q, err := p.Question()
	if err != nil {
		return nil
	}
	s.mu.Lock()
	s.asked++
	if overTCP {
		s.tcps++
	}
	z := s.zone
	s.mu.Unlock()
	var a answer
	if !z(q, &a) {
		return nil
	}
	reply, err := a.pack(header.ID, q, overTCP)
	if err != nil {
		panic(err)
	}
	return reply
}

func (a *answer) pack(id uint16, q dnsmessage.Question, overTCP bool) ([]byte, error) {
	b := dnsmessage.NewBuilder(nil, dnsmessage.Header{
		ID: id, Response: true, RecursionAvailable: true, RCode: a.rcode, Truncated: a.truncated && !overTCP,
	})
	if err := errors.Join(b.StartQuestions(), b.Question(q), b.StartAnswers()); err != nil {
		return nil, err
	}
	if a.truncated && !overTCP {
		return b.Finish()
	}
	name := q.Name
	for _, r := range a.records {
		h := dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: r.ttl}
		var err error
		switch {
		case r.to != "":
			to := dnsmessage.MustNewName(r.to)
			err = b.CNAMEResource(h, dnsmessage.CNAMEResource{CNAME: to})
			name = to
		case r.addr.Is4() && q.Type == dnsmessage.TypeA:
			err = b.AResource(h, dnsmessage.AResource{A: r.addr.As4()})
		case r.addr.Is6() && q.Type == dnsmessage.TypeAAAA:
			err = b.AAAAResource(h, dnsmessage.AAAAResource{AAAA: r.addr.As16()})
		}
		if err != nil {
			return nil, err
		}
	}
	return b.Finish()
}

// says answers every question with these records.
func says(records ...record) zone {
	return func(_ dnsmessage.Question, a *answer) bool {
		a.records = records
		return true
	}
}

func fails(rcode dnsmessage.RCode) zone {
	return func(_ dnsmessage.Question, a *answer) bool {
		a.rcode = rcode
		return true
	}
}

func at(ttl uint32, addr string) record { return record{ttl: ttl, addr: netip.MustParseAddr(addr)} }

// What a name server says, and what comes of it: behaviour P12.
func TestAnswersOfNameServers(t *testing.T) {
	hundred := make([]record, 100)
	var wanted []netip.Addr
	for i := range hundred {
		hundred[i] = at(7, fmt.Sprintf("192.0.2.%d", 200-i))
		wanted = append(wanted, netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", 101+i)))
	}
	for _, c := range []struct {
		name string
		zone zone
		want []netip.Addr
		ttl  time.Duration
	}{
		{"one address", says(at(30, "192.0.2.1")), addrs("192.0.2.1"), 30 * time.Second},
		{"ttl 0", says(at(0, "192.0.2.1")), addrs("192.0.2.1"), 0},
		{"the shortest of several", says(at(30, "192.0.2.1"), at(2, "192.0.2.2")), addrs("192.0.2.1", "192.0.2.2"), 2 * time.Second},
		{"the shortest of both families", says(at(30, "192.0.2.1"), at(4, "2001:db8::1")), addrs("192.0.2.1", "2001:db8::1"), 4 * time.Second},
		{
			"an alias counts too", says(record{ttl: 1, to: "b.test."}, at(30, "192.0.2.1")),
			addrs("192.0.2.1"), time.Second,
		},
		{"a hundred, over TCP when cut off", func(_ dnsmessage.Question, a *answer) bool {
			a.truncated, a.records = true, hundred
			return true
		}, wanted, 7 * time.Second},
		{"fifty in one packet", says(hundred[50:]...), wanted[:50], 7 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serveNames(t, c.zone)
			got, ttl, err := s.lookup(t, "a.test.")
			if err != nil {
				t.Fatal(err)
			}
			got, want := arrange(got), slices.Clone(c.want)
			slices.SortFunc(got, netip.Addr.Compare) // which family is first depends on the machine
			if !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if ttl != c.ttl {
				t.Errorf("ttl %v, want %v", ttl, c.ttl)
			}
		})
	}
}

// Denials are told from failures, also when the two families disagree.
func TestDenialsAndFailures(t *testing.T) {
	oneFamily := func(z zone) zone {
		return func(q dnsmessage.Question, a *answer) bool {
			if q.Type == dnsmessage.TypeA {
				return true // no such data
			}
			return z(q, a)
		}
	}
	for _, c := range []struct {
		name   string
		zone   zone
		denial bool
	}{
		{"NXDOMAIN", fails(dnsmessage.RCodeNameError), true},
		{"empty", says(), true},
		{"SERVFAIL", fails(dnsmessage.RCodeServerFailure), false},
		{"REFUSED", fails(dnsmessage.RCodeRefused), false},
		{"empty, and SERVFAIL for the other family", oneFamily(fails(dnsmessage.RCodeServerFailure)), false},
		{"empty, and NXDOMAIN for the other family", oneFamily(fails(dnsmessage.RCodeNameError)), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serveNames(t, c.zone)
			for range 5 { // the order of the two answers is a matter of chance
				got, _, err := s.lookup(t, "a.test.")
				if err == nil {
					t.Fatalf("got %v", got)
				}
				if isDenial(err) != c.denial {
					t.Errorf("%v: passes for a denial: %v", err, !c.denial)
				}
			}
		})
	}
}

func TestSilentNameServer(t *testing.T) {
	s := serveNames(t, func(dnsmessage.Question, *answer) bool { return false })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _, err := Server(s.udp.LocalAddr().String())(ctx, "a.test.")
	if err == nil || isDenial(err) {
		t.Errorf("silence came out as %v", err)
	}
}

// The whole of it against a real server: an answer, a change, an outage, the end of the name.
func TestResolverFollowsANameServer(t *testing.T) {
	s := serveNames(t, says(at(0, "192.0.2.1")))
	changed := make(chan string, 16)
	r := New(Options{
		Lookup: Server(s.udp.LocalAddr().String()), Floor: 5 * time.Millisecond, Ceiling: 10 * time.Millisecond,
		OnChange: func(name string) { changed <- name },
	})
	defer r.Close()
	r.Prepare([]string{"a.test."})
	expect := func(step string, want ...netip.Addr) {
		t.Helper()
		select {
		case <-changed:
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: no change", step)
		}
		if got := r.Addrs("a.test."); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", step, got, want)
		}
	}
	turn := func(z zone) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.zone = z
	}
	expect("first answer", addrs("192.0.2.1")...)
	turn(says(at(0, "192.0.2.2")))
	expect("change", addrs("192.0.2.2")...)
	turn(fails(dnsmessage.RCodeServerFailure))
	waitFor(t, func() bool { status, _ := r.Status("a.test."); return status.Err != nil })
	if got := r.Addrs("a.test."); !slices.Equal(got, addrs("192.0.2.2")) {
		t.Errorf("outage: %v", got)
	}
	turn(fails(dnsmessage.RCodeNameError))
	expect("end of the name")
}

// waitFor waits for a condition that another goroutine brings about.
func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatal("it never came about")
		}
		time.Sleep(time.Millisecond)
	}
}
