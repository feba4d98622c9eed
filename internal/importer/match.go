package importer

import (
	"regexp"
	"slices"
	"strings"

	"stickwatch/internal/phrase"
)

// A match is one way to fulfil the rule of a router, as far as a plain GET can: a host, a
// path, or a condition that no such request fulfils.
type match struct {
	host  string        // "": any
	path  string        // "/": any
	exact bool          // only the path itself
	only  phrase.Phrase // condition that no plain GET fulfils; zero: none
	guess phrase.Phrase // why the path may not exist
}

// newMatch matches every request.
func newMatch() match { return match{path: "/"} }

// and returns the requests that fulfil both.
func (m match) and(other match) match {
	if m.host == "" {
		m.host = other.host
	}
	if len(other.path) > len(m.path) || other.exact {
		m.path, m.exact, m.guess = other.path, other.exact, other.guess
	}
	if m.only.IsZero() {
		m.only = other.only
	}
	return m
}

// withPattern narrows m to the paths that a pattern matches.
func (m match) withPattern(p pattern) match {
	way, ok := p.route(position{})
	if !ok {
		m.only = phrase.New("only paths that match %s", p.text)
	}
	m.path, m.exact, m.guess = way.path, way.exact, way.guess
	return m
}

// route returns the route of a match whose path the nodes get unchanged.
func (m match) route(at position) route {
	return route{position: at, path: m.path, to: m.path, exact: m.exact, guess: m.guess}
}

// addMatches adds the ways of matches to u, at the addresses that frontends returns for a host.
func (u *upstream) addMatches(at position, matches []match, frontends func(host string) []frontend, change func(route) (route, bool)) {
	for i, m := range matches {
		site := u.site(at, frontends(m.host))
		if i > 0 && m.host != matches[0].host && m.host != "" {
			u.addComment("balancer.url", phrase.New("another host for users is %s (%s)", m.host, at))
			continue
		}
		way, ok := change(m.route(at))
		switch {
		case !m.only.IsZero():
			u.onlyIf(at, m.only)
		case !ok:
			u.onlyIf(at, phrase.New("the path is changed on the way"))
		default:
			site.addRoute(way)
		}
	}
}

// A share is an upstream to which a route leads, always or for a share of the requests.
type share struct {
	*upstream
	only phrase.Phrase // zero: always
}

// A ruleParser parses the rules of Traefik: NAME(`ARGUMENT`, ...) with &&, ||, ! and
// parentheses.
type ruleParser struct {
	rest  string
	depth int
}

// parseRule returns the ways to fulfil a rule; ok is false where it is not understood.
func parseRule(rule string) (matches []match, ok bool) {
	p := &ruleParser{rest: rule}
	matches, ok = p.alternatives()
	p.skip()
	return matches, ok && p.rest == ""
}

// maxMatches limits the ways to fulfil a rule.
const maxMatches = 50

func (p *ruleParser) skip() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *ruleParser) cut(prefix string) bool {
	p.skip()
	rest, ok := strings.CutPrefix(p.rest, prefix)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *ruleParser) alternatives() ([]match, bool) {
	out, ok := p.all()
	for ok && p.cut("||") {
		var more []match
		more, ok = p.all()
		out = append(out, more...)
	}
	return out[:min(len(out), maxMatches)], ok
}

func (p *ruleParser) all() ([]match, bool) {
	out, ok := p.term()
	for ok && p.cut("&&") {
		var more []match
		if more, ok = p.term(); !ok {
			break
		}
		var both []match
		for _, a := range out {
			for _, b := range more {
				both = append(both, a.and(b))
			}
		}
		out = both[:min(len(both), maxMatches)]
	}
	return out, ok
}

func (p *ruleParser) term() ([]match, bool) {
	if p.depth++; p.depth > maxDepth {
		return nil, false
	}
	defer func() { p.depth-- }()
	switch {
	case p.cut("!"):
		_, ok := p.term()
		return []match{newMatch()}, ok // a plain GET is assumed not to fulfil what is negated
	case p.cut("("):
		out, ok := p.alternatives()
		return out, ok && p.cut(")")
	}
	return p.call()
}

// call parses NAME(`ARGUMENT`, ...).
func (p *ruleParser) call() ([]match, bool) {
	p.skip()
	name, rest, ok := strings.Cut(p.rest, "(")
	if !ok {
		return nil, false
	}
	p.rest = rest
	var args []string
	for !p.cut(")") {
		p.cut(",")
		p.skip()
		if p.rest == "" || !strings.ContainsAny(p.rest[:1], "`\"'") {
			return nil, false
		}
		arg, rest, ok := strings.Cut(p.rest[1:], p.rest[:1])
		if !ok {
			return nil, false
		}
		args, p.rest = append(args, arg), rest
	}
	name = strings.TrimSpace(name)
	var out []match
	for _, arg := range args {
		out = append(out, ruleMatch(name, arg, args))
	}
	return out[:min(len(out), maxMatches)], len(out) > 0
}

// ruleMatch returns the requests that a matcher of a rule selects by one argument.
func ruleMatch(name, arg string, args []string) match {
	m := newMatch()
	switch name {
	case "Host", "HostSNI", "HostHeader":
		if m.host = strings.ToLower(arg); !public(m.host) && m.host != "localhost" && !strings.HasSuffix(m.host, ".localhost") {
			m.host = ""
		}
	case "Path":
		m.path, m.exact = arg, true
	case "PathPrefix":
		m.path = arg
	case "PathRegexp":
		return m.withPattern(newPattern(arg, false))
	case "Method":
		if !slices.Contains(args, "GET") {
			m.only = phrase.New("only requests with the method %s", strings.Join(args, ", "))
		}
	case "HostRegexp", "ClientIP":
		// some host or client fulfils it
	default:
		m.only = phrase.New("only requests that fulfil %s(%s)", name, strings.Join(args, ", "))
	}
	if strings.Contains(m.path, "{") { // a pattern of version 2
		return newMatch().withPattern(newPattern("^"+bracePattern.ReplaceAllString(m.path, "(?:$1)"), false))
	}
	return m
}

// bracePattern matches /{name:pattern} of Traefik 2.
var bracePattern = regexp.MustCompile(`\{[^{}:]+:([^{}]*)\}`)
