package main

import (
	"strings"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
)

// incident writes all that is known of one.
func (s *sheet) incident(i alerting.Incident, days calendar) {
	s.paragraph("", "  ", append(title(i.Cause), span{plain, "  " + subject(i.Cause)}, span{faint, "  " + name(i.Cluster)})...)
	s.labelled("incident", span{plain, i.ID})
	s.labelled("course", span{plain, strings.Join(course(i, days), ", ")})
	for _, moment := range []struct {
		label string
		at    time.Time
	}{{"began", i.Started}, {"told from", i.Fired}, {"ended", i.Ended}} {
		if !moment.at.IsZero() {
			s.labelled(moment.label, span{plain, moment.at.In(days.now.Location()).Format(time.DateTime + " MST")})
		}
	}
	if i.Silenced != "" {
		s.labelled("silenced", span{plain, prose(i.Silenced)})
	}
	var findings []checks.Finding
	for _, m := range i.Findings {
		findings = append(findings, m.Finding)
	}
	s.findings(findings)
	s.timeline(i.Timeline, days)
}

func (s *sheet) timeline(events []alerting.Event, days calendar) {
	s.heading("Timeline")
	for _, e := range events {
		about := name(e.Finding)
		if about != "" {
			about += ": "
		}
		s.paragraph("  ", "    ", span{plain, days.at(e.At) + "  "}, span{strong, pad(string(e.Kind), labelWidth)},
			span{plain, about + prose(e.Text)}, span{faint, "  " + string(e.Reason)})
	}
}
