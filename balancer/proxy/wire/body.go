package wire

import (
	"math"
	"strconv"
)

const (
	// maxChunkExtension bounds the extensions of one chunk, maxChunkExtensions those of a whole body: nobody reads
	// them, so they are a way to make us work for nothing (RFC 9112 §7.1.1).
	maxChunkExtension  = 256
	maxChunkExtensions = 16 << 10
	maxSizeDigits      = 16
	maxTrailerName     = 32 // longer names are none of those that a trailer may not carry
)

// Body finds where one message body ends, as its bytes come by in pieces of any size. Its verdict does not depend on how
// they are cut.
type Body struct {
	framing Framing
	state   bodyState
	cause   Cause
	left    int64 // of the counted body, or of the current chunk's data
	lim     Limits

	digits                byte
	extension, extensions int // length of this chunk's extensions, and of all so far
	trailer, line, fields int // length of the trailer section, of its current line; its lines
	name                  [maxTrailerName]byte
}

type bodyState uint8

const (
	bodyData bodyState = iota // counted or until-close data
	bodyDone
	bodyBad
	chunkSize
	chunkExtBlank     // white space before a ; which must follow
	chunkExtName      // white space or the name's first byte
	chunkExtNameMore  // the rest of the name
	chunkExtNameBlank // white space after the name: = or ; must follow
	chunkExtValue     // white space or the value's first byte
	chunkExtToken
	chunkExtQuoted
	chunkExtQuotedPair
	chunkExtQuotedEnd // after the closing quote
	chunkSizeLF
	chunkData
	chunkDataCR
	chunkDataLF
	trailerStart
	trailerName
	trailerValue
	trailerLF
	trailerEndLF
)

// Reset makes b ready for the body that follows a head with this framing. length counts with Length only.
func (b *Body) Reset(framing Framing, length int64, lim Limits) {
	*b = Body{framing: framing, lim: lim}
	switch framing {
	case None:
		b.state = bodyDone
	case Length:
		if length < 0 {
			panic("BUG: wire: a body of negative length")
		}
		if b.left = length; length == 0 {
			b.state = bodyDone
		}
	case Chunked:
		b.state = chunkSize
	case UntilClose:
		b.left = math.MaxInt64
	default:
		panic("BUG: wire: unknown framing")
	}
}

// Done reports whether the body has ended by its own framing. A body up to the close never does.
func (b *Body) Done() bool { return b.state == bodyDone }

// Complete reports whether the end of the connection here would be a legal end of the message; otherwise the message is
// cut short and must not look whole to anyone (RFC 9112 §8).
func (b *Body) Complete() bool { return b.Done() || b.framing == UntilClose }

// Scan takes the next bytes of the connection and returns how many of them belong to this body, framing included, and
// whether it ends there. Bytes after the end are another message's. On a cause the first n bytes were still in order
// and b is of no more use; later calls repeat the cause.
func (b *Body) Scan(p []byte) (n int, done bool, cause Cause) {
	for n < len(p) && b.state != bodyDone && b.state != bodyBad {
		_, used := b.step(p[n:])
		n += used
	}
	return n, b.Done(), b.cause
}

// Next is Scan for callers that need the data without its framing: it stops after the first piece of data, a part of p,
// and returns how many bytes were used up to its end. Call it again with the rest while n < len(p) and neither done nor
// cause says stop.
func (b *Body) Next(p []byte) (data []byte, n int, done bool, cause Cause) {
	for n < len(p) && len(data) == 0 && b.state != bodyDone && b.state != bodyBad {
		var used int
		data, used = b.step(p[n:])
		n += used
	}
	return data, n, b.Done(), b.cause
}

// AppendChunk appends data as one chunk. Empty data appends nothing: a chunk of no bytes would be the last one.
func AppendChunk(dst, data []byte) []byte {
	if len(data) == 0 {
		return dst
	}
	return append(append(AppendChunkSize(dst, int64(len(data))), data...), "\r\n"...)
}

