package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// testTime is the current time of the tests.
var testTime = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// opened returns a history in a temporary directory. Only the test writes its batches.
func opened(t testing.TB, change ...func(*Config)) *DB {
	t.Helper()
	c := Config{
		Path: place(t), Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return testTime },
	}
	for _, f := range change {
		f(&c)
	}
	db, err := open(t.Context(), c)
	must.Succeed(t, err)
	t.Cleanup(func() {
		if err := db.Close(context.WithoutCancel(t.Context())); err != nil && !errors.Is(err, sql.ErrConnDone) {
			t.Logf("closing: %v", err)
		}
	})
	return db
}

// writerOf returns the writing connection.
func writerOf(db *DB) *sql.DB {
	if engine, ok := db.engine.(*postgresEngine); ok {
		return engine.writer
	}
	return db.engine.(*sqliteEngine).writer
}

// write records a batch and writes it.
func write(t testing.TB, db *DB, b Batch) {
	t.Helper()
	db.Record(b)
	must.Succeed(t, db.flush(t.Context()))
}

func TestOpenFileMode(t *testing.T) {
	db := opened(t)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(db.path + suffix)
		must.Succeed(t, err)
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("%s: got mode %o, want 600", info.Name(), got)
		}
	}
}

func TestCloseKeepsRecorded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a?b#c%20.db") // special characters in a path have no meaning
	db, err := Open(t.Context(), Config{Path: path, Flush: time.Hour})
	must.Succeed(t, err)
	db.Record(Batch{Samples: []checks.Sample{{Target: node, At: testTime, OK: true, Status: 200, Latency: time.Millisecond}}})
	must.Succeed(t, db.Close(t.Context()))
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	r, err := OpenReader(t.Context(), path)
	must.Succeed(t, err)
	defer r.Close()
	got, err := r.Points(t.Context(), []checks.Target{node}, checks.Span{From: testTime, To: testTime.Add(time.Minute)}, time.Minute)
	must.Succeed(t, err)
	want := []checks.Point{{At: testTime, Probes: 1, Mean: time.Millisecond, Max: time.Millisecond}}
	expect.Equal(t, "points", want, got[node])
}

func TestOpenRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(t *testing.T, path string)
		want    string
	}{
		"no folder": {
			func(t *testing.T, path string) { os.Remove(filepath.Dir(path)) },
			"no such file or directory",
		},
		"another kind of file": {
			func(t *testing.T, path string) {
				os.WriteFile(path, []byte(strings.Repeat("not a database. ", 512)), 0o600)
			},
			"is damaged",
		},
		"a newer schema": {
			func(t *testing.T, path string) {
				inFile(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)")
			},
			"its schema is version 999, and this program supports ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sub", "stickwatch.db")
			must.Succeed(t, os.Mkdir(filepath.Dir(path), 0o700))
			tt.prepare(t, path)
			_, err := open(t.Context(), Config{Path: path})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// TestLargeFileIsCheckedInBackground: the background check of a large file reports damage.
func TestLargeFileIsCheckedInBackground(t *testing.T) {
	whole := opened(t, func(c *Config) { c.largeFile = 1 })
	whole.checkInBackground(t.Context())
	expect.Equal(t, "damage of a file that is whole", "", whole.Stats().Damage)
	path := filepath.Join(t.TempDir(), "stickwatch.db")
	damage(t, path)
	db := opened(t, func(c *Config) { c.Path, c.largeFile = path, 1 })
	db.checkInBackground(t.Context())
	if got := db.Stats().Damage; !strings.Contains(got, ".recover") {
		t.Errorf("got damage %q, want it and the ways out", got)
	}
}

// TestNewerErrorNamesBackup: a newerError names the existing copy and no other.
func TestNewerErrorNamesBackup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stickwatch.db")
	inFile(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)")
	refusal := func() string {
		_, err := open(t.Context(), Config{Path: path})
		e, ok := errors.AsType[*newerError](err)
		if !ok {
			t.Fatalf("got error %v, want that the schema is newer", err)
		}
		return e.Error()
	}
	if got := refusal(); strings.Contains(got, ".before-") {
		t.Errorf("got %q, which names a copy that there is none of", got)
	}
	sources, err := fs.Glob(migrations(), "*.sql")
	must.Succeed(t, err)
	backup := backupPath(path, int64(len(sources))+1)
	must.Succeed(t, os.WriteFile(backup, nil, 0o600))
	if got := refusal(); !strings.Contains(got, backup) {
		t.Errorf("got %q, want it to name %q", got, backup)
	}
}

