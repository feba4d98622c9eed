package checks

import (
	"slices"
	"strconv"

	"stickwatch/probes"
)

// A walk is a client's walk with the nodes that it met.
type walk struct {
	probes.Walk
	owner   string    // who opened its session, however many rounds ago; home where that is not told
	home    string    // who opened its session, as an answer's servingNode; "": not told
	opener  string    // the listed node among homes; "": a stranger, or not told
	pinned  bool      // what the client presents may hold it on a node that gets no new ones
	earlier []*answer // to a session that is carried over rounds, since the round before this one
	answers []*answer // of this round
}

// An answer is a step of a walk with the node that gave it.
type answer struct {
	probes.Step
	walk        *walk
	fate        probes.Fate
	outcome     Outcome
	foreign     *walk    // the other client whose value it shows; nil: it shows none
	node        string   // "": not told, or by none that is listed
	servingNode string   // the node; else, where every node is known by name, the stranger's label in quotes
	blamed      string   // the node to which a failed answer is due; "": it did not fail, or nobody can tell
	tried       []string // nodes that were tried before, and did not answer
}

// cameBack reports whether the client came back to see its session.
func (a *answer) cameBack() bool { return a.Kind == probes.StepFollow || a.Kind == probes.StepReturn }

// moved reports whether an answer came from another node than the session's.
func (a *answer) moved() bool {
	return a.servingNode != "" && a.walk.home != "" && a.servingNode != a.walk.home
}

// stayed counts the follow-ups that were answered by the session's own node.
// It is not ok for a client that did not come back.
func (w *walk) stayed() (count int, ok bool) {
	if len(w.Steps) < 2 || !w.First().OK() {
		return 0, false
	}
	for _, a := range w.answers {
		if a.cameBack() && a.servingNode != "" && a.servingNode == w.home {
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
	out := &walk{Walk: w, home: v.servingNode(w.First().Label), opener: v.who.Who(w.First().Label)}
	method := v.Cluster.Balancer.Method
	out.owner = orElse(v.servingNode(w.Opener), out.home)
	out.pinned = method == probes.MethodCookie || method == probes.MethodUnknown
	for i, step := range w.Steps {
		if w.Carried && i == 0 {
			continue // an answer of rounds that have been judged
		}
		a := &answer{Step: step, walk: out, fate: w.Fate(i), node: v.who.Who(step.Label), tried: v.who.FailedOver(step.Label)}
		a.servingNode = orElse(v.servingNode(step.Label), v.otherLabel(out, step.Label))
		if step.Kind != probes.StepWrite && v.page.isWrong(step.Exchange) {
			a.fate = probes.FateUntold // what is not the page does not show the session
		}
		a.blamed = v.blame(a, i > 0)
		if step.At.Before(v.Started) && w.Carried {
			out.earlier = append(out.earlier, a)
		} else {
			out.answers = append(out.answers, a)
		}
		if seen := (sighting{a.node, w.Balancer}); a.node != "" && a.OK() && step.At.After(v.sightings[seen]) {
			v.sightings[seen] = step.At
		}
	}
	return out
}

// servingNode is who gave an answer: a listed node; else, where every node is known
// by name, the stranger's label in quotes; "" when that is not told.
func (v *view) servingNode(label string) string {
	if v.stranger(label) {
		return strconv.Quote(label)
	}
	return v.who.Who(label)
}

// otherLabel is a label in quotes that is not known, and not of the node that opened a
// session: that one is known by name. "" where the label may be its own.
func (v *view) otherLabel(w *walk, label string) string {
	if w.opener == "" || label == "" || v.who.Ambiguous(label) {
		return ""
	}
	return strconv.Quote(label)
}

// stranger reports whether a label is of no listed node. While some node is not
// known by name, a strange one may be its.
func (v *view) stranger(label string) bool {
	return label != "" && v.allNamed && v.who.Who(label) == "" && !v.who.Ambiguous(label)
}
