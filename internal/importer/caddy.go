package importer

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"stickwatch/internal/phrase"
)

// A caddyReader extracts the reverse proxies of a Caddyfile and the sites that use
// them.
type caddyReader struct {
	parsedConfig
	plain bool // auto_https off: a name without a scheme means http
	admin string
}

// readCaddy parses a Caddyfile.
func readCaddy(src source, file string) (*parsedConfig, error) {
	tree, notes, err := loadCaddy(src, file)
	if err != nil {
		return nil, err
	}
	r := &caddyReader{parsedConfig: parsedConfig{noteList: notes}}
	for options := range among(tree, "") {
		r.options(options.block)
	}
	for _, site := range caddySites(tree) {
		r.recordDirectives(site.block)
		s := caddyScope{site: site, frontends: r.frontends(site), path: "/", to: "/"}
		if err := r.follow(site.block, s); err != nil {
			return nil, err
		}
	}
	return &r.parsedConfig, nil
}

// options reads the global options.
func (r *caddyReader) options(block []directive) {
	for _, d := range block {
		switch d.name {
		case "auto_https":
			r.plain = d.arg(0) == "off"
		case "admin":
			r.admin = d.arg(0)
		}
	}
}

// caddySites returns the sites of a file. A file without braces is a single site: its
// first line contains the addresses, the other lines its directives.
func caddySites(tree []directive) []directive {
	var sites []directive
	for i, d := range tree {
		switch {
		case d.name == "", strings.HasPrefix(d.name, "("), strings.HasPrefix(d.name, "&("), d.name == "import":
		case d.block == nil:
			d.block = tree[i+1:]
			return append(sites, d)
		default:
			sites = append(sites, d)
		}
	}
	return sites
}

// frontends returns the addresses of a site.
func (r *caddyReader) frontends(site directive) []frontend {
	host := ""
	if bind, ok := last(site.block, "bind"); ok {
		host, _ = splitAddress(bind.arg(0))
	}
	_, secure := last(site.block, "tls")
	var all []frontend
	name := ""
	for _, text := range append([]string{site.name}, site.args...) {
		scheme, rest, ok := strings.Cut(text, "://")
		if !ok {
			scheme, rest = "", text
		}
		rest, _ = splitPath(rest)
		own, port := splitAddress(rest)
		if scheme == "" {
			scheme = r.scheme(own, port, secure)
		}
		public, guess := caddyName(own)
		name = cmp.Or(name, public)
		if public == "" && own != "" {
			host = own
		}
		if front, ok := newFrontend(site.position, scheme, host, port, public); ok {
			front.guess = cmp.Or(front.guess, guess)
			all = append(all, front)
		}
	}
	return userFrontends(all, name != "", redirectsAll(site.block))
}

// redirectsAll reports whether a site redirects every request to https.
func redirectsAll(block []directive) bool {
	for d := range among(block, "redir") {
		if args := d.args; len(args) > 0 && (args[0] == "*" || !isMatcher(args[0])) && strings.Contains(strings.Join(args, " "), "https://") {
			return true
		}
	}
	return false
}

// scheme returns the scheme of an address without one: https where Caddy can get a
// certificate for the name, unless the port is for plain HTTP.
func (r *caddyReader) scheme(host, port string, secure bool) string {
	if port != "80" && (secure || port == "443" || host != "" && !r.plain) {
		return "https"
	}
	return "http"
}

// caddyName returns the name that a site's requests must have; "": any.
func caddyName(host string) (name string, guess phrase.Phrase) {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return host, phrase.Phrase{}
	}
	return someName([]string{host})
}

// A caddyScope is the context of a directive in a site.
type caddyScope struct {
	site      directive
	frontends []frontend
	path, to  string // path of requests that reach it, and the path passed to the servers
	exact     bool
	only      phrase.Phrase // condition that no plain GET fulfils, or why the path is not known; zero: none
	guess     phrase.Phrase // why the path may not exist
	password  position      // of basic_auth; zero: none
	login     position      // of forward_auth; zero: none
}

// follow searches a block for reverse proxies.
func (r *caddyReader) follow(block []directive, scope caddyScope) error {
	matchers := caddyMatchers(block)
	for _, line := range block {
		switch line.name {
		case "handle", "route", "handle_path":
			inner := scope.match(matchers, line.arg(0))
			if line.name == "handle_path" {
				inner.to = "/"
			}
			if err := r.follow(line.block, inner); err != nil {
				return err
			}
		case "redir":
			r.redirectTo(line.position, line.args)
		case "reverse_proxy":
			if err := r.proxy(line, scope, matchers); err != nil {
				return err
			}
		case "basic_auth", "basicauth":
			if first := line.arg(0); !isMatcher(first) || first == "*" {
				scope.password = line.position
			}
		case "forward_auth":
			if first := line.arg(0); !isMatcher(first) || first == "*" {
				scope.login = line.position
			}
		case "uri", "rewrite":
			scope = r.rewritten(line, scope)
		case "php_fastcgi":
			r.recordUnprobeable(line.position, phrase.New("%s, which speaks FastCGI", line.text()), httpOnlyNodes)
		case "proxy":
			r.recordUnusable(line.position, phrase.New("%s, which is Caddy 1", line.text()), phrase.New("Caddy 2 writes reverse_proxy: convert the file"))
		}
	}
	return nil
}

