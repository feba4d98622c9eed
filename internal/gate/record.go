package gate

import (
	"cmp"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A WatchRecord contains all observations of a cluster during a watch.
type WatchRecord struct {
	Cluster       *probes.Cluster
	checks.Span                // To is zero while the watch is active
	Before, After checks.Round // first and last round; After is zero until the end

	Sessions       []WatchedClient     // clients that each hold a session
	NewClients     []WatchedClient     // clients that are new with every request
	Nodes          map[string]Timeline // direct requests to nodes, by node id
	BalancerStates map[string][]BalancerState

	Impaired []checks.Message // reasons for which stickwatch itself could not probe for a while; samples of that time are left out
}

// A WatchedClient is one client with its timeline through an address of the balancer.
type WatchedClient struct {
	Frontend   string // URL of the balancer, with the address where they differ
	Client     string // client address or hash key presented; "": this machine's address
	TargetNode string // node predicted by the oracle; "": unpredictable
	Timeline   Timeline
}

// A BalancerState is the balancer's evidence about a node over a period in which it did
// not change.
type BalancerState struct {
	From, To time.Time // first and last poll
	State    probes.ServerState
	Text     string
}

// AddBalancerState adds the evidence about a node at a time. A period keeps its first text.
func AddBalancerState(list []BalancerState, at time.Time, state probes.ServerState, text string) []BalancerState {
	if n := len(list); n > 0 && list[n-1].State == state {
		list[n-1].To = at
		return list
	}
	return append(list, BalancerState{From: at, To: at, State: state, Text: text})
}

// Limits are the conditions of a deployment, in addition to the guarantees of the
// cluster.
type Limits struct {
	Drain      string         // node that must be drained; "": none
	MaxOutage  *time.Duration // longest outage that is tolerated; nil: any outage is a warning
	Ignore     []checks.Code  // guarantees with these codes are not checked
	NoLoss     bool           // a lost session is critical, whatever the policy allows
	Confidence float64        // confidence required to exclude chance; 0: checks.DefaultConfidence
}

// A ClientKind is the kind of a watched client.
type ClientKind string

// The kinds of clients.
const (
	KindSession   ClientKind = "session"
	KindNewClient ClientKind = "newcomer"
)

// A ClientReport is the report of a watched client.
type ClientReport struct {
	Kind     ClientKind
	Node     string // node that opened its session first, or its target node; "": unknown or irrelevant
	Client   string // client address or hash key presented; "": this machine's address
	Frontend string // address of the balancer

	Requests, Failed, Opened int
	Slowest                  time.Duration // of the good answers
	Longest                  Outage
	Segments                 []Segment
}

// A Segment is a period in the timeline of a client, from its first request to the end
// of its last one.
type Segment struct {
	checks.Span
	Node string // node that answered; "": none, or unknown
	Good bool
	Lost bool // the session was gone or stale
}

func (j *judge) clientReport(client WatchedClient, kind ClientKind) ClientReport {
	report := ClientReport{
		Kind: kind, Node: client.TargetNode, Client: client.Client, Frontend: client.Frontend,
		Opened: client.Timeline.opened(), Slowest: client.Timeline.slowest(), Longest: longest(j.outagesOf(client)),
	}
	report.Requests, report.Failed = client.Timeline.requests()
	for _, run := range client.Timeline {
		segment := Segment{Span: checks.Span{From: run.First.At, To: run.Last.Done()}, Good: run.First.Good, Lost: run.First.lostSession()}
		if segment.Good {
			segment.Node = j.nodeOf(run.First.Label)
			if kind == KindSession {
				report.Node = cmp.Or(report.Node, segment.Node)
			}
		}
		report.Segments = append(report.Segments, segment)
	}
	return report
}

// A NodeReport is the history of a node during the watch.
type NodeReport struct {
	Node      string
	Downs     []Outage  // outages seen by direct requests
	Restarted time.Time // when another process was first seen; zero: no restart
	Before    string    // version at the beginning; "": unknown
	After     string    // version at the end; "": unknown
}

func (j *judge) nodeReports() []NodeReport {
	var list []NodeReport
	for _, n := range j.Cluster.Nodes {
		report := NodeReport{
			Node: n.ID, Downs: j.Nodes[n.ID].outages(j.To),
			Before: version(j.Before.Nodes, n.ID), After: version(j.After.Nodes, n.ID),
		}
		if j.restarted(n.ID) {
			report.Restarted = j.finalReport.Timelines.Nodes[n.ID].Restarted
		}
		list = append(list, report)
	}
	return list
}

func version(seen []probes.NodeObservation, node string) string {
	for _, o := range seen {
		if o.Node == node {
			return o.Version
		}
	}
	return ""
}
