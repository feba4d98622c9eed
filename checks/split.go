package checks

import (
	"slices"
	"time"
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
func (movement *movement) separate() []separation {
	if movement.oracle == nil {
		return nil
	}
	list := append(movement.separateByAddress(), movement.separateByWorker()...)
	return slices.DeleteFunc(list, func(s separation) bool {
		return slices.ContainsFunc(s.nodes[:], func(node string) bool { // workers notice it one after the other
			d, disrupted := movement.disruptionAt(node, movement.Started)
			return disrupted && d.Kind != DisruptionEjected
		})
	})
}

func (movement *movement) separateByAddress() []separation {
	var list []separation
	first := make(map[string]*trace) // by the hashed key
	for _, w := range movement.traces {
		key := movement.key(w)
		if w.Continued || key == "" || w.holder == "" || !w.First().OK() || movement.scatteredWith(w) {
			continue
		}
		other, seen := first[key]
		if !seen {
			first[key] = w
			continue
		}
		if other.Balancer != w.Balancer && other.holder != w.holder && movement.atOnce(other, w) {
			list = append(list, separation{nil, [2]string{other.holder, w.holder}, msg(MsgSplitByAddress, Args{
				Client: key, Node: other.holder, Other: w.holder, Addresses: []string{other.Balancer.String(), w.Balancer.String()},
			})})
		}
	}
	return list
}

// atOnce reports whether the node that answered the earlier trace was still in
// rotation when the later one met another node.
func (movement *movement) atOnce(a, b *trace) bool {
	if b.First().At.Before(a.First().At) {
		a, b = b, a
	}
	return movement.ready(a.holder) && movement.answeredSince(a.holder, a.Balancer, b.First().At)
}

// separateByWorker finds nothing unless some client stays where the hash sends it.
// Otherwise the balancer scatters all clients and does not hash at all.
func (movement *movement) separateByWorker() []separation {
	var list []separation
	held := false
	for _, w := range movement.traces {
		if movement.scatteredWith(w) {
			continue
		}
		if s, ok := movement.separated(w); ok {
			list = append(list, s)
		} else if w.Expected != "" && len(w.Steps) > 1 && len(w.answers) > 0 && w.onlyMet(w.Expected) {
			held = true
		}
	}
	if !held {
		return nil
	}
	return list
}

// scatteredWith reports whether the address of a client scatters all clients.
func (movement *movement) scatteredWith(w *trace) bool {
	return slices.ContainsFunc(movement.stickiness, func(f frontendStickiness) bool {
		return f.scatters && f.frontend.Address == w.Balancer && f.frontend.URL == w.URL
	})
}

// separated reports whether every answer of a trace came from the node that the hash
// names or from the one that it names without that node, both answered, and the first
// one has not left rotation meanwhile.
func (movement *movement) separated(w *trace) (separation, bool) {
	owner, successor, ok := movement.ownerAndSuccessor(w)
	if !ok {
		return separation{}, false
	}
	met := make(map[string]int)
	for _, x := range w.answers {
		if x.OK() && x.Label != "" {
			met[x.node]++
		}
	}
	if len(met) != 2 || met[owner] == 0 || met[successor] == 0 || !movement.ready(owner) || !movement.answeredBetween(owner, successor, w) {
		return separation{}, false
	}
	return separation{w, [2]string{owner, successor}, msg(MsgSplitByWorker, Args{
		Client: movement.key(w), Node: owner, Of: met[owner], Other: successor, Count: met[successor],
	})}, true
}

// ownerAndSuccessor returns the node that the hash names for a client, and the ready
// node that it names without the owner.
func (rotation *rotation) ownerAndSuccessor(w *trace) (owner, successor string, ok bool) {
	key := rotation.key(w)
	if key == "" || rotation.oracle == nil {
		return "", "", false
	}
	var out []int
	for {
		next, ok := rotation.oracle.Pick(key, out...)
		if !ok || slices.Contains(out, next) {
			return "", "", false
		}
		id := rotation.Cluster.Nodes[next].ID
		switch {
		case owner == "":
			owner = id
		case rotation.ready(id) && !rotation.rotationStates[id].Sure:
			return owner, id, true
		}
		out = append(out, next)
	}
}

// answeredBetween reports whether an answer of the successor came between two answers
// of the owner that are less than an ejection apart. An answer before the owner's
// first one belongs to an ejection that ends, and one after its last to an ejection
// that begins.
func (movement *movement) answeredBetween(owner, successor string, w *trace) bool {
	return slices.ContainsFunc(w.answers, func(a *answer) bool {
		if a.node != successor || !a.OK() {
			return false
		}
		before, after := movement.answersAround(owner, w, a.At)
		limit := movement.Cluster.Balancer.FailTimeout
		return !before.IsZero() && !after.IsZero() && (limit <= 0 || after.Sub(before) <= limit)
	})
}

// answersAround returns when a node last answered somebody at the frontend of a trace
// before a moment, and when it was first asked after it; zero: not known.
func (movement *movement) answersAround(node string, w *trace, moment time.Time) (before, after time.Time) {
	for _, a := range movement.answers {
		if a.node != node || !a.OK() || a.trace.Balancer != w.Balancer {
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

// splits reports separations.
func splits(v *movement) []Finding {
	if len(v.separations) == 0 {
		return nil
	}
	var evidence []Message
	for _, s := range v.separations {
		evidence = append(evidence, s.evidence)
	}
	f := Finding{Code: BalancerSplit, Severity: Warning}
	f.Nodes = v.nodesWhere(func(id string) bool {
		return slices.ContainsFunc(v.separations, func(s separation) bool { return slices.Contains(s.nodes[:], id) })
	})
	f.Summary = msg(MsgSplit, Args{})
	f.Evidence = limited(evidence)
	f.Remedy = msg(MsgAddZone, Args{})
	if !slices.ContainsFunc(v.separations, func(s separation) bool { return s.trace != nil }) {
		f.Remedy = msg(MsgSameLines, Args{})
	}
	return []Finding{f}
}
