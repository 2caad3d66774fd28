// Package geoiptest makes small database files of MaxMind's format, for tests.
package geoiptest

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// File is a database that says of each network that it is in a country: map[string]string{"192.0.2.0/24": "DE"}. An
// empty country makes a record without one. The networks must not overlap.
//
// The format: a tree of nodes, each two records of 24 bits, one for each value of the next bit of the address; 16 zero
// bytes; the data; a marker; the metadata (https://maxmind.github.io/MaxMind-DB/).
func File(networks map[string]string) []byte {
	t := tree{{}}
	var data []byte
	for text, country := range networks {
		at := len(data)
		data = append(data, record(country)...)
		t.put(netip.MustParsePrefix(text), at)
	}
	b := t.bytes()
	b = append(b, make([]byte, separator)...)
	b = append(b, data...)
	b = append(b, "\xab\xcd\xefMaxMind.com"...)
	return append(b, metadata(len(t))...)
}

const separator = 16

// record is {"country": {"iso_code": …}}, and {"country": {}} without one.
func record(country string) []byte {
	b := append(mapOf(1), str("country")...)
	if country == "" {
		return append(b, mapOf(0)...)
	}
	return append(append(append(b, mapOf(1)...), str("iso_code")...), str(country)...)
}

func metadata(nodes int) []byte {
	b := mapOf(9)
	for name, value := range map[string][]byte{
		"binary_format_major_version": number(2), "binary_format_minor_version": number(0), "build_epoch": number(1),
		"ip_version": number(6), "node_count": number(nodes), "record_size": number(24),
		"database_type": str("Test-Country"), "languages": {0, 4}, "description": mapOf(0),
	} {
		b = append(append(b, str(name)...), value...)
	}
	return b
}

// Values are a byte with the type in the top three bits and the size in the others, then the content; kinds beyond the
// seventh, as the list above, have 0 in the top bits and a byte of their own.
func str(s string) []byte {
	if len(s) < 29 {
		return append([]byte{2<<5 | byte(len(s))}, s...)
	}
	panic(fmt.Sprintf("BUG: %q is longer than this writer can write", s))
}

func number(n int) []byte { return binary.BigEndian.AppendUint32([]byte{6<<5 | 4}, uint32(n)) }
func mapOf(n int) []byte  { return []byte{7<<5 | byte(n)} }

// tree is the nodes; a side is 0 where there is nothing, the number of a node, or below 0 the data at ^side.
type tree [][2]int

func (t *tree) put(p netip.Prefix, at int) {
	bits, length := p.Addr().As16(), p.Bits()
	if p.Addr().Is4() {
		bits, length = [16]byte{}, length+96 // IPv4 stands at ::/96
		v4 := p.Addr().As4()
		copy(bits[12:], v4[:])
	}
	node := 0
	for i := range length {
		side := int(bits[i/8]>>(7-i%8)) & 1
		if i == length-1 {
			(*t)[node][side] = ^at
			return
		}
		if (*t)[node][side] == 0 {
			*t = append(*t, [2]int{})
			(*t)[node][side] = len(*t) - 1
		}
		node = (*t)[node][side]
	}
}

func (t tree) bytes() []byte {
	var b []byte
	for _, node := range t {
		for _, side := range node {
			switch {
			case side == 0:
				side = len(t) // nothing
			case side < 0:
				side = len(t) + separator + ^side
			}
			b = append(b, byte(side>>16), byte(side>>8), byte(side))
		}
	}
	return b
}
