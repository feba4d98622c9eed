package importer

import (
	"slices"
	"strings"
	"time"
)

// A hint is a guess of the application from the balancer's file.
type hint struct {
	profile string // "": none
	why     string
}

// hint recognises configurations from the guides of the applications. all are the
// upstreams of the file.
func (u *upstream) hint(all []*upstream) hint {
	name := strings.ToLower(u.name)
	switch {
	case u.hasRoute("/socket.io") && (u.hasRoute("/status") || strings.Contains(name, "collab")):
		return hint{"strategy-collaboration", "it has the paths /socket.io/ and /status"}
	case strings.Contains(name, "ebridge") || strings.Contains(name, "e-bridge"):
		return hint{"ebridge", "the " + u.kind + " is called so"}
	case u.routeCookie == "JSESSIONID" || u.cookie == "JSESSIONID":
		return hint{"tomcat", "the balancer goes by the cookie JSESSIONID"}
	case slices.ContainsFunc(u.servers, func(s server) bool { return s.scheme == "ajp" }):
		return hint{"tomcat", "the balancer speaks AJP"}
	case slices.ContainsFunc(all, func(u *upstream) bool { return u.hasRoute("/UserService") }):
		return hint{"huozige", "the path /UserService leads to a server of its own"}
	case u.ejection.explicit && u.ejection.maxFails == 30 && u.ejection.failTimeout == 20*time.Second:
		return hint{"huozige", "max_fails=30 fail_timeout=20s are from its guide"}
	case strings.Contains(name, "tomcat"):
		return hint{"tomcat", "the " + u.kind + " is called so; with memcached-session-manager write tomcat-msm"}
	}
	return hint{}
}

// hasRoute reports whether one of u's routes begins with path.
func (u *upstream) hasRoute(path string) bool {
	return slices.ContainsFunc(u.routes, func(r route) bool { return strings.HasPrefix(r.path, path) })
}
