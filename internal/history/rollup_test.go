package history

import (
	"cmp"
	"math"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"stickwatch/checks"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

var node = checks.Target{Cluster: "shop", Kind: checks.TargetNode, Name: "node1"}

// drawSamples draws samples of a few days in any order, some within one millisecond.
func drawSamples(t *rapid.T) []checks.Sample {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) checks.Sample {
		offset := rapid.OneOf(rapid.IntRange(0, 3*24*3600), rapid.IntRange(3600, 3700)).Draw(t, "second")
		s := checks.Sample{
			Target: node, At: testTime.Add(time.Duration(offset) * time.Second),
			OK: rapid.Bool().Draw(t, "ok"), Latency: time.Duration(rapid.IntRange(0, 5000).Draw(t, "latency")) * time.Microsecond,
			Status: 200,
		}
		if !s.OK && rapid.Bool().Draw(t, "unanswered") {
			s.Status, s.Failure = 0, probes.FailureTimeout
		}
		return s
	}), 1, 60).Draw(t, "samples")
}

// naive computes an uptime from all samples.
func naive(all []checks.Sample, span checks.Span) checks.Uptime {
	u := checks.Uptime{Target: node, Span: span}
	var broken time.Time
	for _, s := range all {
		if s.At.Before(span.From) || !s.At.Before(span.To) {
			continue
		}
		u.Probes++
		if !s.OK {
			u.Failed++
		}
		if s.Failure != "" {
			u.Unanswered++
		}
		if !s.OK && broken.IsZero() {
			broken = s.At
		}
		if !broken.IsZero() {
			u.Longest = max(u.Longest, s.At.Sub(broken))
		}
		if s.OK {
			broken = time.Time{}
		}
	}
	if u.Probes > 0 {
		u.Ratio = float64(u.Probes-u.Failed) / float64(u.Probes)
	}
	return u
}

// spread sorts samples by time and moves samples of the same millisecond to the next free
// ones, as the history does.
func spread(all []checks.Sample) []checks.Sample {
	taken := make(map[time.Time]bool)
	all = slices.Clone(all)
	for i := range all {
		for taken[all[i].At] {
			all[i].At = all[i].At.Add(time.Millisecond)
		}
		taken[all[i].At] = true
	}
	slices.SortFunc(all, func(a, b checks.Sample) int { return a.At.Compare(b.At) })
	return all
}

// TestRollUpsEqualTheRaw: results equal those of the samples, independent of the order of the
// samples, the times of maintenance, and the level that is read.
func TestRollUpsEqualTheRaw(t *testing.T) {
	db := opened(t, func(c *Config) { c.Raw, c.Minutes = 100*24*time.Hour, 200*24*time.Hour })
	rapid.Check(t, func(rt *rapid.T) {
		forgetSamples(t, db)
		all := drawSamples(rt)
		// The first sample starts the history: older ones would be dropped.
		write(t, db, Batch{Samples: []checks.Sample{{Target: node, At: testTime.Add(-time.Hour), OK: true, Status: 200}}})
		for part := range slices.Chunk(all, rapid.IntRange(1, 60).Draw(rt, "batch")) {
			write(t, db, Batch{Samples: part})
			now := testTime.Add(time.Duration(rapid.IntRange(0, 120).Draw(rt, "hour")) * time.Hour)
			must.Succeed(rt, db.maintain(t.Context(), now))
		}
		from := testTime.Add(time.Duration(rapid.IntRange(0, 70*60).Draw(rt, "from")) * time.Minute)
		span := checks.Span{From: from, To: from.Add(time.Duration(rapid.IntRange(1, 72*60).Draw(rt, "length")) * time.Minute)}
		raw := spread(all)
		compareUptime(rt, db, raw, span)
		compareLatency(rt, db, raw, span)
		comparePoints(rt, db, raw, span, time.Duration(rapid.SampledFrom([]int{1, 7, 60, 90, 1440}).Draw(rt, "step"))*time.Minute)
	})
}

