package web

import (
	"cmp"
	"net/http"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/wire"
	"stickwatch/probes"
)

// snapshot returns the snapshot of a cluster.
func (s *Server) snapshot(name string) (Snapshot, error) {
	for _, snapshot := range s.config.Snapshots.Snapshots() {
		if snapshot.Cluster.Name == name {
			return snapshot, nil
		}
	}
	return Snapshot{}, notFound("cluster", name, ErrNotFound)
}

func (s *Server) getClusters(r *http.Request) (answer, error) {
	if err := s.queryOf(r).err(); err != nil {
		return answer{}, err
	}
	return answer{body: wireClusters{wire.SchemaVersion, wire.List(s.config.Snapshots.Snapshots(), wireClusterOf)}}, nil
}

func (s *Server) getCluster(r *http.Request) (answer, error) {
	if err := s.queryOf(r).err(); err != nil {
		return answer{}, err
	}
	snapshot, err := s.snapshot(r.PathValue("name"))
	if err != nil {
		return answer{}, err
	}
	return answer{body: wireClusterOf(snapshot)}, nil
}

// probeCluster takes a round and returns the cluster.
func (s *Server) probeCluster(r *http.Request) (answer, error) {
	if err := s.probe(r); err != nil {
		return answer{}, err
	}
	return s.getCluster(r)
}

// probe takes a round of the cluster in the path of r.
func (s *Server) probe(r *http.Request) error {
	_, err := s.round(r.Context(), r.PathValue("name"))
	return err
}

// Limits of history responses.
const (
	defaultPoints = 300 // enough for a chart on a screen
	maxPoints     = 5000
	maxMoves      = 1000
)

// getHistory returns the uptimes, latencies, moves and deployments of a cluster in a span, and the points
// of one target if the request names one.
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
	points, err := s.config.History.Points(r.Context(), []checks.Target{target}, span, step)
	body.StepMS, body.Points = step.Milliseconds(), wire.List(points[target], wire.PointOf)
	return answer{body: body}, err
}

// step returns the requested step of points, or one that suits a chart of the span.
func (q *query) step(span checks.Span) time.Duration {
	step := q.duration("step")
	length := span.To.Sub(span.From)
	switch {
	case len(q.problems) > 0: // do not report errors that follow from others
	case length <= 0:
		q.reject("%q must lie before %q", "since", "until")
	case step == 0:
		step = stepFor(length)
	case step < time.Second || length/step > maxPoints:
		q.reject("%q must be a second at least, and cut the span into %d points at most", "step", maxPoints)
	}
	return step
}

// stepFor returns a step that cuts a length into about defaultPoints. It has whole seconds, minutes or
// hours, of which the history has sums.
func stepFor(length time.Duration) time.Duration {
	step, unit := length/defaultPoints, time.Second
	for _, longer := range []time.Duration{time.Minute, time.Hour} {
		if step > longer {
			unit = longer
		}
	}
	return max(unit, (step + unit - 1).Truncate(unit))
}

func (s *Server) historyOf(r *http.Request, cluster string, span checks.Span) (wireHistory, error) {
	uptimes, err := s.config.History.Uptimes(r.Context(), cluster, span)
	if err != nil {
		return wireHistory{}, err
	}
	latencies, err := s.config.History.Latencies(r.Context(), cluster, span)
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
		Since:       wire.TimestampOf(span.From),
		Until:       wire.TimestampOf(span.To),
		Uptimes:     wire.List(uptimes, wire.UptimeOf),
		Latencies:   wire.List(latencies, wire.LatencyOf),
		Moves:       wire.List(moves, wire.MoveOf),
		Deployments: wire.List(deployments, wire.DeploymentOf),
	}, nil
}

// maxNodes bounds the nodes of an announced deployment.
const maxNodes = 1000

// watchedCounts validates and returns the counts.
func watchedCounts(a wire.DeploymentEndRequest) (*alerting.WatchedCounts, error) {
	if a.Moved < 0 || a.Lost < 0 || a.LongestOutageMS < 0 || a.LongestOutageMS > alerting.LongestDeployment.Milliseconds() {
		return nil, newProblem(http.StatusBadRequest, `"sessions_moved", "sessions_lost" and "longest_outage_ms" must not be negative, and an outage must not exceed the maximum duration of a deployment`)
	}
	return &alerting.WatchedCounts{Moved: a.Moved, Lost: a.Lost, Longest: time.Duration(a.LongestOutageMS) * time.Millisecond}, nil
}

func (s *Server) getDeployments(r *http.Request) (answer, error) {
	q := s.queryOf(r)
	cluster := q.text("cluster")
	span := checks.Span{From: q.timestamp("since", q.now.Add(-30*24*time.Hour)), To: q.timestamp("until", q.now)}
	if err := q.err(); err != nil {
		return answer{}, err
	}
	found, err := s.config.History.Deployments(r.Context(), cluster, span)
	return answer{body: wireDeployments{wire.List(found, wire.DeploymentOf)}}, err
}

// postDeployment starts a deployment. The response contains the id that ends it.
func (s *Server) postDeployment(r *http.Request) (answer, error) {
	asked, err := decode[wire.DeploymentRequest](r)
	if err != nil {
		return answer{}, err
	}
	name := probes.Clean(asked.Name, probes.MaxError)
	if name == "" || asked.Cluster == "" {
		return answer{}, newProblem(http.StatusBadRequest, `want "cluster" and "name"`)
	}
	switch snapshot, err := s.snapshot(asked.Cluster); {
	case err != nil:
		return answer{}, err
	case snapshot.Cluster.Base != "":
		return answer{}, newProblems(http.StatusBadRequest, ofView(snapshot.Cluster))
	}
	if len(asked.Nodes) > maxNodes {
		return answer{}, newProblem(http.StatusBadRequest, `"nodes" has %d names, want at most %d`, len(asked.Nodes), maxNodes)
	}
	for _, node := range asked.Nodes {
		if err := s.checkNames(asked.Cluster, node); node == "" || err != nil {
			return answer{}, newProblem(http.StatusBadRequest, `"nodes" contains a name that is not a node of the cluster`)
		}
	}
	d := checks.Deployment{
		Cluster: asked.Cluster,
		Name:    name,
		Span:    checks.Span{From: s.config.Now()},
		Nodes:   asked.Nodes,
	}
	id, err := s.config.History.BeginDeployment(r.Context(), d)
	if err != nil {
		return answer{}, err
	}
	body := wire.DeploymentOf(d)
	body.ID = id
	s.config.Live.Publish(d.Cluster)
	return answer{status: http.StatusCreated, body: body}, nil
}

// endDeployment ends a deployment and stores the counts of the client that watched it.
func (s *Server) endDeployment(r *http.Request) (answer, error) {
	var watched *alerting.WatchedCounts
	if r.ContentLength != 0 {
		asked, err := decode[wire.DeploymentEndRequest](r)
		if err != nil {
			return answer{}, err
		}
		if watched, err = watchedCounts(asked); err != nil {
			return answer{}, err
		}
	}
	return answer{}, s.config.History.EndDeployment(r.Context(), r.PathValue("id"), s.config.Now(), watched)
}
