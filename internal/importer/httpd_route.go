package importer

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"stickwatch/internal/phrase"
)

// An httpdRoute is a route with its balancer.
type httpdRoute struct {
	route
	to   *upstream
	only phrase.Phrase // condition that no plain GET fulfils; zero: none
}

// routes returns the routes of a block: ProxyPass with a path, in a <Location> without
// one, and RewriteRule with [P].
func (r *httpdReader) routes(block []directive, location string, only phrase.Phrase) []httpdRoute {
	var out []httpdRoute
	var conditions []directive // of the next RewriteRule
	for _, line := range block {
		switch line.name {
		case "location":
			if path := line.arg(0); path != "~" {
				out = append(out, r.routes(line.block, path, only)...)
			} else {
				out = append(out, r.routes(line.block, "", cmp.Or(only, phrase.New("only paths that match %s", line.arg(1))))...)
			}
		case "locationmatch", "if", "elseif", "else":
			out = append(out, r.routes(line.block, "", cmp.Or(only, phrase.Quote(line.text())))...)
		case "proxypass", "proxypassmatch":
			out = append(out, r.proxyPass(line, location, only)...)
		case "rewritecond":
			conditions = append(conditions, line)
		case "rewriterule":
			out = append(out, r.rewrite(line, conditions, only)...)
			conditions = nil
		}
	}
	return out
}

// rewrite returns the route of a RewriteRule with [P].
func (r *httpdReader) rewrite(line directive, conditions []directive, only phrase.Phrase) []httpdRoute {
	flags := strings.Split(strings.ToUpper(strings.Trim(line.arg(2), "[]")), ",")
	if !slices.Contains(flags, "P") && !slices.Contains(flags, "PROXY") {
		return nil
	}
	if !isBalancer(line.arg(1)) {
		r.recordUnusable(line.position, phrase.Quote(line.text()), oneServer)
		return nil
	}
	u, to := r.target(line, line.arg(1))
	if u == nil {
		return nil
	}
	for _, c := range conditions {
		if !plainGET(c) {
			only = cmp.Or(only, phrase.Quote(c.text()))
		}
	}
	return []httpdRoute{patternRoute(line.position, newPattern(line.arg(0), slices.Contains(flags, "NC")), u, cmp.Or(to, "/"), only)}
}

// plainGET reports whether a GET without special headers may fulfil a RewriteCond.
func plainGET(c directive) bool {
	test, value := c.arg(0), strings.ToLower(c.arg(1))
	switch {
	case strings.HasPrefix(value, "!"):
		return true
	case strings.Contains(test, "%{REQUEST_METHOD}"):
		return newPattern(c.arg(1), true).matches("GET")
	case strings.Contains(test, "%{HTTP:"), strings.Contains(test, "%{HTTP_COOKIE}"), strings.Contains(test, "%{HTTP_USER_AGENT}"),
		strings.Contains(test, "%{QUERY_STRING}"), strings.Contains(test, "%{REMOTE_"):
		return newPattern(c.arg(1), true).matches("") // they are empty
	}
	return true
}

// patternRoute returns the route of the paths that a pattern matches.
func patternRoute(at position, p pattern, u *upstream, to string, only phrase.Phrase) httpdRoute {
	way, ok := p.mapped(at, to)
	if !ok {
		only = cmp.Or(only, phrase.New("only paths that match %s", p.text))
	}
	way.position = at
	return httpdRoute{way, u, only}
}

// proxyPass returns the routes of a ProxyPass: its path, which it has outside of a
// location only, its target and parameters of the balancer.
func (r *httpdReader) proxyPass(line directive, location string, only phrase.Phrase) []httpdRoute {
	args, path := line.args, location
	if len(args) > 0 && !isBalancer(args[0]) {
		path, args = args[0], args[1:]
	}
	if len(args) == 0 || !isBalancer(args[0]) {
		return nil // "!", or a single server, which is no cluster
	}
	u, to := r.target(line, args[0])
	if u == nil {
		return nil
	}
	u.proxySet(line.position, args[1:])
	if line.name == "proxypassmatch" {
		return []httpdRoute{patternRoute(line.position, newPattern(path, false), u, cmp.Or(to, "$0"), only)}
	}
	if to == "" {
		to = "/"
		path = strings.TrimSuffix(path, "/") + "/"
	}
	return []httpdRoute{{route{position: line.position, path: path, to: to}, u, only}}
}

// target returns the balancer of balancer://NAME/PATH, and the path, which may begin
// with a reference to a group; nil if the file does not have the balancer.
func (r *httpdReader) target(d directive, address string) (u *upstream, path string) {
	name := address[len(balancerScheme):]
	if i := strings.IndexAny(name, "/$%"); i >= 0 {
		name, path = name[:i], name[i:]
	}
	if u = r.named(name); u == nil {
		r.note("%s: there is no <Proxy %s%s> with its members", d.position, balancerScheme, name)
	}
	return u, path
}

// everyPath matches patterns of RewriteRule that match every path.
var everyPath = regexp.MustCompile(`^\^?/?\(?(\.\*)?\)?\$?$`)

// redirectsToHTTPS reports whether a host redirects every plain request to https by
// RewriteRule, which takes precedence over ProxyPass.
func redirectsToHTTPS(block []directive) bool {
	conditional := false
	for _, d := range block {
		switch d.name {
		case "rewritecond":
			plain := strings.Contains(d.arg(0), "%{HTTPS}") || strings.Contains(d.arg(0), "%{SERVER_PORT}") || strings.Contains(d.arg(0), "%{HTTP_HOST}")
			conditional = conditional || !plain
		case "rewriterule":
			redirect := strings.HasPrefix(d.arg(1), "https://") && strings.Contains(d.arg(2), "R")
			if redirect && everyPath.MatchString(d.arg(0)) && !conditional {
				return true
			}
			conditional = false
		}
	}
	return false
}
