package main

import (
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/probes"
)

// The names below are those of the API (/api/v1/history, /api/v1/incidents).
// Fields may be added to schema 1; one that changes its meaning or goes makes
// another one.

type wirePasts struct {
	Schema   int        `json:"schema"`
	Since    string     `json:"since"`
	Until    string     `json:"until"`
	Clusters []wirePast `json:"clusters"`
}

type wirePast struct {
	Cluster     string           `json:"cluster"`
	Since       string           `json:"since"`
	Until       string           `json:"until"`
	Uptimes     []wireUptime     `json:"uptimes"`
	Incidents   []wireIncident   `json:"incidents"`   // newest first
	Moves       []wirePastMove   `json:"moves"`       // newest first
	Deployments []wireDeployment `json:"deployments"` // oldest first
}

type wireUptime struct {
	Kind            checks.TargetKind `json:"kind"`
	Target          string            `json:"target"`
	Probes          int               `json:"probes"`
	Failed          int               `json:"failed"`
	Ratio           float64           `json:"ratio"` // 0..1
	LongestOutageMS int64             `json:"longest_outage_ms"`
}

type wirePastMove struct {
	At      string             `json:"at"`
	From    string             `json:"from"`
	To      string             `json:"to"`
	Kept    bool               `json:"kept"`
	Session probes.Fingerprint `json:"session"`
	Cause   string             `json:"cause"`
}

type wireDeployment struct {
	Cluster string `json:"cluster"`
	Name    string `json:"name"`
	From    string `json:"from"`
	To      string `json:"to"` // "": it goes on
}

// A wireIncidentFile is one incident as -o json prints it.
type wireIncidentFile struct {
	Schema int `json:"schema"`
	wireIncident
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
	Since string `json:"since"` // first sight
	Ended string `json:"ended"` // "": it holds
}

type wireEvent struct {
	At      string             `json:"at"`
	Kind    alerting.EventKind `json:"kind"`
	Finding string             `json:"finding"` // its key; "": about the incident as a whole
	Text    string             `json:"text"`
	Reason  alerting.Reason    `json:"reason"`
}

func wirePastsOf(pasts []past, span checks.Span, now time.Time) wirePasts {
	return wirePasts{
		Schema: schema,
		Since:  wireTime(span.From),
		Until:  wireTime(span.To),
		Clusters: wireList(pasts, func(p past) wirePast {
			return wirePast{
				Cluster:     field(p.cluster),
				Since:       wireTime(p.span.From),
				Until:       wireTime(p.span.To),
				Uptimes:     wireList(p.uptimes, wireUptimeOf),
				Incidents:   wireList(p.incidents, func(i alerting.Incident) wireIncident { return wireIncidentOf(i, now) }),
				Moves:       wireList(p.moves, wirePastMoveOf),
				Deployments: wireList(p.deployments, wireDeploymentOf),
			}
		}),
	}
}

func wireUptimeOf(u checks.Uptime) wireUptime {
	return wireUptime{u.Kind, field(u.Name), u.Probes, u.Failed, u.Ratio, u.Longest.Milliseconds()}
}

func wirePastMoveOf(m checks.Move) wirePastMove {
	return wirePastMove{wireTime(m.At), field(m.From), field(m.To), m.Kept, m.Session, field(m.Cause)}
}

func wireDeploymentOf(d checks.Deployment) wireDeployment {
	return wireDeployment{field(d.Cluster), field(d.Name), wireTime(d.From), wireTime(d.To)}
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
			return wireMember{wireFindingOf(m.Finding), wireTime(m.Since), wireTime(m.Ended)}
		}),
		Timeline: wireList(i.Timeline, func(e alerting.Event) wireEvent {
			return wireEvent{wireTime(e.At), e.Kind, field(e.Finding), field(e.Text), e.Reason}
		}),
	}
}
