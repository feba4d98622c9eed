package monitor_test

import (
	"fmt"
	"testing"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
)

// TestNameOfANodeThatStops: applications choose their own names, and a node that does not
// answer keeps the one that it reported: sessions are lost with it, and not at another node.
func TestNameOfANodeThatStops(t *testing.T) {
	d := start(t, demo.Config{}, "generic", nil)
	for i := range d.config.Nodes {
		d.config.Nodes[i].ID = fmt.Sprint("app", i+1)
	}
	d.config.Limiter = nil
	d.config.Limit(d.config.Budget)
	w, _ := watchAs(t, d.config, &monitor.Prober{}, monitor.Intervals{Status: time.Hour})
	must.Succeed(t, w.TakeRound(t.Context()))
	must.Succeed(t, d.Break("node-down"))
	w.FollowUp(t.Context())
	report := w.Snapshot().Report
	for _, f := range report.Findings {
		if f.Severity == checks.Critical {
			t.Errorf("got %s %s: %s", f.Severity, f.Key(), f.Summary)
		}
	}
	if report.Verdict != checks.Degraded {
		t.Errorf("got verdict %s, want degraded by the node that stopped", report.Verdict)
	}
}
