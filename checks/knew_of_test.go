package checks

import (
	"testing"
	"time"
)

// TestKnewOf tests which disruptions an earlier round has seen: also those that a later sign
// lets begin earlier.
func TestKnewOf(t *testing.T) {
	at := time.Date(2026, 11, 3, 14, 0, 0, 0, time.UTC)
	known := NodeTimeline{Disruptions: []Disruption{{Kind: DisruptionRestart, Span: Span{From: at, To: at.Add(time.Second)}}}}
	earlier := known.with(Disruption{Kind: DisruptionRestart, Span: Span{From: at.Add(-time.Second), To: at}}, time.Minute).Disruptions[0]
	later := Disruption{Kind: DisruptionRestart, Span: Span{From: at.Add(time.Hour), To: at.Add(time.Hour)}}
	for name, tc := range map[string]struct {
		timeline NodeTimeline
		of       Disruption
		want     bool
	}{
		"as it was known":             {known, known.Disruptions[0], true},
		"begins earlier than thought": {known, earlier, true},
		"another one":                 {known, later, false},
		"of a node last seen down":    {NodeTimeline{RefusesConnections: true}, later, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.timeline.knewOf(tc.of); got != tc.want {
				t.Errorf("got %t, want %t", got, tc.want)
			}
		})
	}
}

// TestFailsAgain tests that a failure soon after an outage that was notified is another one.
func TestFailsAgain(t *testing.T) {
	t.Parallel()
	at := func(second int) time.Time {
		return time.Date(2026, 11, 20, 12, 0, second, 0, time.UTC)
	}
	fails := func(from, to int) Disruption {
		return Disruption{Span: Span{at(from), at(to)}, Kind: DisruptionDown, Gone: at(to)}
	}
	for _, tc := range []struct {
		name     string
		notified bool
		sign     Disruption
		want     int
	}{
		{"a short one goes on", false, fails(50, 55), 1},
		{"a notified one has ended", true, fails(50, 55), 2},
		{"right after the first good answer", true, fails(40, 43), 2},
		{"a late sign of the same restart", true, fails(0, 55), 1},
		{"it is only left out", true, Disruption{Span: Span{at(50), at(55)}, Kind: DisruptionEjected}, 1},
	} {
		first := fails(0, 40)
		first.NotifiedDown = tc.notified
		h := NodeTimeline{Disruptions: []Disruption{first}, RecoveredAt: at(40)}.with(tc.sign, 20*time.Second)
		if got := len(h.Disruptions); got != tc.want {
			t.Errorf("%s: got %d disruptions, want %d", tc.name, got, tc.want)
		}
	}
}
