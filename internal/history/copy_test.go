package history

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// TestCopyFiles: see copied.
func TestCopyFiles(t *testing.T) {
	copied(t, opened(t), place(t))
}

// TestCopyDatabases: a history can be moved to PostgreSQL and back, and between schemas.
func TestCopyDatabases(t *testing.T) {
	server := startPostgres(t)
	server.patient = true // a busy machine may not run a copy for seconds
	t.Run("to a file", func(t *testing.T) { copied(t, opened(t), filepath.Join(t.TempDir(), "copy.db")) })
	t.Run("to another schema", func(t *testing.T) { copied(t, opened(t), server.schema(t)) })
	underTest = nil
	t.Run("from a file", func(t *testing.T) { copied(t, opened(t), server.schema(t)) })
}

// copied checks that copies of a history that is in use, of which the first is interrupted, end as the
// same history, that a daemon can continue.
func copied(t *testing.T, from *DB, to string) {
	t.Helper()
	first := testTime.AddDate(0, 0, -3)
	fill := func(id string, at time.Time) {
		write(t, from, Batch{
			Samples:    every(node, at, 10*time.Second, 2500),
			Moves:      []checks.Move{{Cluster: "shop", At: at, From: "node1", To: "node2", Session: probes.Fingerprint(id), Cause: checks.Quote(id)}},
			Changes:    []Change{{"shop", checks.Change{Kind: checks.Appeared, At: at}}},
			Placements: []checks.Placement{{Cluster: "shop", Balancer: "b", Owner: "node1", Span: checks.Span{From: at, To: at.Add(time.Minute)}, Node: "node1"}},
		})
		commit(t, from, notification(id+"/ops/1", "ops", id), notification(id+"/pager/1", "pager", id))
		if _, err := from.BeginDeployment(t.Context(), checks.Deployment{Cluster: "shop", Name: id, Span: checks.Span{From: at}, Nodes: []string{"node1"}}); err != nil {
			t.Fatal(err)
		}
	}
	fill("a", first)
	must.Succeed(t, from.AddSilence(t.Context(), alerting.Silence{ID: "s1", Cluster: "shop", From: testTime, To: testTime.Add(time.Hour)}))
	must.Succeed(t, from.SaveCounters(t.Context(), map[string]float64{"rounds": 7}))
	interrupted(t, from.config.Path, to)
	if daemon, err := Open(t.Context(), Config{Path: to, Logger: from.config.Logger}); err == nil {
		t.Error("a daemon began with an incomplete copy", daemon.Close(t.Context()))
	} else if _, incomplete := errors.AsType[*incompleteCopyError](err); !incomplete || !strings.Contains(err.Error(), "history copy FROM TO") {
		t.Errorf("got error %v, want that the copy is incomplete", err)
	}
	must.Succeed(t, from.maintain(t.Context(), testTime))
	if _, err := Copy(t.Context(), from.config.Path, to, nil); err != nil {
		t.Fatal(err)
	}
	fill("b", testTime.Add(-8*time.Hour))
	must.Succeed(t, from.Delivered(t.Context(), "a/ops/1", alerting.DeliveryRef{Thread: "C1/1"}))
	must.Succeed(t, from.maintain(t.Context(), testTime))
	if _, err := Copy(t.Context(), from.config.Path, to, nil); err != nil {
		t.Fatal(err)
	}
	daemon, err := Open(t.Context(), Config{Path: to, Logger: from.config.Logger, Now: from.config.Now, Flush: time.Hour})
	must.Succeed(t, err)
	if diff := cmp.Diff(contentOf(t, from), contentOf(t, daemon), kept); diff != "" {
		t.Errorf("content (-original +copy):\n%s", diff)
	}
	commit(t, daemon, notification("c/ops/1", "ops", "c")) // with ids after those of the copy
	write(t, daemon, Batch{Samples: every(node, testTime, time.Second, 3), Changes: []Change{{Cluster: "shop"}}})
	must.Succeed(t, daemon.Close(t.Context()))
	if _, err := Copy(t.Context(), from.config.Path, to, nil); !errors.Is(err, errOwnRows) {
		t.Errorf("got error %v of a copy to a history that a daemon has used, want %v", err, errOwnRows)
	}
}

// interrupted copies until some samples are written.
func interrupted(t *testing.T, from, to string) {
	t.Helper()
	panicked := errors.New("interrupted")
	defer func() {
		if caught := recover(); caught != panicked {
			t.Errorf("got %v, want that the copy is interrupted", caught)
		}
	}()
	source, err := OpenReader(t.Context(), from)
	must.Succeed(t, err)
	defer source.Close()
	target, err := open(t.Context(), Config{Path: to})
	must.Succeed(t, err)
	defer target.Close(t.Context())
	c := copier{from: source, to: target, copied: make(Copied), progress: func(all Copied) {
		if all["samples"] > 0 {
			panic(panicked)
		}
	}}
	_ = c.copy(t.Context())
}

// contentOf returns what queries find in a history.
func contentOf(t *testing.T, db *DB) map[string]any {
	t.Helper()
	ctx, all := t.Context(), checks.Span{}
	content := make(map[string]any)
	add := func(name string, value any, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		content[name] = value
	}
	state, err := db.Restore(ctx)
	add("state", state, err)
	incidents, err := db.Incidents(ctx, alerting.IncidentQuery{Cluster: "shop"})
	add("incidents", incidents, err)
	moves, err := db.Moves(ctx, "", all, 0)
	add("moves", moves, err)
	changes, err := db.Changes(ctx, "", all, 0)
	add("changes", changes, err)
	placements, err := db.Placements(ctx, "shop", all, 0)
	add("placements", placements, err)
	deployments, err := db.Announced(ctx, testTime)
	add("deployments", deployments, err)
	pending, err := db.Pending(ctx)
	add("pending", pending, err)
	threads, err := db.ThreadState(ctx, "ops", []string{"a", "b"})
	add("threads", threads, err)
	uptimes, err := db.Uptimes(ctx, "shop", checks.Span{To: testTime})
	add("uptimes", uptimes, err)
	points, err := db.Points(ctx, []checks.Target{node}, checks.Span{From: testTime.AddDate(0, 0, -4), To: testTime}, time.Minute)
	add("points", points[node], err)
	latencies, err := db.Latencies(ctx, "shop", checks.Span{From: testTime.AddDate(0, 0, -4), To: testTime})
	add("latencies", latencies, err)
	content["rows"] = rowsOf(t, db)
	return content
}
