package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// open are the endpoints that need no token and answer under every name: whoever asks whether the process lives, asks
// as it can.
var open = map[string]bool{"/healthz": true, "/readyz": true}

// gate turns away whom next is not for. The order is part of the rule: a browser that was led here learns nothing, not
// even whether a token is right.
func (s *Server) gate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		switch {
		case open[r.URL.Path]:
		case !s.knows(r):
			refuse(w, http.StatusForbidden, "the Host of the request is neither loopback nor the configured address")
			return
		case foreign(r):
			refuse(w, http.StatusForbidden, "the request comes from a page of another origin")
			return
		case !s.authorised(r):
			w.Header().Set("WWW-Authenticate", `Bearer realm="weir"`)
			refuse(w, http.StatusUnauthorized, "the admin token is needed: Authorization: Bearer …")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// knows reports whether Host names this listener: loopback, the configured host, or the very address that the
// connection came to. Any other name may have been made to point here (DNS rebinding).
func (s *Server) knows(r *http.Request) bool {
	host := hostOf(r.Host)
	if host == "" {
		return false
	}
	if configured := hostOf(s.opt.Config.Address); strings.EqualFold(host, "localhost") || strings.EqualFold(host, configured) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && (ip.IsLoopback() || ip.Unmap() == arrival(r))
}

// hostOf is a host without its port, its brackets and its trailing dot.
func hostOf(hostPort string) string {
	host := hostPort
	if h, _, err := net.SplitHostPort(hostPort); err == nil {
		host = h
	}
	return strings.TrimSuffix(strings.Trim(host, "[]"), ".")
}

// arrival is this machine's end of the connection.
func arrival(r *http.Request) netip.Addr {
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// foreign reports a request that may change something and was sent by a page of another origin than this listener's.
// Browsers name the page's origin in every POST; other clients send none.
func foreign(r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return false
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	for _, origin := range r.Header.Values("Origin") {
		if !strings.EqualFold(origin, scheme+r.Host) {
			return true
		}
	}
	return false
}

// authorised compares digests, so that the time taken tells nothing of the token.
func (s *Server) authorised(r *http.Request) bool {
	if s.token == nil {
		return true
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	sent := sha256.Sum256([]byte(strings.TrimSpace(token)))
	right := subtle.ConstantTimeCompare(sent[:], s.token[:]) == 1
	return strings.EqualFold(scheme, "Bearer") && right
}

func refuse(w http.ResponseWriter, status int, why string) {
	answer(w, status, map[string]string{"error": why})
}
