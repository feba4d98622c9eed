package history

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

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
