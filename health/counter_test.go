package health

import (
	"testing"

	"pgregory.net/rapid"
)

// run feeds results such as "UUDDU" to a fresh counter and returns the status after each.
func run(results string, up, down int) string {
	var c counter
	out := make([]byte, len(results))
	for i, r := range results {
		c = c.observe(r == 'U', up, down)
		out[i] = "?UD"[c.status]
	}
	return string(out)
}

func TestCounter(t *testing.T) {
	for _, tt := range []struct {
		name          string
		up, down      int
		results, want string
	}{
		{"H9: healthy, then F F P F F F P P: down after the sixth, up after the eighth", 2, 3, "U" + "DDUDDDUU", "U" + "UUUUUDDU"},
		{"H9: zero acts as one", 0, 0, "UUDDU", "UUDDU"},
		{"H9: one flips at once", 1, 1, "UDUD", "UDUD"},
		{"H9: two down", 0, 2, "UUDDU", "UUUDU"},
		{"H9: two up", 2, 0, "UDDUU", "UDDDU"},
		{"H9: from unknown the first pass decides", 3, 3, "U", "U"},
		{"H9: from unknown the first failure decides", 3, 3, "D", "D"},
		{"H9: alternating results never flip two", 2, 2, "UDUDUDUD", "UUUUUUUU"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := run(tt.results, tt.up, tt.down); got != tt.want {
				t.Errorf("%s with up %d, down %d: got %s, want %s", tt.results, tt.up, tt.down, got, tt.want)
			}
		})
	}
}

// A status differs from the one before only when the last N results all were its own: checked against the history, by
// a rule that keeps no count.
func TestCounterAgainstHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		up, down := rapid.IntRange(0, 4).Draw(t, "up"), rapid.IntRange(0, 4).Draw(t, "down")
		results := rapid.StringOfN(rapid.RuneFrom([]rune("UD")), 1, 60, -1).Draw(t, "results")
		got := run(results, up, down)
		want := make([]byte, len(results))
		want[0] = results[0]
		for i := 1; i < len(results); i++ {
			want[i] = want[i-1]
			n := max(1, map[byte]int{'U': up, 'D': down}[results[i]])
			if i+1 < n {
				continue
			}
			all := true
			for _, r := range []byte(results[i+1-n : i+1]) {
				all = all && r == results[i]
			}
			if all {
				want[i] = results[i]
			}
		}
		if got != string(want) {
			t.Fatalf("%s with up %d, down %d: got %s, want %s", results, up, down, got, want)
		}
	})
}
