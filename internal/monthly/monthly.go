// Package monthly sums up a month of clusters: the availability of sessions, balancers and
// nodes against a target, the incidents, and the deployments with what they cost. Build reads
// the history; Document is the report as headings, sentences and tables in one language, from
// which other packages make Markdown, HTML and CSV.
package monthly

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/panics"
	"stickwatch/internal/wire"
)

// A Report is the report of a calendar month.
type Report struct {
	checks.Span
	Until    time.Time // where the data ends: the end of the span, or the time of the report
	Target   float64   // share of requests or probes that must succeed, in (0, 1]
	Clusters []Cluster
}

// A Cluster is the month of one cluster.
type Cluster struct {
	Name        string
	Sessions    checks.Uptime   // of all sessions; without Probes: nothing is known
	Uptimes     []checks.Uptime // of balancers, nodes, dependencies, and sessions by node
	Covered     int             // days with any probe; of UTC, so one off if the zone is another
	Days        int             // days of the month until Until, in its zone
	Incidents   []alerting.Incident
	Deployments []Deployment
}

// A Deployment is an announced deployment with what it cost clients.
type Deployment struct {
	checks.Deployment
	alerting.Counts
}

// Met reports whether the sessions of a cluster met the target; false without any data.
func (r Report) Met(c Cluster) bool { return c.Sessions.Probes > 0 && c.Sessions.Ratio >= r.Target }

// A Source is where the data comes from.
type Source interface {
	Uptimes(ctx context.Context, cluster string, span checks.Span, kinds ...checks.TargetKind) ([]checks.Uptime, error)
	Days(ctx context.Context, of []checks.Target, to time.Time, n int) (map[checks.Target][]checks.Uptime, error)
	Deployments(ctx context.Context, cluster string, span checks.Span) ([]checks.Deployment, error)
	CountsOf(ctx context.Context, cluster string, span checks.Span) (alerting.Counts, error)
}

// Incidents returns the incidents of a cluster that overlap a span, newest first.
type Incidents func(ctx context.Context, cluster string, span checks.Span) ([]alerting.Incident, error)

// ParseMonth parses a month such as 2026-11 and returns it in a zone.
func ParseMonth(text string, zone *time.Location) (checks.Span, error) {
	from, err := time.ParseInLocation("2006-01", text, zone)
	if err != nil || from.Year() < 1970 { // the history counts from then
		return checks.Span{}, fmt.Errorf("got %q, want a month such as 2026-11", text)
	}
	return checks.Span{From: from, To: from.AddDate(0, 1, 0)}, nil
}

// DefaultTarget is the percentage of requests that must be served, unless another is asked for.
const DefaultTarget = "99.9"

// ParseTarget parses a percentage and returns the share. The share is rounded, because
// 99.9/100 is more than 0.999 in binary, and 999 of 1000 requests would miss it.
func ParseTarget(text string) (float64, error) {
	percent, err := strconv.ParseFloat(text, 64)
	share := math.Round(percent*1e8) / 1e10
	if err != nil || !(share > 0 && share <= 1) {
		return 0, errors.New("a percentage above 0 and up to 100, such as 99.9")
	}
	return share, nil
}

// aftermath is how long after its end clients still meet what a deployment did.
const aftermath = time.Minute

// Build reads the report of some clusters. The data ends at now if the month has not ended.
func Build(ctx context.Context, source Source, incidents Incidents, clusters []string, month checks.Span, now time.Time, target float64) (Report, error) {
	r := Report{Span: month, Until: month.To, Target: target}
	if now.Before(r.Until) {
		r.Until = now
	}
	r.Clusters = make([]Cluster, len(clusters))
	errs, next := make([]error, len(clusters)), atomic.Int64{}
	var readers panics.Group
	for range min(sideBySide, len(clusters)) {
		readers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(clusters); i = int(next.Add(1)) - 1 {
				var err error
				if r.Clusters[i], err = build(ctx, source, incidents, clusters[i], checks.Span{From: r.From, To: r.Until}); err != nil {
					errs[i] = fmt.Errorf("reading the month of %q: %w", clusters[i], err)
					return
				}
			}
		})
	}
	readers.Wait()
	if err := errors.Join(errs...); err != nil {
		return Report{}, err
	}
	return r, nil
}

// sideBySide is the number of clusters that are read at one time, which the history allows, too.
const sideBySide = 4

