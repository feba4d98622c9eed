package web

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/wire"
	"stickwatch/probes"
)

// Bounds of lists of incidents.
const (
	defaultIncidents = 100
	maxIncidents     = 1000
)

func (s *Server) getIncidents(r *http.Request) (answer, error) {
	q := s.queryOf(r)
	asked := IncidentQuery{
		Cluster: q.text("cluster"),
		State:   oneOf(q, "state", alerting.Pending, alerting.Firing, alerting.Resolved),
		Span:    checks.Span{From: q.timestamp("since", time.Time{}), To: q.timestamp("until", time.Time{})},
		Limit:   q.number("limit", defaultIncidents, 1, maxIncidents),
	}
	if err := q.err(); err != nil {
		return answer{}, err
	}
	found, err := s.incidents(r.Context(), asked)
	if err != nil {
		return answer{}, err
	}
	now := s.config.Now()
	return answer{body: wireIncidents{wire.List(found, func(i alerting.Incident) wire.Incident {
		return wire.IncidentOf(i, now)
	})}}, nil
}

func (s *Server) getIncident(r *http.Request) (answer, error) {
	if err := s.queryOf(r).err(); err != nil {
		return answer{}, err
	}
	i, err := s.incident(r.Context(), r.PathValue("id"))
	if err != nil {
		return answer{}, err
	}
	return answer{body: wire.IncidentOf(i, s.config.Now())}, nil
}

// incident returns the one with an id.
func (s *Server) incident(ctx context.Context, id string) (alerting.Incident, error) {
	found, err := s.incidents(ctx, IncidentQuery{ID: id, Limit: 1})
	if err != nil {
		return alerting.Incident{}, err
	}
	if len(found) == 0 {
		return alerting.Incident{}, fmt.Errorf("incident %q: %w", probes.Clean(id, maxWord), ErrNotFound)
	}
	return found[0], nil
}
