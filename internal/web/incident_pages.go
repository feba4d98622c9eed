package web

import (
	"net/http"
	"time"

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
