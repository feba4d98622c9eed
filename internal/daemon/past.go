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

// legacy is the state in which the daemon before this one left everything, and the
// incidents that ended a short while ago: what comes and goes is known by them.
type legacy history.State

func recall(ctx context.Context, db *history.DB) (legacy, error) {
	state, err := db.Restore(ctx)
	if err != nil {
		return legacy{}, err
	}
	now := time.Now()
	ended, err := db.Incidents(ctx, history.IncidentQuery{
		State: alerting.Resolved, Span: checks.Span{From: now.Add(-alerting.FlapWindow), To: now},
	})
	if err != nil {
		return legacy{}, err
	}
	state.Incidents = append(state.Incidents, ended...)
	return legacy(state), nil
}

// damageShown is for how long it is told that the history was damaged.
const damageShown = time.Hour

// reportRecovery tells of a history that was damaged when it was opened.
func (d *Daemon) reportRecovery() {
	r := d.history.Recovery()
	if r == nil {
		d.registry.retract(checks.HistoryDamaged)
		return
	}
	d.registry.report(checks.DamagedHistory(r.Kept, r.Detail, r.Rows()))
}

// retractRecovery ends that after a while.
func (d *Daemon) retractRecovery(context.Context) {
	if time.Since(d.began) > damageShown {
		d.registry.retract(checks.HistoryDamaged)
	}
}

// pastOf is the history as the page and the API ask it.
type pastOf struct {
	*history.DB
	silences  *refresher[alerting.Silence]
	announced *refresher[alerting.Deployment]
}

// Incidents implements web.Incidents.
func (p pastOf) Incidents(ctx context.Context, q web.IncidentQuery) ([]alerting.Incident, error) {
	return p.DB.Incidents(ctx, history.IncidentQuery(q))
}

// DeadLetters implements web.Letters.
func (p pastOf) DeadLetters(ctx context.Context, limit int) ([]web.DeadLetter, error) {
	dead, err := p.DB.DeadLetters(ctx, limit)
	letters := make([]web.DeadLetter, len(dead))
	for i, d := range dead {
		letters[i] = web.DeadLetter(d)
	}
	return letters, err
}

// Keeping implements web.Keeper.
func (p pastOf) Keeping() web.Keeping {
	s := p.Stats()
	return web.Keeping{Dropped: s.Dropped, LastError: s.LastError, LastWrite: s.LastWrite, Damage: s.Damage}
}

// AddSilence implements web.Silences.
func (p pastOf) AddSilence(ctx context.Context, s alerting.Silence) error {
	if err := p.DB.AddSilence(ctx, s); err != nil {
		return err
	}
	return p.silences.refresh(ctx)
}

// ExpireSilence implements web.Silences.
func (p pastOf) ExpireSilence(ctx context.Context, id string, at time.Time) error {
	if err := p.DB.ExpireSilence(ctx, id, at); err != nil {
		return known(err)
	}
	return p.silences.refresh(ctx)
}

// BeginDeployment implements web.Deployments. Until it is over, and its grace has
// passed, nobody is notified of what it explains.
func (p pastOf) BeginDeployment(ctx context.Context, d checks.Deployment) (string, error) {
	id, err := p.DB.BeginDeployment(ctx, d)
	if err != nil {
		return "", err
	}
	return id, p.announced.refresh(ctx)
}

// EndDeployment implements web.Deployments.
func (p pastOf) EndDeployment(ctx context.Context, id string, at time.Time, watched *alerting.WatchedCounts) error {
	if err := p.DB.EndDeployment(ctx, id, at, watched); err != nil {
		return known(err)
	}
	return p.announced.refresh(ctx)
}

// known is an error in the words of package web.
func known(err error) error {
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
	return metrics.Handler([]checks.Report{one.Picture().Report}), nil
}

// unwritten are the open incidents while the disk takes nothing: web.Config.
func (d *Daemon) unwritten() (open []alerting.Incident, ok bool) {
	if d.history.Stats().LastError == "" {
		return nil, false
	}
	return d.registry.open(), true
}
