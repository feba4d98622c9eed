package history

import (
	"slices"
	"testing"

	"stickwatch/alerting"
)

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