func compareUptime(t *rapid.T, db *DB, raw []checks.Sample, span checks.Span) {
	got, err := db.Uptimes(t.Context(), "shop", span)
	must.Succeed(t, err)
	want := []checks.Uptime{naive(raw, span)}
	if want[0].Probes == 0 {
		want = nil
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Fatalf("uptime (-want +got):\n%s", diff)
	}
}

// compareLatency compares percentiles with those of the sketch of the samples.
func compareLatency(t *rapid.T, db *DB, raw []checks.Sample, span checks.Span) {
	got, err := db.Latencies(t.Context(), "shop", span)
	must.Succeed(t, err)
	sum := new(latencies)
	for _, s := range raw {
		if s.Failure == "" && !s.At.Before(span.From) && s.At.Before(span.To) {
			sum.observe(s.Latency.Microseconds())
		}
	}
	want := []checks.Latency{sum.percentiles(node)}
	if want[0].Probes == 0 {
		want = nil
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Fatalf("latency (-want +got):\n%s", diff)
	}
}

func comparePoints(t *rapid.T, db *DB, raw []checks.Sample, span checks.Span, step time.Duration) {
	got, err := db.Points(t.Context(), []checks.Target{node}, span, step)
	must.Succeed(t, err)
	sums := make(map[int64]checks.Point)
	answered := make(map[int64]time.Duration)
	for _, s := range raw {
		if s.At.Before(span.From) || !s.At.Before(span.To) {
			continue
		}
		at := s.At.UnixMilli() / step.Milliseconds()
		p := sums[at]
		p.At = time.UnixMilli(at * step.Milliseconds()).UTC()
		p.Probes++
		if !s.OK {
			p.Failed++
		}
		if s.Failure != "" {
			p.Unanswered++
		}
		if s.Failure == "" {
			answered[at]++
			p.Mean += s.Latency
			p.Max = max(p.Max, s.Latency)
		}
		sums[at] = p
	}
	want := make([]checks.Point, 0, len(sums))
	for at, p := range sums {
		if n := answered[at]; n > 0 {
			p.Mean = (p.Mean / n).Truncate(time.Microsecond)
		}
		want = append(want, p)
	}
	slices.SortFunc(want, func(a, b checks.Point) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) })
	if diff := gocmp.Diff(want, got[node]); diff != "" {
		t.Fatalf("points of %s (-want +got):\n%s", step, diff)
	}
}

// TestAdditionIsAssociative: the sum of a day does not depend on the levels in between.
func TestAdditionIsAssociative(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := spread(drawSamples(t))
		cut := rapid.IntRange(0, len(all)).Draw(t, "cut")
		sum := func(part []checks.Sample) (b bucket) {
			for _, s := range part {
				b = b.add(bucketOf(pack(s)))
			}
			return b
		}
		if got, want := sum(all[:cut]).add(sum(all[cut:])), sum(all); got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

// forgetSamples deletes all targets and their rows.
func forgetSamples(t *testing.T, db *DB) {
	t.Helper()
	for _, table := range append(tables[:], "targets") {
		if _, err := db.exec(t.Context(), "DELETE FROM "+table); err != nil {
			t.Fatal(err)
		}
	}
	clear(db.targets)
}

// TestUnknownLatencies: where samples are deleted, edges of a span that are no whole hours, and rows of an
// earlier version or that are damaged, count as unknown.
func TestUnknownLatencies(t *testing.T) {
	db := opened(t)
	begin := testTime.AddDate(0, 0, -7)
	write(t, db, Batch{Samples: append(every(node, begin, time.Minute, 180), every(node, testTime.Add(-time.Hour), time.Minute, 60)...)})
	must.Succeed(t, db.maintain(t.Context(), testTime))
	if _, err := db.exec(t.Context(), "UPDATE hours SET latencies = NULL WHERE ts = ?", begin.Unix()/3600+1); err != nil {
		t.Fatal(err)
	}
	if _, err := db.exec(t.Context(), "UPDATE hours SET latencies = ? WHERE ts = ?", []byte{0xff}, begin.Unix()/3600+2); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		from, to       time.Time
		known, unknown int
	}{
		{begin, begin.Add(time.Hour), 60, 0},
		{begin.Add(-time.Hour), begin.Add(90 * time.Minute), 60, 30},
		{begin.Add(30 * time.Minute), begin.Add(time.Hour), 0, 30},
		{begin, begin.Add(3 * time.Hour), 60, 120},
		{begin.Add(time.Hour), testTime.Add(-30 * time.Minute), 30, 120},
		{begin.AddDate(0, 0, -7), begin, 0, 0},
	} {
		got, err := db.Latencies(t.Context(), "shop", checks.Span{From: test.from, To: test.to}, checks.TargetNode)
		var sum checks.Latency
		if len(got) > 0 {
			sum = got[0]
		}
		if err != nil || sum.Probes != test.known || sum.Unknown != test.unknown || (sum.Probes > 0) != (sum.P99 > 0) {
			t.Errorf("%s to %s: got %+v, error %v, want %d known and %d unknown", test.from, test.to, got, err, test.known, test.unknown)
		}
	}
	if got, err := db.Latencies(t.Context(), "shop", checks.Span{To: testTime}, checks.TargetSession); err != nil || len(got) > 0 {
		t.Errorf("got %v, error %v, want nothing of another kind", got, err)
	}
}

