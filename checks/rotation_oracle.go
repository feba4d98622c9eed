package checks

import (
	"cmp"
	"net/netip"
	"slices"

	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// Oracle returns the arithmetic by which c's balancer chooses a node, and whether
// that can be computed.
func Oracle(c *probes.Cluster) (balance.Picker, bool) {
	if c.Unordered || len(c.Nodes) == 0 || c.Balancer.HashesCookie() {
		return nil, false
	}
	servers := make([]balance.Server, len(c.Nodes))
	for i, n := range c.Nodes {
		servers[i] = balance.Server{Name: n.ServerName(), Weight: n.Weight, Down: n.Down, Backup: n.Backup}
	}
	switch {
	case c.Balancer.Method == probes.MethodIPHash:
		return balance.IPHash(servers), true
	case c.Balancer.Method == probes.MethodSource:
		return balance.Source(servers), true
	case c.Balancer.HashesAddressBytes() && c.Balancer.Consistent:
		return balance.AddressBytes(balance.Consistent(servers)), true
	case c.Balancer.HashesAddressBytes():
		return balance.AddressBytes(balance.Hash(servers)), true
	case c.Balancer.Method == probes.MethodHash && c.Balancer.Consistent:
		return balance.Consistent(servers), c.Balancer.HashKey != ""
	case c.Balancer.Method == probes.MethodHash:
		return balance.Hash(servers), c.Balancer.HashKey != ""
	default:
		return nil, false
	}
}

// key returns the value that the balancer hashed for a client: the key or address
// that it presented, or our own address; "": not known.
func (r *Round) key(tr *trace) string {
	switch own := tr.First().LocalAddress; {
	case tr.Client != "":
		return tr.Client
	case r.Cluster.Balancer.HashesAddress() && own.IsValid():
		return own.String()
	default:
		return ""
	}
}

// targeted reports whether a client was targeted at node.
func (t traffic) targeted(node string) bool {
	return slices.ContainsFunc(t.traces, func(tr *trace) bool { return tr.TargetNode == node })
}

// rotationByHash returns the state of a node that was computed for a client which
// another node answered. That other node must be the one that the arithmetic names
// without the nodes that answered no client; otherwise the arithmetic does not
// describe this balancer and proves nothing.
func (rot *rotation) rotationByHash(n probes.Node, t traffic) rotationState {
	if rot.nodes.oracle == nil {
		return unknown(MsgNoArithmetic, Args{})
	}
	missed, agreed := rot.round.missed(t), 0
	for _, a := range t.answers {
		if a.trace.TargetNode == "" || a.Label == "" || !a.OK() {
			continue
		}
		index, ok := rot.nodes.oracle.Pick(rot.round.key(a.trace), missed...)
		if !ok {
			continue
		}
		if computed := rot.round.Cluster.Nodes[index].ID; a.listedNode != computed {
			return unknown(MsgAnswersDiffer, Args{
				Method: rot.round.Cluster.Balancer.Method, Client: rot.round.key(a.trace), Node: cmp.Or(a.listedNode, a.Label), Other: computed,
			})
		}
		if a.trace.TargetNode == n.ID {
			agreed++
		}
	}
	switch {
	case agreed == 0:
		return unknown(MsgClientNotAnswered, Args{})
	case rot.nodes.rehashes() && rot.fitsFewerOut(t, missed, n):
		return unknown(MsgOthersMayBeOut, Args{})
	case rot.round.keyIgnored(t) && !rot.skippedForUs(n, t):
		return unknown(MsgAllLandedOnOne, Args{Name: rot.round.Cluster.Balancer.KeyHeader()})
	}
	return rotationState{In: No, ProvenOut: true, Proof: byHash, Reason: msg(MsgHashedToNext, Args{Method: rot.round.Cluster.Balancer.Method, Count: agreed})}
}

// fitsFewerOut reports whether the answers show that n is in rotation as well as that it
// is out: the hash over the remaining nodes names the node of each answer also if n and
// perhaps others of missed are in.
func (rot *rotation) fitsFewerOut(t traffic, missed []int, n probes.Node) bool {
	missed = slices.DeleteFunc(slices.Clone(missed), func(i int) bool { return rot.round.Cluster.Nodes[i].ID == n.ID })
	if len(missed) > maxNodesOut {
		return true
	}
	for mask := range 1 << len(missed) {
		if rot.fitsWithout(t, subset(missed, mask)) {
			return true
		}
	}
	return false
}

// fitsWithout reports whether the hash without some nodes names the node of each answer.
func (rot *rotation) fitsWithout(t traffic, out []int) bool {
	return !slices.ContainsFunc(t.answers, func(a *answer) bool {
		if a.trace.TargetNode == "" || a.listedNode == "" || !a.OK() {
			return false
		}
		index, ok := rot.nodes.oracle.Pick(rot.round.key(a.trace), out...)
		return ok && rot.round.Cluster.Nodes[index].ID != a.listedNode
	})
}

// subset returns the elements of a list whose bits are set.
func subset(list []int, mask int) (some []int) {
	for i, element := range list {
		if mask&(1<<i) != 0 {
			some = append(some, element)
		}
	}
	return some
}

// missed returns the indexes of the nodes that answered no client.
func (r *Round) missed(t traffic) []int {
	var out []int
	for i, n := range r.Cluster.Nodes {
		if !n.Down && t.answersFrom(n.ID) == 0 {
			out = append(out, i)
		}
	}
	return out
}

// keyIgnored reports whether the balancer may ignore the key that clients present:
// they were targeted at several nodes, and one node answered all of them. In earlier
// rounds it did not.
func (r *Round) keyIgnored(t traffic) bool {
	targets, met := make(map[string]bool), make(map[string]bool)
	for _, a := range t.answers {
		if a.trace.Client == "" || a.trace.TargetNode == "" {
			continue
		}
		targets[a.trace.TargetNode] = true
		if a.OK() && a.listedNode != "" {
			met[a.listedNode] = true
		}
	}
	return len(targets) > 1 && len(met) == 1 && !r.past().Balancer.Agreed
}

// skippedForUs reports whether n is out even if the balancer ignores what clients
// present and hashes our own address: then our address skipped n, too. Our address is
// only known if no device translates addresses on the way.
func (rot *rotation) skippedForUs(n probes.Node, t traffic) bool {
	at := slices.IndexFunc(t.answers, func(a *answer) bool { return a.OK() && a.listedNode != "" && a.LocalAddress.IsValid() })
	if at < 0 || !rot.round.Cluster.Balancer.HashesAddress() || rot.nodes.rehashes() {
		return false
	}
	a := t.answers[at]
	return sameNetwork(a.LocalAddress, a.trace.Balancer.Addr()) &&
		slices.Contains(skipped(rot.nodes.oracle, a.LocalAddress.String(), rot.round.index(a.listedNode)), rot.round.index(n.ID))
}

// skipped returns the servers that p skips for key before it picks met.
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

// sameNetwork reports whether two addresses share a /24 (IPv4) or /64 (IPv6) network.
func sameNetwork(a, b netip.Addr) bool {
	bits := 24
	if a.Is6() {
		bits = 64
	}
	network, err := a.Prefix(bits)
	return err == nil && network.Contains(b)
}

// The functions below are for a balancer that hashes our own address, where we cannot
// present another one. We see a single node. Once the computed node has answered us,
// it is out while another node answers.

// ownAnswers returns the answers with a known node to clients that presented no address of
// their own.
func (t traffic) ownAnswers() []*answer {
	return slices.DeleteFunc(slices.Clone(t.answers), func(a *answer) bool {
		return a.trace.Client != "" || a.listedNode == "" || !a.OK() || !a.LocalAddress.IsValid()
	})
}

// hashesOwnAddressTo reports whether the hash names n for the address that an
// answer's client sent from.
func (ns *nodeStates) hashesOwnAddressTo(a *answer, n probes.Node) bool {
	if ns.oracle == nil || !ns.round.Cluster.Balancer.HashesAddress() {
		return false
	}
	index, ok := ns.oracle.Pick(a.LocalAddress.String())
	return ok && ns.round.Cluster.Nodes[index].ID == n.ID
}

// markOwnAddress records that n answered our address as computed.
func (tl *timeline) markOwnAddress(n probes.Node, timeline NodeTimeline) NodeTimeline {
	for _, a := range tl.outcomes.ownAnswers() {
		if a.listedNode == n.ID && tl.nodes.hashesOwnAddressTo(a, n) && a.At.After(timeline.OwnAddressSeen) {
			timeline.OwnAddress, timeline.OwnAddressSeen = a.LocalAddress, a.At
		}
	}
	return timeline
}

// answeredOwnAddressBefore reports whether n did so in an earlier round.
func (r *Round) answeredOwnAddressBefore(n probes.Node) bool {
	return r.past().Nodes[n.ID].OwnAddress.IsValid()
}

// rotationByOwnAddress returns the state of a node that answered our address before:
// it is out if the next ready node of the arithmetic answers now.
func (rot *rotation) rotationByOwnAddress(n probes.Node, t traffic) rotationState {
	if rot.nodes.rehashes() { // another node that is out moves us as well
		return unknown(MsgOthersMayBeOut, Args{})
	}
	timeline, agreed := rot.round.past().Nodes[n.ID], 0
	for _, a := range t.ownAnswers() {
		if a.LocalAddress != timeline.OwnAddress {
			continue
		}
		between := skipped(rot.nodes.oracle, a.LocalAddress.String(), rot.round.index(a.listedNode))
		if !slices.Contains(between, rot.round.index(n.ID)) || slices.ContainsFunc(between, func(i int) bool {
			id := rot.round.Cluster.Nodes[i].ID
			return id != n.ID && rot.nodes.ready(id)
		}) {
			return unknown(MsgNotTheNext, Args{})
		}
		agreed++
	}
	if agreed == 0 {
		return unknown(MsgOursNotAnswered, Args{})
	}
	return rotationState{In: No, ProvenOut: true, Proof: byHash, Reason: msg(MsgOursToNext, Args{Method: rot.round.Cluster.Balancer.Method, At: timeline.OwnAddressSeen, Count: agreed})}
}

// rehashes reports whether the balancer may place the clients of all nodes anew when
// a node joins or leaves.
func (ns *nodeStates) rehashes() bool {
	method := ns.round.Cluster.Balancer.Method
	return method == probes.MethodSource || ns.oracle == nil && method == probes.MethodUnknown
}
