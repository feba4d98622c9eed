package web

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/postmortem"
	"stickwatch/internal/wire"
)

// incidentHandler serves the page of an incident, and its post-mortem at the same path with
// the suffix .md.
func (s *Server) incidentHandler() http.Handler {
	page := s.page(s.incidentPage)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, markdown := strings.CutSuffix(r.PathValue("id"), ".md")
		if !markdown {
			page.ServeHTTP(w, r)
			return
		}
		p := s.newPage(r)
		text, err := s.postmortem(r.Context(), p, id)
		if err != nil {
			s.render(w, r, s.pageOf(w, r, p, err), p)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		write(w, r, "text/markdown; charset=utf-8", http.StatusOK, []byte(text))
	})
}

// postmortem returns the post-mortem of an incident in the language of a page.
func (s *Server) postmortem(ctx context.Context, p *page, id string) (string, error) {
	i, err := s.incident(ctx, id)
	if err != nil {
		return "", err
	}
	deployments, err := s.config.History.Deployments(ctx, i.Cluster, checks.Span{To: p.now})
	if err != nil {
		return "", err
	}
	d := postmortem.Document{Incident: i, Deployments: deployments, Language: alerting.Language(p.Language), Zone: p.zone, Now: p.now}
	if external := s.external.Load(); external.Host != "" {
		d.Page = external.JoinPath("incidents", i.ID).String()
	}
	return d.Markdown(), nil
}

// incidentPage shows one incident. Its URL is valid as long as the history keeps the incident.
func (s *Server) incidentPage(r *http.Request, p *page) error {
	i, err := s.incident(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	view := p.incident(i)
	view.Links = s.linksOf(i, p.now)
	view.CanNote = p.canWrite && s.config.Operator != nil
	view.Acknowledge = view.CanNote && i.State == alerting.Firing
	p.Template, p.Content, p.Tab = "incident", view, "incidents"
	p.Title = heading(view.Summary, view.Cluster)
	p.Icon = view.StateTone
	return nil
}

type incidentView struct {
	ID          string
	Cluster     string
	Link        string // to the page of the cluster
	ShowCluster bool   // the page does not show the cluster otherwise
	Tone        tone   // of the severity
	StateTone   tone   // of the state: the severity while active
	Severity    string
	State       string
	Open        bool
	Recovering  bool // open without active findings
	Flapping    bool
	Title       string
	Summary     string
	Affected    string // number of clients; "": no estimate
	Remedy      string
	Silenced    string
	Merged      string
	// Acknowledged says who takes care of it; nil: nobody said so. Acknowledge and CanNote
	// are whether the reader may acknowledge it and add notes.
	Acknowledged *acknowledgedView
	Acknowledge  bool
	CanNote      bool
	Started      timestamp
	Ended        timestamp
	Zone         string // of the times of the timeline
	Lasted       string
	Extent       string // number of details: evidence and explained findings
	Tree         []findingNode
	Timeline     []eventView
	Silence      *silenceForm // nil: read-only, or nothing to silence
	Links        []externalLink
}

type acknowledgedView struct {
	By, Note string
	At       timestamp
}

type eventView struct {
	At   timestamp
	Tone tone
	Text string
}

func (v viewContext) incident(incident alerting.Incident) incidentView {
	incident = incident.InZone(v.zone)
	failures := slices.Concat(incident.Failures())
	view := incidentView{
		ID: incident.ID, Cluster: clustersOf(incident), Link: clusterLink(incident.Cluster), ShowCluster: true,
		Tone: toneOfSeverity(incident.Severity), Severity: v.translate(string(incident.Severity)), State: v.translate(string(incident.State)),
		Open: incident.State != alerting.Resolved, Flapping: incident.Flapping,
		Title: v.title(incident.Cause.Code), Summary: v.summary(incident), Affected: v.affected(incident.Affected()), Remedy: v.advice(incident),
		Silenced: line(incident.Silenced), Merged: incident.MergedInto,
		Started: v.timestamp(incident.Started), Ended: v.timestamp(incident.Ended), Zone: v.zones(incident.Started, v.now), Lasted: v.length(incident.Duration(v.now)),
		Extent: v.extent(len(incident.Findings) - len(failures)),
		Tree:   v.tree(incident.Findings),
	}
	if a := incident.Acknowledged; !a.IsZero() {
		view.Acknowledged = &acknowledgedView{By: word(a.By), Note: line(a.Note), At: v.timestamp(a.At)}
	}
	view.setState(v, incident)
	for b := range view.Tree {
		if view.Tree[b].Remedy == view.Remedy {
			view.Tree[b].Remedy = "" // shown above
		}
	}
	for _, e := range incident.Timeline {
		view.Timeline = append(view.Timeline, eventView{At: v.timestamp(e.At), Tone: toneOfEvent(e.Kind), Text: v.event(e)})
	}
	if v.canWrite && view.Open {
		view.Silence = &silenceForm{Cluster: incident.Cluster, Code: incident.Cause.Code}
		if len(failures) == 1 {
			view.Silence.Node = failures[0].Node
		}
	}
	return view
}

// clustersOf returns the affected clusters, the most affected first.
func clustersOf(i alerting.Incident) string {
	return strings.Join(wire.List(i.ClusterNames(), word), ", ")
}

// setState sets the state. A recovering incident does not look urgent: it stays open for a
// while after its last finding ended, for up to a quarter of an hour if findings flap.
func (i *incidentView) setState(v viewContext, of alerting.Incident) {
	switch {
	case !i.Open:
		i.StateTone = toneOK
	case !of.Active():
		i.StateTone, i.Recovering, i.State = toneUnknown, true, v.translate(string(alerting.PhaseRecovering))
	default:
		i.StateTone = i.Tone
		if of.State != alerting.Pending {
			i.State = v.translate(string(alerting.PhaseOngoing))
		}
	}
}

// advice returns the remedy of an incident.
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

// A silenceView is an active or future silence.
type silenceView struct {
	ID      string
	About   string
	Reason  string
	Author  string
	Active  bool
	From    timestamp
	To      timestamp
	Expires bool // the user may end it
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

// until formats a future time.
func (v viewContext) until(t time.Time) timestamp {
	m := v.timestamp(t)
	m.Ago = v.length(max(0, t.Sub(v.now)))
	return m
}

// about returns the scope of a silence.
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
