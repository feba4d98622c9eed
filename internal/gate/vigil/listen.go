package vigil

import (
	"context"
	"time"

	"stickwatch/checks/evidence"
	"stickwatch/internal/gate"
	"stickwatch/probes"
)

// listenEvery is how often the balancer is asked for its own word. Its pages are
// long, and what they say changes seldom.
const listenEvery = time.Second

// listen writes down what the balancer says of its servers.
func (v *Vigil) listen(ctx context.Context) {
	matcher := evidence.NewMatcher(v.cluster, v.record.Before.Nodes)
	for moment := time.Now(); until(ctx, moment); moment = moment.Add(listenEvery) {
		told := v.witness.Read(ctx)
		if ctx.Err() != nil || len(told) == 0 {
			return // broken off, or there is nobody to ask
		}
		v.hear(matcher, told)
	}
}

// hear takes in what the sources say of each node, all at once. A node that none
// of them mentions is as it was.
func (v *Vigil) hear(m evidence.Matcher, told []probes.EvidenceObservation) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, n := range v.cluster.Nodes {
		records := m.Records(n, told)
		if len(records) == 0 {
			continue
		}
		r := evidence.RotationOf(records)
		v.record.Said[n.ID] = gate.AddSaid(v.record.Said[n.ID], records[0].At, r.State, probes.Clean(r.Words, probes.MaxError))
	}
}
