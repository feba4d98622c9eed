package web

import (
	"net/http"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/wire"
	"stickwatch/probes"
)

// An askedDeployment is a deployment as somebody announces it.
type askedDeployment struct {
	Cluster string `json:"cluster"`
	Name    string `json:"name"` // what is deployed: a version, a ticket
}

func (s *Server) getDeployments(r *http.Request) (answer, error) {
	q := s.queryOf(r)
	cluster := q.text("cluster")
	span := checks.Span{From: q.moment("since", q.now.Add(-30*24*time.Hour)), To: q.moment("until", q.now)}
	if err := q.err(); err != nil {
		return answer{}, err
	}
	found, err := s.config.Past.Deployments(r.Context(), cluster, span)
	return answer{body: wireDeployments{wire.List(found, wire.DeploymentOf)}}, err
}

// postDeployment begins a deployment; its answer has the id by which it is ended.
func (s *Server) postDeployment(r *http.Request) (answer, error) {
	asked, err := decode[askedDeployment](r)
	if err != nil {
		return answer{}, err
	}
	if asked.Name == "" || asked.Cluster == "" {
		return answer{}, refuse(http.StatusBadRequest, `want "cluster" and "name"`)
	}
	if _, err := s.picture(asked.Cluster); err != nil {
		return answer{}, err
	}
	d := checks.Deployment{
		Cluster: asked.Cluster,
		Name:    probes.Clean(asked.Name, probes.MaxError),
		Span:    checks.Span{From: s.config.Now()},
	}
	id, err := s.config.Past.BeginDeployment(r.Context(), d)
	if err != nil {
		return answer{}, err
	}
	body := wire.DeploymentOf(d)
	body.ID = id
	s.config.Live.Publish(d.Cluster)
	return answer{status: http.StatusCreated, body: body}, nil
}

func (s *Server) endDeployment(r *http.Request) (answer, error) {
	return answer{}, s.config.Past.EndDeployment(r.Context(), r.PathValue("id"), s.config.Now())
}
