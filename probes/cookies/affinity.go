package cookies

import (
	"encoding/base64"
	"net/netip"
	"strings"
)

// An Affinity is the node to which one cookie pins its client.
type Affinity struct {
	Product Product
	Kind    Kind
	Node    string         // the Server's ID; "": unknown, or a server that is not listed
	Address netip.AddrPort // of the node, if the cookie contains it, listed or not; else zero
}

// A Product is the software that writes such a cookie, as a text for people. If several
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
	Application  Product = "the application" // a session cookie, which no balancer reads
	Unnamed      Product = "a balancer"      // the cookie contains a server's name, as many products write it
)

// A Kind is how much a cookie shows about the node.
type Kind string

// The kinds, the most specific first.
const (
	// KindNode: it pins its client to a listed node.
	KindNode Kind = "node"
	// KindStable: it pins its client to a node that cannot be computed from the list. A
	// client that sends it reaches that node again. Its value changes with the node,
	// apart from time stamps after a bar.
	KindStable Kind = "stable"
	// KindRotating: it pins its client, but has a new value in every answer, so a
	// changed value means nothing.
	KindRotating Kind = "rotating"
	// KindNone: it identifies a session and no node.
	KindNone Kind = "none"
)

// A strength is how certain the reading of a cookie is.
type strength int

const (
	byKind     strength = iota // from the cookie's name alone
	byName                     // a server's name, which any application may write into a cookie
	byRoute                    // a server's name in the position of a route in session ids
	byBalancer                 // a server's name in a cookie that balancers write
	byAddress                  // computed from a server's address, so no coincidence
)

// A claim is an affinity and its strength.
type claim struct {
	Affinity
	strength strength
}

var ranks = map[Kind]int{KindNode: 4, KindStable: 3, KindRotating: 2, KindNone: 1}

// outranks reports whether c is stronger evidence than o.
func (c claim) outranks(o claim) bool {
	if c.Kind != o.Kind {
		return ranks[c.Kind] > ranks[o.Kind]
	}
	return c.strength > o.strength
}

// contradicts reports whether c and o are equally strong and name different nodes.
func (c claim) contradicts(o claim) bool {
	return c.Kind == KindNode && o.Kind == KindNode && c.strength == o.strength && c.Node != o.Node
}

// A knownCookie is what the name of a cookie shows.
type knownCookie struct {
	product Product
	kind    Kind
}

// knownCookies are the default names of products' cookies, and names from their
// manuals. A client can choose an Azure instance by sending its cookie, but the value
// is a hash that cannot be computed from outside.
var knownCookies = map[string]knownCookie{
	"route":               {Nginx, KindStable}, // also of ingress-nginx
	"srv_id":              {Nginx, KindStable},
	"INGRESSCOOKIE":       {IngressNginx, KindStable},
	"ROUTEID":             {HTTPD, KindStable},
	"BALANCEID":           {HTTPD, KindStable},
	"SERVERID":            {HAProxy, KindStable},
	"SRVID":               {HAProxy, KindStable},
	"SRV":                 {HAProxy, KindStable},
	"lb":                  {Caddy, KindStable},
	"ARRAffinity":         {Azure, KindStable},
	"ARRAffinitySameSite": {Azure, KindStable},

	"GCLB":  {GoogleCloud, KindRotating},
	"GCILB": {GoogleCloud, KindRotating},

	"JSESSIONID":        {HTTPD, KindNone},
	"SESSION":           {Application, KindNone}, // unless its value is that of Spring Session
	"PHPSESSID":         {Application, KindNone},
	"connect.sid":       {Application, KindNone},
	"ASP.NET_SessionId": {Application, KindNone},
}

// prefixes are the beginnings of names that continue with a pool, an application or a
// variant.
var prefixes = []struct {
	text string
	knownCookie
}{
	{"BIGipServer", knownCookie{BIGIP, KindStable}},
	{"AWSALB", knownCookie{AWS, KindRotating}}, // also AWSALBAPP-0, AWSALBCORS, AWSALBTG
	{"AWSELB", knownCookie{AWS, KindRotating}},
	{"ASPSESSIONID", knownCookie{Application, KindNone}},
}

func knownCookieOf(name string) (knownCookie, bool) {
	if h, ok := knownCookies[name]; ok {
		return h, true
	}
	for _, p := range prefixes {
		if strings.HasPrefix(name, p.text) {
			return p.knownCookie, true
		}
	}
	return knownCookie{}, false
}

// routeOf returns the route of a session id as httpd, Tomcat and mod_jk read it:
// everything after the first dot.
func routeOf(value string) (route string, ok bool) {
	_, route, ok = strings.Cut(value, ".")
	return route, ok && route != ""
}

// springID returns the session id in a cookie of Spring Session, which is base64 of a
// UUID with an optional route.
func springID(value string) (string, bool) {
	raw, err := base64.StdEncoding.DecodeString(value)
	if err != nil || len(raw) < uuidLength || !isUUID(string(raw[:uuidLength])) {
		return "", false
	}
	if len(raw) > uuidLength && raw[uuidLength] != '.' {
		return "", false
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
