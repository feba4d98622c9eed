package main

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/history"
	"stickwatch/internal/must"
	"stickwatch/probes"
)

// TestHistoryOfSites: a cluster is chosen with the views that sites have of it, also without rows of its own.
func TestHistoryOfSites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	db, err := history.Open(t.Context(), history.Config{Path: path})
	must.Succeed(t, err)
	for _, cluster := range []string{"shop@x", "shop@y", "shop2@x", "shop@own"} {
		db.Record(history.Batch{Samples: []checks.Sample{{Target: checks.Target{Cluster: cluster, Kind: checks.TargetNode, Name: "n1"}, At: time.Now(), OK: true}}})
	}
	must.Succeed(t, db.Close(t.Context()))
	reader, err := history.OpenReader(t.Context(), path)
	must.Succeed(t, err)
	defer reader.Close()
	cfg := &config.Config{Clusters: []*probes.Cluster{{Name: "shop"}, {Name: "shop@own"}}}
	for _, tt := range []struct {
		configured *config.Config
		clusters   []string
		want       []string
	}{
		{nil, []string{"shop"}, []string{"shop@own", "shop@x", "shop@y"}},
		{cfg, []string{"shop"}, []string{"shop@x", "shop@y"}},
		{cfg, []string{"shop@y", "shop", "shop@y"}, []string{"shop@y", "shop@x"}},
		{cfg, []string{"shop@own"}, []string{"shop@own"}},
		{cfg, []string{"sho"}, nil},
	} {
		h := historySource{configured: tt.configured, clusters: tt.clusters}
		got, err := h.choose(t.Context(), reader)
		if !slices.Equal(got, tt.want) || (err == nil) != (tt.want != nil) {
			t.Errorf("%q: got %q and error %v, want %q", tt.clusters, got, err, tt.want)
		}
	}
}
