package history

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// This file contains everything that is specific to SQLite: opening, checking, copying,
// shrinking, durability and migrations.

// lockWait is how long a statement waits for the lock of another process. It is short because
// the driver does not stop waiting when the context ends.
const lockWait = time.Second

// pragmas are set on the writing connection in this order. auto_vacuum must be set before the
// file has a first page, which journal_mode writes.
//
// In WAL mode, synchronous=NORMAL survives a crash of the process, but may lose the last
// commits in a power failure. commitDurable raises it to FULL.
var pragmas = []struct{ name, value, reads string }{
	{"auto_vacuum", "INCREMENTAL", "2"},
	{"journal_mode", "WAL", "wal"},
	{"synchronous", "NORMAL", "1"},
	{"foreign_keys", "ON", "1"},
	{"journal_size_limit", "16777216", "16777216"},
	{"temp_store", "MEMORY", "2"},
}

// openWriter opens the writing connection. It creates a missing file with access for the owner
// only.
func openWriter(path string) (*sql.DB, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the history: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("opening the history: %w", err)
	}
	query := url.Values{"_txlock": {"immediate"}}
	query.Add("_pragma", fmt.Sprintf("busy_timeout(%d)", lockWait.Milliseconds()))
	for _, p := range pragmas {
		query.Add("_pragma", fmt.Sprintf("%s(%s)", p.name, p.value))
	}
	db, err := sql.Open("sqlite", dsn(path, query))
	if err != nil {
		return nil, fmt.Errorf("opening %q: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// readPragmas checks that every pragma is in effect. SQLite ignores unknown pragmas and those
// that come too late.
func readPragmas(ctx context.Context, db *sql.DB, path string) error {
	for _, p := range pragmas {
		var got string
		if err := db.QueryRowContext(ctx, "PRAGMA "+p.name).Scan(&got); err != nil {
			return fmt.Errorf("reading pragma %s of %q: %w", p.name, path, err)
		}
		if got != p.reads {
			return fmt.Errorf("opening %q: pragma %s is %q, want %q", path, p.name, got, p.reads)
		}
	}
	return nil
}

// openReaders opens a pool of read-only connections.
func openReaders(path string, pragmas ...string) (*sql.DB, error) {
	query := url.Values{"mode": {"ro"}}
	query.Add("_pragma", fmt.Sprintf("busy_timeout(%d)", lockWait.Milliseconds()))
	for _, p := range append(pragmas, "temp_store(MEMORY)") {
		query.Add("_pragma", p)
	}
	db, err := sql.Open("sqlite", dsn(path, query))
	if err != nil {
		return nil, fmt.Errorf("opening %q for reading: %w", path, err)
	}
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(4)
	return db, nil
}

// dsn returns a URI, so that no character of path is interpreted as a parameter.
func dsn(path string, query url.Values) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}).String()
}

// largeFile is the size above which a file gets only the quick check, after it was opened. The
// full check reads every index entry. Even the quick check of a gigabyte took 28 seconds,
// during which nothing is monitored.
const largeFile = 100 << 20

// The integrity checks of SQLite. They stop at the first problem.
const (
	fullCheck  = "PRAGMA integrity_check(1)"
	quickCheck = "PRAGMA quick_check(1)"
)

// verify runs an integrity check of SQLite.
func verify(ctx context.Context, db *sql.DB, path, check string) error {
	var result string
	if err := db.QueryRowContext(ctx, check).Scan(&result); err != nil {
		if is(err, sqlite3.SQLITE_CORRUPT) || is(err, sqlite3.SQLITE_NOTADB) {
			return &damagedError{Path: path, Detail: err.Error(), Backup: newestBackup(path)}
		}
		return fmt.Errorf("checking %q: %w", path, err)
	}
	if result != "ok" {
		return &damagedError{Path: path, Detail: strings.TrimSpace(result), Backup: newestBackup(path)}
	}
	return nil
}

// is reports whether err has the given primary result code of SQLite.
func is(err error, code int) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == code
}

