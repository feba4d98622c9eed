package web

import (
	"cmp"
	"context"
	"slices"

	"stickwatch/alerting"
)

// incidents tells which there are, newest first. What the history has of those
// that are open is as old as its last write, and a disk that is full takes none:
// then they are told as the daemon has them. As long as the disk takes them, only
// what is on it is told, since nothing that was told is to be forgotten.
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
			q.Cluster != "" && !i.Concerns(q.Cluster) ||
			q.State != "" && q.State != i.State ||
			!q.Span.From.IsZero() && !i.Ended.IsZero() && i.Ended.Before(q.Span.From) ||
			!q.Span.To.IsZero() && !i.Started.Before(q.Span.To)
	})
}
