package cookies

import "net/netip"

// An Affinity is what one cookie says about the node it pins its client to.
type Affinity struct {
	Product Product
	Kind    Kind
	Node    string         // the Server's ID; "": the cookie does not tell, or names a server that is not listed
	Address netip.AddrPort // of the node, where the cookie spells it, listed or not; else zero
}

// A Product is who writes such a cookie, in words for people. Where several
// write the same, it names them all.
type Product string

// The products.
const (
	Nginx        Product = "nginx or Tengine"
	HTTPD        Product = "Apache httpd or Tomcat"
	HAProxy      Product = "HAProxy"
	Caddy        Product = "Caddy"
	Traefik      Product = "Traefik"
	IngressNginx Product = "ingress-nginx"
	Envoy        Product = "Envoy"
	BIGIP        Product = "F5 BIG-IP"
	Azure        Product = "Azure App Service"
	AWS          Product = "AWS load balancer"
	GoogleCloud  Product = "Google Cloud load balancer"
	Spring       Product = "Spring Session"
	Application  Product = "the application" // a session cookie, from which no balancer reads
	Unnamed      Product = "a balancer"      // it holds a server's name, as many products write it
)

// Kind tells what a cookie is good for.
type Kind string

// The kinds, the most telling first.
const (
	// KindNode: it pins its client to a node of the list.
	KindNode Kind = "node"
	// KindStable: it pins its client to a node that the list does not let one
	// tell. Sent back it leads there again, and it changes when the pin does, up
	// to time stamps behind a bar.
	KindStable Kind = "stable"
	// KindRotating: it pins its client, but is written anew with every answer: a
	// changed value means nothing.
	KindRotating Kind = "rotating"
	// KindNone: it tells a session, and no node.
	KindNone Kind = "none"
)

// A strength is how surely a cookie is what it is taken for.
type strength int

const (
	byKind     strength = iota // nothing but the cookie's name was needed
	byName                     // it holds a server's name, but any application may hold such a word
	byRoute                    // a server's name stands where session ids have their route
	byBalancer                 // a server's name in a cookie that balancers write
	byAddress                  // it was computed from a server's address: no accident
)

// A claim is an affinity, and how sure it is.
type claim struct {
	Affinity
	strength strength
}

var ranks = map[Kind]int{KindNode: 4, KindStable: 3, KindRotating: 2, KindNone: 1}

// tellsMore reports whether c is to be believed rather than o.
func (c claim) tellsMore(o claim) bool {
	if c.Kind != o.Kind {
		return ranks[c.Kind] > ranks[o.Kind]
	}
	return c.strength > o.strength
}

// contradicts reports whether c and o are as good as each other and name
// different nodes.
func (c claim) contradicts(o claim) bool {
	return c.Kind == KindNode && o.Kind == KindNode && c.strength == o.strength && c.Node != o.Node
}
