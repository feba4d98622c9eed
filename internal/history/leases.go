package history

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"stickwatch/checks"
)

// A FencedError is the error of a write for clusters that another instance has taken over, or that
// this one has released. Nothing of the transaction is written.
type FencedError struct {
	Path     string
	Clusters []string // sorted
}

func (e *FencedError) Error() string {
	return fmt.Sprintf("using %q: another instance watches %s", e.Path, strings.Join(e.Clusters, ", "))
}

// maintenance is the lease of the instance that deletes what is expired.
const maintenance = ""

// ownLeases are the leases of this instance. They fence its writes: a transaction that writes for
// a cluster is refused if the lease in the database has another epoch. The zero value belongs to a
// process that writes alone, whose writes are not fenced.
type ownLeases struct {
	instance string // ""; this process writes alone

	mu     sync.Mutex
	epochs map[string]int64
	stale  map[string]bool // clusters whose targets another instance may have changed
}

func (l *ownLeases) unfenced() bool { return l.instance == "" }

// SetLeases sets the epochs of the clusters that this instance watches. It waits for nothing. Rows
// of a cluster that is missing are still written until another instance has taken it over.
func (db *DB) SetLeases(epochs map[string]int64) {
	own := &db.leases
	own.mu.Lock()
	defer own.mu.Unlock()
	for cluster, epoch := range epochs {
		if epoch != own.epochs[cluster] {
			own.stale[cluster] = true
		}
		own.epochs[cluster] = epoch
	}
	if epochs[maintenance] == 0 {
		delete(own.epochs, maintenance) // its work is not fenced
	}
}

// fence returns the epochs of clusters, and 0 for one without a lease; nil: writes are not fenced.
func (l *ownLeases) fence(clusters map[string]bool) map[string]int64 {
	if l.unfenced() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	fence := make(map[string]int64, len(clusters))
	for cluster := range clusters {
		fence[cluster] = l.epochs[cluster]
	}
	return fence
}

// fenceOf returns the epoch of a cluster; see fence.
func (l *ownLeases) fenceOf(cluster string) map[string]int64 {
	if l.unfenced() {
		return nil
	}
	return l.fence(map[string]bool{cluster: true})
}

// maintains reports whether this process deletes what is expired.
func (l *ownLeases) maintains() bool {
	if l.unfenced() {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epochs[maintenance] > 0
}

// lose records that clusters belonged to another instance when a write with a fence was refused.
// This one may have taken them over again meanwhile.
func (l *ownLeases) lose(clusters []string, fence map[string]int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, cluster := range clusters {
		if l.epochs[cluster] == fence[cluster] {
			delete(l.epochs, cluster)
			l.stale[cluster] = true
		}
	}
}

// ownRows returns the rows of a batch that this process may write. Others are dropped.
func (db *DB) ownRows(b Batch) Batch {
	if db.leases.unfenced() {
		return b
	}
	db.leases.mu.Lock()
	defer db.leases.mu.Unlock()
	foreign := func(cluster string) bool { return db.leases.epochs[cluster] == 0 }
	before := b.size()
	b.Samples = slices.DeleteFunc(slices.Clone(b.Samples), func(s checks.Sample) bool { return foreign(s.Cluster) })
	b.Moves = slices.DeleteFunc(b.Moves, func(m checks.Move) bool { return foreign(m.Cluster) })
	b.Changes = slices.DeleteFunc(b.Changes, func(c Change) bool { return foreign(c.Cluster) })
	b.Placements = slices.DeleteFunc(b.Placements, func(p checks.Placement) bool { return foreign(p.Cluster) })
	db.queue.drop(before - b.size())
	return b
}

// clusters returns the clusters of the rows.
func (b Batch) clusters() map[string]bool {
	all := make(map[string]bool)
	for _, s := range b.Samples {
		all[s.Cluster] = true
	}
	for _, m := range b.Moves {
		all[m.Cluster] = true
	}
	for _, c := range b.Changes {
		all[c.Cluster] = true
	}
	for _, p := range b.Placements {
		all[p.Cluster] = true
	}
	return all
}

// reloadTargets reads the targets of clusters that were taken over, and forgets those of clusters
// that were given away. Only the writing goroutine calls it.
func (db *DB) reloadTargets(ctx context.Context) error {
	if db.recreated.Swap(false) {
		clear(db.targets)
		db.partitionsFrom = [levels]int64{}
		if db.leases.unfenced() {
			if err := db.loadTargets(ctx); err != nil {
				db.recreated.Store(true)
				return err
			}
		}
	}
	if db.leases.unfenced() {
		return nil
	}
	db.leases.mu.Lock()
	stale, own := slices.Sorted(maps.Keys(db.leases.stale)), maps.Clone(db.leases.epochs)
	clear(db.leases.stale)
	db.leases.mu.Unlock()
	if len(stale) == 0 {
		return nil
	}
	maps.DeleteFunc(db.targets, func(t checks.Target, _ *target) bool { return slices.Contains(stale, t.Cluster) })
	for n, cluster := range stale {
		if own[cluster] == 0 {
			continue
		}
		found, err := targets(ctx, db.pool, selectTargetsOfCluster, cluster)
		if err != nil {
			db.leases.mu.Lock()
			defer db.leases.mu.Unlock()
			for _, unread := range stale[n:] {
				db.leases.stale[unread] = true
			}
			return fmt.Errorf("reading the targets of %q: %w", cluster, err)
		}
		for _, t := range found {
			db.targets[t.Target] = t
		}
	}
	return nil
}

// commitFenced runs work in a transaction that is refused with a FencedError unless the leases have
// these epochs. Until it ends, nobody can take them over.
func (db *DB) commitFenced(ctx context.Context, fence map[string]int64, work func(*transaction) error) error {
	return db.engine.commit(ctx, false, func(tx *transaction) error {
		if db.recreated.Load() {
			return errRecreated // the targets that work uses are not in the new tables
		}
		if err := tx.checkLeases(ctx, db.path, fence); err != nil {
			return err
		}
		return work(tx)
	})
}

// checkLeases locks leases against a takeover, and returns a FencedError if one has another epoch.
func (tx *transaction) checkLeases(ctx context.Context, path string, fence map[string]int64) error {
	if len(fence) == 0 {
		return nil
	}
	locked, err := queryMap[int64](ctx, tx, lockLeases, slices.Sorted(maps.Keys(fence)))
	if err != nil {
		return err
	}
	lost := maps.Clone(fence)
	maps.DeleteFunc(lost, func(cluster string, epoch int64) bool {
		now, ok := locked[cluster]
		return ok && now == epoch
	})
	if len(lost) == 0 {
		return nil
	}
	return &FencedError{Path: path, Clusters: slices.Sorted(maps.Keys(lost))}
}

// isFenced returns the clusters of a FencedError.
func isFenced(err error) (clusters []string, ok bool) {
	fenced, ok := errors.AsType[*FencedError](err)
	if !ok {
		return nil, false
	}
	return fenced.Clusters, true
}
