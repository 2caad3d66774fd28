package wire

import "strconv"

// Edits is what a gateway knows about a request that its bytes do not say. Texts are written as they are: they come
// from us, never from a message.
type Edits struct {
	Host     string // replaces the request's own host; "" keeps it
	ClientIP []byte // the resolved client, for CF-Connecting-IP
	PeerIP   []byte // the socket's peer, for X-Forwarded-For
	Proto    string // "http" or "https": how the client came
	Ray      []byte // for CF-Ray; nil adds none
	Country  string // for CF-IPCountry; "" adds none
	Upgrade  bool   // pass the upgrade on, if Request.Upgrade
}

// fate is what becomes of a field on its way.
type fate uint8

const (
	keep        fate = iota // as received
	cut                     // not sent on
	editFraming             // in its plainest form
	editHost                // replaced in place, when there is another host
	editForward             // X-Forwarded-For: joined in place of the first line
	editUpgrade             // kept when an upgrade is passed on
	editExpect              // kept unless HTTP/1.0
	editMax                 // Max-Forwards: one less
)

// requestFates. Where it says cut for another reason than being replaced by ours:
//   - Connection, Keep-Alive, Proxy-Connection, TE, HTTP2-Settings: RFC 9110 §7.6.1. Transfer-Encoding belongs there
//     too, but the body goes on in the same chunks.
//   - Proxy-Authorization: meant for the first proxy that asked for it (RFC 9110 §11.7.2). We asked for none, and an
//     origin must not learn a proxy's credentials.
//   - X-Real-IP: as at Cloudflare (behaviour Q10). True-Client-IP, CF-Connecting-IPv6, CF-Pseudo-IPv4: Cloudflare
//     writes them, so an origin would take a client's own for ours.
//   - Weir-*: addressed to us (behaviour Q9).
var requestFates = [ids]fate{
	idConnection:         cut,
	idKeepAlive:          cut,
	idProxyConnection:    cut,
	idProxyAuthorization: cut,
	idTE:                 cut,
	idHTTP2Settings:      cut,
	idConnectingIP:       cut,
	idConnectingIPv6:     cut,
	idPseudoIPv4:         cut,
	idForwardedProto:     cut,
	idVisitor:            cut,
	idRay:                cut,
	idCountry:            cut,
	idRealIP:             cut,
	idTrueClientIP:       cut,
	idWeir:               cut,
	idContentLength:      editFraming,
	idTransferEncoding:   editFraming,
	idHost:               editHost,
	idForwardedFor:       editForward,
	idUpgrade:            editUpgrade,
	idExpect:             editExpect,
	idMaxForwards:        editMax,
}

// AppendHead appends the head that an origin must see, behaviour Q1 to Q11: the target in origin form, HTTP/1.1, the
// client's fields in their order and case without those of the last hop, then ours. Host and X-Forwarded-For are
// replaced where they stand. Via and CDN-Loop get a line of their own at the end, which is the end of the list. The
// request must have been accepted by Parse.
func (r *Request) AppendHead(dst []byte, e *Edits) []byte {
	dst = r.appendLine(dst)
	if !r.hostLine {
		dst = append(r.appendHost(append(dst, "Host"...), e), "\r\n"...)
	}
	from, forwarded := r.fieldsStart(), false
	for i := range r.list {
		l := &r.list[i]
		if !l.named && r.keeps(l, e) {
			continue
		}
		dst = append(dst, r.head[from:l.start]...)
		from = int(l.end)
		if l.named {
			continue
		}
		first := l.id == idForwardedFor && !forwarded
		forwarded = forwarded || first
		dst = r.appendEdited(dst, l, e, first)
	}
	dst = append(dst, r.head[from:len(r.head)-len("\r\n")]...)
	return r.appendOurs(dst, e, forwarded)
}

