package cookies

import (
	"maps"
	"slices"
	"strings"
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

func (inv nodeIndex) node(cookies map[string]string) (Affinity, bool) {
	var best claim
	found, disputed := false, false
	for _, name := range slices.Sorted(maps.Keys(cookies)) {
		if inv.cookie != "" && name != inv.cookie {
			continue
		}
		c, ok := inv.decode(name, cookies[name])
		switch {
		case !ok:
		case !found || c.tellsMore(best):
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
func (inv nodeIndex) decode(name, value string) (claim, bool) {
	value = strings.Trim(value, `"`)
	if value == "" || len(value) > maxCookie {
		return claim{}, false
	}
	h, known := namingOf(name)
	if h.kind == KindRotating {
		return claim{Affinity: Affinity{Product: h.product, Kind: h.kind}}, true
	}
	if c, ok := inv.coded(value); ok {
		return c, true
	}
	if a, ok := bigIP(value); ok {
		return inv.spelled(BIGIP, a), true
	}
	if a, ok := envoy(value); ok {
		return inv.spelled(Envoy, a), true
	}
	configured := inv.cookie != "" && name == inv.cookie
	if configured && !known {
		h, known = naming{Unnamed, KindStable}, true
	}
	if c, ok := inv.named(value, h, configured); ok {
		return c, true
	}
	if c, ok := inv.route(value, h, configured); ok {
		return c, true
	}
	return claim{Affinity: Affinity{Product: h.product, Kind: h.kind}}, known
}

// coded finds a server's code, alone or before time stamps (HAProxy, Tengine),
// a backend's key (ingress-nginx) or a session id (prefix modes).
func (inv nodeIndex) coded(value string) (claim, bool) {
	for _, text := range []string{value, head(value)} {
		if m := inv.codes[text]; m.node != "" {
			return pin(m.node, m.product, m.strength)
		}
	}
	return claim{}, false
}

// named finds a server's name, alone or before what products put after it.
func (inv nodeIndex) named(value string, h naming, configured bool) (claim, bool) {
	text := head(value)
	node := inv.names[text].node
	switch {
	case text != value && peculiar(text): // a time stamp or a session id follows
		return pin(node, HAProxy, byBalancer)
	case configured || h.kind == KindStable:
		return pin(node, h.product, byBalancer)
	case peculiar(text):
		return pin(node, Unnamed, byName)
	default:
		return claim{}, false
	}
}

// route finds a server's name after a session id, and one that is not listed
// only where ids are known to have a route.
func (inv nodeIndex) route(value string, h naming, configured bool) (claim, bool) {
	id, product := value, HTTPD
	spring, isSpring := springID(value)
	if isSpring {
		id, product = spring, Spring
	}
	route, ok := routed(id)
	if !ok {
		return claim{Affinity: Affinity{Product: Spring, Kind: KindNone}}, isSpring
	}
	usual := isSpring || h.product == HTTPD || configured
	if usual || peculiar(route) {
		if c, ok := pin(inv.names[route].node, product, byRoute); ok {
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
