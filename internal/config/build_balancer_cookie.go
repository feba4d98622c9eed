package config

import (
	"net"

	"stickwatch/probes"
	"stickwatch/probes/cookies"
)

// balancerCookie is the key of the source that has to know the nodes.
const balancerCookie = "balancer_cookie"

// anyCookie, for a name, is whichever cookie tells most.
const anyCookie = "auto"

// affinity reads the node out of the cookie that the balancer wrote; nil,
// and reported, where none of servers is looked for.
func (b *builder) affinity(w *wireExtractor, servers []cookies.Server, at keyPath) probes.Extractor {
	if servers == nil {
		b.problem(at, "tells a node: it goes with session.node only, alone or in a list of first")
		return nil
	}
	name := w.BalancerCookie
	if !headerName.MatchString(name) { // RFC 6265 lets cookies be called what headers are
		b.problem(at, "expected %s or the name of a cookie, got %s", anyCookie, b.valueText(at, name))
	}
	if name == anyCookie {
		name = ""
	}
	secret, _ := b.valueOrFile(at.parent(), "secret", w.Secret.Reveal(), w.SecretFile)
	return cookies.Extractor(servers, cookies.Options{Cookie: name, Secret: secret, Backend: w.Backend})
}

// servers are the nodes as the balancer's own file may call them; never nil. A
// node without an address was reported already.
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
		} else { // HAProxy's and Envoy's servers have names
			s.Names = append(s.Names, name)
		}
		out = append(out, s)
	}
	return out
}
