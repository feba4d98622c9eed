package alerting

import (
	"time"

	"stickwatch/checks"
)

// A Silence is a stretch of time in which nobody is told of some findings. They
// are still watched, recorded and shown, and who has been told of an incident
// before is told of its end.
type Silence struct {
	ID      string
	Cluster string      // "": every cluster
	Node    string      // "": every node, and what is about none
	Code    checks.Code // "": every code
	Reason  string      // as somebody gave it
	Author  string      // "": not given
	From    time.Time
	To      time.Time // excluded
}

// Active reports whether the silence covers the time at.
func (s Silence) Active(at time.Time) bool { return !at.Before(s.From) && at.Before(s.To) }

// Matches reports whether the silence is about a finding of a cluster. A
// silence of one node says nothing about a finding that names several: what
// another node has to do with is not announced by it.
func (s Silence) Matches(cluster string, f checks.Finding) bool {
	return (s.Cluster == "" || s.Cluster == cluster) &&
		(s.Node == "" || s.Node == f.Node) &&
		(s.Code == "" || s.Code == f.Code)
}

// A Window is maintenance that comes again and again: a silence whenever it is
// active.
type Window struct {
	Cluster string      // "": every cluster
	Node    string      // "": every node, and what is about none
	Code    checks.Code // "": every code
	Reason  string      // "": "maintenance"
	Active  func(at time.Time) bool
}
