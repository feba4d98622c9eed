package importer

import (
	"regexp"
	"strings"
)

// locations follows a block's locations to the upstreams.
func (r *nginxReader) locations(block []directive, s nginxScope) {
	for _, d := range block {
		switch d.name {
		case "location":
			r.locations(d.block, s.location(d))
		case "if", "limit_except":
			r.locations(d.block, s.within(d.block))
		case "proxy_pass":
			r.pass(d, s)
		case "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass":
			if u := r.named(strings.TrimPrefix(strings.TrimPrefix(d.arg(0), "grpc://"), "grpcs://")); u != nil {
				u.guess("nodes", d.position.String()+": "+d.name+": the nodes do not speak plain HTTP there: write the addresses at which they do")
				r.describe(u, s)
			}
		}
	}
}

// location returns the scope of a location block.
func (s nginxScope) location(d directive) nginxScope {
	s.rewritten = false
	s = s.within(d.block)
	s.path, s.regex = route{position: d.position, path: d.arg(0)}, false
	switch d.arg(0) {
	case "=":
		s.path.path, s.path.exact = d.arg(1), true
	case "^~":
		s.path.path = d.arg(1)
	case "~", "~*":
		s.regex = true
	}
	if !strings.HasPrefix(s.path.path, "/") { // @name
		s.regex = true
	}
	return s
}

// pass follows a proxy_pass.
func (r *nginxReader) pass(d directive, s nginxScope) {
	scheme, name, uri := s.target(d.arg(0))
	u := r.named(name)
	switch {
	case u == nil && strings.Contains(d.arg(0), "$"):
		r.note("%s: proxy_pass %s: a variable, whose upstream cannot be told", d.position, d.arg(0))
		return
	case u == nil:
		return // a single server is no cluster
	}
	if scheme == "https" {
		u.secure()
	}
	r.describe(u, s)
	switch {
	case s.rewritten:
		r.note("%s: a rewrite changes the path: the way of %s to %s is not followed", d.position, s.path.path, u.name)
	case s.regex || s.path.path == "" || strings.Contains(uri, "$"):
	default:
		s.path.to = s.path.path
		if uri != "" {
			s.path.to = uri
		}
		u.addRoute(s.path)
	}
}

// target splits SCHEME://NAME/URI. The URI is "" where the request's own is used, and
// contains "$" where it is unknown.
func (s nginxScope) target(address string) (scheme, name, uri string) {
	scheme, rest, _ := strings.Cut(s.resolve(address), "://")
	name = s.resolve(rest)
	if i := strings.IndexAny(name, "/$"); i >= 0 {
		name, uri = name[:i], name[i:]
	}
	if uri != "" && strings.HasPrefix(rest, "$") { // nginx then replaces the whole path
		uri = "$"
	}
	return scheme, name, strings.TrimPrefix(uri, "$request_uri")
}

// resolve replaces a leading variable of text by the value of a "set".
func (s nginxScope) resolve(text string) string {
	variable := leadingVariable.FindString(text)
	if value, ok := s.set[variable]; ok {
		return value + text[len(variable):]
	}
	return text
}

var leadingVariable = regexp.MustCompile(`^\$[a-z0-9_]+`)
