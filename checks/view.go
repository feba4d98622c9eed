package checks

import (
	"maps"
	"slices"
	"time"

	"stickwatch/checks/evidence"
	"stickwatch/probes"
	"stickwatch/probes/balance"
)

// A analysis is a round with what every check wants to know of it worked out once.
type analysis struct {
	Round // Nodes is made to be as Cluster.Nodes

	identity Identity
	matcher  evidence.Matcher                   // of the balancer's own evidence to nodes
	direct   map[string]*probes.NodeObservation // by node id
	up       map[string]bool                    // by node id
	active   []probes.NodeObservation           // of the nodes that the operator has not marked down
	serving  []probes.Node                      // up, and meant to get new clients
	oracle   balance.Picker                     // nil: the balancer has no arithmetic that can be computed
	replies  map[reply]bool                     // what nodes answer when asked directly; true: a well one does

	onlyFailing string    // the one node that fails when asked directly; "": none does, or several do
	refusesAll  bool      // the balancer turned every client away, those aimed at well nodes, too
	page        pageShape // that clients ask for
	allNamed    bool      // every node is known by the name that answers give it

	allAnswers   []*answer // of this round, and those that sessions carried over rounds got before it
	traffic                // through all addresses of the balancer
	frontends    []frontend
	lastAnswerAt map[nodeAtAddress]time.Time // when the latest request that it answered began

	aftermath      time.Duration          // see the function of that name; with the time until clients come back
	nodeHistory    map[string]NodeHistory // by id, this round included
	scattered      map[string]Span
	pool           PoolHistory
	history        History                  // this round included
	rotationStates map[string]rotationState // by node id
	holdings       []holding                // as frontends
	drifts         []move
	failovers      []move
	separations    []separation
	remap          *remap // that this round has seen; nil: none
}

// A reply is what one path was answered with.
type reply struct {
	path    string
	status  int
	failure probes.Failure
}

func replyOf(ex probes.Exchange) reply { return reply{ex.Path, ex.Status, ex.Failure} }

func analyse(r Round) *analysis {
	if r.Confidence <= 0 {
		r.Confidence = DefaultConfidence
	}
	r.Nodes = inOrder(r)
	v := &analysis{
		Round: r, identity: Identify(r.Cluster, r.Nodes), serving: Serving(r.Cluster, r.Nodes),
		matcher: evidence.NewMatcher(r.Cluster, r.Nodes),
		direct:  make(map[string]*probes.NodeObservation), up: make(map[string]bool),
		replies: make(map[reply]bool), rotationStates: make(map[string]rotationState),
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
	v.aftermath = Aftermath(r.Cluster.Balancer) + 2*r.Every // a client shows where it is at its next request
	v.nodeHistory = remember(r.past().Nodes, r)
	v.onlyFailing, v.refusesAll = v.theOnlyFailing(), v.servesNobody()
	v.page = v.expectedPage()
	v.collectTraffic()
	v.findForeign()
	for _, n := range r.Cluster.Nodes {
		v.rotationStates[n.ID] = v.rotationState(n)
	}
	for _, n := range r.Cluster.Nodes {
		v.nodeHistory[n.ID] = v.disruptionsOf(n, v.addBalancerEvents(n, v.answeredOwnAddress(n, v.nodeHistory[n.ID])))
	}
	v.holdings = v.hold()
	v.scattered = make(map[string]Span)
	for _, n := range r.Cluster.Nodes {
		v.scattered[n.ID] = v.scatteredSince(n)
	}
	v.drifts, v.failovers = v.moves()
	v.separations = v.separate()
	v.remap = v.remapping()
	v.pool = v.poolHistory()
	v.history = History{Nodes: maps.Clone(v.nodeHistory), Pool: v.pool}
	for id, m := range v.history.Nodes {
		m.ScatteredSince, m.ScatteredLast = v.scattered[id].From, v.scattered[id].To
		v.history.Nodes[id] = m
	}
	v.countLosses()
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
func (v *analysis) ready(id string) bool { return v.up[id] && !v.direct[id].Status.Paused() }

// index is a node's place in the configuration; -1 when it is not listed.
func (v *analysis) index(id string) int {
	return slices.IndexFunc(v.Cluster.Nodes, func(n probes.Node) bool { return n.ID == id })
}

// policy is what users were promised about their session.
func (v *analysis) policy() probes.Policy {
	if v.Cluster.Session == nil {
		return probes.PolicyNone
	}
	return v.Cluster.Session.Policy
}

// nodesWhere returns the ids of the nodes that fit, in configuration order.
func (v *analysis) nodesWhere(fits func(id string) bool) []string {
	var ids []string
	for _, n := range v.Cluster.Nodes {
		if fits(n.ID) {
			ids = append(ids, n.ID)
		}
	}
	return ids
}
