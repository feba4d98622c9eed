package survey

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
	failure string            // why it cannot be asked at all; "": it can
	fits    map[string]string // what it told, by the profile that asks for that
	status  bool              // it has a /status in JSON
	cookie  sessionCookie     // of a session that a page opened
}

// A sessionCookie is a cookie by which an application knows a session.
type sessionCookie struct {
	name   string // "": none is known
	routed bool   // its value has a dot, behind which the node stands
}

// telling is the profiles that nodes can be recognised by, the most particular
// first: an application may look like a later one, too.
var telling = []string{"ebridge", "strategy-collaboration", "tomcat", "tomcat-msm", "generic"}

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
func (s *subject) application() application {
	if s.profile != "" {
		return application{profile: s.profile}
	}
	for _, profile := range telling {
		if fit := s.fitting(profile); len(fit) > 0 {
			return s.recognised(profile, fit)
		}
	}
	asked := "nobody was asked what runs there"
	answered := slices.ContainsFunc(s.answers, func(a answer) bool { return a.failure == "" })
	switch {
	case answered:
		asked = "no answer of the nodes tells what runs there"
	case s.answers != nil:
		asked = "no node answers to tell what runs there"
	}
	if s.hint.profile == "" || answered && slices.Contains(telling, s.hint.profile) { // it would have told
		return application{"", asked + ": write its profile, or how a session can be read", true}
	}
	return application{s.hint.profile, asked + ", but " + s.hint.why, true}
}

// fitting are the nodes that answered as one of a profile.
func (s *subject) fitting(profile string) []string {
	var fit []string
	for _, a := range s.answers {
		if a.fits[profile] != "" {
			fit = append(fit, a.node)
		}
	}
	return fit
}

func (s *subject) recognised(profile string, fit []string) application {
	i := slices.IndexFunc(s.answers, func(a answer) bool { return a.node == fit[0] })
	why := s.answers[i].fits[profile]
	if len(fit) == len(s.nodes) {
		return application{profile: profile, why: "asked directly, every node answers so: " + why}
	}
	return application{profile, fmt.Sprintf("asked directly, %s of %d nodes answer so: %s", strings.Join(fit, ", "), len(s.nodes), why), true}
}

// hasStatus reports whether a node has a /status in JSON.
func (s *subject) hasStatus() bool {
	return slices.ContainsFunc(s.answers, func(a answer) bool { return a.status })
}

// sessionCookie is what the first node set that set any.
func (s *subject) sessionCookie() sessionCookie {
	for _, a := range s.answers {
		if a.cookie.name != "" {
			return a.cookie
		}
	}
	return sessionCookie{}
}
