package rules

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const spaces = " \t\r\n"

// lexer reads a condition from left to right. It is asked for one token at a time, because what a quote begins depends on
// where it stands.
type lexer struct {
	text string
	pos  int
}

// kind of a token.
type tokenKind uint8

const (
	end tokenKind = iota
	word
	symbol
	quote // the beginning of a string; its text is "" until someone reads it
	strange
)

type token struct {
	kind tokenKind
	text string
	at   int
}

// symbols, the longer before those that they begin with.
var symbols = []string{
	"==", "!=", "<=", ">=", "&&", "||", "^^", "<", ">", "~", "!", "(", ")", "[", "]", "{", "}", ",", "*", "$",
}

// peek is the token that begins at or after the position, which it moves past spaces only.
func (l *lexer) peek() token {
	l.pos += len(l.text[l.pos:]) - len(strings.TrimLeft(l.text[l.pos:], spaces))
	rest := l.text[l.pos:]
	if rest == "" {
		return token{kind: end, at: l.pos}
	}
	if rest[0] == '"' {
		return token{kind: quote, at: l.pos}
	}
	n := 0
	for n < len(rest) && isWord(rest[n]) {
		n++
	}
	if n > 0 {
		if rest[:n] == "r" && n < len(rest) && (rest[n] == '"' || rest[n] == '#') {
			return token{kind: quote, at: l.pos}
		}
		return token{kind: word, text: rest[:n], at: l.pos}
	}
	for _, s := range symbols {
		if strings.HasPrefix(rest, s) {
			return token{kind: symbol, text: s, at: l.pos}
		}
	}
	_, n = utf8.DecodeRuneInString(rest)
	return token{kind: strange, text: rest[:n], at: l.pos}
}

// take moves past a token that is no quote.
func (l *lexer) take(t token) { l.pos = t.at + len(t.text) }

// isWord accepts what names, numbers and addresses are made of.
func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '_' || c == '.' || c == ':' || c == '/' || c == '-'
}

// String is how a message names what was found.
func (t token) String() string {
	switch t.kind {
	case end:
		return "the end"
	case quote:
		return "a string"
	default:
		return fmt.Sprintf("%q", t.text)
	}
}

// fail gives up. Compile catches it.
func fail(at int, want, message string, args ...any) {
	panic(&Error{Offset: at, Message: fmt.Sprintf(message, args...), Want: want})
}

// readString reads the string literal that begins at a quote. Quoted strings know the escapes \", \\, \xHH and \OOO; raw
// ones, r"…" and r#"…"#, know none.
func (l *lexer) readString(t token) []byte {
	if l.text[t.at] == 'r' {
		return []byte(l.readRaw(t))
	}
	var value []byte
	for i := t.at + 1; ; {
		if i >= len(l.text) {
			unterminated(t)
		}
		switch c := l.text[i]; c {
		case '"':
			l.pos = i + 1
			return value
		case '\\':
			b, n := l.escape(t, i)
			value = append(value, b)
			i += n
		default:
			value = append(value, c)
			i++
		}
	}
}

// escape reads the escape at i, of the string that begins at t.
func (l *lexer) escape(t token, i int) (b byte, length int) {
	if i+1 >= len(l.text) {
		unterminated(t)
	}
	digits, base := "", byte(8)
	switch c := l.text[i+1]; {
	case c == '"' || c == '\\':
		return c, 2
	case c == 'x':
		digits, base, length = l.text[i+2:min(i+4, len(l.text))], 16, 4
	case '0' <= c && c <= '7':
		digits, length = l.text[i+1:min(i+4, len(l.text))], 4
	}
	value := 0
	for _, c := range []byte(digits) {
		d, ok := digit(c, base)
		if !ok {
			length = 0
			break
		}
		value = value*int(base) + int(d)
	}
	if length == 0 || i+length > len(l.text) || value > 0xff {
		_, n := utf8.DecodeRuneInString(l.text[i+1:])
		fail(i, `write \", \\, \xHH (two hexadecimal digits) or \OOO (three octal digits, at most \377), or a raw string r"…"`,
			"the escape %s is unknown or incomplete", l.text[i:i+1+n])
	}
	return byte(value), length
}

func digit(c, base byte) (d byte, ok bool) {
	switch {
	case '0' <= c && c <= '9':
		d = c - '0'
	case 'a' <= c && c <= 'f':
		d = c - 'a' + 10
	case 'A' <= c && c <= 'F':
		d = c - 'A' + 10
	default:
		return 0, false
	}
	return d, d < base
}

// readRaw reads r"…", r#"…"#, and so on up to 255 number signs.
func (l *lexer) readRaw(t token) string {
	body := strings.TrimLeft(l.text[t.at+1:], "#")
	hashes := len(l.text) - t.at - 1 - len(body)
	const most = 255
	switch {
	case !strings.HasPrefix(body, `"`):
		fail(t.at, `write r"…" or r#"…"#`, "no quote follows the r of a raw string")
	case hashes > most:
		fail(t.at, fmt.Sprintf("at most %d", most), "the raw string begins with %d number signs", hashes)
	}
	body = body[1:]
	n := strings.Index(body, `"`+strings.Repeat("#", hashes))
	if n < 0 {
		unterminated(t)
	}
	l.pos = len(l.text) - len(body) + n + 1 + hashes
	return body[:n]
}

// readPattern reads the string literal of a regular expression. In a quoted one a backslash is the expression's own,
// except before a quote; and quotes within a character class end nothing.
func (l *lexer) readPattern(t token) string {
	if l.text[t.at] == 'r' {
		return l.readRaw(t)
	}
	var b strings.Builder
	class := false
	for i := t.at + 1; i < len(l.text); i++ {
		switch c := l.text[i]; {
		case c == '\\' && i+1 < len(l.text):
			i++
			if class || l.text[i] != '"' {
				b.WriteByte('\\')
			}
			b.WriteByte(l.text[i])
			continue
		case c == '"' && !class:
			l.pos = i + 1
			return b.String()
		case c == '[':
			class = true
		case c == ']':
			class = false
		}
		b.WriteByte(l.text[i])
	}
	unterminated(t)
	return ""
}

func unterminated(t token) {
	fail(t.at, "close it with a quote; a quote within is written \\\", or the string raw, r#\"…\"#", "the string does not end")
}

// appendString appends a quoted literal of value.
func appendString(dst, value []byte) []byte {
	dst = append(dst, '"')
	for len(value) > 0 {
		r, n := utf8.DecodeRune(value)
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == utf8.RuneError && n == 1 || r < ' ' || r == 0x7f:
			dst = fmt.Appendf(dst, `\x%02X`, value[0])
		default:
			dst = append(dst, value[:n]...)
		}
		value = value[n:]
	}
	return append(dst, '"')
}
