package importer

import (
	"cmp"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"stickwatch/internal/phrase"
)

// An nginxReader extracts the upstreams of an nginx.conf and the locations that use
// them.
type nginxReader struct {
	parsedConfig
	maps   map[string]directive // map and split_clients by the variable that they set
	shared map[string]int       // servers on each address
}

// readNginx parses nginx.conf, a part of one, or the output of `nginx -T`.
func readNginx(src source, file string) (*parsedConfig, error) {
	tree, notes, err := loadNginx(src, file)
	if err != nil {
		return nil, err
	}
	reader := &nginxReader{parsedConfig: parsedConfig{noteList: notes, anyCase: true}, maps: map[string]directive{}, shared: map[string]int{}}
	http := nginxHTTP(tree)
	for _, d := range http {
		switch d.name {
		case "upstream":
			u, err := reader.upstream(d)
			if err != nil {
				return nil, err
			}
			reader.upstreams = append(reader.upstreams, u)
		case "map", "split_clients":
			reader.maps[d.arg(1)] = d
		case "server":
			for _, listen := range nginxListens(d) {
				reader.shared[listen.arg(0)]++
			}
		}
	}
	for _, u := range reader.upstreams {
		reader.stickyRoute(u)
		if resolver, ok := last(http, "resolver"); ok && u.discovery != nil && u.discovery.server == "" {
			u.discovery.askAt(resolver.arg(0))
		}
	}
	main := nginxScope{}.within(tree).within(http)
	for server := range among(http, "server") {
		reader.server(server, main)
	}
	for d := range among(http, "location") { // a location without its server, as in documentation
		reader.locations([]directive{d}, main)
	}
	reader.recordStreams(tree)
	reader.recordDirectives(http)
	return &reader.parsedConfig, nil
}

// recordStreams records upstreams of the stream module.
func (r *nginxReader) recordStreams(tree []directive) {
	for stream := range among(tree, "stream") {
		for d := range among(stream.block, "upstream") {
			r.recordUnprobeable(d.position, phrase.New("stream upstream %s, which balances connections, and whose servers may be no web servers", d.arg(0)),
				phrase.New("to watch web servers behind it, use --balancer URL --node ID=URL"))
		}
	}
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
	server          directive     // the nearest one; zero: none
	location        position      // of the nearest location
	path            route         // of that location
	pattern         pattern       // of that location; zero: it is no regular expression
	inNamedLocation bool          // a named location is followed
	only            phrase.Phrase // condition of the nearest "if"; zero: none
	ended           directive     // the return that answers every request; zero: none
	rewrites        []directive
	hostHeader      string
	realIP          string   // real_ip_header
	trusted         []string // set_real_ip_from
	errorLog        string
	warningsOff     bool              // the error log's level is above warn
	set             map[string]string // variables with a constant value
	password        directive         // auth_basic; zero, or "off": none
	login           directive         // auth_request, likewise
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
	if d, ok := last(block, "auth_basic"); ok {
		s.password = d
	}
	if d, ok := last(block, "auth_request"); ok {
		s.login = d
	}
	if d, ok := last(block, "error_log"); ok {
		s.errorLog = d.arg(0)
		s.warningsOff = !slices.Contains([]string{"warn", "notice", "info", "debug"}, d.arg(1))
	}
	s.rewrites = slices.Concat(s.rewrites, slices.Collect(among(block, "rewrite")))
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
	r.recordDirectives(d.block)
	for _, ends := range slices.Concat(slices.Collect(among(d.block, "return")), slices.Collect(among(d.block, "rewrite"))) {
		r.redirectTo(ends.position, ends.args)
	}
	s = s.within(d.block)
	s.server, s.rewrites = d, nil // rewrites in a server are mostly redirects
	if ends, ok := last(d.block, "return"); ok {
		s.ended = ends // every request is answered there
	}
	r.locations(d.block, s)
}

// siteOf returns the site at which users in a scope reach u, and sets the properties of u
// that follow from the scope.
func (r *nginxReader) siteOf(u *upstream, scope nginxScope, names ...string) *site {
	at := scope.server.position
	if len(names) > 0 {
		at = scope.path.position
	}
	site := u.site(at, r.frontends(scope.server, names...))
	switch host := scope.hostHeader; {
	case strings.HasPrefix(host, "$host"), strings.HasPrefix(host, "$http_host"):
		site.hostHeader, _ = realName(scope.server)
	case host != "" && !strings.Contains(host, "$"):
		site.hostHeader = host
	}
	if scope.realIP != "" && scope.realIP != "proxy_protocol" && len(scope.trusted) > 0 && u.clientIPHeader == "" {
		u.clientIPHeader = scope.realIP
		u.guess("balancer.client_ip_header", phrase.New("nginx accepts this header only from %s: run stickwatch there, or add its address to set_real_ip_from", strings.Join(scope.trusted, ", ")))
	}
	if scope.password.name != "" && scope.password.arg(0) != "off" {
		u.asksPassword(scope.password.position, "auth_basic")
	}
	if scope.login.name != "" && scope.login.arg(0) != "off" {
		u.asksLogin(scope.login.position, scope.login.text())
	}
	if filepath.IsAbs(scope.errorLog) && u.evidence["nginx_error_log"] == "" {
		u.evidence["nginx_error_log"] = scope.errorLog
		if scope.warningsOff {
			u.addComment("balancer.evidence", phrase.New(`the level of error_log hides ejections: write "error_log %s warn;"`, scope.errorLog))
		}
	}
	return site
}

