package origin

import (
	"cmp"
	"crypto/sha1" //nolint:gosec // RFC 6455 §4.2.2 prescribes it
	"encoding/base64"
	"encoding/binary"
	"io"
	"net/http"
)

// Upgrade answers 101 with the protocol that the client asked for and echoes every byte until the client has no more;
// then it closes.
func Upgrade(fields Fields) Action {
	return func(x *Exchange) error {
		if err := x.switchProtocols(fields); err != nil {
			return err
		}
		_, err := io.CopyBuffer(writerOnly{x}, readerOnly{x.conn.br}, make([]byte, 32<<10))
		return cmp.Or(err, ErrClose)
	}
}

type readerOnly struct{ io.Reader }

func (x *Exchange) switchProtocols(fields Fields) error {
	protocol := x.Request.Fields.Get("Upgrade")
	if protocol == "" || !x.Request.Fields.hasToken("Connection", "upgrade") {
		return cmp.Or(Answer(http.StatusUpgradeRequired, F("Connection", "close"), "this path upgrades\n")(x), ErrClose)
	}
	head := x.head(http.StatusSwitchingProtocols, append(F("Upgrade", protocol, "Connection", "Upgrade"), fields...))
	_, err := x.Write(append(head, "\r\n"...))
	return err
}

// WebSocket answers a handshake as RFC 6455 §4.2.2 asks and echoes frames, unmasked, as they come, without regard to
// their kind but for two: a ping becomes a pong, and a close ends the connection once it is echoed.
func WebSocket() Action {
	return func(x *Exchange) error {
		if err := x.switchProtocols(F("Sec-WebSocket-Accept", AcceptKey(x.Request.Fields.Get("Sec-WebSocket-Key")))); err != nil {
			return err
		}
		buf := make([]byte, 32<<10)
		for {
			opcode, err := x.echoFrame(buf)
			if err != nil {
				return err
			}
			if opcode == opClose {
				return ErrClose
			}
		}
	}
}

// AcceptKey is the Sec-WebSocket-Accept that belongs to a Sec-WebSocket-Key.
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // RFC 6455 §4.2.2 prescribes it
	return base64.StdEncoding.EncodeToString(sum[:])
}

const (
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xa
)

// echoFrame copies one frame of any length through buf.
func (x *Exchange) echoFrame(buf []byte) (opcode byte, err error) {
	header, key, left, err := readFrameHeader(x.conn.br)
	if err != nil {
		return 0, err
	}
	opcode = header[0] & 0x0f
	if opcode == opPing {
		header[0] = header[0]&^0x0f | opPong
	}
	out := header
	for at := uint64(0); ; {
		n, err := io.ReadFull(x.conn.br, buf[:min(uint64(len(buf)), left)])
		if err != nil {
			return 0, err
		}
		for i := range buf[:n] {
			buf[i] ^= key[(at+uint64(i))%4]
		}
		if _, err := x.Write(append(out, buf[:n]...)); err != nil {
			return 0, err
		}
		at, left, out = at+uint64(n), left-uint64(n), nil
		if left == 0 {
			return opcode, nil
		}
	}
}

// readFrameHeader returns the header as a server sends it back (without mask), the client's key and the payload's length.
func readFrameHeader(r io.Reader) (header []byte, key [4]byte, length uint64, err error) {
	header = make([]byte, 2, 10)
	if _, err = io.ReadFull(r, header); err != nil {
		return nil, key, 0, err
	}
	masked := header[1]&0x80 != 0
	header[1] &= 0x7f
	length = uint64(header[1])
	switch length {
	case 126:
		header = header[:4]
		_, err = io.ReadFull(r, header[2:])
		length = uint64(binary.BigEndian.Uint16(header[2:]))
	case 127:
		header = header[:10]
		_, err = io.ReadFull(r, header[2:])
		length = binary.BigEndian.Uint64(header[2:])
	}
	if err == nil && masked {
		_, err = io.ReadFull(r, key[:])
	}
	return header, key, length, err
}
