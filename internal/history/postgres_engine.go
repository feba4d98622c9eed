package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// A postgresEngine is a database of PostgreSQL that is open for writing.
type postgresEngine struct {
	database
	writer *sql.DB
	bytes  atomic.Int64 // size at the last maintenance

	tables      atomic.Int64 // identity of the tables; see selectTables
	recreating  sync.Mutex   // held while tables are created anew
	onRecreated func()       // called before the first transaction with new tables

	// The session and the partitions that are known to have the tables, and to exist. Only the
	// transaction that has the connection uses them.
	session    *stdlib.Conn
	partitions map[string]bool
}

// newPostgresEngine returns the engine of a database that was prepared.
func newPostgresEngine(ctx context.Context, d database, writer *sql.DB) (*postgresEngine, error) {
	e := &postgresEngine{database: d, writer: writer, onRecreated: func() {}, partitions: make(map[string]bool)}
	tables, err := readTables(ctx, writer)
	e.tables.Store(tables)
	return e, explain(d.name, err)
}

// readTables returns the identity of the tables of a history, which those of another one in the same
// place do not have; 0: there are none.
func readTables(ctx context.Context, q interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
},
) (identity int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT COALESCE(to_regclass('targets')::oid::bigint, 0)`).Scan(&identity)
	return identity, err
}

// errRecreated is the error of a transaction that was made for other tables. It is repeated.
var errRecreated = errors.New("the tables of the history were created anew")

// connect returns the writing connection. A session that begins may find that somebody has deleted
// the database and created it again. Then it creates the tables.
func (e *postgresEngine) connect(ctx context.Context) (*sql.Conn, error) {
	conn, err := e.writer.Conn(ctx)
	if err != nil {
		return nil, err
	}
	var current *stdlib.Conn
	err = conn.Raw(func(c any) error {
		current = c.(session).Conn
		return nil
	})
	if err == nil && current == e.session {
		return conn, nil
	}
	var tables int64
	if err == nil {
		tables, err = readTables(ctx, conn)
	}
	if err == nil && tables == e.tables.Load() {
		e.session = current
		clear(e.partitions)
		return conn, nil
	}
	closed := conn.Close() // first: there is no other connection
	if err == nil {
		err = e.recreate(ctx)
	}
	return nil, errors.Join(closed, err) // the cause last: see innermost
}

// recreate creates the tables unless they exist, and returns errRecreated.
func (e *postgresEngine) recreate(ctx context.Context) error {
	e.recreating.Lock()
	defer e.recreating.Unlock()
	if err := e.prepare(ctx, e.writer); err != nil {
		return err
	}
	tables, err := readTables(ctx, e.writer)
	if err != nil {
		return err
	}
	if tables != e.tables.Load() {
		e.onRecreated() // first: a transaction that finds the new tables must not use what the old ones had
		e.tables.Store(tables)
	}
	return errRecreated
}

// commit implements engine. If the connection is lost during the commit, nobody knows whether the
// transaction is complete; callers repeat it. A durable transaction may be repeated: its rows have
// ids. A batch of samples that is repeated may count twice.
func (e *postgresEngine) commit(ctx context.Context, durable bool, work func(*transaction) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	conn, err := e.connect(ctx)
	if err != nil {
		return explain(e.name, err)
	}
	defer conn.Close()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return explain(e.name, err)
	}
	committed := false
	defer func() {
		if !committed {
			clear(e.partitions) // those that were created were rolled back
		}
	}()
	err = finish(tx, func() error {
		if !durable {
			if _, err := tx.ExecContext(ctx, `SET LOCAL synchronous_commit = off`); err != nil {
				return err
			}
		}
		return work(&transaction{Tx: tx, engine: e, conn: conn})
	})
	committed = err == nil
	if isState(err, "42P01") { // undefined_table: the tables were deleted during this session
		e.session = nil
	}
	return explain(e.name, err)
}

// insertSamples implements engine with COPY. Where a millisecond is taken, rows are inserted one by
// one.
func (e *postgresEngine) insertSamples(ctx context.Context, tx *transaction, rows []targetSample) error {
	if len(rows) == 0 {
		return nil
	}
	for i := range rows {
		if i > 0 && rows[i].target == rows[i-1].target {
			rows[i].ts = max(rows[i].ts, rows[i-1].ts+1)
		}
		if err := e.partition(ctx, tx, samples, rows[i].ts, rows[i].ts+1); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `SAVEPOINT before_copy`); err != nil {
		return err
	}
	err := tx.copyFrom(ctx, samples, pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
		return []any{rows[i].target.id, rows[i].ts, rows[i].latency, rows[i].outcome}, nil
	}))
	if !isState(err, "23505") { // unique_violation
		return err
	}
	if _, err := tx.ExecContext(ctx, `ROLLBACK TO SAVEPOINT before_copy`); err != nil {
		return err
	}
	return insertOneByOne(ctx, tx, rows)
}

// copyFrom inserts rows of a level with COPY.
func (tx *transaction) copyFrom(ctx context.Context, l level, rows pgx.CopyFromSource) error {
	columns := append([]string{"target"}, l.columns()...)
	return tx.conn.Raw(func(conn any) error {
		_, err := conn.(session).Conn.Conn().CopyFrom(ctx, pgx.Identifier{tables[l]}, columns, rows)
		return err
	})
}

// insertRows implements engine.
func (e *postgresEngine) insertRows(ctx context.Context, tx *transaction, l level, target int64, rows [][]any) error {
	return tx.copyFrom(ctx, l, pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
		return append([]any{target}, rows[i]...), nil
	}))
}

func (*postgresEngine) rowLock() string { return "FOR UPDATE SKIP LOCKED" }

func (e *postgresEngine) explicitIDs() string { return "OVERRIDING SYSTEM VALUE" }

// continueSerial implements engine.
func (e *postgresEngine) continueSerial(ctx context.Context, tx *transaction, table, key string) error {
	_, err := tx.ExecContext(ctx, fmt.Sprintf(`SELECT setval(pg_get_serial_sequence('%s', '%s'), MAX(%s)) FROM %s`, table, key, key, table))
	return err
}

// partitionLength implements engine. Hours and days are few, and are deleted row by row.
func (e *postgresEngine) partitionLength(l level) int64 {
	switch l {
	case samples:
		return units[days]
	case minutes:
		return 7 * units[days]
	default:
		return 0
	}
}

// partitionName returns the name of the partition of a level that begins at a time.
func partitionName(l level, begin int64) string {
	return tables[l] + "_" + timeOf(begin).Format(partitionDate)
}

const partitionDate = "20060102"

// partition implements engine. It attaches new tables, because CREATE TABLE ... PARTITION OF would wait
// for every reader, such as a backup.
func (e *postgresEngine) partition(ctx context.Context, tx *transaction, l level, from, to int64) error {
	length := e.partitionLength(l)
	if length == 0 {
		return nil
	}
	for begin := from - from%length; begin < to; begin += length {
		name := partitionName(l, begin)
		if e.partitions[name] {
			continue
		}
		if err := createPartition(ctx, tx, l, name, begin, begin+length); err != nil {
			return fmt.Errorf("creating the partition %s: %w", name, err)
		}
		e.partitions[name] = true
	}
	return nil
}

// lockPartitions lets one instance of a fleet at a time create partitions.
const lockPartitions = `SELECT pg_advisory_xact_lock(hashtext('stickwatch partitions'), hashtext(current_schema()))`

// createPartition creates a partition for the time [from, to) unless it exists.
func createPartition(ctx context.Context, tx *transaction, l level, name string, from, to int64) error {
	if _, err := tx.ExecContext(ctx, lockPartitions); err != nil {
		return err
	}
	var exists bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_class WHERE relname = ? AND relnamespace = current_schema()::regnamespace)`, name).Scan(&exists)
	if err != nil || exists {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(`CREATE TABLE %s (LIKE %s INCLUDING INDEXES)`, name, tables[l])); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, fmt.Sprintf(`ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%d) TO (%d)`,
		tables[l], name, from/units[l], to/units[l]))
	return err
}

