// Package cookies reads from a client's cookies to which node its balancer has pinned
// it.
//
// Most balancers that keep clients on a node write the node into a cookie: by its name
// in their configuration, by its address, or by a hash of one of them. With a list of
// the servers this can be reversed, so the node is known although no page shows it.
//
// A cookie names the node that the balancer chooses for the client's next request, not
// the node that gave the last answer. The two differ when there is a problem, or when
// the cookie was set before a failover. The application's own page is therefore
// stronger evidence. When a node fails and another one answers, HAProxy's inserted
// cookies and those of Caddy and httpd (ROUTEID) are set again and name the new node.
// HAProxy's prefix and rewrite modes and the routes of session ids name the failed node
// until the application sets its cookie. Tests in internal/lab show it.
//
// Values of cookies are credentials, or nearly so. This package never returns, logs or
// stores a value. It returns ids of the caller's servers, and addresses that cookies
// contain.
package cookies

import (
	"maps"
	"slices"
	"strings"

	"stickwatch/probes"
)

// maxCookie is the longest value that is read, in bytes: the limit of browsers.
const maxCookie = 4096

// Node returns the affinity of the client's most specific cookie. A cookie that names a
// listed node comes first, one that is computed from an address before one with a name,
// and otherwise the first in alphabetical order. If two equally certain cookies name
// different nodes, there may be two balancers in a row, and Node returns false;
// Options.Cookie selects one of them.
func Node(cookies map[string]string, servers []Server, opts Options) (Affinity, bool) {
	return newNodeIndex(servers, opts).node(cookies)
}

func (n nodeIndex) node(cookies map[string]string) (Affinity, bool) {
	var best claim
	found, disputed := false, false
	for _, name := range slices.Sorted(maps.Keys(cookies)) {
		if n.cookie != "" && name != n.cookie {
			continue
		}
		c, ok := n.decode(name, cookies[name])
		switch {
		case !ok:
		case !found || c.outranks(best):
			best, found, disputed = c, true, false
		case c.contradicts(best):
			disputed = true
		}
	}
	if disputed {
		return Affinity{}, false
	}
	return best.Affinity, found
}

// decode tries the most certain reading first. A product with opaque values is
// recognised by its cookie's name before anything else, because a random value could
// match by chance.
func (n nodeIndex) decode(name, value string) (claim, bool) {
	value = strings.Trim(value, `"`)
	if value == "" || len(value) > maxCookie {
		return claim{}, false
	}
	cookie, known := knownCookieOf(name)
	if cookie.kind == KindRotating {
		return claim{Affinity: Affinity{Product: cookie.product, Kind: cookie.kind}}, true
	}
	if c, ok := n.byCode(value); ok {
		return c, true
	}
	if a, ok := bigIP(value); ok {
		return n.addressClaim(BIGIP, a), true
	}
	if a, ok := envoy(value); ok {
		return n.addressClaim(Envoy, a), true
	}
	configured := n.cookie != "" && name == n.cookie
	if configured && !known {
		cookie, known = knownCookie{Unnamed, KindStable}, true
	}
	if c, ok := n.byServerName(value, cookie, configured); ok {
		return c, true
	}
	if c, ok := n.byRouteSuffix(value, cookie, configured); ok {
		return c, true
	}
	return claim{Affinity: Affinity{Product: cookie.product, Kind: cookie.kind}}, known
}

// byCode finds a server's code: alone, before time stamps (HAProxy, Tengine), before a
// backend's key (ingress-nginx), or before a session id (prefix modes).
func (n nodeIndex) byCode(value string) (claim, bool) {
	for _, text := range []string{value, head(value)} {
		if m := n.codes[text]; m.node != "" {
			return nodeClaim(m.node, m.product, m.strength)
		}
	}
	return claim{}, false
}

// byServerName finds a server's name, alone or before the suffixes of some products.
func (n nodeIndex) byServerName(value string, h knownCookie, configured bool) (claim, bool) {
	text := head(value)
	node := n.names[text].node
	switch {
	case text != value && distinctive(text): // a time stamp or a session id follows
		return nodeClaim(node, HAProxy, byBalancer)
	case configured || h.kind == KindStable:
		return nodeClaim(node, h.product, byBalancer)
	case distinctive(text):
		return nodeClaim(node, Unnamed, byName)
	default:
		return claim{}, false
	}
}

// byRouteSuffix finds a server's name after a session id. If the name is not listed, it
// is a route only in cookies that are known to have one.
func (n nodeIndex) byRouteSuffix(value string, h knownCookie, configured bool) (claim, bool) {
	id, product := value, HTTPD
	spring, isSpring := springID(value)
	if isSpring {
		id, product = spring, Spring
	}
	route, ok := routeOf(id)
	if !ok {
		return claim{Affinity: Affinity{Product: Spring, Kind: KindNone}}, isSpring
	}
	usual := isSpring || h.product == HTTPD || configured
	if usual || distinctive(route) {
		if c, ok := nodeClaim(n.names[route].node, product, byRoute); ok {
			return c, true
		}
	}
	return claim{Affinity: Affinity{Product: product, Kind: KindStable}}, usual
}

// head returns the text before the first bar or tilde, or all of it.
func head(value string) string {
	if i := strings.IndexAny(value, "|~"); i >= 0 {
		return value[:i]
	}
	return value
}

type extractor struct{ x nodeIndex }

// Extractor returns an extractor of the node that a client's cookies name, as the ID of
// one of servers. It is for applications whose pages do not show who answered. It names
// the node that the balancer chooses for the next request.
func Extractor(servers []Server, opts Options) probes.Extractor {
	return extractor{newNodeIndex(servers, opts)}
}

// Extract returns the node. It returns false unless a cookie names a listed node.
func (e extractor) Extract(doc probes.Document) (string, bool) {
	a, ok := e.x.node(doc.Cookies)
	return a.Node, ok && a.Kind == KindNode
}
