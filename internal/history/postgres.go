package history

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// This file connects to PostgreSQL, and migrates and locks a history there.

// The time limits of PostgreSQL. A database that does not answer within answerTimeout counts as
// away, so that a connection that was cut without notice does not block the writer for minutes.
const (
	connectTimeout = 5 * time.Second
	lockTimeout    = 10 * time.Second // a process that ends, or was killed, still holds its lock for a moment
	answerTimeout  = 20 * time.Second
	pausedTimeout  = 3 * time.Second // of an instance within a transaction; less than LeaseTime
)

// oldestServer is the oldest supported version of PostgreSQL.
const oldestServer = 15

// IsDatabase reports whether a path of a history is the URL of a PostgreSQL database, and not a file.
func IsDatabase(path string) bool {
	return strings.HasPrefix(path, "postgres://") || strings.HasPrefix(path, "postgresql://")
}

// publicName returns the URL of a database without password and parameters.
func publicName(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "postgres://..."
	}
	name := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if user := u.User.Username(); user != "" {
		name.User = url.User(user)
	}
	return name.String()
}

// A database is an address of PostgreSQL with its settings.
type database struct {
	name   string // without password
	config *pgx.ConnConfig
}

// parseDatabase parses the URL of a database, as psql does. Without sslmode, the server must
// prove its identity with TLS, unless the database is on this machine.
func parseDatabase(address string) (database, error) {
	name := publicName(address)
	u, err := url.Parse(address)
	if err != nil {
		return database{}, errors.New("the URL of the history is not valid: expected postgres://USER@HOST:PORT/DATABASE")
	}
	if parameters := u.Query(); !parameters.Has("sslmode") && os.Getenv("PGSSLMODE") == "" && !isLocal(u) {
		parameters.Set("sslmode", "verify-full")
		u.RawQuery = parameters.Encode()
	}
	config, err := pgx.ParseConfig(u.String())
	if err != nil {
		return database{}, fmt.Errorf("opening %q: %w", name, innermost(err))
	}
	config.ConnectTimeout = cmp.Or(config.ConnectTimeout, connectTimeout)
	config.DialFunc = (&net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: connectTimeout, Interval: connectTimeout, Count: 3},
	}).DialContext
	if config.RequireAuth == "" && (config.TLSConfig == nil || config.TLSConfig.InsecureSkipVerify) {
		config.RequireAuth = "!password" // a password in clear text is for a server that has proven its identity
	}
	set := func(parameter, value string) {
		config.RuntimeParams[parameter] = cmp.Or(config.RuntimeParams[parameter], value)
	}
	set("application_name", "stickwatch")
	set("lock_timeout", milliseconds(lockTimeout))
	set("tcp_keepalives_idle", "5") // seconds; the server notices a dead client, whose lock it holds
	set("tcp_keepalives_interval", "5")
	set("tcp_keepalives_count", "3")
	return database{name, config}, nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// isLocal reports whether every host of a database is a loopback address or a directory with a
