package checks

import (
	"net/netip"
	"slices"
	"time"
)

// Traffic is what clients met: through all addresses of the balancer, or
// through one.
type traffic struct {
	traces  []*trace
	answers []*answer
}

// A nodeAtAddress is a node that answered through an address of the balancer.
type nodeAtAddress struct {
	node string
	at   netip.AddrPort
}

// outcomes is the second stage: which node answered each request of a client, and how
// the request came out.
type outcomes struct {
	*nodeStates

	allNamed     bool      // every node is known by the name that its answers give
	traffic                // through all addresses of the balancer, in this round
	allAnswers   []*answer // those of this round, and earlier ones to sessions that are carried over rounds
	frontends    []frontend
	lastAnswerAt map[nodeAtAddress]time.Time // when the latest request that it answered began
}

// readTraces returns the second stage of a round.
func readTraces(nodes *nodeStates) *outcomes {
	v := &outcomes{nodeStates: nodes, lastAnswerAt: make(map[nodeAtAddress]time.Time)}
	v.allNamed = v.everyNodeNamed()
	for _, w := range v.Traces {
		t := v.resolve(w)
		v.add(t)
		v.allAnswers = append(append(v.allAnswers, t.earlier...), t.answers...)
	}
	for _, b := range v.Balancers {
		v.frontends = append(v.frontends, v.frontendOf(b))
	}
	v.findForeign()
	return v
}

// everyNodeNamed reports whether every node told its label when asked directly,
// or answered under a name that is known to be its.
func (v *outcomes) everyNodeNamed() bool {
	met := make(map[string]bool)
	for _, w := range v.Traces {
		for _, s := range w.Steps {
			if s.OK() {
				met[v.identity.NodeOf(s.Label)] = true
			}
		}
	}
	unnamed := v.nodesWhere(func(id string) bool { return v.identity.direct[id] == "" && !met[id] })
	return len(unnamed) == 0
}

func (t *traffic) add(w *trace) {
	t.traces = append(t.traces, w)
	t.answers = append(t.answers, w.answers...)
}

// answeredSince reports whether node answered a request through an address of
// the balancer that began no earlier than t.
func (v *outcomes) answeredSince(node string, at netip.AddrPort, t time.Time) bool {
	last, ok := v.lastAnswerAt[nodeAtAddress{node, at}]
	return ok && !last.Before(t)
}

// answersFrom counts the answers that node gave through the balancer. One to a
// session of earlier rounds does not count where the balancer's cookie may have
// brought it there: a node that is being drained keeps those it has.
func (t traffic) answersFrom(node string) int {
	count := 0
	for _, a := range t.answers {
		if a.node == node && a.Status < 500 && !(a.trace.Continued && a.trace.mayBePinned) {
			count++
		}
	}
	return count
}

// holds reports whether node answers clients of earlier rounds whom a cookie of the
// balancer has brought there.
func (t traffic) holds(node string) bool {
	return slices.ContainsFunc(t.answers, func(a *answer) bool {
		return a.node == node && a.OK() && a.trace.Continued && a.trace.mayBePinned
	})
}

// attributedAnswers counts the answers through the balancer that tell who gave them.
func (t traffic) attributedAnswers() int {
	count := 0
	for _, a := range t.answers {
		if a.Label != "" && a.Status < 500 {
			count++
		}
	}
	return count
}

// newClients counts the clients that came new and were told who answered, by
// node; those of strangers are under "".
func (t traffic) newClients() map[string]int {
	met := make(map[string]int)
	for _, w := range t.traces {
		if first := w.First(); !w.Continued && first.OK() && first.Label != "" {
			met[w.openedBy]++
		}
	}
	return met
}

// allMetOneNode reports whether all new clients met one and the same node.
func (t traffic) allMetOneNode() bool {
	met := t.newClients()
	return len(met) == 1 && met[""] == 0
}

// followUps counts the answers to clients that came back.
func (t traffic) followUps() int {
	count := 0
	for _, a := range t.answers {
		if a.cameBack() && a.Answered() {
			count++
		}
	}
	return count
}
