package cookies

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// Options are facts about the balancer that cookies do not show. The zero value reads
// everything that products write by default.
type Options struct {
	// Cookie is the name of the balancer's own cookie. No other is read, and a
	// server's name in it counts even if it is a common word. "": any cookie.
	Cookie string
	// Secret is Caddy's secret of `lb_policy cookie`, or HAProxy's dynamic-cookie-key.
	Secret string
	// Backend is ingress-nginx's name of the backend, "namespace-service-port", which
	// is the salt of its persistent affinity.
	Backend string
}

// A nodeIndex maps the texts that cookies may contain to nodes. The cost of a look-up
// depends neither on the number of servers nor on the value. A text that several nodes share names none.
type nodeIndex struct {
	cookie    string           // Options.Cookie
	codes     map[string]match // computed from a server's address or URL
	names     map[string]string
	addresses map[netip.AddrPort]string
}

func newNodeIndex(servers []Server, opts Options) nodeIndex {
	n := nodeIndex{opts.Cookie, map[string]match{}, map[string]string{}, map[netip.AddrPort]string{}}
	for _, s := range servers {
		for text, strength := range codesOf(s, opts) {
			if old, ok := n.codes[text]; ok && old.node != s.ID {
				n.codes[text] = match{}
				continue
			}
			n.codes[text] = match{s.ID, strength}
		}
		for _, name := range s.names() {
			put(n.names, name, s.ID)
		}
		for _, text := range s.addresses() {
			if a, ok := addrPort(text); ok {
				put(n.addresses, a, s.ID)
			}
		}
	}
	return n
}

func put[K comparable](nodes map[K]string, key K, node string) {
	if old, ok := nodes[key]; ok && old != node {
		node = ""
	}
	nodes[key] = node
}

// distinctive reports whether a server's name is unlikely in a cookie by chance. "1"
// and "a" are likely, as numbers of pages and choices of colours.
func distinctive(name string) bool {
	return len(name) > 2 && strings.ContainsFunc(name, unicode.IsLetter)
}

// A Server is a node as the balancer's configuration describes it. Every field but ID
// may be empty. The more fields are set, the more products can be read.
type Server struct {
	ID      string   // returned for this server
	Address string   // "host:port" as in the balancer's file; some products can be read only if it is an IP address
	Names   []string // the balancer's names of it: a route, a label, a cookie value; the ID is always one of them
	URL     string   // "http://host:port" as in the balancer's file
}

// names returns the distinct names that a cookie may have for the server.
func (s Server) names() []string { return distinct(append([]string{s.ID}, s.Names...)) }

// addresses returns the distinct spellings of the server's host and port.
func (s Server) addresses() []string { return distinct([]string{s.Address, hostPort(s.URL)}) }

// urls returns the usual spellings of the server's URL, because products hash the exact
// text.
func (s Server) urls() []string {
	bare := strings.TrimRight(s.URL, "/")
	list := []string{s.URL, bare}
	if bare != "" {
		list = append(list, bare+"/")
	}
	scheme, _, ok := strings.Cut(s.URL, "://")
	if !ok {
		scheme = "http"
	}
	for _, address := range s.addresses() {
		list = append(list, scheme+"://"+address, scheme+"://"+address+"/")
	}
	return distinct(list)
}

// hostPort returns the host and port of a URL, with the scheme's default port if it has
// none; "" if it is not a URL with a host.
func hostPort(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "https":
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// addrPort returns the address in text, with an IPv4-mapped one as IPv4. It returns
// false for a host name, and for an address with a zone, which may be any text.
func addrPort(text string) (netip.AddrPort, bool) {
	a, err := netip.ParseAddrPort(text)
	if err != nil || a.Addr().Zone() != "" {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), true
}

// distinct returns the texts that are not empty, each once.
func distinct(texts []string) []string {
	var list []string
	for _, text := range texts {
		if text != "" && !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return list
}
