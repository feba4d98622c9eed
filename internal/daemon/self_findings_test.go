package daemon

import (
	"log/slog"
	"slices"
	"testing"

	"stickwatch/checks"
)

// TestOverloadIsReported: one incident for as long as the machine is too small, and none for
// a hiccup.
func TestOverloadIsReported(t *testing.T) {
	t.Parallel()
	w := newDiskFixture(t)
	d := &Daemon{metrics: w.metrics, incidentStore: w.incidentStore, logger: slog.New(slog.DiscardHandler)}
	for i, step := range []struct {
		stretch float64
		want    bool // there is an incident
	}{{1, false}, {1.08, false}, {2.5, true}, {1.08, true}, {3, true}, {1, false}} {
		d.onStretch(step.stretch)
		var codes []checks.Code
		for _, f := range w.own {
			codes = append(codes, f.Code)
		}
		if got := slices.Equal(codes, []checks.Code{checks.ProberOverloaded}); got != step.want || len(codes) > 1 {
			t.Errorf("step %d: got %q", i, codes)
		}
	}
	wantMetrics(t, w.metrics, "stickwatch_schedule_stretch_ratio 1")
}
