package cookies

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// Options tell what cannot be seen from outside. The zero value reads all that
// products write by default.
type Options struct {
	// Cookie is the name of the balancer's own cookie. A name of a server in it is
	// believed however common the word, and Node reads no other. "": any cookie.
	Cookie string
	// Secret is Caddy's secret of `lb_policy cookie`, or HAProxy's
	// dynamic-cookie-key.
	Secret string
	// Backend is what ingress-nginx calls the backend, "namespace-service-port": the
	// salt of its persistent affinity.
	Backend string
}

// An nodeIndex is a list of servers turned around: from what a cookie may hold
// to the node. Looking a value up costs the same however long the list, and
// however hostile the value.
type nodeIndex struct {
	cookie    string           // Options.Cookie
	codes     map[string]entry // made from a server's address or URL
	names     map[string]entry
	addresses map[netip.AddrPort]entry
}

// An entry is the node that something stands for; "" where it stands for several.
type entry struct {
	node     string
	product  Product
	strength strength
}

func newNodeIndex(servers []Server, opts Options) nodeIndex {
	x := nodeIndex{opts.Cookie, map[string]entry{}, map[string]entry{}, map[netip.AddrPort]entry{}}
	for _, s := range servers {
		for _, c := range codes(s, opts) {
			put(x.codes, c.text, entry{s.ID, c.product, c.strength})
		}
		for _, name := range s.names() {
			put(x.names, name, entry{node: s.ID})
		}
		for _, text := range s.addresses() {
			if a, ok := addrPort(text); ok {
				put(x.addresses, a, entry{node: s.ID})
			}
		}
	}
	return x
}

// put enters m, which is no one's when two nodes claim key.
func put[K comparable](marks map[K]entry, key K, m entry) {
	if old, ok := marks[key]; ok && old.node != m.node {
		m.node = ""
	}
	marks[key] = m
}

// nodeClaim is the claim of a cookie that names a node of the list; false for "".
func nodeClaim(node string, p Product, s strength) (claim, bool) {
	if node == "" {
		return claim{}, false
	}
	return claim{Affinity{Product: p, Kind: KindNode, Node: node}, s}, true
}

// addressClaim is the claim of a cookie that spells an address.
func (x nodeIndex) addressClaim(p Product, a netip.AddrPort) claim {
	c := claim{Affinity{Product: p, Kind: KindStable, Address: a}, byAddress}
	if node := x.addresses[a].node; node != "" {
		c.Kind, c.Node = KindNode, node
	}
	return c
}

// distinctive reports whether a server's name is hardly met in a cookie by chance:
// "1" and "a" are, as page numbers and choices of colour.
func distinctive(name string) bool {
	return len(name) > 2 && strings.ContainsFunc(name, unicode.IsLetter)
}

// A Server is a node as its balancer knows it. Every field but ID may be empty;
// the more is told, the more products can be read.
type Server struct {
	ID      string   // what is returned for it
	Address string   // "host:port" as the balancer's file has it; some products are read only if it is an IP address
	Names   []string // what the balancer calls it: a route, a label, a cookie value; the ID is one in any case
	URL     string   // "http://host:port" as the balancer's file has it
}

// names are the distinct words by which a cookie may call the server.
func (s Server) names() []string { return distinct(append([]string{s.ID}, s.Names...)) }

// addresses are the distinct spellings of the server's host and port.
func (s Server) addresses() []string { return distinct([]string{s.Address, hostPort(s.URL)}) }

// urls are the spellings of the server's URL that configurations are written
// with: a product that hashes one hashes it to the letter.
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

// hostPort is the host and port of a URL, with the scheme's port where it has
// none; "" where it is not a URL with a host.
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

// addrPort is the address in text, IPv4 where it is one mapped into IPv6; false
// where text has a host name, or a zone, in which any text could stand.
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
