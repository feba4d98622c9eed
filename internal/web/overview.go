package web

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
)

// An overviewView is the page at /: first problems and their location, then everything else.
type overviewView struct {
	Tone          tone
	Headline      string
	Since         timestamp      // start of the headline's state; ISO "": unknown
	Incidents     []incidentView // active, by severity and then oldest first
	MoreIncidents []incidentView // further active ones
	Recovering    []incidentView // open without active findings
	Recent        []incidentView // resolved, newest first
	Silences      []silenceView
	Clusters      []clusterView // the worst first, then in the order of the configuration; nil if there is a Table
	Ranges        []rangeLink   // of Clusters
	Table         *clusterTable // instead of Clusters if they are many
	HistoryFailed bool          // something of the history could not be read
}

// Limits of the lists.
const (
	maxOpen   = 20
	maxCards  = 6 // with evidence and buttons; the rest has a line each
	maxRecent = 5
	// maxExpanded is the number of clusters that fit on a screen or two. More are a table.
	maxExpanded = 6
)

func (s *Server) overview(r *http.Request, p *page) error {
	v := p.viewContext
	snapshots := slices.Clone(s.config.Snapshots.Snapshots())
	slices.SortStableFunc(snapshots, worstFirst)
	view := overviewView{}
	view.Tone, view.Headline = v.headline(snapshots)
	view.Since = v.timestamp(since(snapshots, view.Tone))
	if err := s.addIncidents(r.Context(), &view, v); err != nil {
		s.config.Logger.Error("reading incidents for a page", "err", err)
		view.HistoryFailed = true
	}
	if len(snapshots) > maxExpanded {
		var history *clusterHistory
		if length := rangeOf(r.URL.Query().Get("range")); length > 0 {
			history = s.historyCache.balancers(r.Context(), snapshots, length)
			view.HistoryFailed = view.HistoryFailed || history.err != nil
		}
		view.Table = v.clusterTable(snapshots, r.URL.Query(), history)
	} else {
		s.addClusters(r, &view, v, snapshots)
	}
	p.Template, p.Content, p.Tab, p.Icon = "overview", view, "overview", view.Tone
	p.Title = view.Headline
	return nil
}

// addClusters adds clusters in full, and the latencies of their balancers over the longest span that one shows.
func (s *Server) addClusters(r *http.Request, view *overviewView, v viewContext, snapshots []Snapshot) {
	selected := rangeOf(r.URL.Query().Get("range"))
	view.Ranges = v.rangeLinks("/", nil, v.translate("automatic"), selected)
	longest := selected
	for _, snapshot := range snapshots {
		history := s.historyCache.forOverview(r.Context(), snapshot, selected)
		view.HistoryFailed = view.HistoryFailed || history.err != nil
		longest = max(longest, history.span.To.Sub(history.span.From))
		c := v.cluster(snapshot, history)
		if view.lists(c.Link) {
			c.Problem, c.More = nil, 0
		}
		view.Clusters = append(view.Clusters, c)
	}
	if longest == 0 {
		return // there are no clusters, or the history cannot be read
	}
	history := s.historyCache.balancers(r.Context(), snapshots, longest)
	view.HistoryFailed = view.HistoryFailed || history.err != nil
	for i, c := range view.Clusters {
		if latency, ok := history.balancers[c.Name]; ok {
			view.Clusters[i].Facts = append(c.Facts, v.latencyFact(latency, history.span))
		}
	}
}

// latencyFact returns the latency of a balancer over a span.
func (v viewContext) latencyFact(l checks.Latency, span checks.Span) fact {
	p := v.percentiles(l)
	cell := verdictCell{Label: "p50\u00a0" + p.P50 + " · p95\u00a0" + p.P95 + " · p99\u00a0" + p.P99}
	if p.Unknown {
		cell.Reason = v.translate("They are not of all answers: of some only the mean is stored, because they are old or from before an upgrade.")
	}
	return fact{v.translate("Latency, %s", v.spanName(span.To.Sub(span.From))), cell}
}

// lists reports whether an incident of a cluster is listed above the clusters.
func (o *overviewView) lists(cluster string) bool {
	of := func(i incidentView) bool { return i.Link == cluster }
	return slices.ContainsFunc(o.Incidents, of) || slices.ContainsFunc(o.MoreIncidents, of)
}