// keeps reports whether a field goes on as received.
func (r *Request) keeps(l *field, e *Edits) bool {
	switch requestFates[l.id] {
	case keep:
		return true
	case editFraming:
		return r.plain(l)
	case editHost:
		return e.Host == "" && r.Form != AbsoluteForm
	case editExpect:
		return r.Version >= 11
	case editMax:
		return r.MaxForwards < 0
	}
	return false
}

// appendEdited writes what stands in the place of a field that is not kept, perhaps nothing.
func (r *Request) appendEdited(dst []byte, l *field, e *Edits, firstForwarded bool) []byte {
	switch requestFates[l.id] {
	case editFraming:
		return r.appendFraming(dst, l)
	case editHost:
		return append(r.appendHost(append(dst, r.name(l)...), e), "\r\n"...)
	case editForward:
		if firstForwarded {
			return r.appendForwarded(append(dst, r.name(l)...), e)
		}
	case editUpgrade:
		if e.Upgrade && r.Upgrade {
			return r.appendUpgrade(dst, l)
		}
	case editMax:
		dst = append(append(dst, r.name(l)...), ": "...)
		return append(strconv.AppendInt(dst, int64(max(r.MaxForwards-1, 0)), 10), "\r\n"...)
	}
	return dst
}

// fieldsStart is where the field section begins in the head.
func (f *Fields) fieldsStart() int {
	if len(f.list) == 0 {
		return len(f.head) - len("\r\n")
	}
	return int(f.list[0].start)
}

func (r *Request) appendLine(dst []byte) []byte {
	dst = append(append(dst, r.Method...), ' ')
	if r.Form == AbsoluteForm {
		dst = append(dst, r.Path...)
		if r.HasQuery {
			dst = append(append(dst, '?'), r.Query...)
		}
	} else {
		dst = append(dst, r.Target...)
	}
	return append(dst, " HTTP/1.1\r\n"...)
}

func (r *Request) appendHost(dst []byte, e *Edits) []byte {
	dst = append(dst, ": "...)
	if e.Host != "" {
		return append(dst, e.Host...)
	}
	return append(dst, r.Host...)
}

// appendForwarded writes the value of X-Forwarded-For (behaviour Q3): all incoming lines joined, then the peer; with
// nothing incoming, the resolved client. Only values that are not empty count.
func (r *Request) appendForwarded(dst []byte, e *Edits) []byte {
	dst = append(dst, ": "...)
	start := len(dst)
	for i := range r.list {
		if l := &r.list[i]; l.id == idForwardedFor && l.valueEnd > l.valueStart {
			dst = append(append(dst, r.value(l)...), ',')
		}
	}
	if len(dst) == start {
		dst = append(dst, e.ClientIP...)
	} else {
		dst = append(dst, e.PeerIP...)
	}
	return append(dst, "\r\n"...)
}

// appendOurs writes our own fields and the blank line.
func (r *Request) appendOurs(dst []byte, e *Edits, forwarded bool) []byte {
	if e.Upgrade && r.Upgrade {
		dst = append(dst, "Connection: Upgrade\r\n"...)
	}
	dst = append(append(append(dst, "CF-Connecting-IP: "...), e.ClientIP...), "\r\n"...)
	if !forwarded {
		dst = r.appendForwarded(append(dst, "X-Forwarded-For"...), e)
	}
	dst = append(append(append(dst, "X-Forwarded-Proto: "...), e.Proto...), "\r\nCF-Visitor: {\"scheme\":\""...)
	dst = append(append(dst, e.Proto...), "\"}\r\n"...)
	if len(e.Ray) > 0 {
		dst = append(append(append(dst, "CF-Ray: "...), e.Ray...), "\r\n"...)
	}
	if e.Country != "" {
		dst = append(append(append(dst, "CF-IPCountry: "...), e.Country...), "\r\n"...)
	}
	dst = append(append(dst, "CDN-Loop: cloudflare\r\nVia: 1."...), r.minor)
	return append(dst, " weir\r\n\r\n"...)
}
