package web

import (
	"net/http"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/probes"
)

// clusterPageView is all there is to know of one cluster.
type clusterPageView struct {
	Cluster    clusterView
	Incidents  []incidentView // open
	Recovering []incidentView // open, though nothing of them holds now
	Findings   []findingNode  // everything that holds, information included
	Timeline   nodeTimeline
	Charts     charts
	Calendars  []calendar
	Days       int
	// Unrecorded: nodes have an uptime and sessions have none, as before an upgrade.
	Unrecorded    bool
	Recent        []incidentView
	Silences      []silenceView
	Silence       *silenceForm // nil: nobody may
	HistoryFailed bool
}

// maxListed bounds lists of incidents on pages.
const maxListed = 50

func (s *Server) clusterPage(r *http.Request, p *page) error {
	snapshot, err := s.snapshot(r.PathValue("name"))
	if err != nil {
		return err
	}
	v := p.viewContext
	history := s.historyCache.forClusterPage(r.Context(), snapshot)
	view := clusterPageView{
		Cluster: v.cluster(snapshot, history), Findings: v.tree(activeFindings(snapshot)),
		Timeline: v.nodeTimeline(snapshot, history), Charts: v.charts(snapshot, history),
		Calendars: v.calendars(history), Days: uptimeDays,
		Unrecorded: snapshot.Report.Session.Policy != probes.PolicyNone && checks.SessionsUnrecorded(history.uptimes),
	}
	if v.canWrite {
		view.Silence = &silenceForm{Cluster: snapshot.Cluster.Name}
	}
	if err := s.addClusterIncidents(r, &view, v); err != nil {
		s.config.Logger.Error("reading incidents for a page", "err", err)
		view.HistoryFailed = true
	}
	p.Template, p.Content, p.Icon = "cluster", view, view.Cluster.Tone
	p.Title = heading(word(view.Cluster.Name), view.Cluster.Verdict)
	return nil
}

func (s *Server) addClusterIncidents(r *http.Request, view *clusterPageView, v viewContext) error {
	open, err := s.open(r.Context(), view.Cluster.Name)
	if err != nil {
		return err
	}
	recent, err := s.incidents(r.Context(), IncidentQuery{
		Cluster: view.Cluster.Name, State: alerting.Resolved, Limit: maxListed,
	})
	if err != nil {
		return err
	}
	silences, err := s.config.History.Silences(r.Context(), v.now)
	if err != nil {
		return err
	}
	holding, quiet := splitRecovering(open)
	view.Incidents, view.Recovering, view.Recent = v.incidents(holding), v.incidents(quiet), v.incidents(recent)
	for i := range view.Incidents {
		view.Incidents[i].ShowCluster = false
	}
	view.Silences = v.silences(silences, view.Cluster.Name)
	return nil
}
