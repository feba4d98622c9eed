package main

import (
	"slices"
	"strings"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
)

// incident writes all that is known of one.
func (s *textReport) incident(i alerting.Incident, days calendar) {
	s.paragraph("", "  ", append(title(i.Cause), span{plain, "  " + subject(i.Cause)}, span{dim, "  " + name(clustersOf(i))})...)
	s.labelled("incident", span{plain, i.ID})
	s.labelled("course", span{plain, strings.Join(incidentNotes(i, days), ", ")})
	for _, moment := range []struct {
		label string
		at    time.Time
	}{{"began", i.Started}, {"told from", i.Fired}, {"ended", i.Ended}} {
		if !moment.at.IsZero() {
			s.labelled(moment.label, span{plain, moment.at.In(days.now.Location()).Format(time.DateTime + " MST")})
		}
	}
	if i.Silenced != "" {
		s.labelled("silenced", span{plain, cleanSentence(i.Silenced)})
	}
	s.members(i)
	s.timeline(i.Timeline, days)
}

// clustersOf names what an incident concerns, the worst affected first.
func clustersOf(i alerting.Incident) string {
	if i.Cluster == "" {
		return "stickwatch"
	}
	others := slices.DeleteFunc(slices.Clone(i.Clusters), func(cluster string) bool { return cluster == i.Cluster })
	return strings.Join(append([]string{i.Cluster}, others...), ", ")
}

// members writes the findings of an incident, those of each cluster together.
func (s *textReport) members(i alerting.Incident) {
	clusters := i.Clusters
	if len(clusters) < 2 {
		clusters = []string{""}
	}
	for _, cluster := range clusters {
		var findings []checks.Finding
		for _, m := range i.Findings {
			if cluster == "" || m.Cluster == cluster {
				findings = append(findings, m.Finding)
			}
		}
		if cluster != "" {
			s.heading("Cluster " + name(cluster))
		}
		s.findings(findings)
	}
}

func (s *textReport) timeline(events []alerting.Event, days calendar) {
	s.heading("Timeline")
	for _, e := range events {
		about := name(e.Finding)
		if about != "" {
			about += ": "
		}
		s.paragraph("  ", "    ", span{plain, days.at(e.At) + "  "}, span{bold, pad(string(e.Kind), labelWidth)},
			span{plain, about + cleanSentence(e.Text)}, span{dim, "  " + string(e.Reason)})
	}
}
