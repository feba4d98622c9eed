package alerting

import (
	"cmp"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A Silence prevents notifications about matching findings for a time. The findings
// are still recorded and shown, and receivers that were notified of an incident
// before are notified of its end.
type Silence struct {
	ID      string
	Cluster string      // "": every cluster
	Node    string      // "": every node, and findings without one
	Code    checks.Code // "": every code
	Reason  string      // as given by the author
	Author  string      // "": not given
	From    time.Time
	To      time.Time // excluded
}

// Active reports whether the silence is active at a time.
func (s Silence) Active(at time.Time) bool { return !at.Before(s.From) && at.Before(s.To) }

// matches reports whether the silence applies to a finding of a cluster. A silence of
// one node does not apply to a finding about several nodes.
func (s Silence) matches(cluster string, f checks.Finding) bool {
	return (s.Cluster == "" || s.Cluster == cluster) &&
		(s.Node == "" || s.Node == f.Node) &&
		(s.Code == "" || s.Code == f.Code)
}

// A Window is recurring maintenance. It acts as a silence while it is active.
type Window struct {
	Cluster string      // "": every cluster
	Node    string      // "": every node, and findings without one
	Code    checks.Code // "": every code
	Active  func(at time.Time) bool
}

// A silenceMatch has the silences and windows that are active at one time.
type silenceMatch []Silence

// silenceMatchAt returns the silences and windows that are active at a time.
func silenceMatchAt(at time.Time, silences []Silence, windows []Window) silenceMatch {
	var c silenceMatch
	for _, s := range silences {
		if s.Active(at) {
			c = append(c, s)
		}
	}
	for _, w := range windows {
		if w.Active != nil && w.Active(at) {
			c = append(c, Silence{Cluster: w.Cluster, Node: w.Node, Code: w.Code, Reason: "maintenance"})
		}
	}
	return c
}

// all reports whether a cluster is silenced completely.
func (sm silenceMatch) all(cluster string) bool {
	for _, s := range sm {
		if s.Node == "" && s.Code == "" && (s.Cluster == "" || s.Cluster == cluster) {
			return true
		}
	}
	return false
}

// reason returns why a finding, or one of its causes, is silenced; "": none is. The
// number of steps is bounded, because explanations from different rounds can form a
// cycle.
func (sm silenceMatch) reason(i *Incident, m Member) string {
	for range i.Findings {
		for _, s := range sm {
			if s.matches(m.Cluster, m.Finding) {
				return s.description()
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

// description returns the reason of the silence in one line, or its ID if there is
// none.
func (s Silence) description() string {
	return cmp.Or(probes.Clean(s.Reason, probes.MaxError), "silence "+s.ID)
}
