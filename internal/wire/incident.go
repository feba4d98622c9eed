package wire

import (
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
)

// An Incident is a group of findings with one cause, from the first detection to the recovery.
type Incident struct {
	ID         string          `json:"id"`
	Cluster    string          `json:"cluster"`  // the most affected cluster; "": the incident is about stickwatch itself
	Clusters   []string        `json:"clusters"` // every affected cluster
	State      alerting.State  `json:"state"`    // it is pending until it has been active for long enough to notify people
	Phase      alerting.Phase  `json:"phase"`    // ongoing, recovering (no finding is active any more), or resolved
	Severity   checks.Severity `json:"severity"` // the highest severity so far
	Code       checks.Code     `json:"code"`     // code of the cause
	Summary    string          `json:"summary"`
	Remedy     string          `json:"remedy"`
	Started    Timestamp       `json:"started"`
	Fired      Timestamp       `json:"fired"`             // when notifications began; "": not yet
	Ended      Timestamp       `json:"ended"`             // "": ongoing
	DurationMS int64           `json:"duration_ms"`       // until its end, or until now
	Flapping   bool            `json:"flapping"`          // its findings appear and disappear
	MergedInto string          `json:"merged_into"`       // id of the incident that has the same cause; "": none
	Affected   Affected        `json:"affected,omitzero"` // of the worst active finding; of the worst finding when the incident is resolved
	Silenced   string          `json:"silenced"`          // why notifications are suppressed; "": they are not
	// Acknowledged says who takes care of it; omitted: nobody said so.
	Acknowledged Acknowledgement `json:"acknowledged,omitzero"`
	Findings     []Member        `json:"findings"` // the cause first
	Timeline     []Event         `json:"timeline"` // oldest first
}

// An Acknowledgement says who takes care of an incident.
type Acknowledgement struct {
	At   Timestamp `json:"at"`
	By   string    `json:"author"` // "": unknown
	Note string    `json:"note"`   // "": none
}

func acknowledgementOf(a alerting.Acknowledgement) Acknowledgement {
	if a.IsZero() {
		return Acknowledgement{}
	}
	return Acknowledgement{TimestampOf(a.At), Text(a.By), Text(a.Note)}
}

// A Member is a finding that belongs to an incident.
type Member struct {
	ActiveFinding
	Cluster string    `json:"cluster"` // cluster of the finding
	Ended   Timestamp `json:"ended"`   // "": active
}

// An ActiveFinding is a finding that persists over rounds.
type ActiveFinding struct {
	Finding
	Since Timestamp `json:"since"` // time of the first detection; "": unknown
}

// An Event is an entry of an incident's timeline.
type Event struct {
	At      Timestamp          `json:"at"`
	Kind    alerting.EventKind `json:"kind"`
	Cluster string             `json:"cluster"` // cluster of the finding if the incident affects several clusters, else ""
	Finding string             `json:"finding"` // key of the finding; "": the event is about the whole incident
	Text    string             `json:"text"`    // in English
	Reason  alerting.Reason    `json:"reason"`
}

// IncidentOf converts an incident; now determines the duration of an ongoing one.
func IncidentOf(incident alerting.Incident, now time.Time) Incident {
	return Incident{
		ID:           incident.ID,
		Cluster:      Text(incident.Cluster),
		Clusters:     List(incident.Clusters, Text),
		State:        incident.State,
		Phase:        incident.Phase(),
		Severity:     incident.Severity,
		Code:         incident.Cause.Code,
		Summary:      Text(alerting.English.Summary(incident)),
		Remedy:       Text(alerting.English.Advice(incident)),
		Started:      TimestampOf(incident.Started),
		Fired:        TimestampOf(incident.Fired),
		Ended:        TimestampOf(incident.Ended),
		DurationMS:   incident.Duration(now).Milliseconds(),
		Flapping:     incident.Flapping,
		MergedInto:   incident.MergedInto,
		Affected:     Affected(incident.Affected()),
		Silenced:     Text(incident.Silenced),
		Acknowledged: acknowledgementOf(incident.Acknowledged),
		Findings: List(incident.Findings, func(m alerting.Member) Member {
			return Member{ActiveFinding{FindingOf(m.Finding), TimestampOf(m.Since)}, Text(m.Cluster), TimestampOf(m.Ended)}
		}),
		Timeline: List(incident.Timeline, func(e alerting.Event) Event {
			return Event{TimestampOf(e.At), e.Kind, Text(e.Cluster), Text(e.Finding), Text(e.Text), e.Reason}
		}),
	}
}

// A Finding is a detected problem with its evidence and its remedy.
type Finding struct {
	Code        checks.Code     `json:"code"`
	Severity    checks.Severity `json:"severity"`
	Node        string          `json:"node"`
	Nodes       []string        `json:"nodes"`
	Dependency  string          `json:"dependency"`
	Target      string          `json:"target"` // any other subject, such as a page
	Summary     string          `json:"summary"`
	Remedy      string          `json:"remedy"`
	Evidence    []string        `json:"evidence"`
	Key         string          `json:"key"`          // stable identity over rounds
	ExplainedBy string          `json:"explained_by"` // key of the finding that is the cause; "": none
	Affected    Affected        `json:"affected,omitzero"`
}

// Affected is the estimated share of clients that a finding or an incident affects. It is
// omitted if there is no estimate.
type Affected struct {
	Share float64 `json:"share"` // 0 to 1
	Of    int     `json:"of"`    // number of observed clients; 0: unknown
}

// FindingOf converts a finding.
func FindingOf(f checks.Finding) Finding {
	return Finding{
		Code:        f.Code,
		Severity:    f.Severity,
		Node:        Text(f.Node),
		Nodes:       List(f.Nodes, Text),
		Dependency:  Text(f.Dependency),
		Target:      Text(f.Target),
		Summary:     sentence(f.Summary),
		Remedy:      sentence(f.Remedy),
		Evidence:    List(f.Evidence, sentence),
		Key:         Text(f.Key()),
		ExplainedBy: Text(f.ExplainedBy),
		Affected:    Affected(f.Affected),
	}
}

// A Silence holds back the notifications about some findings for a time.
type Silence struct {
	ID      string      `json:"id"`
	Cluster string      `json:"cluster"` // "": all clusters
	Node    string      `json:"node"`    // "": all nodes, and findings without a node
	Code    checks.Code `json:"code"`    // "": all codes
	Reason  string      `json:"reason"`
	Author  string      `json:"author"`
	From    Timestamp   `json:"from"`
	To      Timestamp   `json:"to"`
	Active  bool        `json:"active"` // it has begun
}

// SilenceOf converts a silence, which is active or not at the given time.
func SilenceOf(s alerting.Silence, now time.Time) Silence {
	return Silence{
		ID: s.ID, Cluster: Text(s.Cluster), Node: Text(s.Node), Code: s.Code,
		Reason: Text(s.Reason), Author: Text(s.Author), From: TimestampOf(s.From), To: TimestampOf(s.To), Active: s.Active(now),
	}
}
