package checks

import (
	"testing"
	"time"
)

// TestKnewOf tests which disruptions an earlier round has seen: also those that a later sign
// lets begin earlier.
func TestKnewOf(t *testing.T) {
	at := time.Date(2026, 11, 3, 14, 0, 0, 0, time.UTC)
	known := NodeHistory{Disruptions: []Disruption{{Kind: DisruptionRestart, Span: Span{From: at, To: at.Add(time.Second)}}}}
	earlier := known.with(Disruption{Kind: DisruptionRestart, Span: Span{From: at.Add(-time.Second), To: at}}, time.Minute).Disruptions[0]
	later := Disruption{Kind: DisruptionRestart, Span: Span{From: at.Add(time.Hour), To: at.Add(time.Hour)}}
	for name, tc := range map[string]struct {
		history NodeHistory
		of      Disruption
		want    bool
	}{
		"as it was known":             {known, known.Disruptions[0], true},
		"begins earlier than thought": {known, earlier, true},
		"another one":                 {known, later, false},
		"of a node last seen down":    {NodeHistory{Down: true}, later, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.history.knewOf(tc.of); got != tc.want {
				t.Errorf("got %t, want %t", got, tc.want)
			}
		})
	}
}
