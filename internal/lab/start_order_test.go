package lab

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"stickwatch/checks"
	"stickwatch/internal/monitor"
)

// TestStartOrderSeen: e-Bridge's nodes do not report their start time. A watcher sees
// that the primary started after the others, whether it started late or again; the
// order before the watch is unknown.
func TestStartOrderSeen(t *testing.T) {
	const late = "appeared start_order/node1"
	for _, tc := range []struct {
		name string
		play func(*testing.T, *rig) *recordingObserver
		want []string
	}{
		{"late", func(t *testing.T, r *rig) *recordingObserver {
			r.stop("node1")
			w := r.startWatcher(monitor.Intervals{})
			r.start("node1")
			return w
		}, []string{late}},
		{"again", func(t *testing.T, r *rig) *recordingObserver {
			w := r.startWatcher(monitor.Intervals{})
			r.stop("node1")
			w.Refresh(t.Context(), monitor.Status)
			r.start("node1")
			return w
		}, []string{late}},
		{"another one again", func(t *testing.T, r *rig) *recordingObserver {
			w := r.startWatcher(monitor.Intervals{})
			r.stop("node2")
			w.Refresh(t.Context(), monitor.Status)
			r.start("node2")
			return w
		}, nil},
		{"first of all", func(t *testing.T, r *rig) *recordingObserver {
			r.stop("node1", "node2", "node3")
			w := r.startWatcher(monitor.Intervals{})
			for _, id := range []string{"node1", "node2"} {
				r.start(id)
				w.Refresh(t.Context(), monitor.Status)
			}
			r.start("node3")
			return w
		}, nil},
		{"all were there", func(_ *testing.T, r *rig) *recordingObserver { return r.startWatcher(monitor.Intervals{}) }, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, fromManual("error"), plan{profile: "ebridge"})
			w := tc.play(t, r)
			w.Refresh(t.Context(), monitor.Status)
			changes := slices.DeleteFunc(w.changes, func(change string) bool { return !strings.Contains(change, string(checks.StartOrder)) })
			if diff := cmp.Diff(tc.want, changes, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("changes of the start order (-want +got):\n%s%s", diff, formatReport(w.Snapshot().Report))
			}
		})
	}
}
