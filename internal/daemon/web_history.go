package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/history"
	"stickwatch/internal/metrics"
	"stickwatch/internal/web"
)

func historyConfig(h config.History, logger *slog.Logger) history.Config {
	return history.Config{Path: h.Path, Retention: h.Retention, MaxSize: h.MaxSize, Logger: logger}
}

// restoredState is the state in which the daemon before this one left everything, and the
// incidents that ended a short while ago: what comes and goes is known by them.
type restoredState history.State

func restoreState(ctx context.Context, db *history.DB) (restoredState, error) {
	state, err := db.Restore(ctx)
	if err != nil {
		return restoredState{}, err
	}
	now := time.Now()
	ended, err := db.Incidents(ctx, history.IncidentQuery{
		State: alerting.Resolved, Span: checks.Span{From: now.Add(-alerting.FlapWindow), To: now},
	})
	if err != nil {
		return restoredState{}, err
	}
	state.Incidents = append(state.Incidents, ended...)
	return restoredState(state), nil
}

// damageShown is for how long it is told that the history was damaged.
const damageShown = time.Hour

// reportRecovery tells of a history that was damaged when it was opened.
func (d *Daemon) reportRecovery() {
	r := d.history.Recovery()
	if r == nil {
		d.incidentStore.retract(checks.HistoryDamaged)
		return
	}
	d.incidentStore.report(checks.DamagedHistory(r.Kept, r.Detail, r.Rows()))
}

// retractRecovery ends that after a while.
func (d *Daemon) retractRecovery(context.Context) {
	if time.Since(d.began) > damageShown {
		d.incidentStore.retract(checks.HistoryDamaged)
	}
}

// webHistory is the history as the page and the API ask it.
type webHistory struct {
	*history.DB
	silences  *refresher[alerting.Silence]
	announced *refresher[alerting.Deployment]
}

// Incidents implements web.Incidents.
func (p webHistory) Incidents(ctx context.Context, q web.IncidentQuery) ([]alerting.Incident, error) {
	return p.DB.Incidents(ctx, history.IncidentQuery(q))
}

// DeadLetters implements web.Letters.
func (p webHistory) DeadLetters(ctx context.Context, limit int) ([]web.DeadLetter, error) {
	dead, err := p.DB.DeadLetters(ctx, limit)
	letters := make([]web.DeadLetter, len(dead))
	for i, d := range dead {
		letters[i] = web.DeadLetter(d)
	}
	return letters, err
}

// HistoryStatus implements web.Keeper.
func (p webHistory) HistoryStatus() web.HistoryStatus {
	s := p.Stats()
	return web.HistoryStatus{Dropped: s.Dropped, LastError: s.LastError, LastWrite: s.LastWrite, Damage: s.Damage}
}

// AddSilence implements web.Silences.
func (p webHistory) AddSilence(ctx context.Context, s alerting.Silence) error {
	if err := p.DB.AddSilence(ctx, s); err != nil {
		return err
	}
	return p.silences.refresh(ctx)
}

// ExpireSilence implements web.Silences.
func (p webHistory) ExpireSilence(ctx context.Context, id string, at time.Time) error {
	if err := p.DB.ExpireSilence(ctx, id, at); err != nil {
		return webError(err)
	}
	return p.silences.refresh(ctx)
}

// BeginDeployment implements web.Deployments. Until it is over, and its grace has
// passed, nobody is notified of what it explains.
func (p webHistory) BeginDeployment(ctx context.Context, d checks.Deployment) (string, error) {
	id, err := p.DB.BeginDeployment(ctx, d)
	if err != nil {
		return "", err
	}
	return id, p.announced.refresh(ctx)
}

// EndDeployment implements web.Deployments.
func (p webHistory) EndDeployment(ctx context.Context, id string, at time.Time, watched *alerting.WatchedCounts) error {
	if err := p.DB.EndDeployment(ctx, id, at, watched); err != nil {
		return webError(err)
	}
	return p.announced.refresh(ctx)
}

// webError is an error in the words of package web.
func webError(err error) error {
	if errors.Is(err, history.ErrNotFound) {
		return fmt.Errorf("%w: %w", web.ErrNotFound, err)
	}
	return err
}

// Export takes a round and answers with its metrics: web.Exporter.
func (d *Daemon) Export(ctx context.Context, cluster string) (http.Handler, error) {
	one, err := d.probe(ctx, cluster)
	if err != nil {
		return nil, err
	}
	return metrics.Handler([]checks.Report{one.Snapshot().Report}), nil
}

// unwrittenIncidents are the open incidents while the disk takes nothing: web.Config.
func (d *Daemon) unwrittenIncidents() (open []alerting.Incident, ok bool) {
	if d.history.Stats().LastError == "" {
		return nil, false
	}
	return d.incidentStore.open(), true
}
