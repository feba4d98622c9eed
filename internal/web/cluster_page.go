package web

import (
	"cmp"
	"net/http"
	"net/netip"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/probes"
)

// A clusterPageView is the page of one cluster.
type clusterPageView struct {
	Cluster    clusterView
	Incidents  []incidentView // active
	Recovering []incidentView // recovering
	Findings   []findingNode  // all active findings, including information
	Ranges     []rangeLink
	Links      []externalLink
	Map        *sessionMap // nil: no sessions
	Timeline   nodeTimeline
	Charts     charts
	Calendars  []calendar
	Days       int
	// Unrecorded: there are uptimes of nodes but none of sessions, as before an upgrade.
	Unrecorded    bool
	Recent        []incidentView
	Silences      []silenceView
	Silence       *silenceForm // nil: read-only
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
	selected := rangeOf(r.URL.Query().Get("range"))
	history := s.historyCache.forClusterPage(r.Context(), snapshot, selected)
	view := clusterPageView{
		Cluster: v.cluster(snapshot, history), Findings: v.tree(activeFindings(snapshot)),
		Ranges: v.rangeLinks(clusterLink(snapshot.Cluster.Name), nil, v.translate("automatic"), selected), Map: v.sessionMap(snapshot, history),
		Timeline: v.nodeTimeline(snapshot, history), Charts: v.charts(snapshot, history),
		Calendars: v.calendars(history), Days: uptimeDays,
		Links:      s.externalLinks(map[string]string{"cluster": snapshot.Cluster.Name}, history.span),
		Unrecorded: hasSessions(snapshot) && checks.SessionsUnrecorded(history.uptimes),
	}
	if v.canWrite {
		view.Silence = &silenceForm{Cluster: cmp.Or(snapshot.Cluster.Base, snapshot.Cluster.Name)}
	}
	if err := s.addClusterIncidents(r, &view, v); err != nil {
		s.config.Logger.Error("reading incidents for a page", "err", err)
		view.HistoryFailed = true
	}
	p.Template, p.Content, p.Icon = "cluster", view, view.Cluster.Tone
	p.Title = view.Cluster.Headline
	return nil
}

// hasSessions reports whether a cluster has sessions to show.
func hasSessions(s Snapshot) bool { return s.Report.Session.Policy != probes.PolicyNone }

func (s *Server) addClusterIncidents(r *http.Request, view *clusterPageView, v viewContext) error {
	open, err := s.open(r.Context(), view.Cluster.Name)
	if err != nil {
		return err
	}
	active, recovering := splitRecovering(open)
	view.Incidents, view.Recovering = v.incidents(active), v.incidents(recovering)
	for i := range view.Incidents {
		view.Incidents[i].ShowCluster = false
	}
	recent, err := s.findIncidents(r.Context(), alerting.IncidentQuery{
		Cluster: view.Cluster.Name, State: alerting.Resolved, Limit: maxListed,
	})
	if err != nil {
		return err
	}
	silences, err := s.config.History.Silences(r.Context(), v.now)
	if err != nil {
		return err
	}
	view.Recent, view.Silences = v.incidents(recent), v.silences(silences, view.Cluster.Name)
	return nil
}

type clusterView struct {
	Name      string
	Link      string
	Headline  string
	Tone      tone
	Verdict   string
	Since     timestamp
	Seen      timestamp
	Stale     bool // the newest round is old
	Doubts    []string
	Facts     []fact
	Rows      []row
	Zone      string       // of the times of the span
	Window    string       // label of the time span of the uptime bars
	Sessions  *calendar    // of all owners together; nil: no data
	Balancer  *calendar    // nil: no data
	Problem   *findingNode // the most important finding; nil: none
	More      int          // number of further findings
	NoHistory bool         // the history could not be read
	CanProbe  bool
}

// A fact is a value of the whole cluster.
type fact struct {
	Name string
	verdictCell
}

// staleAfter is the age from which the newest round is stale. Probes run every fifteen seconds
// by default, and a round may take a while.
const staleAfter = 2 * time.Minute

// stale reports whether the newest round of a cluster is old.
func (v viewContext) stale(s Snapshot) bool {
	return !s.Report.Started.IsZero() && v.now.Sub(s.Report.Started) > staleAfter
}

