package importer

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"stickwatch/internal/config"
	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// A draft is a cluster as the template writes it. Fields and methods that return "" or
// nil are left out.
type draft struct {
	Name, Origin string
	Profile      string
	URLs         []string
	Method       probes.Method
	HashKey      string
	Consistent   bool
	MaxFails     int
	FailTimeout  string // "": neither this nor MaxFails is known
	ClientHeader string
	Evidence     []keyValue // readable from this machine
	Withheld     []keyValue // not readable, or not checked
	Nodes        []node
	Protocol     probes.NodeProtocol // of the nodes of NodesFrom
	NodesFrom    string              // where the nodes are to be found instead, in YAML; "": Nodes has them
	Skeleton     phrase.Phrase       // why the cluster is written as a comment; zero: it is not
	Session      []keyValue
	Policy       string
	Handshake    string // path of Engine.IO; "": none, or the profile's
	NoStatus     bool
	Pages        []string

	keyComments []keyComment
	reader      phrase.Reader // of the comments
}

// A keyValue is a line "key: value" with the value in YAML.
type keyValue struct{ Key, Value string }

// draft completes the candidate with guesses for everything unknown.
func (c *candidate) draft() draft {
	app := c.application()
	d := draft{
		Name: c.name, Origin: c.origin(),
		Profile:      cmp.Or(app.profile, "generic"),
		Method:       c.method,
		HashKey:      c.hashKey,
		Consistent:   c.consistent,
		MaxFails:     c.ejection.maxFails,
		ClientHeader: c.clientIPHeader,
		Nodes:        c.nodes,
		Skeleton:     c.skeleton,
		keyComments:  slices.Clone(c.keyComments),
	}
	if from := c.discovery; from != nil && (from.port == "" || validAddress("host:"+from.port)) { // a port may be a variable
		d.NodesFrom = mapping("name", from.name, "type", from.record, "server", from.server)
		if from.port != "" {
			d.NodesFrom = strings.TrimSuffix(d.NodesFrom, "}") + ", port: " + from.port + "}"
		}
	}
	if d.NodesFrom != "" {
		d.Protocol = c.protocol
	}
	for _, front := range c.site.frontends {
		d.URLs = append(d.URLs, front.url+c.base.path)
	}
	for _, key := range slices.Sorted(maps.Keys(c.evidence)) {
		line := keyValue{key, yaml(c.evidence[key])}
		if c.confirmed[key] {
			d.Evidence = append(d.Evidence, line)
		} else {
			d.Withheld = append(d.Withheld, line)
		}
	}
	if !app.why.IsZero() {
		d.keyComments = append(d.keyComments, keyComment{"profile", app.why, app.guessed})
	}
	if c.kind != "" { // flags have no ejection settings
		d.commentEjection(c.ejection)
	}
	d.setProfile(c, app)
	d.commentPages(c)
	d.commentNodes(c)
	return d
}

// commentPages says which pages are guessed, and which ways to the nodes no page takes.
func (d *draft) commentPages(c *candidate) {
	page, ok := c.samplePage()
	switch {
	case !ok && c.kind != "":
		ways := slices.Clone(c.conditions)
		for _, r := range c.site.routes {
			if r.taken.IsZero() { // of socket.io
				r.taken = phrase.New("it is a handshake")
			}
			ways = append(ways, r.remark("%s itself is no page: %s", r.path, r.taken))
		}
		why := cmp.Or(phrase.Join(ways[:min(len(ways), maxSeen)], "; "), phrase.New("the paths that lead there are not known"))
		d.guess("pages", phrase.New("%s: write a page that a GET through the balancer reaches", why))
	case !page.guess.IsZero() && len(d.Pages) > 0:
		d.guess("pages", page.withPosition(page.guess))
	}
}

func (c *candidate) origin() string {
	if c.kind == "" {
		return ""
	}
	return probes.Clean(c.kind+" "+c.name, 120) + ", " + c.position.String()
}

// wholeSeconds rounds d to whole seconds, the unit of fail_timeout, at least one.
func wholeSeconds(d time.Duration) time.Duration {
	return max((d + time.Second - 1).Truncate(time.Second), time.Second)
}

func (d *draft) commentEjection(e ejection) {
	d.MaxFails, d.FailTimeout = e.maxFails, config.FormatDuration(wholeSeconds(e.failTimeout))
	switch {
	case !e.derivedFrom.IsZero():
		d.keyComments = append(d.keyComments, keyComment{key: "balancer.max_fails", text: e.derivedFrom})
	case !e.explicit:
		d.keyComments = append(d.keyComments, keyComment{key: "balancer.max_fails", text: phrase.New("not in the file: the balancer's defaults")})
	}
}

