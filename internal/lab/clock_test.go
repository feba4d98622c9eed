package lab

import (
	"slices"
	"strings"
	"testing"

	"stickwatch/checks"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/probes"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestClockBounds: servers send Date in whole seconds, and some update it only once a
// second. The reported bounds must contain the true offset, which is 0.
func TestClockBounds(t *testing.T) {
	for name, start := range map[string]func(*testing.T) *Balancer{
		"nginx": func(t *testing.T) *Balancer {
			return Nginx(t, NginxConfig{Servers: nodes(t, "node1")}).Balancer
		},
		"httpd": func(t *testing.T) *Balancer {
			return Apache(t, ApacheConfig{Servers: nodes(t, "node1")}).Balancer
		},
		"Caddy": func(t *testing.T) *Balancer {
			return Caddy(t, CaddyConfig{Servers: nodes(t, "node1")}).Balancer
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := probes.Node{ID: name, URL: must.URL(start(t).URL())}
			c := &probes.Cluster{Nodes: []probes.Node{n}, Limits: probes.DefaultLimits, Status: &probes.Status{Path: "/"}}
			var all probes.ClockOffset
			for range 20 {
				all = all.Intersect(probes.Direct(t.Context(), c, n).Clock)
			}
			if all.Samples < 20 || all.Min > 0 || all.Max < 0 {
				t.Errorf("got a clock that is off by %s to %s (%d samples), want bounds of 0", all.Min, all.Max, all.Samples)
			}
		})
	}
}

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
