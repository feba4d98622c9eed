package monitor_test

import (
	"maps"
	"testing"

	"stickwatch/checks"
	"stickwatch/internal/demo"
	"stickwatch/internal/monitor"
)

// TestImpaired: what is probed while stickwatch itself cannot says nothing. Nothing
// appears, nothing goes, nothing is recorded, and no canary is blamed for it
// afterwards.
func TestImpaired(t *testing.T) {
	d := start(t, demo.Config{}, "generic", nil)
	p := &monitor.Prober{Self: monitor.NewSelfCheck()}
	w, log := watchAs(t, d.config, p, monitor.Intervals{})
	if got := w.Snapshot().Report.Verdict; got != checks.Healthy {
		t.Fatalf("got %s", got)
	}
	log.newChanges()
	before, judged := maps.Clone(log.probes), len(log.judged)

	p.Self.Impair(checks.CannotConnect("socket: too many open files"))
	d.Balancer.Stop() // first: it must not eject nodes, which would be true
	for _, n := range d.Nodes {
		n.Stop()
	}
	w.FollowUp(t.Context())
	w.Refresh(t.Context(), monitor.Status)
	if err := w.TakeRound(t.Context()); err != nil {
		t.Error(err)
	}
	picture := w.Snapshot()
	if picture.Report.Verdict != checks.Inconclusive || len(picture.Report.Doubts) != 1 ||
		picture.Report.Doubts[0].String() != "this machine cannot connect: socket: too many open files" {
		t.Errorf("got %s, %s", picture.Report.Verdict, picture.Report.Doubts)
	}
	if !maps.Equal(before, log.probes) || len(log.judged) != judged+1 || len(log.newChanges()) > 0 {
		t.Errorf("it recorded %v after %v, judged %d times", log.probes, before, len(log.judged)-judged)
	}

	for _, n := range d.Nodes {
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Balancer.Start(); err != nil {
		t.Fatal(err)
	}
	p.Self.Recover()
	w.FollowUp(t.Context())
	if err := w.TakeRound(t.Context()); err != nil {
		t.Error(err)
	}
	for _, request := range w.Snapshot().Report.Requests {
		if request.Outcome.Harmful() {
			t.Errorf("a client is said to have met %+v", request)
		}
	}
}
