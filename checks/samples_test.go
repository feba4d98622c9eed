package checks_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
	"stickwatch/internal/expect"
)

func TestSessionUptime(t *testing.T) {
	up := func(kind checks.TargetKind, name string, probes, failed int, longest time.Duration) checks.Uptime {
		return checks.Uptime{Target: checks.Target{Cluster: "shop", Kind: kind, Name: name}, Probes: probes, Failed: failed, Longest: longest}
	}
	node := up(checks.TargetNode, "node1", 100, 50, time.Hour)
	sessions := []checks.Uptime{
		node,
		up(checks.TargetSession, "node1", 30, 6, 4*time.Second),
		up(checks.TargetSession, "", 10, 4, 9*time.Second),
	}
	want := up(checks.TargetSession, "", 40, 10, 9*time.Second)
	want.Ratio = 0.75
	if diff := cmp.Diff(want, checks.SessionUptime(sessions)); diff != "" {
		t.Errorf("uptime of sessions (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(checks.Uptime{}, checks.SessionUptime([]checks.Uptime{node})); diff != "" {
		t.Errorf("without sessions (-want +got):\n%s", diff)
	}
	for name, tt := range map[string]struct {
		all  []checks.Uptime
		want bool
	}{
		"nothing":            {nil, false},
		"nodes alone":        {[]checks.Uptime{node}, true},
		"nodes and sessions": {sessions, false},
		"nodes unprobed":     {[]checks.Uptime{up(checks.TargetNode, "node1", 0, 0, 0)}, false},
	} {
		expect.Equal(t, name, tt.want, checks.SessionsUnrecorded(tt.all))
	}
}
