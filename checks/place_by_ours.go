package checks

import (
	"slices"

	"stickwatch/probes"
)

// This file is for the balancer that hashes our own address, and that we cannot
// present another to. We see one node of it; but once we were answered by the one
// that is computed, as long as we are answered by another it is out.

// ours are the answers to clients that came as ourselves, as far as they tell
// who gave them.
func (t traffic) ours() []*answer {
	return slices.DeleteFunc(slices.Clone(t.answers), func(a *answer) bool {
		return a.trace.Client != "" || a.node == "" || !a.OK() || !a.LocalAddress.IsValid()
	})
}

// hashesOwnAddressTo reports whether the balancer's hash sends an answer's client to n.
func (v *nodeStates) hashesOwnAddressTo(a *answer, n probes.Node) bool {
	if v.oracle == nil || !hashesAddress(v.Cluster.Balancer) {
		return false
	}
	index, ok := v.oracle.Pick(a.LocalAddress.String())
	return ok && v.Cluster.Nodes[index].ID == n.ID
}

// answeredOwnAddress notes that n answered us as the hash has it.
func (v *timeline) answeredOwnAddress(n probes.Node, m NodeHistory) NodeHistory {
	for _, a := range v.ours() {
		if a.node == n.ID && v.hashesOwnAddressTo(a, n) && a.At.After(m.OwnAddressSeen) {
			m.OwnAddress, m.OwnAddressSeen = a.LocalAddress, a.At
		}
	}
	return m
}

// answeredOwnAddressBefore reports whether n did so in an earlier round.
func (v *rotation) answeredOwnAddressBefore(n probes.Node) bool {
	return v.past().Nodes[n.ID].OwnAddress.IsValid()
}

// rotationByOwnAddress: we are where n is left out, and nowhere else.
func (v *rotation) rotationByOwnAddress(n probes.Node, t traffic) rotationState {
	m, agreed := v.past().Nodes[n.ID], 0
	for _, a := range t.ours() {
		if a.LocalAddress != m.OwnAddress {
			continue
		}
		between := skipped(v.oracle, a.LocalAddress.String(), v.index(a.node))
		if !slices.Contains(between, v.index(n.ID)) || slices.ContainsFunc(between, func(i int) bool {
			id := v.Cluster.Nodes[i].ID
			return id != n.ID && v.ready(id)
		}) {
			return unknown(MsgNotTheNext, Args{})
		}
		agreed++
	}
	if agreed == 0 {
		return unknown(MsgOursNotAnswered, Args{})
	}
	return rotationState{In: No, Sure: true, Voice: byHash, Reason: msg(MsgOursToNext, Args{Method: v.Cluster.Balancer.Method, At: m.OwnAddressSeen, Count: agreed})}
}
