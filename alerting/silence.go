package alerting

import (
	"cmp"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
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

// A silenceMatch is the silences that are active at one moment, windows included.
type silenceMatch []Silence

// silenceMatchAt returns what is active at a moment.
func silenceMatchAt(at time.Time, silences []Silence, windows []Window) silenceMatch {
	var c silenceMatch
	for _, s := range silences {
		if s.Active(at) {
			c = append(c, s)
		}
	}
	for _, w := range windows {
		if w.Active != nil && w.Active(at) {
			c = append(c, Silence{Cluster: w.Cluster, Node: w.Node, Code: w.Code, Reason: cmp.Or(w.Reason, "maintenance")})
		}
	}
	return c
}

// all reports whether all of a cluster is silenced.
func (c silenceMatch) all(cluster string) bool {
	for _, s := range c {
		if s.Node == "" && s.Code == "" && (s.Cluster == "" || s.Cluster == cluster) {
			return true
		}
	}
	return false
}

// whyMember follows a finding to its causes until one is covered. The number of
// steps is bounded: explanations that come from different rounds could form a
// circle.
func (c silenceMatch) whyMember(i *Incident, m Member) string {
	for range i.Findings {
		for _, s := range c {
			if s.Matches(m.Cluster, m.Finding) {
				return s.why()
			}
		}
		cause := i.member(m.Cluster, m.ExplainedBy)
		if cause == nil {
			return ""
		}
		m = *cause
	}
	return ""
}

// why is the silence's reason, in one line that is never empty.
func (s Silence) why() string {
	return cmp.Or(probes.Clean(s.Reason, probes.MaxError), "silence "+s.ID)
}
