package history

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/must"
)

// A replay is the load of the benchmarks: targets in clusters of 20, each probed every 10 seconds.
const (
	replayTargets  = 100
	replayClusters = replayTargets / 20
	replayStep     = 10 * time.Second
	replayDays     = 90
)

func replayTarget(i int) checks.Target {
	return checks.Target{Cluster: replayCluster(i), Kind: checks.TargetNode, Name: fmt.Sprintf("node%03d", i)}
}

func replayCluster(i int) string { return fmt.Sprintf("cluster%02d", i%replayClusters) }

// BenchmarkBytesPerProbe writes a day of 50 targets in batches of ten seconds, whose rows all
// lie on different pages, with maintenance in between.
func BenchmarkBytesPerProbe(b *testing.B) {
	const targets, day = 50, 24 * time.Hour
	for b.Loop() {
		db := opened(b)
		at := testTime
		for range int(day / replayStep) {
			var batch Batch
			for i := range targets {
				s := every(replayTarget(i), at.Add(time.Duration(i)*time.Millisecond), 0, 1)[0]
				s.OK = at.Unix()%5000 != 0
				s.Latency = time.Duration(800+at.Unix()*7919%40000) * time.Microsecond
				batch.Samples = append(batch.Samples, s)
			}
			write(b, db, batch)
			at = at.Add(replayStep)
			if at.Unix()%60 == 0 {
				must.Succeed(b, db.maintain(b.Context(), at))
			}
		}
		used, err := db.engine.usedBytes(b.Context())
		must.Succeed(b, err)
		n := float64(targets) * float64(day/replayStep)
		b.ReportMetric(float64(used)/n, "bytes/probe")
	}
}

// BenchmarkRecord measures how long Record blocks a probe.
func BenchmarkRecord(b *testing.B) {
	db := opened(b)
	batch := Batch{Samples: every(node, testTime, time.Second, 20)}
	for b.Loop() {
		db.Record(batch)
	}
}

// BenchmarkCommit measures a durable commit of an incident with its notification.
func BenchmarkCommit(b *testing.B) {
	db := opened(b)
	n := 0
	for b.Loop() {
		id := fmt.Sprintf("%09d", n)
		n++
		s := WriteSet{}
		s.Incidents = append(s.Incidents, incident(id))
		s.Notifications = append(s.Notifications, notification(id, "ops", id))
		must.Succeed(b, db.Commit(b.Context(), s))
	}
}

// BenchmarkReplay measures the queries of the page and the API over 90 days of 100 targets with an
// interval of 10 seconds, while batches are written, and how many rows a second it writes. It fills
// the history first, in SQLite and in PostgreSQL, which takes minutes. It runs only if
// STICKWATCH_REPLAY is set.
func BenchmarkReplay(b *testing.B) {
	if os.Getenv("STICKWATCH_REPLAY") == "" {
		b.Skip("STICKWATCH_REPLAY is not set")
	}
	b.Run("sqlite", measureReplay)
	b.Run("postgres", func(b *testing.B) {
		startPostgres(b)
		measureReplay(b)
	})
}

func measureReplay(b *testing.B) {
	path := place(b)
	fill(b, path)
	measureQueries(b, path)
	b.Run("rows", func(b *testing.B) { measureRows(b, openedAt(b, path)) })
}

