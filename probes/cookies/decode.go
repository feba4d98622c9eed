// Package cookies tells from the cookies a client holds which node its balancer
// has pinned it to.
//
// Most balancers that promise stickiness write the node into a cookie: as it is
// called in their own file, as its address, or as a hash of one of these. Who
// knows the servers can turn that around, and so learn where a client belongs
// without any page that says so.
//
// A cookie is a statement of intent: it names the node that the balancer wants
// for the client's next request, not the one that gave the last answer. The two
// differ exactly when something is wrong, or somebody set the cookie before the
// answer failed over. A page's own word is therefore always the better witness.
// When the node is dead and another answers, HAProxy's inserted cookies, Caddy's
// and httpd's ROUTEID are set anew and tell who took over; HAProxy's prefix and
// rewrite modes and the routes of session ids are not until the application
// sets its cookie, and go on naming the dead one. The package lab shows it.
//
// Values of cookies are credentials, or as good as one. Nothing in this package
// returns, logs or keeps a value: what comes out is a node's id from the
// caller's own list, or an address that the cookie spells.
package cookies

import (
	"maps"
	"slices"
	"strings"

	"stickwatch/probes"
)

// maxCookie is the longest value that is read, in bytes: what browsers take.
const maxCookie = 4096

// Decode tells what the cookie of that name and value says of the node it pins
// its client to, and false when it is none that a balancer or a session is
// known by. A value that two servers share names neither.
func Decode(name, value string, servers []Server, opts Options) (Affinity, bool) {
	c, ok := newNodeIndex(servers, opts).decode(name, value)
	return c.Affinity, ok
}

// Node tells what the most telling of a client's cookies says: one that names a
// node of the list before any other, one computed from an address before a
// name, and then the first by the alphabet. Where two that are equally sure
// name different nodes it says nothing, for there may be two balancers in a
// row; Options.Cookie settles which is meant.
func Node(cookies map[string]string, servers []Server, opts Options) (Affinity, bool) {
	return newNodeIndex(servers, opts).node(cookies)
}

func (x nodeIndex) node(cookies map[string]string) (Affinity, bool) {
	var best claim
	found, disputed := false, false
	for _, name := range slices.Sorted(maps.Keys(cookies)) {
		if x.cookie != "" && name != x.cookie {
			continue
		}
		c, ok := x.decode(name, cookies[name])
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

// decode tries the surest reading first. A product whose values are opaque is
// known by its cookie's name, before anything is read into a random value.
func (x nodeIndex) decode(name, value string) (claim, bool) {
	value = strings.Trim(value, `"`)
	if value == "" || len(value) > maxCookie {
		return claim{}, false
	}
	h, known := knownCookieOf(name)
	if h.kind == KindRotating {
		return claim{Affinity: Affinity{Product: h.product, Kind: h.kind}}, true
	}
	if c, ok := x.byCode(value); ok {
		return c, true
	}
	if a, ok := bigIP(value); ok {
		return x.addressClaim(BIGIP, a), true
	}
	if a, ok := envoy(value); ok {
		return x.addressClaim(Envoy, a), true
	}
	configured := x.cookie != "" && name == x.cookie
	if configured && !known {
		h, known = knownCookie{Unnamed, KindStable}, true
	}
	if c, ok := x.byServerName(value, h, configured); ok {
		return c, true
	}
	if c, ok := x.byRouteSuffix(value, h, configured); ok {
		return c, true
	}
	return claim{Affinity: Affinity{Product: h.product, Kind: h.kind}}, known
}

// byCode finds a server's code, alone or before time stamps (HAProxy, Tengine),
// a backend's key (ingress-nginx) or a session id (prefix modes).
func (x nodeIndex) byCode(value string) (claim, bool) {
	for _, text := range []string{value, head(value)} {
		if m := x.codes[text]; m.node != "" {
			return nodeClaim(m.node, m.product, m.strength)
		}
	}
	return claim{}, false
}

// named finds a server's name, alone or before what products put after it.
func (x nodeIndex) byServerName(value string, h knownCookie, configured bool) (claim, bool) {
	text := head(value)
	node := x.names[text].node
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

// byRouteSuffix finds a server's name after a session id, and one that is not listed
// only where ids are known to have a route.
func (x nodeIndex) byRouteSuffix(value string, h knownCookie, configured bool) (claim, bool) {
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
		if c, ok := nodeClaim(x.names[route].node, product, byRoute); ok {
			return c, true
		}
	}
	return claim{Affinity: Affinity{Product: product, Kind: KindStable}}, usual
}

// head is what stands before the first bar or tilde; all of a value that has
// none.
func head(value string) string {
	if i := strings.IndexAny(value, "|~"); i >= 0 {
		return value[:i]
	}
	return value
}

type extractor struct{ x nodeIndex }

// Extractor returns an extractor of the node that a client's cookies name, as
// the ID of one of servers. It serves where no page tells who answered; mind
// that it tells whom the balancer wants.
func Extractor(servers []Server, opts Options) probes.Extractor {
	return extractor{newNodeIndex(servers, opts)}
}

// Extract returns the node, and false unless a cookie names one of the list.
func (e extractor) Extract(doc probes.Document) (string, bool) {
	a, ok := e.x.node(doc.Cookies)
	return a.Node, ok && a.Kind == KindNode
}
