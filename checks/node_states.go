package checks

import (
	"slices"

	"stickwatch/checks/evidence"
	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// nodeStates is the first stage: a round with the state of each node, as the node
// answered when it was asked directly.
type nodeStates struct {
	round *Round // Nodes has an observation for each of Cluster.Nodes, in their order

	identity Identity
	matcher  evidence.Matcher                   // matches the servers that the balancer's evidence names to nodes
	direct   map[string]*probes.NodeObservation // by node id
	up       map[string]bool                    // by node id
	enabled  []probes.NodeObservation           // of the nodes that the operator has not marked down
	eligible []probes.Node                      // nodes that are up and should get new clients; see Eligible
	oracle   balance.Picker                     // nil: the balancer's choice cannot be computed
	replies  map[reply]bool                     // replies of nodes that were asked directly; true: a ready node gave it

	page       pageShape // of the page that clients request
	failing    []string  // the nodes that err when asked directly, of several that the balancer may use
	refusesAll bool      // the balancer refused every client, including those targeted at ready nodes
}

// A reply identifies an answer by its path, status and failure.
type reply struct {
	path    string
	status  int
	failure probes.Failure
}

func replyOf(ex probes.Exchange) reply { return reply{ex.Path, ex.Status, ex.Failure} }

// readNodes returns the first stage of a round.
func readNodes(round Round) *nodeStates {
	if round.Confidence <= 0 {
		round.Confidence = DefaultConfidence
	}
	round.Nodes = round.inOrder()
	ns := &nodeStates{
		round: &round, identity: Identify(round.Cluster, round.Nodes), eligible: Eligible(round.Cluster, round.Nodes),
		matcher: evidence.NewMatcher(round.Cluster, round.Nodes),
		direct:  make(map[string]*probes.NodeObservation), up: make(map[string]bool), replies: make(map[reply]bool),
	}
	if picker, ok := Oracle(round.Cluster); ok {
		ns.oracle = picker
	}
	for i, n := range round.Cluster.Nodes {
		o := &round.Nodes[i]
		ns.direct[n.ID], ns.up[n.ID] = o, Up(*o)
		if !n.Down {
			ns.enabled = append(ns.enabled, *o)
		}
	}
	for _, o := range round.Nodes {
		for _, ex := range directExchanges(o) {
			ns.replies[replyOf(ex)] = ns.replies[replyOf(ex)] || ns.ready(o.Node)
		}
	}
	ns.page = ns.expectedPage()
	ns.failing, ns.refusesAll = ns.findFailing(), ns.findRefusesAll()
	return ns
}

// directExchanges returns every exchange with a node that was asked directly.
func directExchanges(o probes.NodeObservation) []probes.Exchange {
	list := []probes.Exchange{o.Primary}
	if o.Session != nil {
		list = append(list, *o.Session)
	}
	return append(list, o.Pages...)
}

// ready reports whether a node is up and does not report that it is paused.
func (ns *nodeStates) ready(id string) bool {
	return ns.up[id] && !ns.direct[id].Status.Paused()
}

// Eligible returns the nodes of c that a balancer should send new clients to: those
// that are not marked down or backup and, if direct observations are given, are up.
func Eligible(c *probes.Cluster, direct []probes.NodeObservation) []probes.Node {
	var eligible []probes.Node
	for _, n := range c.Nodes {
		up := func(o probes.NodeObservation) bool { return o.Node == n.ID && Up(o) }
		if !n.Down && !n.Backup && (direct == nil || slices.ContainsFunc(direct, up)) {
			eligible = append(eligible, n)
		}
	}
	return eligible
}

// Up reports whether a node serves when asked directly. A paused node is up, whatever
// HTTP status it answers with.
func Up(o probes.NodeObservation) bool {
	return o.Primary.OK() || (o.Primary.Answered() && o.Status.Paused())
}

// completed reports whether an exchange ended, with an answer or a failure. An
// exchange that stickwatch cancelled, or never began, is not completed.
func completed(ex probes.Exchange) bool {
	return ex.Failure != probes.FailureCancelled && (ex.Answered() || ex.Failure != "")
}

// failingNodesOf returns the nodes of which one is the cause of a failed answer: the node
// that labelled it, the node that its client was targeted at or has its session on if
// that node fails directly too, or else those that fail directly. It returns nil
// if the answer did not fail or no node is known to be the cause.
func (oc *outcomes) failingNodesOf(a *answer, isFollowUp bool) []string {
	switch target, holder := a.trace.TargetNode, a.trace.holder; {
	case !failed(a.Exchange) && (a.Kind == probes.StepWrite || !oc.nodes.page.isWrong(a.Exchange)):
		return nil
	case a.listedNode != "":
		return []string{a.listedNode}
	case oc.nodes.refusesAll:
		return nil // the balancer refuses all clients, also those of ready nodes: no node is the cause
	case target != "" && oc.nodes.failsDirectly(target):
		return []string{target}
	case isFollowUp && holder != "" && oc.nodes.failsDirectly(holder):
		return []string{holder}
	case target != "":
		return nil // the targeted node is ready: the cause is not known to be a node
	case isFollowUp && holder != "" && oc.round.Cluster.Balancer.Method.KeepsClients():
		return nil // likewise the node that the balancer keeps the client on
	default:
		return oc.nodes.failing
	}
}

// only returns the one node of a list; "": it has none, or several.
func only(nodes []string) string {
	if len(nodes) != 1 {
		return ""
	}
	return nodes[0]
}

// findRefusesAll reports whether the balancer refused all clients, although some were
// targeted at ready nodes.
func (ns *nodeStates) findRefusesAll() bool {
	readyTargeted := false
	for _, tr := range ns.round.Traces {
		for i, s := range tr.Steps {
			if tr.Continued && i == 0 {
				continue
			}
			if s.Status < 500 && s.Answered() {
				return false
			}
		}
		readyTargeted = readyTargeted || (tr.TargetNode != "" && ns.ready(tr.TargetNode) && !tr.Continued && tr.First().Status >= 500)
	}
	return readyTargeted
}

// plainFailingNodesOf returns the nodes of which one is the cause of a failed request without a
// client trace. An answer that a ready node gives directly as well is
// attributed to no other node.
func (ns *nodeStates) plainFailingNodesOf(ex probes.Exchange) []string {
	if !failed(ex) || ns.replies[replyOf(ex)] || ns.refusesAll {
		return nil
	}
	return ns.failing
}

// failed reports whether an exchange ended with a server error, or without a valid
// answer although the connection was accepted.
func failed(ex probes.Exchange) bool {
	broken := ex.Failure != "" && ex.Failure != probes.FailureCancelled
	return ex.Status >= 500 || (broken && ex.LocalAddress.IsValid())
}

// errsDirectly reports whether a node that was asked directly is down, or answers the
// page that clients request with an error.
func (ns *nodeStates) errsDirectly(id string) bool {
	o, listed := ns.direct[id]
	return listed && completed(o.Primary) && (!ns.up[id] || o.Session != nil && completed(*o.Session) && !o.Session.OK())
}

// failsDirectly reports whether a node that was asked directly errs, or answers with
// another page than other ready nodes.
func (ns *nodeStates) failsDirectly(id string) bool {
	if ns.errsDirectly(id) {
		return true
	}
	o, listed := ns.direct[id]
	return listed && completed(o.Primary) && o.Session != nil && completed(*o.Session) && ns.page.isWrong(*o.Session) && ns.othersHavePage(id)
}

// findFailing returns the nodes that err when asked directly, if the balancer may use several.
func (ns *nodeStates) findFailing() (failing []string) {
	if len(ns.round.Cluster.Nodes) < 2 {
		return nil
	}
	for _, n := range ns.round.Cluster.Nodes {
		if !n.Down && !n.Backup && ns.errsDirectly(n.ID) {
			failing = append(failing, n.ID)
		}
	}
	return failing
}

// noneUp reports whether no active node is up.
func (ns *nodeStates) noneUp() bool { return !slices.ContainsFunc(ns.enabled, Up) }

// noneReady reports whether no active node is ready.
func (ns *nodeStates) noneReady() bool {
	return !slices.ContainsFunc(ns.enabled, func(o probes.NodeObservation) bool { return ns.ready(o.Node) })
}

// ownError reports whether an exchange is a gateway error that carries no node's
// label and that no node gives when asked directly.
func (ns *nodeStates) ownError(ex probes.Exchange) bool {
	if ex.Status != 502 && ex.Status != 503 && ex.Status != 504 || ns.identity.NodeOf(ex.Label) != "" {
		return false
	}
	_, known := ns.replies[reply{path: ex.Path, status: ex.Status}]
	return !known
}

// ownTimeout reports whether the balancer has waited for a node in vain.
func (ns *nodeStates) ownTimeout(ex probes.Exchange) bool { return ex.Status == 504 && ns.ownError(ex) }
