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
		return a.walk.Client != "" || a.node == "" || !a.OK() || !a.Own.IsValid()
	})
}

// sendsUs reports whether the balancer's hash sends an answer's client to n.
func (v *view) sendsUs(a *answer, n probes.Node) bool {
	if v.oracle == nil || !hashesAddress(v.Cluster.Balancer) {
		return false
	}
	index, ok := v.oracle.Pick(a.Own.String())
	return ok && v.Cluster.Nodes[index].ID == n.ID
}

// metUs notes that n answered us as the hash has it.
func (v *view) metUs(n probes.Node, m NodeHistory) NodeHistory {
	for _, a := range v.ours() {
		if a.node == n.ID && v.sendsUs(a, n) && a.At.After(m.OwnWas) {
			m.Own, m.OwnWas = a.Own, a.At
		}
	}
	return m
}

// metUsBefore reports whether n did so in an earlier round.
func (v *view) metUsBefore(n probes.Node) bool { return v.history.Nodes[n.ID].Own.IsValid() }

// placeByOurs: we are where n is left out, and nowhere else.
func (v *view) placeByOurs(n probes.Node, t traffic) place {
	m, agreed := v.history.Nodes[n.ID], 0
	for _, a := range t.ours() {
		if a.Own != m.Own {
			continue
		}
		between := skipped(v.oracle, a.Own.String(), v.index(a.node))
		if !slices.Contains(between, v.index(n.ID)) || slices.ContainsFunc(between, func(i int) bool {
			id := v.Cluster.Nodes[i].ID
			return id != n.ID && v.well(id)
		}) {
			return unknown(MsgNotTheNext, Args{})
		}
		agreed++
	}
	if agreed == 0 {
		return unknown(MsgOursNotAnswered, Args{})
	}
	return place{In: No, Sure: true, Voice: byHash, Reason: msg(MsgOursToNext, Args{Method: v.Cluster.Balancer.Method, At: m.OwnWas, Count: agreed})}
}