// commentNodes drops labels that no extractor reads, and adds comments on the nodes.
func (d *draft) commentNodes(c *candidate) {
	labelled := slices.ContainsFunc(d.Session, func(k keyValue) bool { return strings.Contains(k.Value, "balancer_cookie") })
	d.Nodes = slices.Clone(d.Nodes)
	for i := range d.Nodes {
		if !labelled {
			d.Nodes[i].Label = ""
		}
	}
	if len(d.Nodes) == 0 && d.NodesFrom == "" {
		d.Nodes = []node{{ID: "node1", URL: "http://NODE1:80"}, {ID: "node2", URL: "http://NODE2:80"}}
	}
	if labelled && c.secret {
		d.guess("session", phrase.New("the balancer's file has a secret for the cookie %s: set STICKWATCH_COOKIE_SECRET to it where stickwatch runs", c.cookie))
	}
	if slices.ContainsFunc(d.Nodes, func(n node) bool { return strings.HasPrefix(n.URL, "https:") }) {
		d.keyComments = append(d.keyComments, keyComment{key: "nodes", text: phrase.New("certificates are verified: for your own certificate authority, add tls: {ca_file: FILE}")})
	}
}

func (d *draft) guess(key string, text phrase.Phrase) {
	d.keyComments = append(d.keyComments, keyComment{key, text, true})
}

// Line formats a node as a flow mapping.
func (n node) Line() string {
	words := []string{"id", n.ID, "url", n.URL, "host", n.Host, "label", n.Label, "server", n.Server, "protocol", string(n.Protocol)}
	line := strings.TrimSuffix(mapping(words...), "}")
	if !n.Unlisted.IsZero() {
		line = strings.ReplaceAll(line, "$${", "${") // once completed, it takes the variable of the environment
	}
	if n.Weight > 1 {
		line += ", weight: " + strconv.Itoa(n.Weight)
	}
	if n.Down {
		line += ", down: true"
	}
	if n.Backup {
		line += ", backup: true"
	}
	return line + "}"
}

// setProfile sets the session settings that the profile of app does not have.
func (d *draft) setProfile(c *candidate, app application) {
	profile, known := config.ProfileNamed(app.profile)
	switch {
	case !known:
		d.unknown(c)
		if generic, _ := config.ProfileNamed("generic"); !slices.Contains(d.Session, noSession) {
			d.setPolicy(c, generic)
		}
	case profile.Path() == "":
		if page, ok := c.samplePage(); ok && page.path != "/" {
			d.Pages = []string{page.path}
		}
	default:
		if app.page != "" {
			d.otherPage(c, app.page)
		} else {
			d.noteUnreachable(c, profile)
		}
		d.setCounter(c)
		d.setPolicy(c, profile)
		if app.profile == "generic" && c.answered() && !c.hasStatus() {
			d.noStatus()
		}
	}
}

// otherPage configures a page that opens a session, but is none of the profile's: it
// stores no counter.
func (d *draft) otherPage(c *candidate, page string) {
	d.Session = append(d.Session, keyValue{"path", yaml(page)})
	if c.cookie != "" || c.routeHeader != "" {
		d.Session = append(d.Session, keyValue{"node", c.nodeSources()})
	}
	d.Session = append(d.Session, keyValue{"write", yaml("")})
	d.Pages = []string{page}
	d.guess("session", phrase.New("%s opens a session, but stores no values; a page of internal/docs/test-pages.md shows more", page))
}

// noteUnreachable adds a comment if the balancer does not pass a profile's test page to
// the nodes.
func (d *draft) noteUnreachable(c *candidate, profile config.Profile) {
	if page := withoutQuery(profile.Path()); !c.reaches(page) {
		d.guess("session", phrase.New("no path of the file routes %s to these nodes: write the path of a page that opens a session", page))
		page, _ := c.samplePage()
		d.Session = []keyValue{{"path", yaml(page.path)}}
	}
}

// keepsClients reports whether the balancer may be sticky. With Apache's and HAProxy's
// methods this requires a cookie.
func (c *candidate) keepsClients() bool {
	return c.cookie != "" || c.routeCookie != "" ||
		!slices.Contains([]probes.Method{probes.MethodRoundRobin, probes.MethodLeastConn, probes.MethodRandom}, c.method)
}

