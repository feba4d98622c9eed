package web

import (
	"testing"
	"time"
)

// TestWindows: strips reach six hours back, and less far while a cluster is new,
// as long as there is a probe in every slot.
func TestWindows(t *testing.T) {
	for _, test := range []struct {
		name   string
		age    time.Duration
		probes int // in each point
		want   time.Duration
	}{
		{"old", 24 * time.Hour, 20, 6 * time.Hour},
		{"of three hours", 3 * time.Hour, 20, 6 * time.Hour},
		{"of an hour", time.Hour, 20, 2 * time.Hour},
		{"of twenty minutes", 20 * time.Minute, 20, 30 * time.Minute},
		{"of a minute", time.Minute, 20, 6 * time.Minute},
		{"of a minute, with rare probes", time.Minute, 2, 6 * time.Hour},
		{"of a minute, with few probes", time.Minute, 4, 30 * time.Minute},
		{"never probed", -time.Hour, 20, 6 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newFakeDaemon(healthyCluster("shop", 2))
			w.born, w.often = testTime.Add(-test.age), test.probes
			r := newHistoryReader(t.Context(), w, "shop", testTime)
			r.nodes(w.fakeClusters[0].Snapshot)
			if got := r.span.To.Sub(r.span.From); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if !r.span.To.After(testTime) || r.span.To.Sub(testTime) > bucketWidth(r.span) {
				t.Errorf("got a span until %s, want one whose last slot goes on", r.span.To)
			}
		})
	}
}

func TestWindowInWords(t *testing.T) {
	for window, want := range map[time.Duration]string{6 * time.Hour: "Last 6 hours", 6 * time.Minute: "Last 6 minutes"} {
		if got := seenInEnglish.window(spanUntil(testTime, window)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := seenInEnglish.ticks(spanUntil(testTime, 30*time.Minute)); got[1] != "11:40:50" {
		t.Errorf("got ticks %q", got)
	}
}
