package lab

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stickwatch/checks"
)

// majors runs a test with both major versions of Socket.IO.
func majors(t *testing.T, test func(t *testing.T, major int)) {
	for _, major := range []int{2, 4} {
		t.Run(fmt.Sprintf("socket.io %d", major), func(t *testing.T) {
			t.Parallel()
			test(t, major)
		})
	}
}

// TestSystemBStatus compares the substitute's /status with the one in the guide.
func TestSystemBStatus(t *testing.T) {
	majors(t, func(t *testing.T, major int) {
		n := SocketIO(t, SocketIOConfig{Major: major, Nodes: 1})[0]
		response, err := http.Get(n.URL() + "/status")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var got map[string]any
		if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
		inner, ok := got["main"].(map[string]any)
		if !ok {
			t.Fatalf("got %v, want a main", got)
		}
		if since := fmt.Sprint(inner["up_since"]); !regexp.MustCompile(`^\d{4}-[1-9]\d?-[1-9]\d? \d\d:\d\d:\d\d$`).MatchString(since) {
			t.Errorf("up_since: got %q", since)
		}
		if pid := inner["pid"]; pid != float64(n.PID()) {
			t.Errorf("pid: got %v, want %d", pid, n.PID())
		}
		for _, varies := range []string{"cpu", "memory", "up_since", "pid"} {
			delete(inner, varies)
		}
		want := map[string]any{
			"version": "11.0.0.720", "enableTls": false, "scaling": "horizontal", "logging": true, "state": "running",
			"main": map[string]any{
				"connections": map[string]any{"total": 0.0, "current": 0.0, "max": 0.0},
				"messages":    map[string]any{"processed": 0.0},
				"restCalls":   map[string]any{"received": 1.0},
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// TestSystemB plays the faults that the guide's readers look for by hand, behind the
// guide's nginx. After every fault is repaired, nothing may be found.
func TestSystemB(t *testing.T) {
	majors(t, func(t *testing.T, major int) {
		s := newCollaboration(t, major)
		balancer := s.nginx(asWritten)
		c := s.cluster(balancer, "", s.nodes...)

		t.Run("healthy", func(t *testing.T) { s.expectHealthy(t, c) })
		t.Run("healthy, one server without a balancer", func(t *testing.T) {
			s.expectHealthy(t, s.cluster(s.nodes[0].URL(), "", s.nodes[0]))
		})
		t.Run("healthy, seen by many clients", func(t *testing.T) {
			s.expectHealthy(t, s.cluster(balancer, clientHeader, s.nodes...))
		})
		for _, f := range collaborationFaults {
			t.Run(f.name, func(t *testing.T) {
				f.act(s)
				s.expect(t, c, f.want...)
				f.repair(s)
				s.expectHealthy(t, c)
			})
		}
	})
}

// TestSystemBRoundRobin: without ip_hash handshakes reach servers that do not know the
// session, and a single cause is reported.
func TestSystemBRoundRobin(t *testing.T) {
	majors(t, func(t *testing.T, major int) {
		s := newCollaboration(t, major)
		c := s.cluster(s.nginx(guideConfig{Upgrade: true}), "", s.nodes...)
		s.confidence = 0.999999 // at the default, chance looks sticky in one of a thousand rounds
		_, report := s.probe(c)
		judgeScenario(t, scenario{want: []string{"session_drift", "handshake_broken"}}, report)
		if report.Session.Sticky != checks.No {
			t.Errorf("sticky: got %s, want no", report.Session.Sticky)
		}
		for _, f := range report.Findings {
			if f.Code == checks.HandshakeBroken && !strings.HasPrefix(f.ExplainedBy, "session_drift") {
				t.Errorf("handshake_broken is explained by %q, want session_drift", f.ExplainedBy)
			}
		}
	})
}

// TestSystemBNoUpgrade: without the upgrade headers clients keep polling.
func TestSystemBNoUpgrade(t *testing.T) {
	majors(t, func(t *testing.T, major int) {
		s := newCollaboration(t, major)
		s.expect(t, s.cluster(s.nginx(guideConfig{Sticky: true}), "", s.nodes...), "degraded", "upgrade_refused")
		s.expectNobody(t)
	})
}
