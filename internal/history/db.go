// Package history stores the data of the daemon on disk: measurements, findings, incidents and
// pending notifications.
//
// # Two write paths
//
// Results of probes go through [DB.Record], which never blocks: it appends to a bounded queue
// in memory, and one goroutine writes the queue in batches. A slow or full disk does not delay
// probes. If the queue is full, the oldest samples are dropped and counted in [Stats]. A crash
// loses at most the batches of the last [Config].Flush.
//
// Data that must not be lost goes through [DB.Commit] and the methods of the outbox. Each is
// one transaction that is on disk (fsync) when the method returns. A change of an incident and
// its notifications share a transaction.
//
// # One writer
//
// SQLite allows one writer at a time. So there is one writing connection, and database/sql
// queues for it fairly. Its transactions begin immediate: a transaction that reads first and
// writes later can fail with SQLITE_BUSY. Transactions are small (see chunk) because Commit
// waits for the current one. Reads use a pool of read-only connections: in WAL mode they see a
// consistent snapshot while the writer continues.
//
// # Storage layout
//
// A table with the key (target, ts) WITHOUT ROWID is one b-tree in which the samples of a
// target are adjacent: an hour of a target takes a few pages. With the key (ts, target) it
// would be spread over the pages of all targets. Batches are sorted by target for the same
// reason. Samples are aggregated into minutes, minutes into hours, and hours into days. Each
// level is kept longer than the one below. A [bucket] can be added to its neighbour without
// loss, including the longest outage, so the result of a query does not depend on the level
// that it reads.
//
// Deletion and aggregation process one target and a small range in each transaction.
// Incremental vacuum returns a few pages at a time to the file system. A full VACUUM never
// runs while the daemon runs.
//
// # PostgreSQL
//
// The file statements.go contains the statements of both engines. The [engine] is what differs:
// sqlite.go and postgres.go. With PostgreSQL there is one writing connection too: it holds a lock
// in the database, so that the writer of the history is known to be alone. Times are integers:
// milliseconds since 1970 UTC.
package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/panics"
)

// A Config configures where the history is stored, and how much of it.
type Config struct {
	// Path is the path of an SQLite file, which is created if missing in an existing directory, or
	// the URL of a PostgreSQL database: postgres://user:password@host/database.
	Path string

	Retention time.Duration // of hours, days, incidents and all other events; 0: 400 days
	Minutes   time.Duration // of minutes; 0: 35 days
	Raw       time.Duration // of samples; 0: 2 days
	MaxSize   int64         // bytes, above which the oldest details are deleted early; 0: unlimited

	// Instance is the name of this process in a fleet, whose processes write one history in
	// PostgreSQL; see DB.SetLeases. "": this process writes alone.
	Instance string

	Flush time.Duration // interval of batches; 0: a second
	Queue int           // maximum number of queued samples; 0: 50000, about 10 MB

	// Recreated is called when the tables of a history in PostgreSQL were deleted and have been created
	// anew: what is still known must be written again. It must not wait for the history. Nil: not called.
	Recreated func()

	Logger *slog.Logger     // nil: slog.Default
	Now    func() time.Time // nil: time.Now

	largeFile int64 // size in bytes above which the file is checked after opening; 0: largeFile
}

