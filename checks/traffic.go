package checks

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"stickwatch/probes"
)

// Traffic is what clients met: through all addresses of the balancer, or
// through one.
type traffic struct {
	walks   []*walk
	answers []*answer
}

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

// An entrance is one address of the balancer. Each is a balancer of its own,
// with a view of its own of which nodes are well.
type entrance struct {
	probes.BalancerObservation
	name string // its URL, with the address where the URL has several
	traffic
}

// plain is every exchange at the entrance that belongs to no walk.
func (e entrance) plain() []probes.Exchange {
	return append([]probes.Exchange{e.Primary}, e.Pages...)
}

// answered reports whether anything came back.
func (e entrance) answered() bool {
	return slices.ContainsFunc(e.plain(), probes.Exchange.Answered) ||
		slices.ContainsFunc(e.answers, func(a *answer) bool { return a.Answered() })
}

// page names a page at the entrance.
func (e entrance) page(path string) string {
	return strings.TrimSuffix(e.URL, "/") + path + strings.TrimPrefix(e.name, e.URL)
}

// A sighting is a node that answered through an address of the balancer.
type sighting struct {
	node string
	at   netip.AddrPort
}

// lookThrough works out what clients met, and where.
func (v *view) lookThrough() {
	v.sightings = make(map[sighting]time.Time)
	for _, w := range v.Walks {
		v.add(v.resolve(w))
	}
	for _, b := range v.Balancers {
		e := entrance{BalancerObservation: b, name: b.URL}
		same := func(other probes.BalancerObservation) bool { return other.URL == b.URL && other.Address != b.Address }
		if slices.ContainsFunc(v.Balancers, same) {
			e.name = fmt.Sprintf("%s (%s)", b.URL, b.Address)
		}
		for _, w := range v.walks {
			if w.Balancer == b.Address && w.URL == b.URL {
				e.add(w)
			}
		}
		v.entrances = append(v.entrances, e)
	}
}

func (t *traffic) add(w *walk) {
	t.walks = append(t.walks, w)
	t.answers = append(t.answers, w.answers...)
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

// answeredSince reports whether node answered a request through an address of
// the balancer that began no earlier than t.
func (v *view) answeredSince(node string, at netip.AddrPort, t time.Time) bool {
	last, ok := v.sightings[sighting{node, at}]
	return ok && !last.Before(t)
}

// given counts the answers that node gave through the balancer.
func (t traffic) given(node string) int {
	count := 0
	for _, a := range t.answers {
		if a.node == node && a.Status < 500 {
			count++
		}
	}
	return count
}

// signed counts the answers through the balancer that tell who gave them.
func (t traffic) signed() int {
	count := 0
	for _, a := range t.answers {
		if a.Label != "" && a.Status < 500 {
			count++
		}
	}
	return count
}

// newcomers counts the clients that came new and were told who answered, by
// node; those of strangers are under "".
func (t traffic) newcomers() map[string]int {
	met := make(map[string]int)
	for _, w := range t.walks {
		if first := w.First(); first.OK() && first.Label != "" {
			met[w.home]++
		}
	}
	return met
}

// metOne reports whether all new clients met one and the same node.
func (t traffic) metOne() bool {
	met := t.newcomers()
	return len(met) == 1 && met[""] == 0
}

// followUps counts the answers to clients that came back.
func (t traffic) followUps() int {
	count := 0
	for _, a := range t.answers {
		if a.Kind == probes.StepFollow && a.Answered() {
			count++
		}
	}
	return count
}
