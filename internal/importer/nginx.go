package importer

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// An nginxReader finds the upstreams of an nginx.conf and the ways that lead to
// them.
type nginxReader struct {
	parsedConfig
	entered map[*upstream]position // of the server whose addresses were taken
}

// readNginx reads nginx.conf, a part of one, or the output of `nginx -T`.
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
	for d := range among(http, "location") { // as documents show it, without the server around it
		r.locations([]directive{d}, main)
	}
	return &r.parsedConfig, nil
}

// nginxHTTP is what stands in the http block. Files of conf.d, and examples in
// documents, have that alone, without the block.
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

// An nginxScope is what a block has from those around it.
type nginxScope struct {
	server      directive // the nearest; zero: none
	path        route     // of the nearest location
	regex       bool      // that location is no prefix
	rewritten   bool      // something changes the path on its way
	hostHeader  string
	realIP      string   // real_ip_header
	trusted     []string // set_real_ip_from
	errorLog    string
	warningsOff bool              // the error log leaves warnings out
	set         map[string]string // variables with a constant value
}

// within is s with what a block itself says.
func (s nginxScope) within(block []directive) nginxScope {
	if d, ok := last(block, "real_ip_header"); ok {
		s.realIP = d.arg(0)
	}
	if from := slices.Collect(among(block, "set_real_ip_from")); len(from) > 0 {
		s.trusted = nil // one level's replace those of the levels around it
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
	s.server, s.rewritten = d, false // a server's own rewrites mostly are redirects
	r.locations(d.block, s)
}

// describe tells u what is to be known of a scope that leads to it.
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
