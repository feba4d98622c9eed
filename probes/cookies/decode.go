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
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"stickwatch/probes"
)

// maxCookie is the longest value that is read, in bytes: the limit of browsers.
const maxCookie = 4096

type extractor struct{ nodes nodeIndex }

// Extractor returns an extractor of the node that a client's cookies name, as the ID of
// one of servers. It is for applications whose pages do not show who answered. It names
// the node that the balancer chooses for the next request.
func Extractor(servers []Server, opts Options) probes.Extractor {
	return extractor{newNodeIndex(servers, opts)}
}

// Extract returns the node of the cookie that is read with most certainty. It returns
// false if no cookie names a listed node, or if equally certain ones name different
// nodes: there may be two balancers in a row, of which Options.Cookie selects one.
func (e extractor) Extract(doc probes.Document) (string, bool) {
	var best match
	disputed := false
	for _, name := range slices.Sorted(maps.Keys(doc.Cookies)) {
		if e.nodes.cookie != "" && name != e.nodes.cookie {
			continue
		}
		switch c := e.nodes.decode(name, doc.Cookies[name]); {
		case c.node == "":
		case best.node == "" || c.strength > best.strength:
			best, disputed = c, false
		case c.strength == best.strength && c.node != best.node:
			disputed = true
		}
	}
	if disputed {
		return "", false
	}
	return best.node, best.node != ""
}

// A match is the node that a cookie names, and how certain that is.
type match struct {
	node     string // ID of a listed server; "": none
	strength strength
}

// A strength is how certain the reading of a cookie is.
type strength int

const (
	byName     strength = iota // a server's name, which any application may write into a cookie
	byRoute                    // a server's name in the position of a route in session ids
	byBalancer                 // a server's name in a cookie that balancers write
	byAddress                  // computed from a server's address, so no coincidence
)

// What the default names of products' cookies, and names from their manuals, show.
var (
	// balancerCookies contain a server's name or a hash.
	balancerCookies = []string{
		"route", "srv_id", // nginx, Tengine and ingress-nginx
		"INGRESSCOOKIE", "ROUTEID", "BALANCEID", // ingress-nginx, httpd
		"SERVERID", "SRVID", "SRV", "lb", // HAProxy, Caddy
	}
	// routeCookies end with the route to a node, as httpd, Tomcat and mod_jk write it.
	routeCookies = []string{"ROUTEID", "BALANCEID", "JSESSIONID"}
	// opaqueCookies begin the names of cookies whose values could match by chance only: those
	// of Google Cloud and AWS are random, those of Azure hashes that cannot be computed from outside.
	opaqueCookies = []string{"GCLB", "GCILB", "AWSALB", "AWSELB", "ARRAffinity"}
)

// decode tries the most certain reading first.
func (n nodeIndex) decode(name, value string) match {
	value = strings.Trim(value, `"`)
	if value == "" || len(value) > maxCookie || slices.ContainsFunc(opaqueCookies, func(o string) bool { return strings.HasPrefix(name, o) }) {
		return match{}
	}
	if c := n.byCode(value); c.node != "" {
		return c
	}
	if a, ok := bigIP(value); ok {
		return match{n.addresses[a], byAddress}
	}
	if a, ok := envoy(value); ok {
		return match{n.addresses[a], byAddress}
	}
	configured := n.cookie != "" && name == n.cookie
	if c := n.byServerName(value, configured || slices.Contains(balancerCookies, name)); c.node != "" {
		return c
	}
	return n.byRouteSuffix(value, configured || slices.Contains(routeCookies, name))
}

// byCode finds a server's code: alone, before time stamps (HAProxy, Tengine), before a
// backend's key (ingress-nginx), or before a session id (prefix modes).
func (n nodeIndex) byCode(value string) match {
	if c := n.codes[value]; c.node != "" {
		return c
	}
	return n.codes[head(value)]
}

// byServerName finds a server's name, alone or before the suffixes of some products.
func (n nodeIndex) byServerName(value string, isBalancerCookie bool) match {
	text := head(value)
	switch {
	case isBalancerCookie, text != value && distinctive(text): // a time stamp or a session id of HAProxy follows
		return match{n.names[text], byBalancer}
	case distinctive(text):
		return match{n.names[text], byName}
	default:
		return match{}
	}
}

// byRouteSuffix finds a server's name after a session id.
func (n nodeIndex) byRouteSuffix(value string, hasRoute bool) match {
	id, isSpring := springID(value)
	if route := routeOf(id); hasRoute || isSpring || distinctive(route) {
		return match{n.names[route], byRoute}
	}
	return match{}
}

// head returns the text before the first bar or tilde, or all of it.
func head(value string) string {
	if i := strings.IndexAny(value, "|~"); i >= 0 {
		return value[:i]
	}
	return value
}

// routeOf returns the route of a session id as httpd, Tomcat and mod_jk read it:
// everything after the first dot.
func routeOf(value string) string {
	_, route, _ := strings.Cut(value, ".")
	return route
}

// springID returns the session id in a cookie of Spring Session, with its route if it has one: the
// cookie is base64 of a UUID and the route. Another cookie's value is returned unchanged.
func springID(value string) (string, bool) {
	raw, err := base64.StdEncoding.DecodeString(value)
	if err != nil || len(raw) < uuidLength || !isUUID(string(raw[:uuidLength])) || len(raw) > uuidLength && raw[uuidLength] != '.' {
		return value, false
	}
	return string(raw), true
}

const uuidLength = 36

func isUUID(text string) bool {
	for i, c := range []byte(text) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (c == '-') || !dash && !strings.ContainsRune("0123456789abcdefABCDEF", rune(c)) {
			return false
		}
	}
	return true
}
