package checks

import (
	"slices"
	"time"

	"stickwatch/probes"
)

// A separation is a client that different nodes answered at one moment, because parts
// of the balancer disagree.
type separation struct {
	trace    *trace // whose answers came from both nodes; nil: two traces with one key did
	nodes    [2]string
	evidence Message
}

// separate finds clients that were separated by addresses of the balancer, or by
// workers that count failures separately. Only a balancer that hashes is meant to
// send one client to one node. An address that scatters its clients does not hash: with two
// nodes, chance sends them to and fro between their node and the next as well.
func (mov *movement) separate() []separation {
	if mov.nodes.oracle == nil {
		return nil
	}
	list := append(mov.separateByAddress(), mov.separateByWorker()...)
	return slices.DeleteFunc(list, func(s separation) bool {
		return slices.ContainsFunc(s.nodes[:], func(node string) bool { // workers notice it one after the other
			d, disrupted := mov.timeline.disruptionAt(node, mov.round.Started)
			return disrupted && d.Kind != DisruptionEjected
		})
	})
}

func (mov *movement) separateByAddress() []separation {
	var list []separation
	first := make(map[string]*trace) // by the hashed key
	for _, tr := range mov.outcomes.traces {
		key := mov.round.key(tr)
		if tr.Continued || key == "" || tr.holder == "" || !tr.First().OK() || mov.scatteredWith(tr) {
			continue
		}
		other, seen := first[key]
		if !seen {
			first[key] = tr
			continue
		}
		if other.Balancer != tr.Balancer && other.holder != tr.holder && mov.atOnce(other, tr) {
			list = append(list, separation{nil, [2]string{other.holder, tr.holder}, msg(MsgSplitByAddress, Args{
				Client: key, Node: other.holder, Other: tr.holder, Addresses: []string{other.Balancer.String(), tr.Balancer.String()},
			})})
		}
	}
	return list
}

// atOnce reports whether the node that answered the earlier trace was still in
// rotation when the later one met another node.
func (mov *movement) atOnce(a, b *trace) bool {
	if b.First().At.Before(a.First().At) {
		a, b = b, a
	}
	return mov.nodes.ready(a.holder) && mov.outcomes.answeredSince(a.holder, a.Balancer, b.First().At)
}

// separateByWorker finds nothing unless some client stays where the hash sends it.
// Otherwise the balancer scatters all clients and does not hash at all. HAProxy's threads
// share the state of servers.
func (mov *movement) separateByWorker() []separation {
	if mov.round.Cluster.Balancer.Method == probes.MethodSource {
		return nil
	}
	var list []separation
	held := false
	for _, tr := range mov.outcomes.traces {
		if mov.scatteredWith(tr) {
			continue
		}
		if s, ok := mov.separated(tr); ok {
			list = append(list, s)
		} else if tr.TargetNode != "" && len(tr.Steps) > 1 && len(tr.answers) > 0 && tr.onlyMet(tr.TargetNode) {
			held = true
		}
	}
	if !held {
		return nil
	}
	return list
}

// scatteredWith reports whether the address of a client scatters all clients.
func (mov *movement) scatteredWith(tr *trace) bool {
	return slices.ContainsFunc(mov.stickiness, func(f frontendStickiness) bool {
		return f.scatters && f.frontend.isOf(tr)
	})
}

// separated reports whether every answer of a trace came from the node that the hash
// names or from the one that it names without that node, both answered, and the first
// one has not left rotation meanwhile.
func (mov *movement) separated(tr *trace) (separation, bool) {
	owner, successor, ok := mov.rotation.ownerAndSuccessor(tr)
	if !ok {
		return separation{}, false
	}
	met := make(map[string]int)
	for _, x := range tr.answers {
		if x.OK() && x.Label != "" {
			met[x.listedNode]++
		}
	}
	if len(met) != 2 || met[owner] == 0 || met[successor] == 0 || !mov.nodes.ready(owner) || !mov.answeredBetween(owner, successor, tr) {
		return separation{}, false
	}
	return separation{tr, [2]string{owner, successor}, msg(MsgSplitByWorker, Args{
		Client: mov.round.key(tr), Node: owner, Of: met[owner], Other: successor, Count: met[successor],
	})}, true
}

// ownerAndSuccessor returns the node that the hash names for a client, and the ready
// node that it names without the owner.
func (rot *rotation) ownerAndSuccessor(tr *trace) (owner, successor string, ok bool) {
	key := rot.round.key(tr)
	if key == "" || rot.nodes.oracle == nil {
		return "", "", false
	}
	var out []int
	for {
		next, ok := rot.nodes.oracle.Pick(key, out...)
		if !ok || slices.Contains(out, next) {
			return "", "", false
		}
		id := rot.round.Cluster.Nodes[next].ID
		switch {
		case owner == "":
			owner = id
		case rot.nodes.ready(id) && !rot.states[id].ProvenOut:
			return owner, id, true
		}
		out = append(out, next)
	}
}

// answeredBetween reports whether an answer of the successor came between two answers
// of the owner that are less than an ejection apart. An answer before the owner's
// first one belongs to an ejection that ends, and one after its last to an ejection
// that begins.
func (mov *movement) answeredBetween(owner, successor string, tr *trace) bool {
	return slices.ContainsFunc(tr.answers, func(a *answer) bool {
		if a.listedNode != successor || !a.OK() {
			return false
		}
		before, after := mov.outcomes.answersAround(owner, tr, a.At)
		limit := mov.round.Cluster.Balancer.FailTimeout
		return !before.IsZero() && !after.IsZero() && (limit <= 0 || after.Sub(before) <= limit)
	})
}

// answersAround returns when a node last answered somebody at the frontend of a trace
// before a moment, and when it was first asked after it; zero: not known.
func (oc *outcomes) answersAround(node string, tr *trace, moment time.Time) (before, after time.Time) {
	for _, a := range oc.answers {
		if a.listedNode != node || !a.OK() || a.trace.Balancer != tr.Balancer {
			continue
		}
		if end := a.At.Add(a.Timing.Total); !end.After(moment) && end.After(before) {
			before = end
		}
		if !a.At.Before(moment) && (after.IsZero() || a.At.Before(after)) {
			after = a.At
		}
	}
	return before, after
}

// splits reports separations, together with sessions that were lost at another address: both come
// from a balancer whose addresses differ.
func splits(mov *movement) []Finding {
	atAddresses := addressesDisagree(mov)
	if len(mov.separations) == 0 {
		return atAddresses
	}
	var evidence []Message
	for _, s := range mov.separations {
		evidence = append(evidence, s.evidence)
	}
	f := Finding{Code: BalancerSplit, Severity: Warning}
	f.Nodes = mov.round.nodesWhere(func(id string) bool {
		return slices.ContainsFunc(mov.separations, func(s separation) bool { return slices.Contains(s.nodes[:], id) })
	})
	f.Summary = msg(MsgSplit, Args{})
	f.Evidence = limited(evidence)
	f.Remedy = msg(MsgAddZone, Args{})
	if !slices.ContainsFunc(mov.separations, func(s separation) bool { return s.trace != nil }) {
		f.Remedy = msg(MsgSameLines, Args{})
	}
	for _, other := range atAddresses {
		if other.Severity.AtLeast(f.Severity) {
			f.Severity = other.Severity
		}
		f.Affected, f.Evidence = other.Affected, append(f.Evidence, other.Evidence...)
	}
	return []Finding{f}
}
