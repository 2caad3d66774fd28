package wire

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

func TestValidHost(t *testing.T) {
	for _, h := range []string{
		"example.com", "EXAMPLE.com.", "localhost", "a", "a_b.example", "xn--bcher-kva.example", "127.0.0.1",
		"example.com:80", "example.com:", "example.com:65535", "example.com:080", "999.1.1.1", "a!$&'()*+;=~b",
		"a%20b", "[::1]", "[::1]:8080", "[::]", "[2001:db8::1]", "[1:2:3:4:5:6:7:8]", "[::ffff:192.0.2.1]",
		"[1:2:3:4:5:6:192.0.2.1]", "[1::8]", "[1:2:3:4:5:6:7::]", "[2001:DB8::A]:",
	} {
		if !ValidHost([]byte(h)) {
			t.Errorf("ValidHost(%q) = false (RFC 3986 §3.2)", h)
		}
	}
	for _, h := range []string{
		"", ":80", ":", "user@example.com", "user:pw@example.com", "a b", "a,b", "a/b", "a?b", "a#b", "a\\b", "a\"b", "a<b",
		"é.example", "a%2", "a%zz", "%", "example.com:8a", "example.com:65536", "example.com:000080", "example.com:-1", "example.com:80:80",
		"[::1", "::1", "[]", "[::1]x", "[::1]80", "[1:2:3:4:5:6:7]", "[1:2:3:4:5:6:7:8:9]", "[1::2::3]", "[12345::]", "[::g]",
		"[fe80::1%eth0]", "[v1.x]", "[:1]", "[1:]", "[1:2:3:4:5:6:7:8::]", "[::1.2.3]", "[::1.2.3.4.5]", "[::256.1.1.1]", "[::01.1.1.1]",
		"[1.2.3.4]", "[::1.2.3.4:5]", "[:::]", "a]b", "[[::1]]",
	} {
		if ValidHost([]byte(h)) {
			t.Errorf("ValidHost(%q) = true", h)
		}
	}
}

// TestIPv6AgreesWithNetip compares with the standard library on random near-addresses.
func TestIPv6AgreesWithNetip(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	parts := []string{":", "::", "1", "ffff", "0", "12345", "1.2.3.4", "255", ".", "g", "abc"}
	valid := 0
	for range 300000 {
		var b []byte
		for range 1 + r.IntN(16) {
			b = append(b, parts[r.IntN(len(parts))]...)
			if r.IntN(2) == 0 {
				b = append(b, ':')
			}
		}
		a, err := netip.ParseAddr(string(b))
		want := err == nil && a.Is6()
		if want {
			valid++
		}
		if got := validIPv6(b); got != want {
			t.Fatalf("validIPv6(%q) = %v, netip says %v (%v)", b, got, want, err)
		}
	}
	if valid < 100 {
		t.Fatalf("only %d of the random texts were addresses: the test shows nothing", valid)
	}
}
