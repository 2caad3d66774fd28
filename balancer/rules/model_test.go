package rules

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"strings"
	"testing"
)

// The clever ways against the plain ones, on random input with a fixed seed.

func TestSetsAgainstTheirElements(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		var literals []string
		var spans [][2]int
		for range 1 + r.IntN(6) {
			low := r.IntN(60)
			high := low + r.IntN(8)
			spans = append(spans, [2]int{low, high})
			literals = append(literals, fmt.Sprintf("10.0.0.%d..10.0.0.%d", low, high))
		}
		addresses := must(t, "ip.src in {::/0 "+strings.Join(literals, " ")+"}")
		numbers := must(t, "http.request.timestamp.sec in {"+strings.ReplaceAll(strings.Join(literals, " "), "10.0.0.", "")+"}")
		for v := range 70 {
			want := false
			for _, s := range spans {
				want = want || s[0] <= v && v <= s[1]
			}
			in := &request{client: netip.AddrFrom4([4]byte{10, 0, 0, byte(v)}).String(), unix: int64(v)}
			if addresses.Match(in) != want || numbers.Match(in) != want {
				t.Fatalf("%d in %s is %v, in %s %v; it must be %v", v, addresses, addresses.Match(in), numbers, numbers.Match(in), want)
			}
		}
	}
}

func TestWildcardsAgainstRegularExpressions(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	random := func(alphabet string, n int) string {
		var b strings.Builder
		for range r.IntN(n) {
			b.WriteByte(alphabet[r.IntN(len(alphabet))])
		}
		return b.String()
	}
	matched := 0
	for range 50_000 {
		pattern := random("aAb***", 7)
		for strings.Contains(pattern, "**") {
			pattern = strings.ReplaceAll(pattern, "**", "*")
		}
		in := &request{target: random("aAbB", 8)}
		for operator, flags := range map[string]string{"wildcard": "(?si)", "strict wildcard": "(?s)"} {
			want := regexp.MustCompile(flags + "^" + strings.ReplaceAll(pattern, "*", ".*") + "$").MatchString(in.target)
			if got := must(t, fmt.Sprintf("http.request.uri.path %s %q", operator, pattern)).Match(in); got != want {
				t.Fatalf("%q %s %q is %v", in.target, operator, pattern, got)
			}
			if want {
				matched++
			}
		}
	}
	if matched < 10_000 {
		t.Errorf("only %d matches", matched)
	}
}

// Conditions as trees, written with only the parentheses that the order of the operators asks for, in either spelling.
func TestLogicAgainstTrees(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	strength := map[string]int{"or": 1, "xor": 2, "and": 3}
	signs := map[string]string{"or": "||", "xor": "^^", "and": "&&"}
	var grow func(depth int) (text string, binds int, holds func(v int) bool)
	grow = func(depth int) (string, int, func(v int) bool) {
		switch pick := r.IntN(5); {
		case depth == 0 || pick == 0:
			bit := r.IntN(4)
			in := make([]string, 0, 8)
			for v := range 16 {
				if v>>bit&1 == 1 {
					in = append(in, fmt.Sprint(v))
				}
			}
			return "http.request.timestamp.sec in {" + strings.Join(in, " ") + "}", 5, func(v int) bool { return v>>bit&1 == 1 }
		case pick == 1:
			text, binds, holds := grow(depth - 1)
			if binds < 4 {
				text = "(" + text + ")"
			}
			return [...]string{"not ", "!"}[r.IntN(2)] + text, 4, func(v int) bool { return !holds(v) }
		}
		op := [...]string{"or", "xor", "and"}[r.IntN(3)]
		left, leftBinds, a := grow(depth - 1)
		right, rightBinds, b := grow(depth - 1)
		if leftBinds < strength[op] {
			left = "(" + left + ")"
		}
		if rightBinds < strength[op] {
			right = "(" + right + ")"
		}
		sign := [...]string{op, signs[op]}[r.IntN(2)]
		return left + " " + sign + " " + right, strength[op], func(v int) bool {
			switch op {
			case "or":
				return a(v) || b(v)
			case "and":
				return a(v) && b(v)
			}
			return a(v) != b(v)
		}
	}
	for range 2000 {
		text, _, holds := grow(4)
		e := must(t, text)
		again, err := compile(e.String(), 100*MaxLength)
		if err != nil {
			t.Fatalf("%s: %v", e, err)
		}
		for v := range 16 {
			in := &request{unix: int64(v)}
			if want := holds(v); e.Match(in) != want || again.Match(in) != want {
				t.Fatalf("%s is %v of %d, and as %s %v; it must be %v", text, e.Match(in), v, e, again.Match(in), want)
			}
		}
	}
}
