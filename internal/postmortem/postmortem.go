// Package postmortem writes an incident as Markdown, to begin its post-mortem with. The
// command and the page show the same document.
package postmortem

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/wire"
	"stickwatch/probes"
)

// A Document is an incident with what its text depends on.
type Document struct {
	Incident    alerting.Incident
	Deployments []checks.Deployment // of its clusters, oldest first
	Language    alerting.Language
	Zone        *time.Location
	Now         time.Time
	Page        string // URL of the incident; "": none
}

// A writer collects the text.
type writer struct {
	strings.Builder
	Document
	labels
}

// Markdown returns the document in the dialect that GitHub and GitLab share. Names and texts
// of targets are shown literally.
func (d Document) Markdown() string {
	d.Incident = d.Incident.InZone(d.Zone)
	w := &writer{Document: d, labels: labelsIn[d.Language == alerting.Chinese]}
	w.block("# %s%s%s", w.clusters(), w.colon, w.text(d.Language.Summary(d.Incident)))
	w.facts()
	w.block("## %s", w.causes)
	w.findings()
	w.block("## %s (%s)", w.happened, d.Now.In(d.Zone).Format("MST"))
	w.timeline()
	w.block("## %s", w.followUps)
	w.WriteString("- [ ] \n")
	return w.String()
}

// block writes a paragraph.
func (w *writer) block(format string, args ...any) { fmt.Fprintf(w, format+"\n\n", args...) }

func (w *writer) text(s string) string { return wire.MarkdownText(probes.Clean(s, wire.MaxText)) }

func (w *writer) moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(w.Zone).Format("2006-01-02 15:04:05 MST")
}

func (w *writer) clusters() string {
	return strings.Join(wire.List(w.Incident.ClusterNames(), w.text), w.comma)
}

// facts writes a table of what is known, without empty rows.
func (w *writer) facts() {
	incident, ack := w.Incident, w.Incident.Acknowledged
	acknowledged := ""
	if !ack.IsZero() {
		acknowledged = cmp.Or(w.text(ack.By), w.somebody) + w.comma + w.moment(ack.At)
		if ack.Note != "" {
			acknowledged += w.colon + w.text(ack.Note)
		}
	}
	rows := [][2]string{
		{w.state, w.phases[incident.Phase()]},
		{w.severity, w.severities[incident.Severity]},
		{w.cluster, w.clusters()},
		{w.cause, w.text(w.Language.Title(incident.Cause.Code)) + " " + wire.MarkdownCode(string(incident.Cause.Code))},
		{w.affected, w.text(w.Language.Affected(incident.Affected()))},
		{w.began, w.moment(incident.Started)},
		{w.notified, w.moment(incident.Fired)},
		{w.ended, w.moment(incident.Ended)},
		{w.lasted, checks.Language(w.Language).Span(incident.Duration(w.Now).Round(time.Second))},
		{w.acknowledged, acknowledged},
		{w.deployment, w.deployments()},
		{"ID", wire.MarkdownCode(incident.ID)},
	}
	if w.Page != "" {
		rows = append(rows, [2]string{w.page, "<" + w.Page + ">"})
	}
	w.WriteString("| | |\n|---|---|\n")
	for _, row := range rows {
		if row[1] != "" {
			fmt.Fprintf(w, "| %s | %s |\n", row[0], row[1])
		}
	}
	w.WriteString("\n")
}

// deployments names the newest deployment that explains the incident.
func (w *writer) deployments() string {
	for n := len(w.Deployments) - 1; n >= 0; n-- {
		if d := w.Deployments[n]; w.Incident.BelongsTo(d) {
			return w.text(d.Name) + w.comma + w.moment(d.From)
		}
	}
	return ""
}

// findings writes each finding with its evidence, the cause first, and the remedy of the
// cause.
func (w *writer) findings() {
	i := w.Incident
	if remedy := w.Language.Advice(i); remedy != "" {
		w.block("**%s**%s%s", w.remedy, w.colon, w.text(remedy))
	}
	for _, m := range i.Findings {
		about := ""
		if len(i.Clusters) > 1 {
			about = w.text(m.Cluster) + w.colon
		}
		end := w.ongoing
		if !m.Active() {
			end = m.Ended.In(w.Zone).Format(time.TimeOnly)
		}
		fmt.Fprintf(w, "- **%s** %s %s%s (%s – %s)\n", w.text(w.Language.Title(m.Code)), wire.MarkdownCode(string(m.Code)), about,
			w.text(w.Language.Translate(m.Summary)), m.Since.In(w.Zone).Format(time.TimeOnly), end)
		for _, evidence := range m.Evidence {
			fmt.Fprintf(w, "  - %s\n", w.text(w.Language.Translate(evidence)))
		}
	}
	w.WriteString("\n")
}

func (w *writer) timeline() {
	layout := time.TimeOnly
	if i := w.Incident; len(i.Timeline) > 0 && i.Timeline[len(i.Timeline)-1].At.Sub(i.Timeline[0].At) > 12*time.Hour {
		layout = time.DateTime
	}
	fmt.Fprintf(w, "| %s | %s |\n|---|---|\n", w.time, w.event)
	for _, e := range w.Incident.Timeline {
		fmt.Fprintf(w, "| %s | %s |\n", e.At.In(w.Zone).Format(layout), w.text(w.Language.Event(e)))
	}
	w.WriteString("\n")
}

// labels has the fixed texts in one language.
type labels struct {
	state, severity, cluster, cause, affected, began, notified, ended, lasted string
	acknowledged, deployment, page, causes, happened, followUps, remedy       string
	time, event, ongoing, somebody, colon, comma                              string

	phases     map[alerting.Phase]string
	severities map[checks.Severity]string
}

// labelsIn has the labels by whether they are Chinese.
var labelsIn = map[bool]labels{
	false: {
		state: "State", severity: "Severity", cluster: "Cluster", cause: "Cause", affected: "Affected", began: "Began", notified: "Notified",
		ended: "Ended", lasted: "Lasted", acknowledged: "Acknowledged", deployment: "Deployment", page: "Page",
		causes: "Cause and consequences", happened: "Timeline", followUps: "Follow-ups", remedy: "Remedy",
		time: "Time", event: "Event", ongoing: "ongoing", somebody: "somebody", colon: ": ", comma: ", ",
		phases:     map[alerting.Phase]string{alerting.PhaseOngoing: "ongoing", alerting.PhaseRecovering: "recovering", alerting.PhaseResolved: "resolved"},
		severities: map[checks.Severity]string{checks.Critical: "critical", checks.Warning: "warning", checks.Info: "info"},
	},
	true: {
		state: "状态", severity: "级别", cluster: "集群", cause: "原因", affected: "影响范围", began: "开始", notified: "首次通知",
		ended: "结束", lasted: "历时", acknowledged: "认领", deployment: "发布", page: "页面",
		causes: "原因与影响", happened: "经过", followUps: "后续措施", remedy: "处理建议",
		time: "时间", event: "事件", ongoing: "未恢复", somebody: "有人", colon: "：", comma: "，",
		phases:     map[alerting.Phase]string{alerting.PhaseOngoing: "未恢复", alerting.PhaseRecovering: "已恢复，观察中", alerting.PhaseResolved: "已恢复"},
		severities: map[checks.Severity]string{checks.Critical: "严重", checks.Warning: "警告", checks.Info: "信息"},
	},
}
