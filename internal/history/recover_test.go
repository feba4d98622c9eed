package history

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
)

// Contents of the damaged history in these tests.
const (
	manyIncidents = 40
	manySamples   = 20_000
)

// filled creates a history with open incidents and their pending notifications, a silence, and
// a day of measurements.
func filled(t *testing.T, path string) {
	t.Helper()
	db, err := open(t.Context(), quietly(path))
	must.Succeed(t, err)
	for n := range manyIncidents {
		one := notification(fmt.Sprintf("%02d/ops/1", n), "ops", fmt.Sprintf("%02d", n))
		one.Incident.Clusters = []string{"shop"}
		one.Incident.Timeline = []alerting.Event{{At: testTime, Text: strings.Repeat("what happened ", 400)}} // fills pages of its own
		commit(t, db, one)
	}
	must.Succeed(t, db.AddSilence(t.Context(), alerting.Silence{ID: "s1", Cluster: "shop", From: testTime, To: testTime.Add(time.Hour)}))
	var b Batch
	for n := range manySamples {
		b.Samples = append(b.Samples, checks.Sample{Target: node, At: testTime.Add(time.Duration(n) * time.Second), OK: true, Latency: time.Millisecond})
	}
	write(t, db, b)
	must.Succeed(t, db.Close(t.Context()))
}

func quietly(path string) Config {
	return Config{Path: path, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return testTime.Add(manySamples * time.Second) }}
}

// change rewrites a file.
func change(t *testing.T, path string, edit func(content []byte) []byte) {
	t.Helper()
	content, err := os.ReadFile(path)
	must.Succeed(t, err)
	must.Succeed(t, os.WriteFile(path, edit(content), 0o600))
}

// junk overwrites a part of a file.
func junk(at, length int) func([]byte) []byte {
	return func(content []byte) []byte {
		copy(content[at:], bytes.Repeat([]byte("junk"), length/4))
		return content
	}
}

func truncated(share float64) func([]byte) []byte {
	return func(content []byte) []byte { return content[:int(share*float64(len(content)))/4096*4096] }
}

// TestDamagedHistory: a new history with the readable rows replaces a damaged one, which is
// kept unchanged.
func TestDamagedHistory(t *testing.T) {
	for name, tt := range map[string]struct {
		edit          func([]byte) []byte
		incidents     int // minimum number of saved incidents
		notifications int
		samples       int64
	}{
		"empty":              {truncated(0), 0, 0, 0},
		"a header":           {func(c []byte) []byte { return c[:100] }, 0, 0, 0},
		"half":               {truncated(0.5), 1, 1, 0},
		"most":               {truncated(0.9), 30, 30, 0},
		"within a page":      {func(c []byte) []byte { return c[:len(c)-1000] }, 30, 30, 0},
		"no header":          {junk(0, 100), manyIncidents, manyIncidents, manySamples},
		"no magic":           {junk(0, 16), manyIncidents, manyIncidents, manySamples},
		"another page size":  {func(c []byte) []byte { c[16], c[17] = 0x20, 0; return c }, manyIncidents, manyIncidents, manySamples},
		"another version":    {func(c []byte) []byte { c[18], c[19] = 7, 7; return c }, manyIncidents, manyIncidents, manySamples},
		"no first page":      {junk(0, 4096), manyIncidents, manyIncidents, manySamples},
		"no end":             {func(c []byte) []byte { return junk(len(c)-10*4096, 10*4096)(c) }, 30, 30, 0},
		"every tenth page":   {everyTenthPage, manyIncidents / 4, manyIncidents / 4, 0},
		"nothing but zeroes": {func(c []byte) []byte { clear(c); return c }, 0, 0, 0},
		"a word in a row": {func(c []byte) []byte {
			return bytes.Replace(c, []byte(`{"ID":"07","Cluster"`), []byte(`{"ID":"07",{Cluster"`), 1)
		}, manyIncidents - 1, manyIncidents - 1, manySamples},
		"a time in a row": {func(c []byte) []byte {
			at := bytes.Index(c, []byte(`{"ID":"07","Cluster"`))
			copy(c[at+bytes.Index(c[at:], []byte(`"Started":"2`)):], `"Started":"X`)
			return c
		}, manyIncidents - 1, manyIncidents - 1, manySamples},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "stickwatch.db")
			filled(t, path)
			change(t, path, tt.edit)
			damaged, err := os.ReadFile(path)
			must.Succeed(t, err)
			db, err := open(t.Context(), quietly(path))
			must.Succeed(t, err)
			defer db.Close(context.WithoutCancel(t.Context()))
			r := db.Recovery()
			if r == nil {
				t.Fatal("got no recovery")
			}
			decoded := strings.HasSuffix(name, "in a row") // only decoding a row finds this damage
			if kept, err := os.ReadFile(r.Kept); err != nil || !bytes.Equal(kept, damaged) && !decoded {
				t.Errorf("the damaged file is not kept as it was: got %d bytes of %d, %v", len(kept), len(damaged), err)
			}
			state, err := db.Restore(t.Context())
			must.Succeed(t, err)
			pending, err := db.Pending(t.Context())
			must.Succeed(t, err)
			if len(state.Incidents) < tt.incidents || pending["ops"] < tt.notifications || r.Saved["samples"] < tt.samples {
				t.Errorf("got %d incidents, %d notifications, %d samples, want at least %d, %d, %d (%s)",
					len(state.Incidents), pending["ops"], r.Saved["samples"], tt.incidents, tt.notifications, tt.samples, r.summary())
			}
			works(t, db)
		})
	}
}

