package watch

import (
	"context"
	"time"

	"stickwatch/checks/evidence"
	"stickwatch/internal/gate"
	"stickwatch/internal/sleep"
	"stickwatch/probes"
)

// evidenceInterval is the interval at which the balancer's evidence is polled. Its
// pages are long and change rarely.
const evidenceInterval = time.Second

// pollEvidence records the balancer's evidence.
func (v *Watch) pollEvidence(ctx context.Context) {
	matcher := evidence.NewMatcher(v.cluster, v.record.Before.Nodes)
	for moment := time.Now(); sleep.Until(ctx, moment); moment = moment.Add(evidenceInterval) {
		observations := v.evidenceReader.Read(ctx)
		if ctx.Err() != nil || len(observations) == 0 {
			return // cancelled, or no evidence is configured
		}
		v.addEvidence(matcher, observations)
	}
}

// addEvidence records what all sources report about each node. A node that no source
// mentions keeps its state.
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
