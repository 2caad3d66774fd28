package health

import "testing"

func TestPoolState(t *testing.T) {
	for _, tt := range []struct {
		name      string
		tally     Tally
		want      PoolState
		qualifies bool
	}{
		{"P4: four of four", Tally{Monitored: true, Enabled: 4, Healthy: 4, Minimum: 2}, PoolHealthy, true},
		{"P4: three of four", Tally{Monitored: true, Enabled: 4, Healthy: 3, Minimum: 2}, PoolDegraded, true},
		{"P4: two of four", Tally{Monitored: true, Enabled: 4, Healthy: 2, Minimum: 2}, PoolDegraded, true},
		{"P4: one of four", Tally{Monitored: true, Enabled: 4, Healthy: 1, Minimum: 2}, PoolCritical, false},
		{"P5: one disabled, one more lost", Tally{Monitored: true, Enabled: 3, Healthy: 2, Minimum: 2}, PoolDegraded, true},
		{"P5: a minimum of five with four", Tally{Monitored: true, Enabled: 4, Healthy: 4, Minimum: 5}, PoolCritical, false},
		{"P5: zero is never critical", Tally{Monitored: true, Enabled: 4, Healthy: 0, Minimum: 0}, PoolDegraded, true},
		{"P5: a zero minimum, all up", Tally{Monitored: true, Enabled: 4, Healthy: 4, Minimum: 0}, PoolHealthy, true},
		{"H12: before the first probe", Tally{Monitored: true, Enabled: 4, Unknown: 4, Minimum: 1}, PoolUnknown, false},
		{"H12: unknown counts as down", Tally{Monitored: true, Enabled: 4, Healthy: 1, Unknown: 3, Minimum: 2}, PoolCritical, false},
		{"H12: enough are up already", Tally{Monitored: true, Enabled: 4, Healthy: 2, Unknown: 2, Minimum: 2}, PoolDegraded, true},
		{"P6: every origin disabled", Tally{Monitored: true, Minimum: 1}, PoolCritical, false},
		{"P7: unmonitored", Tally{Enabled: 4, Minimum: 1}, PoolUnknown, true},
		{"P5: unmonitored, the minimum is not enforced", Tally{Enabled: 2, Minimum: 5}, PoolUnknown, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.tally.State(); got != tt.want {
				t.Errorf("state: got %s, want %s", got, tt.want)
			}
			if got := tt.tally.Qualifies(); got != tt.qualifies {
				t.Errorf("qualifies: got %t, want %t", got, tt.qualifies)
			}
		})
	}
}

func TestPoolStateWords(t *testing.T) {
	for s, want := range map[PoolState]string{
		PoolUnknown: "Health unknown", PoolHealthy: "Healthy", PoolDegraded: "Degraded", PoolCritical: "Critical",
	} {
		if s.String() != want {
			t.Errorf("got %s, want %s", s, want)
		}
	}
}