// works checks that a history can be written and is intact.
func works(t *testing.T, db *DB) {
	t.Helper()
	commit(t, db, notification("new/ops/1", "ops", "new"))
	found, err := db.Incidents(t.Context(), alerting.IncidentQuery{Cluster: "shop"})
	if err != nil || len(found) == 0 {
		t.Errorf("got %d incidents of the cluster: %v", len(found), err)
	}
	must.Succeed(t, db.Close(t.Context()))
	again, err := open(t.Context(), db.config)
	must.Succeed(t, err)
	defer again.Close(context.WithoutCancel(t.Context()))
	if r := again.Recovery(); r != nil {
		t.Errorf("the new history is damaged: %s", r.Detail)
	}
	for _, left := range []string{".new", ".salvage"} {
		if _, err := os.Stat(db.path + left); err == nil {
			t.Errorf("%s is left behind", db.path+left)
		}
	}
}

func everyTenthPage(content []byte) []byte {
	for at := 5 * 4096; at < len(content); at += 10 * 4096 {
		copy(content[at:at+4096], bytes.Repeat([]byte("junk"), 1024))
	}
	return content
}

// TestAnyDamagedPage: damage of one page loses only its rows. A row counts as lost if its
// first page is lost.
func TestAnyDamagedPage(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "stickwatch.db")
	filled(t, whole)
	content, err := os.ReadFile(whole)
	must.Succeed(t, err)
	pages := len(content) / 4096
	for page := 0; page < pages; page += 1 + page/8 {
		path := filepath.Join(t.TempDir(), "stickwatch.db")
		edited := junk(page*4096, 4096)(bytes.Clone(content))
		must.Succeed(t, errors.Join(os.WriteFile(path, edited, 0o600), os.WriteFile(path+".lock", []byte("known"), 0o600)))
		db, err := open(t.Context(), quietly(path))
		if err != nil {
			t.Errorf("page %d: %v", page+1, err)
			continue
		}
		if r := db.Recovery(); r != nil { // otherwise it was a free page
			sum := r.Saved["incidents"] + r.Saved["notices"]
			if sum < 2*manyIncidents-40 && r.Saved["samples"] < manySamples-2000 || sum < manyIncidents {
				t.Errorf("page %d: %s", page+1, r.summary())
			}
		}
		if err := db.Close(t.Context()); err != nil {
			t.Errorf("page %d: %v", page+1, err)
		}
	}
}

// TestErrorsThatAreNoDamage: other errors are returned, and no file is moved.
func TestErrorsThatAreNoDamage(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(t *testing.T, path string)
		want    func(error) bool
	}{
		"a newer schema": {
			func(t *testing.T, path string) {
				inFile(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)")
			},
			func(err error) bool { _, ok := errors.AsType[*newerError](err); return ok },
		},
		"a newer schema that is damaged": {
			func(t *testing.T, path string) {
				inFile(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)")
				change(t, path, junk(0, 16))
			},
			func(err error) bool { _, ok := errors.AsType[*newerError](err); return ok },
		},
		"another process": {
			func(t *testing.T, path string) {
				db, err := open(t.Context(), quietly(path))
				must.Succeed(t, err)
				t.Cleanup(func() { db.Close(context.WithoutCancel(t.Context())) })
			},
			func(err error) bool { _, ok := errors.AsType[*InUseError](err); return ok },
		},
		"no history": {
			func(t *testing.T, path string) { os.WriteFile(path, []byte("a letter to my mother"), 0o600) },
			func(err error) bool { return err != nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "stickwatch.db")
			tt.prepare(t, path)
			for range 2 {
				if _, err := open(t.Context(), quietly(path)); !tt.want(err) {
					t.Errorf("got error %v", err)
				}
			}
			if aside, _ := filepath.Glob(path + ".damaged*"); len(aside) > 0 {
				t.Errorf("got %q", aside)
			}
		})
	}
}

