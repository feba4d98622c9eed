package render

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/postmortem"
	"stickwatch/internal/wire"
)

// A ClusterHistory is the history of a cluster over a span.
type ClusterHistory struct {
	Cluster     string
	Uptimes     []checks.Uptime
	Latencies   []checks.Latency
	Incidents   []alerting.Incident // newest first
	Moves       []checks.Move       // newest first
	Deployments []checks.Deployment // oldest first
}

// History writes the histories of clusters over a span to w in one of ListFormats.
func History(w io.Writer, format string, all []ClusterHistory, span checks.Span, now time.Time, opts Options) error {
	if format == "json" {
		return writeJSON(w, wireClusterHistoriesOf(all, span, now))
	}
	s := NewText(opts)
	now = s.In(now)
	for i, h := range all {
		if i > 0 {
			s.Blank()
		}
		s.clusterHistory(h, span, calendar{now})
	}
	if len(all) == 0 {
		s.Line(s.Translate("The history is empty."))
	}
	_, err := io.WriteString(w, s.String())
	return err
}

// IncidentFormats are the formats of Incident.
var IncidentFormats = append(slices.Clone(ListFormats), "markdown")

// Incident writes one incident to w in one of IncidentFormats. Only Markdown has the
// deployments.
func Incident(w io.Writer, format string, d postmortem.Document, opts Options) error {
	incident, now := d.Incident, d.Now.In(d.Zone)
	switch format {
	case "json":
		return writeJSON(w, wireIncidentFile{wire.SchemaVersion, wire.IncidentOf(incident, now)})
	case "markdown":
		_, err := io.WriteString(w, d.Markdown())
		return err
	}
	s := NewText(opts)
	s.incident(incident.InZone(now.Location()), calendar{now})
	_, err := io.WriteString(w, s.String())
	return err
}

// maxListed bounds the incidents, moves and deployments in a table.
const maxListed = 20

// clusterHistory writes the history of a cluster.
func (t *Text) clusterHistory(h ClusterHistory, past checks.Span, days calendar) {
	t.paragraph("", "  ", span{bold, CleanName(h.Cluster)},
		span{plain, "  " + t.Translate("%s to %s", days.minute(past.From), days.minute(past.To))},
		span{dim, days.now.Format(" MST")})
	t.uptimes(h.Uptimes)
	t.latencies(h.Latencies)
	t.incidents(h.Incidents, days)
	t.moves(h.Moves, days)
	t.deployments(h.Deployments, days)
}

// heading begins a section. The title is translated.
func (t *Text) heading(title string, spans ...span) {
	t.Blank()
	t.paragraph("", "  ", append([]span{{bold, t.Translate(title)}}, spans...)...)
}

func (t *Text) uptimes(uptimes []checks.Uptime) {
	if len(uptimes) == 0 {
		t.heading("Uptime", span{plain, "  " + t.Translate("nothing was probed")})
		return
	}
	t.heading("Uptime")
	rows := make([][]span, len(uptimes))
	for i, u := range uptimes {
		tint := good
		if u.Failed > 0 {
			tint = warn
		}
		// Kind and name are one cell, which a narrow terminal repeats before each block.
		rows[i] = []span{{plain, pad(t.Translate(string(u.Kind)), labelWidth) + t.targetName(u.Target)}, toned(tint, wire.Percent(u.Ratio)), {dim, t.failures(u)}}
	}
	t.matrix(rows)
	if checks.SessionsUnrecorded(uptimes) {
		t.paragraph("  ", "    ", span{plain, pad(t.Translate(string(checks.TargetSession)), labelWidth) + t.Translate("no data")},
			span{dim, "  " + t.Translate("recorded since this version of stickwatch, where sessions are followed")})
	}
}

// latencies writes the percentiles of nodes and of the addresses of the balancer.
func (t *Text) latencies(all []checks.Latency) {
	var rows [][]span
	unknown := 0
	for _, l := range all {
		if l.Kind != checks.TargetNode && l.Kind != checks.TargetBalancer {
			continue
		}
		unknown += l.Unknown
		row := []span{{plain, pad(t.Translate(string(l.Kind)), labelWidth) + t.targetName(l.Target)}}
		for _, p := range []struct {
			name  string
			value time.Duration
		}{{"p50", l.P50}, {"p95", l.P95}, {"p99", l.P99}} {
			value := "–"
			if p.value > 0 {
				value = formatDuration(p.value)
			}
			row = append(row, span{plain, p.name + " " + value})
		}
		rows = append(rows, append(row, span{dim, t.Count(l.Probes, "answer", "answers")}))
	}
	if len(rows) == 0 {
		return
	}
	t.heading("Latency", span{dim, "  " + t.Translate("asked directly, within 5 %")})
	t.matrix(rows)
	if unknown > 0 {
		t.paragraph("  ", "    ", span{dim, t.Translate("without %s of which only the mean is stored", t.Count(unknown, "answer", "answers"))})
	}
}

