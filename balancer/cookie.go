package balancer

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"sync/atomic"
	"time"
)

// CookieName is the cookie that carries a session.
const CookieName = "__cflb"

// Sealer makes the values of session cookies, and reads its own ones again (behaviour N1, N9). It is safe for concurrent
// use.
//
//	value   = base58(payload, tag), 39 characters
//	payload = expiry, Unix seconds (4 bytes, big-endian); Origin.ID of the origin (8 bytes, big-endian)
//	tag     = HMAC-SHA256(key, load balancer's id, payload), its first 16 bytes
//
// A value says nothing of addresses, is good for one load balancer only, and cannot be made or changed without the key.
type Sealer struct{ key atomic.Pointer[sealerKey] }

// sealerKey is a key, padded as HMAC has it (RFC 2104).
type sealerKey struct{ inner, outer [sha256.BlockSize]byte }

// The parts of a value.
const (
	payloadSize = 4 + 8
	tagSize     = 16
	sealedSize  = payloadSize + tagSize
	valueSize   = 39 // what sealedSize bytes take in base58, at most
)

// NewSealer returns the sealer of a key, which should be 32 random bytes. Instances with one key read each other's
// cookies.
func NewSealer(key []byte) *Sealer {
	s := &Sealer{}
	s.Rekey(key)
	return s
}

// Rekey changes the key. Cookies made with the one before are none of ours from now on.
func (s *Sealer) Rekey(key []byte) {
	if len(key) > sha256.BlockSize {
		sum := sha256.Sum256(key)
		key = sum[:]
	}
	k := &sealerKey{}
	copy(k.inner[:], key)
	copy(k.outer[:], key)
	for i := range k.inner {
		k.inner[i] ^= 0x36
		k.outer[i] ^= 0x5c
	}
	s.key.Store(k)
}

// AppendValue appends the value of a cookie that pins a client of a load balancer to an origin until some time.
func (s *Sealer) AppendValue(dst []byte, lb string, origin uint64, expires time.Time) []byte {
	var sealed [sealedSize]byte
	binary.BigEndian.PutUint32(sealed[:], uint32(expires.Unix())) // good until 2106
	binary.BigEndian.PutUint64(sealed[4:], origin)
	tag := s.tag(lb, sealed[:payloadSize])
	copy(sealed[payloadSize:], tag[:])
	return appendBase58(dst, &sealed)
}

// Open reads a value. It answers Yes and the origin, SessionExpired for a value of ours whose time is over, or
// SessionInvalid for anything else: cut, forged, made for another load balancer or with another key.
func (s *Sealer) Open(value []byte, lb string, now time.Time) (origin uint64, why Reason) {
	var sealed [sealedSize]byte
	if !readBase58(&sealed, value) {
		return 0, SessionInvalid
	}
	tag := s.tag(lb, sealed[:payloadSize])
	if subtle.ConstantTimeCompare(tag[:], sealed[payloadSize:]) == 0 {
		return 0, SessionInvalid
	}
	if now.Unix() >= int64(binary.BigEndian.Uint32(sealed[:])) {
		return 0, SessionExpired
	}
	return binary.BigEndian.Uint64(sealed[4:]), Yes
}

// tag is written out, as hmac.New allocates. The payload comes last and has one length, so that no two pairs of load
// balancer and payload are one text.
func (s *Sealer) tag(lb string, payload []byte) (tag [tagSize]byte) {
	key := s.key.Load()
	var room [4 * sha256.BlockSize]byte
	text := append(room[:0], key.inner[:]...)
	text = append(text, lb...)
	sum := sha256.Sum256(append(text, payload...))
	text = append(room[:0], key.outer[:]...)
	sum = sha256.Sum256(append(text, sum[:]...))
	return [tagSize]byte(sum[:])
}

// base58 leaves out what people take for one another: 0, O, I and l.
const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// letters are the digits by character, 255 for what is none.
var letters = func() (table [256]byte) {
	for i := range table {
		table[i] = 255
	}
	for i := range len(base58) {
		table[base58[i]] = byte(i)
	}
	return table
}()

// limbs are a sealed payload as a number, most significant first.
type limbs [sealedSize / 4]uint32

// appendBase58 writes a number of valueSize digits, with zeros in front where it is small: its length tells nothing.
func appendBase58(dst []byte, sealed *[sealedSize]byte) []byte {
	var n limbs
	for i := range n {
		n[i] = binary.BigEndian.Uint32(sealed[4*i:])
	}
	var digits [valueSize]byte
	for at := valueSize - 1; at >= 0; at-- {
		rest := uint64(0)
		for i := range n {
			rest = rest<<32 | uint64(n[i])
			n[i], rest = uint32(rest/58), rest%58 // rest is below 58·2³²
		}
		digits[at] = base58[rest]
	}
	return append(dst, digits[:]...)
}

// readBase58 is the reverse of appendBase58, and false for every text that it would not write.
func readBase58(sealed *[sealedSize]byte, value []byte) bool {
	if len(value) != valueSize {
		return false
	}
	var n limbs
	for _, c := range value {
		carry := uint64(letters[c])
		if carry == 255 {
			return false
		}
		for i := len(n) - 1; i >= 0; i-- {
			carry += 58 * uint64(n[i])
			n[i] = uint32(carry) // the low half; the high one is carried
			carry >>= 32
		}
		if carry != 0 {
			return false
		}
	}
	for i := range n {
		binary.BigEndian.PutUint32(sealed[4*i:], n[i])
	}
	return true
}
