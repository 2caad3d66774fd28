package resolve

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// System asks as this machine is set up to ask: its hosts file, its name servers, its search domains.
func System(ctx context.Context, name string) ([]netip.Addr, time.Duration, error) {
	var dialer net.Dialer
	return ask(ctx, name, dialer.DialContext)
}

// Server returns a Lookup that asks the name server at an address, whatever the system's own are.
func Server(address string) Lookup {
	return func(ctx context.Context, name string) ([]netip.Addr, time.Duration, error) {
		return ask(ctx, name, func(ctx context.Context, network, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, network, address)
		})
	}
}

type dial func(ctx context.Context, network, address string) (net.Conn, error)

// ask looks a name up and listens in on the answers, for what the library does not tell. A resolver of its own makes all
// of them belong to this lookup.
func ask(ctx context.Context, name string, to dial) ([]netip.Addr, time.Duration, error) {
	heard := exchange{ttl: -1, open: map[dnsmessage.Question]bool{}}
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := to(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return heard.join(conn), nil
	}}
	addrs, err := resolver.LookupNetIP(ctx, "ip", name)
	ttl, complete := heard.end()
	if isDenial(err) && !complete {
		// One family was denied and the other one went unanswered: which error the library hands on is a matter of
		// chance, and this is no denial.
		err = &net.DNSError{Err: "only one address family was answered", Name: name, IsTemporary: true}
	}
	return addrs, ttl, err
}

// exchange is what went to name servers and came back during one lookup, over any number of connections.
type exchange struct {
	mu    sync.Mutex
	ttl   time.Duration                // the shortest one of the answers; negative while there is none
	open  map[dnsmessage.Question]bool // asked, and neither answered nor denied
	conns []net.Conn
	over  bool
}

// join makes a connection part of the exchange: it passes on what the connection brings, and hears it. The library takes
// a connection for UDP by its being a net.PacketConn, so each kind has its own type.
func (x *exchange) join(conn net.Conn) net.Conn {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.conns = append(x.conns, conn)
	if x.over {
		_ = conn.Close()
	}
	if udp, ok := conn.(*net.UDPConn); ok {
		return &packets{UDPConn: udp, exchange: x}
	}
	return &stream{Conn: conn, exchange: x}
}

// end is the time to live, negative when no server was needed (the hosts file), and whether every question was answered.
// A lookup that was given up goes on reading inside the library until its own time is over: closing its connections ends
// it now.
func (x *exchange) end() (ttl time.Duration, complete bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.over = true
	for _, conn := range x.conns {
		_ = conn.Close()
	}
	return x.ttl, len(x.open) == 0
}

// asks takes in a message to a name server and returns its id.
func (x *exchange) asks(message []byte) (id uint16) {
	header, question, _, err := begin(message)
	if err != nil {
		return 0
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.open[question] = true
	return header.ID
}

// hears takes in a message from a name server, if it answers the query with this id. What cannot be parsed says nothing;
// whether it is an answer at all is for the library to judge.
func (x *exchange) hears(message []byte, id uint16) {
	header, question, answers, err := begin(message)
	if err != nil || !header.Response || header.ID != id {
		return
	}
	if header.RCode != dnsmessage.RCodeSuccess && header.RCode != dnsmessage.RCodeNameError {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.open, question)
	for {
		answer, err := answers.AnswerHeader()
		if err != nil || answers.SkipAnswer() != nil {
			return
		}
		switch answer.Type {
		case dnsmessage.TypeA, dnsmessage.TypeAAAA, dnsmessage.TypeCNAME:
			if ttl := time.Duration(answer.TTL) * time.Second; x.ttl < 0 || ttl < x.ttl {
				x.ttl = ttl
			}
		}
	}
}

// begin parses a message up to its answers.
func begin(message []byte) (dnsmessage.Header, dnsmessage.Question, *dnsmessage.Parser, error) {
	var p dnsmessage.Parser
	header, err := p.Start(message)
	if err != nil {
		return header, dnsmessage.Question{}, nil, err
	}
	question, err := p.Question()
	if err != nil {
		return header, question, nil, err
	}
	return header, question, &p, p.SkipAllQuestions()
}

// packets is a connection in which each read and each write is one message.
type packets struct {
	*net.UDPConn
	exchange *exchange
	id       uint16 // of the query
}

func (c *packets) Write(b []byte) (int, error) {
	c.id = c.exchange.asks(b)
	return c.UDPConn.Write(b)
}

func (c *packets) Read(b []byte) (int, error) {
	n, err := c.UDPConn.Read(b)
	if err == nil {
		c.exchange.hears(b[:n], c.id)
	}
	return n, err
}

// stream is a connection in which messages follow each other, each after its length in two bytes. The library writes
// both at once.
type stream struct {
	net.Conn
	exchange *exchange
	id       uint16
	taken    []byte // received and not yet a whole message
}

func (c *stream) Write(b []byte) (int, error) {
	if len(b) > 2 {
		c.id = c.exchange.asks(b[2:])
	}
	return c.Conn.Write(b)
}

func (c *stream) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.taken = append(c.taken, b[:n]...)
	for len(c.taken) >= 2 {
		end := 2 + int(binary.BigEndian.Uint16(c.taken))
		if len(c.taken) < end {
			break
		}
		c.exchange.hears(c.taken[2:end], c.id)
		c.taken = c.taken[end:]
	}
	return n, err
}
