package gate

import (
	"cmp"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A ClientKind of lane.
type ClientKind string

// The kinds.
const (
	KindSession   ClientKind = "session"
	KindNewClient ClientKind = "newcomer"
)

// A ClientReport is a lane, told by node id.
type ClientReport struct {
	Kind     ClientKind
	Node     string // where its session was opened first, or where it is aimed; "": not told, or no matter
	Client   string // client address or key presented; "": our own
	Frontend string // address of the balancer

	Requests, Failed, Opened int
	Slowest                  time.Duration // of the good answers
	Longest                  Outage
	Segments                 []Segment
}

// A Segment is a stretch of a lane, from its first request to the end of its last.
type Segment struct {
	checks.Span
	Node string // who answered; "": nobody, or not told
	Good bool
	Lost bool // the session was gone, or older
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

// A NodeReport is what a node went through.
type NodeReport struct {
	Node           string
	Downs          []Outage        // times in which it did not answer when asked directly
	Restarted      time.Time       // when it was seen to be another process; zero: it was not
	Before         string          // version at the beginning; "": not told
	After          string          // at the end
	BalancerStates []BalancerState // what the balancer told of it
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
