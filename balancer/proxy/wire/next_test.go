package wire

import "testing"

// Next walks the lines of one name, in any case, and passes over the others.
func TestNext(t *testing.T) {
	var r Request
	must(t, r.Parse([]byte("GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nB: 2\r\nx-a: 3\r\n\r\n"), testLimits))
	var got []string
	for from := 0; ; {
		value, next, found := r.Next("X-a", from)
		if !found {
			break
		}
		got, from = append(got, string(value)), next
	}
	if len(got) != 2 || got[0] != "1" || got[1] != "3" {
		t.Errorf("got %q", got)
	}
}
