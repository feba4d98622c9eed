package web

import (
	"bytes"
	"cmp"
	"context"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/monthly"
)

// A reportView is the page of a month.
type reportView struct {
	Months []rangeLink
	Report template.HTML // escaped by package monthly
	Query  string        // of the same report in the API
}

// listedMonths is the number of months that can be selected: those of the default retention,
// 400 days.
const listedMonths = 13

// reportPage shows a month: ?month=2026-11, ?target_percent=99.9.
func (s *Server) reportPage(r *http.Request, p *page) error {
	report, err := s.month(r, p.zone)
	if err != nil {
		return err
	}
	var text strings.Builder
	if err := report.Document(alerting.Language(p.Language)).WriteHTML(&text); err != nil {
		return err
	}
	month := report.From.Format("2006-01")
	queryFor := func(month string) string {
		values := url.Values{"month": {month}}
		if target := r.FormValue("target_percent"); target != "" {
			values.Set("target_percent", target)
		}
		return "?" + values.Encode()
	}
	view := reportView{Report: template.HTML(text.String()), Query: queryFor(month)}
	for i := range listedMonths {
		now := p.now.In(p.zone)
		listed := time.Date(now.Year(), now.Month()-time.Month(i), 1, 0, 0, 0, 0, p.zone).Format("2006-01")
		view.Months = append(view.Months, rangeLink{Name: listed, Link: "/report" + queryFor(listed), Current: listed == month})
	}
	p.Template, p.Content, p.Tab = "report", view, "report"
	p.Title = heading(p.translate("Report"), month)
	return nil
}

// reportCSV exports the report of a month for a spreadsheet, in the language of the page.
func (s *Server) reportCSV(w http.ResponseWriter, r *http.Request) {
	page := s.newPage(r)
	report, err := s.month(r, page.zone)
	var body bytes.Buffer
	if err == nil {
		err = report.Document(alerting.Language(page.Language)).WriteCSV(&body)
	}
	if err != nil {
		s.render(w, r, s.pageOf(w, r, page, err), page)
		return
	}
	sendCSV(w, r, "report-"+report.From.Format("2006-01"), body.Bytes())
}

// sendCSV sends a file that a browser saves with a name.
func sendCSV(w http.ResponseWriter, r *http.Request, name string, body []byte) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.csv"`)
	write(w, r, "text/csv; charset=utf-8", http.StatusOK, body)
}

// getReport returns the report of a month.
func (s *Server) getReport(r *http.Request) (answer, error) {
	report, err := s.month(r, s.locale.Load().zone)
	if err != nil {
		return answer{}, err
	}
	return answer{body: monthly.WireReportOf(report, s.config.Now())}, nil
}

// month builds the report that a request asks for: the current month by default.
func (s *Server) month(r *http.Request, zone *time.Location) (monthly.Report, error) {
	query := s.queryOf(r)
	query.text("lang")
	now := s.config.Now()
	text := query.text("month")
	if text == "" {
		text = now.In(zone).Format("2006-01")
	}
	span, err := monthly.ParseMonth(text, zone)
	if err != nil || span.From.After(now) {
		query.reject("%q is %q, want a month that has begun, such as 2026-11", "month", text)
	}
	text = cmp.Or(query.text("target_percent"), monthly.DefaultTarget)
	target, err := monthly.ParseTarget(text)
	if err != nil {
		query.reject("%q is %q, want a percentage above 0 and up to 100, such as 99.9", "target_percent", text)
	}
	if err := query.err(); err != nil {
		return monthly.Report{}, err
	}
	report, err := s.months.load(r.Context(), span, s.monthTTL(span, now), func() (monthly.Report, error) { return s.buildMonth(r.Context(), span, now) })
	report.Target = target
	return report, err
}

// monthTimeout bounds reading a month. With hundreds of clusters that takes seconds, and nothing else waits for it.
const monthTimeout = 30 * time.Second

func (s *Server) buildMonth(ctx context.Context, span checks.Span, now time.Time) (monthly.Report, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), monthTimeout) // other requests share the result
	defer cancel()
	incidents := func(ctx context.Context, cluster string, span checks.Span) ([]alerting.Incident, error) {
		return s.findIncidents(ctx, alerting.IncidentQuery{Cluster: cluster, Span: span, Limit: maxReported})
	}
	var clusters []string
	for _, snapshot := range s.config.Snapshots.Snapshots() {
		clusters = append(clusters, snapshot.Cluster.Name)
	}
	return monthly.Build(ctx, s.config.History, incidents, clusters, span, now, 0)
}

// maxKeptMonths bounds the reports in memory.
const maxKeptMonths = 3

// monthTTL returns how long requests share the report of a month: as long as pages share a history, and a minute if
// the month is over.
func (s *Server) monthTTL(span checks.Span, now time.Time) time.Duration {
	if span.To.Before(now) {
		return max(s.config.CacheFor, time.Minute)
	}
	return s.config.CacheFor
}

// maxReported bounds the incidents of a cluster in a report, as in the report of the command.
const maxReported = 10_000
