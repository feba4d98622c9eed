package web

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/wire"
	"stickwatch/probes"
)

// An incidentsView is a page of incidents, newest first.
type incidentsView struct {
	Cluster string // "": all
	Zone    string // of the times in the list
	Filters []filter
	Entries []incidentEntry
	CSV     string // links to the selected incidents
	JSON    string
	Older   string // link to the next page; "": last page
}

// A filter is a parameter of the list, and the values to choose from.
type filter struct {
	Name, Label string
	Options     []option
}

type option struct {
	Value, Name string
	Selected    bool
}

// An incidentEntry is the view of an incident, or of a deployment with the incidents that it
// explains.
type incidentEntry struct {
	Deployment *deploymentView // nil: one incident
	Incidents  []incidentView
}

// A listedEntry is what an incidentEntry shows.
type listedEntry struct {
	at         time.Time
	deployment *checks.Deployment // nil: one incident
	incidents  []alerting.Incident
}

// oldestStart returns the first start of incidents, or a time that is before all of them.
func oldestStart(list []alerting.Incident, than time.Time) time.Time {
	for _, i := range list {
		if i.Started.Before(than) {
			than = i.Started
		}
	}
	return than
}

type deploymentView struct {
	Name, Cluster, Link string
	Started             timestamp
	Lasted              string
	Cost                string // sessions that moved and that were lost
}

// incidentsPage lists incidents with the parameters of the API.
func (s *Server) incidentsPage(r *http.Request, p *page) error {
	q := s.queryOf(r)
	q.text("lang")
	asked := q.parseIncidentQuery()
	if err := q.err(); err != nil {
		return err
	}
	asked.Limit = maxListed
	found, err := s.findIncidents(r.Context(), asked)
	if err != nil {
		return err
	}
	view := incidentsView{
		Cluster: probes.Clean(asked.Cluster, maxWord), Filters: s.incidentFilters(p.viewContext, r.URL.Query()),
		CSV: exportLink("/incidents.csv", r.URL.Query(), nil), JSON: exportLink("/api/v1/incidents", r.URL.Query(), url.Values{"limit": {strconv.Itoa(maxIncidents)}}),
	}
	listed, err := s.incidentEntries(r.Context(), asked, found)
	if err != nil {
		return err
	}
	if len(found) == maxListed || len(listed) > maxListed {
		listed = listed[:min(len(listed), maxListed)]
		oldest := listed[len(listed)-1].at
		if len(found) == maxListed && found[maxListed-1].Started.After(oldest) { // a deployment may be older than incidents that are not here
			oldest = found[maxListed-1].Started
		}
		view.Older = exportLink("/incidents", r.URL.Query(), url.Values{"until": {oldest.UTC().Format(time.RFC3339Nano)}})
	}
	oldest := p.now
	for _, item := range listed {
		oldest = oldestStart(item.incidents, oldest)
		if item.at.Before(oldest) {
			oldest = item.at
		}
		entry := incidentEntry{Incidents: p.incidents(item.incidents)}
		if item.deployment != nil {
			if entry.Deployment, err = s.deployment(r.Context(), p.viewContext, *item.deployment); err != nil {
				return err
			}
		}
		view.Entries = append(view.Entries, entry)
	}
	view.Zone = p.zones(oldest, p.now)
	p.Template, p.Content, p.Tab = "incidents", view, "incidents"
	p.Title = p.translate("Incidents")
	return nil
}

// exportLink returns a link with the parameters of a page, of which some are replaced. The
// language of the page is not one of them.
func exportLink(path string, values, replaced url.Values) string {
	kept := url.Values{}
	for name, given := range values {
		if name != "lang" && len(given) > 0 && given[0] != "" {
			kept[name] = given
		}
	}
	maps.Copy(kept, replaced)
	if len(kept) == 0 {
		return path
	}
	return path + "?" + kept.Encode()
}

// incidentEntries joins incidents with the deployments that explain them. Deployments that
// explain none are included unless the query selects incidents by something that a deployment
// does not have. The newest entry is first.
func (s *Server) incidentEntries(ctx context.Context, asked alerting.IncidentQuery, found []alerting.Incident) ([]listedEntry, error) {
	span := asked.Span
	if len(found) == asked.Limit {
		span.From = found[len(found)-1].Started // older ones are on the next page
	}
	deployments, err := s.config.History.Deployments(ctx, asked.Cluster, span)
	if err != nil {
		return nil, err
	}
	slices.Reverse(deployments) // the newest of several with one name explains an incident
	explained := make([][]alerting.Incident, len(deployments))
	var entries []listedEntry
	for _, i := range found {
		n := slices.IndexFunc(deployments, i.BelongsTo)
		if n < 0 {
			entries = append(entries, listedEntry{at: i.Started, incidents: []alerting.Incident{i}})
			continue
		}
		explained[n] = append(explained[n], i)
	}
	unfiltered := asked.State == "" && asked.Phase == "" && asked.Severity == "" && asked.Code == ""
	for n, d := range deployments {
		if len(explained[n]) == 0 && (!unfiltered || d.From.Before(span.From)) {
			continue
		}
		entries = append(entries, listedEntry{at: d.From, deployment: &d, incidents: explained[n]})
	}
	slices.SortStableFunc(entries, func(a, b listedEntry) int { return b.at.Compare(a.at) })
	return entries, nil
}

