package checks

import (
	"fmt"
	"slices"

	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// A separation is a client that met different nodes at one moment, because
// parts of the balancer do not agree.
type separation struct {
	nodes    []string
	evidence string
}

// splits finds them: between addresses of the balancer, and between workers
// that count failures each for itself.
func (v *view) splits() []separation {
	picker, ok := Oracle(v.Cluster)
	if !ok {
		return nil
	}
	return append(v.splitsByAddress(), v.splitsByWorker(picker)...)
}

func (v *view) splitsByAddress() []separation {
	var list []separation
	byClient := make(map[string]probes.Walk)
	for _, w := range v.Walks {
		first := v.home(w)
		if first == "" || !w.First().OK() {
			continue
		}
		other, seen := byClient[w.Client]
		if !seen {
			byClient[w.Client] = w
			continue
		}
		if second := v.home(other); second != first && other.Balancer != w.Balancer {
			list = append(list, separation{[]string{second, first}, fmt.Sprintf(
				"%s met %s at %s and %s at %s", clientOf(w), second, other.Balancer, first, w.Balancer)})
		}
	}
	return list
}

// splitsByWorker is nothing unless some client stays where the hash sends it:
// else the balancer scatters everybody, and does not hash at all.
func (v *view) splitsByWorker(picker balance.Picker) []separation {
	var list []separation
	held := false
	for _, w := range v.Walks {
		if s, ok := v.splitByWorker(w, picker); ok {
			list = append(list, s)
		} else if w.Expected != "" && len(w.Steps) > 1 && v.staysAt(w, w.Expected) {
			held = true
		}
	}
	if !held {
		return nil
	}
	return list
}

func (v *view) staysAt(w probes.Walk, node string) bool {
	return !slices.ContainsFunc(w.Steps, func(s probes.Step) bool { return v.who.Who(s.Label) != node })
}

// splitByWorker: every answer of the walk came either from the node that the
// hash names, or from the one it names without that node, and both came.
func (v *view) splitByWorker(w probes.Walk, picker balance.Picker) (separation, bool) {
	owner, ok := picker.Pick(v.key(w))
	if !ok {
		return separation{}, false
	}
	heir, ok := picker.Pick(v.key(w), owner)
	if !ok {
		return separation{}, false
	}
	a, b := v.Cluster.Nodes[owner].ID, v.Cluster.Nodes[heir].ID
	met := map[string]int{}
	for _, s := range w.Steps {
		if s.OK() && s.Label != "" {
			met[v.who.Who(s.Label)]++
		}
	}
	if len(met) != 2 || met[a] == 0 || met[b] == 0 || !v.well(a) {
		return separation{}, false
	}
	return separation{[]string{a, b}, fmt.Sprintf("client %s was answered %d times by %s and %d times by %s, which is next without %s",
		v.key(w), met[a], a, met[b], b, a)}, true
}

// split reports separations.
func split(v *view) []Finding {
	var nodes, evidence []string
	for _, s := range v.splits() {
		evidence = append(evidence, s.evidence)
		for _, n := range s.nodes {
			if !slices.Contains(nodes, n) {
				nodes = append(nodes, n)
			}
		}
	}
	if len(evidence) == 0 {
		return nil
	}
	f := aboutAll(BalancerSplit, Warning, nodes)
	f.Summary = "the same client meets different nodes at one moment: parts of the balancer do not agree on who is well"
	f.Evidence = firstFew(evidence)
	f.Remedy = "Add a `zone` to nginx's upstream block so that its workers count failures together; with several balancer addresses, look at what each of them can reach."
	return []Finding{f}
}

// clientOf names a walk's client.
func clientOf(w probes.Walk) string {
	if w.Client == "" {
		return "our own address"
	}
	return "client " + w.Client
}
