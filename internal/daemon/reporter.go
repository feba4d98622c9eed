package daemon

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/history"
	"stickwatch/internal/metrics"
	"stickwatch/internal/monitor"
	"stickwatch/internal/web"
	"stickwatch/probes"
)

// A reporter passes observations and results of the watchers to the history, the
// metrics, the page, and the incident service. Probing waits for it, so it never
// blocks.
type reporter struct {
	history         *history.DB
	metrics         *metrics.Live
	page            *web.Live
	incidentService *incidentService
	logger          *slog.Logger
	clock           *steadyClock
	fleet           *fleetMember // nil: there is none

	placements  placementRecorder
	pageUpdated sync.Map // by cluster: the time of the last update of the page (time.Time)
}

// Probed implements monitor.Observer.
func (r *reporter) Probed(p monitor.Probe) {
	if p.Failure == probes.FailureCancelled {
		return // cancelled by stickwatch
	}
	s := checks.Sample{
		Target: p.Target, At: r.clock.shared(p.At), OK: p.OK(), Latency: p.Timing.Total, Status: p.Status, Failure: p.Failure,
	}
	name := ""
	switch p.Purpose {
	case monitor.ForPing:
		s.OK = p.Failure == ""
	case monitor.ForPage:
		name = metrics.ProbePage
	}
	r.metrics.Sample(s, p.Timing, name)
	if name == "" { // a failed page does not count as downtime of its node
		r.history.Record(history.Batch{Samples: []checks.Sample{s}})
	}
}

// Requested implements monitor.Observer.
func (r *reporter) Requested(q checks.Request) {
	q.At = r.clock.shared(q.At)
	r.metrics.Request(q)
	r.fleet.recordLost(q)
	r.incidentService.observeRequest(r.fleet.ofCluster(q))
	kept := history.Batch{Placements: r.placements.observe(q)}
	if s, known := sessionSample(q); known {
		kept.Samples = []checks.Sample{s}
	}
	r.history.Record(kept)
}

// sessionSample converts a request to a sample for the history; known is false if its
// outcome is unknown. An error is a sample without a response, so that charts
// distinguish it from a lost session.
func sessionSample(q checks.Request) (s checks.Sample, known bool) {
	s = checks.Sample{
		Target: checks.Target{Cluster: q.Cluster, Kind: checks.TargetSession, Name: q.Node},
		At:     q.At, OK: q.Outcome.Good(), Latency: q.Latency,
	}
	if q.Outcome == checks.OutcomeError {
		s.Failure = probes.FailureOther
	}
	return s, q.Outcome.Good() || q.Outcome.Harmful()
}

// Judged implements monitor.Observer.
func (r *reporter) Judged(result monitor.RoundResult) {
	cluster := result.Cluster.Name
	result.Snapshot, result.Changes = r.clock.sharedSnapshot(result.Snapshot), slices.Clone(result.Changes)
	for i, c := range result.Changes {
		result.Changes[i].ActiveFinding, result.Changes[i].At = c.ActiveFinding.WithTimes(r.clock.shared), r.clock.shared(c.At)
	}
	r.metrics.Observe(result.Report)
	r.metrics.Canaries(cluster, oldestOpened(result.Canaries))
	kept := batchOf(result)
	for i, m := range kept.Moves {
		kept.Moves[i].At = r.clock.shared(m.At)
	}
	for _, m := range kept.Moves {
		r.metrics.Move(m)
	}
	r.history.Record(kept)
	for _, c := range result.Changes {
		r.log(cluster, c)
	}
	if result.Cluster.Base == "" { // otherwise a siteJudge decides
		r.incidentService.observeNodes(result)
		r.incidentService.observe(cluster, result.Changes, result.ActiveFindings)
	}
	r.show(result)
}

// batchOf returns the records of a round for the history.
func batchOf(r monitor.RoundResult) history.Batch {
	cluster := r.Cluster.Name
	var b history.Batch
	for _, c := range r.Changes {
		b.Changes = append(b.Changes, history.Change{Cluster: cluster, Change: c})
	}
	if !r.Full {
		return b
	}
	for _, m := range r.Report.Session.Moves {
		if m.Kept && r.Report.Session.Policy == probes.PolicyShared {
			continue // moves are normal there
		}
		b.Moves = append(b.Moves, m)
	}
	return b
}

// log writes a line for a change.
func (r *reporter) log(cluster string, c checks.Change) {
	write := r.logger.Info
	if c.Kind != checks.Gone && c.Severity.AtLeast(checks.Warning) && c.ExplainedBy == "" {
		write = r.logger.Warn
	}
	args := []any{"cluster", cluster, "finding", c.Key(), "severity", string(c.Severity), "summary", c.Summary.String()}
	if c.ExplainedBy != "" {
		args = append(args, "explained_by", c.ExplainedBy)
	}
	if c.Kind == checks.Gone {
		args = append(args, "since", c.Since, "duration", c.At.Sub(c.Since).Round(time.Millisecond))
	}
	write("finding "+string(c.Kind), append(args, "reason", c.Reason)...)
}

// show updates the page after whole rounds and changes. Other rounds differ only in
// their time, so they update the page every 10 s.
func (r *reporter) show(result monitor.RoundResult) {
	const calm = 10 * time.Second
	cluster := result.Cluster.Name
	last, _ := r.pageUpdated.Load(cluster)
	at, _ := last.(time.Time)
	if result.Full || len(result.Changes) > 0 || time.Since(at) > calm {
		r.pageUpdated.Store(cluster, time.Now())
		r.page.Publish(cluster)
		r.fleet.changed(cluster)
	}
}

// oldestOpened returns when the oldest canary of each node was opened.
func oldestOpened(canaries []monitor.CanarySession) map[string]time.Time {
	at := make(map[string]time.Time)
	for _, c := range canaries {
		if old, ok := at[c.Node]; !ok || c.Opened.Before(old) {
			at[c.Node] = c.Opened
		}
	}
	return at
}
