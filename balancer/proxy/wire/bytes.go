package wire

import (
	"encoding/binary"
	"math/bits"
)

const (
	isToken = 1 << iota // RFC 9110 §5.6.2
	isDigit
	isHex
	isRegName // RFC 3986 §3.2.2 without the comma, and without % which is looked at apart
)

// class says to which of the grammar's sets a byte belongs; lower folds ASCII letters.
var class, lower = tables()

func tables() (class, lower [256]byte) {
	for i := range lower {
		lower[i] = byte(i)
	}
	mark := func(set string, bits byte) {
		for i := range len(set) {
			class[set[i]] |= bits
		}
	}
	for c := 'A'; c <= 'Z'; c++ {
		lower[c] = byte(c) + 'a' - 'A'
		mark(string(c)+string(c+'a'-'A'), isToken|isRegName)
	}
	mark("0123456789", isToken|isDigit|isHex|isRegName)
	mark("abcdefABCDEF", isHex)
	mark("!#$%&'*+-.^_`|~", isToken)
	mark("-._~!$&'()*+;=", isRegName)
	return class, lower
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// textEnd returns the index of the first byte of b at or after i that is below min or DEL, or len(b). min is at most
// 0x80. It looks at eight bytes at a time: both tests can only err above a byte that truly matches, so the lowest
// match is exact.
func textEnd(b []byte, i int, min byte) int {
	for i+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[i:])
		below := (x - ones*uint64(min)) & ^x
		y := x ^ ones*0x7f
		del := (y - ones) & ^y
		if hit := (below | del) & highs; hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
		i += 8
	}
	for ; i < len(b); i++ {
		if b[i] < min || b[i] == 0x7f {
			return i
		}
	}
	return i
}

// tokenEnd returns the index of the first byte of b at or after i that is no token byte, or len(b).
func tokenEnd(b []byte, i int) int {
	for i < len(b) && class[b[i]]&isToken != 0 {
		i++
	}
	return i
}

func isTokenText(b []byte) bool { return len(b) > 0 && tokenEnd(b, 0) == len(b) }

// equalFold compares b with s, which must be in lower case, without regard to the case of ASCII letters.
func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range len(s) {
		if lower[b[i]] != s[i] {
			return false
		}
	}
	return true
}

// equalFoldBytes compares two names without regard to the case of ASCII letters.
func equalFoldBytes[T string | []byte](a []byte, b T) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower[a[i]] != lower[b[i]] {
			return false
		}
	}
	return true
}

// trim cuts spaces and tabs from both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// nextElement takes the first element off a comma-separated list without quoted strings.
func nextElement(list []byte) (element, rest []byte) {
	for i, c := range list {
		if c == ',' {
			return trim(list[:i]), list[i+1:]
		}
	}
	return trim(list), nil
}
