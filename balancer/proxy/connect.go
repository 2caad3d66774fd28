package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/weirlb/weir/balancer"
)

// connect brings x.oc: a kept connection to the decided origin, or a new one.
func (x *exchange) connect(d *balancer.Decision, fresh bool) balancer.Class {
	x.res.Connect = 0
	p := x.srv.peers.of(d.Origin.Live)
	r := x.route(d)
	for left := x.set.limits.OriginWait; ; left -= roomTurn {
		if !fresh {
			if x.oc = p.take(r, mono()-x.set.timeouts.originIdle); x.oc != nil {
				return balancer.OK
			}
		}
		if p.reserve(x.set.limits.OriginConnections) {
			return x.open(d, p, r)
		}
		if left <= 0 {
			return balancer.OriginBusy
		}
		time.Sleep(min(left, roomTurn))
	}
}

// roomTurn is how often a request that waits for room at an origin looks for it.
const roomTurn = 5 * time.Millisecond

// open makes a connection, for which p has reserved room.
func (x *exchange) open(d *balancer.Decision, p *peer, r route) balancer.Class {
	began := time.Now()
	io, class := x.dial(d, r)
	x.res.Connect = time.Since(began)
	if class != balancer.OK {
		p.open.Add(-1)
		return class
	}
	d.Origin.Live.OpenConnection(x.row)
	x.oc = &originConn{link: link{io: io}, peer: p, route: r, row: x.row}
	return balancer.OK
}

// route says which connections to the origin serve this request.
func (x *exchange) route(d *balancer.Decision) route {
	secure := x.set.scheme == "https" || x.set.scheme == "client" && x.c.secure
	if !secure {
		return route{}
	}
	return route{secure: true, name: x.serverName(d), trust: x.set.originIO}
}

// serverName is the name asked for and verified over TLS: the Host that is sent, or the origin's address when that is
// an address (docs/behaviour.md Q13).
func (x *exchange) serverName(d *balancer.Decision) string {
	name := d.Origin.Config.Host
	if name == "" {
		name = string(x.head.Host)
	}
	name = hostOnly(name)
	if _, err := netip.ParseAddr(name); err == nil || name == "" {
		return hostOnly(d.Origin.Config.Address)
	}
	return name
}

// dial tries the origin's addresses in order; each has an equal share of the time that is left.
func (x *exchange) dial(d *balancer.Decision, r route) (stream, balancer.Class) {
	end := mono() + x.set.timeouts.connect
	class := balancer.Unreachable
	for i, a := range d.Origin.Addrs {
		left := end - mono()
		if left <= 0 {
			break
		}
		deadline := end - left + left/int64(len(d.Origin.Addrs)-i)
		io, err := x.c.eng.dial(netip.AddrPortFrom(a, port(d, r)), deadline)
		if err != nil {
			class = dialClass(err)
			continue
		}
		if !r.secure {
			return io, balancer.OK
		}
		return x.secure(io, r, end)
	}
	return nil, class
}

func (x *exchange) secure(io stream, r route, deadline int64) (stream, balancer.Class) {
	conf := x.set.originIO.Clone()
	conf.ServerName = r.name
	io, err := x.c.eng.handshake(io, conf, deadline)
	if err != nil {
		return nil, tlsClass(err)
	}
	return io, balancer.OK
}

func port(d *balancer.Decision, r route) uint16 {
	switch {
	case d.Origin.Config.Port > 0:
		return uint16(d.Origin.Config.Port)
	case r.secure:
		return 443
	}
	return 80
}

// dialClass judges a failed dial. Running out of our own descriptors or ports says nothing about the origin.
func dialClass(err error) balancer.Class {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		return balancer.ConnectTimeout
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		return balancer.ConnectRefused
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOBUFS),
		errors.Is(err, syscall.EADDRNOTAVAIL):
		return balancer.OriginBusy
	}
	return balancer.Unreachable
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// tlsClass judges a failed handshake: a certificate that does not verify is its own class.
func tlsClass(err error) balancer.Class {
	var cert *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	if errors.As(err, &cert) || errors.As(err, &unknown) || errors.As(err, &name) || errors.As(err, &invalid) {
		return balancer.Certificate
	}
	return balancer.TLSHandshake
}

// hostOnly is host[:port] without the port and without the brackets of an IPv6 address.
func hostOnly(host string) string {
	if strings.HasPrefix(host, "[") {
		for i := range host {
			if host[i] == ']' {
				return host[1:i]
			}
		}
	}
	colon := -1
	for i := range host {
		if host[i] == ':' {
			if colon >= 0 {
				return host // an IPv6 address
			}
			colon = i
		}
	}
	if colon >= 0 {
		return host[:colon]
	}
	return host
}
