package daemon

import (
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/history"
	"stickwatch/probes"
)

// TestRemovedClusters: the incidents of a cluster that nobody has watched for long and that is in no
// configuration end, and their receivers are notified. All others stay.
func TestRemovedClusters(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	cfg := &config.Config{Clusters: []*probes.Cluster{{Name: "configured"}}}
	cfg.Alerting.Receivers = []config.Receiver{{Name: "ops"}}
	state := history.FleetState{Now: now}
	for cluster, age := range map[string]time.Duration{"": time.Hour, "removed": time.Hour, "configured": time.Hour, "recent": time.Minute} {
		state.Leases = append(state.Leases, history.Lease{Cluster: cluster, Epoch: 7, Since: now.Add(-age)})
	}
	state.Leases = append(state.Leases, history.Lease{Cluster: "watched", Owner: "a", Epoch: 7})
	var past history.State
	for _, cluster := range []string{"", "removed", "configured", "recent", "watched"} {
		m := alerting.NewManager(rulesOf(cfg), nil)
		down := checks.ActiveFinding{Finding: checks.Finding{Code: checks.NodeDown, Severity: checks.Critical, Node: "a"}, Since: now.Add(-time.Hour)}
		past.Incidents = append(past.Incidents, m.Observe(now.Add(-time.Hour), cluster, nil, []checks.ActiveFinding{down}).Incidents...)
	}
	steps := stepsOfRemoved(now, cfg, past, state)
	if len(steps) != 1 || len(steps[0].Incidents) != 1 || len(steps[0].Notifications) != 1 || steps[0].Fence["removed"] != 7 {
		t.Fatalf("got %+v, want one incident that ends, and its notification", steps)
	}
	if i := steps[0].Incidents[0]; i.Cluster != "removed" || i.State != alerting.Resolved {
		t.Errorf("got %s of %q, want the resolved one of the removed cluster", i.State, i.Cluster)
	}
	if _, deleted := steps[0].ActiveFindings["removed"]; !deleted {
		t.Error("its active findings stay")
	}
}
