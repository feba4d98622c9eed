package history

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// This file makes connections to PostgreSQL for database/sql: with the placeholders of SQLite, time limits
// and the lock of the writer.

// A session is a connection whose statements have the placeholders of SQLite.
type session struct {
	*stdlib.Conn
	name string // of the database
}

// PrepareContext implements driver.ConnPrepareContext.
func (s session) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	return s.Conn.PrepareContext(ctx, numbered(query))
}

// ExecContext implements driver.ExecerContext.
func (s session) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return s.Conn.ExecContext(ctx, numbered(query), args)
}

// QueryContext implements driver.QueryerContext.
func (s session) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	rows, err := s.Conn.QueryContext(ctx, numbered(query), args)
	if err != nil {
		cancel()
		return nil, explain(s.name, err)
	}
	return limitedRows{rows.(*stdlib.Rows), cancel}, nil
}

// ResetSession implements driver.SessionResetter. It asks a connection that was idle whether it is
// alive; if its server hangs, a query without a time limit would wait here for ever.
func (s session) ResetSession(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return s.Conn.ResetSession(ctx)
}

// CheckNamedValue implements driver.NamedValueChecker. PostgreSQL would refuse the whole batch for
// a text with a zero byte or with invalid UTF-8.
func (s session) CheckNamedValue(value *driver.NamedValue) error {
	if text, ok := value.Value.(string); ok {
		value.Value = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "\uFFFD")
	}
	return s.Conn.CheckNamedValue(value)
}

// limitedRows are rows that must arrive within answerTimeout.
type limitedRows struct {
	*stdlib.Rows
	cancel context.CancelFunc
}

// Close implements driver.Rows.
func (r limitedRows) Close() error {
	defer r.cancel()
	return r.Rows.Close()
}

// numbered replaces the placeholders of a statement: ? by $1, $2, ...
func numbered(query string) string {
	if !strings.Contains(query, "?") {
		return query
	}
	var text strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		text.WriteString(before)
		if !found {
			return text.String()
		}
		text.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}

// A connector connects to a database. The errors of its connections name the database and a
// remedy.
type connector struct {
	driver.Connector
	name string
	lock *writerLock // nil: of readers
}

// Connect implements driver.Connector.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, explain(c.name, err)
	}
	s := session{conn.(*stdlib.Conn), c.name}
	if c.lock == nil {
		return s, nil
	}
	if err := c.lock.acquire(ctx, s.Conn.Conn()); err != nil {
		return nil, errors.Join(s.Close(), explain(c.name, err)) // the cause last: see innermost
	}
	return s, nil
}

// openWriter returns the writing connection, which has the lock for the instances of a fleet or for
// this process alone. It connects when it is used first, and again when the connection was lost.
func (d database) openWriter(shared bool) *sql.DB {
	return d.openOne(&writerLock{name: d.name, shared: shared})
}

// openFleet returns a connection that writes what the instances of a fleet know of each other.
func (d database) openFleet() *sql.DB { return d.openOne(nil) }

// openOne returns a connection that may write. A transaction of a process that was paused must not
// keep its locks.
func (d database) openOne(lock *writerLock) *sql.DB {
	config := d.config.Copy()
	config.ValidateConnect = requireWritable
	if lock == nil || lock.shared {
		const parameter = "idle_in_transaction_session_timeout"
		config.RuntimeParams[parameter] = cmp.Or(config.RuntimeParams[parameter], milliseconds(idleInTransactionTimeout))
	}
	pool := sql.OpenDB(connector{stdlib.GetConnector(*config), d.name, lock})
	pool.SetMaxOpenConns(1)
	return pool
}

// openReaders returns a pool of connections that cannot write.
func (d database) openReaders() *sql.DB {
	config := d.config.Copy()
	config.RuntimeParams["default_transaction_read_only"] = "on"
	pool := sql.OpenDB(connector{stdlib.GetConnector(*config), d.name, nil})
	pool.SetMaxOpenConns(4)
	pool.SetMaxIdleConns(4)
	return pool
}

// A writerLock is the lock of the process that writes a history, in one schema of a database. The
// session of the writing connection holds it: if another process has it, this one cannot write.
// The instances of a fleet share it.
type writerLock struct {
	name   string
	shared bool // with the other instances of a fleet

	mu      sync.Mutex
	pid     int64     // server process of the previous session; 0: none
	started time.Time // of that server process
}

const (
	acquireLock = `SELECT pg_advisory_lock(hashtext('stickwatch'), hashtext(current_schema()))`
	shareLock   = `SELECT pg_advisory_lock_shared(hashtext('stickwatch'), hashtext(current_schema()))`
	// endSession ends the previous session of this process, which the server may hold for a while
	// after the network was cut.
	endSession    = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2`
	selectSession = `SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()`
)

func (l *writerLock) acquire(ctx context.Context, conn *pgx.Conn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pid != 0 {
		if _, err := conn.Exec(ctx, endSession, l.pid, l.started); err != nil {
			return err
		}
	}
	statement := acquireLock
	if l.shared {
		statement = shareLock
	}
	if _, err := conn.Exec(ctx, statement); err != nil {
		if isState(err, "55P03") { // lock_not_available
			return &InUseError{Path: l.name}
		}
		return err
	}
	return conn.QueryRow(ctx, selectSession).Scan(&l.pid, &l.started)
}

// errReadOnly is the error of a server that only reads.
var errReadOnly = errors.New("the server is read-only: it is a standby, or default_transaction_read_only is on; name the primary, " +
	"or every server as in postgres://USER@HOST1,HOST2/DATABASE")

// requireWritable rejects a standby, so that pgx tries the next host.
func requireWritable(ctx context.Context, conn *pgconn.PgConn) error {
	const query = `SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean`
	results, err := conn.Exec(ctx, query).ReadAll()
	switch {
	case err != nil:
		return err
	case len(results) == 0 || len(results[0].Rows) == 0 || string(results[0].Rows[0][0]) != "f":
		return errReadOnly
	}
	return nil
}
