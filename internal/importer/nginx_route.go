package importer

import (
	"cmp"
	"regexp"
	"strings"

	"stickwatch/internal/phrase"
)

// locate adds the route of a scope whose proxy_pass has a URI; "$": an unknown one.
func (s nginxScope) locate(site *site, uri string) {
	upstream := site.upstream
	switch way := s.path; {
	case !s.only.IsZero():
		upstream.onlyIf(way.position, phrase.New("only requests for which %s holds", phrase.New(`"%s"`, s.only)))
	case strings.Contains(uri, "$"):
		upstream.onlyIf(way.position, phrase.New("proxy_pass replaces every path"))
	case s.pattern.text != "":
		if way, ok := s.pattern.route(way.position); ok && uri == "" && s.rewrites == nil {
			site.addRoute(s.checked(way))
		} else {
			upstream.onlyIf(way.position, phrase.New("only paths that match %s", s.pattern.text))
		}
	case !strings.HasPrefix(way.path, "/"): // @name
		upstream.onlyIf(way.position, phrase.New("only requests that another location passes to %s", cmp.Or(way.path, "@")))
	default:
		way.to = way.path
		if uri != "" {
			way.to = uri
		}
		if way, ok := s.rewritten(way); ok {
			way = s.checked(way)
			site.addRoute(way)
			if !way.taken.IsZero() && way.to == way.path {
				s.redirected(site, way)
			}
		} else {
			upstream.onlyIf(way.position, phrase.New("a rewrite changes the path below %s", way.path))
		}
	}
}

// rewritten applies the rewrites of a location to its route. It returns false if they
// do not map all paths below it alike.
func (s nginxScope) rewritten(way route) (route, bool) {
	for _, d := range s.rewrites {
		if flag := d.arg(2); flag != "break" || strings.HasPrefix(d.arg(1), "http") {
			return way, false
		}
		p := newPattern(d.arg(0), false)
		if !p.matches(way.path) && !p.matches(way.path+pathBelow) {
			continue
		}
		if !p.matches(way.path) || strings.Contains(numbered.ReplaceAllString(d.arg(1), ""), "$") {
			return way, false
		}
		to := p.replace(way.path, d.arg(1))
		if !way.exact && (!p.matches(way.path+pathBelow) || p.replace(way.path+pathBelow, d.arg(1)) != to+pathBelow) {
			return way, false
		}
		way.to = to
		return way, true // break: the rewrites after it do not apply
	}
	return way, true
}

// checked marks a route whose own path another location takes.
func (s nginxScope) checked(way route) route {
	if taken := nginxLocation(s.server.block, way.path); taken.position != (position{}) && taken.position != s.location {
		way.taken = phrase.New("the location at %s takes it", taken.position)
	}
	return way
}

// redirected adds the page to which the path of a route is redirected, if the route
// leads that page to the upstream.
func (s nginxScope) redirected(site *site, way route) {
	taken := nginxLocation(s.server.block, way.path)
	ends, ok := last(taken.block, "return")
	if !ok || len(ends.args) != 2 || !strings.HasPrefix(ends.arg(1), way.path) {
		return
	}
	page := s.checked(route{position: way.position, path: ends.arg(1), to: ends.arg(1), exact: true})
	if page.taken.IsZero() {
		site.addRoute(page)
	}
}

// nginxLocation returns the location that nginx chooses for a path: an exact one, else
// the first regular expression that matches, else the longest prefix. Zero: none.
func nginxLocation(block []directive, path string) directive {
	var longest, found directive
	length, final := -1, false
	for d := range among(block, "location") {
		prefix := d.arg(0)
		switch d.arg(0) {
		case "=":
			if d.arg(1) == path {
				return d
			}
			continue
		case "~", "~*":
			continue
		case "^~":
			prefix = d.arg(1)
		}
		if strings.HasPrefix(path, prefix) && len(prefix) > length {
			longest, length, final = d, len(prefix), d.arg(0) == "^~"
		}
	}
	if length >= 0 {
		if inner := nginxLocation(longest.block, path); inner.position != (position{}) {
			return inner
		}
	}
	if final {
		return longest
	}
	for d := range among(block, "location") {
		if (d.arg(0) == "~" || d.arg(0) == "~*") && newPattern(d.arg(1), d.arg(0) == "~*").matches(path) && found.name == "" {
			found = d
		}
	}
	if found.name != "" {
		return found
	}
	return longest
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

// resolvedName reports whether a proxy_pass names its server by a variable, whose value is
// no address.
func (s nginxScope) resolvedName(address, name string) bool {
	_, rest, _ := strings.Cut(address, "://")
	host, _ := splitAddress(name)
	return strings.HasPrefix(cmp.Or(rest, address), "$") && !isIP(host) && host != "localhost"
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
