package importer

import (
	"slices"
	"strings"

	"stickwatch/probes"
)

// setProfile says how the application is asked.
func (d *draft) setProfile(s *candidate, app application) {
	switch app.profile {
	case "":
		d.unknown(s)
		d.assumeShared(s)
	case "huozige":
		if page := s.samplePath(); page != "/" {
			d.Pages = []string{page}
		}
	case "tomcat", "tomcat-msm", "ebridge", "strategy-collaboration", "generic":
		d.noteUnreachable(s, app.profile)
		if app.profile == "tomcat" || app.profile == "generic" {
			d.assumeShared(s)
		}
		if app.profile == "tomcat" && s.profile == "" && s.keepsClients() {
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

// noteUnreachable tells when the balancer does not lead a profile's test page to the nodes.
func (d *draft) noteUnreachable(s *candidate, profile string) {
	if page := testPages[profile]; !s.reaches(page) {
		d.guess("session", "no path of the file leads "+page+" to these nodes: write the path of a page that opens a session")
		d.Session = []keyValue{{"path", yaml(s.samplePath())}}
	}
}

// keepsClients reports whether the balancer may keep a client on a node. By Apache's
// and HAProxy's methods alone it does not: what does there has a cookie.
func (s *candidate) keepsClients() bool {
	return s.cookie != "" || s.routeCookie != "" ||
		!slices.Contains([]probes.Method{probes.MethodRoundRobin, probes.MethodLeastConn, probes.MethodRandom}, s.method)
}

// assumeShared promises shared sessions where nothing else can work. Were they not
// shared, that is what would be found.
func (d *draft) assumeShared(s *candidate) {
	if s.keepsClients() || slices.ContainsFunc(d.Session, func(k keyValue) bool { return k.Key == "path" && k.Value == `""` }) {
		return
	}
	d.Session = append(d.Session, keyValue{"policy", string(probes.PolicyShared)})
	d.guess("session", "the balancer keeps nobody on a node, so each has to know every session")
}

// unknown asks an application of which nothing is known for a page, and reads
// the session as the balancer does.
func (d *draft) unknown(s *candidate) {
	d.Pages = []string{s.samplePath()}
	if !s.hasStatus() {
		d.noStatus()
	}
	node, id := s.nodeSources(), s.idSource()
	if node == "" && id == "" {
		d.Session = []keyValue{{"path", yaml("")}}
		d.guess("session", "switched off: write the path of a page that opens a session, and where it tells node and id (node: {header: X-Node}, id: {cookie: NAME})")
		return
	}
	d.Session = append(d.Session, keyValue{"path", yaml(s.samplePath())})
	if node != "" {
		d.Session = append(d.Session, keyValue{"node", node})
	}
	if id != "" {
		d.Session = append(d.Session, keyValue{"id", id})
	}
	d.guess("session", "any page will do that opens a session: see whether this one does")
}

func (d *draft) noStatus() {
	d.NoStatus = true
	d.keyComments = append(d.keyComments, keyComment{key: "status", text: "no node is known to have one"})
}

// nodeSources is where an answer tells which node gave it, as the balancer's file
// lets one hope; "": nowhere.
func (s *candidate) nodeSources() string {
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
func (s *candidate) idSource() string {
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
