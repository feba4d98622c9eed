package metrics

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRestore: a daemon goes on counting where the one before ended.
func TestRestore(t *testing.T) {
	saved := fixture().Counters()
	if len(saved) < 20 {
		t.Fatalf("got %d counters, want those of the world", len(saved))
	}
	l := New(Build{})
	l.Restore(saved, []string{"shop"})
	if diff := cmp.Diff(saved, l.Counters()); diff != "" {
		t.Errorf("counters, saved and restored (-/+):\n%s", diff)
	}
	l.Notified("ops", Delivered)
	if got := l.Counters()[`["stickwatch_notifications_total","ops","delivered"]`]; got != 2 {
		t.Errorf("got %v deliveries, want 2", got)
	}
}

func TestRestoreLeavesOut(t *testing.T) {
	l := New(Build{})
	l.Restore(map[string]float64{
		`["stickwatch_incidents_total","gone","slow"]`:           1,
		`["stickwatch_incidents_total","shop"]`:                  1,
		`["stickwatch_renamed_total","shop","slow"]`:             1,
		`["stickwatch_incidents_total","shop","slow"]`:           -1,
		`["stickwatch_incidents_total","shop","node_down"]`:      math.NaN(),
		`stickwatch_incidents_total{cluster="shop",code="slow"}`: 1,
		`[]`: 1, `null`: 1, ``: 1, `[1]`: 1,
		`["stickwatch_incidents_total","shop","balancer_down"]`: 3,
	}, []string{"shop"})
	want := map[string]float64{`["stickwatch_incidents_total","shop","balancer_down"]`: 3}
	if diff := cmp.Diff(want, l.Counters()); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
}