// TestClusterLatencies: the latencies of a cluster are those of all its targets of a kind together.
func TestClusterLatencies(t *testing.T) {
	db := opened(t)
	const kind = checks.TargetBalancer
	want := map[string]*latencies{"a": new(latencies), "b": new(latencies)}
	var all []checks.Sample
	for i := range 3 * 60 {
		for _, of := range []checks.Target{{Cluster: "a", Kind: kind, Name: "1"}, {Cluster: "a", Kind: kind, Name: "2"}, {Cluster: "b", Kind: kind, Name: "1"}, {Cluster: "other", Kind: kind, Name: "1"}, {Cluster: "b", Kind: checks.TargetNode, Name: "1"}} {
			s := checks.Sample{Target: of, At: testTime.Add(time.Duration(i-180) * time.Minute), OK: true, Status: 200, Latency: time.Duration(i*len(of.Cluster+of.Name)*int(of.Name[0])) * time.Microsecond}
			if all = append(all, s); of.Kind == kind && want[of.Cluster] != nil {
				want[of.Cluster].observe(s.Latency.Microseconds())
			}
		}
	}
	write(t, db, Batch{Samples: all})
	must.Succeed(t, db.maintain(t.Context(), testTime))
	for _, length := range []time.Duration{6 * time.Hour, 7 * 24 * time.Hour, 90 * 24 * time.Hour} {
		got, err := db.ClusterLatencies(t.Context(), []string{"a", "b", "unknown"}, checks.Span{From: testTime.Add(-length), To: testTime}, kind)
		expected := map[string]checks.Latency{}
		for cluster, l := range want {
			expected[cluster] = l.percentiles(checks.Target{Cluster: cluster, Kind: kind})
		}
		if diff := gocmp.Diff(expected, got); err != nil || diff != "" {
			t.Errorf("%s: error %v (-want +got):\n%s", length, err, diff)
		}
	}
}

