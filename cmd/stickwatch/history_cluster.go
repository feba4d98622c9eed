package main

import (
	"context"
	"fmt"

	"stickwatch/checks"
	"stickwatch/internal/history"
	"stickwatch/internal/render"
)

func readClusterHistory(ctx context.Context, r *history.Reader, cluster string, span checks.Span) (render.ClusterHistory, error) {
	p := render.ClusterHistory{Cluster: cluster, Span: span}
	var err error
	if p.Uptimes, err = r.Uptimes(ctx, cluster, span); err != nil {
		return p, err
	}
	if p.Incidents, err = r.Incidents(ctx, history.IncidentQuery{Cluster: cluster, Span: span}); err != nil {
		return p, err
	}
	if p.Moves, err = r.Moves(ctx, cluster, span, 0); err != nil {
		return p, err
	}
	p.Deployments, err = r.Deployments(ctx, cluster, span)
	return p, err
}

// showIncident tells all that is known of one incident.
func (o *historyOptions) showIncident(ctx context.Context, c console, r *history.Reader, id string) error {
	found, err := r.Incidents(ctx, history.IncidentQuery{ID: id})
	switch {
	case err != nil:
		return exitError{exitFinding, err}
	case len(found) == 0:
		return exitError{exitFinding, fmt.Errorf("there is no incident %q in the history (see: stickwatch history --since 30d)", render.CleanName(id))}
	}
	return render.Incident(c.out, o.output.value, found[0], o.now, terminalOptions(c.out, c.environ))
}
