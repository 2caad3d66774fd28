package rules

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// In each condition ^ marks where the error is.
func TestErrors(t *testing.T) {
	for _, c := range []struct{ marked, message, want string }{
		// what is no expression
		{`^"a" eq http.host`, "a comparison begins with a string", "begin with a field"},
		{`http.host ^`, "found the end after a String", "one of eq, ne, lt"},
		{`http.host eq ^`, "found the end after eq", "a string"},
		{`http.host eq ^http.referer`, `found "http.referer" after eq`, "the right side is always a literal"},
		{`http.host ^= "a"`, `found "="`, "eq or =="},
		{`http.host ^EQ "a"`, `found "EQ"`, "lower case: eq"},
		{`http.host ^"a"`, "found a string after a String", "one of eq"},
		{`http.host eq "a" ^http.host eq "b"`, `found "http.host" after a complete condition`, "and, or, xor"},
		{`http.host eq "a" ^AND http.host eq "b"`, `found "AND"`, "lower case: and"},
		{`http.host eq "a" ^)`, `found ")" after a complete condition`, "and, or, xor"},
		{`(http.host eq "a"^`, "found the end", `write ")"`},
		{`()^`, ``, ``},
		{`http.host eq "a" and ^`, "found the end where a condition begins", "a field"},
		{`http.host eq "a" and ^or`, "", ""},
		{`^, http.host eq "a"`, `found ","`, "a field"},
		{`http.host eq ^“a”`, `found "“"`, `a string, as in "…"`},
		{`^'http.host' eq "a"`, `found "'"`, "straight double quotes"},
		{`http.host eq ^5`, `found "5" after eq`, "a string"},
		{`^# a comment`, `found "#"`, "a field"},
		{`http.request.uri.path ^ends_with ".html"`, `found "ends_with"`, "ends_with is a function"},
		{`http.host ^strictly "a"`, "", "one of"},
		{`http.host strict ^"a"`, "found a string after strict", "strict wildcard"},
		{`not^`, "found the end", "a field"},

		// strings
		{`http.host eq ^"a`, "the string does not end", "close it"},
		{`http.host eq ^"a\"`, "the string does not end", "close it"},
		{`http.host eq ^"a\`, "the string does not end", "close it"},
		{`http.host eq "a^\n"`, `the escape \n`, `\xHH`},
		{`http.host eq "a^\x4"`, `the escape \x`, `\xHH`},
		{`http.host eq "a^\x4`, `the escape \x`, `\xHH`},
		{`http.host eq "a^\400"`, `the escape \4`, `at most \377`},
		{`http.host eq "a^\08"`, `the escape \0`, `\OOO`},
		{`http.host eq ^r"a`, "the string does not end", "close it"},
		{`http.host eq ^r#"a"`, "the string does not end", "close it"},
		{`http.host eq ^r#a`, "no quote follows", `r#"…"#`},
		{`http.host eq ^r` + strings.Repeat("#", 256) + `"a"` + strings.Repeat("#", 256), "256 number signs", "at most 255"},
		{`http.host matches ^"a`, "the string does not end", "close it"},
		{`http.host matches ^"a[b"`, "the string does not end", "close it"},
		{`http.host matches ^"a\`, "the string does not end", "close it"},

		// fields
		{`^http.hots eq "a"`, "there is no field http.hots", "write http.host"},
		{`^http.request.path eq "a"`, "do not know the field", "write http.request.uri.path"},
		{`^http.request.uri.pth eq "a"`, "there is no field", "write http.request.uri.path"},
		{`^HTTP.HOST eq "a"`, "there is no field", "write http.host"},
		{`^http.user_agent eq "a"`, "do not know the field http.user_agent", `http.request.headers["user-agent"][0]`},
		{`^cf.threat_score gt 5`, "do not know the field cf.threat_score", "the fields are cf.load_balancer.name, "},
		{`^dns.qry.name eq "a"`, "only for DNS-only load balancers, which weir does not serve", "remove it"},
		{`^dns.rr.opt.client`, "only for DNS-only load balancers, which weir does not serve", "remove it"},
		{`^ssl`, "do not know the field ssl", "the fields are"},
		{`^lower eq "a"`, "lower is a function", "write lower(…)"},
		{`http.request.headers[^"User-Agent"][0] eq "a"`, `"User-Agent" is never found`, `write "user-agent"`},
		{`http.request.headers[^""][0] eq "a"`, "no header field can be called so", "a name"},
		{`http.request.headers[^"a b"][0] eq "a"`, "no header field can be called so", "a name"},

		// arrays and maps
		{`^http.request.headers["a"] eq "b"`, "the value is an Array<String>", `any(http.request.headers["a"][*] …)`},
		{`^http.request.headers eq "b"`, "the value is a Map<Array<String>>", `any(http.request.headers["name"][*] …)`},
		{`^http.request.headers["a"][*] eq "b"`, `for every element of http.request.headers["a"] apart`, "write any(…) or all(…)"},
		{`http.request.headers[^0] eq "b"`, `found "0", and the value is a Map`, `a key`},
		{`http.request.headers[^*] eq "b"`, `found "*", and the value is a Map`, `a key`},
		{`http.request.headers["a"][^"b"] eq "b"`, `found a string, and the value is an Array<String>`, "a position"},
		{`http.request.headers["a"][^-1] eq "b"`, `"-1" is no position`, "from 0"},
		{`http.request.headers["a"][^x] eq "b"`, `"x" is no position`, "from 0"},
		{`http.request.headers["a"][0 ^eq "b"`, `found "eq"`, `write "]"`},
		{`http.host[^0] eq "b"`, "a String has no elements", "no index"},
		{`ip.src[^0] eq 1.2.3.4`, "an Address has no elements", "no index"},
		{`http.request.headers["a"][0][^0] eq "b"`, "a String has no elements", "no index"},
		{`any(^http.host eq "a")`, "this is a single condition", "array[*]"},
		{`any(^http.request.headers["a"])`, "the value is an Array<String>", "[*]"},
		{`any(http.request.headers["a"][*] eq "a" ^and http.host eq "b")`, "a single value", "either both"},
		{`any(http.request.headers["a"][*] eq "a" ^or http.request.headers["b"][*] eq "b")`, `the elements of http.request.headers["b"]`, "the same array"},
		{`any(^any(http.request.headers["a"][*] eq "a"))`, "this is a single condition", "array[*]"},
		{`any(http.request.headers["a"][*] eq "a"^, "b")`, `found ","`, "to close any"},
		{`any(lower(^http.request.headers["a"]) eq "a")`, "the argument of lower is an Array<String>", "add [*]"},
		{`any(^lower(http.request.headers["a"][*]) eq "a")`, "the value is an Array<String>", "any(lower(http.request.headers[\"a\"][*])[*] …)"},
		{`any(concat(http.host, ^http.request.headers["a"][*])[*] eq "a")`, "an argument of concat after the first", "first argument only"},
		{`concat(http.host, ^http.request.uri.args) eq "a"`, "an argument of concat is a Map", "a single value"},

		// types
		{`ip.src eq ^"1.2.3.4"`, "found a string", "without quotes"},
		{`ip.src eq ^1.2.3.0/24`, "eq compares single addresses", "ip.src in {1.2.3.0/24}"},
		{`ip.src eq ^1.2.3`, `"1.2.3" is no address`, "an IPv4 or IPv6 address"},
		{`ip.src in ^203.0.113.0/24`, `found "203.0.113.0/24" after in`, "values in braces"},
		{`ip.src in ^$office`, "found a list", "know no lists"},
		{`ip.src in {^$office}`, `found "$"`, "addresses"},
		{`ip.src in {^}`, "nothing is in them", "at least one"},
		{`ip.src in {1.2.3.4^, 1.2.3.5}`, "found a comma", "separated by spaces"},
		{`ip.src in {1.2.3.4 ^`, "found the end", `"}"`},
		{`ip.src in {^1.2.3.4/24}`, "bits set beyond its length", "1.2.3.0/24"},
		{`ip.src in {^1.2.3.4/33}`, "no CIDR range", "a length"},
		{`ip.src in {^1.2.3.9..1.2.3.4}`, "is empty", "the lesser address first"},
		{`ip.src in {^1.2.3.4..::1}`, "mixes IPv4 and IPv6", "two of a kind"},
		{`ip.src in {1.2.3.4..^x}`, `"x" is no address`, "an IPv4"},
		{`ip.src in {^"1.2.3.4"}`, "found a string", "addresses"},
		{`ip.src ^contains "1"`, "contains does not apply to an Address", "eq, ne, in"},
		{`ip.src ^lt 1.2.3.4`, "lt does not apply to an Address", "eq, ne, in"},
		{`http.request.timestamp.sec ^contains "1"`, "contains does not apply to an Integer", "eq, ne, lt"},
		{`http.request.timestamp.sec eq ^"5"`, "found a string", "an integer"},
		{`http.request.timestamp.sec eq ^5x`, `"5x" is no integer`, "an integer"},
		{`http.request.timestamp.sec eq ^9223372036854775808`, "is no integer", "between"},
		{`http.request.timestamp.sec eq ^0123`, `found "0123"`, "no leading zero"},
		{`http.request.timestamp.sec eq ^0x-5`, "is no integer", "an integer"},
		{`http.request.timestamp.sec in {^9..1}`, "is empty", "the lesser bound first"},
		{`http.request.timestamp.sec in {1..^x}`, `"x" is no integer`, "an integer"},
		{`http.request.timestamp.sec in {^"a"}`, "found a string", "integers"},
		{`http.host in {"a" ^b}`, `found "b" among strings`, `{"a" "b"}`},
		{`starts_with(http.host, "a") ^eq "true"`, `"eq" follows a Boolean`, "alone"},
		{`len(^ip.src) eq 4`, "the argument of len is an Address", "a String"},
		{`lower(^http.request.timestamp.sec) eq "4"`, "the argument of lower is an Integer", "a String"},

		// functions
		{`^lover(http.host) eq "a"`, "there is no function lover", "the functions are all, any, concat"},
		{`^Lower(http.host) eq "a"`, "there is no function Lower", "write lower"},
		{`^regex_replace(http.host, "a", "b") eq "c"`, "reserved for the rules of other products", "the functions are"},
		{`^cidr(ip.src, 24, 24) eq 1.2.3.0`, "reserved for the rules of other products", "the functions are"},
		{`^lookup_json_string(http.host, "a") eq "b"`, "weir does not evaluate the function lookup_json_string", "the functions are"},
		{`^is_timed_hmac_valid_v0("k", http.request.uri, 1, http.request.timestamp.sec, 8)`, "weir does not evaluate", "the functions are"},
		{`lower(^"A") eq "a"`, "the first argument of lower is a literal", "a field"},
		{`lower(http.host, "a"^) eq "a"`, "lower has 2 arguments", "lower(String)"},
		{`starts_with(http.host^)`, "starts_with has 1 arguments", `starts_with(String, "…")`},
		{`starts_with(http.host, ^http.referer)`, "not a literal String", "a literal"},
		{`starts_with(http.host, ^5)`, "not a literal String", "a literal"},
		{`substring(http.host, ^"a") eq "b"`, "not a literal Integer", "a literal Integer"},
		{`concat(^) eq "b"`, "concat has 0 arguments", "concat(String"},
		{`concat(http.host, ^5) eq "b"`, "an argument of concat is an Integer", "Strings"},
		{`lower(http.host ^eq "a"`, `found "eq"`, `write ")"`},
		{`url_decode(http.host, ^"x") eq "a"`, `the options of url_decode are "x"`, `"r", "u" or "ur"`},

		// patterns
		{`http.host wildcard ^"a**b"`, "two stars", "one star"},
		{`http.host wildcard ^r"a\b"`, "a backslash", `\* or \\`},
		{`http.host wildcard ^"a\\"`, "a backslash", `\* or \\`},
		{`http.host matches ^"(a"`, "missing closing )", "RE2"},
		{`http.host matches ^"(?u)a"`, "(?u", "RE2"},
		{`http.host matches ^"a(?=b)"`, "(?=", "RE2"},
		{`http.host matches ^"a[b&&c]"`, "the operator && in a character class", "write the characters"},
		{`http.host matches ^"[a[b]c]"`, "holds another one", `write \[`},
		{`http.host matches ^"[0-9--4]"`, "the operator --", "write the characters"},
		{`http.host matches ^"[ä]"`, "one that takes several", "(a|b)"},
		{`http.host matches ^"\pL"`, `do not know \p`, "[a-z]"},
		{`http.host matches ^"\Qa.b\E"`, `do not know \Q`, "escaped where needed"},
		{`http.host matches ^"\101"`, `do not know \1`, "escaped where needed"},
		{`http.host matches ^"\<a"`, `do not know \<`, `\b`},
		{`http.host matches ^"\b{start}a"`, `do not know \b`, `\b`},
		{`http.host matches ^"\xe4"`, `the single byte \xe4`, "the character itself"},
		{`http.host matches ^"\x{2601}"`, `the single byte \x2601`, "the character itself"},
		{`http.host matches ^"a{,5}"`, "a brace begins no repetition", `\{`},
		{`http.host matches ^"a{"`, "a brace begins no repetition", `\{`},
		{`http.host matches ^r"a\"`, "trailing backslash", "RE2"},
		{`http.host matches ^r"\xzz"`, "invalid escape", "RE2"},
		{`http.host matches ^r"[a"`, "missing closing ]", "RE2"},
		{`http.host matches ^r"[a[:b"`, "holds another one", `write \[`},
		{`http.host matches ^"a{1001}"`, "invalid repeat count", "RE2"},

		// limits
		{strings.Repeat("(", 64) + `^(http.host eq "a"`, "nested too deep", "at most 64"},
		{strings.Repeat("not ", 64) + `^not http.host eq "a"`, "nested too deep", "at most 64"},
		{`http.host eq "` + strings.Repeat("a", 4096-14) + `^"`, "has 4097 characters", "at most 4096"},
		{`http.host eq "` + strings.Repeat("ä", 4096-14) + `^"`, "has 4097 characters", "at most 4096"},
	} {
		if c.message+c.want == "" { // only that it fails
			if _, err := Compile(strings.Replace(c.marked, "^", "", 1)); err == nil {
				t.Errorf("%s compiles", c.marked)
			}
			continue
		}
		at := strings.Index(c.marked, "^")
		expr := c.marked[:at] + c.marked[at+1:]
		_, err := Compile(expr)
		var e *Error
		switch {
		case !errors.As(err, &e):
			t.Errorf("%s: error %v", clip(expr), err)
		case e.Offset != at || !strings.Contains(e.Message, c.message) || !strings.Contains(e.Want, c.want):
			t.Errorf("%s: %v; it must be at byte %d and say %q, and %q", clip(expr), err, at, c.message, c.want)
		}
	}
}

func clip(s string) string { return s[:min(len(s), 100)] }

// What is just within the limits compiles.
func TestLimits(t *testing.T) {
	for name, expr := range map[string]string{
		"as long as may be":           `http.host eq "` + strings.Repeat("a", MaxLength-15) + `"`,
		"counted in characters":       `http.host eq "` + strings.Repeat("ä", MaxLength-15) + `"`,
		"as deep as may be":           strings.Repeat("(", maxDepth) + `http.host eq "a"` + strings.Repeat(")", maxDepth),
		"255 number signs":            `http.host eq r` + strings.Repeat("#", 255) + `"a"` + strings.Repeat("#", 255),
		"long, not deep":              strings.Repeat(`ip.src eq ::1 or `, 200) + `ip.src eq ::2`,
		"deep again after closing it": strings.Repeat(`((((ip.src eq ::1)))) or `, 50) + `ip.src eq ::2`,
	} {
		if _, err := Compile(expr); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every operator with every type and shape of value either compiles or is refused where it stands.
func TestOperatorsByType(t *testing.T) {
	values := map[string]string{
		"http.host": "s", `http.request.headers["a"][0]`: "s", "lower(http.host)": "s",
		"http.request.timestamp.sec": "i", "len(http.host)": "i", "ip.src": "a", `starts_with(http.host, "a")`: "b",
	}
	literals := map[string]string{"s": `"a"`, "i": "5", "a": "::1", "b": `"a"`}
	takes := map[string]string{
		"eq": "sia", "==": "sia", "ne": "sia", "!=": "sia", "lt": "si", "<": "si", "le": "si", "<=": "si", "gt": "si", ">": "si",
		"ge": "si", ">=": "si", "in": "sia", "contains": "s", "matches": "s", "~": "s", "wildcard": "s", "strict wildcard": "s",
	}
	for value, kind := range values {
		for op, kinds := range takes {
			literal := literals[kind]
			if op == "in" {
				literal = "{" + literal + "}"
			}
			expr := fmt.Sprintf("%s %s %s", value, op, literal)
			e, err := Compile(expr)
			var wrong *Error
			switch right := strings.Contains(kinds, kind); {
			case right && err != nil:
				t.Errorf("%s: %v", expr, err)
			case right:
				e.Match(common())
			case !errors.As(err, &wrong) || wrong.Offset != len(value)+1:
				t.Errorf("%s: %v; it must fail at the operator", expr, err)
			}
		}
	}
}
