package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/lab"
	"stickwatch/internal/must"
)

// place returns the path of a new history: a file, or a schema of its own while a test of
// PostgreSQL runs.
func place(t testing.TB) string {
	t.Helper()
	if underTest == nil {
		return filepath.Join(t.TempDir(), "stickwatch.db")
	}
	return underTest.schema(t)
}

// underTest is the server in which new histories of tests are; nil: they are files.
var underTest *testServer

// A testServer is a PostgreSQL that runs until the end of its test.
type testServer struct {
	*lab.Dependency
	schemas int
	patient bool // a transaction may pause longer than in a fleet
}

// startPostgres starts a server, and puts the histories of the test into it.
func startPostgres(t testing.TB) *testServer {
	t.Helper()
	server := &testServer{Dependency: lab.Postgres(t)}
	underTest = server
	t.Cleanup(func() { underTest = nil })
	return server
}

// schema creates a schema and returns the URL of a history in it.
func (s *testServer) schema(t testing.TB) string {
	t.Helper()
	s.schemas++
	name := "history" + strconv.Itoa(s.schemas)
	s.run(t, "CREATE SCHEMA "+name)
	return s.with(t, "search_path", name)
}

// with returns the URL of the server with a parameter.
func (s *testServer) with(t testing.TB, parameter, value string) string {
	t.Helper()
	u := must.URL(s.URL())
	parameters := u.Query()
	parameters.Set(parameter, value)
	if s.patient {
		parameters.Set("idle_in_transaction_session_timeout", "60000")
	}
	u.RawQuery = parameters.Encode()
	return u.String()
}

// run executes a statement as the owner of the server.
func (s *testServer) run(t testing.TB, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL())
	must.Succeed(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// TestConformance: a history in PostgreSQL behaves as one in a file. These tests run with SQLite
// by themselves.
func TestConformance(t *testing.T) {
	startPostgres(t)
	for name, test := range map[string]func(*testing.T){
		"Restore":                        TestRestore,
		"IncidentIsKeptInBothLanguages":  TestIncidentIsKeptInBothLanguages,
		"ExpireSilence":                  TestExpireSilence,
		"Incidents":                      TestIncidents,
		"MovesAndChanges":                TestMovesAndChanges,
		"Deployments":                    TestDeployments,
		"UnendedDeployment":              TestUnendedDeployment,
		"PlacementsReplace":              TestPlacementsReplace,
		"NodeLists":                      TestNodeLists,
		"PointsOfSums":                   TestPointsOfSums,
		"ForgetOld":                      TestForgetOld,
		"UnnotifiedIncidentsExpireFirst": TestUnnotifiedIncidentsExpireFirst,
		"Announced":                      TestAnnounced,
		"Clusters":                       TestClusters,
		"CountsOf":                       TestCountsOf,
		"QueueDoesNotModifyInput":        TestQueueDoesNotModifyInput,
		"TooLate":                        TestTooLate,
		"CloseWritesWhatWaits":           TestCloseWritesWhatWaits,
		"Collector":                      TestCollector,
		"PanicWhileWriting":              TestPanicWhileWriting,
		"PanicInTransaction":             TestPanicInTransaction,
		"RollUpsEqualTheRaw":             TestRollUpsEqualTheRaw,
		"ExpiredDetailsKeepSums":         TestExpiredDetailsKeepSums,
		"Days":                           TestDays,
		"PackRoundTrip":                  TestPackRoundTrip,
		"Claim":                          TestClaim,
		"ClaimsAfterCrash":               TestClaimsAfterCrash,
		"ClaimAttemptsAndThread":         TestClaimAttemptsAndThread,
		"NotificationIsQueuedOnce":       TestNotificationIsQueuedOnce,
		"DeliveredBeforeItWasWritten":    TestDeliveredBeforeItWasWritten,
		"DeadLetters":                    TestDeadLetters,
		"SkipToResolved":                 TestSkipToResolved,
		"ClaimAfterClockWasSet":          TestClaimAfterClockWasSet,
		"ReaderCannotWrite":              TestReaderCannotWrite,
		"SameMillisecond":                TestSameMillisecond,
	} {
		t.Run(name, test)
	}
}

func TestNumbered(t *testing.T) {
	for query, want := range map[string]string{
		"SELECT 1":                         "SELECT 1",
		"SELECT a FROM t WHERE b = ?":      "SELECT a FROM t WHERE b = $1",
		"VALUES (?, '', ?) RETURNING ?, x": "VALUES ($1, '', $2) RETURNING $3, x",
	} {
		expect.Equal(t, query, want, numbered(query))
	}
}

// TestDatabaseErrors: an error of a database has its name and a remedy, but not its password.
func TestDatabaseErrors(t *testing.T) {
	server := startPostgres(t)
	server.run(t, "CREATE ROLE guest LOGIN PASSWORD '"+lab.Password+"'")
	server.run(t, "CREATE SCHEMA theirs")
	server.run(t, "CREATE TABLE theirs.targets (a INTEGER)")
	server.run(t, "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
	newer := server.schema(t)
	inDatabase(t, newer, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, true)")
	server.run(t, "GRANT USAGE ON SCHEMA theirs TO guest")
	as := func(user, password string) string {
		return strings.Replace(server.with(t, "search_path", "theirs"), lab.User+":"+lab.Password, user+":"+password, 1)
	}
	for name, tt := range map[string]struct{ path, want string }{
		"a wrong password":   {as(lab.User, "wrong"), "(SQLSTATE 28P01): correct the user or the password of history.url"},
		"no such database":   {strings.Replace(server.URL(), "/postgres?", "/none?", 1), "(SQLSTATE 3D000): create the database"},
		"no rights":          {as("guest", lab.Password), `may not create tables in the schema "theirs"`},
		"no such schema":     {server.with(t, "search_path", "none"), "there is no schema that the user may use"},
		"another program's":  {server.with(t, "search_path", "theirs"), "the schema has tables of another program"},
		"a newer schema":     {newer, "its schema is version 999, and this program supports"},
		"another encoding":   {strings.Replace(server.URL(), "/postgres?", "/latin?", 1), "create it with ENCODING 'UTF8'"},
		"read-only":          {server.with(t, "default_transaction_read_only", "on"), "the server is read-only"},
		"no server":          {strings.Replace(server.URL(), server.Addr(), lab.FreeAddr(t), 1), "connection refused"},
		"no TLS":             {server.with(t, "sslmode", "require"), "add ?sslmode=disable to history.url"},
		"no certificate":     {server.with(t, "sslrootcert", "/none.pem"), "no such file or directory"},
		"not an address":     {"postgres://a b/", "is not valid"},
		"an unknown sslmode": {server.with(t, "sslmode", "maybe"), "sslmode is invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := open(t.Context(), Config{Path: tt.path})
			if err == nil {
				db.Close(t.Context())
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), lab.Password) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got error %v, want one line with %q", err, tt.want)
			}
		})
	}
	if _, err := OpenReader(t.Context(), server.schema(t)); err == nil || !strings.Contains(err.Error(), "start the daemon once") {
		t.Errorf("got error %v of an empty schema", err)
	}
}

