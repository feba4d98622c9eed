package alerting

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
)

// allDown are findings of a cluster in which no node is up, and what that explains.
func allDown(t *testing.T, more string) []checks.Finding {
	t.Helper()
	list := findings(t, "critical node_down/node1; critical node_down/node2; critical node_down/node3")
	for n := range list {
		list[n].Group = checks.AllNodesDown
	}
	return append(list, findings(t, more)...)
}

// TestAllNodesDownIsOneIncident: in whatever order nodes fail and return, and
// however often the consequences come and go.
func TestAllNodesDownIsOneIncident(t *testing.T) {
	const error1 = "critical balancer_error < node_down/node1"
	for name, rounds := range map[string][][]checks.Finding{
		"at once":             {allDown(t, "")},
		"one after the other": {findings(t, "warning node_down/node2"), findings(t, "warning node_down/node2; warning node_down/node3"), allDown(t, "")},
		"the consequence first": {
			findings(t, "critical balancer_error"), allDown(t, error1),
		},
		"consequences that come and go": {
			allDown(t, error1), allDown(t, ""), allDown(t, error1), allDown(t, ""), allDown(t, error1), allDown(t, ""),
			allDown(t, error1), allDown(t, ""), allDown(t, error1), allDown(t, ""), allDown(t, error1), allDown(t, ""),
		},
		"the balancer needs a while":      {allDown(t, ""), nil, findings(t, "critical balancer_error"), findings(t, "critical balancer_error")},
		"they return one after the other": {allDown(t, error1), findings(t, "warning node_down/node2; warning node_down/node3"), findings(t, "warning node_down/node3")},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(usual())
			var fired, resolved int
			at := noon
			for n := range len(rounds) + 40 {
				var seen []checks.Finding
				if n < len(rounds) {
					seen = rounds[n]
				}
				for _, notice := range r.see(at, "shop", seen) {
					switch {
					case notice.Kind == NoticeFired:
						fired++
					case notice.Kind == NoticeResolved:
						resolved++
					}
					if notice.Incident.Flapping {
						t.Errorf("%s says that it flaps", notice.ID)
					}
				}
				at = at.Add(5 * time.Second)
			}
			if fired != 1 || resolved != 1 {
				t.Errorf("got %d fired and %d resolved, want one of each", fired, resolved)
			}
		})
	}
}

// TestSilenceOfOneOfAGroup: what is announced for one node is not announced for
// all.
func TestSilenceOfOneOfAGroup(t *testing.T) {
	r := newRig(usual())
	r.desk.Silence([]Silence{{ID: "a", Cluster: "shop", Node: "node1", From: noon, To: noon.Add(time.Hour)}})
	got := r.tell(r.see(noon, "shop", allDown(t, "")))
	if diff := cmp.Diff([]string{"ops fired #1 node_down/node1 critical"}, got); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
}
