package balancer

import (
	"net/netip"

	"github.com/weirlb/weir/config"
)

// Snapshot is one immutable state of the world: configuration joined with health.
type Snapshot struct {
	Revision uint64
	Config   *config.Config
}

// LoadBalancer is one host's routing, ready to serve.
type LoadBalancer struct {
	Config *config.LoadBalancer
}

// Pool is one pool, ready to serve.
type Pool struct {
	Config  *config.Pool
	Origins []PoolOrigin // in the order of Config.Origins
}

// PoolOrigin is an origin's settings in this snapshot beside the living origin they are about.
type PoolOrigin struct {
	Config *config.Origin
	Live   *Origin
	// Addrs are the addresses of Config.Address, best first; empty while a host name does not resolve.
	Addrs []netip.Addr
}
