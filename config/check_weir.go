package config

import (
	"fmt"
	"net"
	"net/netip"
)

// The rules of the local section.

func (l *loader) checkWeir(n *node, w *Weir) {
	if len(w.Listen) == 0 && !failedList(n.get("listen")) {
		listOf(listener).read(l, l.defaultOf("weir.listen"), &w.Listen)
	}
	l.checkListeners(n, w)
	for code, p := range w.Pops {
		p.PoP = code
		w.Pops[code] = p
	}
	l.checkWebhooks(n, w)
	l.completePlace(in(n, "location"), &w.Location, w)
	l.checkDataCenters(n, w)
}

func failedList(n *node) bool { return n.given() && (n.kind != '[' || len(n.children) > 0) }

func (l *loader) checkListeners(n *node, w *Weir) {
	seen := map[string]string{}
	if w.Admin.Address != "" {
		seen[w.Admin.Address] = "the admin listener"
	}
	for i, v := range w.Listen {
		if v.Address == "" || hasPortZero(v.Address) {
			continue
		}
		if by, taken := seen[v.Address]; taken {
			l.errorAt(listenerNode(n, i), v.Address+" is taken by "+by, "an address and port for every listener")
		}
		seen[v.Address] = "another listener"
	}
}

// listenerNode is where listener i, or the one that stands in its way, was given.
func listenerNode(n *node, i int) *node {
	if list := n.get("listen"); list.given() && i < len(list.children) {
		return in(list.children[i], "address")
	}
	return in(in(n, "admin"), "address")
}

// hasPortZero: port 0 is a free port, another one each time.
func hasPortZero(address string) bool {
	_, port, err := net.SplitHostPort(address)
	p, ok := portNumber(port)
	return err == nil && ok && p == 0
}

func (l *loader) checkAdmin(n *node, a *Admin) {
	if err := a.Check(); err != nil && a.Address != "" {
		l.errorAt(in(n, "address"), err.Error(), "a loopback address, or a token_file")
	}
}

// Check reports whether the admin listener is fit to be opened. One that other machines can reach needs a token; the
// caller that takes the address from elsewhere, such as a flag, asks again.
func (a Admin) Check() error {
	if err := CheckAddress(a.Address); err != nil {
		return fmt.Errorf("admin address: %w", err)
	}
	if a.TokenFile == "" && !isLoopback(a.Address) {
		return fmt.Errorf("the admin listener %s can be reached from other machines and has no token", a.Address)
	}
	return nil
}

// CheckAddress reports what is wrong with an address to listen on.
func CheckAddress(s string) error {
	if !isListenAddress(s) {
		return fmt.Errorf("%q is no address to listen on; use %s", s, wantAddress)
	}
	return nil
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return equalFoldASCII(host, "localhost")
	}
	return addr.IsLoopback()
}

// completePlace fills what p leaves out from what is known of its pop, then from its country, then from the defaults.
func (l *loader) completePlace(n *node, p *Place, w *Weir) {
	named := p.PoP != ""
	if !named {
		p.PoP = l.defaultOf("weir.location.pop").str
	}
	known, _ := w.PoP(p.PoP)
	*p = p.orElse(known)
	if p.Region == "" && !failedText(n.get("region")) {
		p.Region = l.defaultOf("weir.location.region").str
		if named {
			l.warningAt(n, "the region of "+p.PoP+" is not given, "+p.Region+" is taken", "its region, here or in weir.pops")
		}
	}
}

// checkDataCenters makes the place of this instance the only data centre where none is listed.
func (l *loader) checkDataCenters(n *node, w *Weir) {
	list := n.get("data_centers")
	if len(w.DataCenters) == 0 {
		if !failedList(list) {
			w.DataCenters = []Place{w.Location}
		}
		return
	}
	pops := uniqueness{l: l, list: list, member: "pop", what: "data centre", want: "every data centre once"}
	for i := range w.DataCenters {
		d, n := &w.DataCenters[i], list.children[i]
		if d.PoP == "" {
			if n.kind == '{' && !failedText(n.get("pop")) {
				l.errorAt(n, "pop is missing", "every data centre has a pop")
			}
			continue
		}
		pops.add(i, d.PoP, d.PoP)
		l.completePlace(n, d, w)
	}
}

// checkWebhooks wants one place for a secret, and every hook once.
func (l *loader) checkWebhooks(n *node, w *Weir) {
	urls := uniqueness{l: l, list: n.get("notifications"), member: "url", what: "notification url", want: "every webhook once"}
	for i, h := range w.Notifications {
		if h.URL == "" {
			continue // reported when it was read
		}
		urls.add(i, h.URL, hideURL(h.URL))
		if h.SecretFile != "" && h.SecretEnv != "" {
			l.errorAt(urls.list.children[i], "both secret_file and secret_env are given", "one of them")
		}
	}
}
