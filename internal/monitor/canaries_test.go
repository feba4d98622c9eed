package monitor_test

import (
	"slices"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
	"stickwatch/probes"
)

// TestCanariesAreRenewed: those of age make room for new ones, one a round.
func TestCanariesAreRenewed(t *testing.T) {
	d := start(t, demo.Config{}, "generic", nil)
	w, log := watchAs(t, d.config, &monitor.Prober{}, monitor.Intervals{CanaryAge: time.Nanosecond})
	first := sessions(log.last().Canaries)
	for round := range 3 {
		if err := w.TakeRound(t.Context()); err != nil {
			t.Fatal(err)
		}
		now := sessions(log.last().Canaries)
		kept := slices.DeleteFunc(slices.Clone(now), func(id probes.Fingerprint) bool { return !slices.Contains(first, id) })
		if len(now) != 3 || len(kept) != 2-round {
			t.Errorf("round %d: got %d canaries, %d of them of the first round, want 3 and %d", round+1, len(now), len(kept), 2-round)
		}
	}
}

// TestCanariesAreTold: each answer that a canary had is told once, be it of a
// visit or of a whole round.
func TestCanariesAreTold(t *testing.T) {
	for _, tc := range []struct {
		name     string
		config   demo.Config
		profile  string
		followUp int // answers of three canaries
		round    int
	}{
		{"they return", demo.Config{}, "generic", 3, 3},
		{"they return, write, and return", demo.Config{Shared: true}, "tomcat", 3, 9},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, w, log := watch(t, tc.config, tc.profile, checks.Damping{})
			told := func(run func()) int {
				before := log.probes[checks.TargetCanary]
				run()
				return log.probes[checks.TargetCanary] - before
			}
			for range 5 {
				if got := told(func() { w.FollowUp(t.Context()) }); got != tc.followUp {
					t.Errorf("of a visit: %d answers were told, want %d", got, tc.followUp)
				}
				if got := told(func() { _ = w.TakeRound(t.Context()) }); got != tc.round {
					t.Errorf("of a whole round: %d answers were told, want %d", got, tc.round)
				}
			}
		})
	}
}
