package checks

import (
	"testing"
	"time"

	"stickwatch/probes"
)

// TestLossesCountOnce tests that a session that was lost with its node counts once with the
// restart, however many rounds judge the same request.
func TestLossesCountOnce(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 3, 14, 0, 0, 0, time.UTC)
	restart := Disruption{Kind: DisruptionRestart, Span: Span{From: at, To: at.Add(time.Second)}, Gone: at}
	lost := &answer{Step: &probes.Step{Exchange: probes.Exchange{At: at.Add(2 * time.Second)}}, sessionOutcome: probes.SessionLost}
	client := &trace{Trace: probes.Trace{Continued: true, Opened: at.Add(-time.Hour)}, opener: "node1", holder: "node1", answers: []*answer{lost}}
	lost.trace = client
	client.Steps = []probes.Step{{Exchange: probes.Exchange{At: at.Add(-time.Minute)}}, *lost.Step}
	past := &Timelines{Nodes: map[string]NodeTimeline{"node1": {Disruptions: []Disruption{restart}}}}
	for round := range 2 {
		nodes := &nodeStates{round: &Round{Cluster: &probes.Cluster{Session: &probes.Session{Policy: probes.PolicySticky}}, Started: at.Add(3 * time.Second), Past: past}}
		nodes.direct = map[string]*probes.NodeObservation{}
		oc := &outcomes{round: nodes.round, nodes: nodes, traffic: traffic{traces: []*trace{client}}}
		tl := &timeline{round: nodes.round, nodes: nodes, outcomes: oc, nodeTimelines: past.Nodes, consequencesFor: time.Minute}
		att := attribute(findRemaps(&movement{round: nodes.round, nodes: nodes, outcomes: oc, rotation: &rotation{round: nodes.round, nodes: nodes, outcomes: oc}, timeline: tl}))
		att.timelines = Timelines{Nodes: map[string]NodeTimeline{"node1": past.Nodes["node1"]}}
		att.countLosses()
		past = &att.timelines
		if got := past.Nodes["node1"].Disruptions[0].Lost; got != 1 {
			t.Errorf("after round %d: got %d lost sessions, want 1", round+1, got)
		}
	}
}

// TestSinceLastKept tests that a session may be lost until its client had the answer: HAProxy tries a
// node again that stopped after the request came.
func TestSinceLastKept(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 3, 14, 0, 0, 0, time.UTC)
	ex := probes.Exchange{At: at, Timing: probes.Timing{Total: time.Second}}
	client := &trace{Trace: probes.Trace{Steps: []probes.Step{{Exchange: probes.Exchange{At: at.Add(-3 * time.Second)}}, {Exchange: ex}}}}
	lost := (&answer{Step: &probes.Step{Exchange: ex}, trace: client}).sinceLastKept()
	stopped := Disruption{Kind: DisruptionDown, Span: Span{From: at.Add(20 * time.Millisecond), To: at.Add(900 * time.Millisecond)}}
	if !stopped.overlaps(lost, 0) {
		t.Errorf("got %v to %v, want a time that overlaps the outage", lost.From, lost.To)
	}
}
