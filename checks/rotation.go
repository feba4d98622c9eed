package checks

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"stickwatch/probes"
)

// A place says whether the balancer gives a node new clients, and why that is
// believed.
type place struct {
	In     Answer
	Reason string
	// Sure: a healthy node is out although it should not be; the reason is proof.
	Sure bool
}

// place decides for one node. That it answered is proof of rotation; that it
// did not is proof only against a computed destination or against chance.
func (v *view) place(n probes.Node) place {
	if count := v.answered(n.ID); count > 0 {
		return place{In: Yes, Reason: fmt.Sprintf("it gave %d of %d answers through the balancer", count, v.told())}
	}
	switch {
	case n.Down:
		return place{In: No, Reason: "it is marked down in the configuration"}
	case n.Backup:
		return place{In: Unknown, Reason: "it is a backup, which gets clients only when no other node is left"}
	case v.told() == 0:
		return place{In: Unknown, Reason: "no answer through the balancer tells which node gave it"}
	case v.who.Ambiguous(v.who.direct[n.ID]):
		return place{In: Unknown, Reason: "another node calls itself the same"}
	case v.Cluster.Session == nil || v.Cluster.Session.Node == nil:
		return place{In: Unknown, Reason: "the answers do not tell which node gave them"}
	case !v.up[n.ID]:
		return place{In: Unknown, Reason: "it does not answer, and a retry on another node would hide that it was tried"}
	}
	if v.expects(n.ID) {
		return v.placeByHash(n)
	}
	return v.placeByChance(n)
}

// answered counts the answers that node gave through the balancer.
func (v *view) answered(node string) int {
	count := 0
	for _, a := range v.answers {
		if a.node == node && a.Status < 500 {
			count++
		}
	}
	return count
}

// told counts the answers through the balancer that tell their node.
func (v *view) told() int {
	count := 0
	for _, a := range v.answers {
		if a.Label != "" && a.Status < 500 {
			count++
		}
	}
	return count
}

// expects reports whether the oracle sent a walk to node.
func (v *view) expects(node string) bool {
	return slices.ContainsFunc(v.Walks, func(w probes.Walk) bool { return w.Expected == node })
}

// placeByHash: the client was computed to land on n and did not. Where it went
// instead must be where nginx sends it without the nodes that nobody met;
// otherwise the arithmetic does not describe this balancer and proves nothing.
func (v *view) placeByHash(n probes.Node) place {
	picker, ok := Oracle(v.Cluster)
	if !ok {
		return place{In: Unknown, Reason: "the balancer's arithmetic is not known"}
	}
	if v.ignoresKey() {
		return place{In: Unknown, Reason: "every client landed on one node: the balancer does not take the client address from " + v.Cluster.Balancer.KeyHeader()}
	}
	out := v.unmet()
	agreed := 0
	for _, w := range v.Walks {
		if w.Expected == "" {
			continue
		}
		index, ok := picker.Pick(v.key(w), out...)
		if !ok {
			continue
		}
		for _, step := range w.Steps {
			if !step.OK() {
				continue
			}
			switch got := v.who.Who(step.Label); {
			case got == "":
			case got != v.Cluster.Nodes[index].ID:
				return place{In: Unknown, Reason: fmt.Sprintf("the answers do not follow %s: client %s was answered by %s, computed %s",
					v.Cluster.Balancer.Method, v.key(w), got, v.Cluster.Nodes[index].ID)}
			case w.Expected == n.ID:
				agreed++
			}
		}
	}
	if agreed == 0 {
		return place{In: Unknown, Reason: "the client sent to it was not answered"}
	}
	return place{In: No, Sure: true, Reason: fmt.Sprintf(
		"a client that %s sends to it was answered %d times by the node that is next without it", v.Cluster.Balancer.Method, agreed)}
}

// unmet returns the indexes of the nodes that a walk was sent to and that
// answered nobody.
func (v *view) unmet() []int {
	var out []int
	for i, n := range v.Cluster.Nodes {
		if v.answered(n.ID) == 0 && !n.Down {
			out = append(out, i)
		}
	}
	return out
}

// ignoresKey reports whether clients that were computed to land on several
// nodes all met the one that our own address leads to: then the balancer does
// not listen to the header, and nothing is ejected.
func (v *view) ignoresKey() bool {
	expected, met, own := make(map[string]bool), make(map[string]bool), ""
	for _, w := range v.Walks {
		if w.Client == "" || w.Expected == "" {
			continue
		}
		expected[w.Expected] = true
		for _, step := range w.Steps {
			if id := v.who.Who(step.Label); id != "" && step.OK() {
				met[id] = true
				own = step.Own.String()
			}
		}
	}
	if len(expected) < 2 || len(met) != 1 {
		return false
	}
	picker, ok := Oracle(v.Cluster)
	if !ok {
		return false
	}
	index, ok := picker.Pick(own)
	return !ok || met[v.Cluster.Nodes[index].ID]
}

