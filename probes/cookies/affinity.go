package cookies

import (
	"encoding/base64"
	"net/netip"
	"strings"
)

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

// outranks reports whether c is to be believed rather than o.
func (c claim) outranks(o claim) bool {
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

// A naming is what is known of a cookie by its name alone.
type knownCookie struct {
	product Product
	kind    Kind
}

// namings are the names by which products call their cookies unless told
// otherwise, and those that their manuals teach. Azure's instance can be asked
// for by sending its cookie, but is a hash that nobody outside can compute.
var knownCookies = map[string]knownCookie{
	"route":               {Nginx, KindStable}, // ingress-nginx's too
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
	"SESSION":           {Application, KindNone}, // unless it looks like Spring's
	"PHPSESSID":         {Application, KindNone},
	"connect.sid":       {Application, KindNone},
	"ASP.NET_SessionId": {Application, KindNone},
}

// prefixes begin the names that go on with a pool's, an application's or a
// variant's.
var prefixes = []struct {
	text string
	knownCookie
}{
	{"BIGipServer", knownCookie{BIGIP, KindStable}},
	{"AWSALB", knownCookie{AWS, KindRotating}}, // AWSALBAPP-0, AWSALBCORS, AWSALBTG too
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

// routeOf cuts the route off a session id as httpd, Tomcat and mod_jk do: it is
// all that follows the first dot.
func routeOf(value string) (route string, ok bool) {
	_, route, ok = strings.Cut(value, ".")
	return route, ok && route != ""
}

// springID is the session id in a cookie of Spring Session, which is base64 of
// a UUID and maybe a route.
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
