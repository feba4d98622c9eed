package vigil

import (
	"context"
	"strings"
	"time"

	"stickwatch/internal/gate"
	"stickwatch/probes"
)

// listenEvery is how often the balancer is asked for its own word. Its pages are
// long, and what they say changes seldom.
const listenEvery = time.Second

// listen writes down what the balancer says of its servers.
func (v *Vigil) listen(ctx context.Context) {
	for moment := time.Now(); until(ctx, moment); moment = moment.Add(listenEvery) {
		told := v.witness.Read(ctx)
		if ctx.Err() != nil || len(told) == 0 {
			return // broken off, or there is nobody to ask
		}
		v.mu.Lock()
		for _, o := range told {
			for _, s := range o.Servers {
				v.hear(o, s)
			}
		}
		v.mu.Unlock()
	}
}

// hear takes in what one source says of one server.
func (v *Vigil) hear(o probes.EvidenceObservation, s probes.ServerEvidence) {
	if s.State == probes.ServerUnknown {
		return
	}
	words := o.Source + " says " + s.Server + " is " + string(s.State)
	if s.Detail != "" {
		words += ": " + s.Detail
	}
	for i, n := range v.cluster.Nodes {
		if v.isServer(i, s) {
			v.record.Said[n.ID] = gate.AddSaid(v.record.Said[n.ID], o.At, s.State, probes.Clean(words, probes.MaxError))
		}
	}
}

// isServer reports whether s is the i-th node by any name that it is known to
// have.
func (v *Vigil) isServer(i int, s probes.ServerEvidence) bool {
	n := v.cluster.Nodes[i]
	names := []string{n.ServerName(), n.URL.Host, n.ID, n.Label}
	for _, o := range v.record.Before.Nodes {
		if o.Node == n.ID {
			names = append(names, o.Label)
		}
	}
	for _, name := range names {
		if name != "" && (strings.EqualFold(name, s.Address) || strings.EqualFold(name, s.Server)) {
			return true
		}
	}
	return false
}
