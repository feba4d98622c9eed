package checks

import (
	"slices"
	"strconv"

	"stickwatch/probes"
)

// A walk is a client's walk with the nodes that it met.
type walk struct {
	probes.Walk
	home    string // the node that opened its session; "": not told
	answers []*answer
}

// An answer is a step of a walk with the node that gave it.
type answer struct {
	probes.Step
	walk   *walk
	fate   probes.Fate
	node   string   // "": not told, or by none that is listed
	giver  string   // the node; else, where every node told its label, the stranger's label in quotes
	blamed string   // the node to which a failed answer is due; "": it did not fail, or nobody can tell
	tried  []string // nodes that were tried before, and did not answer
}

// moved reports whether an answer came from another node than the session's.
func (a *answer) moved() bool { return a.giver != "" && a.walk.home != "" && a.giver != a.walk.home }

// stayed counts the follow-ups that were answered by the session's own node.
// It is not ok for a client that did not come back.
func (w *walk) stayed() (count int, ok bool) {
	if len(w.Steps) < 2 || !w.First().OK() {
		return 0, false
	}
	for _, a := range w.answers {
		if a.Kind == probes.StepFollow && a.node != "" && a.node == w.home {
			count++
		}
	}
	return count, true
}

// onlyMet reports whether node gave every answer.
func (w *walk) onlyMet(node string) bool {
	return !slices.ContainsFunc(w.answers, func(a *answer) bool { return a.node != node })
}

// resolve finds the node behind every step of w.
func (v *view) resolve(w probes.Walk) *walk {
	out := &walk{Walk: w, home: v.who.Who(w.First().Label)}
	for i, step := range w.Steps {
		a := &answer{Step: step, walk: out, fate: w.Fate(i), node: v.who.Who(step.Label), tried: v.who.FailedOver(step.Label)}
		a.giver = a.node
		if a.node == "" && v.stranger(step.Label) {
			a.giver = strconv.Quote(step.Label)
		}
		a.blamed = v.blame(a, i > 0)
		out.answers = append(out.answers, a)
		if seen := (sighting{a.node, w.Balancer}); a.node != "" && a.OK() && step.At.After(v.sightings[seen]) {
			v.sightings[seen] = step.At
		}
	}
	return out
}

// stranger reports whether a label is of no listed node. While some node has
// not told its label, a strange one may be its.
func (v *view) stranger(label string) bool {
	return label != "" && v.who.Complete() && v.who.Who(label) == "" && !v.who.Ambiguous(label)
}
