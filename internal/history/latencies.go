package history

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"stickwatch/checks"
)

// latencies has the latencies of answered probes: a sketch of those that are known, and the number of the others.
// Rows of minutes and rows of earlier versions have no sketch, only the sum of their latencies.
type latencies struct {
	sketch
	unknown int64
}

// readLatencies reads the rows of targets that begin in [from, to) and adds each to the latencies that sumOf
// returns for its target and start. The rows of a target are read oldest first.
func (l level) readLatencies(ctx context.Context, q queryer, targets []int64, from, to int64, sumOf func(target, ts int64) *latencies) error {
	for part := range slices.Chunk(targets, maxParameters) {
		err := l.eachRow(ctx, q, selectLatencies[l], part, from, to, func(rows *sql.Rows) error { return l.scanLatencies(rows, sumOf) })
		if err != nil {
			return err
		}
	}
	return nil
}

// scanLatencies reads a row of selectLatencies for readLatencies.
func (l level) scanLatencies(rows *sql.Rows, sumOf func(target, ts int64) *latencies) error {
	if l == samples {
		var target int64
		var s sample
		if err := rows.Scan(&target, &s.ts, &s.latency, &s.outcome); err != nil {
			return err
		}
		if s.answered() {
			sumOf(target, s.ts).observe(s.latency)
		}
		return nil
	}
	var target, bucket, answered int64 // bucket is the start of the row in units of its level
	var data sql.RawBytes
	if err := rows.Scan(&target, &bucket, &answered, &data); err != nil {
		return err
	}
	sumOf(target, bucket*units[l]).addRow(answered, data)
	return nil
}

// addRow adds a row: the number of its answered probes and an encoded sketch of the known latencies. If the
// sketch is damaged, all latencies of the row are unknown.
func (l *latencies) addRow(answered int64, data []byte) {
	answered = max(answered, 0)
	var s sketch
	if s.decode(data) == nil && s.count() <= uint64(answered) {
		l.add(&s)
		answered -= int64(s.count())
	}
	l.unknown += answered
}

// sketches returns the latencies of a target in the buckets of l that begin in [from, to), by their start. Those
// of hours are computed from samples, because rows of minutes have no sketch.
func (l level) sketches(ctx context.Context, tx *transaction, target, from, to int64) (map[int64]*latencies, error) {
	byStart := make(map[int64]*latencies)
	below := map[level]level{hours: samples, days: hours}[l]
	err := below.readLatencies(ctx, tx, []int64{target}, from, to, func(_, ts int64) *latencies {
		start := l.floor(ts)
		if byStart[start] == nil {
			byStart[start] = new(latencies)
		}
		return byStart[start]
	})
	return byStart, err
}

// Latencies returns percentiles of the latencies of each target of a cluster in a span, sorted by kind and name.
// Without kinds it includes all targets. It omits targets without answered probes. If the span is a week or longer,
// its start is rounded up to a whole hour; from eight weeks on, to a whole day.
func (r *Reader) Latencies(ctx context.Context, cluster string, span checks.Span, kinds ...checks.TargetKind) ([]checks.Latency, error) {
	var found []*target
	sums := make(map[int64]*latencies)
	err := r.inSnapshot(ctx, func(tx *sql.Tx) (err error) {
		if found, err = targetsOf(ctx, tx, cluster, kinds); err != nil {
			return err
		}
		for _, t := range found {
			sums[t.id] = new(latencies)
		}
		return addSpan(ctx, tx, found, span, sums)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the latencies of %q: %w", cluster, err)
	}
	var all []checks.Latency
	for _, t := range found {
		if l := sums[t.id].percentiles(t.Target); l.Probes+l.Unknown > 0 {
			all = append(all, l)
		}
	}
	return all, nil
}

// ClusterLatencies returns percentiles of the latencies of all targets of a kind together, by cluster. It omits
// clusters without answered probes. The start of the span is rounded as in Latencies. The number of queries does
// not depend on the number of clusters.
func (r *Reader) ClusterLatencies(ctx context.Context, clusters []string, span checks.Span, kind checks.TargetKind) (map[string]checks.Latency, error) {
	byCluster, sums := make(map[string]*latencies, len(clusters)), make(map[int64]*latencies)
	for _, cluster := range clusters {
		byCluster[cluster] = new(latencies)
	}
	err := r.inSnapshot(ctx, func(tx *sql.Tx) error {
		found, err := targets(ctx, tx, selectTargetsOfKind, kind)
		if err != nil {
			return err
		}
		found = slices.DeleteFunc(found, func(t *target) bool { return byCluster[t.Cluster] == nil })
		for _, t := range found {
			sums[t.id] = byCluster[t.Cluster]
		}
		return addSpan(ctx, tx, found, span, sums)
	})
	if err != nil {
		return nil, fmt.Errorf("reading the latencies of %d clusters: %w", len(clusters), err)
	}
	all := make(map[string]checks.Latency, len(byCluster))
	for cluster, sum := range byCluster {
		if l := sum.percentiles(checks.Target{Cluster: cluster, Kind: kind}); l.Probes+l.Unknown > 0 {
			all[cluster] = l
		}
	}
	return all, nil
}

// addSpan adds the latencies of targets in a span to sums, which has an element for each target ID.
func addSpan(ctx context.Context, q queryer, list []*target, span checks.Span, sums map[int64]*latencies) error {
	from, to := bounds(span)
	parts := make(map[segment][]int64)
	for _, t := range list {
		for _, s := range t.split(days, alignStart(from, to), to, units[days]) {
			// Rows of minutes have no sketches, so samples are read while they are kept.
			if s.level == minutes && s.from >= t.since[samples] {
				s.level = samples
			}
			parts[s] = append(parts[s], t.id)
		}
	}
	for s, ids := range parts {
		err := s.readLatencies(ctx, q, ids, s.from, s.to, func(target, _ int64) *latencies { return sums[target] })
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *latencies) percentiles(target checks.Target) checks.Latency {
	at := func(q float64) time.Duration { return time.Duration(l.quantile(q)) * time.Microsecond }
	return checks.Latency{
		Target: target, P50: at(0.50), P95: at(0.95), P99: at(0.99), Probes: int(l.count()), Unknown: int(l.unknown),
	}
}