// deletePartitions implements engine. It does not wait for long queries.
func (e *postgresEngine) deletePartitions(ctx context.Context, l level, before int64) (done bool, err error) {
	err = e.commit(ctx, false, func(tx *transaction) error {
		names, err := partitionsOf(ctx, tx, l)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `SET LOCAL lock_timeout = '1s'`); err != nil {
			return err
		}
		for _, name := range names {
			begin, err := time.Parse(partitionDate, strings.TrimPrefix(name, tables[l]+"_"))
			if err != nil || begin.UnixMilli()+e.partitionLength(l) > before {
				continue // somebody else's partition, or a needed one
			}
			if _, err := tx.ExecContext(ctx, `DROP TABLE `+name); err != nil {
				return fmt.Errorf("deleting the partition %s: %w", name, err)
			}
			delete(e.partitions, name)
		}
		return nil
	})
	if isState(err, "55P03") { // lock_not_available
		return false, nil
	}
	return err == nil, err
}

// partitionsOf returns the names of the partitions of a level.
func partitionsOf(ctx context.Context, tx *transaction, l level) ([]string, error) {
	return queryColumn[string](ctx, tx, `SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = ?::regclass ORDER BY 1`, tables[l])
}

// maintain implements engine. PostgreSQL reuses free space by itself.
func (e *postgresEngine) maintain(ctx context.Context) error {
	_, err := e.usedBytes(ctx)
	return err
}

// usedBytes returns the size of the tables of the history with their indexes, and with the free
// space inside them. The schema may have tables of other programs.
func (e *postgresEngine) usedBytes(ctx context.Context) (used int64, err error) {
	const query = `SELECT COALESCE(SUM(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
	WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND (relname = ANY(?) OR
		oid IN (SELECT relid FROM pg_partition_tree('samples') UNION ALL SELECT relid FROM pg_partition_tree('minutes')))`
	own := append([]string{"targets"}, tables[:]...)
	for _, t := range eventTables {
		own = append(own, t.name)
	}
	err = e.commit(ctx, false, func(tx *transaction) error { return tx.QueryRowContext(ctx, query, own).Scan(&used) })
	if err != nil {
		return 0, fmt.Errorf("reading the size: %w", err)
	}
	e.bytes.Store(used)
	return used, nil
}

func (e *postgresEngine) size() int64 { return e.bytes.Load() }

// rejected reports whether a value does not fit its column: SQLSTATE 22, data exceptions, and 23,
// violated constraints.
func (e *postgresEngine) rejected(err error) bool {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (strings.HasPrefix(answer.Code, "22") || strings.HasPrefix(answer.Code, "23"))
}

func (e *postgresEngine) close() error { return e.writer.Close() }
