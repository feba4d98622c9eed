package importer

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"strings"
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
	u.addComment("balancer.url", "another address for users is "+e.url+" ("+e.position.String()+")")
}

// A parsedConfig is the content of a balancer's configuration.
type parsedConfig struct {
	noteList
	upstreams []*upstream
}

func (r *parsedConfig) named(name string) *upstream {
	for _, u := range r.upstreams {
		if u.name == name {
			return u
		}
	}
	return nil
}

// distinct reports two upstreams of the same name, which no product accepts.
func (r *parsedConfig) distinct() error {
	seen := map[string]position{}
	for _, u := range r.upstreams {
		if first, ok := seen[u.name]; ok {
			return u.errorf("the %s %s is at %s already", u.kind, quoted(u.name), first)
		}
		seen[u.name] = u.position
	}
	return nil
}

// A noteList contains notes for the user about what was not read or understood.
type noteList []string

// maxNote limits the length of a note, in bytes.
const maxNote = 400

func (n *noteList) note(format string, args ...any) {
	*n = append(*n, probes.Clean(fmt.Sprintf(format, args...), maxNote))
}

// A frontend is an address of the balancer through which users reach an upstream.
type frontend struct {
	position
	url   string // scheme and authority
	guess string // reason why the address may be wrong; "": it is certain
}

// localhost stands for an unknown address.
const localhost = "127.0.0.1"

// guessedAddress is the comment on an unknown address.
const guessedAddress = "the file does not contain the address for users: write it here"

// newFrontend returns the address of a port on which a balancer listens: with its
// public name, else with the address of the port, else a guess. host is "" for all
// addresses of the machine. It returns false if no valid address results.
func newFrontend(p position, scheme, host, port, name string) (frontend, bool) {
	e := frontend{position: p}
	switch {
	case name != "" && (host == "" || scheme == "https"):
		host = name
	case host == "":
		host, e.guess = localhost, guessedAddress
	case host == "localhost":
		host = localhost
	}
	e.url = webAddress(scheme, host, cmp.Or(port, defaultPort[scheme]))
	return e, defaultPort[scheme] != "" && validAddress(strings.TrimPrefix(e.url, scheme+"://"))
}

var defaultPort = map[string]string{"http": "80", "https": "443"}

// oneScheme drops http addresses where https exists, because servers usually redirect
// to https. Without a name no certificate would be valid, so http is kept then.
func oneScheme(all []frontend, name string) []frontend {
	var plain, secure []frontend
	for _, e := range all {
		if strings.HasPrefix(e.url, "https:") {
			secure = append(secure, e)
		} else {
			plain = append(plain, e)
		}
	}
	if len(secure) > 0 && (name != "" || len(plain) == 0) {
		return secure
	}
	return plain
}

// token matches names of headers and cookies (RFC 9110, RFC 6265).
var token = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")

// dropInvalid removes values from u that are not valid in stickwatch.yml, and adds
// notes: a balancer's file may contain variables everywhere.
func (u *upstream) dropInvalid() {
	for _, name := range []struct {
		text *string
		key  string
	}{
		{&u.clientIPHeader, "balancer.client_ip_header"},
		{&u.routeHeader, "session"},
		{&u.routeCookie, "session"},
		{&u.cookie, "session"},
	} {
		if *name.text != "" && !token.MatchString(*name.text) {
			u.guess(name.key, quoted(*name.text)+" is not a valid name of a header or cookie, and is left out")
			*name.text = ""
		}
	}
	if u.cookie == "" {
		u.prefixed, u.secret = false, false
	}
	if !validAddress(u.hostHeader) {
		u.hostHeader = ""
	}
	maps.DeleteFunc(u.evidence, func(key, where string) bool {
		at, err := url.Parse(where)
		return key != "nginx_error_log" && (err != nil || strings.Contains(at.Path, "@"))
	})
}

// isValidPath reports whether a path can be used in a URL as it is; "" can, a variable
// or pattern cannot.
func isValidPath(path string) bool {
	u, err := url.Parse("http://host" + path)
	return err == nil && u.Path == path && u.EscapedPath() == path && !strings.ContainsAny(path, "@${}*\"'\\") && len(path) <= 200
}
