package origin

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// maxHead bounds what one request head may hold; it is far above what the proxies under test allow.
const maxHead = 1 << 20

// Field is one header or trailer field as it was on the wire, the value without the white space around it.
type Field struct {
	Name, Value string
}

// Fields keeps fields in their order.
type Fields []Field

// F builds Fields from names and values in turn: F("Content-Type", "text/plain", "X-A", "1").
func F(namesAndValues ...string) Fields {
	if len(namesAndValues)%2 != 0 {
		panic("BUG: origin.F wants names and values in pairs")
	}
	var fields Fields
	for i := 0; i < len(namesAndValues); i += 2 {
		fields = append(fields, Field{namesAndValues[i], namesAndValues[i+1]})
	}
	return fields
}

// Get returns the first value of a field, without regard to case, or "".
func (f Fields) Get(name string) string {
	for _, field := range f {
		if strings.EqualFold(field.Name, name) {
			return field.Value
		}
	}
	return ""
}

// Values returns every value of a field in the order of its lines.
func (f Fields) Values(name string) []string {
	var values []string
	for _, field := range f {
		if strings.EqualFold(field.Name, name) {
			values = append(values, field.Value)
		}
	}
	return values
}

// Has says whether a field is there, be it empty.
func (f Fields) Has(name string) bool {
	for _, field := range f {
		if strings.EqualFold(field.Name, name) {
			return true
		}
	}
	return false
}

// hasToken says whether a comma-separated field lists a token.
func (f Fields) hasToken(name, token string) bool {
	for _, value := range f.Values(name) {
		for part := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.Trim(part, " \t"), token) {
				return true
			}
		}
	}
	return false
}

func (f Fields) append(dst []byte) []byte {
	for _, field := range f {
		dst = append(dst, field.Name...)
		dst = append(dst, ": "...)
		dst = append(dst, field.Value...)
		dst = append(dst, "\r\n"...)
	}
	return dst
}

// Request is one request head as it arrived. It does not change after the handler got it.
type Request struct {
	Number       int64  // of this origin, from 1
	Connection   int64  // number of the connection, from 1
	OnConnection int    // number of the request on its connection, from 1
	Head         []byte // raw, with the empty line
	Method       string
	Target       string // as on the wire
	Path         string // Target up to the question mark
	Query        string
	Version      string // HTTP/1.0 or HTTP/1.1
	Fields       Fields
	Length       int64 // of the body; -1 when chunked
	Remote       netip.AddrPort
	ServerName   string // what TLS asked for, "" without TLS or without SNI
	TLS          bool
}

// Chunked says whether the body is framed in chunks.
func (r *Request) Chunked() bool { return r.Length < 0 }

// keepAlive says whether the client lets the connection live after this request.
func (r *Request) keepAlive() bool {
	if r.Version == "HTTP/1.0" {
		return r.Fields.hasToken("Connection", "keep-alive")
	}
	return !r.Fields.hasToken("Connection", "close")
}

// errMalformed marks what a careful server refuses with 400.
var errMalformed = errors.New("malformed request")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errMalformed, fmt.Sprintf(format, args...))
}

// readHead reads one raw head with its empty line. What was read so far comes back with the error.
func readHead(br *bufio.Reader) ([]byte, error) {
	var head []byte
	for {
		part, err := br.ReadSlice('\n')
		head = append(head, part...)
		switch {
		case len(head) > maxHead:
			return head, malformed("a head of more than %d bytes", maxHead)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return head, err
		case bytes.HasSuffix(head, []byte("\r\n\r\n")), bytes.Equal(head, []byte("\r\n")):
			return head, nil
		}
	}
}

// parseHead is deliberately strict: it accepts what RFC 9112 lets a sender send, not what it lets a receiver tolerate.
func parseHead(head []byte) (*Request, error) {
	text := strings.TrimSuffix(string(head), "\r\n\r\n")
	lines := strings.Split(text, "\r\n")
	for _, line := range lines {
		if strings.ContainsAny(line, "\r\n\x00") {
			return nil, malformed("a bare CR, LF or NUL in %q", line)
		}
	}
	r := &Request{Head: head}
	if err := r.parseRequestLine(lines[0]); err != nil {
		return nil, err
	}
	fields, err := parseFields(lines[1:])
	if err != nil {
		return nil, err
	}
	r.Fields = fields
	if hosts := len(r.Fields.Values("Host")); hosts > 1 || hosts == 0 && r.Version == "HTTP/1.1" {
		return nil, malformed("%d Host fields", hosts)
	}
	if err := r.parseFraming(); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Request) parseRequestLine(line string) error {
	parts := strings.Split(line, " ")
	if len(parts) != 3 || !isToken(parts[0]) || parts[1] == "" || strings.Contains(parts[1], "\t") {
		return malformed("request line %q", line)
	}
	r.Method, r.Target, r.Version = parts[0], parts[1], parts[2]
	if r.Version != "HTTP/1.1" && r.Version != "HTTP/1.0" {
		return malformed("version %q", r.Version)
	}
	r.Path, r.Query, _ = strings.Cut(r.Target, "?")
	return nil
}