func (s *Server) deployment(ctx context.Context, v viewContext, d checks.Deployment) (*deploymentView, error) {
	end := d.To
	if end.IsZero() {
		end = v.now
	}
	moved, lost, err := s.config.History.CountMoves(ctx, d.Cluster, checks.Span{From: d.From, To: end})
	return &deploymentView{
		Name: word(d.Name), Cluster: word(d.Cluster), Link: clusterLink(d.Cluster),
		Started: v.timestamp(d.From), Lasted: v.length(max(0, end.Sub(d.From))),
		Cost: v.translate("%d sessions moved, %d lost", moved, lost),
	}, err
}

// incidentAges are the spans of the filter, by their value in the query.
var incidentAges = []string{"24h", "7d", "30d", "90d"}

// incidentFilters returns the parameters of the list with their values in a query.
func (s *Server) incidentFilters(view viewContext, query url.Values) []filter {
	var clusters, ages, codes []option
	for _, snapshot := range s.config.Snapshots.Snapshots() {
		clusters = append(clusters, option{Value: snapshot.Cluster.Name, Name: word(snapshot.Cluster.Name)})
	}
	for _, age := range incidentAges {
		span, _ := parseDuration(age)
		ages = append(ages, option{Value: age, Name: view.translate("Last %s", view.spanName(span))})
	}
	for _, e := range slices.Concat(checks.Catalogue, checks.OfMonitor) {
		codes = append(codes, option{Value: string(e.Code), Name: view.title(e.Code)})
	}
	translated := func(values ...string) []option {
		var options []option
		for _, value := range values {
			options = append(options, option{Value: value, Name: view.translate(value)})
		}
		return options
	}
	filters := []filter{
		{"cluster", view.translate("Cluster"), clusters},
		{"severity", view.translate("Severity"), translated(string(checks.Critical), string(checks.Warning))},
		{"state", view.translate("State"), translated(string(alerting.PhaseOngoing), string(alerting.PhaseRecovering), string(alerting.PhaseResolved))},
		{"code", view.translate("Finding"), codes},
		{"since", view.translate("Span"), ages},
	}
	for n := range filters {
		filters[n].choose(view.translate("all"), query.Get(filters[n].Name))
	}
	return filters
}

// choose adds the empty value, and selects a value, which it adds if it is not listed.
func (f *filter) choose(all, value string) {
	f.Options = append([]option{{Name: all}}, f.Options...)
	n := slices.IndexFunc(f.Options, func(o option) bool { return o.Value == value })
	if n < 0 {
		n = len(f.Options)
		f.Options = append(f.Options, option{Value: value, Name: word(value)})
	}
	f.Options[n].Selected = true
}

// incidentsCSV exports the selected incidents for a spreadsheet, in the language of the page.
func (s *Server) incidentsCSV(w http.ResponseWriter, r *http.Request) {
	page := s.newPage(r)
	q := s.queryOf(r)
	q.text("lang")
	asked := q.parseIncidentQuery()
	asked.Limit = maxIncidents
	err := q.err()
	var found []alerting.Incident
	if err == nil {
		found, err = s.findIncidents(r.Context(), asked)
	}
	var body bytes.Buffer
	if err == nil {
		err = wire.WriteCSV(&body, page.incidentRows(found))
	}
	if err != nil {
		s.render(w, r, s.pageOf(w, r, page, err), page)
		return
	}
	sendCSV(w, r, "incidents", body.Bytes())
}

// incidentRows returns the header and a row for each incident.
func (v viewContext) incidentRows(list []alerting.Incident) [][]string {
	zone := " (" + v.zones(oldestStart(list, v.now), v.now) + ")"
	moment := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.In(v.zone).Format(time.DateTime)
	}
	header := []string{
		v.translate("Began") + zone, v.translate("Ended") + zone, v.translate("Lasted, seconds"), v.translate("State"), v.translate("Severity"),
		v.translate("Cluster"), v.translate("Code"), v.translate("Finding"), v.translate("Summary"), v.translate("Clients"),
		v.translate("Acknowledged by"), v.translate("Acknowledged") + zone, v.translate("Note"), "ID",
	}
	rows := [][]string{header}
	for _, i := range list {
		ack := i.Acknowledged
		rows = append(rows, []string{
			moment(i.Started), moment(i.Ended), strconv.Itoa(int(i.Duration(v.now).Seconds())), v.translate(string(i.Phase())), v.translate(string(i.Severity)),
			clustersOf(i), string(i.Cause.Code), v.title(i.Cause.Code), v.summary(i), v.affected(i.Affected()),
			cmp.Or(word(ack.By), v.somebody(ack)), moment(ack.At), line(ack.Note), i.ID,
		})
	}
	return rows
}

// somebody returns the name of who acknowledged an incident without a name; "": nobody did.
func (v viewContext) somebody(a alerting.Acknowledgement) string {
	if a.IsZero() {
		return ""
	}
	return v.translate("somebody")
}