// inDatabase creates a history and executes a statement in it.
func inDatabase(t *testing.T, path, statement string) {
	t.Helper()
	db, err := open(t.Context(), Config{Path: path})
	must.Succeed(t, err)
	if _, err := db.exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	must.Succeed(t, db.Close(t.Context()))
}

func TestDatabaseErrorOfTime(t *testing.T) {
	err := explain("postgres://db/stickwatch", fmt.Errorf("reading: %w", context.DeadlineExceeded))
	if want := `using "postgres://db/stickwatch": it has not answered in time`; err.Error() != want || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestUnavailable: only a database that is away is.
func TestUnavailable(t *testing.T) {
	for err, want := range map[error]bool{
		errors.New("connection refused"): true, &pgconn.PgError{Code: "57P01"}: true, &pgconn.PgError{Code: "57014"}: false,
		&pgconn.PgError{Code: "42501"}: false, context.DeadlineExceeded: true, context.Canceled: false,
	} {
		away, ok := errors.AsType[*databaseError](explain("postgres://db/stickwatch", err))
		if !ok || away.Unavailable() != want {
			t.Errorf("%v: got %v, want unavailable %v", err, away, want)
		}
	}
	if fenced := (&FencedError{Clusters: []string{"shop"}}); explain("postgres://db/stickwatch", fenced) != error(fenced) {
		t.Error("a fenced write is no error of the database")
	}
}

func TestDatabaseNeedsTLS(t *testing.T) {
	for address, want := range map[string]bool{
		"postgres://stickwatch@db/stickwatch":                 true,
		"postgres://stickwatch@10.0.0.5:5433/stickwatch":      true,
		"postgres://stickwatch@127.0.0.1,db/stickwatch":       true,
		"postgres:///stickwatch?host=db":                      true,
		"postgres://stickwatch@db/stickwatch?sslmode=disable": false,
		"postgres://stickwatch@localhost/stickwatch":          false,
		"postgres://stickwatch@[::1]:5432/stickwatch":         false,
		"postgres:///stickwatch?host=/run/postgresql":         false,
		"postgres://stickwatch@db/stickwatch?sslmode=require": false,
	} {
		database, err := parseDatabase(address)
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		proven := database.config.TLSConfig != nil && !database.config.TLSConfig.InsecureSkipVerify && len(database.config.Fallbacks) == strings.Count(address, ",")
		if proven != want {
			t.Errorf("%s: got %v that the server must prove its identity, want %v", address, proven, want)
		}
	}
}

// TestDatabaseAway: while the database is away, samples wait and nothing is committed; then all of
// it is written by a new connection.
func TestDatabaseAway(t *testing.T) {
	server := startPostgres(t)
	db := opened(t)
	commit(t, db, notification("a1", "ops", "a"))
	server.Stop()
	db.Record(Batch{Samples: every(node, testTime, time.Second, 10)})
	if err := db.flush(t.Context()); err == nil {
		t.Error("a database that is away accepted samples")
	}
	lost := WriteSet{Decision: alerting.Decision{Incidents: []alerting.Incident{incident("b")}}}
	if err := db.Commit(t.Context(), lost); err == nil {
		t.Error("a database that is away accepted an incident")
	}
	if s := db.Stats(); s.Queue != 10 || s.WriteErrors != 2 || s.LastError == "" {
		t.Errorf("got %+v, want ten samples to wait and two errors", s)
	}
	_, err := db.Pending(t.Context())
	if away, ok := errors.AsType[*databaseError](err); !ok || !away.Unavailable() {
		t.Errorf("got error %v of a database that is away", err)
	}
	server.Start()
	must.Succeed(t, db.flush(t.Context()))
	must.Succeed(t, db.Commit(t.Context(), lost))
	state, err := db.Restore(t.Context())
	if err != nil || len(state.Incidents) != 2 || rowsOf(t, db)[samples] != 10 {
		t.Errorf("got %d incidents, %d samples and error %v, want 2 and 10", len(state.Incidents), rowsOf(t, db)[samples], err)
	}
}

// TestDatabaseCreatedAnew: a database, or a schema, that is deleted and created again under the daemon
// gets its tables, and what the daemon writes then is complete.
func TestDatabaseCreatedAnew(t *testing.T) {
	server := startPostgres(t)
	server.run(t, "CREATE DATABASE fresh")
	u := must.URL(server.URL())
	u.Path = "/fresh"
	for _, tt := range []struct {
		name, path          string
		remove, put, remedy string
	}{
		{"database", u.String(), "DROP DATABASE fresh WITH (FORCE)", "CREATE DATABASE fresh", "create the database"},
		{"schema", server.schema(t), "DROP SCHEMA history1 CASCADE", "CREATE SCHEMA history1", "there is no schema that the user may use"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			recreated := 0
			db := opened(t, func(c *Config) { c.Path, c.Recreated = tt.path, func() { recreated++ } })
			other := checks.Target{Cluster: "shop", Kind: checks.TargetBalancer, Name: "lb"}
			write(t, db, Batch{Samples: append(every(other, testTime, time.Second, 5), every(node, testTime, time.Second, 5)...)})
			set := WriteSet{Decision: alerting.Decision{Incidents: []alerting.Incident{incident("a")}}}
			server.run(t, tt.remove)
			ended := db.Commit(t.Context(), set) // of the session, or of a statement
			if err := db.Commit(t.Context(), set); ended == nil || err == nil || !strings.Contains(err.Error(), tt.remedy) {
				t.Errorf("got errors %v and %v of a %s that was deleted", ended, err, tt.name)
			}
			server.run(t, tt.put)
			db.Record(Batch{Samples: every(node, testTime.Add(time.Minute), time.Second, 7)})
			var failures []error
			for db.Commit(t.Context(), set) != nil || db.flush(t.Context()) != nil {
				if failures = append(failures, db.flush(t.Context())); len(failures) > 3 {
					t.Fatalf("it is not written again: %v", errors.Join(failures...))
				}
			}
			if err := db.maintain(t.Context(), testTime.Add(time.Hour)); err != nil {
				t.Error(err)
			}
			points, err := db.Points(t.Context(), []checks.Target{node}, checks.Span{From: testTime, To: testTime.Add(time.Hour)}, time.Hour)
			if err != nil || len(points[node]) != 1 || points[node][0].Probes != 7 {
				t.Errorf("got %v and error %v, want the 7 new samples", points, err)
			}
			if state, err := db.Restore(t.Context()); err != nil || len(state.Incidents) != 1 || recreated != 1 {
				t.Errorf("got %d incidents, %d calls of Recreated and error %v", len(state.Incidents), recreated, err)
			}
		})
	}
}