// TestOldCopiesAreRemoved: three copies of each kind are kept, with the newest one, and
// nothing else is removed.
func TestOldCopiesAreRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a[b") // no pattern
	path := filepath.Join(dir, "stickwatch.db")
	must.Succeed(t, os.Mkdir(dir, 0o700))
	filled(t, path)
	for n := range 5 {
		for _, name := range []string{fmt.Sprint(path, ".before-", 8+n), fmt.Sprint(path, ".damaged-2026010", n, "T000000Z"), fmt.Sprint(path, ".damaged-2026010", n, "T000000Z-wal")} {
			at := testTime.Add(time.Duration(n) * time.Hour)
			must.Succeed(t, errors.Join(os.WriteFile(name, nil, 0o600), os.Chtimes(name, at, at)))
		}
	}
	kept := filepath.Join(dir, "other.db.before-1")
	must.Succeed(t, os.WriteFile(kept, nil, 0o600))
	change(t, path, everyTenthPage)
	must.Succeed(t, os.Chtimes(path, testTime.Add(-time.Hour), testTime.Add(-time.Hour))) // the clock was set back
	var log strings.Builder
	c := quietly(path)
	c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	db, err := open(t.Context(), c)
	must.Succeed(t, err)
	defer db.Close(context.WithoutCancel(t.Context()))
	want := []string{
		"other.db.before-1", "stickwatch.db", "stickwatch.db.before-10", "stickwatch.db.before-11", "stickwatch.db.before-12",
		"stickwatch.db.damaged-20260102T000000Z", "stickwatch.db.damaged-20260102T000000Z-wal",
		"stickwatch.db.damaged-20260103T000000Z", "stickwatch.db.damaged-20260103T000000Z-wal",
		"stickwatch.db.damaged-20260104T000000Z", "stickwatch.db.damaged-20260104T000000Z-wal", filepath.Base(db.Recovery().Kept),
	}
	entries, err := os.ReadDir(dir)
	must.Succeed(t, err)
	var got []string
	others := []string{"stickwatch.db-wal", "stickwatch.db-shm", "stickwatch.db.lock", filepath.Base(db.Recovery().Kept) + "-wal"}
	for _, e := range entries {
		if !slices.Contains(others, e.Name()) {
			got = append(got, e.Name())
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || strings.Count(log.String(), "removed an old copy") != 4 {
		t.Errorf("-want +got:\n%s%s", diff, log.String())
	}
}

// TestDamagedJournal: rows that are only in the journal are saved.
func TestDamagedJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stickwatch.db")
	filled(t, path)
	db, err := open(t.Context(), quietly(path))
	must.Succeed(t, err)
	commit(t, db, notification("late/ops/1", "ops", "late"))
	killed := filepath.Join(t.TempDir(), "stickwatch.db") // the state after a kill at this moment
	for _, suffix := range []string{"", "-wal", ".lock"} {
		must.Succeed(t, copyFile(path+suffix, killed+suffix))
	}
	must.Succeed(t, db.Close(t.Context()))
	change(t, killed, everyTenthPage)
	if db, err = open(t.Context(), quietly(killed)); err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.WithoutCancel(t.Context()))
	found, err := db.Incidents(t.Context(), alerting.IncidentQuery{ID: "late"})
	if err != nil || len(found) != 1 || db.Recovery() == nil {
		t.Errorf("got %d incidents, recovery %v: %v", len(found), db.Recovery(), err)
	}
}

// TestDamagedHistoryOfEarlierVersion: it is migrated like any other.
func TestDamagedHistoryOfEarlierVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stickwatch.db")
	must.Succeed(t, create(t.Context(), path, 2))
	db, err := openWriter(path)
	must.Succeed(t, err)
	for n := range 200 {
		_, err := db.ExecContext(t.Context(), `INSERT INTO incidents (id, cluster, state, started, body) VALUES (?, 'shop', 'firing', 0, ?)`,
			fmt.Sprint(n), fmt.Sprintf(`{"ID":"%d","Cluster":"shop","State":"firing","Findings":[{"Code":"node_down"}],"Started":"2026-01-01T00:00:00Z","Note":%q}`, n, strings.Repeat("x", 500)))
		must.Succeed(t, err)
	}
	must.Succeed(t, errors.Join(db.Close(), os.WriteFile(path+".lock", nil, 0o600)))
	change(t, path, func(c []byte) []byte { return junk(len(c)-8*4096, 4096)(c) })
	h, err := open(t.Context(), quietly(path))
	must.Succeed(t, err)
	defer h.Close(context.WithoutCancel(t.Context()))
	state, err := h.Restore(t.Context())
	if err != nil || h.Recovery() == nil || len(state.Incidents) < 100 {
		t.Fatalf("got %d incidents, recovery %v: %v", len(state.Incidents), h.Recovery(), err)
	}
	expect.Equal(t, "clusters", []string{"shop"}, state.Incidents[0].Clusters)
}