// targetName returns the name of a target. Sessions may have no known owner.
func (f formatter) targetName(t checks.Target) string {
	if t.Kind == checks.TargetSession && t.Name == "" {
		return f.Translate("(owner unknown)")
	}
	if t.Kind == checks.TargetBalancer {
		return CleanName(checks.BalancerLabel(t.Name))
	}
	return CleanName(t.Name)
}

// failures returns how many probes there were and how many failed. The probes of a
// session are the requests of its client.
func (f formatter) failures(u checks.Uptime) string {
	probes := f.Count(u.Probes, "probe", "probes")
	detail := f.Translate("%d of %s failed", u.Failed, probes)
	if u.Kind == checks.TargetSession {
		probes = f.Count(u.Probes, "request", "requests")
		detail = f.Translate("%d of %s failed or lost their session", u.Failed, probes)
	}
	switch {
	case u.Failed == 0:
		return probes
	case u.Longest > 0:
		return f.Translate("%s, for %s at the longest", detail, durationPhrase(u.Longest))
	default:
		return detail
	}
}

func (t *Text) incidents(incidents []alerting.Incident, days calendar) {
	open := 0
	for _, i := range incidents {
		if i.State != alerting.Resolved {
			open++
		}
	}
	t.heading("Incidents", span{plain, "  " + t.counted(len(incidents), open, "%d open")})
	for _, i := range first(incidents) {
		spans := append(t.title(i.Cause), span{plain, "  " + t.subject(i.Cause)})
		t.paragraph("  ", "    ", spans...)
		t.paragraph("    ", "    ", span{plain, strings.Join(t.incidentNotes(i, days), t.Translate(", "))}, span{dim, "  " + i.ID})
	}
	t.more(len(incidents))
}

// incidentNotes returns the course of an incident in a few words.
func (f formatter) incidentNotes(incident alerting.Incident, days calendar) []string {
	words := []string{days.at(incident.Started), f.Translate("lasted %s", durationPhrase(incident.Duration(days.now)))}
	if incident.State != alerting.Resolved {
		words = []string{f.Translate("since %s", words[0]), f.Translate("%s for %s", f.Translate(string(incident.State)), durationPhrase(incident.Duration(days.now)))}
	}
	if affected := f.language().Affected(incident.Affected()); affected != "" {
		words = append(words, f.Translate("affected %s", affected))
	}
	if incident.Flapping {
		words = append(words, f.Translate("flapping"))
	}
	if incident.Silenced != "" {
		words = append(words, f.Translate("silenced"))
	}
	if a := incident.Acknowledged; !a.IsZero() {
		words = append(words, strings.TrimSpace(f.Translate("acknowledged %s", CleanName(a.By))))
	}
	if incident.MergedInto != "" {
		words = append(words, f.Translate("part of %s", incident.MergedInto))
	}
	if incident.Fired.IsZero() && incident.State == alerting.Resolved {
		words = append(words, f.Translate("nobody was notified"))
	}
	return words
}

func (t *Text) moves(moves []checks.Move, days calendar) {
	lost := 0
	for _, m := range moves {
		if !m.Kept {
			lost++
		}
	}
	t.heading("Sessions that moved", span{plain, "  " + t.counted(len(moves), lost, "%d lost")})
	for _, m := range first(moves) {
		outcome := toned(good, t.Translate("kept"))
		if !m.Kept {
			outcome = toned(bad, t.Translate("lost"))
		}
		t.paragraph("  ", "    ", span{plain, fmt.Sprintf("%s  %s → %s  ", days.at(m.At), CleanName(m.From), CleanName(m.To))},
			outcome, span{dim, "  " + string(m.Session)}, span{plain, "  " + t.message(m.Cause)})
	}
	t.more(len(moves))
}

func (t *Text) deployments(deployments []checks.Deployment, days calendar) {
	t.heading("Deployments", span{plain, "  " + t.counted(len(deployments), 0, "")})
	newest := slices.Clone(deployments)
	slices.Reverse(newest)
	for _, d := range first(newest) {
		duration := t.Translate("ongoing")
		if !d.To.IsZero() {
			duration = t.phrase(durationPhrase(d.To.Sub(d.From)))
		}
		t.paragraph("  ", "    ", span{plain, fmt.Sprintf("%s  %s", days.at(d.From), CleanSentence(d.Name))}, span{dim, "  " + duration})
	}
	t.more(len(deployments))
}

// first returns the elements of a list that a table shows.
func first[T any](list []T) []T { return list[:min(len(list), maxListed)] }

// more writes how many of n elements a table omits.
func (t *Text) more(n int) {
	if n > maxListed {
		t.paragraph("  ", "  ", span{dim, t.Translate("… and %d more (-o json shows all)", n-maxListed)})
	}
}

