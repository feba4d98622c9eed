package main

import (
	"context"
	"fmt"
	"io"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/history"
	"stickwatch/internal/wire"
)

// A clusterHistory is what a history has of a cluster over a span.
type clusterHistory struct {
	cluster     string
	span        checks.Span
	uptimes     []checks.Uptime
	incidents   []alerting.Incident // newest first
	moves       []checks.Move       // newest first
	deployments []checks.Deployment // oldest first
}

func readClusterHistory(ctx context.Context, r *history.Reader, cluster string, span checks.Span) (clusterHistory, error) {
	p := clusterHistory{cluster: cluster, span: span}
	var err error
	if p.uptimes, err = r.Uptimes(ctx, cluster, span); err != nil {
		return p, err
	}
	if p.incidents, err = r.Incidents(ctx, history.IncidentQuery{Cluster: cluster, Span: span}); err != nil {
		return p, err
	}
	if p.moves, err = r.Moves(ctx, cluster, span, 0); err != nil {
		return p, err
	}
	p.deployments, err = r.Deployments(ctx, cluster, span)
	return p, err
}

func (o *historyOptions) showClusterHistories(c console, clusterHistories []clusterHistory) error {
	if o.output.value == "json" {
		return writeJSON(c.out, wireClusterHistoriesOf(clusterHistories, o.span(), o.now))
	}
	s := newTextReport(terminalOptions(c.out, c.environ))
	for i, p := range clusterHistories {
		if i > 0 {
			s.blank()
		}
		s.clusterHistory(p, calendar{o.now})
	}
	if len(clusterHistories) == 0 {
		s.line("Nothing has been seen yet.")
	}
	_, err := io.WriteString(c.out, s.String())
	return err
}

// showIncident tells all that is known of one incident.
func (o *historyOptions) showIncident(ctx context.Context, c console, r *history.Reader, id string) error {
	found, err := r.Incidents(ctx, history.IncidentQuery{ID: id})
	switch {
	case err != nil:
		return exitError{exitFinding, err}
	case len(found) == 0:
		return exitError{exitFinding, fmt.Errorf("there is no incident %q in the history (see: stickwatch history --since 30d)", name(id))}
	case o.output.value == "json":
		return writeJSON(c.out, wireIncidentFile{wire.Schema, wire.IncidentOf(found[0], o.now)})
	}
	s := newTextReport(terminalOptions(c.out, c.environ))
	s.incident(found[0], calendar{o.now})
	_, err = io.WriteString(c.out, s.String())
	return err
}
