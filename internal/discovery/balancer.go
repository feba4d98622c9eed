package discovery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"stickwatch/probes"
	"stickwatch/probes/evidence"
)

const balancerEvery = 10 * time.Second

// A balancerSource lists the servers that the balancer reports.
type balancerSource struct {
	cluster *probes.Cluster
	pool    string // backend or balancer; "": the only one
	nodes   nodeTemplate
}

func (s balancerSource) ask(ctx context.Context) (answer, error) {
	observed := s.read(ctx)
	if observed.Error != "" {
		return answer{}, errors.New(observed.Error)
	}
	if len(observed.Servers) > 0 && observed.NoAbsence != "" {
		return answer{}, errors.New(observed.NoAbsence) // there are more
	}
	servers, err := s.ofPool(observed.Servers)
	if err != nil {
		return answer{}, err
	}
	got := answer{again: balancerEvery}
	for _, server := range servers {
		switch {
		case isPlaceholder(server):
			continue
		case server.Address == "":
			return answer{}, fmt.Errorf("it gives no address of %s: HAProxy needs stats show-legends for it", server.Server)
		case server.Scheme != "" && server.Scheme != "http" && server.Scheme != "https":
			return answer{}, fmt.Errorf("%s is reached by %s, and stickwatch asks nodes by HTTP: list them under nodes", server.Server, server.Scheme)
		}
		n, err := s.nodes.node("", server.Address, server.Scheme)
		if err != nil {
			return answer{}, err
		}
		n.Server = server.Server
		got.nodes = append(got.nodes, n)
	}
	got.nodes = distinct(got.nodes)
	return got, nil
}

// read reads the page that names the balancer's servers. The configuration has one.
func (s balancerSource) read(ctx context.Context) probes.EvidenceObservation {
	from := s.cluster.Balancer.Evidence
	client := probes.NewClient(probes.Target{URL: s.cluster.Balancer.URLs[0], TLS: s.cluster.TLS, Timeout: askTimeout, Dial: s.cluster.Dial}).HTTP()
	switch {
	case from.HAProxyStats != nil:
		return evidence.HAProxyStats(ctx, client, from.HAProxyStats, s.pool)
	case from.ApacheBalancerManager != nil:
		return evidence.ApacheBalancerManager(ctx, client, from.ApacheBalancerManager)
	case from.ApacheStatus != nil:
		return evidence.ApacheStatus(ctx, client, from.ApacheStatus)
	default:
		return evidence.CaddyAdmin(ctx, client, from.CaddyAdmin)
	}
}

// ofPool returns the servers of the pool. Without one all must belong together.
func (s balancerSource) ofPool(servers []probes.ServerEvidence) ([]probes.ServerEvidence, error) {
	if s.pool != "" {
		return slices.DeleteFunc(servers, func(server probes.ServerEvidence) bool { return server.Pool != s.pool }), nil
	}
	var pools []string
	for _, server := range servers {
		if !slices.Contains(pools, server.Pool) {
			pools = append(pools, server.Pool)
		}
	}
	if len(pools) > 1 {
		return nil, fmt.Errorf("it has servers of %s: choose one by pool", strings.Join(pools[:min(len(pools), 5)], ", "))
	}
	return servers, nil
}

// isPlaceholder reports whether a line of a server-template has no server now.
func isPlaceholder(s probes.ServerEvidence) bool {
	return strings.HasPrefix(s.Detail, "MAINT (resolution)") || s.State == probes.ServerMaintenance && s.Address == ""
}
