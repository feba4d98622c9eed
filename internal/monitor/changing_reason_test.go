package monitor_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
)

// TestChangingReason: nodes that name another reason in every answer are paused
// within two rounds, nothing else changes, and they are not asked more often.
func TestChangingReason(t *testing.T) {
	const followUps = 24
	for name, tt := range map[string]struct {
		reason     func(round int) string
		want       []string // changes
		fullRounds int      // at most, after the first two
	}{
		"a counter beside the name": {
			func(round int) string { return fmt.Sprintf("unavailable: Mail (attempt %d, %d ms)", round, 17*round) },
			[]string{"appeared dependency_down node2", "appeared node_paused node2"},
			0,
		},
		// Three rounds to be sure, then 1, 2, 4, 8, 16 and 32 s apart.
		"another name every time": {
			func(round int) string { return "unavailable: " + string(rune('a'+round)) + " service" },
			[]string{"appeared node_paused node2"},
			9,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := start(t, demo.Config{}, "strategy-collaboration", nil)
			damping := checks.Damping{Appear: 2, Vanish: 2}
			w, log := watchAs(t, d.config, &monitor.Prober{}, monitor.Intervals{Status: time.Hour, Damping: damping})
			log.newChanges()
			round := 0
			pause := func() {
				round++
				d.Nodes[1].Change(func(f *demo.NodeFaults) { f.Paused = tt.reason(round) })
			}
			for range 2 {
				pause()
				if err := w.TakeRound(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tt.want, log.newChanges()); diff != "" {
				t.Errorf("after two rounds (-want +got):\n%s", diff)
			}
			before := log.fullRounds()
			for range followUps {
				pause()
				w.Backdate(3 * time.Second)
				w.FollowUp(t.Context())
			}
			if got := log.fullRounds() - before; got > tt.fullRounds {
				t.Errorf("got %d whole rounds in %d visits, want at most %d", got, followUps, tt.fullRounds)
			}
			if diff := cmp.Diff([]string(nil), log.newChanges()); diff != "" {
				t.Errorf("later changes (-want +got):\n%s", diff)
			}
		})
	}
}