// locations follows a block's locations to the upstreams.
func (r *nginxReader) locations(block []directive, s nginxScope) {
	own := s
	if ends, ok := last(block, "return"); ok && s.ended.name == "" {
		own.ended = ends
	}
	for _, line := range block {
		switch line.name {
		case "location":
			r.locations(line.block, s.inside(line))
		case "try_files":
			r.fallback(line, own)
		case "internal":
			own.only, s.only = cmp.Or(own.only, phrase.Quote("internal")), cmp.Or(s.only, phrase.Quote("internal"))
		case "if", "limit_except":
			inner := s.within(line.block)
			inner.only = phrase.Quote(line.name + " " + strings.Join(line.args, " "))
			r.locations(line.block, inner)
		case "proxy_pass":
			r.pass(line, own)
		case "fastcgi_pass", "uwsgi_pass", "scgi_pass", "memcached_pass", "grpc_pass":
			r.otherPass(line, own)
		}
	}
}

// fallback follows try_files to the named location that gets requests without a file.
func (r *nginxReader) fallback(d directive, s nginxScope) {
	name := d.arg(len(d.args) - 1)
	if s.inNamedLocation || !strings.HasPrefix(name, "@") {
		return
	}
	s.inNamedLocation = true
	if s.path == (route{}) { // of the server: all paths
		s.path = route{position: d.position, path: "/"}
	}
	for named := range among(s.server.block, "location") {
		if named.arg(0) == name {
			r.locations(named.block, s.within(named.block))
		}
	}
}

// otherProtocols are the protocols of servers that stickwatch cannot ask, by the
// directives that pass requests to them.
var otherProtocols = map[string]string{
	"fastcgi_pass": "FastCGI", "uwsgi_pass": "uwsgi", "scgi_pass": "SCGI", "memcached_pass": "memcached", "grpc_pass": "gRPC",
}

func (r *nginxReader) otherPass(d directive, s nginxScope) {
	name := strings.TrimPrefix(strings.TrimPrefix(s.resolve(d.arg(0)), "grpc://"), "grpcs://")
	protocol := otherProtocols[d.name]
	u := r.named(name)
	if u == nil {
		r.recordUnprobeable(d.position, phrase.New("%s %s, which speaks %s", d.name, d.arg(0), protocol), httpOnlyNodes)
		return
	}
	u.dynamic = d.remark("%s: its servers speak %s, and no plain HTTP", d.name, protocol)
	s.locate(r.siteOf(u, s), "")
}

// inside returns the scope of a location block.
func (s nginxScope) inside(d directive) nginxScope {
	s.rewrites = nil
	s = s.within(d.block)
	s.location, s.path, s.pattern = d.position, route{position: d.position, path: d.arg(0)}, pattern{}
	switch d.arg(0) {
	case "=":
		s.path.path, s.path.exact = d.arg(1), true
	case "^~":
		s.path.path = d.arg(1)
	case "~", "~*":
		s.path.path, s.pattern = "", newPattern(d.arg(1), d.arg(0) == "~*")
	}
	return s
}

// pass follows a proxy_pass.
func (r *nginxReader) pass(line directive, scope nginxScope) {
	scheme, name, uri := scope.target(line.arg(0))
	if _, rest, _ := strings.Cut(line.arg(0), "://"); r.named(name) == nil {
		if chosen, ok := r.maps[leadingVariable.FindString(rest)]; ok {
			r.passMapped(line, scope, scheme, chosen)
			return
		}
	}
	u := r.named(name)
	switch {
	case u == nil && (name == "" || isVariable(name) || strings.HasPrefix(uri, "$") && uri != "$uri"):
		r.note("%s: proxy_pass %s: a variable, whose upstream is unknown", line.position, line.arg(0))
	case u == nil && scope.resolvedName(line.arg(0), name): // nginx asks DNS again and again
		r.recordUnusable(line.position, phrase.New("proxy_pass %s to %s", line.arg(0), name), phrase.New("if that name has several addresses, write nodes_from: {dns: {name: NAME, type: A, port: PORT}}; %s", oneServer))
	case u == nil:
		r.recordUnusable(line.position, phrase.New("proxy_pass %s, a single server", line.arg(0)), oneServer)
	case scope.ended.name != "":
		r.note("%s: proxy_pass %s is never reached: return is at %s", line.position, line.arg(0), scope.ended.position)
	default:
		if scheme == "https" {
			u.secure("80")
		}
		scope.locate(r.siteOf(u, scope), uri)
	}
}

// oneServer is the advice where a file has a single server.
var oneServer = phrase.New("one server is no cluster: stickwatch watches two or more that share their clients")

// passMapped follows a proxy_pass to a variable that a map or split_clients sets.
func (r *nginxReader) passMapped(d directive, scope nginxScope, scheme string, chosen directive) {
	byHost := slices.Contains([]string{"$host", "$http_host", "$server_name", "$ssl_server_name"}, chosen.arg(0))
	for _, entry := range chosen.block {
		name := strings.TrimPrefix(strings.TrimPrefix(entry.arg(0), "http://"), "https://")
		upstream := r.named(name)
		if upstream == nil {
			continue
		}
		if scheme == "https" {
			upstream.secure("80")
		}
		switch {
		case entry.name == "default" && chosen.name == "map", entry.name == "*" && chosen.name == "split_clients":
			scope.locate(r.siteOf(upstream, scope), "")
		case byHost && public(entry.name):
			inner := scope
			inner.path.position = entry.position
			inner.locate(r.siteOf(upstream, inner, entry.name), "")
		default:
			upstream.onlyIf(entry.position, phrase.New("only requests for which %s %s gives %s", chosen.name, chosen.arg(0), entry.name))
			r.siteOf(upstream, scope)
		}
	}
	if len(chosen.block) == 0 {
		r.note("%s: proxy_pass %s: the map at %s has no entries here", d.position, d.arg(0), chosen.position)
	}
}
