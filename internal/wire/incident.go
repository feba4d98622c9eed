package wire

import (
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
)

// An Incident is findings with one cause, from first sight to recovery.
type Incident struct {
	ID         string          `json:"id"`
	Cluster    string          `json:"cluster"`  // the worst affected; "": of stickwatch itself
	Clusters   []string        `json:"clusters"` // all that it concerns
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
	Affected   Affected        `json:"affected,omitzero"` // the worst of its active findings; once it is over, of all
	Silenced   string          `json:"silenced"`          // why nobody is told; "": they are
	Findings   []Member        `json:"findings"`          // the cause first
	Timeline   []Event         `json:"timeline"`          // oldest first
}

// A Member is a finding's part in an incident.
type Member struct {
	ActiveFinding
	Cluster string `json:"cluster"`
	Ended   string `json:"ended"` // "": it holds
}

// A ActiveFinding is a finding that holds from one round to the next.
type ActiveFinding struct {
	Finding
	Since string `json:"since"` // first sight; "": not known
}

// An Event is a line in an incident's timeline.
type Event struct {
	At      string             `json:"at"`
	Kind    alerting.EventKind `json:"kind"`
	Cluster string             `json:"cluster"` // of the finding, where the incident concerns several; else ""
	Finding string             `json:"finding"` // its key; "": about the incident as a whole
	Text    string             `json:"text"`
	Reason  alerting.Reason    `json:"reason"`
}

// IncidentOf is an incident as it is now.
func IncidentOf(i alerting.Incident, now time.Time) Incident {
	return Incident{
		ID:         i.ID,
		Cluster:    Field(i.Cluster),
		Clusters:   List(i.Clusters, Field),
		State:      i.State,
		Severity:   i.Severity,
		Code:       i.Cause.Code,
		Summary:    Field(alerting.English.Summary(i)),
		Remedy:     Field(alerting.English.Advice(i)),
		Started:    Time(i.Started),
		Fired:      Time(i.Fired),
		Ended:      Time(i.Ended),
		DurationMS: i.Duration(now).Milliseconds(),
		Flapping:   i.Flapping,
		MergedInto: i.MergedInto,
		Affected:   Affected(i.Affected()),
		Silenced:   Field(i.Silenced),
		Findings: List(i.Findings, func(m alerting.Member) Member {
			return Member{ActiveFinding{FindingOf(m.Finding), Time(m.Since)}, Field(m.Cluster), Time(m.Ended)}
		}),
		Timeline: List(i.Timeline, func(e alerting.Event) Event {
			return Event{Time(e.At), e.Kind, Field(e.Cluster), Field(e.Finding), Field(e.Text), e.Reason}
		}),
	}
}

// A Finding with its evidence and its remedy.
type Finding struct {
	Code        checks.Code     `json:"code"`
	Severity    checks.Severity `json:"severity"`
	Node        string          `json:"node"`
	Nodes       []string        `json:"nodes"`
	Dependency  string          `json:"dependency"`
	Target      string          `json:"target"` // what else it is about, such as a page
	Summary     string          `json:"summary"`
	Remedy      string          `json:"remedy"`
	Evidence    []string        `json:"evidence"`
	Key         string          `json:"key"`          // names it from one round to the next
	ExplainedBy string          `json:"explained_by"` // the key of its cause
	Affected    Affected        `json:"affected,omitzero"`
}

// Affected is how many clients a finding or an incident concerns; it is left out
// where that is not estimated.
type Affected struct {
	Share float64 `json:"share"` // 0..1
	Of    int     `json:"of"`    // observed clients; 0: not known
}

// FindingOf is a finding as programs get it.
func FindingOf(f checks.Finding) Finding {
	return Finding{
		Code:        f.Code,
		Severity:    f.Severity,
		Node:        Field(f.Node),
		Nodes:       List(f.Nodes, Field),
		Dependency:  Field(f.Dependency),
		Target:      Field(f.Target),
		Summary:     Sentence(f.Summary),
		Remedy:      Sentence(f.Remedy),
		Evidence:    List(f.Evidence, Sentence),
		Key:         Field(f.Key()),
		ExplainedBy: Field(f.ExplainedBy),
		Affected:    Affected(f.Affected),
	}
}