func (c Config) withDefaults() Config {
	const day = 24 * time.Hour
	c.Retention = cmp.Or(c.Retention, 400*day)
	c.Minutes = min(cmp.Or(c.Minutes, 35*day), c.Retention)
	c.Raw = min(cmp.Or(c.Raw, 2*day), c.Minutes)
	c.Flush = cmp.Or(c.Flush, time.Second)
	c.Queue = cmp.Or(c.Queue, 50_000)
	c.largeFile = cmp.Or(c.largeFile, largeFile)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// A DB is a history that is open for writing. It is also a Reader. Its methods are safe for
// concurrent use. One process at a time can write a file; others can read it.
type DB struct {
	*Reader
	config     Config
	engine     engine
	lock       lock // of a file
	queue      queue
	meter      *meter
	leases     ownLeases
	flushNow   chan chan error // asks the writing goroutine to write the queue
	checkLater bool            // check the file in the background

	// targets caches the known targets. Only the writing goroutine uses it.
	targets map[checks.Target]*target
	// recreated is set until the cached targets are read again from new tables.
	recreated atomic.Bool
	// lastExpired is the time of the last deletion of expired rows.
	lastExpired time.Time
	// lastSizeCheck is the time of the last check of the maximum size.
	lastSizeCheck time.Time
	// partitionsFrom is the time of each level before which its partitions were deleted.
	partitionsFrom [levels]int64

	recovery *Recovery // result of the recovery of a damaged file; nil: the file was intact

	stop context.CancelFunc
	done panics.Group
}

// Open opens the history at c.Path and creates it if there is none. It fails with InUseError if
// another process writes it, and with other errors if its schema is newer or a copy to it has not
// ended. It makes a copy before it migrates the schema. It moves a damaged file aside and starts a new one; see Recovery. It keeps the newest
// three copies of each kind. It checks files above 100 MB in the background; see Stats.Damage. The
// caller must call Close.
func Open(ctx context.Context, c Config) (*DB, error) {
	db, err := open(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := db.adopt(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the history: %w", err), db.Close(ctx))
	}
	var running context.Context
	running, db.stop = context.WithCancel(context.WithoutCancel(ctx))
	db.done.Go(func() { panics.Keep(running, panics.History, func() { db.write(running) }) })
	if db.checkLater {
		db.done.Go(func() { _ = panics.Catch(panics.History, func() { db.checkInBackground(running) }) })
	}
	return db, nil
}

// open opens the history without the writing goroutine.
func open(ctx context.Context, c Config) (*DB, error) {
	if IsDatabase(c.Path) {
		return openDatabase(ctx, c.withDefaults())
	}
	if err := rejectForeign(c.Path); err != nil {
		return nil, err
	}
	lock, err := lockFile(c.Path)
	if err != nil {
		return nil, err
	}
	db, err := openOrRecover(ctx, c.withDefaults())
	if err != nil {
		return nil, errors.Join(err, lock.release())
	}
	db.lock = lock
	lock.mark()
	db.removeOldCopies()
	return db, nil
}

func openLocked(ctx context.Context, config Config) (*DB, error) {
	writer, err := openWriter(config.Path)
	if err != nil {
		return nil, err
	}
	file, err := os.Stat(config.Path)
	if err != nil {
		return nil, closeWith(writer, fmt.Errorf("opening the history: %w", err))
	}
	if err := readPragmas(ctx, writer, config.Path); err != nil {
		return nil, closeWith(writer, err)
	}
	if err := migrate(ctx, writer, config.Path, migrations()); err != nil {
		return nil, closeWith(writer, err)
	}
	reader, err := openFileReader(ctx, config.Path)
	if err != nil {
		return nil, closeWith(writer, err)
	}
	meter := newMeter()
	db, err := config.withEngine(ctx, reader, meter, &sqliteEngine{path: config.Path, writer: writer, file: file, logger: config.Logger, meter: meter})
	if err != nil {
		return nil, err
	}
	db.checkLater = fileBytes(config.Path) >= config.largeFile
	return db, nil
}

// withEngine returns the history of an engine. It continues from the state in it.
func (c Config) withEngine(ctx context.Context, reader *Reader, meter *meter, engine engine) (*DB, error) {
	db := &DB{
		Reader: reader, config: c, engine: engine, queue: queue{bound: c.Queue},
		meter: meter, targets: make(map[checks.Target]*target), stop: func() {},
		leases:   ownLeases{instance: c.Instance, epochs: make(map[string]int64), stale: make(map[string]bool)},
		flushNow: make(chan chan error),
	}
	if c.Instance != "" {
		return db, nil // targets are read with leases, and claims end with the instance
	}
	if err := errors.Join(db.loadTargets(ctx), db.releaseClaims(ctx)); err != nil {
		return nil, errors.Join(err, db.Close(ctx))
	}
	return db, nil
}

// onRecreated forgets the targets of tables that were deleted.
func (db *DB) onRecreated() {
	db.recreated.Store(true)
	db.config.Logger.Error("the tables of the history were deleted: they are created anew, and what is open is written again", "history", db.path)
	if db.config.Recreated != nil {
		db.config.Recreated()
	}
}

// checkInBackground checks the open file and reports damage.
func (db *DB) checkInBackground(ctx context.Context) {
	err := verify(ctx, db.pool, db.path, quickCheck)
	if err == nil || ctx.Err() != nil {
		return
	}
	db.meter.damaged(err)
	db.config.Logger.Error("checking the history", "err", err)
}

// Record queues a batch and never blocks. Stats counts dropped rows.
func (db *DB) Record(b Batch) { db.queue.put(b) }

// Flush writes the queue now.
func (db *DB) Flush(ctx context.Context) error {
	written := make(chan error, 1)
	select {
	case db.flushNow <- written:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-written:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close writes the queue, unless ctx ends, and closes the file.
func (db *DB) Close(ctx context.Context) error {
	db.stop()
	err := errors.Join(panics.Catch(panics.History, db.done.Wait), db.flush(ctx))
	if unwritten, _ := db.queue.state(); unwritten > 0 {
		err = errors.Join(err, fmt.Errorf("closing %q: %d rows could not be written", db.path, unwritten))
	}
	return errors.Join(err, db.Reader.Close(), db.engine.close(), db.lock.release())
}

// An InUseError is the error of a history that another process writes. Two writers would send
// every notification twice, and would take over each other's claims.
type InUseError struct{ Path string }

func (e *InUseError) Error() string {
	return fmt.Sprintf("another stickwatch process is using %q: stop it, or configure another history", e.Path)
}

// A lock is held while a history is open for writing. Readers need no lock.
type lock struct{ file *os.File }

// mark records that the path holds a history. From then on, an empty file counts as damaged.
func (l lock) mark() {
	if l.file != nil {
		_, _ = l.file.WriteAt([]byte("a history is at this path\n"), 0) // on failure, an empty file counts as a new one
	}
}

// known reports whether a history was ever opened at path.
func known(path string) bool {
	info, err := os.Stat(path + ".lock")
	return err == nil && info.Size() > 0
}

// rejectForeign returns an error if the file at path is not a history, for example because of
// a mistyped path. A history has a lock file.
func rejectForeign(path string) error {
	if _, err := os.Stat(path + ".lock"); err == nil {
		return nil
	}
	return checkHeader(path)
}

func (l lock) release() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
