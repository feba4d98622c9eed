// Package history is the daemon's memory on disk: what was measured, what was
// found, which incidents there were, and what remains to be told to whom.
//
// # Two ways in
//
// What a probe saw goes through [DB.Record], which never blocks: a bounded queue
// in memory, and one goroutine that commits it in batches. A slow or full disk
// delays no probe; the oldest samples give way, counted in [Stats]. What may be
// lost by a crash that way is what Record took within the last [Config].Flush.
//
// What must not be lost goes through [DB.Commit] and the methods of the outbox:
// one transaction, on the disk (fsync) before they return. An incident's change
// and the notices that tell it are in one transaction, so neither exists without
// the other.
//
// # One writer
//
// SQLite has one writer at a time, whatever a program does. So there is one
// connection that writes, and database/sql queues for it fairly; its transactions
// begin immediate, since a transaction that reads first and writes later fails
// with SQLITE_BUSY instead of waiting. They are small (see chunk), because
// Commit waits for the one under way. Reads use a pool of read-only connections,
// which WAL lets see a consistent past while the writer goes on.
//
// # Compact
//
// A table keyed (target, ts) WITHOUT ROWID is one b-tree in which a target's
// samples lie side by side: an hour of a target is a handful of pages, where
// keyed by (ts, target) it is the pages of all targets. A batch is sorted by
// target for the same reason. Samples are summed into minutes, minutes into
// hours, hours into days; each level is kept longer than the one below it. A
// bucket is a [bucket]: it can be added to its neighbour without loss, the
// longest outage included, so that what a query tells does not depend on the
// level that it reads.
//
// Deleting and summing go target by target, a small range a transaction, and
// pages come back to the file system by incremental vacuum, a few at a time.
// There is never a full VACUUM while the daemon runs.
//
// # Another engine
//
// Statements are in statements.go, in the SQL that PostgreSQL has as well (upserts,
// RETURNING, claims by lease instead of by process); what only SQLite has is in
// sqlite.go and in the migrations. Times are integers: milliseconds since 1970 UTC.
package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/panics"
)

// A Config says where history is kept, and how much of it.
type Config struct {
	Path string // of the file; it is created when there is none, in a folder that exists

	Retention time.Duration // of hours, days, incidents and everything else that happened; 0: 400 days
	Minutes   time.Duration // of sums by minute; 0: 35 days
	Raw       time.Duration // of single samples; 0: 2 days
	MaxSize   int64         // bytes, above which the oldest details give way before their time; 0: none

	Flush time.Duration // how often batches are written; 0: a second
	Queue int           // how many samples may wait for the disk; 0: 50000, some 10 MB

	Logger *slog.Logger     // nil: slog.Default
	Now    func() time.Time // nil: time.Now

	largeFile int64 // bytes from which the file is checked after it was opened; 0: largeFile
}

