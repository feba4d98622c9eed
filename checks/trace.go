package checks

import (
	"slices"
	"strconv"

	"stickwatch/probes"
)

// A trace is a client's walk with the nodes that it met.
type trace struct {
	probes.Trace
	owner       string    // who opened its session, however many rounds ago; home where that is not told
	holder      string    // who opened its session, as an answer's servingNode; "": not told
	openedBy    string    // the listed node among homes; "": a stranger, or not told
	mayBePinned bool      // what the client presents may hold it on a node that gets no new ones
	earlier     []*answer // to a session that is carried over rounds, since the round before this one
	answers     []*answer // of this round
}

// An answer is a step of a walk with the node that gave it.
type answer struct {
	probes.Step
	trace          *trace
	sessionOutcome probes.SessionOutcome
	outcome        Outcome
	foreign        *trace   // the other client whose value it shows; nil: it shows none
	node           string   // "": not told, or by none that is listed
	servingNode    string   // the node; else, where every node is known by name, the stranger's label in quotes
	failedNode     string   // the node to which a failed answer is due; "": it did not fail, or nobody can tell
	upstreamsTried []string // nodes that were tried before, and did not answer
}

// cameBack reports whether the client came back to see its session.
func (a *answer) cameBack() bool { return a.Kind == probes.StepFollow || a.Kind == probes.StepReturn }

// moved reports whether an answer came from another node than the session's.
func (a *answer) moved() bool {
	return a.servingNode != "" && a.trace.holder != "" && a.servingNode != a.trace.holder
}

// stayedCount counts the follow-ups that were answered by the session's own node.
// It is not ok for a client that did not come back.
func (w *trace) stayedCount() (count int, ok bool) {
	if len(w.Steps) < 2 || !w.First().OK() {
		return 0, false
	}
	for _, a := range w.answers {
		if a.cameBack() && a.servingNode != "" && a.servingNode == w.holder {
			count++
		}
	}
	return count, true
}

// onlyMet reports whether node gave every answer.
func (w *trace) onlyMet(node string) bool {
	return !slices.ContainsFunc(w.answers, func(a *answer) bool { return a.node != node })
}

// resolve finds the node behind every step of w.
func (v *outcomes) resolve(w probes.Trace) *trace {
	out := &trace{Trace: w, holder: v.servingNode(w.First().Label), openedBy: v.identity.NodeOf(w.First().Label)}
	method := v.Cluster.Balancer.Method
	out.owner = orDefault(v.servingNode(w.OpenedBy), out.holder)
	out.mayBePinned = method == probes.MethodCookie || method == probes.MethodUnknown
	for i, step := range w.Steps {
		if w.Continued && i == 0 {
			continue // an answer of rounds that have been judged
		}
		a := &answer{Step: step, trace: out, sessionOutcome: w.SessionOutcome(i), node: v.identity.NodeOf(step.Label), upstreamsTried: v.identity.FailedOver(step.Label)}
		a.servingNode = orDefault(v.servingNode(step.Label), v.otherLabel(out, step.Label))
		if step.Kind != probes.StepWrite && v.page.isWrong(step.Exchange) {
			a.sessionOutcome = probes.SessionUnknown // what is not the page does not show the session
		}
		a.failedNode = v.attributeFailure(a, i > 0)
		if step.At.Before(v.Started) && w.Continued {
			out.earlier = append(out.earlier, a)
		} else {
			out.answers = append(out.answers, a)
		}
		if seen := (nodeAtAddress{a.node, w.Balancer}); a.node != "" && a.OK() && step.At.After(v.lastAnswerAt[seen]) {
			v.lastAnswerAt[seen] = step.At
		}
	}
	return out
}

// servingNode is who gave an answer: a listed node; else, where every node is known
// by name, the stranger's label in quotes; "" when that is not told.
func (v *outcomes) servingNode(label string) string {
	if v.unlistedNode(label) {
		return strconv.Quote(label)
	}
	return v.identity.NodeOf(label)
}

// otherLabel is a label in quotes that is not known, and not of the node that opened a
// session: that one is known by name. "" where the label may be its own.
func (v *outcomes) otherLabel(w *trace, label string) string {
	if w.openedBy == "" || label == "" || v.identity.Ambiguous(label) {
		return ""
	}
	return strconv.Quote(label)
}

// unlistedNode reports whether a label is of no listed node. While some node is not
// known by name, a strange one may be its.
func (v *outcomes) unlistedNode(label string) bool {
	return label != "" && v.allNamed && v.identity.NodeOf(label) == "" && !v.identity.Ambiguous(label)
}
