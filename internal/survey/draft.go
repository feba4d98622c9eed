package survey

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"stickwatch/internal/config"
	"stickwatch/probes"
)

// A draft is a cluster as it will be written. Its fields and methods are for the
// template; those that are "" or nil are left out.
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
	Evidence     []keyed // that can be read from here
	Withheld     []keyed // that cannot, or nobody looked
	Nodes        []node
	Session      []keyed
	Policy       string
	NoStatus     bool
	Pages        []string

	remarks []remark
}

// A keyed is a line "key: value", the value in YAML.
type keyed struct{ Key, Value string }

// draft is s with everything decided that was open.
func (s *subject) draft() draft {
	app := s.application()
	d := draft{
		Name: s.name, Origin: s.origin(),
		Profile:      cmp.Or(app.profile, "generic"),
		Method:       s.method,
		HashKey:      s.hashKey,
		Consistent:   s.consistent,
		MaxFails:     s.ejection.maxFails,
		ClientHeader: s.clientIPHeader,
		Nodes:        s.nodes,
		remarks:      slices.Clone(s.remarks),
	}
	for _, e := range s.entrances {
		d.URLs = append(d.URLs, e.url+s.base.path)
	}
	for _, key := range slices.Sorted(maps.Keys(s.evidence)) {
		line := keyed{key, yaml(s.evidence[key])}
		if s.confirmed[key] {
			d.Evidence = append(d.Evidence, line)
		} else {
			d.Withheld = append(d.Withheld, line)
		}
	}
	if app.why != "" {
		d.remarks = append(d.remarks, remark{"profile", app.why, app.guessed})
	}
	if s.kind != "" { // flags do not tell
		d.tellEjection(s.ejection)
	}
	d.fit(s, app)
	d.tellNodes(s)
	return d
}

func (s *subject) origin() string {
	if s.kind == "" {
		return ""
	}
	return probes.Clean(s.kind+" "+s.name, 120) + ", " + s.place.String()
}

// wholeSeconds is d in the seconds that fail_timeout counts, at least one.
func wholeSeconds(d time.Duration) time.Duration {
	return max((d + time.Second - 1).Truncate(time.Second), time.Second)
}

func (d *draft) tellEjection(e ejection) {
	d.MaxFails, d.FailTimeout = e.maxFails, config.FormatDuration(wholeSeconds(e.failTimeout))
	switch {
	case e.how != "":
		d.remarks = append(d.remarks, remark{key: "balancer.max_fails", text: e.how})
	case !e.told:
		d.remarks = append(d.remarks, remark{key: "balancer.max_fails", text: "not in the file: the balancer's defaults"})
	}
}

// fit says how the application is asked.
func (d *draft) fit(s *subject, app application) {
	switch app.profile {
	case "":
		d.unknown(s)
		d.share(s)
	case "huozige":
		if page := s.inside(); page != "/" {
			d.Pages = []string{page}
		}
	case "tomcat", "tomcat-msm", "ebridge", "strategy-collaboration", "generic":
		d.reach(s, app.profile)
		if app.profile == "tomcat" || app.profile == "generic" {
			d.share(s)
		}
		if app.profile == "tomcat" && s.profile == "" && s.keeps() {
			d.guess("session", "whether its nodes share sessions is not told: write policy: sticky if they do not")
		}
		if app.profile == "generic" && s.answered() && !s.hasStatus() {
			d.noStatus()
		}
	}
}

// testPages are the pages on which the profiles open a session.
var testPages = map[string]string{
	"generic": "/cluster/test", "ebridge": "/main/base/cluster/test", "strategy-collaboration": "/status",
	"tomcat": "/cluster/index.jsp", "tomcat-msm": "/index.jsp",
}

// reach tells when the balancer does not lead a profile's test page to the nodes.
func (d *draft) reach(s *subject, profile string) {
	if page := testPages[profile]; !s.reaches(page) {
		d.guess("session", "no path of the file leads "+page+" to these nodes: write the path of a page that opens a session")
		d.Session = []keyed{{"path", yaml(s.inside())}}
	}
}

