package checks

import (
	"fmt"
	"slices"
)

// A separation is a client that met different nodes at one moment, because
// parts of the balancer do not agree.
type separation struct {
	walk     *walk // whose answers came from both nodes; nil: two walks of one client did
	nodes    [2]string
	evidence string
}

// separate finds clients that were separated: by addresses of the balancer, and
// by workers that count failures each for itself. Only where the balancer
// hashes is one client meant to get one node.
func (v *view) separate() []separation {
	if v.oracle == nil {
		return nil
	}
	return append(v.separateByAddress(), v.separateByWorker()...)
}

func (v *view) separateByAddress() []separation {
	var list []separation
	first := make(map[string]*walk) // by what the balancer hashes
	for _, w := range v.walks {
		key := v.key(w)
		if w.Carried || key == "" || w.home == "" || !w.First().OK() {
			continue
		}
		other, seen := first[key]
		if !seen {
			first[key] = w
			continue
		}
		if other.Balancer != w.Balancer && other.home != w.home && v.atOnce(other, w) {
			list = append(list, separation{nil, [2]string{other.home, w.home}, fmt.Sprintf(
				"client %s met %s at %s and %s at %s", key, other.home, other.Balancer, w.home, w.Balancer)})
		}
	}
	return list
}

// atOnce reports whether the node that the earlier walk met was still in
// rotation when the later one met another: if it was not, it has left.
func (v *view) atOnce(a, b *walk) bool {
	if b.First().At.Before(a.First().At) {
		a, b = b, a
	}
	return v.well(a.home) && v.answeredSince(a.home, a.Balancer, b.First().At)
}

// separateByWorker finds nothing unless some client stays where the hash sends
// it: else the balancer scatters everybody, and does not hash at all.
func (v *view) separateByWorker() []separation {
	var list []separation
	held := false
	for _, w := range v.walks {
		if s, ok := v.separated(w); ok {
			list = append(list, s)
		} else if w.Expected != "" && len(w.Steps) > 1 && w.onlyMet(w.Expected) {
			held = true
		}
	}
	if !held {
		return nil
	}
	return list
}

// separated: every answer of the walk came either from the node that the hash
// names, or from the one it names without that node; both came, and the first
// has not left.
func (v *view) separated(w *walk) (separation, bool) {
	key := v.key(w)
	owner, ok := v.oracle.Pick(key)
	if key == "" || !ok {
		return separation{}, false
	}
	heir, ok := v.oracle.Pick(key, owner)
	if !ok {
		return separation{}, false
	}
	a, b := v.Cluster.Nodes[owner].ID, v.Cluster.Nodes[heir].ID
	met := make(map[string]int)
	for _, x := range w.answers {
		if x.OK() && x.Label != "" {
			met[x.node]++
		}
	}
	if len(met) != 2 || met[a] == 0 || met[b] == 0 || !v.well(a) || !v.cameBackTo(a, b, w) {
		return separation{}, false
	}
	return separation{w, [2]string{a, b}, fmt.Sprintf("client %s was answered %s by %s and %s by %s, which is next without %s",
		key, plural(met[a], "time", "times"), a, plural(met[b], "time", "times"), b, a)}, true
}

// cameBackTo reports whether the owner answered somebody after its heir had
// answered in its stead.
func (v *view) cameBackTo(owner, heir string, w *walk) bool {
	return slices.ContainsFunc(w.answers, func(a *answer) bool {
		return a.node == heir && a.OK() && v.answeredSince(owner, w.Balancer, a.At)
	})
}

// splits reports separations.
func splits(v *view) []Finding {
	if len(v.separations) == 0 {
		return nil
	}
	var evidence []string
	for _, s := range v.separations {
		evidence = append(evidence, s.evidence)
	}
	f := Finding{Code: BalancerSplit, Severity: Warning}
	f.Nodes = v.nodesWhere(func(id string) bool {
		return slices.ContainsFunc(v.separations, func(s separation) bool { return slices.Contains(s.nodes[:], id) })
	})
	f.Summary = "the same client meets different nodes at one moment: parts of the balancer do not agree on who is well"
	f.Evidence = firstFew(evidence)
	f.Remedy = "Add a `zone` to nginx's upstream block so that its workers count failures together; with several balancer addresses, look at what each of them can reach."
	return []Finding{f}
}
