package gate

import (
	"cmp"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

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
	Slowest                  time.Duration // over the good answers
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
	s := ClientReport{
		Kind: kind, Node: client.TargetNode, Client: client.Client, Frontend: client.Frontend,
		Opened: client.Timeline.opened(), Slowest: client.Timeline.slowest(), Longest: longest(j.outagesOf(client)),
	}
	s.Requests, s.Failed = client.Timeline.requests()
	for _, t := range client.Timeline {
		p := Segment{Span: checks.Span{From: t.First.At, To: t.Last.Done()}, Good: t.First.Good, Lost: t.First.lostSession()}
		if p.Good {
			p.Node = j.nodeOf(t.First.Label)
			if kind == KindSession {
				s.Node = cmp.Or(s.Node, p.Node)
			}
		}
		s.Segments = append(s.Segments, p)
	}
	return s
}

// A NodeReport is the history of a node during the watch.
type NodeReport struct {
	Node           string
	Downs          []Outage        // outages seen by direct requests
	Restarted      time.Time       // when another process was first seen; zero: no restart
	Before         string          // version at the beginning; "": unknown
	After          string          // version at the end; "": unknown
	BalancerStates []BalancerState // evidence of the balancer
}

func (j *judge) nodeReports() []NodeReport {
	var list []NodeReport
	for _, n := range j.Cluster.Nodes {
		p := NodeReport{
			Node: n.ID, Downs: j.Nodes[n.ID].outages(j.To), BalancerStates: j.BalancerStates[n.ID],
			Before: version(j.Before.Nodes, n.ID), After: version(j.After.Nodes, n.ID),
		}
		if j.restarted(n.ID) {
			p.Restarted = j.finalReport.History.Nodes[n.ID].Restarted
		}
		list = append(list, p)
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
