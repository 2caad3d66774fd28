package balancer

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	bigint "math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// slowValue is AppendValue by the book: crypto/hmac and math/big.
func slowValue(key []byte, lb string, origin uint64, expires time.Time) string {
	payload := binary.BigEndian.AppendUint32(nil, uint32(expires.Unix()))
	payload = binary.BigEndian.AppendUint64(payload, origin)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(lb))
	mac.Write(payload)
	n := new(bigint.Int).SetBytes(append(payload, mac.Sum(nil)[:16]...))
	digits := make([]byte, 39)
	for i := range digits {
		var digit bigint.Int
		n.DivMod(n, bigint.NewInt(58), &digit)
		digits[38-i] = base58[digit.Int64()]
	}
	return string(digits)
}

// Behaviour N9: the value is what its description says, and is read again.
func TestCookieValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "key")
		lb := rapid.String().Draw(t, "lb")
		origin := rapid.Uint64().Draw(t, "origin")
		expires := time.Unix(rapid.Int64Range(1, 1<<32-1).Draw(t, "expires"), 0)
		s := NewSealer(key)
		value := s.AppendValue([]byte("x="), lb, origin, expires)
		if want := "x=" + slowValue(key, lb, origin, expires); string(value) != want {
			t.Fatalf("got %s, want %s", value, want)
		}
		value = value[2:]
		got, why := s.Open(value, lb, expires.Add(-time.Second))
		if got != origin || why != Yes {
			t.Fatalf("read %x, %v", got, why)
		}
		if _, why := s.Open(value, lb, expires); why != SessionExpired {
			t.Fatalf("at its end: %v", why)
		}
		at, letter := rapid.IntRange(0, len(value)-1).Draw(t, "at"), rapid.Byte().Draw(t, "letter")
		forged := bytes.Clone(value)
		if forged[at] = letter; !bytes.Equal(forged, value) {
			if _, why := s.Open(forged, lb, expires.Add(-time.Second)); why != SessionInvalid {
				t.Fatalf("with %q at %d: %v", letter, at, why)
			}
		}
	})
}

// Behaviour N9: what was not made here for this load balancer is nothing.
func TestForeignCookies(t *testing.T) {
	s := NewSealer([]byte("key"))
	value := s.AppendValue(nil, "lb", 42, at(100))
	for why, c := range map[string]struct {
		sealer *Sealer
		value  []byte
		lb     string
	}{
		"another key":           {NewSealer([]byte("other")), value, "lb"},
		"another load balancer": {s, value, "lb2"},
		"cut":                   {s, value[:38], "lb"},
		"longer":                {s, append(bytes.Clone(value), '1'), "lb"},
		"empty":                 {s, nil, "lb"},
		"too large a number":    {s, bytes.Repeat([]byte("z"), 39), "lb"},
		"zero":                  {s, bytes.Repeat([]byte("1"), 39), "lb"},
		"letters of no digit":   {s, bytes.Repeat([]byte("0"), 39), "lb"},
	} {
		if _, got := c.sealer.Open(c.value, c.lb, at(0)); got != SessionInvalid {
			t.Errorf("%s: %v", why, got)
		}
	}
	if _, got := s.Open(value, "lb", at(0)); got != Yes {
		t.Errorf("the very one: %v", got)
	}
	if strings.Trim(string(value), base58) != "" || len(value) != 39 {
		t.Errorf("%s", value)
	}
}

func FuzzOpen(f *testing.F) {
	s := NewSealer([]byte("key"))
	f.Add(s.AppendValue(nil, "lb", 42, at(100)))
	f.Add([]byte(strings.Repeat("z", 39)))
	f.Fuzz(func(t *testing.T, value []byte) {
		origin, why := s.Open(value, "lb", at(0))
		if why == Yes && !bytes.Equal(s.AppendValue(nil, "lb", origin, at(100)), value) {
			t.Logf("another expiry")
		}
		var sealed [sealedSize]byte
		if readBase58(&sealed, value) && !bytes.Equal(appendBase58(nil, &sealed), value) {
			t.Errorf("%q is read and not written", value)
		}
	})
}

func BenchmarkCookieOpen(b *testing.B) {
	s := NewSealer([]byte("key"))
	value := s.AppendValue(nil, "0123456789abcdef0123456789abcdef", 42, at(100))
	b.ReportAllocs()
	for b.Loop() {
		s.Open(value, "0123456789abcdef0123456789abcdef", at(0))
	}
}