// AppendChunkSize appends the line before n > 0 bytes of data; ChunkEnd must follow them. It serves callers that write
// the data from where it is.
func AppendChunkSize(dst []byte, n int64) []byte {
	return append(strconv.AppendInt(dst, n, 16), "\r\n"...)
}

const (
	ChunkEnd  = "\r\n"      // after the data of a chunk
	LastChunk = "0\r\n\r\n" // ends a chunked body without a trailer
)

// step moves over a run of data, or over one byte of framing. It uses at least one byte unless it finds a fault.
func (b *Body) step(p []byte) (data []byte, used int) {
	switch b.state {
	case bodyData, chunkData:
		n := int(min(b.left, int64(len(p))))
		b.take(n)
		return p[:n], n
	}
	if cause := b.frame(p[0]); cause != OK {
		b.state, b.cause = bodyBad, cause
		return nil, 0
	}
	return nil, 1
}

// take counts n bytes of data.
func (b *Body) take(n int) {
	if b.framing == UntilClose {
		return
	}
	if b.left -= int64(n); b.left > 0 {
		return
	}
	b.state = bodyDone
	if b.framing == Chunked {
		b.state = chunkDataCR
	}
}

// frame judges one byte of chunked framing.
func (b *Body) frame(c byte) Cause {
	switch b.state {
	case chunkSize:
		return b.size(c)
	case chunkSizeLF:
		return b.sizeEnd(c)
	case chunkDataCR:
		return b.expect(c, '\r', chunkDataLF, BadChunkEnd)
	case chunkDataLF:
		b.digits, b.extension = 0, 0
		return b.expect(c, '\n', chunkSize, BadChunkEnd)
	case trailerStart, trailerName, trailerValue, trailerLF, trailerEndLF:
		return b.trailerByte(c)
	}
	if c != '\r' {
		b.extension++
		b.extensions++
	}
	if b.extension > maxChunkExtension || b.extensions > maxChunkExtensions {
		return ChunkExtensionTooLong
	}
	return b.extend(c)
}

func (b *Body) expect(c, want byte, next bodyState, otherwise Cause) Cause {
	if c != want {
		return otherwise
	}
	b.state = next
	return OK
}

// size reads 1*HEXDIG and what may follow it.
func (b *Body) size(c byte) Cause {
	if class[c]&isHex != 0 {
		b.digits++
		if b.digits > maxSizeDigits || b.left > math.MaxInt64>>4 {
			return BadChunkSize
		}
		b.left = b.left<<4 | int64(hexDigit(c))
		return OK
	}
	if b.digits == 0 {
		return BadChunkSize
	}
	switch c {
	case '\r':
		b.state = chunkSizeLF
	case ';':
		b.state = chunkExtName
	case ' ', '\t':
		b.state = chunkExtBlank
	case '\n':
		return BadLineEnd
	default:
		return BadChunkSize
	}
	return OK
}

func hexDigit(c byte) byte {
	if class[c]&isDigit != 0 {
		return c - '0'
	}
	return lower[c] - 'a' + 10
}

func (b *Body) sizeEnd(c byte) Cause {
	next := chunkData
	if b.left == 0 {
		next = trailerStart
	}
	return b.expect(c, '\n', next, BadLineEnd)
}

// extend reads *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ), RFC 9112 §7.1.1.
func (b *Body) extend(c byte) Cause {
	token := class[c]&isToken != 0
	blank := c == ' ' || c == '\t'
	switch s := b.state; {
	case s == chunkExtQuoted && c == '"':
		b.state = chunkExtQuotedEnd
	case s == chunkExtQuoted && c == '\\':
		b.state = chunkExtQuotedPair
	case s == chunkExtQuoted || s == chunkExtQuotedPair:
		if c < ' ' && c != '\t' || c == 0x7f {
			return b.badExtension(c)
		}
		b.state = chunkExtQuoted
	case token && (s == chunkExtName || s == chunkExtNameMore):
		b.state = chunkExtNameMore
	case token && (s == chunkExtValue || s == chunkExtToken):
		b.state = chunkExtToken
	case c == '"' && s == chunkExtValue:
		b.state = chunkExtQuoted
	case c == '=' && (s == chunkExtNameMore || s == chunkExtNameBlank):
		b.state = chunkExtValue
	case c == ';' && s != chunkExtName && s != chunkExtValue:
		b.state = chunkExtName
	case c == '\r' && (s == chunkExtNameMore || s == chunkExtToken || s == chunkExtQuotedEnd):
		b.state = chunkSizeLF
	case blank && (s == chunkExtNameMore || s == chunkExtNameBlank):
		b.state = chunkExtNameBlank
	case blank && (s == chunkExtToken || s == chunkExtQuotedEnd || s == chunkExtBlank):
		b.state = chunkExtBlank
	case blank && (s == chunkExtName || s == chunkExtValue):
	default:
		return b.badExtension(c)
	}
	return OK
}

