package health

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// Each case of testdata/quorum.txt is a line: regions, each a word of one letter per vantage point (U up, D down,
// ? no result yet), the word of the regions' verdicts, and the origin's; then a sentence.
func TestQuorumCases(t *testing.T) {
	data, err := os.ReadFile("testdata/quorum.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases := 0
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "//") {
			continue
		}
		setting, sentence, ok := strings.Cut(line, " -- ")
		regions, verdicts, ok2 := strings.Cut(setting, "=>")
		want := strings.Fields(verdicts)
		if !ok || !ok2 || len(want) != 2 {
			t.Fatalf("cannot read %q: want regions => verdicts origin -- sentence", line)
		}
		cases++
		var got []Status
		for _, region := range strings.Fields(regions) {
			got = append(got, quorum(statuses(region)))
		}
		if word(got) != want[0] || word([]Status{quorum(got)}) != want[1] {
			t.Errorf("%s: got %s %s: %s", setting, word(got), word([]Status{quorum(got)}), sentence)
		}
	}
	if cases < 20 {
		t.Fatalf("read %d cases only", cases)
	}
}

func statuses(word string) []Status {
	out := make([]Status, len(word))
	for i, r := range word {
		out[i] = Status(strings.IndexRune("?UD", r))
	}
	return out
}

func word(statuses []Status) string {
	var b strings.Builder
	for _, s := range statuses {
		b.WriteByte("?UD"[s])
	}
	return b.String()
}

// The clever answer against the dumb one: try every way in which the open ones could turn out.
func TestQuorumAgainstEveryEnding(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		in := make([]Status, 1+dice.IntN(9))
		for i := range in {
			in[i] = Status(dice.IntN(3))
		}
		canUp, canDown := endings(in)
		want := Unknown
		switch {
		case !canDown:
			want = Up
		case !canUp:
			want = Down
		}
		if got := quorum(in); got != want {
			t.Fatalf("%s: got %s, want %s", word(in), word([]Status{got}), word([]Status{want}))
		}
	}
}

func endings(in []Status) (canUp, canDown bool) {
	for i, s := range in {
		if s != Unknown {
			continue
		}
		for _, turn := range []Status{Up, Down} {
			next := append([]Status(nil), in...)
			next[i] = turn
			u, d := endings(next)
			canUp, canDown = canUp || u, canDown || d
		}
		return canUp, canDown
	}
	up := strings.Count(word(in), "U")
	return up > len(in)-up, up <= len(in)-up
}