// TestWaitsForMigration: a process waits while another one migrates, longer than for other locks.
func TestWaitsForMigration(t *testing.T) {
	path := startPostgres(t).schema(t)
	migrating, err := pgx.Connect(t.Context(), path)
	must.Succeed(t, err)
	_, err = migrating.Exec(t.Context(), `SELECT pg_advisory_lock(hashtext('stickwatch migrations'), hashtext(current_schema()))`)
	must.Succeed(t, err)
	time.AfterFunc(time.Second, func() { migrating.Close(context.Background()) })
	began := time.Now()
	db, err := Open(t.Context(), Config{Path: path + "&lock_timeout=100", Logger: slog.New(slog.DiscardHandler)})
	must.Succeed(t, err)
	must.Succeed(t, db.Close(t.Context()))
	if waited := time.Since(began); waited < time.Second {
		t.Errorf("it was open after %s, want after the migration", waited)
	}
}

// TestOneWriterOfDatabase: a second process cannot write while the first one has its connection. If
// the first one loses it, it gets it back, or finds that the second one has taken over.
func TestOneWriterOfDatabase(t *testing.T) {
	startPostgres(t)
	first := opened(t)
	second := parsedDatabase(t, first)
	second.config.RuntimeParams["lock_timeout"] = "100"
	other := second.openWriter(false)
	defer other.Close()
	err := other.PingContext(t.Context())
	if _, inUse := errors.AsType[*InUseError](err); !inUse || strings.Contains(err.Error(), lab.Password) {
		t.Errorf("got error %v, want that another process has the history", err)
	}
	cut := func() {
		t.Helper()
		if _, err := first.pool.ExecContext(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'`); err != nil {
			t.Fatal(err)
		}
	}
	cut()
	commitSoon(t, first)
	cut()
	if err := other.PingContext(t.Context()); err != nil {
		t.Fatalf("after the first process: %v", err)
	}
	first.engine.(*postgresEngine).writer.Close() // its connection would wait for lockTimeout
	first.engine = &postgresEngine{database: second, writer: second.openWriter(false)}
	err = first.Commit(t.Context(), WriteSet{Decision: alerting.Decision{Incidents: []alerting.Incident{incident("b")}}})
	if _, inUse := errors.AsType[*InUseError](err); !inUse {
		t.Errorf("got error %v, want that another process has taken over", err)
	}
}