// badExtension tells a stray line end from other bytes outside the grammar.
func (b *Body) badExtension(c byte) Cause {
	if c == '\n' {
		return BadLineEnd
	}
	return BadChunkExtension
}

// trailerByte reads *( field-line CRLF ) CRLF.
func (b *Body) trailerByte(c byte) Cause {
	switch {
	case b.state == trailerStart && c == '\r':
		b.state = trailerEndLF
		return OK
	case b.state == trailerEndLF:
		return b.expect(c, '\n', bodyDone, BadLineEnd)
	}
	if b.trailer++; b.trailer > b.lim.Header {
		return TrailerTooLong
	}
	switch b.state {
	case trailerStart:
		b.line = 0
		if b.fields++; b.fields > b.lim.Fields {
			return TooManyFields
		}
		b.state = trailerName
		return b.trailerNameByte(c)
	case trailerName:
		return b.trailerNameByte(c)
	case trailerValue:
		return b.trailerValueByte(c)
	case trailerLF:
		return b.expect(c, '\n', trailerStart, BadLineEnd)
	}
	panic("BUG: wire: no trailer state")
}

func (b *Body) trailerNameByte(c byte) Cause {
	switch {
	case c == ':' && b.line > 0:
		if b.forbidden() {
			return ForbiddenTrailer
		}
		b.state = trailerValue
	case class[c]&isToken == 0:
		return b.badTrailerName(c)
	case b.line < len(b.name):
		b.name[b.line] = c
	}
	return b.count()
}

func (b *Body) badTrailerName(c byte) Cause {
	blank := c == ' ' || c == '\t'
	switch {
	case blank && b.line == 0:
		return Folded
	case blank:
		return SpaceBeforeColon
	case c == '\n':
		return BadLineEnd
	}
	return BadFieldName
}

func (b *Body) trailerValueByte(c byte) Cause {
	switch {
	case c == '\r':
		b.state = trailerLF
		return OK
	case c == '\n':
		return BadLineEnd
	case c < ' ' && c != '\t' || c == 0x7f:
		return ControlByte
	}
	return b.count()
}

// count adds a byte to the current trailer line.
func (b *Body) count() Cause {
	if b.line++; b.line > b.lim.Field {
		return FieldTooLong
	}
	return OK
}

// notInTrailer are the fields that RFC 9110 §6.5.1 keeps out of trailers and that we know: framing, routing, the
// connection, and everything that says who asks. Trailers go on byte for byte, so they can only be refused.
var notInTrailer = set(idHost, idContentLength, idTransferEncoding, idConnection, idKeepAlive, idProxyConnection,
	idProxyAuthorization, idTE, idTrailer, idUpgrade, idHTTP2Settings, idExpect, idMaxForwards, idVia, idCDNLoop,
	idForwardedFor, idForwardedProto, idConnectingIP, idConnectingIPv6, idPseudoIPv4, idVisitor, idRay, idCountry,
	idRealIP, idTrueClientIP, idCookie, idAccel, idWeir)

func (b *Body) forbidden() bool {
	if b.line > len(b.name) {
		return equalFold(b.name[:len(weirPrefix)], weirPrefix)
	}
	return notInTrailer.has(identify(b.name[:b.line]))
}
