package history

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/panics"
)

// chunk is the maximum number of rows in one transaction. It takes about ten milliseconds, for
// which Commit may have to wait.
const chunk = 2000

// The backoff after a failed write doubles from minBackoff to maxBackoff.
const (
	minBackoff = time.Second
	maxBackoff = 30 * time.Second
)

// write is the goroutine that writes batches and runs the maintenance.
func (db *DB) write(ctx context.Context) {
	wait, maintained := time.Duration(0), db.config.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case written := <-db.flushNow:
			written <- db.flush(ctx)
			continue
		case <-time.After(max(db.config.Flush, wait)):
		}
		err := db.flush(ctx)
		if now := db.config.Now(); err == nil && now.Sub(maintained).Abs() >= maintainEvery {
			maintained = now
			if caught := panics.Catch(panics.History, func() { err = db.maintain(ctx, now) }); caught != nil {
				err = caught
			}
		}
		if err == nil || ctx.Err() != nil {
			if err == nil && wait > 0 {
				db.config.Logger.Info("the history can be written again")
			}
			wait = 0
			continue
		}
		wait = min(max(2*wait, minBackoff), maxBackoff)
		length, dropped := db.queue.state()
		db.config.Logger.Error("writing the history", "err", err, "waiting", length, "dropped", dropped, "retry_in", wait)
	}
}

// flush writes the queue. Rows that cannot be written return to the queue. A part that panics
// is dropped, because it would panic again.
func (db *DB) flush(ctx context.Context) error {
	if err := db.reloadTargets(ctx); err != nil {
		return err
	}
	batch := db.queue.take()
	batch.sort()
	for batch = db.ownRows(batch); !batch.empty(); {
		part, rest := batch.split(chunk)
		fence := db.leases.fence(part.clusters())
		var err error
		if panics.Catch(panics.History, func() { err = db.writePart(ctx, part, fence) }) != nil {
			db.queue.drop(part.size())
		}
		lost, fenced := isFenced(err)
		switch {
		case err == nil:
		case fenced:
			db.leases.lose(lost, fence)
			rest = db.ownRows(batch)
		case db.engine.rejected(err): // again would be rejected again
			db.queue.drop(part.size())
			db.config.Logger.Error("the history rejects rows: they are dropped", "err", err)
		default:
			db.queue.requeue(batch)
			return err
		}
		batch = rest
	}
	return nil
}

// split takes n samples off b, together with everything else, which is little.
func (b Batch) split(n int) (part, rest Batch) {
	n = min(n, len(b.Samples))
	part, rest = b, Batch{Samples: b.Samples[n:]}
	part.Samples = b.Samples[:n]
	return part, rest
}

// writePart writes a part of a batch in one transaction.
func (db *DB) writePart(ctx context.Context, b Batch, fence map[string]int64) error {
	var late int
	created := make(map[checks.Target]*target)
	err := db.measure(func() error {
		return db.commitFenced(ctx, fence, func(tx *transaction) (err error) {
			if late, err = db.insertSamples(ctx, tx, b.Samples, created); err != nil {
				return err
			}
			return insertEvents(ctx, tx, b)
		})
	})
	if err != nil {
		return fmt.Errorf("writing a batch of %d rows: %w", b.size(), err)
	}
	maps.Copy(db.targets, created)
	db.queue.drop(late)
	return nil
}

// insertSamples inserts samples and adds new targets to created. It returns the number of
// samples that are older than the retention.
func (db *DB) insertSamples(ctx context.Context, tx *transaction, all []checks.Sample, created map[checks.Target]*target) (late int, err error) {
	rows := make([]targetSample, 0, len(all))
	for _, s := range all {
		row := targetSample{db.targets[s.Target], pack(s)}
		if row.target == nil {
			row.target = created[s.Target]
		}
		if row.target == nil {
			row.target = newTarget(s.Target, row.ts)
			if err := row.target.insert(ctx, tx); err != nil {
				return 0, err
			}
			created[s.Target] = row.target
		}
		if row.ts < row.target.since[samples] {
			late++
			continue
		}
		rows = append(rows, row)
	}
	if err := db.engine.insertSamples(ctx, tx, rows); err != nil {
		return 0, err
	}
	for _, row := range rows {
		if err := row.target.recompute(ctx, tx, row.ts); err != nil {
			return 0, err
		}
	}
	return late, nil
}

func insertEvents(ctx context.Context, tx *transaction, batch Batch) error {
	for _, m := range batch.Moves {
		message, err := json.Marshal(m.Cause)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, insertMove,
			m.Cluster, m.At.UnixMilli(), m.From, m.To, number(m.Kept), string(m.Session), m.Cause.String(), string(message)); err != nil {
			return err
		}
	}
	for _, c := range batch.Changes {
		body, err := json.Marshal(c.Change)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, insertChange, c.Cluster, c.At.UnixMilli(), string(body)); err != nil {
			return err
		}
	}
	for _, p := range batch.Placements {
		if _, err := tx.ExecContext(ctx, upsertPlacement,
			p.Cluster, p.Balancer, p.Owner, p.From.UnixMilli(), p.To.UnixMilli(), p.Node, string(p.Outcome)); err != nil {
			return err
		}
	}
	return nil
}

// number is the column of a bool. PostgreSQL does not convert it.
func number(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

// upsertByCluster replaces the saved list of each cluster in all.
func upsertByCluster[T any](ctx context.Context, tx *transaction, statement string, all map[string][]T) error {
	for cluster, list := range all {
		body, err := json.Marshal(list)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, statement, cluster, string(body)); err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) loadTargets(ctx context.Context) error {
	all, err := targets(ctx, db.pool, selectTargets)
	if err != nil {
		return fmt.Errorf("reading targets: %w", err)
	}
	for _, t := range all {
		db.targets[t.Target] = t
	}
	return nil
}
