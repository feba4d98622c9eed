package web

import (
	"cmp"
	"net/http"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/wire"
)

// Bounds of an answer about the past.
const (
	defaultPoints = 300 // what a chart on a screen can show
	maxPoints     = 5000
	maxMoves      = 1000
)

// getHistory tells uptimes, moves and deployments of a cluster over a span, and
// the points of one target if one is asked for.
func (s *Server) getHistory(r *http.Request) (answer, error) {
	q := s.queryOf(r)
	name := q.required("cluster")
	span := checks.Span{From: q.timestamp("since", q.now.Add(-24*time.Hour)), To: q.timestamp("until", q.now)}
	target := checks.Target{
		Cluster: name,
		Name:    q.text("target"),
		Kind: cmp.Or(oneOf(q, "kind", checks.TargetNode, checks.TargetBalancer, checks.TargetDependency,
			checks.TargetCanary, checks.TargetSession), checks.TargetNode),
	}
	step := q.step(span)
	if err := q.err(); err != nil {
		return answer{}, err
	}
	if _, err := s.snapshot(name); err != nil {
		return answer{}, err
	}
	body, err := s.historyOf(r, name, span)
	if err != nil || target.Name == "" {
		return answer{body: body}, err
	}
	points, err := s.config.History.Points(r.Context(), target, span, step)
	body.StepMS, body.Points = step.Milliseconds(), wire.List(points, wire.PointOf)
	return answer{body: body}, err
}

// step returns the step of points over a span: the one asked for, or one that
// makes a chart of them.
func (q *query) step(span checks.Span) time.Duration {
	step := q.duration("step")
	length := span.To.Sub(span.From)
	switch {
	case len(q.problems) > 0: // what would follow from them is no news
	case length <= 0:
		q.reject("%q must lie before %q", "since", "until")
	case step == 0:
		step = max(time.Second, (length / defaultPoints).Round(time.Second))
	case step < time.Second || length/step > maxPoints:
		q.reject("%q must be a second at least, and cut the span into %d points at most", "step", maxPoints)
	}
	return step
}

func (s *Server) historyOf(r *http.Request, cluster string, span checks.Span) (wireHistory, error) {
	uptimes, err := s.config.History.Uptimes(r.Context(), cluster, span)
	if err != nil {
		return wireHistory{}, err
	}
	moves, err := s.config.History.Moves(r.Context(), cluster, span, maxMoves)
	if err != nil {
		return wireHistory{}, err
	}
	deployments, err := s.config.History.Deployments(r.Context(), cluster, span)
	if err != nil {
		return wireHistory{}, err
	}
	return wireHistory{
		Cluster:     cluster,
		Since:       wire.Time(span.From),
		Until:       wire.Time(span.To),
		Uptimes:     wire.List(uptimes, wire.UptimeOf),
		Moves:       wire.List(moves, wire.MoveOf),
		Deployments: wire.List(deployments, wire.DeploymentOf),
	}, nil
}
