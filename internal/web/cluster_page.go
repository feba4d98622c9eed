package web

import (
	"net/http"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/probes"
)

// clusterPageView is all there is to know of one cluster.
type clusterPageView struct {
	Cluster   clusterView
	Incidents []incidentView // open
	Quiet     []incidentView // open, though nothing of them holds now
	Findings  []branch       // everything that holds, information included
	Lanes     lanes
	Charts    charts
	Calendars []calendar
	Days      int
	// Unrecorded: nodes have an uptime and sessions have none, as before an upgrade.
	Unrecorded bool
	Recent     []incidentView
	Silences   []silenceView
	Silence    *silenceForm // nil: nobody may
	Broken     bool
}

// mostListed bounds lists of incidents on pages.
const mostListed = 50

func (s *Server) clusterPage(r *http.Request, p *page) error {
	picture, err := s.picture(r.PathValue("name"))
	if err != nil {
		return err
	}
	v := p.viewer
	past := s.memory.whole(r.Context(), picture)
	view := clusterPageView{
		Cluster: v.cluster(picture, past), Findings: v.tree(standing(picture)),
		Lanes: v.lanes(picture, past), Charts: v.charts(picture, past),
		Calendars: v.calendars(past), Days: shownDays,
		Unrecorded: picture.Report.Session.Policy != probes.PolicyNone && checks.SessionsUnrecorded(past.uptimes),
	}
	if v.canWrite {
		view.Silence = &silenceForm{Cluster: picture.Cluster.Name}
	}
	if err := s.clusterTrouble(r, &view, v); err != nil {
		s.config.Logger.Error("reading incidents for a page", "err", err)
		view.Broken = true
	}
	p.Template, p.Content, p.Icon = "cluster", view, view.Cluster.Mark
	p.Title = heading(word(view.Cluster.Name), view.Cluster.Verdict)
	return nil
}

func (s *Server) clusterTrouble(r *http.Request, view *clusterPageView, v viewer) error {
	open, err := s.open(r.Context(), view.Cluster.Name)
	if err != nil {
		return err
	}
	recent, err := s.incidents(r.Context(), IncidentQuery{
		Cluster: view.Cluster.Name, State: alerting.Resolved, Limit: mostListed,
	})
	if err != nil {
		return err
	}
	silences, err := s.config.Past.Silences(r.Context(), v.now)
	if err != nil {
		return err
	}
	holding, quiet := apart(open)
	view.Incidents, view.Quiet, view.Recent = v.incidents(holding), v.incidents(quiet), v.incidents(recent)
	for i := range view.Incidents {
		view.Incidents[i].Where = false
	}
	view.Silences = v.silences(silences, view.Cluster.Name)
	return nil
}
