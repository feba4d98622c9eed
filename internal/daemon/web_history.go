package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/history"
	"stickwatch/internal/metrics"
	"stickwatch/internal/web"
)

func historyConfig(cfg *config.Config, logger *slog.Logger, now func() time.Time) history.Config {
	h := cfg.History
	return history.Config{Path: h.Location(), Instance: cfg.Fleet.Instance, Retention: h.Retention, MaxSize: h.MaxSize, Logger: logger, Now: now}
}

// writeAgain writes what is open to a history that was created anew. Deployments, and notifications
// that were pending, are lost with the old one.
func (d *Daemon) writeAgain(ctx context.Context) {
	watching := d.active.Load()
	if watching == nil {
		return // the daemon is starting
	}
	active := make(map[string][]checks.ActiveFinding)
	for _, watcher := range watching.watchers {
		active[watcher.Cluster().Name] = d.clock.sharedFindings(watcher.Snapshot().ActiveFindings)
	}
	for _, s := range d.incidentService.writeAgain(active) {
		if err := d.history.AddSilence(ctx, s); err != nil {
			d.logger.Error("writing a silence again", "silence", s.ID, "err", err)
		}
	}
}

// A restoredState is the state that the previous process wrote, and the incidents
// that were resolved recently, which are needed to detect flapping.
type restoredState history.State

func restoreState(ctx context.Context, db *history.DB, now time.Time) (restoredState, error) {
	state, err := db.Restore(ctx)
	if err != nil {
		return restoredState{}, err
	}
	ended, err := db.Incidents(ctx, alerting.IncidentQuery{
		State: alerting.Resolved, Span: checks.Span{From: now.Add(-alerting.FlapWindow), To: now},
	})
	if err != nil {
		return restoredState{}, err
	}
	state.Incidents = append(state.Incidents, ended...)
	return restoredState(state), nil
}

// ofMonitor returns the state without what instances of a fleet continue when they take clusters
// over: all but the incidents of this monitor itself.
func (s restoredState) ofMonitor(name string) restoredState {
	nothing := func(string) bool { return false }
	s.Incidents = slices.DeleteFunc(s.Incidents, func(i alerting.Incident) bool { return !i.HandledBy(name, nothing) })
	s.ActiveFindings, s.Announced = nil, nil
	return s
}

// webHistory is the history as used by the page and the API.
type webHistory struct {
	*history.DB
	fleet     *fleetMember
	silences  *refresher[alerting.Silence]
	announced *refresher[alerting.Deployment]
	measured  func(cluster string) string // where the measurements of a cluster are
	counts    func(ctx context.Context, cluster string, span checks.Span) (alerting.Counts, error)
}

// Uptimes implements web.History.
func (w webHistory) Uptimes(ctx context.Context, cluster string, span checks.Span, kinds ...checks.TargetKind) ([]checks.Uptime, error) {
	all, err := w.DB.Uptimes(ctx, w.measured(cluster), span, kinds...)
	for i := range all {
		all[i].Cluster = cluster
	}
	return all, err
}

// Latencies implements web.History.
func (w webHistory) Latencies(ctx context.Context, cluster string, span checks.Span, kinds ...checks.TargetKind) ([]checks.Latency, error) {
	all, err := w.DB.Latencies(ctx, w.measured(cluster), span, kinds...)
	for i := range all {
		all[i].Cluster = cluster
	}
	return all, err
}

// ClusterLatencies implements web.History.
func (w webHistory) ClusterLatencies(ctx context.Context, clusters []string, span checks.Span, kind checks.TargetKind) (map[string]checks.Latency, error) {
	there := make([]string, len(clusters))
	for i, cluster := range clusters {
		there[i] = w.measured(cluster)
	}
	found, err := w.DB.ClusterLatencies(ctx, there, span, kind)
	all := make(map[string]checks.Latency, len(found))
	for i, cluster := range clusters {
		if l, ok := found[there[i]]; ok {
			l.Cluster = cluster
			all[cluster] = l
		}
	}
	return all, err
}

// Points implements web.History.
func (w webHistory) Points(ctx context.Context, of []checks.Target, span checks.Span, step time.Duration) (map[checks.Target][]checks.Point, error) {
	return whereMeasured(w, of, func(there []checks.Target) (map[checks.Target][]checks.Point, error) {
		return w.DB.Points(ctx, there, span, step)
	})
}

