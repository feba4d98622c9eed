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
	store := func(s Step) Step {
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
	if open := former.Open(); len(open) != 2 || slices.ContainsFunc(open, func(i Incident) bool { return i.Concerns("shop") }) {
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