func build(ctx context.Context, source Source, incidents Incidents, name string, span checks.Span) (Cluster, error) {
	cluster := Cluster{Name: name}
	var err error
	if cluster.Uptimes, err = source.Uptimes(ctx, name, span); err != nil {
		return cluster, err
	}
	cluster.Sessions = checks.SessionUptime(cluster.Uptimes)
	cluster.Uptimes = slices.DeleteFunc(cluster.Uptimes, func(u checks.Uptime) bool { return u.Kind == checks.TargetCanary })
	if err := cluster.addCoverage(ctx, source, span); err != nil {
		return cluster, err
	}
	all, err := incidents(ctx, name, span)
	if err != nil {
		return cluster, err
	}
	for _, i := range all {
		if !i.Fired.IsZero() { // nobody was notified of the others
			cluster.Incidents = append(cluster.Incidents, i)
		}
	}
	announced, err := source.Deployments(ctx, name, span)
	if err != nil {
		return cluster, err
	}
	for _, d := range announced {
		cost := checks.Span{From: d.From, To: d.To.Add(aftermath)}
		if d.To.IsZero() {
			cost.To = span.To
		}
		counts, err := source.CountsOf(ctx, name, cost)
		if err != nil {
			return cluster, err
		}
		cluster.Deployments = append(cluster.Deployments, Deployment{d, counts})
	}
	return cluster, nil
}

// addCoverage counts the days on which anything was probed, so that a month that was watched
// for a week is not taken for a whole one.
func (c *Cluster) addCoverage(ctx context.Context, source Source, span checks.Span) error {
	const day = 24 * time.Hour
	if !span.From.Before(span.To) {
		return nil
	}
	last := span.To.Add(-time.Nanosecond)
	c.Days = last.In(span.From.Location()).Day()
	days := int(last.UTC().Truncate(day).Sub(span.From.UTC().Truncate(day))/day) + 1
	var targets []checks.Target
	for _, u := range c.Uptimes {
		targets = append(targets, u.Target)
	}
	byTarget, err := source.Days(ctx, targets, last, days)
	if err != nil {
		return err
	}
	for i := range days {
		for _, uptimes := range byTarget {
			if i < len(uptimes) && uptimes[i].Probes > 0 {
				c.Covered++
				break
			}
		}
	}
	c.Covered = min(c.Covered, c.Days) // a month has a part of one more day of UTC
	return nil
}

// A WireReport is the JSON of a report.
type WireReport struct {
	Schema   int                `json:"schema"`
	Month    string             `json:"month"` // such as 2026-11
	From     wire.Timestamp     `json:"from"`
	Until    wire.Timestamp     `json:"until"`  // end of the data
	Target   float64            `json:"target"` // share of requests, in (0, 1]
	Clusters []wireClusterMonth `json:"clusters"`
}

type wireClusterMonth struct {
	Name          string               `json:"name"`
	TargetMet     *bool                `json:"target_met"` // null: there is no data of sessions
	DaysWithData  int                  `json:"days_with_data"`
	Days          int                  `json:"days"`
	Uptimes       []wire.Uptime        `json:"uptimes"` // of sessions without a target: all together
	Incidents     []wire.Incident      `json:"incidents"`
	Deployments   []wireDeploymentCost `json:"deployments"`
	SessionsMoved int                  `json:"sessions_moved"` // in deployments
	SessionsLost  int                  `json:"sessions_lost"`  // in deployments
}

type wireDeploymentCost struct {
	wire.Deployment
	SessionsMoved   int   `json:"sessions_moved"`
	SessionsLost    int   `json:"sessions_lost"`
	LongestOutageMS int64 `json:"longest_outage_ms"`
}

// WireReportOf converts a report.
func WireReportOf(r Report, now time.Time) WireReport {
	return WireReport{
		Schema: wire.SchemaVersion, Month: r.From.Format("2006-01"), From: wire.TimestampOf(r.From), Until: wire.TimestampOf(r.Until), Target: r.Target,
		Clusters: wire.List(r.Clusters, func(c Cluster) wireClusterMonth { return wireClusterMonthOf(r, c, now) }),
	}
}

func wireClusterMonthOf(r Report, cluster Cluster, now time.Time) wireClusterMonth {
	month := wireClusterMonth{
		Name: wire.Text(cluster.Name), DaysWithData: cluster.Covered, Days: cluster.Days,
		Incidents: wire.List(cluster.Incidents, func(i alerting.Incident) wire.Incident { return wire.IncidentOf(i, now) }),
		Uptimes:   wire.List(cluster.Uptimes, wire.UptimeOf),
	}
	if cluster.Sessions.Probes > 0 {
		met := r.Met(cluster)
		month.TargetMet = &met
		all := cluster.Sessions
		all.Kind, all.Name = checks.TargetSession, ""
		month.Uptimes = append([]wire.Uptime{wire.UptimeOf(all)}, month.Uptimes...)
	}
	for _, d := range cluster.Deployments {
		month.SessionsMoved, month.SessionsLost = month.SessionsMoved+d.Moved, month.SessionsLost+d.Lost
	}
	month.Deployments = wire.List(cluster.Deployments, func(d Deployment) wireDeploymentCost {
		return wireDeploymentCost{wire.DeploymentOf(d.Deployment), d.Moved, d.Lost, d.Longest.Milliseconds()}
	})
	return month
}
