package wire

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestHeadEnd(t *testing.T) {
	for _, c := range []struct{ name, head, rest string }{
		{"a whole head", get("A: b"), ""},
		{"the next request is not looked at", get(), get()},
		{"nothing but a request line", "GET / HTTP/1.1\r\n\r\n", "x"},
		{"bare LFs end it too, so that Parse refuses it at once", "GET / HTTP/1.1\nHost: x\n\n", "more"},
		{"LF CRLF likewise", "GET / HTTP/1.1\nHost: x\n\r\n", "more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := []byte(c.head + c.rest)
			if got := HeadEnd(all, 0); got != len(c.head) {
				t.Errorf("whole: HeadEnd = %d, want %d", got, len(c.head))
			}
			for cut := range c.head {
				if got := HeadEnd(all[:cut], 0); got != 0 {
					t.Errorf("the first %d bytes: HeadEnd = %d, want 0", cut, got)
				}
				if got := HeadEnd(all, cut); got != len(c.head) {
					t.Errorf("continued from %d: HeadEnd = %d, want %d", cut, got, len(c.head))
				}
			}
		})
	}
}

func TestSkipEmptyLines(t *testing.T) {
	for _, c := range []struct { // RFC 9112 §2.2
		in   string
		want int
	}{
		{"", 0},
		{"\r", 0},
		{"\r\n", 2},
		{"\r\nGET", 2},
		{"GET\r\n", 0},
		{"\r\n\r", 2},
		{"\n", 0},
		{" \r\n", 0},
		{strings.Repeat("\r\n", 4), 8},
		{strings.Repeat("\r\n", 9) + "GET", 8},
	} {
		if got := SkipEmptyLines([]byte(c.in)); got != c.want {
			t.Errorf("SkipEmptyLines(%q) = %d, want %d", c.in, got, c.want)
		}
	}
	if cause := new(Request).Parse([]byte("\r\n"+get()), testLimits); cause == OK {
		t.Error("an empty line that was not skipped is accepted")
	}
}

var smallLimits = Limits{URI: 20, Field: 30, Header: 60, Fields: 3}

func TestLimits(t *testing.T) {
	// "Host: x" with its CRLF takes 9 of the header's bytes.
	pad := func(name string, size int) string { return name + ": " + strings.Repeat("v", size-len(name)-2) }
	for _, c := range []struct {
		name, head string
		want       Cause
	}{
		{"target as long as allowed", crlf("GET /"+strings.Repeat("a", 19)+" HTTP/1.1", "Host: x"), OK},
		{"target one longer", crlf("GET /"+strings.Repeat("a", 20)+" HTTP/1.1", "Host: x"), URITooLong},
		{"field as long as allowed", crlf("GET / HTTP/1.1", "Host: x", pad("A", 30)), OK},
		{"field one longer", crlf("GET / HTTP/1.1", "Host: x", pad("A", 31)), FieldTooLong},
		{"header as long as allowed", crlf("GET / HTTP/1.1", "Host: x", pad("A", 30), pad("B", 17)), OK},
		{"header one longer", crlf("GET / HTTP/1.1", "Host: x", pad("A", 30), pad("B", 18)), HeaderTooLong},
		{"as many fields as allowed", crlf("GET / HTTP/1.1", "Host: x", "A: b", "A: b"), OK},
		{"one field more", crlf("GET / HTTP/1.1", "Host: x", "A: b", "A: b", "A: b"), TooManyFields},
		{"method as long as allowed", crlf(strings.Repeat("M", 64)+" / HTTP/1.1", "Host: x"), OK},
		{"method one longer", crlf(strings.Repeat("M", 65)+" / HTTP/1.1", "Host: x"), MethodTooLong},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := new(Request).Parse([]byte(c.head), smallLimits); got != c.want {
				t.Errorf("Parse = %v, want %v", got, c.want)
			}
			if len(c.head) > smallLimits.MaxHead() && c.want == OK {
				t.Errorf("MaxHead %d is less than an accepted head of %d", smallLimits.MaxHead(), len(c.head))
			}
			for cut := range len(c.head) {
				if got := TooLong([]byte(c.head[:cut]), smallLimits); got != OK && c.want == OK {
					t.Fatalf("TooLong(%q) = %v, but Parse accepts the whole", c.head[:cut], got)
				}
			}
		})
	}
}

func TestTooLongStopsHeadsThatNeverEnd(t *testing.T) {
	lim := testLimits
	for _, c := range []struct {
		name, start string
		want        Cause
	}{
		{"endless target", "GET /", URITooLong},
		{"endless method", "", MethodTooLong},
		{"endless field", "GET / HTTP/1.1\r\nA: ", FieldTooLong},
		{"TLS on a plain port", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", BadMethod},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := []byte(c.start)
			for TooLong(b, lim) == OK && len(b) <= lim.MaxHead() {
				b = append(b, 'a')
			}
			if got := TooLong(b, lim); got != c.want {
				t.Errorf("after %d bytes: %v, want %v", len(b), got, c.want)
			}
		})
	}
	b := []byte("GET / HTTP/1.1\r\n")
	for TooLong(b, lim) == OK && len(b) <= lim.MaxHead() {
		b = append(b, "A: b\r\n"...)
	}
	if got := TooLong(b, lim); got != HeaderTooLong {
		t.Errorf("endless fields: %v, want %v", got, HeaderTooLong)
	}
	b = []byte("HTTP/1.1 200 ")
	for AnswerTooLong(b, lim) == OK && len(b) <= lim.MaxHead() {
		b = append(b, 'a')
	}
	if got := AnswerTooLong(b, lim); got != HeaderTooLong {
		t.Errorf("endless reason: %v, want %v", got, HeaderTooLong)
	}
	b = append([]byte("HTTP/1.1 200 OK\r\nA: "), bytes.Repeat([]byte("a"), lim.Field)...)
	if got := AnswerTooLong(b, lim); got != FieldTooLong {
		t.Errorf("endless field in an answer: %v, want %v", got, FieldTooLong)
	}
}

// TestTooLongNeverRefusesTheStartOfAGoodAnswer cuts answers at the limits everywhere.
func TestTooLongNeverRefusesTheStartOfAGoodAnswer(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		reason := strings.Repeat("r", maxReason-r.IntN(3))
		head := crlf("HTTP/1.1 200 "+reason, "A: "+strings.Repeat("v", 27), "B: "+strings.Repeat("v", 23-r.IntN(5)))
		if new(Response).Parse([]byte(head), smallLimits, nil) != OK {
			t.Fatalf("%q is refused", head)
		}
		cut := r.IntN(len(head))
		if got := AnswerTooLong([]byte(head[:cut]), smallLimits); got != OK {
			t.Fatalf("AnswerTooLong(%q) = %v", head[:cut], got)
		}
	}
}