// Days implements web.History.
func (w webHistory) Days(ctx context.Context, of []checks.Target, to time.Time, n int) (map[checks.Target][]checks.Uptime, error) {
	all, err := whereMeasured(w, of, func(there []checks.Target) (map[checks.Target][]checks.Uptime, error) {
		return w.DB.Days(ctx, there, to, n)
	})
	for t, days := range all {
		for i := range days {
			days[i].Target = t
		}
	}
	return all, err
}

// whereMeasured reads what is known about targets where it is measured, and returns it by these targets.
func whereMeasured[V any](w webHistory, of []checks.Target, read func(there []checks.Target) (map[checks.Target]V, error)) (map[checks.Target]V, error) {
	there := slices.Clone(of)
	for i, t := range of {
		there[i].Cluster = w.measured(t.Cluster)
	}
	found, err := read(there)
	all := make(map[checks.Target]V, len(found))
	for i, t := range there {
		if known, is := found[t]; is {
			all[of[i]] = known
		}
	}
	return all, err
}

// Moves implements web.History.
func (w webHistory) Moves(ctx context.Context, cluster string, span checks.Span, limit int) ([]checks.Move, error) {
	return w.DB.Moves(ctx, w.measured(cluster), span, limit)
}

// CountMoves implements web.History.
func (w webHistory) CountMoves(ctx context.Context, cluster string, span checks.Span) (moved, lost int, err error) {
	return w.DB.CountMoves(ctx, w.measured(cluster), span)
}

// Placements implements web.History.
func (w webHistory) Placements(ctx context.Context, cluster string, span checks.Span, limit int) ([]checks.Placement, error) {
	return w.DB.Placements(ctx, w.measured(cluster), span, limit)
}

// CountsOf implements web.History.
func (w webHistory) CountsOf(ctx context.Context, cluster string, span checks.Span) (alerting.Counts, error) {
	return w.counts(ctx, cluster, span)
}

// FindingChanges implements web.History.
func (w webHistory) FindingChanges(ctx context.Context, cluster string, span checks.Span, limit int) ([]checks.Change, error) {
	kept, err := w.Changes(ctx, cluster, span, limit)
	changes := make([]checks.Change, len(kept))
	for i, c := range kept {
		changes[i] = c.Change
	}
	return changes, err
}

// DeadLetters implements web.History.
func (w webHistory) DeadLetters(ctx context.Context, limit int) ([]web.DeadLetter, error) {
	dead, err := w.DB.DeadLetters(ctx, limit)
	letters := make([]web.DeadLetter, len(dead))
	for i, d := range dead {
		letters[i] = web.DeadLetter(d)
	}
	return letters, err
}

// HistoryStatus implements web.History.
func (w webHistory) HistoryStatus() web.HistoryStatus {
	s := w.Stats()
	return web.HistoryStatus{Dropped: s.Dropped, LastError: s.LastError, LastWrite: s.LastWrite, Damage: s.Damage, ClocksOff: w.fleet.clocksOff()}
}

// AddSilence implements web.History.
func (w webHistory) AddSilence(ctx context.Context, s alerting.Silence) error {
	if err := w.DB.AddSilence(ctx, s); err != nil {
		return err
	}
	w.fleet.announce(ctx, history.SilencesChanged)
	return w.silences.afterChange(ctx)
}

// ExpireSilence implements web.History.
func (w webHistory) ExpireSilence(ctx context.Context, id string, at time.Time) error {
	if err := w.DB.ExpireSilence(ctx, id, at); err != nil {
		return webError(err)
	}
	w.fleet.announce(ctx, history.SilencesChanged)
	return w.silences.afterChange(ctx)
}

// BeginDeployment implements web.History. Findings that the deployment explains
// cause no notifications until its grace period has passed.
func (w webHistory) BeginDeployment(ctx context.Context, d checks.Deployment) (string, error) {
	id, err := w.DB.BeginDeployment(ctx, d)
	if err != nil {
		return "", err
	}
	w.fleet.announce(ctx, history.DeploymentsChanged)
	return id, w.announced.afterChange(ctx)
}

// EndDeployment implements web.History.
func (w webHistory) EndDeployment(ctx context.Context, id string, at time.Time, watched *alerting.WatchedCounts) error {
	if err := w.DB.EndDeployment(ctx, id, at, watched); err != nil {
		return webError(err)
	}
	w.fleet.announce(ctx, history.DeploymentsChanged)
	return w.announced.afterChange(ctx)
}

// webError converts an error of the history to one of package web.
func webError(err error) error {
	if errors.Is(err, history.ErrNotFound) {
		return fmt.Errorf("%w: %w", web.ErrNotFound, err)
	}
	return err
}