// maxRead is how many rows of a list a history returns at most.
const maxRead = 10_000

// counted returns the length of a list and how many of it are special, such as "%d lost".
func (f formatter) counted(length, special int, note string) string {
	switch {
	case length == 0:
		return f.Translate("none")
	case length >= maxRead:
		return f.Translate("%d (the newest; there may be more)", length)
	case special == 0:
		return strconv.Itoa(length)
	default:
		return fmt.Sprintf("%d (%s)", length, f.Translate(note, special))
	}
}

// incident writes an incident with its findings and its timeline.
func (t *Text) incident(incident alerting.Incident, days calendar) {
	t.paragraph("", "  ", append(t.title(incident.Cause), span{plain, "  " + t.subject(incident.Cause)}, span{dim, "  " + CleanNames(incident.ClusterNames())})...)
	t.labelled("incident", span{plain, incident.ID})
	t.labelled("course", span{plain, strings.Join(t.incidentNotes(incident, days), t.Translate(", "))})
	for _, moment := range []struct {
		label string
		at    time.Time
	}{{"started", incident.Started}, {"notified", incident.Fired}, {"ended", incident.Ended}} {
		if !moment.at.IsZero() {
			t.labelled(moment.label, span{plain, moment.at.In(days.now.Location()).Format(time.DateTime + " MST")})
		}
	}
	if incident.Silenced != "" {
		t.labelled("silenced", span{plain, CleanSentence(incident.Silenced)})
	}
	t.members(incident)
	t.timeline(incident.Timeline, days)
}

// members writes the findings of an incident by cluster.
func (t *Text) members(i alerting.Incident) {
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
			t.heading("Cluster", span{plain, "  " + CleanName(cluster)})
		}
		t.findings(findings)
	}
}

// eventWidth is the width of the longest kind of event, with a gap.
const eventWidth = len(alerting.EventAcknowledged) + 2

func (t *Text) timeline(events []alerting.Event, days calendar) {
	t.heading("Timeline", span{dim, days.now.Format("  MST")})
	for _, e := range events {
		if t.Language == checks.Chinese { // whose texts begin with the kind and name the finding
			t.paragraph("  ", "    ", span{plain, days.at(e.At) + "  " + CleanSentence(alerting.Chinese.Event(e))})
			continue
		}
		about := CleanName(e.Finding)
		if about != "" {
			about += ": "
		}
		t.paragraph("  ", "    ", span{plain, days.at(e.At) + "  "}, span{bold, pad(string(e.Kind), eventWidth)},
			span{plain, about + CleanSentence(e.Text)}, span{dim, "  " + string(e.Reason)})
	}
}

// The JSON below has the names of the API (/api/v1/history, /api/v1/incidents). Schema 1
// may gain fields. A field that changes its meaning or is removed needs a new schema.

type wireClusterHistories struct {
	Schema   int                  `json:"schema"`
	Since    wire.Timestamp       `json:"since"`
	Until    wire.Timestamp       `json:"until"`
	Clusters []wireClusterHistory `json:"clusters"`
}

type wireClusterHistory struct {
	Cluster     string            `json:"cluster"`
	Since       wire.Timestamp    `json:"since"`
	Until       wire.Timestamp    `json:"until"`
	Uptimes     []wire.Uptime     `json:"uptimes"`
	Incidents   []wire.Incident   `json:"incidents"` // newest first
	Latencies   []wire.Latency    `json:"latencies"`
	Moves       []wire.Move       `json:"moves"`       // newest first
	Deployments []wire.Deployment `json:"deployments"` // oldest first
}

type wireIncidentFile struct {
	Schema int `json:"schema"`
	wire.Incident
}

func wireClusterHistoriesOf(clusterHistories []ClusterHistory, span checks.Span, now time.Time) wireClusterHistories {
	return wireClusterHistories{
		Schema: wire.SchemaVersion,
		Since:  wire.TimestampOf(span.From),
		Until:  wire.TimestampOf(span.To),
		Clusters: wire.List(clusterHistories, func(h ClusterHistory) wireClusterHistory {
			return wireClusterHistory{
				Cluster:     wire.Text(h.Cluster),
				Since:       wire.TimestampOf(span.From),
				Until:       wire.TimestampOf(span.To),
				Uptimes:     wire.List(h.Uptimes, wire.UptimeOf),
				Latencies:   wire.List(h.Latencies, wire.LatencyOf),
				Incidents:   wire.List(h.Incidents, func(i alerting.Incident) wire.Incident { return wire.IncidentOf(i, now) }),
				Moves:       wire.List(h.Moves, wire.MoveOf),
				Deployments: wire.List(h.Deployments, wire.DeploymentOf),
			}
		}),
	}
}
