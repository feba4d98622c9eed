package web

import (
	"fmt"
	"net/http"

	"stickwatch/internal/wire"
	"stickwatch/probes"
)

// snapshot returns what is known of a cluster now.
func (s *Server) snapshot(name string) (Snapshot, error) {
	for _, p := range s.config.Snapshots.Snapshots() {
		if p.Cluster.Name == name {
			return p, nil
		}
	}
	return Snapshot{}, fmt.Errorf("cluster %q: %w", probes.Clean(name, maxWord), ErrNotFound)
}

func (s *Server) getClusters(r *http.Request) (answer, error) {
	if err := s.queryOf(r).err(); err != nil {
		return answer{}, err
	}
	return answer{body: wireClusters{wire.Schema, wire.List(s.config.Snapshots.Snapshots(), wireClusterOf)}}, nil
}

func (s *Server) getCluster(r *http.Request) (answer, error) {
	if err := s.queryOf(r).err(); err != nil {
		return answer{}, err
	}
	p, err := s.snapshot(r.PathValue("name"))
	if err != nil {
		return answer{}, err
	}
	return answer{body: wireClusterOf(p)}, nil
}

// probeCluster takes a round now and answers with what it saw.
func (s *Server) probeCluster(r *http.Request) (answer, error) {
	if err := s.probe(r); err != nil {
		return answer{}, err
	}
	return s.getCluster(r)
}

// probe takes a round of the cluster that r names.
func (s *Server) probe(r *http.Request) error {
	_, err := s.round(r.Context(), r.PathValue("name"))
	return err
}
