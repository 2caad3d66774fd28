package health

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/weirlb/weir/config"
)

// Prober speaks one protocol: it makes one attempt and judges it. The runner owns time, retries and panics: ctx ends
// when the attempt's timeout has passed, and a Prober returns then.
type Prober func(ctx context.Context, t Target) Result

// Target is what an attempt is aimed at, and from where.
type Target struct {
	Monitor config.Monitor // what to do and what to expect; only the settings that probes depend on
	Pool    string         // pool id
	Address string         // IPv4, IPv6 or host name
	Port    int            // 1 to 65535; 0 when neither monitor nor origin nor protocol has one
	Host    string         // the origin's header.Host, "" when it has none
	Source  netip.Addr     // local address to probe from; the zero Addr for any
}

// Result is how an attempt ended.
type Result struct {
	Reason       string        // NoFailures, or one of the other Reasons
	Detail       string        // the particulars of Reason, for people
	ResponseCode int           // HTTP status, 0 for none
	Timeout      bool          // the attempt failed because time was up: it may be retried
	NoVerdict    bool          // the failure is this machine's own (no descriptors, no memory): it says nothing of the origin
	IP           netip.Addr    // the address that was reached, the zero Addr for none
	RTT          time.Duration // of the attempt's exchange; 0: the runner sets that of the whole attempt
}

// Passed reports whether the origin answered as expected.
func (r Result) Passed() bool { return r.Reason == NoFailures }

// prober is the one for a monitor's type.
func (n *network) prober(kind string) Prober {
	switch kind {
	case "http", "https":
		return n.http
	case "tcp":
		return n.tcp
	case "icmp_ping":
		return n.icmpPing
	case "udp_icmp":
		return n.udpICMP
	case "smtp":
		return n.smtp
	}
	return func(context.Context, Target) Result {
		return misconfigured(fmt.Sprintf("monitor type %q is none: use http, https, tcp, icmp_ping, udp_icmp or smtp", kind))
	}
}
