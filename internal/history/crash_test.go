package history

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/must"
)

// crashPathVariable is the environment variable that makes this test binary a process that commits to
// the history at its value until it is killed.
const crashPathVariable = "STICKWATCH_CRASH_HISTORY"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashPathVariable); path != "" {
		if err := commitForever(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// commitForever prints a line for every committed incident.
func commitForever(path string) error {
	ctx := context.Background()
	db, err := Open(ctx, Config{Path: path, Flush: time.Millisecond})
	if err != nil {
		return err
	}
	for {
		id := strconv.FormatInt(time.Now().UnixNano(), 10)
		db.Record(Batch{Samples: every(node, time.Now(), time.Millisecond, 50)})
		s := WriteSet{Decision: alerting.Decision{Incidents: []alerting.Incident{incident(id)}, Notifications: []alerting.Notification{notification(id+"/ops/1", "ops", id)}}}
		if err := db.Commit(ctx, s); err != nil {
			return err
		}
		if _, err := fmt.Println(id); err != nil {
			return err
		}
	}
}

// TestKilledAtAnyMoment: a kill loses no committed incident and leaves an intact file.
// STICKWATCH_KILLS is the number of kills; the default is 20.
func TestKilledAtAnyMoment(t *testing.T) {
	kills := 20
	if n, err := strconv.Atoi(os.Getenv("STICKWATCH_KILLS")); err == nil {
		kills = n
	}
	path := filepath.Join(t.TempDir(), "stickwatch.db")
	committed := 0
	for range kills {
		ids := killed(t, path, 1+rand.IntN(25))
		committed += len(ids)
		expectCommitted(t, path, ids)
	}
	t.Logf("%d kills, %d commits", kills, committed)
}

// killed kills a process after some commits, or during the next one, and returns the ids that
// it had committed.
func killed(t *testing.T, path string, after int) (ids []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashPathVariable+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	must.Succeed(t, err)
	must.Succeed(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		ids = append(ids, lines.Text())
		if len(ids) == after {
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.Exited() {
		t.Fatalf("the process ended by itself: %v", err)
	}
	return ids
}

func expectCommitted(t *testing.T, path string, ids []string) {
	t.Helper()
	db, err := open(t.Context(), Config{Path: path}) // checks the file
	must.Succeed(t, err)
	defer db.Close(t.Context())
	for _, id := range ids {
		if found, err := db.Incidents(t.Context(), alerting.IncidentQuery{ID: id}); err != nil || len(found) != 1 {
			t.Errorf("incident %s was committed: got %d of it and error %v", id, len(found), err)
		}
	}
	incidents, notifications := 0, 0
	for table, n := range map[string]*int{"incidents": &incidents, "notices": &notifications} {
		must.Succeed(t, db.pool.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(n))
	}
	if incidents != notifications {
		t.Errorf("got %d incidents and %d notices, want each with its own", incidents, notifications)
	}
	if _, err := db.Uptimes(t.Context(), node.Cluster, checks.Span{}); err != nil {
		t.Error(err)
	}
}