// TestExpiredDetailsKeepSums: deleting samples and minutes does not change results.
func TestExpiredDetailsKeepSums(t *testing.T) {
	db := opened(t)
	var all []checks.Sample
	for i := range 24 * 60 {
		all = append(all, checks.Sample{
			Target: node, At: testTime.Add(-50 * 24 * time.Hour).Add(time.Duration(i) * time.Minute),
			OK: i%100 != 7, Latency: time.Duration(i) * time.Microsecond, Status: 200,
		})
	}
	write(t, db, Batch{Samples: all})
	span := checks.Span{From: testTime.Add(-60 * 24 * time.Hour), To: testTime}
	before, err := db.Uptimes(t.Context(), "shop", span)
	must.Succeed(t, err)
	must.Succeed(t, db.maintain(t.Context(), testTime))
	after, err := db.Uptimes(t.Context(), "shop", span)
	must.Succeed(t, err)
	if diff := gocmp.Diff(before, after); diff != "" {
		t.Errorf("uptime, before and after (-/+):\n%s", diff)
	}
	latency, err := db.Latencies(t.Context(), "shop", span)
	sum := new(latencies)
	for _, s := range all {
		sum.observe(s.Latency.Microseconds())
	}
	if diff := gocmp.Diff([]checks.Latency{sum.percentiles(node)}, latency); err != nil || diff != "" {
		t.Errorf("error %v, latency (-want +got):\n%s", err, diff)
	}
	if got, want := rowsOf(t, db), ([levels]int{0, 0, 24, 2}); got != want {
		t.Errorf("got %v rows, want %v", got, want)
	}
	points, err := db.Points(t.Context(), []checks.Target{node}, span, 5*time.Minute)
	must.Succeed(t, err)
	if len(points[node]) != 24 {
		t.Errorf("got %d points, want one for each hour, which is all that is known", len(points[node]))
	}
}

func rowsOf(tb testing.TB, db *DB) (n [levels]int) {
	tb.Helper()
	for l, table := range tables {
		must.Succeed(tb, db.pool.QueryRowContext(tb.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n[l]))
	}
	return n
}

func TestDays(t *testing.T) {
	db := opened(t)
	write(t, db, Batch{Samples: []checks.Sample{
		{Target: node, At: testTime.Add(-24 * time.Hour), OK: true, Status: 200},
		{Target: node, At: testTime.Add(-24 * time.Hour).Add(time.Minute), Status: 503},
		{Target: node, At: testTime, OK: true, Status: 200},
	}})
	got, err := db.Days(t.Context(), []checks.Target{node}, testTime, 3)
	must.Succeed(t, err)
	day := func(n int) checks.Span {
		from := testTime.Truncate(24*time.Hour).AddDate(0, 0, n)
		return checks.Span{From: from, To: from.AddDate(0, 0, 1)}
	}
	want := []checks.Uptime{
		{Target: node, Span: day(-2)},
		{Target: node, Span: day(-1), Probes: 2, Failed: 1, Ratio: 0.5},
		{Target: node, Span: day(0), Probes: 1, Ratio: 1},
	}
	if diff := gocmp.Diff(want, got[node]); diff != "" {
		t.Errorf("days (-want +got):\n%s", diff)
	}
}

func TestPackRoundTrip(t *testing.T) {
	for _, failure := range failures {
		for _, status := range []int{0, 200, 503, maxStatus} {
			for _, ok := range []bool{true, false} {
				want := checks.Sample{Target: node, At: testTime, OK: ok, Latency: 1234 * time.Microsecond, Status: status, Failure: failure}
				if diff := gocmp.Diff(want, pack(want).unpack(node)); diff != "" {
					t.Errorf("sample (-want +got):\n%s", diff)
				}
			}
		}
	}
	unexpected := pack(checks.Sample{At: testTime, Status: math.MaxInt, Failure: "of tomorrow"}).unpack(node)
	if unexpected.Status != 0 || unexpected.Failure != probes.FailureOther {
		t.Errorf("got status %d and failure %q, want 0 and other", unexpected.Status, unexpected.Failure)
	}
}

// unpack decodes a sample, with a precision of a millisecond and a microsecond.
func (s sample) unpack(of checks.Target) checks.Sample {
	failure := probes.FailureOther // an unknown index was written by a newer program
	if n := int(s.outcome & outcomeFailure >> 1); n < len(failures) {
		failure = failures[n]
	}
	return checks.Sample{
		Target: of, At: time.UnixMilli(s.ts).UTC(), OK: !s.failed(),
		Latency: time.Duration(s.latency) * time.Microsecond,
		Status:  int(s.outcome >> outcomeStatus), Failure: failure,
	}
}

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