// TestMissingFileIsReported: a deleted or replaced file is reported once.
func TestMissingFileIsReported(t *testing.T) {
	for name, lose := range map[string]func(path string) error{
		"deleted": os.Remove,
		"replaced": func(path string) error {
			return errors.Join(os.Rename(path, path+".old"), os.WriteFile(path, nil, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			db := opened(t, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			maintain := func() {
				t.Helper()
				must.Succeed(t, db.maintain(t.Context(), testTime))
			}
			maintain()
			expect.Equal(t, "damage of a file that is there", "", db.Stats().Damage)
			must.Succeed(t, lose(db.path))
			maintain()
			maintain()
			if got := db.Stats().Damage; !strings.Contains(got, "Restart stickwatch") {
				t.Errorf("got damage %q, want what happened and what to do", got)
			}
			if got := strings.Count(log.String(), "history is lost"); got != 1 {
				t.Errorf("got %d lines in the log, want 1:\n%s", got, log.String())
			}
		})
	}
}

// TestTruncatedFile: truncation of an open file is reported once and counts as errors.
func TestTruncatedFile(t *testing.T) {
	for name, share := range map[string]int64{"to nothing": 0, "to a page": 1, "by a page": -1} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "stickwatch.db")
			filled(t, path)
			var log strings.Builder
			db := opened(t, func(c *Config) { c.Path, c.Logger = path, slog.New(slog.NewTextHandler(&log, nil)) })
			db.engine.(*sqliteEngine).checkFile()
			db.engine.(*sqliteEngine).checkFile()
			if got := db.Stats(); got.Damage != "" || got.WriteErrors > 0 {
				t.Fatalf("got %+v of a file that is whole", got)
			}
			info, err := os.Stat(path)
			must.Succeed(t, err)
			size := 4096 * share
			if share < 0 {
				size += info.Size()
			}
			must.Succeed(t, os.Truncate(path, size))
			for range 3 {
				db.engine.(*sqliteEngine).checkFile()
			}
			if got := db.Stats(); !strings.Contains(got.Damage, "truncated") || got.WriteErrors != 2 {
				t.Errorf("got damage %q and %d errors", got.Damage, got.WriteErrors)
			}
			if got := strings.Count(log.String(), "history is damaged"); got != 1 {
				t.Errorf("got %d lines in the log, want 1:\n%s", got, log.String())
			}
		})
	}
}

// damage overwrites a page in the middle of a history.
func damage(t *testing.T, path string) {
	t.Helper()
	inFile(t, path)
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	must.Succeed(t, err)
	defer file.Close()
	if _, err := file.WriteAt([]byte(strings.Repeat("damage", 600)), 3*4096); err != nil {
		t.Fatal(err)
	}
}

// inFile creates a history and executes statements in it.
func inFile(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := open(t.Context(), Config{Path: path})
	must.Succeed(t, err)
	for _, s := range statements {
		if _, err := writerOf(db).ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	must.Succeed(t, db.Close(t.Context()))
}

func TestOpenReaderNeedsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.db")
	if _, err := OpenReader(t.Context(), path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got error %v, want that there is no file", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a reader created the file")
	}
}

func TestReaderCannotWrite(t *testing.T) {
	db := opened(t)
	if _, err := db.pool.ExecContext(t.Context(), "DELETE FROM samples"); err == nil {
		t.Error("a read-only connection deleted rows")
	}
}

