package balancer

import (
	"strings"

	"github.com/weirlb/weir/config"
)

func identity(p *config.Pool, i int) config.Identity {
	o := &p.Origins[i]
	return config.Identity{Pool: p.ID, Address: strings.ToLower(o.Address), Port: o.Port, VirtualNetwork: o.VirtualNetworkID}
}

func monitored(_ *config.Config, p *config.Pool) bool { return p.Monitor != "" || p.MonitorGroup != "" }
