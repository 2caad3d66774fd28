// Package rules is the language in which the conditions of custom rules are written: Cloudflare's Rules language, with the
// fields that load balancing rules know. It is pure: a condition is compiled once, and asked with the values of a request.
//
//	condition ─► Compile ─► *Expr                     once per change of configuration
//	                │         │
//	                ▼         ▼
//	             *Error    Match(Input) ─► bool       for every request and rule
//	    (byte offset, what
//	      was found, what
//	     would be right)
//
// Contract:
//
//   - What cannot be evaluated as Cloudflare would is an *Error. Nothing is passed over, and nothing that can be seen to
//     match never is let through: an upper-case header name, an empty list, a field of DNS-only load balancers.
//   - Match depends on its argument alone, keeps nothing of it, is safe for concurrent use and allocates nothing.
//   - An empty condition always matches.
//
// The language (behaviour U5 and U6):
//
//	condition   = and, or, xor, not of comparisons, with parentheses; not binds strongest, then and, xor, or
//	comparison  = value operator literal
//	value       = field | value "[" index "]" | function "(" … ")"
//	index       = position from 0 | key of a map | "*", which stands for every element within any() and all()
//
//	String      eq ne lt le gt ge contains matches in wildcard "strict wildcard"      also == != < <= > >= ~
//	Integer     eq ne lt le gt ge in
//	Address     eq ne in
//	Boolean     stands alone
//
// A value may be missing: an element beyond the end of an array, a key that a map does not have. A comparison with a
// missing value is false, "ne" too, and a function of one is missing; concat passes it over. any of no element is false
// and all of none is true. Fields themselves are never missing: a request without Referer has an empty one.
//
// Sources: Cloudflare docs, "Supported fields and operators" of load balancing rules, and "Operators and grouping symbols",
// "Values" and "Functions" of the Rules language; where these are silent, Cloudflare's own engine
// (github.com/cloudflare/wirefilter). Regular expressions are Go's RE2 instead of Rust's: linear in time like these, with
// the same syntax but for a few forms, which are refused. What differs still: "." and negated classes take a whole UTF-8
// character, where Cloudflare takes a byte; (?i) knows case beyond ASCII; \s has no vertical tab.
//
// Cost on one core of a 2.7 GHz x86, by BenchmarkMatch: 25 ns for a part of the path, 55 ns for an address in seven ranges,
// 80 ns for three conditions joined, 60 to 300 ns for a wildcard or a regular expression; 5 µs to compile.
package rules
