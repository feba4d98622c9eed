package config

import (
	"net"

	"stickwatch/probes"
	"stickwatch/probes/cookies"
)

// balancerCookie is the key of the source that needs the list of nodes.
const balancerCookie = "balancer_cookie"

// anyCookie selects the cookie with the most information.
const anyCookie = "auto"

// affinity returns the extractor that reads the node from the balancer's cookie. It
// returns nil and reports an error where servers is nil, that is outside session.node.
func (b *builder) affinity(w *wireExtractor, servers []cookies.Server, at keyPath) probes.Extractor {
	if servers == nil {
		b.problem(at, "tells a node: it goes with session.node only, alone or in a list of first")
		return nil
	}
	name := w.BalancerCookie
	if !headerName.MatchString(name) { // RFC 6265 allows the names of headers
		b.problem(at, "expected %s or the name of a cookie, got %s", anyCookie, b.valueText(at, name))
	}
	if name == anyCookie {
		name = ""
	}
	secret, _ := b.valueOrFile(at.parent(), "secret", w.Secret.Reveal(), w.SecretFile)
	return cookies.Extractor(servers, cookies.Options{Cookie: name, Secret: secret, Backend: w.Backend})
}

// servers returns the nodes by the names they may have in the balancer's file; never
// nil. A node without an address was reported already.
func servers(nodes []probes.Node) []cookies.Server {
	out := make([]cookies.Server, 0, len(nodes))
	for _, n := range nodes {
		if n.URL == nil {
			continue
		}
		s := cookies.Server{ID: n.ID, URL: n.URL.String(), Names: []string{n.Label}}
		name := n.ServerName()
		if _, _, err := net.SplitHostPort(name); err == nil {
			s.Address = name
		} else { // servers of HAProxy and Envoy have names
			s.Names = append(s.Names, name)
		}
		out = append(out, s)
	}
	return out
}
