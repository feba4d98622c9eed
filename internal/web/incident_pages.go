package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/probes"
)

// incidentsView is a page of incidents, newest first.
type incidentsView struct {
	Cluster   string // "": all
	Incidents []incidentView
	Older     string // the time before which the next page goes on; "": this is the last
}

// incidentsPage lists incidents, a page at a time: ?cluster=NAME, ?until=TIME.
func (s *Server) incidentsPage(r *http.Request, p *page) error {
	q := s.queryOf(r)
	q.text("lang")
	cluster := q.text("cluster")
	until := q.timestamp("until", time.Time{})
	if err := q.err(); err != nil {
		return err
	}
	found, err := s.incidents(r.Context(), IncidentQuery{
		Cluster: cluster, Span: checks.Span{To: until}, Limit: maxListed,
	})
	if err != nil {
		return err
	}
	view := incidentsView{Cluster: probes.Clean(cluster, maxWord), Incidents: p.incidents(found)}
	if len(found) == maxListed {
		view.Older = found[len(found)-1].Started.UTC().Format(time.RFC3339Nano)
	}
	p.Template, p.Content, p.Tab = "incidents", view, "incidents"
	p.Title = p.translate("Incidents")
	return nil
}

// incidentPage shows one incident; its address stays good for as long as the
// history keeps it.
func (s *Server) incidentPage(r *http.Request, p *page) error {
	i, err := s.incident(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	view := p.incident(i)
	p.Template, p.Content, p.Tab = "incident", view, "incidents"
	p.Title = heading(view.Summary, view.Cluster)
	p.Icon = view.StateTone
	return nil
}

// An incidentView is an incident as pages show it.
type incidentView struct {
	ID          string
	Cluster     string
	Link        string // to the cluster
	ShowCluster bool   // the page does not say by itself in which cluster
	Tone        tone   // of its severity
	StateTone   tone   // of how it stands: its severity only while something of it holds
	Severity    string
	State       string
	Open        bool
	Recovering  bool // open, but nothing of it holds: it may come again
	Flapping    bool
	Title       string
	Summary     string
	Affected    string // how many clients, in words; "": not estimated
	Remedy      string
	Silenced    string
	Merged      string
	Started     timestamp
	Ended       timestamp
	Lasted      string
	Extent      string // how much there is to see: evidence, and what the cause explains
	Tree        []findingNode
	Timeline    []eventView
	Silence     *silenceForm // nil: nobody may, or there is nothing to silence
}

type eventView struct {
	At   timestamp
	Tone tone
	Text string
}

func (v viewContext) incident(i alerting.Incident) incidentView {
	alike := slices.Concat(i.Alike())
	view := incidentView{
		ID: i.ID, Cluster: clustersOf(i), Link: clusterLink(i.Cluster), ShowCluster: true,
		Tone: toneOfSeverity(i.Severity), Severity: v.translate(string(i.Severity)), State: v.translate(string(i.State)),
		Open: i.State != alerting.Resolved, Flapping: i.Flapping,
		Title: v.title(i.Cause.Code), Summary: v.summary(i), Affected: v.affected(i.Affected()), Remedy: v.advice(i),
		Silenced: line(i.Silenced), Merged: i.MergedInto,
		Started: v.timestamp(i.Started), Ended: v.timestamp(i.Ended), Lasted: v.length(i.Duration(v.now)),
		Extent: v.extent(len(i.Findings) - len(alike)),
		Tree:   v.tree(i.Findings),
	}
	view.setState(v, i)
	for b := range view.Tree {
		if view.Tree[b].Remedy == view.Remedy {
			view.Tree[b].Remedy = "" // said above
		}
	}
	for _, e := range i.Timeline {
		view.Timeline = append(view.Timeline, eventView{At: v.timestamp(e.At), Tone: toneOfEvent(e.Kind), Text: v.event(e)})
	}
	if v.canWrite && view.Open {
		view.Silence = &silenceForm{Cluster: i.Cluster, Code: i.Cause.Code}
		if len(alike) == 1 {
			view.Silence.Node = alike[0].Node
		}
	}
	return view
}

// clustersOf names what an incident concerns, the worst affected first.
func clustersOf(i alerting.Incident) string {
	if i.Cluster == "" {
		return "stickwatch"
	}
	names := []string{word(i.Cluster)}
	for _, cluster := range i.Clusters {
		if cluster != i.Cluster {
			names = append(names, word(cluster))
		}
	}
	return strings.Join(names, ", ")
}

// setState tells how the incident stands. What nobody has to get up for does not
// look as if somebody had to: an incident goes on for a while after the last of
// its findings went, for a quarter of an hour if they come and go.
func (i *incidentView) setState(v viewContext, of alerting.Incident) {
	switch {
	case !i.Open:
		i.StateTone = toneOK
	case !of.Holds():
		i.StateTone, i.Recovering, i.State = toneUnknown, true, v.translate("quiet")
	default:
		i.StateTone = i.Tone
	}
}

// advice is what to do about an incident.
func (v viewContext) advice(i alerting.Incident) string {
	return long(alerting.Language(v.language).Advice(i))
}

func (v viewContext) extent(n int) string {
	switch {
	case n < 1:
		return v.translate("Evidence")
	case n == 1:
		return v.translate("Evidence, and a consequence")
	default:
		return v.translate("Evidence, and %d consequences", n)
	}
}

func (v viewContext) incidents(list []alerting.Incident) []incidentView {
	views := make([]incidentView, len(list))
	for i, one := range list {
		views[i] = v.incident(one)
	}
	return views
}

// A silenceView is a silence that is active or will be.
type silenceView struct {
	ID      string
	About   string
	Reason  string
	Author  string
	Active  bool
	From    timestamp
	To      timestamp
	Expires bool // may be ended by who looks
}

func (v viewContext) silences(list []alerting.Silence, cluster string) []silenceView {
	var views []silenceView
	for _, s := range list {
		if cluster != "" && s.Cluster != "" && s.Cluster != cluster {
			continue
		}
		views = append(views, silenceView{
			ID: s.ID, About: v.about(s), Reason: line(s.Reason), Author: word(s.Author),
			Active: s.Active(v.now), From: v.timestamp(s.From), To: v.until(s.To), Expires: v.canWrite,
		})
	}
	return views
}

// until is a time to come.
func (v viewContext) until(t time.Time) timestamp {
	m := v.timestamp(t)
	m.Ago = v.length(max(0, t.Sub(v.now)))
	return m
}

// about tells what a silence is about.
func (v viewContext) about(s alerting.Silence) string {
	var parts []string
	for _, part := range []string{word(s.Cluster), word(s.Node), v.titleOr(s.Code)} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return v.translate("everything")
	}
	return strings.Join(parts, " · ")
}

func (v viewContext) titleOr(c checks.Code) string {
	if c == "" {
		return ""
	}
	return v.title(c)
}
