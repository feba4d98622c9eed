package checks

import (
	"net/netip"
	"slices"

	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// aimedAt reports whether a walk was aimed at node.
func (t traffic) aimedAt(node string) bool {
	return slices.ContainsFunc(t.traces, func(w *trace) bool { return w.Expected == node })
}

// rotationByHash: the client was computed to land on n and did not. Where it went
// instead must be where nginx sends it without the nodes that nobody met;
// otherwise the arithmetic does not describe this balancer and proves nothing.
func (v *rotation) rotationByHash(n probes.Node, t traffic) rotationState {
	if v.oracle == nil {
		return unknown(MsgNoArithmetic, Args{})
	}
	missed, agreed := v.missed(t), 0
	for _, a := range t.answers {
		if a.trace.Expected == "" || a.Label == "" || !a.OK() {
			continue
		}
		index, ok := v.oracle.Pick(v.key(a.trace), missed...)
		if !ok {
			continue
		}
		if computed := v.Cluster.Nodes[index].ID; a.node != computed {
			return unknown(MsgAnswersDiffer, Args{
				Method: v.Cluster.Balancer.Method, Client: v.key(a.trace), Node: orDefault(a.node, a.Label), Other: computed,
			})
		}
		if a.trace.Expected == n.ID {
			agreed++
		}
	}
	switch {
	case agreed == 0:
		return unknown(MsgClientNotAnswered, Args{})
	case v.evidenceMissing(t) && !v.skippedForUs(n, t):
		return unknown(MsgAllLandedOnOne, Args{Name: v.Cluster.Balancer.KeyHeader()})
	}
	return rotationState{In: No, Sure: true, Voice: byHash, Reason: msg(MsgHashedToNext, Args{Method: v.Cluster.Balancer.Method, Count: agreed})}
}

// missed returns the indexes of the nodes that answered nobody.
func (v *rotation) missed(t traffic) []int {
	var out []int
	for i, n := range v.Cluster.Nodes {
		if !n.Down && t.answersFrom(n.ID) == 0 {
			out = append(out, i)
		}
	}
	return out
}

// evidenceMissing reports whether the balancer may not hear what clients present: they
// were aimed at several nodes, and all met one.
func (v *rotation) evidenceMissing(t traffic) bool {
	aims, met := make(map[string]bool), make(map[string]bool)
	for _, a := range t.answers {
		if a.trace.Client == "" || a.trace.Expected == "" {
			continue
		}
		aims[a.trace.Expected] = true
		if a.OK() && a.node != "" {
			met[a.node] = true
		}
	}
	return len(aims) > 1 && len(met) == 1
}

// skippedForUs reports whether n is out even if the balancer hears nothing and
// takes all clients for us: then our own address, too, went past n. That is
// known only where nobody translates addresses on the way.
func (v *rotation) skippedForUs(n probes.Node, t traffic) bool {
	at := slices.IndexFunc(t.answers, func(a *answer) bool { return a.OK() && a.node != "" && a.LocalAddress.IsValid() })
	if at < 0 || !hashesAddress(v.Cluster.Balancer) {
		return false
	}
	a := t.answers[at]
	return adjacentPairs(a.LocalAddress, a.trace.Balancer.Addr()) &&
		slices.Contains(skipped(v.oracle, a.LocalAddress.String(), v.index(a.node)), v.index(n.ID))
}

// skipped returns the servers that p looks at for key before it comes to met.
func skipped(p balance.Picker, key string, met int) []int {
	var out []int
	for {
		next, ok := p.Pick(key, out...)
		switch {
		case !ok || slices.Contains(out, next):
			return nil
		case next == met:
			return out
		}
		out = append(out, next)
	}
}

// neighbours reports whether two addresses are of one network, as far as
// addresses tell.
func adjacentPairs(a, b netip.Addr) bool {
	bits := 24
	if a.Is6() {
		bits = 64
	}
	network, err := a.Prefix(bits)
	return err == nil && network.Contains(b)
}
