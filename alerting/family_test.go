package alerting

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
)

// activeFindings is a finding that has held since noon.
func activeFindings(f checks.Finding) checks.ActiveFinding {
	return checks.ActiveFinding{Finding: f, Since: noon, Last: noon}
}

func TestFamilies(t *testing.T) {
	for name, tt := range map[string]struct {
		active string
		want   [][]string
	}{
		"nothing":                   {"", nil},
		"each its own cause":        {down1 + ";" + paused2, [][]string{{"node_down/node1"}, {"node_paused/node2"}}},
		"the root leads":            {paused1 + byRedis + ";" + redis, [][]string{{"dependency_down/Redis", "node_paused/node1"}}},
		"a chain":                   {"critical balancer_error < node_failing_in_rotation/node1;" + rotation1 + ";" + down1, [][]string{{"node_down/node1", "balancer_error", "node_failing_in_rotation/node1"}}},
		"a cause that is not there": {paused1 + byRedis, [][]string{{"node_paused/node1"}}},
		"one that is not there":     {paused1 + byRedis + ";" + down1 + ";" + paused2 + byRedis, [][]string{{"node_paused/node1", "node_paused/node2"}, {"node_down/node1"}}},
		"its own cause":             {"warning slow < slow", [][]string{{"slow"}}},
		"a circle": {
			"warning slow < node_down/node1; warning node_down/node1 < slow; critical balancer_error < slow",
			[][]string{{"node_down/node1", "slow", "balancer_error"}},
		},
		"one key twice": {down1 + ";" + down1, [][]string{{"node_down/node1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			var stands []checks.ActiveFinding
			for _, f := range findings(t, tt.active) {
				stands = append(stands, activeFindings(f))
			}
			var got [][]string
			for _, f := range causeGroups(stands) {
				var keys []string
				for _, s := range f.members {
					keys = append(keys, s.Key())
				}
				got = append(got, keys)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("families (-want +got):\n%s", diff)
			}
		})
	}
}
