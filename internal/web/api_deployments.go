package web

import (
	"net/http"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/wire"
	"stickwatch/probes"
)

// An deploymentRequest is a deployment as somebody announces it.
type deploymentRequest struct {
	Cluster string   `json:"cluster"`
	Name    string   `json:"name"`  // what is deployed: a version, a ticket
	Nodes   []string `json:"nodes"` // that it changes; left out: any
}

// maxNodes bounds the nodes that a deployment is announced for.
const maxNodes = 1000

// deploymentEndRequest is what a client that watched a deployment counted; a request without a
// body tells nothing.
type deploymentEndRequest struct {
	Moved           int   `json:"sessions_moved"`
	Lost            int   `json:"sessions_lost"`
	LongestOutageMS int64 `json:"longest_outage_ms"`
}

// watched is what it counted, if that can be.
func (a deploymentEndRequest) watched() (*alerting.WatchedCounts, error) {
	if a.Moved < 0 || a.Lost < 0 || a.LongestOutageMS < 0 || a.LongestOutageMS > alerting.LongestDeployment.Milliseconds() {
		return nil, newProblem(http.StatusBadRequest, `"sessions_moved", "sessions_lost" and "longest_outage_ms" must not be negative, and an outage not longer than a deployment may be`)
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

// postDeployment begins a deployment; its answer has the id by which it is ended.
func (s *Server) postDeployment(r *http.Request) (answer, error) {
	asked, err := decode[deploymentRequest](r)
	if err != nil {
		return answer{}, err
	}
	if asked.Name == "" || asked.Cluster == "" {
		return answer{}, newProblem(http.StatusBadRequest, `want "cluster" and "name"`)
	}
	if _, err := s.snapshot(asked.Cluster); err != nil {
		return answer{}, err
	}
	if len(asked.Nodes) > maxNodes {
		return answer{}, newProblem(http.StatusBadRequest, `"nodes" has %d names, want at most %d`, len(asked.Nodes), maxNodes)
	}
	for _, node := range asked.Nodes {
		if err := s.checkNames(asked.Cluster, node); node == "" || err != nil {
			return answer{}, newProblem(http.StatusBadRequest, `"nodes" has a name that is no node of the cluster`)
		}
	}
	d := checks.Deployment{
		Cluster: asked.Cluster,
		Name:    probes.Clean(asked.Name, probes.MaxError),
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

// endDeployment ends one, and takes what was counted by whoever watched it.
func (s *Server) endDeployment(r *http.Request) (answer, error) {
	var watched *alerting.WatchedCounts
	if r.ContentLength != 0 {
		asked, err := decode[deploymentEndRequest](r)
		if err != nil {
			return answer{}, err
		}
		if watched, err = asked.watched(); err != nil {
			return answer{}, err
		}
	}
	return answer{}, s.config.History.EndDeployment(r.Context(), r.PathValue("id"), s.config.Now(), watched)
}