// placeByChance: no new client met n. Two independent samples of the size that
// one test needs must miss it; a single one would be wrong once in a thousand.
func (v *view) placeByChance(n probes.Node) place {
	fresh, met := v.fresh()
	share := Share(n, Serving(v.Cluster, nil))
	need := 2 * FreshClients(share, v.Confidence)
	switch {
	case v.Cluster.Balancer.Method == probes.MethodIPHash || v.Cluster.Balancer.Method == probes.MethodHash:
		return place{In: Unknown, Reason: "our own address does not hash to it"}
	case v.Cluster.Balancer.Method == probes.MethodUnknown && len(met) < 2:
		return place{In: Unknown, Reason: "every new client met the same node, as under ip_hash; the method is not configured"}
	case v.Cluster.Balancer.Method == probes.MethodLeastConn:
		return place{In: Unknown, Reason: "least_conn may rightly send it nobody while it holds many connections"}
	case fresh < need:
		return place{In: Unknown, Reason: fmt.Sprintf("%d new clients missed it, %d are needed to exclude chance", fresh, need)}
	}
	return place{In: No, Sure: true, Reason: fmt.Sprintf(
		"none of %d new clients met it; by chance that happens once in %s", fresh, oneIn(math.Pow(1-share, float64(fresh))))}
}

// fresh counts the clients that came new and were told their node, and the
// nodes they met.
func (v *view) fresh() (int, map[string]bool) {
	count, met := 0, make(map[string]bool)
	for _, w := range v.Walks {
		if first := w.First(); first.OK() && first.Label != "" {
			count++
			met[v.who.Who(first.Label)] = true
		}
	}
	return count, met
}

func oneIn(p float64) string {
	if p <= 0 {
		return "never"
	}
	return fmt.Sprintf("%.1g rounds", 1/p)
}

// rotation finds healthy nodes that get nobody, and failing ones that do.
func rotation(v *view) []Finding {
	var list []Finding
	for _, n := range v.Cluster.Nodes {
		place := v.places[n.ID]
		if place.In == No && place.Sure && v.well(n.ID) {
			list = append(list, v.ejected(n, place))
		}
		if f, ok := v.failingInRotation(n); ok {
			list = append(list, f)
		}
	}
	return list
}

// well reports whether a node is up and does not say that it is paused.
func (v *view) well(id string) bool { return v.up[id] && !v.node(id).Status.Paused() }

func (v *view) ejected(n probes.Node, p place) Finding {
	f := about(NodeEjected, Warning, n.ID)
	f.Summary = fmt.Sprintf("%s is healthy when asked directly, and the balancer sends it nothing", n.ID)
	f.Evidence = []string{p.Reason, "asked directly: " + v.brief(v.node(n.ID).Primary)}
	if t := v.Cluster.Balancer.FailTimeout; t > 0 && v.Cluster.Balancer.Method != probes.MethodCookie {
		f.Remedy = fmt.Sprintf("If it failed a moment ago, nginx takes it back by itself about %s after its last failed try; a reload is not needed. "+
			"If it stays out, look for \"temporarily disabled\" in the balancer's error log and whether the balancer can reach %s.", t, n.ServerName())
		return f
	}
	f.Remedy = "Look at the balancer's own state of this server, and whether the balancer can reach " + n.ServerName() + "."
	return f
}

// failingInRotation: clients that the balancer sent to n failed. With no node
// left the balancer cannot do otherwise, and its own error says so.
func (v *view) failingInRotation(n probes.Node) (Finding, bool) {
	if !slices.ContainsFunc(v.Nodes, Up) {
		return Finding{}, false
	}
	var evidence []string
	for _, a := range v.answers {
		if walk := v.Walks[a.walk]; v.failedAt(a, walk) == n.ID {
			evidence = append(evidence, v.tell(walk, a))
		}
	}
	for _, ex := range v.plain() {
		if failed(ex) && v.onlyFailing() == n.ID {
			evidence = append(evidence, "a plain request got "+v.brief(ex))
		}
	}
	if hidden := v.failedOver(n.ID); hidden > 0 {
		evidence = append(evidence, plural(hidden, "request was", "requests were")+" tried on it first and answered by another node")
	}
	if len(evidence) == 0 {
		return Finding{}, false
	}
	f := about(NodeFailingInRotation, Critical, n.ID)
	f.Summary = fmt.Sprintf("%s fails, and the balancer still sends it requests", n.ID)
	f.Evidence = append(firstFew(evidence), v.ejectionBudget())
	f.Remedy = fmt.Sprintf("Take %s out of the balancer (mark the server down and reload) until it is repaired.", n.ID)
	return f, true
}

