package web

import (
	"strings"
	"testing"
	"time"

	"stickwatch/checks"
)

// over is a scene that is well again, with an incident that goes on for a while.
func over(s *fakeCluster, at time.Time) *fakeCluster {
	well := healthyCluster(s.Cluster.Name, len(s.Cluster.Nodes))
	well.Since = at
	for _, i := range s.incidents {
		i.Flapping, i.Ended = true, at
		for m := range i.Findings {
			i.Findings[m].Ended = at
		}
		well.incidents = append(well.incidents, i)
	}
	return well
}

// TestQuietIncidents do not look as if something were wrong now.
func TestQuietIncidents(t *testing.T) {
	s := newFakeDaemon(over(redisDown("shop"), testTime.Add(-time.Minute))).server(t)
	for _, path := range []string{"/", "/clusters/shop"} {
		body := getPage(s, path).Body.String()
		for _, want := range []string{`<h1 class="m ok">shop is healthy`, "Quiet for now", `<b class="m no">quiet</b>`, "quiet since", "flapping"} {
			if !strings.Contains(body, want) {
				t.Errorf("%s lacks %q", path, want)
			}
		}
		for _, bad := range []string{"Open incidents", `"m bd"`, "What to do", "headline bd"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s has %q", path, bad)
			}
		}
	}
	body := getPage(s, "/incidents/20260314T115811000-shop").Body.String()
	for _, want := range []string{`class="headline no"`, `<dd class="m no">quiet`, `<dd class="m was bd">critical`} {
		if !strings.Contains(body, want) {
			t.Errorf("the incident lacks %q", want)
		}
	}
}

// TestSince: a headline of trouble is as old as the first trouble, one of health
// as young as the last recovery.
func TestSince(t *testing.T) {
	at := func(v checks.Verdict, ago time.Duration) Snapshot {
		return Snapshot{Report: checks.Report{Verdict: v}, Since: testTime.Add(-ago)}
	}
	for _, test := range []struct {
		name      string
		tone      tone
		snapshots []Snapshot
		want      time.Time
	}{
		{"nothing", toneUnknown, nil, time.Time{}},
		{"well", toneOK, []Snapshot{at(checks.Healthy, time.Hour), at(checks.Healthy, time.Minute)}, testTime.Add(-time.Minute)},
		{"failing", toneCritical, []Snapshot{at(checks.Failing, time.Hour), at(checks.Failing, 2*time.Hour), at(checks.Degraded, 9*time.Hour)}, testTime.Add(-2 * time.Hour)},
		{"unsure", toneUnknown, []Snapshot{at("", time.Hour), at(checks.Healthy, 2*time.Hour)}, testTime.Add(-time.Hour)},
		{"not known", toneWarning, []Snapshot{at(checks.Degraded, time.Hour), {Report: checks.Report{Verdict: checks.Degraded}}}, time.Time{}},
	} {
		if got := since(test.snapshots, test.tone); !got.Equal(test.want) {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}
