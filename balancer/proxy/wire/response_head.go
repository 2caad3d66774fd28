package wire

// Persist is what an answer tells the client about its connection.
type Persist uint8

const (
	PersistSilent Persist = iota // nothing: HTTP/1.1 connections stay open
	PersistClose                 // Connection: close
	PersistKeep                  // Connection: keep-alive, which HTTP/1.0 clients wait for
)

// ResponseEdits is what a gateway knows about an answer that its bytes do not say. Texts are written as they are.
type ResponseEdits struct {
	Date    []byte  // for Date where the origin sent none; nil adds none. Interim answers never get one.
	Ray     []byte  // replaces CF-Ray; nil leaves the origin's own
	Persist Persist // what to say about the connection
	Reframe Reframe // how the body's framing changes
	Extra   []byte  // more field lines, each with its CRLF
}

// responseFates. Transfer-Encoding is hop-by-hop too, but the body goes on in the same chunks unless it is reframed.
// Proxy-Authenticate and Proxy-Authentication-Info stay: we ask for no credentials, so they can only be the origin's
// word to the client. X-Accel-*: as at Cloudflare (behaviour A1). Weir-*: ours alone.
var responseFates = [ids]fate{
	idConnection:       cut,
	idKeepAlive:        cut,
	idProxyConnection:  cut,
	idTE:               cut,
	idHTTP2Settings:    cut,
	idAccel:            cut,
	idWeir:             cut,
	idContentLength:    editFraming,
	idTransferEncoding: editFraming,
	idUpgrade:          editUpgrade,
}

// AppendHead appends the head that the client must see, behaviour A1 to A7: HTTP/1.1 with the origin's code and phrase
// (RFC 9112 §2.3: the version is the sender's own), its fields in their order and case without those of the last hop,
// then ours. Upgrade stays on 101 and 426 only. Content-Length and Transfer-Encoding are cut from 1xx and 204, which
// must not have them (RFC 9110 §8.6, RFC 9112 §6.1). The answer must have been accepted by Parse.
func (r *Response) AppendHead(dst []byte, e *ResponseEdits) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = append(dst, byte('0'+r.Status/100), byte('0'+r.Status/10%10), byte('0'+r.Status%10), ' ')
	dst = append(append(dst, r.Reason...), "\r\n"...)
	drop := r.drops(e)
	from, upgrade := r.fieldsStart(), false
	for i := range r.list {
		l := &r.list[i]
		fate, dropped := responseFates[l.id], l.named || drop.has(l.id)
		if !dropped && (fate == keep || fate == editFraming && r.plain(l)) {
			continue
		}
		dst = append(dst, r.head[from:l.start]...)
		from = int(l.end)
		switch {
		case dropped:
		case fate == editFraming:
			dst = r.appendFraming(dst, l)
		case fate == editUpgrade && r.announces():
			before := len(dst)
			dst = r.appendUpgrade(dst, l)
			upgrade = upgrade || len(dst) > before
		}
	}
	dst = append(dst, r.head[from:len(r.head)-len("\r\n")]...)
	return r.appendOurs(dst, e, upgrade)
}

// announces reports whether Upgrade means something to the client: what is spoken from now on, or what would be
// accepted instead (RFC 9110 §15.5.22).
func (r *Response) announces() bool { return r.Status == 101 || r.Status == 426 }

// drops are the fields that this answer in particular loses.
func (r *Response) drops(e *ResponseEdits) (drop idSet) {
	if r.bodiless {
		drop |= set(idContentLength, idTransferEncoding)
	}
	if e.Reframe == CloseDelimited {
		drop |= set(idTransferEncoding, idTrailer)
	}
	if e.Ray != nil {
		drop |= set(idRay)
	}
	return drop
}

// appendOurs writes our own fields and the blank line.
func (r *Response) appendOurs(dst []byte, e *ResponseEdits, upgrade bool) []byte {
	if len(e.Date) > 0 && !r.HasDate && r.Status >= 200 {
		dst = append(append(append(dst, "Date: "...), e.Date...), "\r\n"...)
	}
	if len(e.Ray) > 0 {
		dst = append(append(append(dst, "CF-Ray: "...), e.Ray...), "\r\n"...)
	}
	if e.Reframe == Rechunk {
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	}
	dst = append(dst, "Via: 1."...)
	dst = append(dst, r.minor, ' ')
	dst = append(append(dst, "weir\r\n"...), e.Extra...)
	dst = appendConnection(dst, e.Persist, upgrade)
	return append(dst, "\r\n"...)
}

func appendConnection(dst []byte, p Persist, upgrade bool) []byte {
	switch {
	case p == PersistClose && upgrade:
		return append(dst, "Connection: close, Upgrade\r\n"...)
	case p == PersistKeep && upgrade:
		return append(dst, "Connection: keep-alive, Upgrade\r\n"...)
	case upgrade:
		return append(dst, "Connection: Upgrade\r\n"...)
	case p == PersistClose:
		return append(dst, "Connection: close\r\n"...)
	case p == PersistKeep:
		return append(dst, "Connection: keep-alive\r\n"...)
	}
	return dst
}
