package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/wire"
	"stickwatch/probes"
)

// Limits of lists of incidents.
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

// incident returns the incident with an id.
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

// incidents returns incidents, newest first. While the history cannot be written, its open
// incidents are outdated, and those of the daemon replace them. Otherwise only stored
// incidents are returned, so that a restart cannot remove one that was shown.
func (s *Server) incidents(ctx context.Context, q IncidentQuery) ([]alerting.Incident, error) {
	open, unwritten := s.config.Unwritten()
	if unwritten && (q.State == alerting.Pending || q.State == alerting.Firing) {
		return newest(q.among(open), q.Limit), nil
	}
	found, err := s.config.History.Incidents(ctx, q)
	if err != nil || !unwritten || q.State == alerting.Resolved {
		return found, err
	}
	found = slices.DeleteFunc(found, func(old alerting.Incident) bool {
		return slices.ContainsFunc(open, func(i alerting.Incident) bool { return i.ID == old.ID })
	})
	return newest(append(found, q.among(open)...), q.Limit), nil
}

// newest sorts a list, newest first, and cuts it to limit.
func newest(list []alerting.Incident, limit int) []alerting.Incident {
	slices.SortFunc(list, func(a, b alerting.Incident) int {
		return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(b.ID, a.ID))
	})
	return list[:min(limit, len(list))]
}

// among returns the incidents of a list that match q, ignoring the limit.
func (q IncidentQuery) among(list []alerting.Incident) []alerting.Incident {
	return slices.DeleteFunc(list, func(i alerting.Incident) bool {
		return q.ID != "" && q.ID != i.ID ||
			q.Cluster != "" && !i.Concerns(q.Cluster) ||
			q.State != "" && q.State != i.State ||
			!q.Span.From.IsZero() && !i.Ended.IsZero() && i.Ended.Before(q.Span.From) ||
			!q.Span.To.IsZero() && !i.Started.Before(q.Span.To)
	})
}
