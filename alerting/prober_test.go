package alerting

import (
	"slices"
	"testing"
	"time"

	"stickwatch/internal/expect"
)

const impaired = "critical prober_impaired"

// TestFailuresBeforeAnImpairment: nodes and balancers that seem to be down shortly before it
// is known that stickwatch itself cannot probe are part of its incident. Earlier failures and
// other findings are not. A failure that outlasts the impairment is notified on its own.
func TestFailuresBeforeAnImpairment(t *testing.T) {
	const s = time.Second
	r := newRig(usual())
	var got []string
	see := func(at time.Duration, cluster, active string) {
		got = append(got, r.lines(r.see(noon.Add(at), cluster, findings(t, active)))...)
	}
	see(0, "old", "critical node_down/node3")
	see(60*s, "shop", "critical node_down/node1")
	see(62*s, "crm", "critical balancer_down")
	see(63*s, "crm", "critical balancer_down; critical dependency_down/Redis")
	see(70*s, "", impaired)
	see(75*s, "late", "critical node_down/node1")
	see(90*s, "", "")
	see(100*s, "late", "")
	see(100*s, "crm", "critical dependency_down/Redis")
	see(100*s, "shop", "critical node_down/node1")
	if open := r.manager.Open(); len(open) != 3 {
		t.Errorf("got %d open incidents right after it, want those of old, of stickwatch itself, and of Redis", len(open))
	}
	i := r.kept[r.ids[slices.IndexFunc(r.ids, func(id string) bool { return r.kept[id].Cause.Key() == "prober_impaired" })]]
	if i.Cluster != "" || !slices.Equal(slices.Sorted(slices.Values(i.Clusters)), []string{"crm", "late", "shop"}) {
		t.Errorf("got cluster %q of %q, want none, and all that seem to fail", i.Cluster, i.Clusters)
	}
	see(160*s, "shop", "critical node_down/node1") // it is really down
	see(200*s, "shop", "critical node_down/node1")
	want := []string{
		"ops fired #1 node_down/node3 critical",
		"ops fired #2 node_down/node1 critical",
		"ops fired #3 balancer_down critical",
		"ops fired #4 dependency_down/Redis critical",
		"ops resolved #3 balancer_down critical", // merged
		"ops developed #2 prober_impaired critical [merged, joined prober_impaired, explained prober_impaired, joined node_down/node1, left prober_impaired]",
		"ops fired #5 node_down/node1 critical",
		"ops resolved #2 prober_impaired critical [left node_down/node1, left balancer_down]",
	}
	expect.Equal(t, "notifications", want, got)
}

// TestEndOfAnImpairmentAtOnce: an impairment that ends before any cluster is observed again
// ends in the incident that it took over.
func TestEndOfAnImpairmentAtOnce(t *testing.T) {
	r := newRig(usual())
	r.see(noon, "shop", findings(t, "critical node_down/node1"))
	r.see(noon.Add(10*time.Second), "", findings(t, impaired))
	r.see(noon.Add(20*time.Second), "", findings(t, ""))
	for _, i := range r.manager.Open() {
		for _, m := range i.Findings {
			if m.Code == "prober_impaired" && m.Active() {
				t.Errorf("prober_impaired is still active in incident %s of cluster %q", i.ID, i.Cluster)
			}
		}
	}
}

// TestImpairmentOfARemovedCluster: when a cluster is removed from the configuration, its
// findings end also in an incident of stickwatch itself.
func TestImpairmentOfARemovedCluster(t *testing.T) {
	r := newRig(usual())
	r.see(noon, "shop", findings(t, "critical node_down/node1"))
	r.see(noon.Add(10*time.Second), "", findings(t, impaired))
	r.see(noon.Add(20*time.Second), "", findings(t, ""))
	r.commit(r.manager.Watch(noon.Add(30*time.Second), []string{"crm"}))
	for _, i := range r.manager.Open() {
		if i.Active() || len(i.Clusters) > 0 {
			t.Errorf("incident %s of %q has active findings: %+v", i.ID, i.Clusters, i.Findings)
		}
	}
}
