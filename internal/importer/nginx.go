package importer

import (
	"maps"
	"path/filepath"
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
		u.guess("balancer.client_ip_header", "nginx believes this header only from "+strings.Join(s.trusted, ", ")+
			": run stickwatch there, or add its address to set_real_ip_from")
	}
	if filepath.IsAbs(s.errorLog) && u.evidence["nginx_error_log"] == "" {
		u.evidence["nginx_error_log"] = s.errorLog
		if s.warningsOff {
			u.addComment("balancer.evidence", "the level of error_log hides ejections: write \"error_log "+s.errorLog+" warn;\"")
		}
	}
}
