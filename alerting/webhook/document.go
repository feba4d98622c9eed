package webhook

import (
	"time"

	"stickwatch/alerting"
	"stickwatch/alerting/message"
	"stickwatch/checks"
	"stickwatch/probes"
)

// The bounds of a document.
const (
	maxText     = 480 // bytes of a text, as in findings
	maxNames    = 100 // nodes of a finding
	maxEvidence = 10  // lines of evidence of a finding
	maxFindings = 50
)

type document struct {
	Schema   int                       `json:"schema"`
	ID       string                    `json:"id"`
	Kind     alerting.NotificationKind `json:"kind"`
	Receiver string                    `json:"receiver"`
	At       string                    `json:"at"`
	Incident incident                  `json:"incident"`

	Deployment *deployment `json:"deployment"` // of kind deployment; null in all others
	News       []event     `json:"news"`
	Message    words       `json:"message"`
}

type incident struct {
	ID           string          `json:"id"`
	Cluster      string          `json:"cluster"`
	Clusters     []string        `json:"clusters"`
	State        alerting.State  `json:"state"`
	Severity     checks.Severity `json:"severity"`
	Code         checks.Code     `json:"code"`
	Summary      string          `json:"summary"`
	Remedy       string          `json:"remedy"`
	Started      string          `json:"started"`
	Fired        string          `json:"fired"`
	Ended        string          `json:"ended"`
	DurationMS   int64           `json:"duration_ms"`
	Flapping     bool            `json:"flapping"`
	MergedInto   string          `json:"merged_into"`
	Acknowledged acknowledgement `json:"acknowledged,omitzero"`
	Affected     affected        `json:"affected,omitzero"`
	Findings     []finding       `json:"findings"`
	Omitted      int             `json:"findings_omitted"`
}

type acknowledgement struct {
	At   string `json:"at"`
	By   string `json:"author"`
	Note string `json:"note"`
}

type finding struct {
	Cluster     string          `json:"cluster"`
	Code        checks.Code     `json:"code"`
	Severity    checks.Severity `json:"severity"`
	Node        string          `json:"node"`
	Nodes       []string        `json:"nodes"`
	Dependency  string          `json:"dependency"`
	Target      string          `json:"target"`
	Summary     string          `json:"summary"`
	Remedy      string          `json:"remedy"`
	Evidence    []string        `json:"evidence"`
	Key         string          `json:"key"`
	ExplainedBy string          `json:"explained_by"`
	Affected    affected        `json:"affected,omitzero"`
	Since       string          `json:"since"`
	Ended       string          `json:"ended"`
}

// affected is omitted if there is no estimate.
type affected struct {
	Share float64 `json:"share"`
	Of    int     `json:"of"`
}

// deployment has the effects of a deployment.
type deployment struct {
	ID              string    `json:"id"`
	Cluster         string    `json:"cluster"`
	Name            string    `json:"name"`
	From            string    `json:"from"`
	To              string    `json:"to"`
	Nodes           []string  `json:"nodes"` // observed down, restarted, ejected, or drained
	Moved           int       `json:"sessions_moved"`
	Lost            int       `json:"sessions_lost"`
	LongestOutageMS int64     `json:"longest_outage_ms"`
	Active          []finding `json:"active"` // findings that are active
}

type event struct {
	At      string             `json:"at"`
	Kind    alerting.EventKind `json:"kind"`
	Cluster string             `json:"cluster"`
	Finding string             `json:"finding"`
	Text    string             `json:"text"`
	Reason  alerting.Reason    `json:"reason"`
}

type words struct {
	Headline string `json:"headline"`
	Text     string `json:"text"`
	Links    []link `json:"links"`
}

type link struct {
	Text string `json:"text"`
	URL  string `json:"url"`
}

func documentOf(n alerting.Notification, m message.Message) document {
	return document{
		Schema:   1,
		ID:       n.ID,
		Kind:     n.Kind,
		Receiver: n.Receiver,
		At:       moment(n.At),
		Incident: incidentOf(n),

		Deployment: deploymentOf(n.Deployment),
		News:       list(n.News, alerting.MaxNews, eventOf),
		Message:    words{m.Headline, m.Plain(), list(m.Links, len(m.Links), func(l message.Link) link { return link{l.Text, l.URL} })},
	}
}

func incidentOf(n alerting.Notification) incident {
	i := n.Incident
	return incident{
		ID:           i.ID,
		Cluster:      text(i.Cluster),
		Clusters:     list(i.Clusters, maxNames, text),
		State:        i.State,
		Severity:     i.Severity,
		Code:         i.Cause.Code,
		Summary:      text(alerting.English.Summary(i)),
		Remedy:       text(alerting.English.Advice(i)),
		Started:      moment(i.Started),
		Fired:        moment(i.Fired),
		Ended:        moment(i.Ended),
		DurationMS:   i.Duration(n.At).Milliseconds(),
		Flapping:     i.Flapping,
		MergedInto:   text(i.MergedInto),
		Acknowledged: acknowledgement{moment(i.Acknowledged.At), text(i.Acknowledged.By), text(i.Acknowledged.Note)},
		Affected:     affected(i.Affected()),
		Findings:     list(i.Findings, maxFindings, findingOf),
		Omitted:      max(0, len(i.Findings)-maxFindings),
	}
}

func deploymentOf(s *alerting.Summary) *deployment {
	if s == nil {
		return nil
	}
	return &deployment{
		ID:              s.ID,
		Cluster:         text(s.Cluster),
		Name:            text(s.Name),
		From:            moment(s.From),
		To:              moment(s.End()),
		Nodes:           list(s.Touched, maxNames, text),
		Moved:           s.Moved,
		Lost:            s.Lost,
		LongestOutageMS: s.Longest.Milliseconds(),
		Active: list(s.Active, alerting.MaxActive, func(f checks.Finding) finding {
			return findingOf(alerting.Member{ActiveFinding: checks.ActiveFinding{Finding: f}})
		}),
	}
}

func findingOf(member alerting.Member) finding {
	return finding{
		Cluster:     text(member.Cluster),
		Code:        member.Code,
		Severity:    member.Severity,
		Node:        text(member.Node),
		Nodes:       list(member.Nodes, maxNames, text),
		Dependency:  text(member.Dependency),
		Target:      text(member.Target),
		Summary:     sentence(member.Summary),
		Remedy:      sentence(member.Remedy),
		Evidence:    list(member.Evidence, maxEvidence, sentence),
		Key:         text(member.Key()),
		ExplainedBy: text(member.ExplainedBy),
		Affected:    affected(member.Affected),
		Since:       moment(member.Since),
		Ended:       moment(member.Ended),
	}
}

func eventOf(e alerting.Event) event {
	return event{moment(e.At), e.Kind, text(e.Cluster), text(e.Finding), text(e.Text), e.Reason}
}

// list converts the first elements of a slice. It returns [] instead of null for
// none.
func list[A, B any](all []A, most int, convert func(A) B) []B {
	out := make([]B, min(len(all), most))
	for i := range out {
		out[i] = convert(all[i])
	}
	return out
}

// text cleans text that may come from a target.
func text(s string) string { return probes.Clean(s, maxText) }

// sentence formats a message in English, the language for programs.
func sentence(m checks.Message) string { return text(m.String()) }

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