// measureRows reports the samples a second that batches of all targets write.
func measureRows(b *testing.B, db *DB) {
	at, rows := replayEnd.AddDate(0, 1, 0), 0
	for b.Loop() {
		var batch Batch
		for i := range chunk {
			batch.Samples = append(batch.Samples, every(replayTarget(i%replayTargets), at.Add(time.Duration(i)*time.Millisecond), 0, 1)[0])
		}
		at = at.Add(chunk * time.Millisecond)
		write(b, db, batch)
		rows += chunk
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

// openedAt opens a history at the end of the replay.
func openedAt(b *testing.B, path string) *DB {
	b.Helper()
	db, err := open(b.Context(), Config{Path: path, Queue: 1 << 20, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return replayEnd }})
	must.Succeed(b, err)
	b.Cleanup(func() { db.Close(context.WithoutCancel(b.Context())) })
	return db
}

// measureQueries measures queries of a replay, while batches are written.
func measureQueries(b *testing.B, path string) {
	now := replayEnd
	db, err := Open(b.Context(), Config{Path: path, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }})
	must.Succeed(b, err)
	defer db.Close(context.WithoutCancel(b.Context()))
	cluster := func(i int) (all []checks.Target) {
		for n := i % replayClusters; n < replayTargets; n += replayClusters {
			all = append(all, replayTarget(n))
		}
		return all
	}
	ago := func(d time.Duration) checks.Span { return checks.Span{From: now.Add(-d), To: now} }
	const day = 24 * time.Hour
	for _, query := range []struct {
		name string
		ask  func(i int) error
	}{
		{"points 1h raw", func(i int) error {
			_, err := db.Points(b.Context(), []checks.Target{replayTarget(i)}, ago(time.Hour), replayStep)
			return err
		}},
		{"points 1d by minute", func(i int) error {
			_, err := db.Points(b.Context(), []checks.Target{replayTarget(i)}, ago(day), time.Minute)
			return err
		}},
		{"points 6h of 20 targets", func(i int) error {
			_, err := db.Points(b.Context(), cluster(i), ago(6*time.Hour), 5*time.Minute)
			return err
		}},
		{"points 90d by hour", func(i int) error {
			_, err := db.Points(b.Context(), []checks.Target{replayTarget(i)}, ago(90*day), time.Hour)
			return err
		}},
		{"days 90 of 20 targets", func(i int) error {
			_, err := db.Days(b.Context(), cluster(i), now, 90)
			return err
		}},
		{"uptimes 1d of 20 targets", func(i int) error {
			_, err := db.Uptimes(b.Context(), replayCluster(i), ago(day))
			return err
		}},
		{"uptimes 90d of 20 targets", func(i int) error {
			_, err := db.Uptimes(b.Context(), replayCluster(i), ago(90*day))
			return err
		}},
		{"latencies 1h of 20 targets", func(i int) error {
			_, err := db.Latencies(b.Context(), replayCluster(i), ago(time.Hour))
			return err
		}},
		{"latencies 1d of 20 targets", func(i int) error {
			_, err := db.Latencies(b.Context(), replayCluster(i), ago(day))
			return err
		}},
		{"latencies 90d of 20 targets", func(i int) error {
			_, err := db.Latencies(b.Context(), replayCluster(i), ago(90*day))
			return err
		}},
		{"incidents 90d", func(i int) error {
			_, err := db.Incidents(b.Context(), alerting.IncidentQuery{Cluster: replayCluster(i), Span: ago(90 * day), Limit: 100})
			return err
		}},
		{"moves 90d", func(i int) error {
			_, err := db.Moves(b.Context(), replayCluster(i), ago(90*day), 1000)
			return err
		}},
		{"count moves 90d", func(i int) error {
			_, _, err := db.CountMoves(b.Context(), replayCluster(i), ago(90*day))
			return err
		}},
		{"placements 6h", func(i int) error {
			_, err := db.Placements(b.Context(), replayCluster(i), ago(6*time.Hour), 0)
			return err
		}},
		{"page of a cluster", func(i int) error { return readPage(b.Context(), db, cluster(i), now) }},
	} {
		b.Run(query.name, func(b *testing.B) { benchmarkQuery(b, db, query.ask) })
	}
}

