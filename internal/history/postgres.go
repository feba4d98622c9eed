package history

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pressly/goose/v3"
)

// This file opens a history in PostgreSQL, and migrates it.

// The timeouts of PostgreSQL. A database that does not answer within answerTimeout counts as unreachable, so
// that a connection that was lost silently does not block the writer for minutes.
const (
	connectTimeout           = 5 * time.Second
	lockTimeout              = 10 * time.Second // a process that ends, or was killed, still holds its lock for a moment
	answerTimeout            = 20 * time.Second
	idleInTransactionTimeout = 3 * time.Second // of an instance within a transaction; less than LeaseTime
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

// parseDatabase parses the URL of a database as libpq does, with two differences: sslmode is verify-full by
// default, unless every host is local, and no clear-text password is sent without certificate verification.
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
		config.RequireAuth = "!password" // no clear-text password
	}
	set := func(parameter, value string) {
		config.RuntimeParams[parameter] = cmp.Or(config.RuntimeParams[parameter], value)
	}
	set("application_name", "stickwatch")
	set("lock_timeout", milliseconds(lockTimeout))
	set("tcp_keepalives_idle", "5") // seconds; so that the server soon releases the lock of a dead client
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
func (d database) prepare(parent context.Context, writer *sql.DB) error {
	ctx, cancel := context.WithTimeout(parent, time.Minute)
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
		return &newerError{Path: d.name, Got: at, Want: newest}
	}
	if at < newest {
		err = d.migrate(parent, writer, migrations)
	}
	if isState(err, "42P07") { // duplicate_table
		return fmt.Errorf("migrating %q: the schema has tables of another program: name an empty one with ?search_path=NAME in history.url: %w",
			d.name, innermost(err))
	}
	return explain(d.name, err)
}

// migrate migrates the history under an advisory lock, so that instances of a fleet do not migrate at the same
// time. It takes, and waits for another one, as long as a large history needs. writer must be a single connection,
// because the lock belongs to its session.
func (d database) migrate(ctx context.Context, writer *sql.DB, migrations *goose.Provider) error {
	const key = `(hashtext('stickwatch migrations'), hashtext(current_schema()))`
	for _, statement := range []string{`SET lock_timeout = 0`, `SELECT pg_advisory_lock` + key, `RESET lock_timeout`} {
		if _, err := writer.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	_, err := migrations.Up(ctx)
	_, unlocked := writer.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock`+key)
	return errors.Join(err, unlocked)
}

// checkServer returns an error if this database cannot store a history.
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
	err := checkSchema(ctx, pool, d.name, postgresMigrations())
	if isState(err, "42P01") { // undefined_table
		err = fmt.Errorf("%q has no history: start the daemon once to create it", d.name)
	}
	if err != nil {
		return nil, closeWith(pool, explain(d.name, err))
	}
	return &Reader{pool: pool, path: d.name}, nil
}
