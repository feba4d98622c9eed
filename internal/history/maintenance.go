package history

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// How often the writer tidies up between batches, and how often it looks for
// what is past its retention.
const (
	maintainEvery = 15 * time.Second
	expireEvery   = time.Hour
)

// Samples come in a little after their time: a probe has to end first. What is
// later still is summed up again, which costs more.
const lateGrace = 90 * time.Second

// minutesPerRollup is how many minutes are summed up at once: rows that are written
// together lie on one page.
const minutesPerRollup = 5

// A cutoffs says what is due of a target.
type cutoffs struct {
	sumBefore int64         // minutes that are over before are summed up
	keepFrom  [levels]int64 // what is older is deleted
}

// cutoffs of a target at a time: targets take turns within a stride.
func (c Config) cutoffs(id int64, now time.Time) cutoffs {
	turn := id % minutesPerRollup * units[minutes]
	over := now.Add(-lateGrace).UnixMilli() - turn
	ago := func(age time.Duration) int64 { return now.Add(-age).UnixMilli() }
	return cutoffs{
		sumBefore: over - over%(minutesPerRollup*units[minutes]) + turn,
		keepFrom: [levels]int64{
			hours.floor(ago(c.Raw)), days.floor(ago(c.Minutes)), days.floor(ago(c.Retention)), days.floor(ago(c.Retention)),
		},
	}
}

// due reports whether there is anything to do, without asking the disk.
func (t *target) due(h cutoffs) bool {
	if minutes.floor(h.sumBefore) > t.until[minutes] ||
		hours.floor(t.until[minutes]) > t.until[hours] || days.floor(t.until[hours]) > t.until[days] {
		return true
	}
	for l := range days {
		if (l + 1).floor(min(h.keepFrom[l], t.until[l+1])) > t.since[l] {
			return true
		}
	}
	return h.keepFrom[days] > t.since[days]
}

// maintain sums up what is due, and deletes what is old or too much: a small
// transaction at a time, so that nobody waits long for the writing connection.
func (db *DB) maintain(ctx context.Context, now time.Time) error {
	db.checkFilePresent()
	for _, t := range db.targets {
		if err := db.maintainTarget(ctx, t, db.config.cutoffs(t.id, now)); err != nil {
			return fmt.Errorf("tidying up %s %q of %q: %w", t.Kind, t.Name, t.Cluster, err)
		}
	}
	if err := db.endDeployments(ctx, now); err != nil {
		return err
	}
	if now.Sub(db.lastExpired).Abs() >= expireEvery {
		if err := db.expireRows(ctx, now); err != nil {
			return err
		}
		db.lastExpired = now
	}
	if err := db.enforceMaxSize(ctx); err != nil {
		return fmt.Errorf("making the history smaller: %w", err)
	}
	return db.releasePages(ctx)
}

// maintainTarget does what is due, in as many transactions as it takes.
func (db *DB) maintainTarget(ctx context.Context, t *target, h cutoffs) error {
	for t.due(h) {
		next := *t
		err := commitRelaxed(ctx, db.writer, func(tx *sql.Tx) error { return next.step(ctx, tx, h) })
		if err != nil {
			return err
		}
		if next == *t {
			return nil // nothing more can be done of what is due
		}
		*t = next
	}
	return nil
}

// step does a transaction's worth of what is due.
func (t *target) step(ctx context.Context, tx *sql.Tx, h cutoffs) error {
	for l := minutes; l < levels; l++ {
		if more, err := t.rollUp(ctx, tx, l, h.sumBefore); err != nil || more {
			return t.updated(ctx, tx, err)
		}
	}
	for l := range levels {
		if more, err := t.trim(ctx, tx, l, h.keepFrom[l]); err != nil || more {
			return t.updated(ctx, tx, err)
		}
	}
	return t.update(ctx, tx)
}

// updated saves t's progress unless there was an error.
func (t *target) updated(ctx context.Context, tx *sql.Tx, err error) error {
	if err != nil {
		return err
	}
	return t.update(ctx, tx)
}

// unnotifiedRetention is how long incidents are kept that went away before anybody was
// told: there may be hundreds a day, and they should not take the room of others.
const unnotifiedRetention = 24 * time.Hour

// expireRows deletes what is over and past its time.
func (db *DB) expireRows(ctx context.Context, now time.Time) error {
	if err := db.deleteBefore(ctx, deleteUnnotified, now.Add(-unnotifiedRetention)); err != nil {
		return err
	}
	for _, statement := range deleteExpired {
		if err := db.deleteBefore(ctx, statement, now.Add(-db.config.Retention)); err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) deleteBefore(ctx context.Context, statement string, before time.Time) error {
	for more := true; more; {
		result, err := db.writer.ExecContext(ctx, statement, before.UnixMilli())
		if err != nil {
			return fmt.Errorf("deleting what is past its retention: %w", err)
		}
		n, err := result.RowsAffected()
		if err != nil {
			return err
		}
		more = n > 0
	}
	return nil
}

// enforceMaxSize makes room when the history is above its size: the oldest hour of
// samples gives way, or when all are gone, the oldest day of minutes, and so on.
func (db *DB) enforceMaxSize(ctx context.Context) error {
	if db.config.MaxSize <= 0 {
		return nil
	}
	used, err := usedBytes(ctx, db.writer)
	if err != nil || used <= db.config.MaxSize {
		return err
	}
	for l := range levels {
		limit, found := db.oldestOf(l)
		if !found {
			continue
		}
		db.config.Logger.Warn("history is above its size: the oldest details give way",
			"bytes", used, "max", db.config.MaxSize, "what", tables[l], "before", timeOf(limit))
		for _, t := range db.targets {
			var h cutoffs
			h.keepFrom[l] = limit
			if err := db.maintainTarget(ctx, t, h); err != nil {
				return err
			}
		}
		return nil
	}
	return nil
}

// oldestOf a level's rows that may be deleted: the end of their first hour or day.
func (db *DB) oldestOf(l level) (limit int64, found bool) {
	next := min(l+1, days)
	unit := max(units[hours], units[next])
	for _, t := range db.targets {
		if end := t.since[l] + unit; t.until[next] >= end && (!found || end < limit) {
			limit, found = end, true
		}
	}
	return limit, found
}

// releasePages returns free pages to the file system, but for a tenth of the file
// that new rows will fill.
func (db *DB) releasePages(ctx context.Context) error {
	const steps = 16
	for range steps {
		var pages, free int64
		if err := db.writer.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages); err != nil {
			return fmt.Errorf("reading the size: %w", err)
		}
		if err := db.writer.QueryRowContext(ctx, "PRAGMA freelist_count").Scan(&free); err != nil {
			return fmt.Errorf("reading the size: %w", err)
		}
		if free <= pages/10+vacuumPages {
			return nil
		}
		if err := vacuum(ctx, db.writer); err != nil {
			return fmt.Errorf("giving pages back: %w", err)
		}
	}
	return nil
}
