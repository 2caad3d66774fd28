package config

import (
	"strings"
	"testing"
)

// TestAdminCheck: an admin listener that other machines can reach needs a token, wherever its address comes from.
func TestAdminCheck(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:0":    "",
		"[::1]:8081":     "",
		"localhost:8081": "",
		":8081":          "has no token",
		"0.0.0.0:8081":   "has no token",
		"192.0.2.1:8081": "has no token",
		"admin.test:80":  "has no token",
		"127.0.0.1":      `use an address and a port, such as "127.0.0.1:8080"`,
	} {
		err := Admin{Address: address}.Check()
		if (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
	if err := (Admin{Address: ":8081", TokenFile: "t"}).Check(); err != nil {
		t.Error(err)
	}
}

func TestRegions(t *testing.T) {
	if got := Regions(); len(got) != 13 {
		t.Errorf("%d regions", len(got))
	}
	Regions()[0] = "changed"
	if Regions()[0] != "WNAM" {
		t.Error("the list of regions can be changed from outside")
	}
}

// TestHostValues: what may stand in a Host field (RFC 9112 §3.2).
func TestHostValues(t *testing.T) {
	for _, s := range []string{"a", "a.example.com", "a.example.com:8080", "192.0.2.1:80", "[::1]", "[::1]:80", "a_b.c"} {
		if !isHostValue(s) {
			t.Errorf("%q is refused", s)
		}
	}
	for _, s := range []string{"a:", "a:x", "a:65536", "::1", "[::1", "[a]", "[192.0.2.1]", "a b", "a/b", "user@a", "a\r\nX: y", "-a"} {
		if isHostValue(s) {
			t.Errorf("%q is accepted", s)
		}
	}
}