// TestMigrateKeepsACopy: a migration of an existing file makes a copy first.
func TestMigrateKeepsACopy(t *testing.T) {
	db := opened(t)
	if got := newestBackup(db.path); got != "" {
		t.Errorf("a new history has the copy %q", got)
	}
	sources, err := fs.Glob(migrations(), "*.sql")
	must.Succeed(t, err)
	next := int64(len(sources)) + 1
	dir := fstest.MapFS{fmt.Sprintf("%05d_more.sql", next): {Data: []byte("-- +goose Up\nALTER TABLE moves ADD COLUMN weather TEXT;\n")}}
	for _, name := range sources {
		source, err := fs.ReadFile(migrations(), name)
		must.Succeed(t, err)
		dir[name] = &fstest.MapFile{Data: source}
	}
	must.Succeed(t, migrate(t.Context(), writerOf(db), db.path, dir))
	copied, err := OpenReader(t.Context(), backupPath(db.path, next))
	must.Succeed(t, err)
	defer copied.Close()
	if _, err := copied.Moves(t.Context(), "", checks.Span{}, 0); err != nil {
		t.Errorf("reading the copy: %v", err)
	}
	info, err := os.Stat(backupPath(db.path, next))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy is %v (%v), want mode 600", info, err)
	}
	if _, err := OpenReader(t.Context(), db.path); err == nil {
		t.Error("a reader took a newer schema")
	}
}

// TestMigrateNotificationTime: version 1 stores the notification time only in incidents.
func TestMigrateNotificationTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stickwatch.db")
	old, err := openWriter(path)
	must.Succeed(t, err)
	defer old.Close()
	first, err := fs.ReadFile(migrations(), "00001_history.sql")
	must.Succeed(t, err)
	must.Succeed(t, migrate(t.Context(), old, path, fstest.MapFS{"00001_history.sql": &fstest.MapFile{Data: first}}))
	fired, unnotified := incident("fired"), incident("unnotified")
	fired.Fired = testTime.Add(1500 * time.Millisecond).In(time.FixedZone("", 8*3600))
	for _, i := range []alerting.Incident{fired, unnotified} {
		body, err := json.Marshal(i)
		must.Succeed(t, err)
		const insert = "INSERT INTO incidents (id, cluster, state, started, body) VALUES (?, 'shop', 'resolved', 0, ?)"
		if _, err := old.ExecContext(t.Context(), insert, i.ID, string(body)); err != nil {
			t.Fatal(err)
		}
	}
	must.Succeed(t, old.Close())
	db := opened(t, func(c *Config) { c.Path = path })
	for id, want := range map[string]sql.NullInt64{
		"fired": {Int64: testTime.Add(time.Second).UnixMilli(), Valid: true}, "unnotified": {},
	} {
		var got sql.NullInt64
		if err := db.pool.QueryRowContext(t.Context(), "SELECT fired FROM incidents WHERE id = ?", id).Scan(&got); err != nil || got != want {
			t.Errorf("%s: got %v and error %v, want %v", id, got, err, want)
		}
	}
}

