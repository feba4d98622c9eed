package importer

import (
	"cmp"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// An nginxReader extracts the upstreams of an nginx.conf and the locations that use
// them.
type nginxReader struct {
	parsedConfig
	entered map[*upstream]position // position of the server whose addresses were used
}

// readNginx parses nginx.conf, a part of one, or the output of `nginx -T`.
func readNginx(src source, file string) (*parsedConfig, error) {
	tree, notes, err := loadNginx(src, file)
	if err != nil {
		return nil, err
	}
	r := &nginxReader{parsedConfig: parsedConfig{noteList: notes}, entered: map[*upstream]position{}}
	http := nginxHTTP(tree)
	for d := range among(http, "upstream") {
		u, err := r.upstream(d)
		if err != nil {
			return nil, err
		}
		r.upstreams = append(r.upstreams, u)
	}
	main := nginxScope{}.within(tree).within(http)
	for server := range among(http, "server") {
		r.server(server, main)
	}
	for d := range among(http, "location") { // a location without its server, as in documentation
		r.locations([]directive{d}, main)
	}
	return &r.parsedConfig, nil
}

// nginxHTTP returns the contents of the http block. Files of conf.d and examples in
// documentation contain them without the block.
func nginxHTTP(tree []directive) []directive {
	var out []directive
	for _, d := range tree {
		if d.name == "http" && d.block != nil {
			out = append(out, d.block...)
		} else if d.name != "stream" && d.name != "mail" {
			out = append(out, d)
		}
	}
	return out
}

// An nginxScope is the context that a block inherits.
type nginxScope struct {
	server      directive // the nearest one; zero: none
	path        route     // of the nearest location
	regex       bool      // that location is a regular expression
	rewritten   bool      // the path is rewritten
	hostHeader  string
	realIP      string   // real_ip_header
	trusted     []string // set_real_ip_from
	errorLog    string
	warningsOff bool              // the error log's level is above warn
	set         map[string]string // variables with a constant value
}

// within returns the scope of a block in s.
func (s nginxScope) within(block []directive) nginxScope {
	if d, ok := last(block, "real_ip_header"); ok {
		s.realIP = d.arg(0)
	}
	if from := slices.Collect(among(block, "set_real_ip_from")); len(from) > 0 {
		s.trusted = nil // a level's directives replace the inherited ones
		for _, d := range from {
			s.trusted = append(s.trusted, d.arg(0))
		}
	}
	if headers := slices.Collect(among(block, "proxy_set_header")); len(headers) > 0 {
		s.hostHeader = "" // likewise
		for _, d := range headers {
			if strings.EqualFold(d.arg(0), "Host") {
				s.hostHeader = d.arg(1)
			}
		}
	}
	if d, ok := last(block, "error_log"); ok {
		s.errorLog = d.arg(0)
		s.warningsOff = !slices.Contains([]string{"warn", "notice", "info", "debug"}, d.arg(1))
	}
	for range among(block, "rewrite") {
		s.rewritten = true
	}
	for d := range among(block, "set") {
		s.set = maps.Clone(s.set)
		if s.set == nil {
			s.set = map[string]string{}
		}
		s.set[d.arg(0)] = d.arg(1)
	}
	return s
}

// server follows the locations of a server.
func (r *nginxReader) server(d directive, s nginxScope) {
	if d.block == nil {
		return
	}
	s = s.within(d.block)
	s.server, s.rewritten = d, false // rewrites in a server are mostly redirects
	r.locations(d.block, s)
}

// describe sets the properties of u that follow from a scope that uses it.
func (r *nginxReader) describe(u *upstream, s nginxScope) {
	if from, ok := r.entered[u]; !ok {
		r.entered[u] = s.server.position
		for _, e := range nginxFrontends(s.server) {
			u.addFrontend(e)
		}
	} else if from != s.server.position {
		for _, e := range nginxFrontends(s.server) {
			u.alsoReached(e)
		}
	}
	switch host := s.hostHeader; {
	case strings.HasPrefix(host, "$host"), strings.HasPrefix(host, "$http_host"):
		u.hostHeader = realName(s.server)
	case host != "" && !strings.Contains(host, "$"):
		u.hostHeader = host
	}
	if s.realIP != "" && s.realIP != "proxy_protocol" && len(s.trusted) > 0 && u.clientIPHeader == "" {
		u.clientIPHeader = s.realIP
		u.guess("balancer.client_ip_header", "nginx accepts this header only from "+strings.Join(s.trusted, ", ")+
			": run stickwatch there, or add its address to set_real_ip_from")
	}
	if filepath.IsAbs(s.errorLog) && u.evidence["nginx_error_log"] == "" {
		u.evidence["nginx_error_log"] = s.errorLog
		if s.warningsOff {
			u.addComment("balancer.evidence", "the level of error_log hides ejections: write \"error_log "+s.errorLog+" warn;\"")
		}
	}
}

// nginxFrontends returns the addresses of a server.
func nginxFrontends(d directive) []frontend {
	name := realName(d)
	var all []frontend
	for _, listen := range nginxListens(d) {
		if e, ok := nginxFrontend(listen, name); ok {
			all = append(all, e)
		}
	}
	return oneScheme(all, name)
}

// nginxListens returns the listen lines of a server, or nginx's default.
func nginxListens(d directive) []directive {
	lines := slices.Collect(among(d.block, "listen"))
	if len(lines) == 0 {
		lines = []directive{{position: d.position, name: "listen", args: []string{"80"}}}
	}
	if ssl, ok := last(d.block, "ssl"); ok && ssl.arg(0) == "on" {
		for i := range lines {
			lines[i].args = append(slices.Clone(lines[i].args), "ssl")
		}
	}
	return lines
}

// nginxFrontend returns the address of a listen line; false where it is not HTTP over
// TCP.
func nginxFrontend(d directive, name string) (frontend, bool) {
	text := d.arg(0)
	if strings.HasPrefix(text, "unix:") || slices.Contains(d.args, "quic") {
		return frontend{}, false
	}
	if strings.Trim(text, "0123456789") == "" {
		text = "*:" + text
	}
	scheme := "http"
	if slices.Contains(d.args, "ssl") {
		scheme = "https"
	}
	host, port := splitAddress(text)
	e, ok := newFrontend(d.position, scheme, host, cmp.Or(port, "80"), name) // the default port is 80 with ssl, too
	if slices.Contains(d.args, "proxy_protocol") {
		e.guess = "it expects the PROXY protocol, which stickwatch does not support: write the address of the proxy in front of it"
	}
	return e, ok
}

// realName returns the first server_name that users may use; "" if there is none.
func realName(d directive) string {
	for names := range among(d.block, "server_name") {
		for _, name := range names.args {
			if public(name) {
				return name
			}
		}
	}
	return ""
}

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
				u.guess("nodes", d.position.String()+": "+d.name+": these ports do not serve plain HTTP: write the addresses that do")
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
		r.note("%s: proxy_pass %s: a variable, whose upstream is unknown", d.position, d.arg(0))
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
		r.note("%s: a rewrite changes the path: the route from %s to %s is unknown", d.position, s.path.path, u.name)
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