// addIncidents reads incidents and silences. Without the history, the page still shows the
// current state and the open incidents.
func (s *Server) addIncidents(ctx context.Context, view *overviewView, v viewContext) error {
	open, err := s.open(ctx, "")
	if err != nil {
		return err
	}
	active, recovering := splitRecovering(open)
	cards := min(len(active), maxCards)
	view.Incidents, view.MoreIncidents, view.Recovering = v.incidents(active[:cards]), v.incidents(active[cards:]), v.incidents(recovering)
	recent, err := s.findIncidents(ctx, alerting.IncidentQuery{State: alerting.Resolved, Limit: maxRecent})
	if err != nil {
		return err
	}
	silences, err := s.config.History.Silences(ctx, v.now)
	if err != nil {
		return err
	}
	view.Recent, view.Silences = v.incidents(recent), v.silences(silences, "")
	return nil
}

// splitRecovering separates active incidents from recovering ones.
func splitRecovering(open []alerting.Incident) (active, recovering []alerting.Incident) {
	for _, i := range open {
		if i.Active() {
			active = append(active, i)
		} else {
			recovering = append(recovering, i)
		}
	}
	return active, recovering
}

// open returns the unresolved incidents of a cluster, or of all clusters for "".
func (s *Server) open(ctx context.Context, cluster string) ([]alerting.Incident, error) {
	firing, err := s.findIncidents(ctx, alerting.IncidentQuery{Cluster: cluster, State: alerting.Firing, Limit: maxOpen})
	if err != nil {
		return nil, err
	}
	pending, err := s.findIncidents(ctx, alerting.IncidentQuery{Cluster: cluster, State: alerting.Pending, Limit: maxOpen})
	if err != nil {
		return nil, err
	}
	all := slices.Concat(firing, pending)
	slices.SortStableFunc(all, func(a, b alerting.Incident) int {
		if a.Severity != b.Severity {
			return rank(toneOfSeverity(b.Severity)) - rank(toneOfSeverity(a.Severity))
		}
		return a.Started.Compare(b.Started)
	})
	return all[:min(len(all), maxOpen)], nil
}

// headline summarizes the state of clusters in one sentence.
func (v viewContext) headline(snapshots []Snapshot) (tone, string) {
	count := map[checks.Verdict]int{}
	for _, s := range snapshots {
		count[verdictOf(s)]++
	}
	all := len(snapshots)
	switch {
	case all == 0:
		return toneUnknown, v.translate("No cluster is configured")
	case count[checks.Failing] > 0:
		return toneCritical, v.verdictHeadline(snapshots, checks.Failing, "%s is failing", "%d of %d clusters are failing")
	case count[checks.Degraded] > 0:
		return toneWarning, v.verdictHeadline(snapshots, checks.Degraded, "%s is degraded", "%d of %d clusters are degraded")
	case count[checks.Healthy] == all && all == 1:
		return toneOK, v.translate("%s is healthy", word(snapshots[0].Cluster.Name))
	case count[checks.Healthy] == all:
		return toneOK, v.translate("All %d clusters are healthy", all)
	default:
		return toneUnknown, v.verdictHeadline(snapshots, checks.Inconclusive, "%s cannot be judged", "%d of %d clusters cannot be judged")
	}
}

// since returns the start of the headline's state: of the first cluster with the tone, or, if
// all are healthy, of the last recovery. Zero: unknown.
func since(snapshots []Snapshot, t tone) (since time.Time) {
	for _, s := range snapshots {
		switch {
		case toneOfVerdict(s.Report.Verdict) != t:
		case s.Since.IsZero():
			return time.Time{}
		case since.IsZero(), t == toneOK && s.Since.After(since), t != toneOK && s.Since.Before(since):
			since = s.Since
		}
	}
	return since
}

// verdictOf returns the verdict of a snapshot, which is inconclusive before the first round.
func verdictOf(s Snapshot) checks.Verdict { return cmp.Or(s.Report.Verdict, checks.Inconclusive) }

// maxNamed is the maximum number of clusters that a headline names.
const maxNamed = 4

// verdictHeadline returns the headline of the clusters with a verdict, with the causes of the
// first ones.
func (v viewContext) verdictHeadline(snapshots []Snapshot, verdict checks.Verdict, one, several string) string {
	var names, causes []string
	for _, s := range snapshots {
		if verdictOf(s) != verdict {
			continue
		}
		name, cause := word(s.Cluster.Name), v.cause(s)
		names = append(names, name)
		if cause != "" {
			cause = v.translate(": ") + cause
		}
		causes = append(causes, cause)
	}
	if len(names) == 1 {
		return v.translate(one, names[0]) + causes[0]
	}
	headline := v.translate(several, len(names), len(snapshots))
	for i := range names {
		names[i] += causes[i]
	}
	if more := len(names) - maxNamed; more > 0 {
		names = append(names[:maxNamed], v.translate("%d more", more))
	}
	return headline + v.translate(": ") + strings.Join(names, v.translate("; "))
}

