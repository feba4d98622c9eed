package importer

import (
	"time"

	"stickwatch/probes"
)

// An upstream is a group of servers in a configuration, in terms common to all
// products.
type upstream struct {
	position
	kind, name string // "upstream", "backend", ..., "" from flags; its name in the file
	servers    []server
	tcp        bool // connections are balanced, not requests
	partial    bool // not all of its servers are in the file

	method     probes.Method
	hashKey    string
	consistent bool
	ejection   ejection

	clientIPHeader string
	hostHeader     string // Host header of requests to nodes; "": the client's, or the node's

	cookie      string // cookie in which the balancer stores the node
	secret      bool   // that cookie can be read only with a secret
	prefixed    bool   // that cookie is the application's, prefixed by the node and "~"
	routeCookie string // cookie of the application that ends with a dot and the node
	routeHeader string // header in which the balancer sends the node

	frontends   []frontend
	routes      []route
	evidence    map[string]string // by key in stickwatch.yml
	checks      []string          // paths of the balancer's health checks
	keyComments []keyComment
}

// A server is a server of an upstream.
type server struct {
	position
	name    string // name or route; "": only its address is known
	scheme  string // http, https, or ajp, which only balancers speak
	address string // host, or host:port
	label   string // cookie value, if it differs from the name
	weight  int
	down    bool
	backup  bool
}

// An ejection describes when failing servers are ejected, in nginx's terms.
type ejection struct {
	maxFails    int
	failTimeout time.Duration
	explicit    bool   // set in the file; else the product's default
	derivedFrom string // the product's own parameters, if they differ
}

// A route maps paths of the balancer to paths of an upstream.
type route struct {
	position
	path  string // prefix of the balancer's paths
	to    string // replacement of the prefix in requests to nodes
	exact bool   // only the path itself, not paths below it
}

// A keyComment is a comment on a key of stickwatch.yml.
type keyComment struct {
	key     string // such as "balancer.url"
	text    string
	guessed bool
}

func (u *upstream) addComment(key, text string) {
	u.keyComments = append(u.keyComments, keyComment{key: key, text: text})
}

func (u *upstream) guess(key, text string) {
	u.keyComments = append(u.keyComments, keyComment{key, text, true})
}

// addFrontend adds an address without duplicates.
func (u *upstream) addFrontend(e frontend) {
	for _, known := range u.frontends {
		if known.url == e.url {
			return
		}
	}
	u.frontends = append(u.frontends, e)
}

// addRoute adds a route without duplicates, if its paths are valid.
func (u *upstream) addRoute(r route) {
	if !isValidPath(r.path) || !isValidPath(r.to) {
		return
	}
	for _, known := range u.routes {
		if known.path == r.path && known.to == r.to {
			return
		}
	}
	u.routes = append(u.routes, r)
}

// alsoReached adds a comment about an unused address. Every address is probed as a
// balancer of its own, and one host is enough.
func (u *upstream) alsoReached(e frontend) {
	for _, known := range u.frontends {
		if known.url == e.url {
			return
		}
	}
	u.addComment("balancer.url", "users also arrive at "+e.url+" ("+e.position.String()+")")
}
