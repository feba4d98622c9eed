package importer

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"stickwatch/probes"
)

// An answer is what one node said.
type answer struct {
	node    string
	failure string        // why nothing can be learnt from it; "": something can
	profile string        // as whose application it answered; "": as none that is known
	why     string        // what it told
	status  bool          // it has a /status in JSON
	cookie  sessionCookie // of a session that a page opened
}

// A sessionCookie is a cookie by which an application knows a session.
type sessionCookie struct {
	name   string // "": none is known
	routed bool   // its value has a dot, behind which the node stands
}

// recognisableProfiles is the profiles that nodes can be recognised by, the most particular
// first: an application may look like a later one, too. None but those made for
// stickwatch has the page of generic.
var recognisableProfiles = []string{"generic", "ebridge", "strategy-collaboration", "tomcat", "tomcat-msm"}

// recognise is what in a node's answers makes it an application of that profile;
// "" when nothing does. The observation is of a node that was asked as one.
func recognise(profile string, obs probes.NodeObservation) string {
	var page probes.Exchange
	if obs.Session != nil {
		page = *obs.Session
	}
	told := page.Status == http.StatusOK && page.Failure == ""
	switch profile {
	case "strategy-collaboration":
		if obs.Status != nil && told && obs.Label != "" {
			return page.Path + " tells the main process"
		}
	case "tomcat":
		if told && page.Session != "" {
			return page.Path + " sets JSESSIONID"
		}
	case "tomcat-msm":
		if told && page.Store != "" {
			return page.Path + " sets a JSESSIONID that names its memcached"
		}
	case "ebridge", "generic":
		if told && page.Label != "" {
			return page.Path + " names its node"
		}
	}
	return ""
}

// application is what the nodes are taken for.
type application struct {
	profile string
	why     string
	guessed bool
}

// application decides by what was asked for, by the answers, by the file, in
// this order.
func (s *candidate) application() application {
	app, ok := s.recognised()
	switch {
	case s.profile != "" && ok && app.profile != s.profile:
		return application{s.profile, "as asked for, although the nodes look like " + app.profile + ": " + app.why, true}
	case s.profile != "":
		return application{profile: s.profile}
	case ok:
		return app
	}
	asked := "nobody was asked what runs there"
	switch {
	case s.answered():
		asked = "no answer of the nodes tells what runs there"
	case s.answers != nil:
		asked = "no node answers to tell what runs there"
	}
	if s.hint.profile == "" || s.answered() && slices.Contains(recognisableProfiles, s.hint.profile) { // it would have told
		return application{"", asked + ": write its profile, or how a session can be read", true}
	}
	return application{s.hint.profile, asked + ", but " + s.hint.why, true}
}

// recognised is what the first node answered as that answered as anything.
func (s *candidate) recognised() (application, bool) {
	i := slices.IndexFunc(s.answers, func(a answer) bool { return a.profile != "" })
	if i < 0 {
		return application{}, false
	}
	first := s.answers[i]
	var alike []string
	for _, a := range s.answers {
		if a.profile == first.profile {
			alike = append(alike, a.node)
		}
	}
	if len(alike) == len(s.nodes) {
		return application{profile: first.profile, why: "asked directly, every node answers so: " + first.why}, true
	}
	why := fmt.Sprintf("asked directly, %s of %d nodes answer so: %s", strings.Join(alike, ", "), len(s.nodes), first.why)
	return application{first.profile, why, true}, true
}

// answered reports whether anything could be learnt from any node.
func (s *candidate) answered() bool {
	return slices.ContainsFunc(s.answers, func(a answer) bool { return a.failure == "" })
}

// hasStatus reports whether a node has a /status in JSON.
func (s *candidate) hasStatus() bool {
	return slices.ContainsFunc(s.answers, func(a answer) bool { return a.status })
}

// sessionCookie is what the first node set that set any.
func (s *candidate) sessionCookie() sessionCookie {
	for _, a := range s.answers {
		if a.cookie.name != "" {
			return a.cookie
		}
	}
	return sessionCookie{}
}
