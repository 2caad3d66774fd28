package wire

// maxConnectionOptions bounds the work that Connection can ask for: each option is compared with every field.
const maxConnectionOptions = 64

// options is what Connection says that we act on.
type options struct{ close, keepAlive, upgrade bool }

// endToEnd are the fields that a Connection option cannot remove: the framing, and what tells an origin who asks. RFC
// 9110 §7.6.1 forbids senders to list such fields; heeding it would let a client cut what a proxy before us has set.
var endToEnd = set(idHost, idContentLength, idTransferEncoding, idVia, idCDNLoop, idForwardedFor, idForwardedProto,
	idConnectingIP, idVisitor, idRay, idCountry, idDate, idExpect, idMaxForwards)

// connection reads the Connection fields and marks those that they name.
func (f *Fields) connection(seen idSet) (o options, cause Cause) {
	if !seen.has(idConnection) {
		return o, OK
	}
	left := maxConnectionOptions
	for i := range f.list {
		l := &f.list[i]
		if l.id != idConnection {
			continue
		}
		for rest := f.value(l); len(rest) > 0; left-- {
			var option []byte
			option, rest = nextElement(rest)
			if len(option) > 0 && !isTokenText(option) || left == 0 {
				return o, BadConnection
			}
			f.option(option, &o)
		}
	}
	return o, OK
}

func (f *Fields) option(option []byte, o *options) {
	switch {
	case equalFold(option, "close"):
		o.close = true
	case equalFold(option, "keep-alive"):
		o.keepAlive = true
	case equalFold(option, "upgrade"):
		o.upgrade = true
	default:
		for i := range f.list {
			if l := &f.list[i]; !endToEnd.has(l.id) && equalFoldBytes(f.name(l), option) {
				l.named = true
			}
		}
	}
}

// persistent says whether the sender means to keep the connection (RFC 9112 §9.3).
func (o options) persistent(version uint8) bool {
	return !o.close && (version >= 11 || o.keepAlive)
}

// tunnels reports whether a protocol of Upgrade can be passed through. HTTP itself and TLS cannot: whoever switched to
// them would speak to the origin past every check of ours.
func tunnels(protocol []byte) bool {
	name := protocol
	for i, c := range protocol {
		if c == '/' {
			if !isTokenText(protocol[i+1:]) {
				return false
			}
			name = protocol[:i]
			break
		}
	}
	return isTokenText(name) && !equalFold(name, "h2c") && !equalFold(name, "h2") &&
		!equalFold(name, "http") && !equalFold(name, "tls")
}

// upgrades reports whether an Upgrade field names a protocol that can be passed through.
func (f *Fields) upgrades() bool {
	for i := range f.list {
		l := &f.list[i]
		if l.id != idUpgrade {
			continue
		}
		for rest := f.value(l); len(rest) > 0; {
			var protocol []byte
			if protocol, rest = nextElement(rest); tunnels(protocol) {
				return true
			}
		}
	}
	return false
}

// offers reports whether an Upgrade field names this protocol.
func (f *Fields) offers(protocol []byte) bool {
	for i := range f.list {
		l := &f.list[i]
		if l.id != idUpgrade {
			continue
		}
		for rest := f.value(l); len(rest) > 0; {
			var offered []byte
			if offered, rest = nextElement(rest); equalFoldBytes(offered, protocol) {
				return true
			}
		}
	}
	return false
}

// appendUpgrade writes an Upgrade line with the protocols that can be passed through, as received if that is all.
func (f *Fields) appendUpgrade(dst []byte, l *field) []byte {
	wrote := false
	for rest := f.value(l); len(rest) > 0; {
		var protocol []byte
		if protocol, rest = nextElement(rest); !tunnels(protocol) {
			continue
		}
		if wrote {
			dst = append(dst, ", "...)
		} else {
			dst = append(append(dst, f.name(l)...), ": "...)
		}
		dst = append(dst, protocol...)
		wrote = true
	}
	if wrote {
		dst = append(dst, "\r\n"...)
	}
	return dst
}