// TestMigrateToDeploymentsAndClusters: version 2 has one cluster for each incident,
// deployments without a summary, and silences for them.
func TestMigrateToDeploymentsAndClusters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stickwatch.db")
	old, err := openWriter(path)
	must.Succeed(t, err)
	defer old.Close()
	second := make(fstest.MapFS)
	for _, name := range []string{"00001_history.sql", "00002_outbox.sql"} {
		body, err := fs.ReadFile(migrations(), name)
		must.Succeed(t, err)
		second[name] = &fstest.MapFile{Data: body}
	}
	must.Succeed(t, migrate(t.Context(), old, path, second))
	content, err := os.ReadFile(filepath.Join("testdata", "version2.sql"))
	must.Succeed(t, err)
	if _, err := old.ExecContext(t.Context(), string(content)); err != nil {
		t.Fatal(err)
	}
	must.Succeed(t, old.Close())
	db := opened(t, func(c *Config) { c.Path = path })
	state, err := db.Restore(t.Context())
	must.Succeed(t, err)
	if len(state.Silences) != 1 || state.Silences[0].ID != "kept" {
		t.Errorf("got silences %v, want the one that was no deployment's", state.Silences)
	}
	ongoing := alerting.Deployment{ID: "2", Cluster: "crm", Name: "7", Nodes: []string{}, Touched: []string{}, From: testTime}
	expect.Equal(t, "announced", []alerting.Deployment{ongoing}, state.Announced)
	for _, cluster := range []string{"shop", "crm"} {
		found, err := db.Incidents(t.Context(), alerting.IncidentQuery{Cluster: cluster})
		if err != nil || len(found) != 1 {
			t.Fatalf("got %d incidents of %s and error %v, want one", len(found), cluster, err)
		}
		wantClusters(t, found[0], cluster)
	}
	n, ok, err := db.Claim(t.Context(), "ops", testTime.Add(time.Hour), time.Minute)
	if err != nil || !ok {
		t.Fatalf("got a notification: %v, error %v, want the one that waits", ok, err)
	}
	wantClusters(t, n.Incident, "shop")
	dead, err := db.DeadLetters(t.Context(), 10)
	if err != nil || len(dead) != 1 {
		t.Fatalf("got %d dead letters and error %v, want one", len(dead), err)
	}
	wantClusters(t, dead[0].Incident, "crm")
}

// wantClusters checks that an incident of an older version, and its findings, have the
// cluster.
func wantClusters(t *testing.T, i alerting.Incident, cluster string) {
	t.Helper()
	expect.Equal(t, fmt.Sprintf("clusters of %s", i.ID), []string{cluster}, i.Clusters)
	if len(i.Findings) != 2 {
		t.Errorf("got findings %v of %s, want two", i.Findings, i.ID)
	}
	if got := i.Cause.Summary.In(checks.Chinese); got != "it's dependency_down" {
		t.Errorf("%s in Chinese is %q, want the English text that was kept", i.ID, got)
	}
	for _, m := range i.Findings {
		if m.Cluster != cluster {
			t.Errorf("%s: got cluster %q, want %q", m.Key(), m.Cluster, cluster)
		}
	}
}

// TestMigrationsHaveNoGaps checks the assumption of newestVersion.
func TestMigrationsHaveNoGaps(t *testing.T) {
	names, err := fs.Glob(migrations(), "*.sql")
	must.Succeed(t, err)
	for i, name := range names {
		if prefix := fmt.Sprintf("%05d_", i+1); !strings.HasPrefix(name, prefix) {
			t.Errorf("migration %d is %s, want %s*.sql", i+1, name, prefix)
		}
	}
}

// TestRefusedWithOldLease: a write that was refused with an older epoch does not end the lease that
// this instance has taken since.
func TestRefusedWithOldLease(t *testing.T) {
	l := &ownLeases{instance: "one", epochs: map[string]int64{"shop": 3, "wiki": 1}, stale: make(map[string]bool)}
	l.lose([]string{"shop", "wiki"}, map[string]int64{"shop": 2, "wiki": 1})
	if got := l.fence(map[string]bool{"shop": true, "wiki": true}); got["shop"] != 3 || got["wiki"] != 0 {
		t.Errorf("got epochs %v, want 3 of shop, and none of wiki", got)
	}
}

// TestStepOfStickwatchItself: an incident of stickwatch itself is written although another instance
// has a cluster of it.
func TestStepOfStickwatchItself(t *testing.T) {
	own, other := incident("1"), incident("2")
	own.Cluster, own.Clusters = "", []string{"shop", "wiki"}
	other.Cluster, other.Clusters = "wiki", []string{"wiki"}
	s := WriteSet{Decision: alerting.Decision{Incidents: []alerting.Incident{own, other}}}.Without([]string{"wiki"})
	if len(s.Incidents) != 1 || !slices.Equal(s.Incidents[0].Clusters, []string{"shop"}) || len(own.Clusters) != 2 {
		t.Errorf("got %+v, want the incident of stickwatch itself, without wiki", s.Incidents)
	}
}
