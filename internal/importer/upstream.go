package importer

import (
	"cmp"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// An upstream is a group of servers in a configuration, in terms common to all
// products.
type upstream struct {
	position
	kind, name string // "upstream", "backend", ..., "" from flags; its name in the file
	servers    []server
	tcp        phrase.Phrase // why connections are balanced, not requests; "": requests are
	unrouted   bool          // no route leads users there, as to other upstreams of the file
	partial    bool          // not all of its servers are in the file
	several    bool          // the file has more than one server line
	missing    bool          // it has servers that are no nodes, such as sockets
	dynamic    phrase.Phrase // why not; "": the file has them all
	discovery  *dnsName      // where the servers come from instead; nil: unknown, or from the file

	method     probes.Method
	hashKey    string
	consistent bool
	ejection   ejection
	protocol   probes.NodeProtocol // how servers are asked, if not by HTTP/1.1

	clientIPHeader string

	cookie         string        // cookie in which the balancer stores the node
	cookieBackend  string        // ingress-nginx's name of the upstream, on which that cookie depends
	secret         bool          // that cookie can be read only with a secret
	cookieComment  phrase.Phrase // comment on a cookie of the application into which the balancer writes the node
	prefixed       bool          // that cookie is the application's, prefixed by the node and "~"
	routeCookie    string        // cookie of the application that ends with a dot and the node
	routeVariables []string      // of nginx, that name the node
	sessionName    string        // the application's session cookie, by which the balancer keeps clients
	routeHeader    string        // header in which the balancer sends the node
	nodeCookie     bool          // routeCookie is the balancer's own: what precedes the dot is no session id

	rewrites    []directive // rules of HAProxy that change the path
	sites       []*site
	conditions  []phrase.Phrase   // ways to it that no plain GET takes, with their positions
	evidence    map[string]string // by key in stickwatch.yml
	checks      []string          // paths of the balancer's health checks
	keyComments []keyComment
}

// A dnsName is a name in DNS with the addresses of an upstream's servers.
type dnsName struct {
	name   string
	record string // A, AAAA or SRV
	port   string // "": in the record
	server string // DNS server that the balancer asks, host:port; "": the system's
}

// askAt sets the DNS server that the balancer asks, if the address is one.
func (d *dnsName) askAt(address string) {
	host, port := splitAddress(address)
	if at := webAddress("", host, cmp.Or(port, "53")); validAddress(strings.TrimPrefix(at, "://")) && !isVariable(address) {
		d.server = strings.TrimPrefix(at, "://")
	}
}

// A server is a server of an upstream.
type server struct {
	position
	name string // name or route; "": only its address is known

	protocol probes.NodeProtocol // how the balancer asks it; "": as the upstream's

	scheme  string // http, https, or ajp, which only balancers speak
	address string // host, or host:port
	path    string // prefix of all paths at the server; "": none
	label   string // cookie value, if it differs from the name
	weight  int
	down    bool
	backup  bool

	sameport bool          // it has the port to which the client connected, plus shift
	shift    int           // see sameport
	unlisted phrase.Phrase // why its address is not in the file; "": it is
}

// A site is a place in the file that leads users to an upstream, such as a server block
// or a frontend. Its addresses and its routes belong together.
type site struct {
	position
	*upstream
	frontends  []frontend
	routes     []route
	hostHeader string // Host header of requests to nodes; "": the client's, or the node's
}

// site returns the site of that position, and adds it if necessary.
func (u *upstream) site(at position, frontends []frontend) *site {
	for _, known := range u.sites {
		if known.position == at {
			return known
		}
	}
	s := &site{position: at, upstream: u}
	for _, front := range frontends {
		s.addFrontend(front)
	}
	u.sites = append(u.sites, s)
	return s
}

// An ejection describes when failing servers are ejected, in nginx's terms.
type ejection struct {
	maxFails    int
	failTimeout time.Duration
	explicit    bool          // set in the file; else the product's default
	derivedFrom phrase.Phrase // the product's own parameters, if they differ
}

// differs reports whether two servers are ejected differently. A default may be explicit.
func (e ejection) differs(other ejection) bool {
	return e.maxFails != other.maxFails || e.failTimeout != other.failTimeout
}

// A route maps paths of the balancer to paths of an upstream.
type route struct {
	position
	path  string        // prefix of the balancer's paths
	to    string        // replacement of the prefix in requests to nodes
	exact bool          // only the path itself, not paths below it
	taken phrase.Phrase // why the path itself leads elsewhere; zero: a GET for it reaches the upstream
	guess phrase.Phrase // why the path may be wrong; zero: it is certain
}

// proxyVersion returns the PROXY protocol of a version, such as "v1" or "V2".
func proxyVersion(text string) probes.NodeProtocol {
	if strings.HasSuffix(text, "2") {
		return probes.ProtocolProxyV2
	}
	return probes.ProtocolProxyV1
}

// A keyComment is a comment on a key of stickwatch.yml.
type keyComment struct {
	key     string // such as "balancer.url"
	text    phrase.Phrase
	guessed bool
}

func (u *upstream) addComment(key string, text phrase.Phrase) {
	u.keyComments = append(u.keyComments, keyComment{key: key, text: text})
}

func (u *upstream) guess(key string, text phrase.Phrase) {
	u.keyComments = append(u.keyComments, keyComment{key, text, true})
}

// guessOnce adds a guess unless the key has it already, at another position.
func (u *upstream) guessOnce(key string, at position, text phrase.Phrase) {
	if !slices.ContainsFunc(u.keyComments, func(c keyComment) bool { return c.key == key && strings.HasSuffix(c.text.String(), text.String()) }) {
		u.guess(key, at.withPosition(text))
	}
}

// asksPassword records that the balancer answers only clients with a password.
func (u *upstream) asksPassword(at position, what string) {
	u.guessOnce("pages", at, phrase.New("%s asks for a password: add request: {basic_auth: {username: NAME, password_file: FILE}}", what))
}

// asksLogin records that another server decides which requests the balancer passes on.
func (u *upstream) asksLogin(at position, what string) {
	u.guessOnce("pages", at, phrase.New("%s lets another server decide about each request: add request: {bearer_token_file: FILE} or session: {login: ...}, or a rule that lets stickwatch pass", what))
}

// onlyIf records a way to u that no plain GET takes.
func (u *upstream) onlyIf(at position, condition phrase.Phrase) {
	u.conditions = appendNew(u.conditions, at.withPosition(condition))
}

// addFrontend adds an address without duplicates.
func (s *site) addFrontend(front frontend) {
	if !slices.ContainsFunc(s.frontends, func(known frontend) bool { return known.url == front.url }) {
		s.frontends = append(s.frontends, front)
	}
}

// addRoute adds a route without duplicates, if its paths are valid.
func (s *site) addRoute(r route) {
	if !isValidPath(r.path) || !isValidPath(r.to) || !strings.HasPrefix(r.path, "/") {
		return
	}
	if r.exact && r.to != r.path {
		r.taken = phrase.New("nodes get it as %s", r.to)
	}
	if !slices.ContainsFunc(s.routes, func(known route) bool { return known.path == r.path && known.to == r.to }) {
		s.routes = append(s.routes, r)
	}
}

// A parsedConfig is the content of a balancer's configuration.
type parsedConfig struct {
	noteList
	upstreams []*upstream
	anyCase   bool       // names of upstreams are compared without case
	unusable  []unusable // what it has instead of upstreams
	has       []string   // names of its directives
	targets   []frontend // hosts to which redirects lead
}

var redirectTarget = regexp.MustCompile(`^https://([^/$%:{]+)`)

// redirectTo records the host to which the arguments of a redirect lead.
func (p *parsedConfig) redirectTo(at position, args []string) {
	for _, arg := range args {
		if m := redirectTarget.FindStringSubmatch(arg); m != nil && public(m[1]) {
			known := func(front frontend) bool { return front.url == m[1] }
			if !slices.ContainsFunc(p.targets, known) {
				p.targets = append(p.targets, frontend{position: at, url: m[1]})
			}
		}
	}
}

// nameFrontends gives addresses without a name the host to which the file redirects, if
// it is one.
func (p *parsedConfig) nameFrontends(u *upstream) {
	if len(p.targets) != 1 {
		return
	}
	name := p.targets[0]
	for _, s := range u.sites {
		for i := range s.frontends {
			front := &s.frontends[i]
			if (front.guess == guessedAddress || front.guess == guessedName) && strings.HasPrefix(front.url, "https://") {
				front.url = webAddress("https", name.url, front.port)
				front.guess = phrase.New("the name is that of the redirect at %s: write the address for users", name.position)
			}
		}
	}
}

// recordDirectives records the names of a file's directives.
func (p *parsedConfig) recordDirectives(tree []directive) {
	for _, d := range tree {
		if name := probes.Clean(cmp.Or(d.written, d.name), 40); !slices.Contains(p.has, name) && len(p.has) <= maxNames {
			p.has = append(p.has, name)
		}
	}
}

// An unusable is something in a file that is no cluster of web servers.
type unusable struct {
	position
	what   phrase.Phrase // such as "stream upstream web, which balances connections"
	advice phrase.Phrase // what to do about it; zero: nothing
	users  bool          // it serves users by servers that stickwatch cannot ask
}

func (p *parsedConfig) named(name string) *upstream {
	for _, u := range p.upstreams {
		if u.name == name || p.anyCase && strings.EqualFold(u.name, name) {
			return u
		}
	}
	return nil
}

// recordUnusable records what the file has instead of an upstream.
func (p *parsedConfig) recordUnusable(at position, what, advice phrase.Phrase) {
	p.unusable = append(p.unusable, unusable{at, what, advice, false})
}

// recordUnprobeable records servers that stickwatch cannot ask.
func (p *parsedConfig) recordUnprobeable(at position, what, advice phrase.Phrase) {
	p.recordUnusable(at, what, advice)
	p.unusable[len(p.unusable)-1].users = true
}

// distinct reports two upstreams of the same name, which no product accepts.
func (p *parsedConfig) distinct() error {
	seen := map[string]position{}
	for _, u := range p.upstreams {
		if first, ok := seen[u.name]; ok {
			return u.errorf("the %s %s is at %s already", u.kind, quoted(u.name), first)
		}
		seen[u.name] = u.position
	}
	return nil
}

// A noteList contains notes for the user about what was not read or understood.
type noteList []phrase.Phrase

// maxNote limits the length of a note, in bytes.
const maxNote = 400

func (n *noteList) note(format string, args ...any) {
	*n = append(*n, phrase.New(format, args...))
}

// A frontend is an address of the balancer through which users reach an upstream.
type frontend struct {
	position
	url   string        // scheme and authority
	port  string        // on which the balancer listens
	guess phrase.Phrase // reason why the address may be wrong; zero: it is certain
}

// localhost stands for an unknown address.
const localhost = "127.0.0.1"

// guessedAddress is the comment on an unknown address.
var guessedAddress = phrase.New("the file does not contain the address for users: write it here")

// guessedName is the comment on an address with TLS whose name is unknown.
var guessedName = phrase.New("certificates are seldom for an address: write the name that users use")

// newFrontend returns the address of a port on which a balancer listens: with its
// public name, else with the address of the port, else a guess. host is "" for all
// addresses of the machine. It returns false if no valid address results.
func newFrontend(p position, scheme, host, port, name string) (frontend, bool) {
	front := frontend{position: p, port: cmp.Or(port, defaultPort[scheme])}
	switch {
	case name != "":
		host = name
	case host == "":
		host, front.guess = localhost, guessedAddress
	case host == "localhost" && scheme == "http":
		host = localhost
	case isIP(host) && scheme == "https":
		front.guess = guessedName
	}
	front.url = webAddress(scheme, host, front.port)
	return front, defaultPort[scheme] != "" && validAddress(strings.TrimPrefix(front.url, scheme+"://"))
}

var defaultPort = map[string]string{"http": "80", "https": "443"}

// userFrontends drops plain addresses where the balancer redirects them to https, and
// where a name has both, because servers usually redirect then. Without a name no
// certificate would be valid, so http is kept then.
func userFrontends(all []frontend, named, redirected bool) []frontend {
	var plain, secure []frontend
	for _, front := range all {
		if strings.HasPrefix(front.url, "https:") {
			secure = append(secure, front)
		} else {
			plain = append(plain, front)
		}
	}
	if redirected || len(secure) > 0 && (named || len(plain) == 0) {
		return secure
	}
	return plain
}

// token matches names of headers and cookies (RFC 9110, RFC 6265).
var token = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")

// checkAddresses marks servers whose address cannot be part of a URL, or stands for one
// that is set later: 0.0.0.0/8 and ::.
func (u *upstream) checkAddresses() {
	for i := range u.servers {
		s := &u.servers[i]
		switch {
		case !s.unlisted.IsZero():
		case isPlaceholder(s.address):
			s.unlisted = phrase.New("%s is a placeholder", s.address)
		case !validAddress(s.address):
			s.unlisted = phrase.New("%s is no address", quoted(s.address))
		}
	}
}

// isPlaceholder reports whether an address is one of 0.0.0.0/8 or ::, which no server has.
func isPlaceholder(address string) bool {
	host, _ := splitAddress(address) // "" for all addresses of a machine
	return host == "" && address != "" || strings.HasPrefix(host, "0.") && strings.Trim(host, "0123456789.") == ""
}

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
		{&u.sessionName, "session"},
		{&u.cookie, "session"},
	} {
		if *name.text != "" && !token.MatchString(*name.text) {
			u.guess(name.key, phrase.New("%s is not a valid name of a header or cookie, and is left out", quoted(*name.text)))
			*name.text = ""
		}
	}
	if u.cookie == "" {
		u.prefixed, u.secret = false, false
	}
	for _, s := range u.sites {
		if !validAddress(s.hostHeader) {
			s.hostHeader = ""
		}
	}
	maps.DeleteFunc(u.evidence, func(key, where string) bool {
		at, err := url.Parse(where)
		return key != "nginx_error_log" && (err != nil || strings.Contains(at.Path, "@"))
	})
}

// secure makes the servers speak TLS. Those without a port have the given one; "":
// that of https.
func (u *upstream) secure(port string) {
	for i := range u.servers {
		s := &u.servers[i]
		s.scheme = "https"
		if _, own := splitAddress(s.address); own == "" && port != "" && s.unlisted.IsZero() {
			s.address += ":" + port
		}
	}
}

// isValidPath reports whether a path can be used in a URL as it is; "" can, a variable
// or pattern cannot. Nor can //x, which is a host where it stands alone.
func isValidPath(path string) bool {
	u, err := url.Parse("http://host" + path)
	return err == nil && !strings.HasPrefix(path, "//") && u.Path == path && u.EscapedPath() == path && !strings.ContainsAny(path, "@${}*\"'\\") && len(path) <= 200
}
