package proxy

import "net/netip"

// Country is where an address is by the GeoIP database in use; false without one, and where it does not say.
func (s *Server) Country(a netip.Addr) (code [2]byte, known bool) {
	return s.settings.Load().countries.Country(a)
}
