package history

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// All that is SQLite's own is in this file: how it is opened, checked, copied,
// shrunk and made durable.

// lockWait is how long a statement waits for another process's lock. It is
// short because the driver does not end that wait with the context.
const lockWait = time.Second

// pragmas are set on the writing connection, in this order: auto_vacuum can be
// chosen only before the file has a first page, which journal_mode writes.
//
// In WAL, NORMAL survives the end of the process at any moment, and may lose the
// last commits when the power goes; durably asks for more where that matters.
var pragmas = []struct{ name, value, reads string }{
	{"auto_vacuum", "INCREMENTAL", "2"},
	{"journal_mode", "WAL", "wal"},
	{"synchronous", "NORMAL", "1"},
	{"foreign_keys", "ON", "1"},
	{"journal_size_limit", "16777216", "16777216"},
	{"temp_store", "MEMORY", "2"},
}

// openWriter opens the one connection that writes, creating the file, which
// nobody but its owner may read, when there is none.
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

// readPragmas makes sure that every pragma is in force: SQLite ignores those
// that it does not know, and those that come too late.
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

// openReaders opens a pool of connections that cannot write.
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

// dsn is a URI, so that no character of path can be taken for a parameter.
func dsn(path string, query url.Values) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}).String()
}

// largeFile is the size above which a file is checked page by page only, and after
// it was opened: the whole check reads every index entry, and even the quick one
// took 28 seconds for a gigabyte, in which nobody would have watched anything.
const largeFile = 100 << 20

// The checks that SQLite has. They stop at the first thing that they find.
const (
	fullCheck  = "PRAGMA integrity_check(1)"
	quickCheck = "PRAGMA quick_check(1)"
)

// verify runs SQLite's own check of the file.
func verify(ctx context.Context, db *sql.DB, path, check string) error {
	var said string
	if err := db.QueryRowContext(ctx, check).Scan(&said); err != nil {
		if is(err, sqlite3.SQLITE_CORRUPT) || is(err, sqlite3.SQLITE_NOTADB) {
			return &DamagedError{Path: path, Detail: err.Error(), Backup: newestBackup(path)}
		}
		return fmt.Errorf("checking %q: %w", path, err)
	}
	if said != "ok" {
		return &DamagedError{Path: path, Detail: strings.TrimSpace(said), Backup: newestBackup(path)}
	}
	return nil
}

// is reports whether err is SQLite's primary result code.
func is(err error, code int) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == code
}

// copyTo writes a consistent copy of db to path, whole or not at all.
func copyTo(ctx context.Context, db *sql.DB, path string) error {
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("making room for %q: %w", path, err)
	}
	// SQLite writes into an empty file, and would create one that all may read.
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

// commitDurable runs work in a transaction that is on the disk when durably returns,
// together with all that was committed before it.
func commitDurable(ctx context.Context, db *sql.DB, work func(tx *sql.Tx) error) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	// A pragma within a transaction would come too late. The connection goes
	// back as it was even when ctx has ended meanwhile; one that could not would
	// be slower than it has to, and no less safe.
	if _, err := conn.ExecContext(ctx, "PRAGMA synchronous = FULL"); err != nil {
		return err
	}
	defer func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA synchronous = NORMAL") }()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	return finish(tx, work)
}

// commitRelaxed runs work in a transaction that survives the end of the process, and
// perhaps not the end of the machine.
func commitRelaxed(ctx context.Context, db *sql.DB, work func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	return finish(tx, work)
}

// finish runs work in tx and commits it. After an error, or a panic, it is as if
// nothing had been done.
func finish(tx *sql.Tx, work func(tx *sql.Tx) error) (err error) {
	done := false
	defer func() {
		if !done {
			err = errors.Join(err, ignoreContext(tx.Rollback()))
		}
	}()
	if err := work(tx); err != nil {
		return err
	}
	done = true
	return tx.Commit()
}

// ignoreContext drops the error that says that a context's end was quicker.
func ignoreContext(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// usedBytes is what the file would be without its free pages.
func usedBytes(ctx context.Context, db *sql.DB) (int64, error) {
	var pages, free, size int64
	for pragma, into := range map[string]*int64{"page_count": &pages, "freelist_count": &free, "page_size": &size} {
		if err := db.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(into); err != nil {
			return 0, fmt.Errorf("reading %s: %w", pragma, err)
		}
	}
	return (pages - free) * size, nil
}

// vacuumPages are given back at once: about a millisecond's work.
const vacuumPages = 64

// vacuum gives some free pages back to the file system.
func vacuum(ctx context.Context, db *sql.DB) error {
	// The pragma frees a page with each step of its cursor.
	rows, err := db.QueryContext(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

// fileBytes is what the history takes on the disk, journal included.
func fileBytes(path string) int64 {
	var sum int64
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if info, err := os.Stat(path + suffix); err == nil {
			sum += info.Size()
		}
	}
	return sum
}

//go:embed migrations/*.sql
var embedded embed.FS

// migrations are forward only: going back is going back to a copy.
func migrations() fs.FS {
	dir, err := fs.Sub(embedded, "migrations")
	if err != nil {
		panic(err) // the name above is no valid path
	}
	return dir
}

// provider knows the migrations in dir and which of them db has had.
func provider(db *sql.DB, dir fs.FS) (*goose.Provider, error) {
	return goose.NewProvider(goose.DialectSQLite3, db, dir,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
}

// migrate brings the file at path up to the newest schema in dir. Before each
// step of a file that has had one, a copy is made beside it.
func migrate(ctx context.Context, db *sql.DB, path string, dir fs.FS) error {
	p, err := provider(db, dir)
	if err != nil {
		return fmt.Errorf("reading migrations: %w", err)
	}
	for {
		at, newest, err := p.GetVersions(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("opening %q, which may be no history of stickwatch: reading its version: %w", path, err)
		case at > newest:
			return newNewerError(path, at, newest)
		case at == newest:
			return nil
		case at > 0:
			if err := copyTo(ctx, db, backupPath(path, at+1)); err != nil {
				return fmt.Errorf("keeping a copy before a migration: %w", err)
			}
		}
		if _, err := p.UpByOne(ctx); err != nil && !errors.Is(err, goose.ErrNoNextVersion) {
			return fmt.Errorf("migrating %q from version %d: %w", path, at, err)
		}
	}
}

// newestVersion is that of the last migration in dir.
func newestVersion(dir fs.FS) (int64, error) {
	sources, err := fs.Glob(dir, "*.sql")
	if err != nil {
		return 0, fmt.Errorf("reading migrations: %w", err)
	}
	return int64(len(sources)), nil // numbered from 1 without gaps, as a test demands
}

// schemaOf makes sure that the file at path, opened for reading, has the schema
// that this program reads. It creates no version table as goose would.
func schemaOf(ctx context.Context, db *sql.DB, path string, dir fs.FS) error {
	want, err := newestVersion(dir)
	if err != nil {
		return err
	}
	var got int64
	if err := db.QueryRowContext(ctx, selectVersion).Scan(&got); err != nil {
		return fmt.Errorf("opening %q, which may be no history of stickwatch: reading its version: %w", path, err)
	}
	switch {
	case got > want:
		return newNewerError(path, got, want)
	case got < want:
		return fmt.Errorf("opening %q: its schema is version %d and this program reads %d: start the daemon once, it migrates the file", path, got, want)
	}
	return nil
}
