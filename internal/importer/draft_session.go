package importer

import (
	"slices"
	"strings"

	"stickwatch/probes"
)

// setProfile sets the profile and the session settings.
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

// noteUnreachable adds a comment if the balancer does not pass a profile's test page to
// the nodes.
func (d *draft) noteUnreachable(s *candidate, profile string) {
	if page := testPages[profile]; !s.reaches(page) {
		d.guess("session", "no path of the file leads "+page+" to these nodes: write the path of a page that opens a session")
		d.Session = []keyValue{{"path", yaml(s.samplePath())}}
	}
}

// keepsClients reports whether the balancer may be sticky. With Apache's and HAProxy's
// methods this requires a cookie.
func (s *candidate) keepsClients() bool {
	return s.cookie != "" || s.routeCookie != "" ||
		!slices.Contains([]probes.Method{probes.MethodRoundRobin, probes.MethodLeastConn, probes.MethodRandom}, s.method)
}

// assumeShared sets the policy shared where no other policy can work. If sessions are
// not shared, stickwatch then reports it.
func (d *draft) assumeShared(s *candidate) {
	if s.keepsClients() || slices.ContainsFunc(d.Session, func(k keyValue) bool { return k.Key == "path" && k.Value == `""` }) {
		return
	}
	d.Session = append(d.Session, keyValue{"policy", string(probes.PolicyShared)})
	d.guess("session", "the balancer keeps nobody on a node, so each has to know every session")
}

// unknown configures the session test of an unknown application: a page, and the
// session as the balancer reads it.
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

// nodeSources returns the extractor of the node that the balancer's file suggests; "":
// none.
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

// idSource returns the extractor of the session id; "": none.
func (s *candidate) idSource() string {
	switch own := s.sessionCookie(); {
	case s.prefixed: // HAProxy prefixes the application's id with the node
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