// rewritten returns the scope after a directive that changes the path.
func (r *caddyReader) rewritten(d directive, s caddyScope) caddyScope {
	args := d.args
	if isMatcher(d.arg(0)) && len(args) > 1 {
		args = args[1:]
	}
	prefix := strings.TrimSuffix(s.path, "/")
	switch {
	case d.name == "uri" && len(args) == 2 && args[0] == "strip_prefix" && strings.TrimSuffix(args[1], "/") == prefix:
		s.to = "/"
	case d.name == "rewrite" && len(args) > 0 && strings.HasSuffix(args[len(args)-1], "{uri}") && isValidPath(strings.TrimSuffix(args[len(args)-1], "{uri}")):
		s.to = strings.TrimSuffix(args[len(args)-1], "{uri}") + s.to
	default:
		s.only = phrase.New("%s changes the path at %s", d.name, d.position)
	}
	return s
}

// caddyMatchers returns the conditions of named matchers: in one line, or in a block.
func caddyMatchers(block []directive) map[string][]directive {
	out := map[string][]directive{}
	for _, d := range block {
		if !strings.HasPrefix(d.name, "@") {
			continue
		}
		out[d.name] = d.block
		if len(d.args) > 0 {
			out[d.name] = append(out[d.name], directive{position: d.position, name: d.args[0], args: d.args[1:]})
		}
	}
	return out
}

// isMatcher reports whether a directive's first argument is a matcher.
func isMatcher(word string) bool {
	return word == "*" || strings.HasPrefix(word, "/") || strings.HasPrefix(word, "@")
}

// match returns the scope of the requests that a matcher selects.
func (s caddyScope) match(matchers map[string][]directive, matcher string) caddyScope {
	switch {
	case !isMatcher(matcher) || matcher == "*":
		return s
	case !strings.HasPrefix(matcher, "@"):
		return s.below([]string{matcher})
	}
	for _, line := range matchers[matcher] {
		switch line.name {
		case "path":
			s = s.below(line.args)
		case "path_regexp":
			p := newPattern(line.arg(len(line.args)-1), false)
			if path := p.sample(); path != "" {
				s.path, s.to, s.exact = path, path, true
				s.guess = phrase.New("one of the paths that match %s: write a page that exists", p.text)
			} else {
				s.only = phrase.New("only paths that match %s", p.text)
			}
		case "method":
			if !slices.Contains(line.args, "GET") {
				s.only = phrase.New("only requests of the matcher %s (%s)", matcher, line.text())
			}
		case "host", "protocol", "not", "remote_ip", "client_ip":
			// the site's own addresses, and a GET from anywhere, may fulfil them
		default:
			s.only = phrase.New("only requests of the matcher %s (%s)", matcher, line.text())
		}
	}
	return s
}

// below narrows the scope to the first of the paths that is a prefix or a single path.
// A nested matcher narrows the outer one, so the longer path is used.
func (s caddyScope) below(paths []string) caddyScope {
	for _, path := range paths {
		path, below := strings.CutSuffix(path, "*")
		if strings.HasPrefix(path, "*") || strings.ContainsAny(path, "*{") || !strings.HasPrefix(path, "/") {
			continue
		}
		if len(path) >= len(s.path) {
			s.path, s.to, s.exact = path, path, !below
		}
		return s
	}
	s.only = phrase.New("only paths that match %s", strings.Join(paths, " "))
	return s
}

// uniqueName returns a name, from a site and a path, that no other upstream has.
func (r *caddyReader) uniqueName(s caddyScope) string {
	address := s.site.name
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = rest
	}
	address, _ = splitPath(address)
	host, port := splitAddress(address)
	host = strings.Trim(host, "{$}")
	base := cmp.Or(host, "port-"+cmp.Or(port, "80"))
	if path := strings.Trim(s.path, "/"); path != "" {
		base += "/" + path
	}
	name := base
	for n := 2; r.named(name) != nil; n++ {
		name = base + "-" + strconv.Itoa(n)
	}
	return name
}

// same returns an existing upstream that equals u, because many sites may use the same
// servers.
func (r *caddyReader) same(u *upstream) *upstream {
	for _, known := range r.upstreams {
		alike := func(a, b server) bool { return a.address == b.address && a.scheme == b.scheme }
		if known.method == u.method && slices.EqualFunc(known.servers, u.servers, alike) && reflect.DeepEqual(known.discovery, u.discovery) {
			return known
		}
	}
	return nil
}
