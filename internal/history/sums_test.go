package history

import (
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// TestPointsOfSums: points of several hours, which the database adds up, equal the sums of points of a minute.
func TestPointsOfSums(t *testing.T) {
	db := opened(t)
	from := testTime.Add(-12 * time.Hour).Truncate(2 * time.Hour)
	all := every(node, from, 10*time.Second, 12*360)
	for i := range all {
		all[i].OK, all[i].Latency = i%97 > 0, time.Duration(1000+i%500)*time.Microsecond
		if i%194 == 0 { // every second failure is without an answer
			all[i].Failure = probes.FailureTimeout
		}
	}
	write(t, db, Batch{Samples: all})
	must.Succeed(t, db.maintain(t.Context(), testTime))
	points := func(step time.Duration) []checks.Point {
		found, err := db.Points(t.Context(), []checks.Target{node}, checks.Span{From: from, To: from.Add(12 * time.Hour)}, step)
		must.Succeed(t, err)
		return found[node]
	}
	sums := make(map[time.Time]checks.Point)
	for _, p := range points(time.Minute) {
		at := p.At.Truncate(2 * time.Hour)
		s := sums[at]
		s.Probes, s.Failed, s.Unanswered, s.Max = s.Probes+p.Probes, s.Failed+p.Failed, s.Unanswered+p.Unanswered, max(s.Max, p.Max)
		s.Mean += p.Mean * time.Duration(p.Probes-p.Unanswered) // the sum, for now
		sums[at] = s
	}
	wide := points(2 * time.Hour)
	if len(wide) != len(sums) {
		t.Fatalf("got %d points, want %d", len(wide), len(sums))
	}
	for _, p := range wide {
		want := sums[p.At]
		want.Mean /= time.Duration(want.Probes - want.Unanswered)
		if p.Probes != want.Probes || p.Failed != want.Failed || p.Unanswered != want.Unanswered || p.Max != want.Max ||
			want.Unanswered == 0 || (p.Mean-want.Mean).Abs() > time.Microsecond {
			t.Errorf("at %s: got %+v, want %+v", p.At, p, want)
		}
	}
}
