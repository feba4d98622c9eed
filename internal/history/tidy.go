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
	tidyEvery   = 15 * time.Second
	forgetEvery = time.Hour
)

// Samples come in a little after their time: a probe has to end first. What is
// later still is summed up again, which costs more.
const grace = 90 * time.Second

// stride is how many minutes are summed up at once: rows that are written
// together lie on one page.
const stride = 5

// A horizon says what is due of a target.
type horizon struct {
	sum  int64         // minutes that are over before are summed up
	keep [levels]int64 // what is older is deleted
}

// horizon of a target at a time: targets take turns within a stride.
func (c Config) horizon(id int64, now time.Time) horizon {
	turn := id % stride * units[minutes]
	over := now.Add(-grace).UnixMilli() - turn
	ago := func(age time.Duration) int64 { return now.Add(-age).UnixMilli() }
	return horizon{
		sum: over - over%(stride*units[minutes]) + turn,
		keep: [levels]int64{
			hours.floor(ago(c.Raw)), days.floor(ago(c.Minutes)), days.floor(ago(c.Retention)), days.floor(ago(c.Retention)),
		},
	}
}

// due reports whether there is anything to do, without asking the disk.
func (t *target) due(h horizon) bool {
	if minutes.floor(h.sum) > t.until[minutes] ||
		hours.floor(t.until[minutes]) > t.until[hours] || days.floor(t.until[hours]) > t.until[days] {
		return true
	}
	for l := range days {
		if (l + 1).floor(min(h.keep[l], t.until[l+1])) > t.since[l] {
			return true
		}
	}
	return h.keep[days] > t.since[days]
}

// tidy sums up what is due, and deletes what is old or too much: a small
// transaction at a time, so that nobody waits long for the writing connection.
func (db *DB) tidy(ctx context.Context, now time.Time) error {
	db.lookForFile()
	for _, t := range db.targets {
		if err := db.tidyTarget(ctx, t, db.config.horizon(t.id, now)); err != nil {
			return fmt.Errorf("tidying up %s %q of %q: %w", t.Kind, t.Name, t.Cluster, err)
		}
	}
	if err := db.endDeployments(ctx, now); err != nil {
		return err
	}
	if now.Sub(db.forgot).Abs() >= forgetEvery {
		if err := db.forgetOld(ctx, now); err != nil {
			return err
		}
		db.forgot = now
	}
	if err := db.squeeze(ctx); err != nil {
		return fmt.Errorf("making the history smaller: %w", err)
	}
	return db.giveBack(ctx)
}

// tidyTarget does what is due, in as many transactions as it takes.
func (db *DB) tidyTarget(ctx context.Context, t *target, h horizon) error {
	for t.due(h) {
		next := *t
		err := swiftly(ctx, db.writer, func(tx *sql.Tx) error { return next.step(ctx, tx, h) })
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
func (t *target) step(ctx context.Context, tx *sql.Tx, h horizon) error {
	for l := minutes; l < levels; l++ {
		if more, err := t.sumUp(ctx, tx, l, h.sum); err != nil || more {
			return t.updated(ctx, tx, err)
		}
	}
	for l := range levels {
		if more, err := t.trim(ctx, tx, l, h.keep[l]); err != nil || more {
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

// untoldFor is how long incidents are kept that went away before anybody was
// told: there may be hundreds a day, and they should not take the room of others.
const untoldFor = 24 * time.Hour

// forgetOld deletes what is over and past its time.
func (db *DB) forgetOld(ctx context.Context, now time.Time) error {
	if err := db.forgetBefore(ctx, forgetUntold, now.Add(-untoldFor)); err != nil {
		return err
	}
	for _, statement := range forget {
		if err := db.forgetBefore(ctx, statement, now.Add(-db.config.Retention)); err != nil {
			return err
		}
	}
	return nil
}

func (db *DB) forgetBefore(ctx context.Context, statement string, before time.Time) error {
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

// squeeze makes room when the history is above its size: the oldest hour of
// samples gives way, or when all are gone, the oldest day of minutes, and so on.
func (db *DB) squeeze(ctx context.Context) error {
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
			"bytes", used, "max", db.config.MaxSize, "what", tables[l], "before", moment(limit))
		for _, t := range db.targets {
			var h horizon
			h.keep[l] = limit
			if err := db.tidyTarget(ctx, t, h); err != nil {
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

// giveBack returns free pages to the file system, but for a tenth of the file
// that new rows will fill.
func (db *DB) giveBack(ctx context.Context) error {
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
