package importer

import (
	"time"

	"stickwatch/probes"
)

// An upstream is what one configuration says of one group of servers, in the
// words that all products share.
type upstream struct {
	position
	kind, name string // "upstream", "backend", ..., "" of flags; its name in the file
	servers    []server
	tcp        bool // connections are balanced, and nothing in them is read
	partial    bool // not all of its servers are in the file

	method     probes.Method
	hashKey    string
	consistent bool
	ejection   ejection

	clientIPHeader string
	hostHeader     string // with which the balancer asks the nodes; "": the client's, or their own

	cookie      string // in which the balancer itself keeps the node
	secret      bool   // that cookie needs a secret to be read
	prefixed    bool   // that cookie is the application's, with the node before a "~"
	routeCookie string // of the application, with the node after its first dot
	routeHeader string // in which the balancer tells the node

	frontends   []frontend
	routes      []route
	evidence    map[string]string // by its key in stickwatch.yml
	checks      []string          // paths that the balancer asks its nodes for
	keyComments []keyComment
}

// A server is one of an upstream, as its line has it.
type server struct {
	position
	name    string // of its own, or its route; "": it has its address only
	scheme  string // http, https, or ajp, which nobody but a balancer speaks
	address string // host, or host:port
	label   string // its cookie value, where that is not its name
	weight  int
	down    bool
	backup  bool
}

// ejection is when servers are taken out because requests fail, in nginx's
// terms.
type ejection struct {
	maxFails    int
	failTimeout time.Duration
	explicit    bool   // by the file; else it is the product's default
	derivedFrom string // what it was made of, where the product has other terms
}

// A route is a way from the balancer's paths to an upstream's.
type route struct {
	position
	path  string // a prefix of the balancer's paths
	to    string // what the nodes are asked for instead of it
	exact bool   // the path alone, and nothing below it
}

// A keyComment is what a reader of stickwatch.yml should know about a key of it.
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

// addFrontend adds an entrance once.
func (u *upstream) addFrontend(e frontend) {
	for _, known := range u.frontends {
		if known.url == e.url {
			return
		}
	}
	u.frontends = append(u.frontends, e)
}

// addRoute adds a route once, if its paths are such as can be asked for.
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

// alsoReached remarks an entrance that is not among those taken: every address
// is probed as a balancer of its own, and one host is enough.
func (u *upstream) alsoReached(e frontend) {
	for _, known := range u.frontends {
		if known.url == e.url {
			return
		}
	}
	u.addComment("balancer.url", "users also arrive at "+e.url+" ("+e.position.String()+")")
}
