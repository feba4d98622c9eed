package alerting

import (
	"cmp"
	"time"

	"stickwatch/probes"
)

// A cover is the silences that are active at one moment, windows included.
type cover []Silence

// coverAt returns what is active at a moment.
func coverAt(at time.Time, silences []Silence, windows []Window) cover {
	var c cover
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

// why tells why nobody is to be told of an incident now; "": they are. Every
// finding of it that holds, and is worth a message, must be covered, or be
// explained by one that is: what is announced for a cause is announced for its
// consequences. What is announced for a consequence says nothing about another,
// or about the cause.
func (c cover) why(i *Incident) string {
	var first string
	for _, m := range i.Findings {
		if !m.raises() || !m.Holds() {
			continue
		}
		why := c.whyMember(i, m)
		if why == "" {
			return ""
		}
		first = cmp.Or(first, why)
	}
	return first
}

// whyMember follows a finding to its causes until one is covered. The number of
// steps is bounded: explanations that come from different rounds could form a
// circle.
func (c cover) whyMember(i *Incident, m Member) string {
	for range i.Findings {
		for _, s := range c {
			if s.Matches(i.Cluster, m.Finding) {
				return s.why()
			}
		}
		cause := i.member(m.ExplainedBy)
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