func parsedDatabase(t *testing.T, of *DB) database {
	t.Helper()
	d, err := parseDatabase(of.config.Path)
	must.Succeed(t, err)
	return d
}

// commitSoon commits, at the second attempt if the first one finds the connection cut.
func commitSoon(t *testing.T, db *DB) {
	t.Helper()
	set := WriteSet{Decision: alerting.Decision{Incidents: []alerting.Incident{incident("a")}}}
	err := db.Commit(t.Context(), set)
	if err != nil {
		err = db.Commit(t.Context(), set)
	}
	if err != nil {
		t.Errorf("after a cut: %v", err)
	}
}

// TestOwnSessionIsEnded: a session of this process that the server still has, because the network
// was cut, does not block the next one.
func TestOwnSessionIsEnded(t *testing.T) {
	startPostgres(t)
	db := opened(t)
	d := parsedDatabase(t, db)
	lock := &writerLock{name: d.name}
	connect := func() *pgx.Conn {
		t.Helper()
		conn, err := pgx.ConnectConfig(t.Context(), d.config.Copy())
		must.Succeed(t, err)
		t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
		return conn
	}
	must.Succeed(t, db.engine.close())
	must.Succeed(t, lock.acquire(t.Context(), connect()))
	if err := lock.acquire(t.Context(), connect()); err != nil {
		t.Errorf("with the lock of its own previous session: %v", err)
	}
}

