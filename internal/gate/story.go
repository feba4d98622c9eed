package gate

import (
	"cmp"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A Kind of lane.
type Kind string

// The kinds.
const (
	KindSession  Kind = "session"
	KindNewcomer Kind = "newcomer"
)

// A Story is a lane, told by node id.
type Story struct {
	Kind    Kind
	Node    string // where its session was opened first, or where it is aimed; "": not told, or no matter
	Client  string // client address or key presented; "": our own
	Through string // address of the balancer

	Requests, Failed, Opened int
	Slowest                  time.Duration // of the good answers
	Longest                  Outage
	Pieces                   []Piece
}

// A Piece is a stretch of a lane, from its first request to the end of its last.
type Piece struct {
	checks.Span
	Node string // who answered; "": nobody, or not told
	Good bool
	Lost bool // the session was gone, or older
}

func (j *judge) story(lane Lane, kind Kind) Story {
	s := Story{
		Kind: kind, Node: lane.Expected, Client: lane.Client, Through: lane.Through,
		Opened: lane.Track.opened(), Slowest: lane.Track.slowest(), Longest: longest(j.outagesOf(lane)),
	}
	s.Requests, s.Failed = lane.Track.requests()
	for _, t := range lane.Track {
		p := Piece{Span: checks.Span{From: t.First.At, To: t.Last.Done()}, Good: t.First.Good, Lost: t.First.thrownOut()}
		if p.Good {
			p.Node = j.node(t.First.Label)
			if kind == KindSession {
				s.Node = cmp.Or(s.Node, p.Node)
			}
		}
		s.Pieces = append(s.Pieces, p)
	}
	return s
}

// A Passage is what a node went through.
type Passage struct {
	Node      string
	Downs     []Outage  // times in which it did not answer when asked directly
	Restarted time.Time // when it was seen to be another process; zero: it was not
	Before    string    // version at the beginning; "": not told
	After     string    // at the end
	Said      []Said    // what the balancer told of it
}

func (j *judge) passages() []Passage {
	var list []Passage
	for _, n := range j.Cluster.Nodes {
		p := Passage{
			Node: n.ID, Downs: j.Nodes[n.ID].outages(j.To), Said: j.Said[n.ID],
			Before: version(j.Before.Nodes, n.ID), After: version(j.After.Nodes, n.ID),
		}
		if j.restarted(n.ID) {
			p.Restarted = j.closing.History.Nodes[n.ID].Restarted
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
