package rules

import "strings"

// checkPattern refuses what Go's regular expressions would take to mean something other than Rust's do, with which
// Cloudflare matches, and what they know and Rust's do not. What Rust's alone know does not compile.
func checkPattern(pattern string, at int) {
	for i := 0; i < len(pattern); {
		switch rest := pattern[i:]; rest[0] {
		case '\\':
			i += checkEscape(rest, at)
		case '[':
			i += checkClass(rest, at)
		case '{':
			i += checkRepetition(rest, at)
		default:
			i++
		}
	}
}

// checkEscape checks the escape at the beginning of s and returns its length.
func checkEscape(s string, at int) int {
	if len(s) == 1 {
		return 1 // does not compile
	}
	c := s[1]
	switch {
	case c == 'x':
		return checkHex(s, at)
	case c == 'Q' || c == 'E' || c == 'C' || '0' <= c && c <= '9':
		fail(at, "write the characters themselves, escaped where needed", `Cloudflare's regular expressions do not know \%c`, c)
	case c == '<' || c == '>' || c == 'b' && strings.HasPrefix(s[2:], "{"):
		fail(at, `\b at a boundary of words; < and > themselves need no backslash`,
			`weir's regular expressions do not know \%c as one side of a boundary of words`, c)
	case c == 'p' || c == 'P':
		fail(at, "a class as [a-z]", `regular expressions match bytes and do not know \%c; (?u), which would, is not supported`, c)
	}
	return 2
}

// checkHex checks \xHH or \x{H…}, which is a byte at Cloudflare and a character here: the same up to 7F.
func checkHex(s string, at int) int {
	digits, n := s[2:min(4, len(s))], min(4, len(s))
	if strings.HasPrefix(digits, "{") {
		inner, _, _ := strings.Cut(s[3:], "}")
		digits, n = inner, min(3+len(inner)+1, len(s))
	}
	value := 0
	for _, c := range []byte(digits) {
		d, ok := digit(c, 16)
		if !ok {
			return n // does not compile
		}
		value = min(value<<4|int(d), 0x100)
	}
	if value > 0x7f {
		fail(at, "the character itself, outside of a class", `weir's regular expressions match characters, not the single byte \x%s`, digits)
	}
	return n
}

// checkClass checks the character class at the beginning of s and returns its length.
func checkClass(s string, at int) int {
	i := 1
	if strings.HasPrefix(s[i:], "^") {
		i++
	}
	if strings.HasPrefix(s[i:], "]") { // first, it stands for itself
		i++
	}
	for i < len(s) {
		switch rest := s[i:]; {
		case rest[0] == ']':
			return i + 1
		case rest[0] == '\\':
			i += checkEscape(rest, at)
		case strings.HasPrefix(rest, "[:") && strings.Contains(rest, ":]"):
			i += strings.Index(rest, ":]") + len(":]")
		case rest[0] == '[':
			fail(at, `write \[ for the character; weir's regular expressions do not nest classes`, "a character class holds another one")
		case strings.HasPrefix(rest, "&&"), strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "~~"):
			fail(at, "write the characters themselves, each once, and a minus first or last",
				"weir's regular expressions do not know the operator %s in a character class", rest[:2])
		case rest[0] >= 0x80:
			fail(at, "(a|b) instead of [ab]", "regular expressions match bytes, and a character class holds one that takes several")
		default:
			i++
		}
	}
	return i // does not compile
}

// checkRepetition checks what an opening brace begins, and returns its length: other braces are characters in Go, and
// errors or repetitions in Rust.
func checkRepetition(s string, at int) int {
	inner, _, closed := strings.Cut(s[1:], "}")
	least, most, _ := strings.Cut(inner, ",")
	if !closed || least == "" || strings.Trim(least+most, "0123456789") != "" {
		fail(at, `write \{ for the character; {2}, {2,} or {2,5} to repeat`, "a brace begins no repetition")
	}
	return len(inner) + 2
}
