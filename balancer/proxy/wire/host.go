package wire

import "bytes"

// ValidHost reports whether b is host[:port] by RFC 3986 §3.2: a name, an IPv4 address or an IPv6 address in brackets.
// Stricter than that: no user information, no comma (two Host lines joined by someone before us), no future address
// versions, no zones, a port of at most 65535. The empty text is not a host.
func ValidHost(b []byte) bool {
	if len(b) > 0 && b[0] == '[' {
		end := bytes.IndexByte(b, ']')
		return end > 0 && validIPv6(b[1:end]) && validPort(b[end+1:])
	}
	i := 0
	for i < len(b) && b[i] != ':' {
		switch {
		case class[b[i]]&isRegName != 0:
			i++
		case b[i] == '%' && i+2 < len(b) && class[b[i+1]]&class[b[i+2]]&isHex != 0:
			i += 3
		default:
			return false
		}
	}
	return i > 0 && validPort(b[i:])
}

// validPort accepts nothing, or a colon and a port, which may be empty (RFC 3986 §3.2.3).
func validPort(b []byte) bool {
	if len(b) <= 1 {
		return len(b) == 0 || b[0] == ':'
	}
	port, ok := decimal(b[1:])
	return b[0] == ':' && ok && len(b) <= len(":65535") && port <= 65535
}

// validIPv6 accepts the text form of RFC 4291 §2.2: eight groups, or fewer around one "::", the last two perhaps as
// IPv4.
func validIPv6(b []byte) bool {
	groups, gap := 0, false
	if bytes.HasPrefix(b, []byte("::")) {
		gap, b = true, b[2:]
	}
	for len(b) > 0 {
		end := 0
		for end < len(b) && class[b[end]]&isHex != 0 {
			end++
		}
		if end < len(b) && b[end] == '.' {
			groups += 2
			return validIPv4(b) && groupsFit(groups, gap)
		}
		if end == 0 || end > 4 {
			return false
		}
		groups++
		switch b = b[end:]; {
		case len(b) == 0:
		case b[0] != ':' || len(b) == 1:
			return false
		case b[1] == ':':
			if gap {
				return false
			}
			gap, b = true, b[2:]
		default:
			b = b[1:]
		}
	}
	return groupsFit(groups, gap)
}

// groupsFit says whether the groups fill the address; a gap stands for one group at least.
func groupsFit(groups int, gap bool) bool { return groups < 8 && gap || groups == 8 && !gap }

func validIPv4(b []byte) bool {
	for part := range 4 {
		end := 0
		for end < len(b) && class[b[end]]&isDigit != 0 {
			end++
		}
		n, ok := decimal(b[:end])
		if !ok || n > 255 || end > 3 || end > 1 && b[0] == '0' {
			return false
		}
		b = b[end:]
		if part == 3 {
			return len(b) == 0
		}
		if len(b) == 0 || b[0] != '.' {
			return false
		}
		b = b[1:]
	}
	return false
}
