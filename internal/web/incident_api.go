package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/wire"
)

// Limits of lists of incidents.
const (
	defaultIncidents = 100
	maxIncidents     = 1000
)

func (s *Server) getIncidents(r *http.Request) (answer, error) {
	q := s.queryOf(r)
	asked := q.parseIncidentQuery()
	asked.Limit = q.number("limit", defaultIncidents, 1, maxIncidents)
	if err := q.err(); err != nil {
		return answer{}, err
	}
	found, err := s.findIncidents(r.Context(), asked)
	if err != nil {
		return answer{}, err
	}
	now := s.config.Now()
	return answer{body: wireIncidents{wire.List(found, func(i alerting.Incident) wire.Incident {
		return wire.IncidentOf(i, now)
	})}}, nil
}

// parseIncidentQuery returns which incidents a request asks for. Its parameter state is a state or a
// phase.
func (q *query) parseIncidentQuery() alerting.IncidentQuery {
	asked := alerting.IncidentQuery{
		Cluster:  q.text("cluster"),
		Severity: oneOf(q, "severity", checks.Critical, checks.Warning),
		Code:     checks.Code(q.text("code")),
		Span:     checks.Span{From: q.timestamp("since", time.Time{}), To: q.timestamp("until", time.Time{})},
	}
	state := oneOf(q, "state", string(alerting.PhaseOngoing), string(alerting.PhaseRecovering), string(alerting.Resolved), string(alerting.Pending), string(alerting.Firing))
	if asked.Code != "" && !checks.Known(asked.Code) {
		q.reject("%q is %q, want the code of a finding, such as %s", "code", asked.Code, checks.NodeDown)
	}
	if slices.Contains(alerting.Phases, alerting.Phase(state)) {
		asked.Phase = alerting.Phase(state)
	} else {
		asked.State = alerting.State(state)
	}
	return asked
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

func (s *Server) incident(ctx context.Context, id string) (alerting.Incident, error) {
	found, err := s.findIncidents(ctx, alerting.IncidentQuery{ID: id, Limit: 1})
	if err != nil {
		return alerting.Incident{}, err
	}
	if len(found) == 0 {
		return alerting.Incident{}, notFound("incident", id, ErrNotFound)
	}
	return found[0], nil
}

// findIncidents returns incidents, newest first. While the history can be written, they are those that
// it has, so that a restart cannot remove one that was shown. While it cannot, the open incidents in
// memory replace those in it that this daemon handles. While it cannot be read, queries that need only
// open incidents are answered from memory.
func (s *Server) findIncidents(ctx context.Context, q alerting.IncidentQuery) ([]alerting.Incident, error) {
	if s.config.OpenIncidents == nil {
		return s.config.History.Incidents(ctx, q)
	}
	open, unwritten := s.config.OpenIncidents()
	isOpen := q.State == alerting.Pending || q.State == alerting.Firing || q.Phase == alerting.PhaseOngoing || q.Phase == alerting.PhaseRecovering
	if unwritten && isOpen && s.config.Handles == nil {
		return newest(among(open, q), q.Limit), nil
	}
	found, err := s.config.History.Incidents(ctx, q)
	if err != nil {
		known := among(open, q)
		if isOpen || q.ID != "" && len(known) > 0 {
			return newest(known, q.Limit), nil
		}
		return nil, err
	}
	if !unwritten || q.State == alerting.Resolved || q.Phase == alerting.PhaseResolved {
		return found, nil
	}
	found = slices.DeleteFunc(found, func(old alerting.Incident) bool {
		if isOpen && s.config.Handles(old) {
			return true // it may have ended meanwhile
		}
		return slices.ContainsFunc(open, func(i alerting.Incident) bool { return i.ID == old.ID })
	})
	return newest(append(found, among(open, q)...), q.Limit), nil
}

// newest sorts a list, newest first, and cuts it to limit.
func newest(list []alerting.Incident, limit int) []alerting.Incident {
	slices.SortFunc(list, func(a, b alerting.Incident) int {
		return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(b.ID, a.ID))
	})
	return list[:min(limit, len(list))]
}

// among returns copies of the incidents of a list that match a query, ignoring the limit.
func among(list []alerting.Incident, q alerting.IncidentQuery) []alerting.Incident {
	return slices.DeleteFunc(slices.Clone(list), func(i alerting.Incident) bool { return !q.Matches(&i) })
}
