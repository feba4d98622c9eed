package alerting

import (
	"slices"
	"testing"
	"time"

	"stickwatch/checks"
)

// TestHandover: a monitor that takes a cluster over continues its incidents and repeats no
// notification, and the one that has given it away decides nothing about it any more.
func TestHandover(t *testing.T) {
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	monitor := func(name string) *Manager {
		return NewManager(Config{Rules: Rules{Monitor: name}, Receivers: []string{"ops"}}, nil)
	}
	down := checks.ActiveFinding{Finding: checks.Finding{Code: checks.NodeDown, Severity: checks.Critical, Node: "a"}, Since: begin}
	former, next := monitor("one"), monitor("two")
	stored := make(map[string]Incident)
	store := func(s Decision) Decision {
		for _, i := range s.Incidents {
			stored[i.ID] = i
		}
		return s
	}
	for _, cluster := range []string{"shop", "wiki"} {
		if s := store(former.Observe(begin, cluster, nil, []checks.ActiveFinding{down})); len(s.Notifications) != 1 {
			t.Fatalf("%s: got %d notifications, want 1", cluster, len(s.Notifications))
		}
	}
	own := checks.ActiveFinding{Finding: checks.Finding{Code: checks.ProberOverloaded, Severity: checks.Warning}, Since: begin}
	store(former.Observe(begin, "", nil, []checks.ActiveFinding{own}))
	isShop := func(cluster string) bool { return cluster == "shop" }
	store(former.Release(begin.Add(time.Minute), isShop))
	if open := former.Open(); len(open) != 2 || slices.ContainsFunc(open, func(i Incident) bool { return i.concerns("shop") }) {
		t.Errorf("got %d incidents after the release, want those of the other cluster and of stickwatch itself", len(open))
	}
	var taken []Incident
	for _, i := range stored {
		if i.HandledBy("two", isShop) {
			taken = append(taken, i)
		}
	}
	if len(taken) != 1 {
		t.Fatalf("got %d incidents to take over, want 1", len(taken))
	}
	next.Adopt(taken)
	next.Adopt(taken)
	at := begin.Add(2 * time.Minute)
	if s := next.Observe(at, "shop", nil, []checks.ActiveFinding{down}); len(s.Notifications) != 0 || len(next.Open()) != 1 {
		t.Errorf("got %d notifications and %d incidents after the takeover, want 0 and 1", len(s.Notifications), len(next.Open()))
	}
	s := next.Observe(at.Add(time.Hour), "shop", nil, nil)
	if len(s.Notifications) != 1 || s.Notifications[0].Kind != NotificationResolved || s.Notifications[0].Incident.ID != taken[0].ID {
		t.Errorf("got %+v, want that the incident is resolved", s.Notifications)
	}
}

// TestImpairmentHasMonitor: an impairment that absorbs the incident of a cluster belongs to the
// monitor that is impaired, and no other handles it.
func TestImpairmentHasMonitor(t *testing.T) {
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	one := NewManager(Config{Rules: Rules{Monitor: "one"}, Receivers: []string{"ops"}}, nil)
	down := checks.ActiveFinding{Finding: checks.Finding{Code: checks.NodeDown, Severity: checks.Critical, Node: "a"}, Since: begin}
	impaired := checks.ActiveFinding{Finding: checks.Finding{Code: checks.ProberImpaired, Severity: checks.Critical}, Since: begin}
	one.Observe(begin, "shop", nil, []checks.ActiveFinding{down})
	one.Observe(begin.Add(time.Second), "", nil, []checks.ActiveFinding{impaired})
	one.Release(begin.Add(2*time.Second), func(cluster string) bool { return cluster == "shop" })
	open := one.Open()
	if len(open) != 1 || open[0].Monitor != "one" || open[0].OfOther(func(monitor string) bool { return monitor == "one" }) {
		t.Errorf("got %+v, want one incident of the monitor", open)
	}
}

// TestWithoutDatabase: a fleet without its database explains no failure of a node.
func TestWithoutDatabase(t *testing.T) {
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	one := NewManager(Config{Rules: Rules{Monitor: "one"}, Receivers: []string{"ops"}}, nil)
	down := checks.ActiveFinding{Finding: checks.Finding{Code: checks.NodeDown, Severity: checks.Critical, Node: "a"}, Since: begin}
	away := checks.ActiveFinding{Finding: checks.FleetWithoutDatabase(), Since: begin}
	one.Observe(begin, "", nil, []checks.ActiveFinding{away})
	s := one.Observe(begin.Add(time.Second), "shop", nil, []checks.ActiveFinding{down})
	if open := one.Open(); len(open) != 2 || len(s.Notifications) != 1 || s.Notifications[0].Incident.Cause.Code != checks.NodeDown {
		t.Errorf("got %d incidents and notifications %+v, want an incident of the node of its own", len(open), s.Notifications)
	}
}

// TestDeadImpairment: a monitor that continues the impairment of a dead one writes nothing of
// clusters that others watch, and the incident ends.
func TestDeadImpairment(t *testing.T) {
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	one := NewManager(Config{Rules: Rules{Monitor: "one"}, Receivers: []string{"ops"}}, nil)
	two := NewManager(Config{Rules: Rules{Monitor: "two"}, Receivers: []string{"ops"}}, nil)
	down := checks.ActiveFinding{Finding: checks.Finding{Code: checks.NodeDown, Severity: checks.Critical, Node: "a"}, Since: begin}
	impaired := checks.ActiveFinding{Finding: checks.Finding{Code: checks.ProberImpaired, Severity: checks.Critical}, Since: begin}
	one.Observe(begin, "shop", nil, []checks.ActiveFinding{down})
	two.Adopt(one.Observe(begin.Add(time.Second), "", nil, []checks.ActiveFinding{impaired}).Incidents)
	at := begin.Add(10 * time.Second)
	two.RetainClusters(at, func(cluster string) bool { return cluster == "wiki" })
	s := two.Observe(at, "", nil, nil)
	later := two.Tick(at.Add(time.Hour))
	s.Incidents = append(s.Incidents, later.Incidents...)
	for _, i := range s.Incidents {
		if len(i.Clusters) > 0 {
			t.Errorf("got an incident of %v, want none of clusters that another monitor watches", i.Clusters)
		}
	}
	if open := two.Open(); len(s.Incidents) == 0 || len(open) > 0 {
		t.Errorf("got %d changes and the open incidents %+v, want that it ended", len(s.Incidents), open)
	}
}

// TestRelabelled: an incident whose most severe cluster is given away is one of its first cluster.
func TestRelabelled(t *testing.T) {
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	m := NewManager(Config{Rules: Rules{Monitor: "one"}, Receivers: []string{"ops"}}, []Incident{{
		ID: "1", Cluster: "wiki", Clusters: []string{"shop", "wiki"}, State: Firing, Severity: checks.Critical,
	}})
	s := m.Release(begin, func(cluster string) bool { return cluster == "wiki" })
	if len(s.Incidents) != 1 || s.Incidents[0].Cluster != "shop" || !slices.Equal(s.Incidents[0].Clusters, []string{"shop"}) {
		t.Errorf("got %+v, want the incident as one of shop", s.Incidents)
	}
}