func (v viewContext) cluster(snapshot Snapshot, history *clusterHistory) clusterView {
	cluster := clusterView{
		Name:    snapshot.Cluster.Name,
		Link:    clusterLink(snapshot.Cluster.Name),
		Tone:    toneOfVerdict(snapshot.Report.Verdict),
		Verdict: v.translate(string(verdictOf(snapshot))),
		Since:   v.timestamp(snapshot.Since),
		Seen:    v.timestamp(snapshot.Report.Started),
		Stale:   v.stale(snapshot),
		Facts:   v.facts(snapshot.Report), Rows: v.rows(snapshot, history), Window: v.window(history.span), Zone: v.zones(cmp.Or(history.span.From, v.now), v.now),
		NoHistory: history.err != nil, CanProbe: v.canProbe && v.canWrite,
	}
	for _, d := range snapshot.Report.Doubts {
		cluster.Doubts = append(cluster.Doubts, v.sentence(d))
	}
	if snapshot.Report.Started.IsZero() {
		cluster.Doubts = []string{v.translate("no round has been taken yet")}
	}
	for _, u := range history.uptimes {
		if days, ok := history.days[u.Target]; ok && u.Kind == checks.TargetBalancer {
			cluster.Balancer = new(v.calendar(days, u))
			break
		}
	}
	cluster.Sessions = v.sessionCalendar(history)
	_, cluster.Headline = v.headline([]Snapshot{snapshot})
	cluster.addProblem(v, snapshot)
	return cluster
}

// addProblem selects the most important root cause. Findings are sorted by severity, causes
// first.
func (c *clusterView) addProblem(v viewContext, s Snapshot) {
	for _, m := range activeFindings(s) {
		if !needsAttention(m.Finding) {
			continue
		}
		if c.Problem == nil {
			c.Problem = new(v.findingNode(m))
		} else {
			c.More++
		}
	}
}

func (v viewContext) facts(r checks.Report) []fact {
	var facts []fact
	for _, b := range r.Balancers {
		facts = append(facts, fact{v.balancerName(b, len(r.Balancers)), v.balancer(b)})
	}
	if r.Session.Policy != "" && r.Session.Policy != probes.PolicyNone {
		facts = append(facts, fact{v.translate("Sessions"), v.sticky(r.Session)})
	}
	for _, d := range r.Dependencies {
		facts = append(facts, fact{word(d.Name), v.dependency(d)})
	}
	if s := r.Source; s.Name != "" {
		facts = append(facts, fact{v.translate("Nodes from %s", line(s.Name)), v.source(s)})
	}
	return facts
}

func (v viewContext) source(s probes.SourceState) verdictCell {
	answered := v.translate("never answered")
	if !s.Answered.IsZero() {
		answered = v.translate("answered %s", v.timestamp(s.Answered).Text)
	}
	if s.Error != "" {
		return verdictCell{toneWarning, answered, v.reason(s.Error)}
	}
	return verdictCell{Tone: toneOK, Label: answered}
}

// balancerName returns the name of a balancer address, which is unique within the cluster.
func (v viewContext) balancerName(b probes.BalancerObservation, several int) string {
	if several == 1 || b.Address == (netip.AddrPort{}) {
		return v.translate("Balancer")
	}
	return v.translate("Balancer") + " " + b.Address.String()
}

func (v viewContext) balancer(b probes.BalancerObservation) verdictCell {
	switch {
	case !b.Primary.Answered():
		return verdictCell{toneCritical, v.translate("down"), v.reason(b.Primary.Error)}
	case b.Primary.Status >= 500:
		return verdictCell{toneCritical, v.translate("answers %d", b.Primary.Status), v.reason(b.Primary.Error)}
	default:
		return verdictCell{Tone: toneOK, Label: v.translate("up") + " " + v.latency(b.Primary.Timing.Total)}
	}
}

func (v viewContext) sticky(s checks.SessionReport) verdictCell {
	why := v.sentence(s.Reason)
	switch {
	case s.Policy == probes.PolicyShared && s.Shared == checks.Yes:
		return verdictCell{toneOK, v.translate("shared"), why}
	case s.Policy == probes.PolicyShared && s.Shared == checks.No:
		return verdictCell{toneCritical, v.translate("not shared"), why}
	case s.Sticky == checks.Yes:
		return verdictCell{toneOK, v.translate("stick"), why}
	case s.Sticky == checks.No && s.Policy != probes.PolicyShared:
		return verdictCell{toneCritical, v.translate("do not stick"), why}
	default:
		return verdictCell{toneUnknown, v.translate("unknown"), why}
	}
}

func (v viewContext) dependency(d checks.DependencyReport) verdictCell {
	switch d.Up {
	case checks.Yes:
		return verdictCell{Tone: toneOK, Label: v.translate("up")}
	case checks.No:
		return verdictCell{toneCritical, v.translate("down"), v.reason(d.Error)}
	default:
		return verdictCell{toneUnknown, v.translate("unknown"), v.reason(d.Error)}
	}
}