// copyTo writes a consistent copy of db to path atomically.
func copyTo(ctx context.Context, db *sql.DB, path string) error {
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing an old copy for %q: %w", path, err)
	}
	// SQLite would create the file readable for everybody. It accepts an empty file.
	if err := os.WriteFile(part, nil, 0o600); err != nil {
		return fmt.Errorf("creating a copy: %w", err)
	}
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", part); err != nil {
		return fmt.Errorf("copying to %q: %w", part, err)
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("copying: %w", err)
	}
	return nil
}

// A sqliteEngine is a file that is open for writing.
type sqliteEngine struct {
	path   string
	writer *sql.DB
	lock   lock
	file   os.FileInfo // identity of the opened file
	logger *slog.Logger
	meter  *meter

	// fileMissing is set when the file was deleted or replaced.
	fileMissing bool
	// truncatedChecks is the number of consecutive checks that found the file truncated.
	truncatedChecks int
}

func (e *sqliteEngine) commit(ctx context.Context, durable bool, work func(*transaction) error) error {
	commit := commitRelaxed
	if durable {
		commit = commitDurable
	}
	return commit(ctx, e.writer, func(tx *sql.Tx) error { return work(&transaction{Tx: tx, engine: e}) })
}

func (*sqliteEngine) insertSamples(ctx context.Context, tx *transaction, rows []targetSample) error {
	return insertOneByOne(ctx, tx, rows)
}

func (*sqliteEngine) insertRows(ctx context.Context, tx *transaction, l level, target int64, rows [][]any) error {
	columns := l.columns()
	insert, err := tx.PrepareContext(ctx, fmt.Sprintf("INSERT INTO %s (target, %s) VALUES (%s)",
		tables[l], strings.Join(columns, ", "), placeholders(1+len(columns))))
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, row := range rows {
		if _, err := insert.ExecContext(ctx, append([]any{target}, row...)...); err != nil {
			return err
		}
	}
	return nil
}

func (*sqliteEngine) rowLock() string { return "" }

// SQLite accepts any id, and continues after the largest one.
func (*sqliteEngine) explicitIDs() string { return "" }

func (*sqliteEngine) continueSerial(context.Context, *transaction, string, string) error {
	return nil
}

// SQLite has no partitions.
func (*sqliteEngine) partition(context.Context, *transaction, level, int64, int64) error { return nil }

func (*sqliteEngine) partitionLength(level) int64 { return 0 }

func (*sqliteEngine) deletePartitions(context.Context, level, int64) (bool, error) { return true, nil }

// rejected implements engine: SQLite stores every value in every column.
func (*sqliteEngine) rejected(error) bool { return false }

func (e *sqliteEngine) size() int64 { return fileBytes(e.path) }

func (e *sqliteEngine) close() error { return errors.Join(e.writer.Close(), e.lock.release()) }

// maintain checks that the file is still there, and returns free pages to the file system except
// a tenth of the file that new rows will fill.
func (e *sqliteEngine) maintain(ctx context.Context) error {
	e.checkFile()
	const steps = 16
	for range steps {
		var pages, free int64
		if err := e.writer.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages); err != nil {
			return fmt.Errorf("reading the size: %w", err)
		}
		if err := e.writer.QueryRowContext(ctx, "PRAGMA freelist_count").Scan(&free); err != nil {
			return fmt.Errorf("reading the size: %w", err)
		}
		if free <= pages/10+vacuumPages {
			return nil
		}
		if err := vacuum(ctx, e.writer); err != nil {
			return fmt.Errorf("releasing pages: %w", err)
		}
	}
	return nil
}

// commitDurable runs work in a transaction. When it returns, the transaction and all earlier
// ones are on disk.
func commitDurable(ctx context.Context, db *sql.DB, work func(tx *sql.Tx) error) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	// A pragma within a transaction has no effect. The connection is reset even if ctx has
	// ended. If the reset fails, later commits are slower but as safe.
	if _, err := conn.ExecContext(ctx, "PRAGMA synchronous = FULL"); err != nil {
		return err
	}
	defer func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA synchronous = NORMAL") }()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	return finish(tx, func() error { return work(tx) })
}