// readPage reads what the page of a cluster shows; see web.historyCache.
func readPage(ctx context.Context, db *DB, of []checks.Target, now time.Time) error {
	cluster, ago := of[0].Cluster, func(d time.Duration) checks.Span { return checks.Span{From: now.Add(-d), To: now} }
	const day = 24 * time.Hour
	_, uptimes := db.Uptimes(ctx, cluster, ago(90*day))
	_, latencies := db.Latencies(ctx, cluster, ago(6*time.Hour), checks.TargetNode, checks.TargetBalancer)
	_, points := db.Points(ctx, of, ago(6*time.Hour), 5*time.Minute)
	_, days := db.Days(ctx, of, now, 90)
	_, moves := db.Moves(ctx, cluster, ago(6*time.Hour), 200)
	_, deployments := db.Deployments(ctx, cluster, ago(6*time.Hour))
	_, changes := db.Changes(ctx, cluster, ago(6*time.Hour), 0)
	_, placements := db.Placements(ctx, cluster, ago(6*time.Hour), 0)
	_, incidents := db.Incidents(ctx, alerting.IncidentQuery{Cluster: cluster, State: alerting.Resolved, Limit: 50})
	err := errors.Join(uptimes, latencies, points, days, moves, deployments, changes, placements, incidents)
	for _, span := range []time.Duration{time.Hour, day, 7 * day, 30 * day, 90 * day} {
		_, sessions := db.Uptimes(ctx, cluster, ago(span), checks.TargetSession)
		_, _, counted := db.CountMoves(ctx, cluster, ago(span))
		err = errors.Join(err, sessions, counted)
	}
	return err
}

// replayEnd is the end of a replay, where writing continues. It is late in the day, of which the
// queries read hours and minutes.
var replayEnd = testTime.Add(12*time.Hour - time.Second)

// benchmarkQuery reports percentiles of a query. It writes fifty samples for each query, as
// the fleet does in a second.
func benchmarkQuery(b *testing.B, db *DB, ask func(i int) error) {
	var took []time.Duration
	at := replayEnd.Add(time.Hour + time.Duration(time.Now().UnixMilli()%1e9)*time.Millisecond) // after all spans
	for b.Loop() {
		var batch Batch
		for i := range 50 {
			at = at.Add(time.Millisecond)
			batch.Samples = append(batch.Samples, checks.Sample{Target: replayTarget((len(took)*50 + i) % replayTargets), At: at, OK: true, Status: 200})
		}
		db.Record(batch)
		began := time.Now()
		must.Succeed(b, ask(len(took)%replayTargets))
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	for _, p := range []int{50, 95, 100} {
		b.ReportMetric(float64(took[(len(took)-1)*p/100].Microseconds())/1000, fmt.Sprintf("p%d-ms", p))
	}
}

// fill writes a replay to a new history.
func fill(b *testing.B, path string) {
	b.Helper()
	past := MadeUpPast{End: replayEnd, Days: replayDays, Interval: replayStep, Moves: 200, Incidents: 4}
	for i := range replayTargets {
		past.Targets = append(past.Targets, replayTarget(i))
	}
	c := Config{Path: path, Queue: 1 << 20, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return replayEnd }}
	must.Succeed(b, Fill(b.Context(), c, past))
	db := openedAt(b, path)
	used, err := db.engine.usedBytes(b.Context())
	must.Succeed(b, err)
	n := rowsOf(b, db)
	b.Logf("%d MB for %d days of %d targets: %v rows", used/1e6, replayDays, replayTargets, n)
	must.Succeed(b, db.Close(b.Context()))
}

// BenchmarkCluster measures the queries of the overview for a cluster of 100 nodes with six
// hours of data.
func BenchmarkCluster(b *testing.B) {
	const nodes = 100
	db := opened(b)
	var all []checks.Target
	for i := range nodes {
		of := checks.Target{Cluster: "shop", Kind: checks.TargetNode, Name: fmt.Sprintf("node%d", i)}
		all = append(all, of)
		write(b, db, Batch{Samples: every(of, testTime.Add(-6*time.Hour), 10*time.Second, 6*360)})
	}
	must.Succeed(b, db.maintain(b.Context(), testTime))
	span := checks.Span{From: testTime.Add(-6 * time.Hour), To: testTime}
	b.Run("points", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.Points(b.Context(), all, span, 5*time.Minute); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("uptimes", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.Uptimes(b.Context(), "shop", checks.Span{From: testTime.AddDate(0, 0, -90), To: testTime}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("days", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.Days(b.Context(), all, testTime, 90); err != nil {
				b.Fatal(err)
			}
		}
	})
}