// cause returns the most important problem of a cluster in a few words: its title and what it
// is about. "": there is none.
func (v viewContext) cause(s Snapshot) string {
	root, found := rootProblem(s)
	if !found {
		return ""
	}
	cause := v.title(root.Code)
	if root.Code.OfBalancer() {
		return cause
	}
	nodes := slices.Clone(root.Nodes)
	for _, f := range s.Report.Findings { // nodes that fail alike
		if f.Code == root.Code && f.ExplainedBy == "" && f.Node != "" && !slices.Contains(nodes, f.Node) {
			nodes = append(nodes, f.Node)
		}
	}
	about := root.Dependency
	if len(nodes) < 2 {
		about = cmp.Or(about, root.Node)
	}
	if about != "" {
		cause = v.translate("%s, %s", cause, word(about))
	}
	if len(nodes) > 1 {
		cause = v.translate("%s (%d nodes)", cause, len(nodes))
	}
	return cause
}

// A selfHealthView shows problems of stickwatch itself: undelivered notifications and a
// failing history. Every page has them: pages are the only place to show them if no receiver works.
type selfHealthView struct {
	Undelivered []undelivered // one for each receiver, newest first
	Notes       []healthNote
}

// undelivered are the notifications to one receiver that could not be delivered.
type undelivered struct {
	Receiver string
	Count    string
	At       timestamp // of the newest one
	Reason   string    // of the newest one
	Incident string    // id of the newest one's incident
	Summary  string
}

// A healthNote is a sentence with an error text.
type healthNote struct {
	Tone   tone
	Text   string
	Detail string
}

// Limits of dead letters. A notification may be retried for three days before it becomes one.
const (
	deadLetterAge  = 4 * 24 * time.Hour
	maxDeadLetters = 100
)

func (s *Server) selfHealth(ctx context.Context, v viewContext) selfHealthView {
	view := selfHealthView{Notes: v.historyProblems(s.config.History.HistoryStatus())}
	deadLetters, err := s.config.History.DeadLetters(ctx, maxDeadLetters)
	if err != nil {
		s.config.Logger.Error("reading dead letters for a page", "err", err)
		return view
	}
	view.Undelivered = v.undelivered(deadLetters)
	return view
}

// undelivered groups dead letters by receiver, newest first.
func (v viewContext) undelivered(deadLetters []DeadLetter) (list []undelivered) {
	count := map[string]int{}
	for _, l := range deadLetters {
		if v.now.Sub(l.At) > deadLetterAge {
			continue
		}
		receiver := word(l.Receiver)
		if count[receiver]++; count[receiver] == 1 {
			list = append(list, undelivered{
				Receiver: receiver, At: v.timestamp(l.At), Reason: line(l.Reason),
				Incident: l.Incident.ID, Summary: v.summary(l.Incident),
			})
		}
	}
	for i, u := range list {
		list[i].Count = v.messages(count[u.Receiver])
	}
	return slices.Clip(list)
}

func (v viewContext) messages(n int) string {
	if n == 1 {
		return v.translate("A message was given up")
	}
	return v.translate("%d messages were given up", n)
}

func (v viewContext) historyProblems(k HistoryStatus) (notes []healthNote) {
	if k.Damage != "" {
		notes = append(notes, healthNote{toneCritical, v.translate("The file of the history is damaged"), long(k.Damage)})
	}
	switch {
	case k.LastError != "" && k.LastWrite.IsZero():
		notes = append(notes, healthNote{toneCritical, v.translate("The history cannot be written"), line(k.LastError)})
	case k.LastError != "":
		notes = append(notes, healthNote{toneCritical, v.translate("The history has not been written since %s", v.clock(k.LastWrite, v.now)), line(k.LastError)})
	}
	if k.Dropped > 0 {
		notes = append(notes, healthNote{Tone: toneWarning, Text: v.translate("The history lacks %d probes: the disk was too slow or full", k.Dropped)})
	}
	for _, instance := range slices.Sorted(maps.Keys(k.ClocksOff)) {
		text, ahead := "The clock of the instance %q is %s ahead of that of the database: set it", k.ClocksOff[instance]
		if ahead < 0 {
			text = "The clock of the instance %q is %s behind that of the database: set it"
		}
		notes = append(notes, healthNote{Tone: toneWarning, Text: v.translate(text, instance, v.length(ahead.Abs().Round(time.Second)))})
	}
	return notes
}
