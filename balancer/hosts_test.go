package balancer

import (
	"bytes"
	"strings"
	"testing"
)

// Behaviour P1.
func TestHosts(t *testing.T) {
	for _, c := range []struct{ names, host, want string }{
		{"www.example.com", "www.example.com", "www.example.com"},
		{"www.example.com *.example.com", "WWW.Example.com:8080", "www.example.com"},
		{"*.example.com www.example.com", "www.example.com", "www.example.com"},
		{"*.example.com *.eu.example.com", "a.b.eu.example.com.", "*.eu.example.com"},
		{"*.eu.example.com *.example.com", "a.b.eu.example.com.", "*.eu.example.com"},
		{"*.example.com", "a.example.com", "*.example.com"},
		{"*.example.com", "example.com", ""},
		{"*.example.com", ".example.com", ""},
		{"*.example.com", "aexample.com", ""},
		{"*.EXAMPLE.com.", "A.example.COM.:443", "*.EXAMPLE.com."},
		{"WWW.example.com.", "www.example.com", "WWW.example.com."},
		{"www.example.com", "www.example.com.:80", "www.example.com"},
		{"www.example.com", "www.example.com:", "www.example.com"},
		{"www.example.com", "www.example.com..", ""},
		{"[2001:db8::1]", "[2001:db8::1]", "[2001:db8::1]"},
		{"[2001:db8::1]", "[2001:DB8::1]:8080", "[2001:db8::1]"},
		{"192.0.2.1", "192.0.2.1:80", "192.0.2.1"},
		{"www.example.com", "", ""},
		{"www.example.com", ":80", ""},
		{"www.example.com", strings.Repeat("a", 300) + ".example.com", ""},
		{"*.example.com", strings.Repeat("a.", 121) + "example.com", "*.example.com"},
	} {
		h := newHosts()
		names := strings.Fields(c.names)
		for i, name := range names {
			h.add(name, i)
		}
		got := ""
		if i := h.find([]byte(c.host)); i != none {
			got = names[i]
		}
		if got != c.want {
			t.Errorf("%s: %q is served by %q, want %q", c.names, c.host, got, c.want)
		}
	}
}

func TestTheFirstOfTwoEqualNamesServes(t *testing.T) {
	h := newHosts()
	h.add("www.example.com", 0)
	h.add("WWW.example.com.", 1)
	if got := h.find([]byte("www.example.com")); got != 0 {
		t.Errorf("got %d, want 0", got)
	}
}

func TestFindingAHostNeitherAllocatesNorWrites(t *testing.T) {
	h := newHosts()
	h.add("www.example.com", 0)
	h.add("*.example.org", 1)
	for _, host := range []string{"www.example.com", "WWW.Example.COM.:8080", "A.b.example.org", "nobody.example", ""} {
		sent := []byte(host)
		if n := testing.AllocsPerRun(100, func() { h.find(sent) }); n != 0 {
			t.Errorf("%q: %v allocations", host, n)
		}
		if !bytes.Equal(sent, []byte(host)) {
			t.Errorf("%q became %q", host, sent)
		}
	}
}