// socket.
func isLocal(u *url.URL) bool {
	hosts := cmp.Or(u.Query().Get("host"), u.Host, os.Getenv("PGHOST")) // in the order of pgx
	for host := range strings.SplitSeq(hosts, ",") {
		name := (&url.URL{Host: host}).Hostname()
		if ip := net.ParseIP(name); name != "" && name != "localhost" && !strings.HasPrefix(host, "/") && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}

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
		config.RuntimeParams["idle_in_transaction_session_timeout"] = milliseconds(pausedTimeout)
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

// remedies are the remedies of errors by SQLSTATE; see
// https://www.postgresql.org/docs/current/errcodes-appendix.html.
var remedies = map[string]string{
	"28P01": "correct the user or the password of history.url",
	"28000": "correct the user of history.url, or let this host in by pg_hba.conf",
	"3D000": "create the database, or correct its name in history.url",
	"42501": "the user needs the right to create and change tables: make it the owner of the database or of a schema",
	"53100": "the disk of the database is full",
	"53300": "the database has no free connection: see max_connections",
	"57P03": "the database is starting or stopping",
	"25006": "the database is read-only: it is a standby, or was switched over",
}

// A databaseError is an error of PostgreSQL with the database and a remedy.
type databaseError struct {
	name string
	err  error
}

func (e *databaseError) Error() string {
	err := innermost(e.err)
	text := fmt.Sprintf("using %q: %s", e.name, err)
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		text = fmt.Sprintf("using %q: %s (SQLSTATE %s)", e.name, answer.Message, answer.Code)
		if remedy := remedies[answer.Code]; remedy != "" {
			text += ": " + remedy
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		text = fmt.Sprintf("using %q: it has not answered in time", e.name)
	}
	if strings.Contains(err.Error(), "server refused TLS") {
		text += ": let it use TLS, or add ?sslmode=disable to history.url if nobody can listen on the network"
	}
	return text
}

func (e *databaseError) Unwrap() error { return e.err }

// Unavailable reports whether the database is away, instead of refusing what it was asked: it has
// not answered, or has a SQLSTATE of class 08 (connection), 28 (login), 3D (no such database), 53
// (resources) or 57 (shutdown). It answers that it has canceled a query, and says nothing of a
// request that its client has canceled.
func (e *databaseError) Unavailable() bool {
	const queryCanceled = "57014"
	if errors.Is(e.err, context.Canceled) || isState(e.err, queryCanceled) {
		return false
	}
	answer, ok := errors.AsType[*pgconn.PgError](e.err)
	return !ok || slices.ContainsFunc([]string{"08", "28", "3D", "53", "57"}, func(class string) bool { return strings.HasPrefix(answer.Code, class) })
}

// explain adds the name of the database and a remedy to an error.
func explain(name string, err error) error {
	if err == nil || errors.Is(err, sql.ErrNoRows) || errors.Is(err, ErrNotFound) || errors.Is(err, errRecreated) {
		return err
	}
	if _, done := errors.AsType[*databaseError](err); done {
		return err
	}
	if _, inUse := errors.AsType[*InUseError](err); inUse {
		return err
	}
	if _, fenced := isFenced(err); fenced {
		return err
	}
	return &databaseError{name, err}
}

// innermost returns the error of the last attempt without the text of pgx around it, which names
// every host and fills several lines.
func innermost(err error) error {
	for {
		var next error
		switch wrapping := err.(type) { //nolint:errorlint // it unwraps one level at a time
		case *pgconn.PgError:
			return err
		case interface{ Unwrap() error }:
			next = wrapping.Unwrap()
		case interface{ Unwrap() []error }:
			if all := wrapping.Unwrap(); len(all) > 0 {
				next = all[len(all)-1]
			}
		}
		if next == nil {
			return err
		}
		err = next
	}
}

func isState(err error, code string) bool {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	return ok && answer.Code == code
}

// postgresMigrations returns the migrations for PostgreSQL.
func postgresMigrations() fs.FS {
	dir, err := fs.Sub(embedded, "migrations/postgres")
	if err != nil {
		panic(err) // the constant path is invalid
	}
	return dir
}

// openDatabase opens a history in PostgreSQL without the writing goroutine.
func openDatabase(ctx context.Context, c Config) (*DB, error) {
	database, err := parseDatabase(c.Path)
	if err != nil {
		return nil, err
	}
	writer := database.openWriter(c.Instance != "")
	if err := database.prepare(ctx, writer); err != nil {
		return nil, closeWith(writer, err)
	}
	reader, err := database.newReader(ctx)
	if err != nil {
		return nil, closeWith(writer, err)
	}
	engine, err := newPostgresEngine(ctx, database, writer)
	if err != nil {
		return nil, errors.Join(reader.Close(), closeWith(writer, err))
	}
	db, err := c.withEngine(ctx, reader, newMeter(), engine)
	if err != nil {
		return nil, explain(database.name, err)
	}
	engine.onRecreated = db.onRecreated
	return db, nil
}

// prepare checks the server and migrates the history.
func (d database) prepare(ctx context.Context, writer *sql.DB) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := d.checkServer(ctx, writer); err != nil {
		return err
	}
	migrations, err := goose.NewProvider(goose.DialectPostgres, writer, postgresMigrations(),
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("reading migrations: %w", err)
	}
	at, newest, err := migrations.GetVersions(ctx)
	switch {
	case err != nil:
		return explain(d.name, err)
	case at > newest:
		return &NewerError{Path: d.name, Got: at, Want: newest}
	}
	if at < newest {
		err = d.migrate(ctx, writer, migrations)
	}
	if isState(err, "42P07") { // duplicate_table
		return fmt.Errorf("migrating %q: the schema has tables of another program: name an empty one with ?search_path=NAME in history.url: %w",
			d.name, innermost(err))
	}
	return explain(d.name, err)
}

// migrate lets one instance of a fleet at a time migrate the history. writer is one connection.
func (d database) migrate(ctx context.Context, writer *sql.DB, migrations *goose.Provider) error {
	const key = `(hashtext('stickwatch migrations'), hashtext(current_schema()))`
	if _, err := writer.ExecContext(ctx, `SELECT pg_advisory_lock`+key); err != nil {
		return err
	}
	_, err := migrations.Up(ctx)
	_, unlocked := writer.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock`+key)
	return errors.Join(err, unlocked)
}

// checkServer returns an error if a history cannot be in this database.
func (d database) checkServer(ctx context.Context, writer *sql.DB) error {
	const query = `SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding'),
	COALESCE(current_schema(), ''), COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false)`
	var version int
	var encoding, schema string
	var mayCreate bool
	if err := writer.QueryRowContext(ctx, query).Scan(&version, &encoding, &schema, &mayCreate); err != nil {
		return explain(d.name, err)
	}
	switch {
	case version < oldestServer:
		return fmt.Errorf("opening %q: the server is PostgreSQL %d, and at least %d is needed", d.name, version, oldestServer)
	case encoding != "UTF8":
		return fmt.Errorf("opening %q: the encoding of the database is %s: create it with ENCODING 'UTF8'", d.name, encoding)
	case schema == "":
		return fmt.Errorf("opening %q: there is no schema that the user may use: create one, or correct search_path in history.url", d.name)
	case !mayCreate:
		return fmt.Errorf("opening %q: the user may not create tables in the schema %q: make it the owner of a database or of a schema", d.name, schema)
	}
	return nil
}

// openDatabaseReader opens a history in PostgreSQL for reading.
func openDatabaseReader(ctx context.Context, address string) (*Reader, error) {
	database, err := parseDatabase(address)
	if err != nil {
		return nil, err
	}
	return database.newReader(ctx)
}

func (d database) newReader(ctx context.Context) (*Reader, error) {
	pool := d.openReaders()
	err := schemaOf(ctx, pool, d.name, postgresMigrations())
	if isState(err, "42P01") { // undefined_table
		err = fmt.Errorf("%q has no history: start the daemon once to create it", d.name)
	}
	if err != nil {
		return nil, closeWith(pool, explain(d.name, err))
	}
	return &Reader{pool: pool, path: d.name}, nil
}