// commitRelaxed runs work in a transaction that survives a crash of the process. A power
// failure may lose it.
func commitRelaxed(ctx context.Context, db *sql.DB, work func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	return finish(tx, func() error { return work(tx) })
}

// usedBytes returns the size of the file without its free pages.
func (e *sqliteEngine) usedBytes(ctx context.Context) (int64, error) {
	var pages, free, size int64
	for pragma, into := range map[string]*int64{"page_count": &pages, "freelist_count": &free, "page_size": &size} {
		if err := e.writer.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(into); err != nil {
			return 0, fmt.Errorf("reading %s: %w", pragma, err)
		}
	}
	return (pages - free) * size, nil
}

// vacuumPages is the number of pages that vacuum releases, which takes about a millisecond.
const vacuumPages = 64

// vacuum returns some free pages to the file system.
func vacuum(ctx context.Context, db *sql.DB) error {
	// Each step of the cursor frees one page.
	return eachRow(ctx, db, func(*sql.Rows) error { return nil }, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages))
}

// fileBytes returns the size of the history on disk, including its journal.
func fileBytes(path string) int64 {
	var sum int64
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if info, err := os.Stat(path + suffix); err == nil {
			sum += info.Size()
		}
	}
	return sum
}

//go:embed migrations/*/*.sql
var embedded embed.FS

// migrations returns the migrations. They go forward only; the way back is the copy.
func migrations() fs.FS {
	dir, err := fs.Sub(embedded, "migrations/sqlite")
	if err != nil {
		panic(err) // the constant path is invalid
	}
	return dir
}

// provider returns a goose provider of the migrations in dir.
func provider(db *sql.DB, dir fs.FS) (*goose.Provider, error) {
	return goose.NewProvider(goose.DialectSQLite3, db, dir,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
}

// migrate migrates the file at path to the newest schema in dir. Before each migration of an
// existing file, it makes a copy.
func migrate(ctx context.Context, db *sql.DB, path string, dir fs.FS) error {
	p, err := provider(db, dir)
	if err != nil {
		return fmt.Errorf("reading migrations: %w", err)
	}
	isNew := false
	for {
		at, newest, err := p.GetVersions(ctx)
		isNew = isNew || at == 0
		switch {
		case err != nil:
			return fmt.Errorf("opening %q, which may not be a history of stickwatch: reading its version: %w", path, err)
		case at > newest:
			return newNewerError(path, at, newest)
		case at == newest:
			return nil
		case !isNew:
			if err := copyTo(ctx, db, backupPath(path, at+1)); err != nil {
				return fmt.Errorf("copying the file before a migration: %w", err)
			}
		}
		if _, err := p.UpByOne(ctx); err != nil && !errors.Is(err, goose.ErrNoNextVersion) {
			return fmt.Errorf("migrating %q from version %d: %w", path, at, err)
		}
	}
}

// newestVersion returns the version of the last migration in dir.
func newestVersion(dir fs.FS) (int64, error) {
	sources, err := fs.Glob(dir, "*.sql")
	if err != nil {
		return 0, fmt.Errorf("reading migrations: %w", err)
	}
	return int64(len(sources)), nil // numbered from 1 without gaps, which a test checks
}

// checkSchema checks that the file at path has the schema version of this program. Unlike goose,
// it does not create a version table.
func checkSchema(ctx context.Context, db *sql.DB, path string, dir fs.FS) error {
	want, err := newestVersion(dir)
	if err != nil {
		return err
	}
	var got int64
	if err := db.QueryRowContext(ctx, selectVersion).Scan(&got); err != nil {
		return fmt.Errorf("opening %q, which may not be a history of stickwatch: reading its version: %w", path, err)
	}
	switch {
	case got > want:
		return newNewerError(path, got, want)
	case got < want:
		return fmt.Errorf("opening %q: its schema is version %d and this program needs %d: start the daemon once to migrate the file", path, got, want)
	}
	return nil
}
