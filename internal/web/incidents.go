package web

import (
	"cmp"
	"context"
	"slices"

	"stickwatch/alerting"
)

// incidents tells which there are, newest first. Those that are open are known
// by Config.Open, where it is there: what the history has of them is as old as
// its last write, and a disk that is full takes none.
func (s *Server) incidents(ctx context.Context, q IncidentQuery) ([]alerting.Incident, error) {
	if s.config.Open != nil && (q.State == alerting.Pending || q.State == alerting.Firing) {
		return newest(q.among(s.config.Open()), q.Limit), nil
	}
	found, err := s.config.Past.Incidents(ctx, q)
	if err != nil || s.config.Open == nil || q.State == alerting.Resolved {
		return found, err
	}
	open := s.config.Open()
	found = slices.DeleteFunc(found, func(old alerting.Incident) bool {
		return slices.ContainsFunc(open, func(i alerting.Incident) bool { return i.ID == old.ID })
	})
	return newest(append(found, q.among(open)...), q.Limit), nil
}

// newest sorts a list and cuts it.
func newest(list []alerting.Incident, limit int) []alerting.Incident {
	slices.SortFunc(list, func(a, b alerting.Incident) int {
		return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(b.ID, a.ID))
	})
	return list[:min(limit, len(list))]
}

// among are those of a list that are asked for, but for the limit.
func (q IncidentQuery) among(list []alerting.Incident) []alerting.Incident {
	return slices.DeleteFunc(list, func(i alerting.Incident) bool {
		return q.ID != "" && q.ID != i.ID ||
			q.Cluster != "" && q.Cluster != i.Cluster ||
			q.State != "" && q.State != i.State ||
			!q.Span.From.IsZero() && !i.Ended.IsZero() && i.Ended.Before(q.Span.From) ||
			!q.Span.To.IsZero() && !i.Started.Before(q.Span.To)
	})
}
