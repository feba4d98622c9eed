package evidence

import (
	"net"
	"slices"
	"strings"

	"stickwatch/probes"
)

// A Matcher knows the nodes of a cluster by every name that a balancer may give
// them.
type Matcher struct {
	nodes    []probes.Node
	labels   map[string]string // how nodes call themselves, by id
	maxFails int               // as many failures take a server out of Caddy
}

// NewMatcher returns a matcher for the nodes of c. What they answered when asked
// directly tells how they call themselves, which some balancers' names are.
func NewMatcher(c *probes.Cluster, direct []probes.NodeObservation) Matcher {
	m := Matcher{nodes: c.Nodes, labels: make(map[string]string), maxFails: c.Balancer.MaxFails}
	for _, o := range direct {
		m.labels[o.Node] = o.Label
	}
	return m
}

// Matches reports whether s, which o names, is n.
func (m Matcher) Matches(n probes.Node, o probes.EvidenceObservation, s probes.ServerEvidence) bool {
	return m.hasName(n, s) || m.hasAJP(n, o, s)
}

// hasName reports whether s is n by any name that n is known to have.
func (m Matcher) hasName(n probes.Node, s probes.ServerEvidence) bool {
	names := []string{n.ServerName(), n.URL.Host, n.ID, n.Label, m.labels[n.ID]}
	return slices.ContainsFunc(names, func(name string) bool {
		return name != "" && (normalise(name) == normalise(s.Address) || normalise(name) == normalise(s.Server))
	})
}

// hasAJP reports whether s is n by its host alone. httpd asks an AJP member at a
// port that is never the one that we ask, so that the host decides where it has
// one server and one node.
func (m Matcher) hasAJP(n probes.Node, o probes.EvidenceObservation, s probes.ServerEvidence) bool {
	if s.Scheme != "ajp" {
		return false
	}
	host := hostOf(s.Address)
	servers, nodes := 0, 0
	for _, other := range o.Servers {
		if hostOf(other.Address) == host {
			servers++
		}
	}
	for _, other := range m.nodes {
		if normalise(other.URL.Hostname()) == host {
			nodes++
		}
	}
	return servers == 1 && nodes == 1 && normalise(n.URL.Hostname()) == host
}

// hostOf is the host of host:port.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return normalise(address)
	}
	return normalise(host)
}

func normalise(name string) string { return strings.ToLower(strings.TrimSpace(name)) }
