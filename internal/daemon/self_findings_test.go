package daemon

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/monitor"
)

// TestDatabaseAwayIsReported: a fleet without its database is an incident of its own, beside that of
// a monitor that cannot probe, until the database is back.
func TestDatabaseAwayIsReported(t *testing.T) {
	t.Parallel()
	w := newDiskFixture(t)
	d := &Daemon{clock: newSteadyClock(), metrics: w.metrics, incidentService: w.incidentService, logger: slog.New(slog.DiscardHandler), fleet: &fleetMember{}}
	keys := func() (list []string) {
		for _, f := range w.selfFindings {
			list = append(list, f.Key())
		}
		return list
	}
	d.onDatabase(true)
	d.onDatabase(true)
	d.impaired(monitor.Impairment{Since: time.Now(), Reason: checks.CannotConnect("too many open files")})
	if got := keys(); !slices.Equal(got, []string{"prober_impaired/database", "prober_impaired"}) {
		t.Errorf("got %q", got)
	}
	d.impaired(monitor.Impairment{})
	if got := keys(); !slices.Equal(got, []string{"prober_impaired/database"}) {
		t.Errorf("got %q after it can probe again", got)
	}
	d.onDatabase(false)
	if got := keys(); len(got) > 0 {
		t.Errorf("got %q after the database is back", got)
	}
}

// TestOverloadIsReported: one incident for as long as the machine is too small, and none for
// a hiccup.
func TestOverloadIsReported(t *testing.T) {
	t.Parallel()
	w := newDiskFixture(t)
	d := &Daemon{clock: newSteadyClock(), metrics: w.metrics, incidentService: w.incidentService, logger: slog.New(slog.DiscardHandler)}
	for i, step := range []struct {
		stretch float64
		want    bool // there is an incident
	}{{1, false}, {1.08, false}, {2.5, true}, {1.08, true}, {3, true}, {1, false}} {
		d.onStretch(step.stretch)
		var codes []checks.Code
		for _, f := range w.selfFindings {
			codes = append(codes, f.Code)
		}
		if got := slices.Equal(codes, []checks.Code{checks.ProberOverloaded}); got != step.want || len(codes) > 1 {
			t.Errorf("step %d: got %q", i, codes)
		}
	}
	wantMetrics(t, w.metrics, "stickwatch_schedule_stretch_ratio 1")
}