// failedOver counts the answers whose label tells that node was tried in vain.
func (v *view) failedOver(node string) int {
	count := 0
	for _, a := range v.answers {
		if slices.Contains(v.who.FailedOver(a.Label), node) {
			count++
		}
	}
	return count
}

// plain is every exchange with the balancer that belongs to no walk.
func (v *view) plain() []probes.Exchange {
	var list []probes.Exchange
	for _, b := range v.Balancers {
		list = append(append(list, b.Primary), b.Pages...)
	}
	return list
}

// failedAt is the node to which a failed answer is due: the one that signed
// it; the one the client was sent to or pinned on, if that fails directly, too;
// or the only one that does. "" when nothing failed, or nobody can tell.
func (v *view) failedAt(a answer, w probes.Walk) string {
	switch home := v.home(w); {
	case !failed(a.Exchange):
		return ""
	case a.node != "":
		return a.node
	case w.Expected != "":
		if v.failsDirectly(w.Expected) {
			return w.Expected
		}
		return ""
	case a.step > 0 && home != "" && v.failsDirectly(home):
		return home
	default:
		return v.onlyFailing()
	}
}

// onlyFailing is the node that fails when asked directly, if there is just one
// among several.
func (v *view) onlyFailing() string {
	var failing []string
	for _, n := range v.Cluster.Nodes {
		if !n.Down && v.failsDirectly(n.ID) {
			failing = append(failing, n.ID)
		}
	}
	if len(failing) == 1 && len(v.Cluster.Nodes) > 1 {
		return failing[0]
	}
	return ""
}

// failed: no answer in time although the balancer took the connection, or a
// server's error.
func failed(ex probes.Exchange) bool {
	return ex.Status >= 500 || (ex.Failure == probes.FailureTimeout && ex.Own.IsValid()) ||
		(ex.Failure == probes.FailureReset && ex.Own.IsValid())
}

// failsDirectly: the node fails the very thing that walks ask of it.
func (v *view) failsDirectly(id string) bool {
	o := v.node(id)
	return !v.up[id] || (o.Session != nil && !o.Session.OK())
}

// ejectionBudget tells how many failures more until nginx ejects the node
// (domain: it counts connection errors and time-outs; HTTP errors only where
// proxy_next_upstream lists them).
func (v *view) ejectionBudget() string {
	b := v.Cluster.Balancer
	if b.MaxFails == 0 {
		return "the balancer's ejection is off (max_fails=0): it goes on until somebody acts"
	}
	return fmt.Sprintf("with max_fails=%d the balancer ejects it after %s; HTTP errors count only if proxy_next_upstream lists them",
		b.MaxFails, plural(b.MaxFails, "failed connection or time-out", "failed connections or time-outs"))
}

func (v *view) tell(w probes.Walk, a answer) string {
	return clientOf(w) + " got " + v.brief(a.Exchange)
}

// brief says what an exchange came to, in a few words.
func (v *view) brief(ex probes.Exchange) string {
	at := ex.At.UTC().Format("15:04:05.000")
	if ex.Failure != "" {
		return fmt.Sprintf("%s: %s at %s", ex.Path, ex.Error, at)
	}
	return fmt.Sprintf("%s: HTTP %d at %s", ex.Path, ex.Status, at)
}

// about starts a finding about one node.
func about(code Code, severity Severity, node string) Finding {
	return Finding{Code: code, Severity: severity, Node: node, Nodes: []string{node}}
}

// aboutAll starts a finding about several nodes.
func aboutAll(code Code, severity Severity, nodes []string) Finding {
	f := Finding{Code: code, Severity: severity, Nodes: nodes}
	if len(nodes) == 1 {
		f.Node = nodes[0]
	}
	return f
}

// firstFew keeps evidence readable: the first three, and how many more.
func firstFew(evidence []string) []string {
	const few = 3
	if len(evidence) <= few {
		return evidence
	}
	return append(slices.Clone(evidence[:few]), fmt.Sprintf("and %d more like it", len(evidence)-few))
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func join(items []string) string { return strings.Join(items, ", ") }