// setPolicy sets the policy where that of the profile does not fit what was tried or
// answered, or cannot work.
func (d *draft) setPolicy(c *candidate, profile config.Profile) {
	policy, tried := profile.Policy(), c.sharingEvidence()
	switch {
	case c.policy != "":
		policy, tried = probes.Policy(c.policy), phrase.Phrase{}
	case c.tried.shared == probes.SessionKept && c.keepsClients():
		policy = probes.PolicyReplicated
	case c.tried.shared == probes.SessionKept:
		policy = probes.PolicyShared
	case c.tried.shared == probes.SessionLost && c.keepsClients():
		policy = probes.PolicySticky
	case !c.keepsClients() && profile.Method() == "" && policy != probes.PolicyShared:
		policy = probes.PolicyShared
		d.guess("session", phrase.New("the balancer keeps no client on a node, so each node must know every session"))
	case tried.IsZero() && profile.Name == "tomcat" && (c.profile == "" || c.profileAnswered):
		d.guess("session", phrase.New("it is unknown whether its nodes share sessions: write policy: sticky if they do not"))
	}
	if !tried.IsZero() {
		d.keyComments = append(d.keyComments, keyComment{key: "session", text: tried})
	}
	if policy != profile.Policy() || !tried.IsZero() { // the line that the comment is about
		d.Session = append(d.Session, keyValue{"policy", string(policy)})
	}
}

// setCounter sets the counter of a page made for stickwatch, and disables that of a
// profile whose page does not have it.
func (d *draft) setCounter(c *candidate) {
	disabled := slices.Contains(d.Session, keyValue{"write", yaml("")})
	switch profile, _ := config.ProfileNamed(d.Profile); {
	case disabled:
	case c.tried.counter == probes.SessionKept && !profile.Writes():
		d.Session = append(d.Session, keyValue{"write", yaml("?set={value}")}, keyValue{"read", "{labels: [value]}"})
	case c.tried.counter == probes.SessionLost && profile.Writes():
		d.Session = append(d.Session, keyValue{"write", yaml("")})
		d.keyComments = append(d.keyComments, keyComment{key: "session", text: phrase.New("tried: the page does not show a value that it was to store")})
	}
}

// noSession disables the session test.
var noSession = keyValue{"path", yaml("")}

// unknown configures the session test of an unknown application: a page, and the
// session as the balancer reads it.
func (d *draft) unknown(c *candidate) {
	page, reached := c.samplePage()
	if c.hasRoute(engineIO) && c.base == (route{}) {
		d.Handshake = engineIO + "/"
	}
	if reached {
		d.Pages = []string{page.path}
	}
	if opens := c.sessionCookie().path; opens != "" {
		page.path = opens
	}
	if !c.hasStatus() {
		d.noStatus()
	}
	node, id := c.nodeSources(), c.idSource()
	if node == "" && id == "" || !reached {
		d.Session = []keyValue{noSession}
		d.guess("session", phrase.New("disabled: write the path of a page that opens a session, and where it shows node and id (node: {header: X-Node}, id: {cookie: NAME})"))
		return
	}
	d.Session = append(d.Session, keyValue{"path", yaml(page.path)})
	if node != "" {
		d.Session = append(d.Session, keyValue{"node", node})
	}
	if id != "" {
		d.Session = append(d.Session, keyValue{"id", id})
	}
	d.guess("session", phrase.New("any page that opens a session is suitable: check whether this one does"))
}

func (d *draft) noStatus() {
	d.NoStatus = true
	d.keyComments = append(d.keyComments, keyComment{key: "status", text: phrase.New("no node is known to have a status endpoint")})
}

// nodeSources returns the extractor of the node that the balancer's file suggests; "":
// none.
func (c *candidate) nodeSources() string {
	var sources []string
	if c.routeHeader != "" {
		sources = append(sources, mapping("header", c.routeHeader))
	}
	if c.routeCookie != "" {
		sources = append(sources, mapping("cookie", c.routeCookie, "after", "."))
	}
	if c.routeCookie == "" && c.sessionCookie().routed {
		sources = append(sources, mapping("cookie", c.sessionCookie().name, "after", "."))
	}
	if c.cookie != "" {
		source := mapping("balancer_cookie", c.cookie, "backend", c.cookieBackend)
		if c.secret {
			source = strings.TrimSuffix(source, "}") + `, secret: "${STICKWATCH_COOKIE_SECRET:-unknown}"}`
		}
		sources = append(sources, source)
	}
	switch len(sources) {
	case 0:
		return ""
	case 1:
		return sources[0]
	default:
		return "{first: [" + strings.Join(sources, ", ") + "]}"
	}
}

// idSource returns the extractor of the session id; "": none.
func (c *candidate) idSource() string {
	switch own := c.sessionCookie(); {
	case c.prefixed: // HAProxy prefixes the application's id with the node
		return mapping("cookie", c.cookie, "after", "~")
	case c.routeCookie != "" && !c.nodeCookie:
		return mapping("cookie", c.routeCookie, "before", ".")
	case own.name == "JSESSIONID":
		return mapping("cookie", own.name, "before", ".")
	case own.name != "" || c.sessionName != "":
		return mapping("cookie", cmp.Or(own.name, c.sessionName))
	}
	return ""
}
