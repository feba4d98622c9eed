package history

import (
	"context"
	"fmt"
	"math"
	"time"
)

// The intervals of maintenance and of the deletion of expired rows.
const (
	maintainEvery  = 15 * time.Second
	expireEvery    = time.Hour
	sizeCheckEvery = 5 * time.Minute // how often an instance checks the size while another one deletes partitions
	deadShown      = 24 * time.Hour  // how long an instance that ended without notice is listed
)

// lateGrace is how long aggregation waits for samples. A sample has the start time of its probe and arrives
// when the probe ends. If it arrives later than this, its aggregates are recomputed, which is slower.
const lateGrace = 90 * time.Second

// minutesPerRollup is the number of minutes that are aggregated in one transaction, so that their rows share
// a database page.
const minutesPerRollup = 5

// cutoffs are the time limits of the maintenance of a target, in milliseconds since 1970.
type cutoffs struct {
	sumBefore int64         // minutes that end before it are aggregated
	keepFrom  [levels]int64 // rows before it are deleted
}

// cutoffs returns the limits of a target at a time. The target's id shifts them by up to minutesPerRollup
// minutes, so that not all targets are aggregated at once.
func (c Config) cutoffs(id int64, now time.Time) cutoffs {
	turn := id % minutesPerRollup * units[minutes]
	settled := now.Add(-lateGrace).UnixMilli() - turn
	ago := func(age time.Duration) int64 { return now.Add(-age).UnixMilli() }
	return cutoffs{
		sumBefore: settled - settled%(minutesPerRollup*units[minutes]) + turn,
		keepFrom: [levels]int64{
			hours.floor(ago(c.Raw)), days.floor(ago(c.Minutes)), days.floor(ago(c.Retention)), days.floor(ago(c.Retention)),
		},
	}
}

// due reports whether there is work to do, without I/O.
func (t *target) due(limits cutoffs) bool {
	if minutes.floor(limits.sumBefore) > t.until[minutes] ||
		hours.floor(t.until[minutes]) > t.until[hours] || days.floor(t.until[hours]) > t.until[days] {
		return true
	}
	for l := range days {
		if (l + 1).floor(min(limits.keepFrom[l], t.until[l+1])) > t.since[l] {
			return true
		}
	}
	return limits.keepFrom[days] > t.since[days]
}

// maintain aggregates and deletes rows in small transactions, so that the writing connection
// is never blocked for long.
func (db *DB) maintain(ctx context.Context, now time.Time) error {
	if err := db.reloadTargets(ctx); err != nil {
		return err
	}
	for _, t := range db.targets {
		fence := db.leases.fenceOf(t.Cluster)
		err := db.maintainTarget(ctx, t, db.config.cutoffs(t.id, now), fence)
		if lost, fenced := isFenced(err); fenced {
			db.leases.lose(lost, fence)
			continue
		}
		if err != nil {
			return fmt.Errorf("maintaining %s %q of %q: %w", t.Kind, t.Name, t.Cluster, err)
		}
	}
	// The size is checked when expired partitions are deleted. While a long query, such as a backup, keeps
	// some, the size still includes them. Only the instance that maintains the history knows that; the
	// others check the size after sizeCheckEvery.
	checkSize := now.Sub(db.lastSizeCheck).Abs() >= sizeCheckEvery
	if db.leases.maintains() {
		var err error
		if checkSize, err = db.maintainShared(ctx, now); err != nil {
			return err
		}
	}
	if checkSize {
		if err := db.enforceMaxSize(ctx); err != nil {
			return fmt.Errorf("reducing the size of the history: %w", err)
		}
		db.lastSizeCheck = now
	}
	return db.engine.maintain(ctx)
}

// maintainShared maintains what belongs to no single cluster: partitions, deployments, and expired rows. In a
// fleet, only the instance with the maintenance lease calls it. deleted is false if a long query keeps partitions.
func (db *DB) maintainShared(ctx context.Context, now time.Time) (deleted bool, err error) {
	if deleted, err = db.deletePartitions(ctx); err != nil {
		return false, err
	}
	if err := db.endDeployments(ctx, now); err != nil {
		return false, err
	}
	if now.Sub(db.lastExpired).Abs() < expireEvery {
		return deleted, nil
	}
	if err := db.expireRows(ctx, now); err != nil {
		return false, err
	}
	if !db.leases.unfenced() {
		if err := db.cleanUpFleet(ctx, now); err != nil {
			return false, err
		}
		if err := db.maintainUnwatched(ctx, now); err != nil {
			return false, err
		}
	}
	db.lastExpired = now
	return deleted, nil
}

// cleanUpFleet deletes instances and canaries that are gone, frees leases without an instance, and adds a
// lease for each cluster that has only history.
func (db *DB) cleanUpFleet(ctx context.Context, now time.Time) error {
	if err := db.deleteBefore(ctx, deleteDead, now.Add(-deadShown)); err != nil {
		return err
	}
	if _, err := db.exec(ctx, freeOrphans); err != nil {
		return fmt.Errorf("freeing the leases of instances that are gone: %w", err)
	}
	if _, err := db.exec(ctx, expireCanaries, canariesKept.Milliseconds()); err != nil {
		return fmt.Errorf("deleting canaries that no instance continues: %w", err)
	}
	if _, err := db.exec(ctx, insertUnwatched); err != nil {
		return fmt.Errorf("searching for clusters that nobody watches: %w", err)
	}
	return nil
}

