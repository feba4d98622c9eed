package history

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"time"

	"stickwatch/checks"
)

// A Reader answers questions about the past. It cannot write, and is not in the
// way of the one who does.
type Reader struct {
	pool *sql.DB
	path string
}

// OpenReader opens the history at path for reading, also while a daemon writes
// it. There must be one, with the schema that this program knows: see NewerError.
func OpenReader(ctx context.Context, path string) (*Reader, error) {
	// SQLite's own word for a missing file is "unable to open database file".
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("opening the history: %w", err)
	}
	pool, err := openReaders(path)
	if err != nil {
		return nil, err
	}
	if err := schemaOf(ctx, pool, path, migrations()); err != nil {
		return nil, closeWith(pool, err)
	}
	return &Reader{pool: pool, path: path}, nil
}

// Close ends the reader.
func (r *Reader) Close() error { return r.pool.Close() }

// closeWith closes db and returns the error that it is closed for.
func closeWith(db *sql.DB, err error) error {
	db.Close()
	return err
}

// snapshot is a transaction in which the past stands still, so that a question
// that takes several queries gets one answer.
func (r *Reader) snapshot(ctx context.Context) (*sql.Tx, func(), error) {
	tx, err := r.pool.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, nil, err
	}
	// Nothing was written: there is nothing that ending it could lose.
	return tx, func() { _ = tx.Rollback() }, nil
}

// queryJSON runs a query for one column of JSON, and decodes each row into a T.
func queryJSON[T any](ctx context.Context, q queryer, query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return nil, err
		}
		var one T
		if err := decode(body, &one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// bounds turns a span into the bounds of a query. A zero From is the beginning of
// all, a zero To the end.
func bounds(span checks.Span) (from, to int64) {
	to = 1<<62 - 1
	if !span.To.IsZero() {
		to = ceilMillis(span.To)
	}
	if !span.From.IsZero() {
		from = ceilMillis(span.From)
	}
	return from, to
}

// ceilMillis rounds up, as what is asked for begins at the bound and not before.
func ceilMillis(t time.Time) int64 {
	return t.Add(time.Millisecond - time.Nanosecond).UnixMilli()
}

// maxRows bounds every list that is asked for without a limit.
const maxRows = 10_000

func clampLimit(limit int) int {
	if limit <= 0 || limit > maxRows {
		return maxRows
	}
	return limit
}