// Export implements web.Exporter. It runs a round and returns a handler with its
// metrics.
func (d *Daemon) Export(ctx context.Context, cluster string) (http.Handler, error) {
	watcher, err := d.probe(ctx, cluster)
	if err != nil {
		return nil, err
	}
	return metrics.Handler([]checks.Report{watcher.Snapshot().Report}), nil
}

// openIncidents returns the open incidents, and whether the history lacks changes of them; see
// web.Config.
func (d *Daemon) openIncidents() (open []alerting.Incident, unwritten bool) {
	return d.incidentService.open(), d.history.Stats().LastError != ""
}

// handles returns web.Config.Handles; nil: there is no fleet.
func (d *Daemon) handles() func(alerting.Incident) bool {
	if d.fleet == nil {
		return nil
	}
	return func(i alerting.Incident) bool { return i.HandledBy(d.fleet.name, d.active.Load().watches) }
}

// Acknowledge implements web.Operator. The history has the acknowledgement when it
// returns, unless the disk accepts nothing; then it is in memory, as the incident is. In a fleet it
// fails if another instance has taken the cluster over.
func (d *Daemon) Acknowledge(ctx context.Context, id string, a alerting.Acknowledgement, takeOver bool) (alerting.Incident, error) {
	i, err := d.incidentService.acknowledge(id, a, takeOver)
	if errors.Is(err, alerting.ErrNotOpen) {
		return i, web.ErrNotFound
	}
	if err != nil {
		return i, err
	}
	return i, d.writeChange(ctx, i)
}

// writeChange writes the last change of an open incident. The queue retries it and logs an error. Only
// if another instance has taken the cluster over, the change is lost. Another flush may have found
// that, so that the history decides.
func (d *Daemon) writeChange(ctx context.Context, i alerting.Incident) error {
	err := d.flush(ctx)
	if _, fenced := errors.AsType[*history.FencedError](err); d.fleet == nil || err != nil && !fenced {
		return nil
	}
	found, err := d.history.Incidents(ctx, alerting.IncidentQuery{ID: i.ID})
	if err != nil || len(i.Timeline) == 0 || len(found) > 0 && hasEvent(found[0], i.Timeline[len(i.Timeline)-1]) {
		return nil
	}
	return d.fleet.elsewhere(i.Cluster)
}

// hasEvent reports whether the timeline of an incident has an event.
func hasEvent(i alerting.Incident, event alerting.Event) bool {
	return slices.ContainsFunc(i.Timeline, func(e alerting.Event) bool { return e.Kind == event.Kind && e.At.Equal(event.At) })
}

// AddNote implements web.Operator. A note on a resolved incident needs the disk.
func (d *Daemon) AddNote(ctx context.Context, id, by, text string) (alerting.Incident, error) {
	note := alerting.NewNote(d.clock.sharedNow(), by, text)
	incident, err := d.incidentService.addNote(id, note)
	if err == nil {
		return incident, d.writeChange(ctx, incident)
	}
	d.notesMu.Lock()
	defer d.notesMu.Unlock()
	if err := d.flush(ctx); err != nil { // the incident may have resolved just now
		return incident, err
	}
	found, err := d.history.Incidents(ctx, alerting.IncidentQuery{ID: id})
	switch {
	case err != nil:
		return incident, err
	case len(found) == 0 || found[0].State != alerting.Resolved:
		return incident, web.ErrNotFound
	}
	incident = found[0].WithNote(note)
	d.writeQueue.Add(history.WriteSet{Decision: alerting.Decision{Incidents: []alerting.Incident{incident}}})
	return incident, d.flush(ctx)
}

// flush waits a while until the history has all decisions.
func (d *Daemon) flush(ctx context.Context) error { return flushWithin(ctx, d.writeQueue.Flush) }

func flushWithin(ctx context.Context, flush func(context.Context) error) error {
	const wait = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return flush(ctx)
}

// A refresher applies silences or announced deployments from the history.
type refresher[T any] struct {
	read  func(context.Context, time.Time) ([]T, error)
	apply func([]T)
	now   func() time.Time

	mu sync.Mutex // held from reading to applying, so that no older list is applied last
}

// afterChange applies a list to which a change has just been written. It ignores the end of ctx: whoever
// asked for the change need not wait for this.
func (r *refresher[T]) afterChange(ctx context.Context) error {
	return r.refresh(context.WithoutCancel(ctx))
}

// refresh applies the current list of the history.
func (r *refresher[T]) refresh(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	list, err := r.read(ctx, r.now())
	if err != nil {
		return err
	}
	r.apply(list)
	return nil
}