func parseFields(lines []string) (Fields, error) {
	fields := make(Fields, 0, len(lines))
	for _, line := range lines {
		name, value, found := strings.Cut(line, ":")
		if !found || !isToken(name) {
			return nil, malformed("field %q", line)
		}
		value = strings.Trim(value, " \t")
		if strings.ContainsFunc(value, isControl) {
			return nil, malformed("a control character in the value of %s", name)
		}
		fields = append(fields, Field{name, value})
	}
	return fields, nil
}

func (r *Request) parseFraming() error {
	lengths, codings := r.Fields.Values("Content-Length"), r.Fields.Values("Transfer-Encoding")
	switch {
	case len(lengths) > 0 && len(codings) > 0:
		return malformed("both Content-Length and Transfer-Encoding")
	case len(lengths) > 1 || len(codings) > 1:
		return malformed("a framing field given twice")
	case len(codings) == 1:
		if r.Version == "HTTP/1.0" || !strings.EqualFold(codings[0], "chunked") {
			return malformed("Transfer-Encoding %q in %s", codings[0], r.Version)
		}
		r.Length = -1
	case len(lengths) == 1:
		n, err := strconv.ParseUint(lengths[0], 10, 63)
		if err != nil {
			return malformed("Content-Length %q", lengths[0])
		}
		r.Length = int64(n)
	}
	return nil
}

func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		alphanumeric := c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		return !alphanumeric && !strings.ContainsRune("!#$%&'*+-.^_`|~", c)
	})
}

func isControl(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }

// body reads a request's body and nothing beyond it. It remembers how it ended.
type body struct {
	br      *bufio.Reader
	left    int64 // of the current chunk, or of the whole body
	chunked bool
	begun   bool // past the first chunk's size line
	done    bool
	err     error
	trailer Fields

	beforeRead func() error // sends 100 Continue; nil afterwards
	onDone     func()
}

func newBody(br *bufio.Reader, length int64) *body {
	return &body{br: br, left: max(length, 0), chunked: length < 0}
}

// Read returns io.EOF only at the body's true end; a truncated body is io.ErrUnexpectedEOF.
func (b *body) Read(p []byte) (int, error) {
	if b.done {
		return 0, io.EOF
	}
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.read(p)
	switch {
	case errors.Is(err, io.EOF):
		b.done = true
		if b.onDone != nil {
			b.onDone()
		}
	case err != nil:
		b.err = err
	}
	return n, err
}

func (b *body) read(p []byte) (int, error) {
	if b.beforeRead != nil {
		if err := b.beforeRead(); err != nil {
			return 0, err
		}
		b.beforeRead = nil
	}
	if b.left == 0 {
		if !b.chunked {
			return 0, io.EOF
		}
		if err := b.nextChunk(); err != nil {
			return 0, err
		}
	}
	n, err := b.br.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// nextChunk reads up to the data of the next chunk; io.EOF says that the last chunk and the trailer were read.
func (b *body) nextChunk() error {
	if b.begun {
		if line, err := b.line(); err != nil || line != "" {
			return cmp.Or(err, malformed("chunk data followed by %q", line))
		}
	}
	b.begun = true
	line, err := b.line()
	if err != nil {
		return err
	}
	size, _, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(size, 16, 63)
	if err != nil {
		return malformed("chunk size %q", line)
	}
	if n > 0 {
		b.left = int64(n)
		return nil
	}
	return b.readTrailer()
}

func (b *body) readTrailer() error {
	var lines []string
	for total := 0; ; {
		line, err := b.line()
		if err != nil {
			return err
		}
		if line == "" {
			break
		}
		if total += len(line); total > maxHead {
			return malformed("a trailer of more than %d bytes", maxHead)
		}
		lines = append(lines, line)
	}
	trailer, err := parseFields(lines)
	if err != nil {
		return err
	}
	b.trailer = trailer
	return io.EOF
}

func (b *body) line() (string, error) {
	line, err := b.br.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", malformed("a line of more than %d bytes in a chunked body", b.br.Size())
	case errors.Is(err, io.EOF):
		return "", io.ErrUnexpectedEOF
	case err != nil:
		return "", err
	}
	text, found := strings.CutSuffix(string(line), "\r\n")
	if !found {
		return "", malformed("a bare LF in a chunked body")
	}
	return text, nil
}
