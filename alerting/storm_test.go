package alerting

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/expect"
)

// storm returns five paused nodes and three failed dependencies, each node with the
// first dependency that it names.
func storm() (causes, effects []string) {
	for _, d := range []string{"Redis", "MySQL", "Mail"} {
		causes = append(causes, "critical dependency_down/"+d)
	}
	for n, d := range []string{"Redis", "MySQL", "Mail", "Redis", "MySQL"} {
		effects = append(effects, fmt.Sprintf("critical node_paused/node%d < dependency_down/%s", n+1, d))
	}
	return causes, effects
}

// TestStorm: five nodes and three dependencies that fail together are three
// incidents, in every order of observation.
func TestStorm(t *testing.T) {
	const s = time.Second
	causes, effects := storm()
	all := strings.Join(append(slices.Clone(causes), effects...), ";")
	upsideDown := strings.Join(append(slices.Clone(effects), causes...), ";")
	two := strings.Join(append(slices.Clone(causes), effects[0], effects[1]), ";")
	for name, tt := range map[string]struct {
		damping checks.Damping
		rounds  []string // 3 s apart, the last of them again and again
		news    int      // notifications between the first and the last of an incident
	}{
		"at once":                          {rounds: []string{all}},
		"at once, by a ledger in no hurry": {damping: checks.Damping{Appear: 2, Vanish: 2}, rounds: []string{all}},
		"effects listed first":             {rounds: []string{upsideDown}},
		"causes seen first":                {rounds: []string{strings.Join(causes, ";"), two, all}, news: 3},
		"effects seen first":               {rounds: []string{strings.Join(effects, ";"), all}, news: 3},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(usual())
			r.damping = tt.damping
			counts := make(map[NotificationKind]int)
			threads := make(map[string]int)
			for n := range 60 {
				line := tt.rounds[min(n, len(tt.rounds)-1)]
				if n >= 30 {
					line = ""
				}
				for _, notification := range r.see(noon.Add(time.Duration(n)*3*s), "shop", findings(t, line)) {
					counts[notification.Kind]++
					threads[notification.Incident.ID]++
				}
			}
			want := map[NotificationKind]int{NotificationFired: 3, NotificationResolved: 3}
			if tt.news > 0 {
				want[NotificationDeveloped] = tt.news
			}
			expect.Equal(t, "notifications", want, counts)
			if len(threads) != 3 || len(r.kept) != 3 {
				t.Errorf("got %d threads of %d incidents, want 3 of 3", len(threads), len(r.kept))
			}
			checkCauses(t, r)
		})
	}
}

// checkCauses: the cause of every incident is a dependency, with the nodes that are
// paused because of it.
func checkCauses(t *testing.T, r *rig) {
	t.Helper()
	got := make(map[string][]string)
	for _, i := range r.kept {
		for _, m := range i.Findings[1:] {
			got[i.Cause.Key()] = append(got[i.Cause.Key()], m.Node)
		}
		slices.Sort(got[i.Cause.Key()])
	}
	want := map[string][]string{
		"dependency_down/Redis": {"node1", "node4"},
		"dependency_down/MySQL": {"node2", "node5"},
		"dependency_down/Mail":  {"node3"},
	}
	expect.Equal(t, "nodes by cause", want, got)
}
