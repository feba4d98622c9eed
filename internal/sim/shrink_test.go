package sim

import (
	"slices"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"

	"github.com/google/go-cmp/cmp"
)

// TestShrink checks that the operation that matters remains, at the beginning.
func TestShrink(t *testing.T) {
	s, err := ParseSchedule(threeNodes + "5m busy-prober for 20s\n9m kill node1 for 1m\n20m reload\n31m restart node2 for 2s\n40m reverse for 1m")
	if err != nil {
		t.Fatal(err)
	}
	runs := 0
	run := func(s Schedule) Result {
		runs++
		r := Result{Schedule: s, Began: began}
		if i := slices.IndexFunc(s.Operations, func(o Operation) bool { return o.Kind == "restart" }); i >= 0 {
			r.Notifications = []alerting.Notification{firedNotification(s.Operations[i].At+10*time.Second, checks.Critical, checks.SessionDrift, "")}
		}
		return r
	}
	got := shrink(s, string(False)+": session_drift", run)
	want := s
	want.Operations = []Operation{{At: warmUp, Kind: "restart", Nodes: []string{"node2"}, For: 2 * time.Second}}
	want.Length = 7*time.Minute + 2*time.Second
	if diff := cmp.Diff(want, got); diff != "" || runs > 20 {
		t.Errorf("%d runs (-want +got):\n%s", runs, diff)
	}
	if err := got.Check(); err != nil {
		t.Errorf("what is left cannot be simulated: %v", err)
	}
}

func TestReduce(t *testing.T) {
	list := make([]Operation, 12)
	for i := range list {
		list[i].At = time.Duration(i)
	}
	for _, wanted := range [][]time.Duration{{0}, {11}, {5}, {2, 9}, {0, 6, 11}} {
		runs := 0
		got := reduce(list, func(list []Operation) bool {
			runs++
			return !slices.ContainsFunc(wanted, func(at time.Duration) bool {
				return !slices.ContainsFunc(list, func(o Operation) bool { return o.At == at })
			})
		})
		var at []time.Duration
		for _, o := range got {
			at = append(at, o.At)
		}
		if diff := cmp.Diff(wanted, at); diff != "" || runs > 60 {
			t.Errorf("%d runs (-want +got):\n%s", runs, diff)
		}
	}
}