// TestPartitions: each day of samples and each week of minutes is a partition, which is deleted as a
// whole when it is old.
func TestPartitions(t *testing.T) {
	startPostgres(t)
	db := opened(t)
	partitions := func(l level) (names []string) {
		t.Helper()
		err := db.engine.commit(t.Context(), false, func(tx *transaction) (err error) {
			names, err = partitionsOf(t.Context(), tx, l)
			return err
		})
		must.Succeed(t, err)
		return names
	}
	write(t, db, Batch{Samples: every(node, testTime.AddDate(0, 0, -5), time.Hour, 5*24)})
	want := []string{"samples_20260224", "samples_20260225", "samples_20260226", "samples_20260227", "samples_20260228", "samples_20260301"}
	expect.Equal(t, "before maintenance", want, partitions(samples))
	for range 2 {
		must.Succeed(t, db.maintain(t.Context(), testTime))
	}
	expect.Equal(t, "after maintenance", want[3:], partitions(samples))
	expect.Equal(t, "minutes", []string{"minutes_20260219", "minutes_20260226"}, partitions(minutes))
	later := testTime.AddDate(0, 3, 0)
	must.Succeed(t, db.maintain(t.Context(), later))
	if got := append(partitions(samples), partitions(minutes)...); len(got) > 0 {
		t.Errorf("got %q after three months, want none", got)
	}
	write(t, db, Batch{Samples: every(node, later, time.Second, 3)})
	if got := rowsOf(t, db); got[samples] != 3 || got[hours] == 0 {
		t.Errorf("got %v rows, want new samples beside the old hours", got)
	}
}

// TestBackupBlocksNothing: a transaction that reads all tables for long, as pg_dump does, does not
// prevent new partitions. Old ones are deleted after it.
func TestBackupBlocksNothing(t *testing.T) {
	startPostgres(t)
	db := opened(t)
	write(t, db, Batch{Samples: every(node, testTime.AddDate(0, 0, -5), time.Hour, 24)})
	must.Succeed(t, db.inSnapshot(t.Context(), func(backup *sql.Tx) error {
		var rows int
		if err := backup.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM samples").Scan(&rows); err != nil || rows != 24 {
			t.Fatalf("got %d rows and error %v", rows, err)
		}
		write(t, db, Batch{Samples: every(node, testTime, time.Second, 3)})
		must.Succeed(t, db.maintain(t.Context(), testTime))
		if got := rowsOf(t, db)[samples]; got != 27 {
			t.Errorf("got %d samples during the backup, want all 27", got)
		}
		return nil
	}))
	must.Succeed(t, db.maintain(t.Context(), testTime))
	expect.Equal(t, "samples after the backup", 3, rowsOf(t, db)[samples])
}

// TestLostAnswer: if the answer to the commit of a new target is lost, the next batch finds it.
func TestLostAnswer(t *testing.T) {
	startPostgres(t)
	db := opened(t)
	write(t, db, Batch{Samples: every(node, testTime, time.Second, 3)})
	clear(db.targets) // what is known after an error
	write(t, db, Batch{Samples: every(node, testTime.Add(time.Minute), time.Second, 3)})
	if got := db.Stats().Dropped; got != 0 || rowsOf(t, db)[samples] != 6 {
		t.Errorf("got %d dropped and %d samples, want 0 and 6", got, rowsOf(t, db)[samples])
	}
}

// TestRejectedRows: a row that the database will never accept is dropped, and does not block those
// that follow. Texts with bytes that PostgreSQL cannot store are stored without them.
func TestRejectedRows(t *testing.T) {
	startPostgres(t)
	db := opened(t)
	far := checks.Sample{Target: node, At: time.UnixMilli(math.MaxInt64).UTC(), OK: true}
	db.Record(Batch{Samples: []checks.Sample{far}})
	must.Succeed(t, db.flush(t.Context()))
	write(t, db, Batch{Samples: every(node, testTime, time.Second, 3), Moves: []checks.Move{{Cluster: "shop", At: testTime, From: "a\x00", To: "b\xff", Cause: checks.Quote("x\x00")}}})
	if got := db.Stats().Dropped; got != 1 || rowsOf(t, db)[samples] != 3 {
		t.Errorf("got %d dropped and %d samples, want 1 and 3", got, rowsOf(t, db)[samples])
	}
	moves, err := db.Moves(t.Context(), "shop", checks.Span{}, 0)
	if err != nil || len(moves) != 1 || moves[0].From != "a" || moves[0].To != "b\uFFFD" {
		t.Errorf("got %+v and error %v", moves, err)
	}
}
