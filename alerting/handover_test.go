package alerting

import (
	"slices"
	"testing"
	"time"

	"stickwatch/checks"
)

// monitor returns the manager of an instance of a fleet.
func monitor(name string, past ...Incident) *Manager {
	return NewManager(Config{Rules: Rules{Monitor: name}, Receivers: []string{"ops"}}, past)
}

var (
	aIsDown    = []checks.ActiveFinding{{Finding: checks.Finding{Code: checks.NodeDown, Severity: checks.Critical, Node: "a"}, Since: noon}}
	isImpaired = []checks.ActiveFinding{{Finding: checks.Finding{Code: checks.ProberImpaired, Severity: checks.Critical}, Since: noon}}
)

// TestHandover: a monitor that takes a cluster over continues its incidents and repeats no
// notification, and the one that has given it away decides nothing about it any more.
func TestHandover(t *testing.T) {
	former, next := monitor("one"), monitor("two")
	stored := make(map[string]Incident)
	store := func(decision Decision) Decision {
		for _, i := range decision.Incidents {
			stored[i.ID] = i
		}
		return decision
	}
	for _, cluster := range []string{"shop", "wiki"} {
		if decision := store(former.Observe(noon, cluster, nil, aIsDown)); len(decision.Notifications) != 1 {
			t.Fatalf("%s: got %d notifications, want 1", cluster, len(decision.Notifications))
		}
	}
	overloaded := checks.ActiveFinding{Finding: checks.Finding{Code: checks.ProberOverloaded, Severity: checks.Warning}, Since: noon}
	store(former.Observe(noon, "", nil, []checks.ActiveFinding{overloaded}))
	isShop := func(cluster string) bool { return cluster == "shop" }
	store(former.Release(noon.Add(time.Minute), isShop))
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
	at := noon.Add(2 * time.Minute)
	if decision := next.Observe(at, "shop", nil, aIsDown); len(decision.Notifications) != 0 || len(next.Open()) != 1 {
		t.Errorf("got %d notifications and %d incidents after the takeover, want 0 and 1", len(decision.Notifications), len(next.Open()))
	}
	decision := next.Observe(at.Add(time.Hour), "shop", nil, nil)
	if len(decision.Notifications) != 1 || decision.Notifications[0].Kind != NotificationResolved || decision.Notifications[0].Incident.ID != taken[0].ID {
		t.Errorf("got %+v, want that the incident is resolved", decision.Notifications)
	}
}

// TestImpairmentHasMonitor: an impairment that absorbs the incident of a cluster belongs to the
// monitor that is impaired, and no other handles it.
func TestImpairmentHasMonitor(t *testing.T) {
	one := monitor("one")
	one.Observe(noon, "shop", nil, aIsDown)
	one.Observe(noon.Add(time.Second), "", nil, isImpaired)
	one.Release(noon.Add(2*time.Second), func(cluster string) bool { return cluster == "shop" })
	open := one.Open()
	if len(open) != 1 || open[0].Monitor != "one" || open[0].OfOther(func(monitor string) bool { return monitor == "one" }) {
		t.Errorf("got %+v, want one incident of the monitor", open)
	}
}

// TestWithoutDatabase: a fleet without its database explains no failure of a node.
func TestWithoutDatabase(t *testing.T) {
	one := monitor("one")
	away := checks.ActiveFinding{Finding: checks.FleetWithoutDatabase(), Since: noon}
	one.Observe(noon, "", nil, []checks.ActiveFinding{away})
	decision := one.Observe(noon.Add(time.Second), "shop", nil, aIsDown)
	if open := one.Open(); len(open) != 2 || len(decision.Notifications) != 1 || decision.Notifications[0].Incident.Cause.Code != checks.NodeDown {
		t.Errorf("got %d incidents and notifications %+v, want an incident of the node of its own", len(open), decision.Notifications)
	}
}

// TestDeadImpairment: a monitor that continues the impairment of a dead one writes nothing of
// clusters that others watch, and the incident ends.
func TestDeadImpairment(t *testing.T) {
	one := monitor("one")
	two := monitor("two")
	one.Observe(noon, "shop", nil, aIsDown)
	two.Adopt(one.Observe(noon.Add(time.Second), "", nil, isImpaired).Incidents)
	at := noon.Add(10 * time.Second)
	two.RetainClusters(at, func(cluster string) bool { return cluster == "wiki" })
	decision := two.Observe(at, "", nil, nil)
	later := two.Tick(at.Add(time.Hour))
	decision.Incidents = append(decision.Incidents, later.Incidents...)
	for _, i := range decision.Incidents {
		if len(i.Clusters) > 0 {
			t.Errorf("got an incident of %v, want none of clusters that another monitor watches", i.Clusters)
		}
	}
	if open := two.Open(); len(decision.Incidents) == 0 || len(open) > 0 {
		t.Errorf("got %d changes and the open incidents %+v, want that it ended", len(decision.Incidents), open)
	}
}

// TestRelabelled: an incident whose most severe cluster is given away is one of its first cluster.
func TestRelabelled(t *testing.T) {
	m := monitor("one", Incident{
		ID: "1", Cluster: "wiki", Clusters: []string{"shop", "wiki"}, State: Firing, Severity: checks.Critical,
	})
	decision := m.Release(noon, func(cluster string) bool { return cluster == "wiki" })
	if len(decision.Incidents) != 1 || decision.Incidents[0].Cluster != "shop" || !slices.Equal(decision.Incidents[0].Clusters, []string{"shop"}) {
		t.Errorf("got %+v, want the incident as one of shop", decision.Incidents)
	}
}
