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
	Round // Nodes has an observation for each of Cluster.Nodes, in their order

	identity Identity
	matcher  evidence.Matcher                   // matches the servers that the balancer's evidence names to nodes
	direct   map[string]*probes.NodeObservation // by node id
	up       map[string]bool                    // by node id
	active   []probes.NodeObservation           // of the nodes that the operator has not marked down
	serving  []probes.Node                      // nodes that are up and should get new clients
	oracle   balance.Picker                     // nil: the balancer's choice cannot be computed
	replies  map[reply]bool                     // replies of nodes that were asked directly; true: a ready node gave it

	page        pageShape // of the page that clients request
	onlyFailing string    // the one node that fails when asked directly; "": none does, or several do
	refusesAll  bool      // the balancer refused every client, including those targeted at ready nodes
}

// A reply is what one path was answered with.
type reply struct {
	path    string
	status  int
	failure probes.Failure
}

func replyOf(ex probes.Exchange) reply { return reply{ex.Path, ex.Status, ex.Failure} }

// readNodes returns the first stage of a round.
func readNodes(r Round) *nodeStates {
	if r.Confidence <= 0 {
		r.Confidence = DefaultConfidence
	}
	r.Nodes = inOrder(r)
	v := &nodeStates{
		Round: r, identity: Identify(r.Cluster, r.Nodes), serving: Serving(r.Cluster, r.Nodes),
		matcher: evidence.NewMatcher(r.Cluster, r.Nodes),
		direct:  make(map[string]*probes.NodeObservation), up: make(map[string]bool), replies: make(map[reply]bool),
	}
	if picker, ok := Oracle(r.Cluster); ok {
		v.oracle = picker
	}
	for i, n := range r.Cluster.Nodes {
		o := &r.Nodes[i]
		v.direct[n.ID], v.up[n.ID] = o, Up(*o)
		if !n.Down {
			v.active = append(v.active, *o)
		}
	}
	for _, o := range r.Nodes {
		for _, ex := range questions(o) {
			v.replies[replyOf(ex)] = v.replies[replyOf(ex)] || v.ready(o.Node)
		}
	}
	v.page = v.expectedPage()
	v.onlyFailing, v.refusesAll = v.theOnlyFailing(), v.servesNobody()
	return v
}

// sortByFinding returns an observation for each node of the cluster, in its order. A
// node that was not asked has an empty one.
func inOrder(r Round) []probes.NodeObservation {
	list := make([]probes.NodeObservation, len(r.Cluster.Nodes))
	for i, n := range r.Cluster.Nodes {
		list[i].Node = n.ID
		if at := slices.IndexFunc(r.Nodes, func(o probes.NodeObservation) bool { return o.Node == n.ID }); at >= 0 {
			list[i] = r.Nodes[at]
		}
	}
	return list
}

// questions is everything that a node was asked directly.
func questions(o probes.NodeObservation) []probes.Exchange {
	list := []probes.Exchange{o.Primary}
	if o.Session != nil {
		list = append(list, *o.Session)
	}
	return append(list, o.Pages...)
}

// ready reports whether a node is up and does not say that it is paused.
func (v *nodeStates) ready(id string) bool { return v.up[id] && !v.direct[id].Status.Paused() }

// index is a node's place in the configuration; -1 when it is not listed.
func (v *nodeStates) index(id string) int {
	return slices.IndexFunc(v.Cluster.Nodes, func(n probes.Node) bool { return n.ID == id })
}

// policy is what users were promised about their session.
func (v *nodeStates) policy() probes.Policy {
	if v.Cluster.Session == nil {
		return probes.PolicyNone
	}
	return v.Cluster.Session.Policy
}

// nodesWhere returns the ids of the nodes that fit, in configuration order.
func (v *nodeStates) nodesWhere(fits func(id string) bool) []string {
	var ids []string
	for _, n := range v.Cluster.Nodes {
		if fits(n.ID) {
			ids = append(ids, n.ID)
		}
	}
	return ids
}
