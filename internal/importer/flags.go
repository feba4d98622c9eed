package importer

import (
	"stickwatch/internal/config"
	"stickwatch/probes"
)

// FromFlags returns an Import of the single cluster that flags describe. The error is
// config.Problems with flags as keys.
func FromFlags(f config.Flags) (*Import, error) {
	cfg, err := config.FromFlags(f)
	if err != nil {
		return nil, err
	}
	cluster := cfg.Clusters[0]
	u := &upstream{name: cluster.Name, method: probes.Method(f.Method), clientIPHeader: f.ClientIPHeader}
	for _, address := range f.Balancer {
		u.frontends = append(u.frontends, frontend{url: address})
	}
	s := &candidate{upstream: u, profile: f.Profile, confirmed: map[string]bool{}}
	for _, n := range cluster.Nodes {
		s.nodes = append(s.nodes, node{ID: n.ID, URL: n.URL.String(), Weight: n.Weight})
	}
	return &Import{candidates: []*candidate{s}}, nil
}
