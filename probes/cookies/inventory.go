package cookies

import (
	"net/netip"
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
	cookie    string          // Options.Cookie
	codes     map[string]mark // made from a server's address or URL
	names     map[string]mark
	addresses map[netip.AddrPort]mark
}

// A mark is the node that something stands for; "" where it stands for several.
type mark struct {
	node     string
	product  Product
	strength strength
}

func newNodeIndex(servers []Server, opts Options) nodeIndex {
	inv := nodeIndex{opts.Cookie, map[string]mark{}, map[string]mark{}, map[netip.AddrPort]mark{}}
	for _, s := range servers {
		for _, c := range codes(s, opts) {
			put(inv.codes, c.text, mark{s.ID, c.product, c.strength})
		}
		for _, name := range s.names() {
			put(inv.names, name, mark{node: s.ID})
		}
		for _, text := range s.addresses() {
			if a, ok := addrPort(text); ok {
				put(inv.addresses, a, mark{node: s.ID})
			}
		}
	}
	return inv
}

// put enters m, which is no one's when two nodes claim key.
func put[K comparable](marks map[K]mark, key K, m mark) {
	if old, ok := marks[key]; ok && old.node != m.node {
		m.node = ""
	}
	marks[key] = m
}

// pin is the claim of a cookie that names a node of the list; false for "".
func pin(node string, p Product, s strength) (claim, bool) {
	if node == "" {
		return claim{}, false
	}
	return claim{Affinity{Product: p, Kind: KindNode, Node: node}, s}, true
}

// spelled is the claim of a cookie that spells an address.
func (inv nodeIndex) spelled(p Product, a netip.AddrPort) claim {
	c := claim{Affinity{Product: p, Kind: KindStable, Address: a}, byAddress}
	if node := inv.addresses[a].node; node != "" {
		c.Kind, c.Node = KindNode, node
	}
	return c
}

// peculiar reports whether a server's name is hardly met in a cookie by chance:
// "1" and "a" are, as page numbers and choices of colour.
func peculiar(name string) bool {
	return len(name) > 2 && strings.ContainsFunc(name, unicode.IsLetter)
}
