package importer

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
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
		public := caddyName(own)
		name = cmp.Or(name, public)
		if public == "" && own != "" {
			host = own
		}
		if e, ok := newFrontend(site.position, scheme, host, port, public); ok {
			all = append(all, e)
		}
	}
	return oneScheme(all, name)
}

// scheme returns the scheme of an address without one: https where Caddy can get a
// certificate for the name, unless the port is for plain HTTP.
func (r *caddyReader) scheme(host, port string, secure bool) string {
	if port != "80" && (secure || port == "443" || host != "" && !r.plain) {
		return "https"
	}
	return "http"
}

func caddyName(host string) string {
	if public(host) {
		return host
	}
	return ""
}

// A caddyScope is the context of a directive in a site.
type caddyScope struct {
	site        directive
	frontends   []frontend
	path, to    string // path of requests that reach it, and the path passed to the servers
	exact       bool
	pathUnknown bool // the requests cannot be identified by their paths
}

// follow searches a block for reverse proxies.
func (r *caddyReader) follow(block []directive, s caddyScope) error {
	matchers := caddyMatchers(block)
	for _, d := range block {
		switch d.name {
		case "handle", "route", "handle_path":
			inner := s.match(matchers, d.arg(0))
			if d.name == "handle_path" {
				inner.to = "/"
			}
			if err := r.follow(d.block, inner); err != nil {
				return err
			}
		case "reverse_proxy":
			if err := r.proxy(d, s, matchers); err != nil {
				return err
			}
		case "uri", "rewrite":
			s.pathUnknown = true
			r.note("%s: %s changes the path, so its routes are unknown", d.position, d.name)
		}
	}
	return nil
}

// caddyMatchers returns the paths of named matchers; none for a matcher on anything
// else.
func caddyMatchers(block []directive) map[string][]string {
	out := map[string][]string{}
	for _, d := range block {
		if !strings.HasPrefix(d.name, "@") {
			continue
		}
		out[d.name] = nil
		if d.arg(0) == "path" {
			out[d.name] = d.args[1:]
		}
		for path := range among(d.block, "path") {
			out[d.name] = append(out[d.name], path.args...)
		}
	}
	return out
}

// isMatcher reports whether a directive's first argument is a matcher.
func isMatcher(word string) bool {
	return word == "*" || strings.HasPrefix(word, "/") || strings.HasPrefix(word, "@")
}

// match returns the scope of the requests that a matcher selects. A nested matcher
// narrows the outer one, so the longer path is used.
func (s caddyScope) match(matchers map[string][]string, matcher string) caddyScope {
	if !isMatcher(matcher) || matcher == "*" {
		return s
	}
	if strings.HasPrefix(matcher, "@") {
		paths := matchers[matcher]
		if len(paths) != 1 {
			s.pathUnknown = true
			return s
		}
		matcher = paths[0]
	}
	path, below := strings.CutSuffix(matcher, "*")
	if strings.ContainsAny(path, "*{") || !strings.HasPrefix(path, "/") {
		s.pathUnknown = true
		return s
	}
	if len(path) >= len(s.path) {
		s.path, s.to, s.exact = path, path, !below
	}
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
		if known.method == u.method && slices.EqualFunc(known.servers, u.servers, func(a, b server) bool { return a.address == b.address }) {
			return known
		}
	}
	return nil
}
