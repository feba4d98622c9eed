package importer

import (
	"slices"
	"strings"
	"time"

	"stickwatch/internal/config"
	"stickwatch/internal/phrase"
)

// application is the assumed application of the nodes.
type application struct {
	profile string
	why     phrase.Phrase
	guessed bool
	page    string // that opens a session, where the profile's own page does not; "": the profile's
}

// application determines the application: from the options, else from the answers, else
// from the file.
func (c *candidate) application() application {
	app, ok := c.recognised()
	switch {
	case c.profile != "" && ok && app.profile != c.profile:
		return application{profile: c.profile, why: phrase.New("as requested, although the nodes look like %s: %s", app.profile, app.why), guessed: true}
	case c.profile != "":
		return application{profile: c.profile}
	case ok:
		return app
	}
	asked := phrase.New("no requests were sent to identify the application")
	switch {
	case c.answered():
		asked = phrase.New("no answer of the nodes identifies the application")
	case c.answers != nil:
		asked = phrase.New("no node answered to identify the application")
	}
	if cookie := c.sessionCookie(); cookie.profile != "" {
		return application{profile: cookie.profile, why: phrase.New("%s sets %s", cookie.path, cookie.name), guessed: true, page: cookie.path}
	}
	if hinted, _ := config.ProfileNamed(c.hint.profile); c.hint.profile == "" || c.answered() && hinted.Proof != "" { // its answers would have shown it
		return application{why: phrase.New("%s: write its profile, or how a session can be read", asked), guessed: true}
	}
	return application{profile: c.hint.profile, why: phrase.New("%s, but %s", asked, c.hint.why), guessed: true}
}

// recognised returns the application of the first node that was recognised.
func (c *candidate) recognised() (application, bool) {
	i := slices.IndexFunc(c.answers, func(a answer) bool { return a.recognised().fits })
	if i < 0 {
		return application{}, false
	}
	first := c.answers[i].recognised()
	var alike []string
	for _, a := range c.answers {
		if a.recognised().profile == first.profile {
			alike = append(alike, a.node)
		}
	}
	all := len(c.nodes) + len(c.found)
	if len(alike) == all {
		return application{profile: first.profile, why: phrase.New("by direct requests to every node: %s", first.why)}, true
	}
	why := phrase.New("asked directly, %s of %d nodes answer so: %s", strings.Join(alike, ", "), all, first.why)
	return application{profile: first.profile, why: why, guessed: true}, true
}

// answered reports whether any node could be identified.
func (c *candidate) answered() bool {
	return slices.ContainsFunc(c.answers, func(a answer) bool { return a.failure.IsZero() })
}

// hasStatus reports whether a node has a /status in JSON.
func (c *candidate) hasStatus() bool {
	return slices.ContainsFunc(c.answers, func(a answer) bool { return a.status })
}

// sessionCookie returns the first session cookie that a node set.
func (c *candidate) sessionCookie() sessionCookie {
	for _, a := range c.answers {
		if a.cookie.name != "" {
			return a.cookie
		}
	}
	return sessionCookie{}
}

// A hint is a guess of the application from the balancer's file.
type hint struct {
	profile string // "": none
	why     phrase.Phrase
}

// hint recognises configurations from the guides of the applications. all are the
// upstreams of the file.
func (u *upstream) hint(all []*upstream) hint {
	name, called := strings.ToLower(u.name), phrase.New("the %s is called so", u.kind)
	switch {
	case u.hasRoute("/socket.io") && (u.hasRoute("/status") || strings.Contains(name, "collab")):
		return hint{"strategy-collaboration", phrase.New("it has the paths /socket.io/ and /status")}
	case strings.Contains(name, "ebridge") || strings.Contains(name, "e-bridge"):
		return hint{"ebridge", called}
	case u.routeCookie == "JSESSIONID" || u.cookie == "JSESSIONID":
		return hint{"tomcat", phrase.New("the balancer uses the cookie JSESSIONID")}
	case slices.ContainsFunc(u.servers, func(s server) bool { return s.scheme == "ajp" }):
		return hint{"tomcat", phrase.New("the balancer speaks AJP")}
	case slices.ContainsFunc(all, func(u *upstream) bool { return u.hasRoute("/UserService") }):
		return hint{"huozige", phrase.New("the path /UserService leads to a server of its own")}
	case u.ejection.explicit && u.ejection.maxFails == 30 && u.ejection.failTimeout == 20*time.Second:
		return hint{"huozige", phrase.New("max_fails=30 fail_timeout=20s are from its guide")}
	case strings.Contains(name, "tomcat"):
		return hint{"tomcat", phrase.New("%s; with memcached-session-manager write tomcat-msm", called)}
	}
	for _, profile := range []string{"keycloak", "jenkins"} { // those whose pages need no preparation
		if strings.Contains(name, profile) {
			return hint{profile, called}
		}
	}
	return hint{}
}

// hasRoute reports whether one of u's routes begins with path.
func (u *upstream) hasRoute(path string) bool {
	return slices.ContainsFunc(u.sites, func(s *site) bool {
		return slices.ContainsFunc(s.routes, func(r route) bool { return strings.HasPrefix(r.path, path) })
	})
}
