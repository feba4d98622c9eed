package watch

import (
	"context"
	"time"

	"stickwatch/checks/evidence"
	"stickwatch/internal/gate"
	"stickwatch/probes"
)

// evidenceInterval is how often the balancer is asked for its own word. Its pages are
// long, and what they say changes seldom.
const evidenceInterval = time.Second

// pollEvidence writes down what the balancer says of its servers.
func (v *Watch) pollEvidence(ctx context.Context) {
	matcher := evidence.NewMatcher(v.cluster, v.record.Before.Nodes)
	for moment := time.Now(); sleepUntil(ctx, moment); moment = moment.Add(evidenceInterval) {
		observations := v.evidenceReader.Read(ctx)
		if ctx.Err() != nil || len(observations) == 0 {
			return // broken off, or there is nobody to ask
		}
		v.addEvidence(matcher, observations)
	}
}

// addEvidence takes in what the sources say of each node, all at once. A node that none
// of them mentions is as it was.
func (v *Watch) addEvidence(m evidence.Matcher, observations []probes.EvidenceObservation) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, n := range v.cluster.Nodes {
		records := m.Records(n, observations)
		if len(records) == 0 {
			continue
		}
		r := evidence.RotationOf(records)
		v.record.BalancerStates[n.ID] = gate.AddBalancerState(v.record.BalancerStates[n.ID], records[0].At, r.State, probes.Clean(r.Words, probes.MaxError))
	}
}