// keeps reports whether the balancer may keep a client on a node. By Apache's
// and HAProxy's methods alone it does not: what does there has a cookie.
func (s *subject) keeps() bool {
	return s.cookie != "" || s.routeCookie != "" ||
		!slices.Contains([]probes.Method{probes.MethodRoundRobin, probes.MethodLeastConn, probes.MethodRandom}, s.method)
}

// share promises shared sessions where nothing else can work. Were they not
// shared, that is what would be found.
func (d *draft) share(s *subject) {
	if s.keeps() || slices.ContainsFunc(d.Session, func(k keyed) bool { return k.Key == "path" && k.Value == `""` }) {
		return
	}
	d.Session = append(d.Session, keyed{"policy", string(probes.PolicyShared)})
	d.guess("session", "the balancer keeps nobody on a node, so each has to know every session")
}

// unknown asks an application of which nothing is known for a page, and reads
// the session as the balancer does.
func (d *draft) unknown(s *subject) {
	d.Pages = []string{s.inside()}
	if !s.hasStatus() {
		d.noStatus()
	}
	node, id := s.nodeSources(), s.idSource()
	if node == "" && id == "" {
		d.Session = []keyed{{"path", yaml("")}}
		d.guess("session", "switched off: write the path of a page that opens a session, and where it tells node and id (node: {header: X-Node}, id: {cookie: NAME})")
		return
	}
	d.Session = append(d.Session, keyed{"path", yaml(s.inside())})
	if node != "" {
		d.Session = append(d.Session, keyed{"node", node})
	}
	if id != "" {
		d.Session = append(d.Session, keyed{"id", id})
	}
	d.guess("session", "any page will do that opens a session: see whether this one does")
}

func (d *draft) noStatus() {
	d.NoStatus = true
	d.remarks = append(d.remarks, remark{key: "status", text: "no node is known to have one"})
}

// nodeSources is where an answer tells which node gave it, as the balancer's file
// lets one hope; "": nowhere.
func (s *subject) nodeSources() string {
	var sources []string
	if s.routeHeader != "" {
		sources = append(sources, mapping("header", s.routeHeader))
	}
	if s.routeCookie != "" {
		sources = append(sources, mapping("cookie", s.routeCookie, "after", "."))
	}
	if s.routeCookie == "" && s.sessionCookie().routed {
		sources = append(sources, mapping("cookie", s.sessionCookie().name, "after", "."))
	}
	if s.cookie != "" {
		source := mapping("balancer_cookie", s.cookie)
		if s.secret {
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

// idSource is where an answer tells the session's id; "": nowhere.
func (s *subject) idSource() string {
	switch own := s.sessionCookie(); {
	case s.prefixed: // HAProxy has put the node before the application's own
		return mapping("cookie", s.cookie, "after", "~")
	case s.routeCookie != "":
		return mapping("cookie", s.routeCookie, "before", ".")
	case own.name == "JSESSIONID":
		return mapping("cookie", own.name, "before", ".")
	case own.name != "":
		return mapping("cookie", own.name)
	}
	return ""
}

// tellNodes leaves out labels that nothing reads, and tells what the nodes' lines
// need.
func (d *draft) tellNodes(s *subject) {
	labelled := slices.ContainsFunc(d.Session, func(k keyed) bool { return strings.Contains(k.Value, "balancer_cookie") })
	d.Nodes = slices.Clone(d.Nodes)
	for i := range d.Nodes {
		if !labelled {
			d.Nodes[i].Label = ""
		}
	}
	if labelled && s.secret {
		d.guess("session", "the balancer's file has a secret for the cookie "+s.cookie+": set STICKWATCH_COOKIE_SECRET to it where stickwatch runs")
	}
	if slices.ContainsFunc(d.Nodes, func(n node) bool { return strings.HasPrefix(n.URL, "https:") }) {
		d.remarks = append(d.remarks, remark{key: "nodes", text: "their certificates are checked: where they are of your own authority, add tls: {ca_file: FILE}"})
	}
}

func (d *draft) guess(key, text string) { d.remarks = append(d.remarks, remark{key, text, true}) }

// Line is a node as a flow mapping.
func (n node) Line() string {
	words := []string{"id", n.ID, "url", n.URL, "host", n.Host, "label", n.Label, "server", n.Server}
	line := strings.TrimSuffix(mapping(words...), "}")
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
