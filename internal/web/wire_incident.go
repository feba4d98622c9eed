package web

import (
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
)

type wireIncidents struct {
	Incidents []wireIncident `json:"incidents"`
}

type wireIncident struct {
	ID         string          `json:"id"`
	Cluster    string          `json:"cluster"`
	State      alerting.State  `json:"state"`
	Severity   checks.Severity `json:"severity"` // the worst it has had
	Code       checks.Code     `json:"code"`     // of its cause
	Summary    string          `json:"summary"`
	Remedy     string          `json:"remedy"`
	Started    string          `json:"started"`
	Fired      string          `json:"fired"` // ""; it has not held long enough to be told
	Ended      string          `json:"ended"` // "": it goes on
	DurationMS int64           `json:"duration_ms"`
	Flapping   bool            `json:"flapping"`
	MergedInto string          `json:"merged_into"`
	Silenced   string          `json:"silenced"` // why nobody is told; "": they are
	Findings   []wireMember    `json:"findings"` // the cause first
	Timeline   []wireEvent     `json:"timeline"` // oldest first
}

type wireMember struct {
	wireFinding
	Ended string `json:"ended"` // "": it holds
}

type wireEvent struct {
	At      string             `json:"at"`
	Kind    alerting.EventKind `json:"kind"`
	Finding string             `json:"finding"` // its key; "": about the incident as a whole
	Text    string             `json:"text"`
	Reason  alerting.Reason    `json:"reason"`
}

func wireIncidentOf(i alerting.Incident, now time.Time) wireIncident {
	return wireIncident{
		ID:         i.ID,
		Cluster:    field(i.Cluster),
		State:      i.State,
		Severity:   i.Severity,
		Code:       i.Cause.Code,
		Summary:    field(i.Cause.Summary),
		Remedy:     field(i.Cause.Remedy),
		Started:    wireTime(i.Started),
		Fired:      wireTime(i.Fired),
		Ended:      wireTime(i.Ended),
		DurationMS: i.Duration(now).Milliseconds(),
		Flapping:   i.Flapping,
		MergedInto: i.MergedInto,
		Silenced:   field(i.Silenced),
		Findings: wireList(i.Findings, func(m alerting.Member) wireMember {
			return wireMember{wireFindingOf(m.Finding, m.Since), wireTime(m.Ended)}
		}),
		Timeline: wireList(i.Timeline, func(e alerting.Event) wireEvent {
			return wireEvent{wireTime(e.At), e.Kind, field(e.Finding), field(e.Text), e.Reason}
		}),
	}
}
