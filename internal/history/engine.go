package history

import (
	"context"
	"database/sql"
)

// An engine is what SQLite and PostgreSQL do differently. Everything else is common: the
// statements, their transactions and the order of the writes.
type engine interface {
	// commit runs work in a transaction of the only writing connection. When it returns, the
	// transaction survives a crash of the process. A durable one, and all earlier ones, survive
	// a power failure too.
	commit(ctx context.Context, durable bool, work func(*transaction) error) error
	// insertSamples inserts rows that are sorted by target and time. A row whose millisecond is
	// taken moves to the next free one.
	insertSamples(ctx context.Context, tx *transaction, rows []targetSample) error
	// insertRows inserts rows of a level and a target, which has none at their times.
	insertRows(ctx context.Context, tx *transaction, l level, target int64, rows [][]any) error
	// rowLock ends a SELECT whose row the transaction will change: it skips rows that another
	// transaction is changing.
	rowLock() string
	// explicitIDs returns the clause of an INSERT that sets ids, which the database usually assigns.
	explicitIDs() string
	// continueSerial lets the database assign ids after the largest one of a table.
	continueSerial(ctx context.Context, tx *transaction, table, key string) error
	// partition creates the missing partitions for the rows of a level in [from, to).
	partition(ctx context.Context, tx *transaction, l level, from, to int64) error
	// partitionLength returns the time range of a partition of a level in milliseconds; 0: the
	// level has none. The rows of a partitioned level are deleted by deletePartitions.
	partitionLength(l level) int64
	// deletePartitions deletes the partitions of a level that end before a time. done is false if they
	// are in use, for example by a backup.
	deletePartitions(ctx context.Context, l level, before int64) (done bool, err error)
	// maintain checks the storage and returns free space, in between other writes.
	maintain(ctx context.Context) error
	// usedBytes returns the size of all rows and indexes. Of SQLite, free pages do not count.
	usedBytes(ctx context.Context) (int64, error)
	// size returns the size on disk at the last maintenance or later. It does not wait.
	size() int64
	// rejected reports whether err is about the values of rows, which will never be accepted.
	rejected(err error) bool
	// close closes the writing connection and releases its lock.
	close() error
}

// A transaction is a transaction of the writing connection.
type transaction struct {
	*sql.Tx
	engine engine
	conn   *sql.Conn // the writing connection of PostgreSQL; nil: SQLite
}

// A targetSample is a sample of a known target.
type targetSample struct {
	target *target
	sample
}

// insertOneByOne inserts rows with one statement each, at their millisecond or at the next free
// one. Parallel clients of one canary may have samples of the same millisecond.
func insertOneByOne(ctx context.Context, tx *transaction, rows []targetSample) error {
	insert, err := tx.PrepareContext(ctx, insertSample)
	if err != nil {
		return err
	}
	defer insert.Close()
	for i := range rows {
		row := &rows[i]
		for {
			result, err := insert.ExecContext(ctx, row.target.id, row.ts, row.latency, row.outcome)
			if err != nil {
				return err
			}
			if inserted, err := result.RowsAffected(); err != nil {
				return err
			} else if inserted > 0 {
				break
			}
			row.ts++
			if err := tx.engine.partition(ctx, tx, samples, row.ts, row.ts+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// finish runs work in tx and commits it. After an error or a panic it rolls back.
func finish(tx *sql.Tx, work func() error) error {
	done := false
	defer func() {
		if !done {
			_ = tx.Rollback() // the error of the work says more: a full disk or a lost connection has ended the transaction
		}
	}()
	if err := work(); err != nil {
		return err
	}
	done = true
	return tx.Commit()
}