// maintainUnwatched maintains the targets of clusters that no instance watches any more. It skips
// those of a cluster that an instance takes over meanwhile, which changes its epoch.
func (db *DB) maintainUnwatched(ctx context.Context, now time.Time) error {
	state, err := db.Fleet(ctx)
	if err != nil {
		return err
	}
	for _, l := range state.Leases {
		if l.Owner != "" || l.Cluster == maintenance || state.Now.Sub(l.Since) < expireEvery {
			continue
		}
		all, err := targets(ctx, db.pool, selectTargetsOfCluster, l.Cluster)
		if err != nil {
			return fmt.Errorf("reading the targets of %q: %w", l.Cluster, err)
		}
		for _, t := range all {
			err := db.maintainTarget(ctx, t, db.config.cutoffs(t.id, now), map[string]int64{l.Cluster: l.Epoch})
			if _, fenced := isFenced(err); err != nil && !fenced {
				return fmt.Errorf("maintaining %s %q of %q: %w", t.Kind, t.Name, t.Cluster, err)
			}
		}
	}
	return nil
}

// neededFrom returns the start of the oldest rows of each level that has partitions.
func (db *DB) neededFrom(ctx context.Context) (from [levels]int64, err error) {
	if !db.leases.unfenced() { // db.targets lacks the targets of other instances
		err := db.pool.QueryRowContext(ctx, selectNeeded, int64(math.MaxInt64), int64(math.MaxInt64)).Scan(&from[samples], &from[minutes])
		return from, err
	}
	for level := range levels {
		from[level] = math.MaxInt64
		for _, t := range db.targets {
			from[level] = min(from[level], t.since[level])
		}
	}
	return from, nil
}

// deletePartitions deletes the partitions whose rows no target needs any more. done is false if
// a long query keeps some of them.
func (db *DB) deletePartitions(ctx context.Context) (done bool, err error) {
	needed, err := db.neededFrom(ctx)
	if err != nil {
		return false, fmt.Errorf("searching for old partitions: %w", err)
	}
	done = true
	for level := range levels {
		before := needed[level]
		if db.engine.partitionLength(level) == 0 || before == math.MaxInt64 || before == db.partitionsFrom[level] {
			continue
		}
		deleted, err := db.engine.deletePartitions(ctx, level, before)
		if err != nil {
			return false, fmt.Errorf("deleting old partitions: %w", err)
		}
		if deleted {
			db.partitionsFrom[level] = before
		}
		done = done && deleted
	}
	return done, nil
}

// maintainTarget does the due work of a target, in as many transactions as necessary.
func (db *DB) maintainTarget(ctx context.Context, t *target, limits cutoffs, fence map[string]int64) error {
	for t.due(limits) {
		next := *t
		err := db.commitFenced(ctx, fence, func(tx *transaction) error { return next.step(ctx, tx, limits) })
		if err != nil {
			return err
		}
		if next == *t {
			return nil // the remaining work is not possible yet
		}
		*t = next
	}
	return nil
}

// step does the due work of one transaction: it aggregates, then deletes, until a level has more work than fits.
func (t *target) step(ctx context.Context, tx *transaction, limits cutoffs) error {
	more := false
	var err error
	for l := minutes; l < levels && !more; l++ {
		if more, err = t.rollUp(ctx, tx, l, limits.sumBefore); err != nil {
			return err
		}
	}
	for l := samples; l < levels && !more; l++ {
		if more, err = t.trim(ctx, tx, l, limits.keepFrom[l]); err != nil {
			return err
		}
	}
	return t.update(ctx, tx)
}

// unnotifiedRetention is the retention of incidents that ended before any notification. There
// may be hundreds a day, which would displace other incidents.
const unnotifiedRetention = 24 * time.Hour

// expireRows deletes rows that are past their retention.
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
		deleted, err := db.exec(ctx, statement, before.UnixMilli())
		if err != nil {
			return fmt.Errorf("deleting expired rows: %w", err)
		}
		more = deleted > 0
	}
	return nil
}

// enforceMaxSize deletes the oldest rows of one level if the history exceeds its maximum size: an hour or a
// partition of samples; without samples, a day or a partition of minutes; and so on. The next call continues.
func (db *DB) enforceMaxSize(ctx context.Context) error {
	if db.config.MaxSize <= 0 {
		return nil
	}
	used, err := db.engine.usedBytes(ctx)
	if err != nil || used <= db.config.MaxSize {
		return err
	}
	for l := range levels {
		limit, found := db.oldestOf(l)
		if !found {
			continue
		}
		db.config.Logger.Warn("the history exceeds its maximum size: deleting the oldest details",
			"bytes", used, "max", db.config.MaxSize, "what", tables[l], "before", timeOf(limit))
		for _, t := range db.targets {
			var limits cutoffs
			limits.keepFrom[l] = limit
			err := db.maintainTarget(ctx, t, limits, db.leases.fenceOf(t.Cluster))
			if _, fenced := isFenced(err); err != nil && !fenced {
				return err
			}
		}
		return nil
	}
	return nil
}

// oldestOf returns the end of the oldest hour or day of a level that can be deleted.
func (db *DB) oldestOf(l level) (limit int64, found bool) {
	next := min(l+1, days)
	unit := max(units[hours], units[next], db.engine.partitionLength(l))
	for _, t := range db.targets {
		if end := t.since[l] + unit; t.until[next] >= end && (!found || end < limit) {
			limit, found = end, true
		}
	}
	return limit, found
}