func (c Config) withDefaults() Config {
	const day = 24 * time.Hour
	c.Retention = orDefault(c.Retention, 400*day)
	c.Minutes = min(orDefault(c.Minutes, 35*day), c.Retention)
	c.Raw = min(orDefault(c.Raw, 2*day), c.Minutes)
	c.Flush = orDefault(c.Flush, time.Second)
	c.Queue = orDefault(c.Queue, 50_000)
	c.largeFile = orDefault(c.largeFile, largeFile)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func orDefault[T comparable](value, instead T) T {
	var zero T
	if value == zero {
		return instead
	}
	return value
}

// A DB is a history that is being written. Its methods may be called from many
// goroutines. It is a Reader as well. One daemon at a time may write a file; other
// programs may read it.
type DB struct {
	*Reader
	config     Config
	writer     *sql.DB
	lock       lock
	file       os.FileInfo // that was opened
	queue      queue
	meter      *meter
	checkLater bool // to be checked in the background

	// targets that are known, by name; touched by the writing goroutine alone.
	targets map[checks.Target]*target
	// forgot is when it last deleted what is past its retention.
	lastExpired time.Time
	// lost is set once the file is not at its path any more.
	fileMissing bool
	// cut is how often in a row the file was seen to be cut off.
	cut int

	recovery *Recovery // what became of the file that was damaged; nil: it was whole

	stop context.CancelFunc
	done panics.Group
}

// Open opens the history at c.Path, creating it when there is none: it checks
// that nobody else writes it (else InUseError), and brings its schema up to date
// (else NewerError), after a copy. A damaged file is kept beside a new one; see
// Recovery. A file of more than 100 MB is checked in the background; see
// Stats.Damage. Close it.
func Open(ctx context.Context, c Config) (*DB, error) {
	db, err := open(ctx, c)
	if err != nil {
		return nil, err
	}
	var running context.Context
	running, db.stop = context.WithCancel(context.WithoutCancel(ctx))
	db.done.Go(func() { panics.Keep(running, panics.History, func() { db.write(running) }) })
	if db.checkLater {
		db.done.Go(func() { _ = panics.Catch(panics.History, func() { db.checkInBackground(running) }) })
	}
	return db, nil
}

// open opens the history without the goroutine that writes batches.
func open(ctx context.Context, c Config) (*DB, error) {
	if err := unexpected(c.Path); err != nil {
		return nil, err
	}
	lock, err := lockFile(c.Path)
	if err != nil {
		return nil, err
	}
	db, err := openWhole(ctx, c.withDefaults())
	if err != nil {
		return nil, errors.Join(err, lock.release())
	}
	db.lock = lock
	lock.mark()
	return db, nil
}

func openLocked(ctx context.Context, c Config) (*DB, error) {
	writer, err := openWriter(c.Path)
	if err != nil {
		return nil, err
	}
	file, err := os.Stat(c.Path)
	if err != nil {
		return nil, closeWith(writer, fmt.Errorf("opening the history: %w", err))
	}
	if err := readPragmas(ctx, writer, c.Path); err != nil {
		return nil, closeWith(writer, err)
	}
	if err := migrate(ctx, writer, c.Path, migrations()); err != nil {
		return nil, closeWith(writer, err)
	}
	reader, err := OpenReader(ctx, c.Path)
	if err != nil {
		return nil, closeWith(writer, err)
	}
	db := &DB{
		Reader: reader, config: c, writer: writer, file: file, queue: queue{bound: c.Queue}, checkLater: fileBytes(c.Path) >= c.largeFile,
		meter: newMeter(), targets: make(map[checks.Target]*target), stop: func() {},
	}
	if err := errors.Join(db.loadTargets(ctx), db.releaseClaims(ctx)); err != nil {
		return nil, errors.Join(err, db.Close(ctx))
	}
	return db, nil
}

// checkInBackground checks the file while it is in use, and tells what it finds.
func (db *DB) checkInBackground(ctx context.Context) {
	err := verify(ctx, db.pool, db.path, quickCheck)
	if err == nil || ctx.Err() != nil {
		return
	}
	db.meter.damaged(err)
	db.config.Logger.Error("checking history", "err", err)
}

// Record takes a batch to be written soon, and never blocks. See Stats for what
// became of it.
func (db *DB) Record(b Batch) { db.queue.put(b) }

// Close writes what waits, as far as ctx lets it, and closes the file.
func (db *DB) Close(ctx context.Context) error {
	db.stop()
	err := errors.Join(panics.Catch(panics.History, db.done.Wait), db.flush(ctx))
	if left, _ := db.queue.state(); left > 0 {
		err = errors.Join(err, fmt.Errorf("closing %q: %d rows could not be written", db.path, left))
	}
	return errors.Join(err, db.Reader.Close(), db.writer.Close(), db.lock.release())
}

// An InUseError says that another process writes the history. Two would each
// tell every incident, and hold each other's claims for those of the dead.
type InUseError struct{ Path string }

func (e *InUseError) Error() string {
	return fmt.Sprintf("another stickwatch writes %q: end it, or give this one a history of its own", e.Path)
}

// A lock is held from before a history is opened until after it is closed.
// Readers need none.
type lock struct{ file *os.File }

// mark notes that there is a history: from then on an empty file is a damaged one.
func (l lock) mark() {
	if l.file != nil {
		_, _ = l.file.WriteAt([]byte("a history is at this path\n"), 0) // else an empty file is taken for a new one
	}
}

// known reports whether a history was once opened at path.
func known(path string) bool {
	info, err := os.Stat(path + ".lock")
	return err == nil && info.Size() > 0
}

// unexpected tells of a file that never was a history: a path that names something else
// by mistake. Of a history there is a lock.
func unexpected(path string) error {
	if _, err := os.Stat(path + ".lock"); err == nil {
		return nil
	}
	return headerFlaw(path)
}

func (l lock) release() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
