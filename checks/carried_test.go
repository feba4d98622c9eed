package checks_test

import (
	"slices"
	"testing"

	"stickwatch/checks"
)

// TestCarried: a session from rounds before moves between rounds as it does
// within one, and tells nothing of new clients.
func TestCarried(t *testing.T) {
	t.Parallel()
	t.Run("it has drifted since", func(t *testing.T) {
		t.Parallel()
		r := healthy()
		r.visit("node1", "node2", "node1", "node2", "node1", "node2").Continued = true
		r.visit("node1")
		r.Traces[len(r.Traces)-1].Steps[0].At = began.Add(r.Duration)
		report := checks.Judge(r.Round)
		if !slices.ContainsFunc(report.Findings, func(f checks.Finding) bool { return f.Code == checks.SessionDrift }) {
			t.Errorf("got %v, want %s", tellAll(report), checks.SessionDrift)
		}
	})
	t.Run("its beginning is no answer of this round", func(t *testing.T) {
		t.Parallel()
		r := empty(3)
		r.come(100, "node1")
		r.come(100, "node2")
		r.visit("node3").Continued = true
		report := checks.Judge(r.Round)
		if got := report.Nodes[2].InRotation; got != checks.No {
			t.Errorf("node3 in rotation: got %s, want %s: nobody met it in this round", got, checks.No)
		}
		if got := report.Session.NewClients; got != 200 {
			t.Errorf("got %d new clients, want 200", got)
		}
	})
}
