package rules

import "net/netip"

// Input is what conditions may know of a request. What it answers is borrowed until Match returns.
type Input interface {
	LoadBalancer() string // the load balancer's name
	Region() string       // the region of the data centre that handles the request, as WEU; empty when not known
	Client() netip.Addr   // without zone; IPv4 in its own form
	Unix() int64          // when the request came, in seconds
	Host() []byte         // as sent, perhaps with a port
	Method() []byte
	Path() []byte
	Query() []byte  // without the question mark; nil when there is none
	Version() uint8 // 10, 11, 20 or 30
	// Header answers the value of the first field line of that name whose position is at or after from, and the position
	// from which to look for the next one. Positions begin at 0 and mean nothing else to the caller. name is in lower
	// case; the names of the request count in any case.
	Header(name string, from int) (value []byte, next int, found bool)
}
