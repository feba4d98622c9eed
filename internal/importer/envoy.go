package importer

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// An envoyReader extracts the clusters of Envoy's static bootstrap and the listeners
// that lead to them.
type envoyReader struct {
	parsedConfig
}

// readEnvoy parses a bootstrap in YAML or JSON. It is written from Envoy's documentation,
// version 3 of the API.
func readEnvoy(src source, file string) (*parsedConfig, error) {
	text, err := src.read(file)
	if err != nil {
		return nil, err
	}
	roots, err := documents(file, text)
	if err != nil {
		return nil, err
	}
	r := new(envoyReader)
	routed := func(u *upstream) bool { return len(u.sites) > 0 || u.conditions != nil }
	for _, root := range roots {
		resources := root.get("static_resources")
		for _, c := range resources.get("clusters").list() {
			if err := r.cluster(c); err != nil {
				return nil, err
			}
		}
		for _, l := range resources.get("listeners").list() {
			r.listener(l)
		}
		if dynamic := root.get("dynamic_resources"); dynamic.exists() {
			r.recordUnusable(dynamic.position, phrase.New("dynamic_resources, whose clusters come from a control plane"), phrase.New("write the clusters as static_resources, as in the answer of /config_dump"))
		}
		for _, key := range root.keys {
			r.recordDirectives([]directive{{name: key}})
		}
	}
	for _, u := range r.upstreams { // those of filters, tracing and similar
		u.unrouted = !routed(u) && slices.ContainsFunc(r.upstreams, routed)
	}
	return &r.parsedConfig, nil
}

// cluster adds a cluster with its endpoints.
func (r *envoyReader) cluster(c value) error {
	u := &upstream{
		position: c.position, kind: "cluster", name: c.get("name").text, method: probes.MethodRoundRobin, evidence: map[string]string{},
		ejection: ejection{failTimeout: 10 * time.Second, explicit: true, derivedFrom: phrase.New("there are no health checks and no outlier detection: Envoy takes no endpoint out")},
	}
	if socket := c.get("transport_socket", "name"); strings.Contains(socket.text, "proxy_protocol") {
		u.protocol = proxyVersion(c.get("transport_socket", "typed_config", "config", "version").text)
	}
	tls := strings.Contains(c.get("transport_socket", "name").text, "tls") || c.get("transport_socket", "typed_config", "sni").exists()
	for _, locality := range c.get("load_assignment", "endpoints").list() {
		for _, endpoint := range locality.get("lb_endpoints").list() {
			if err := u.envoyEndpoint(endpoint, tls, locality.get("priority").text); err != nil {
				return err
			}
		}
	}
	u.envoyDiscovery(c)
	u.envoyMethod(c.get("lb_policy"))
	if err := u.envoyHealth(c); err != nil {
		return err
	}
	for key, options := range c.get("typed_extension_protocol_options").entries() {
		if strings.HasSuffix(key, "HttpProtocolOptions") && options.get("explicit_http_config", "http2_protocol_options").exists() && !tls {
			u.protocol = probes.ProtocolH2C
		}
	}
	if c.get("http2_protocol_options").exists() && !tls {
		u.protocol = probes.ProtocolH2C
	}
	r.upstreams = append(r.upstreams, u)
	return nil
}

// envoyEndpoint adds an endpoint. Those of a lower priority than 0 are backups.
func (u *upstream) envoyEndpoint(endpoint value, tls bool, priority string) error {
	at := endpoint.get("endpoint", "address", "socket_address")
	if !at.exists() {
		u.guess("nodes", endpoint.remark("an endpoint without a socket_address cannot be probed: its node is not in this file"))
		return nil
	}
	host, port := at.get("address").text, at.get("port_value").text
	s := server{position: at.position, scheme: "http", weight: 1, backup: priority != "" && priority != "0"}
	s.address = strings.TrimPrefix(webAddress("", host, port), "://")
	if tls {
		s.scheme = "https"
	}
	switch {
	case isVariable(s.address):
		s.unlisted = notKnown(s.address)
	case !validAddress(s.address):
		return at.errorf("socket_address: expected a host and a port_value, got %s", quoted(s.address))
	}
	if weight := endpoint.get("load_balancing_weight"); weight.exists() {
		n, err := atLeast(weight.text, 1)
		if err != nil {
			return weight.errorf("load_balancing_weight %s: %w", quoted(weight.text), err)
		}
		s.weight = n
	}
	u.servers = append(u.servers, s)
	return nil
}

// envoyDiscovery reads where the endpoints come from.
func (u *upstream) envoyDiscovery(c value) {
	kind := cmp.Or(c.get("type").text, "STATIC")
	switch {
	case kind == "EDS" || kind == "ORIGINAL_DST" || c.get("cluster_type").exists():
		u.dynamic = c.remark("the type %s takes the endpoints from a control plane or from requests", cmp.Or(c.get("cluster_type", "name").text, kind))
	case kind == "STRICT_DNS" && len(u.servers) == 1:
		host, port := splitAddress(u.servers[0].address)
		u.dynamic = c.remark("STRICT_DNS takes all addresses of the name %s in DNS", host)
		u.discovery = &dnsName{name: host, record: "A", port: port}
		u.servers = nil
	}
}

func (u *upstream) envoyMethod(policy value) {
	switch policy.text {
	case "", "ROUND_ROBIN":
	case "LEAST_REQUEST":
		u.method = probes.MethodLeastConn
	case "RANDOM":
		u.method = probes.MethodRandom
	case "RING_HASH", "MAGLEV":
		u.method = probes.MethodUnknown
		u.addComment("balancer.method", policy.remark("%s is Envoy's own hash, which stickwatch does not compute", policy.text))
	default:
		u.method = probes.MethodUnknown
		u.addComment("balancer.method", policy.remark("%s cannot be predicted by clients", policy.text))
	}
}

// envoyHealth reads outlier detection, else health checks.
func (u *upstream) envoyHealth(c value) error {
	number := func(v value, usual int) (int, error) {
		if v.text == "" {
			return usual, nil
		}
		n, err := atLeast(v.text, 0)
		if err != nil {
			return 0, v.errorf("%s: %w", quoted(v.text), err)
		}
		return n, nil
	}
	duration := func(v value, usual time.Duration) time.Duration {
		if d, err := parseDuration(v.text, time.Second); err == nil {
			return d
		}
		return usual
	}
	for _, check := range c.get("health_checks").list() {
		out, err := number(check.get("unhealthy_threshold"), 2)
		if err != nil {
			return err
		}
		back, err := number(check.get("healthy_threshold"), 1)
		if err != nil {
			return err
		}
		interval := duration(check.get("interval"), time.Minute)
		u.check(check.get("http_health_check", "path").text)
		u.ejection = haproxyHealth{check: true, inter: interval, rise: back, fall: out}.ejection()
		u.ejection.derivedFrom = phrase.New("checks every %s: out after %d that fail, back after %d that pass", interval, out, back)
	}
	if outlier := c.get("outlier_detection"); outlier.exists() {
		fails, err := number(outlier.get("consecutive_5xx"), 5)
		if err != nil {
			return err
		}
		u.ejection = ejection{
			maxFails: fails, failTimeout: duration(outlier.get("base_ejection_time"), 30*time.Second), explicit: true,
			derivedFrom: phrase.New("outlier_detection: consecutive_5xx, and base_ejection_time, which grows with each ejection"),
		}
	}
	return nil
}

// listener follows the filter chains of a listener.
func (r *envoyReader) listener(l value) {
	at := l.get("address", "socket_address")
	host, port := splitAddress(strings.TrimPrefix(webAddress("", at.get("address").text, at.get("port_value").text), "://"))
	for _, chain := range l.get("filter_chains").list() {
		scheme := "http"
		if chain.get("transport_socket").exists() || chain.get("tls_context").exists() {
			scheme = "https"
		}
		frontends := func(name string) []frontend {
			front, ok := newFrontend(at.position, scheme, host, port, name)
			if !ok {
				return nil
			}
			return []frontend{front}
		}
		for _, filter := range chain.get("filters").list() {
			config := filter.get("typed_config")
			if !strings.Contains(filter.get("name").text+config.get("@type").text, "http_connection_manager") && !config.get("route_config").exists() {
				r.recordUnusable(filter.position, phrase.New("the filter %s, which balances connections", filter.get("name").text), phrase.Phrase{})
				r.tcp(config)
				continue
			}
			if rds := config.get("rds"); rds.exists() {
				r.note("%s: rds: the routes come from a control plane: they are missing here", rds.position)
			}
			for _, host := range config.get("route_config", "virtual_hosts").list() {
				r.virtualHost(host, config, scheme == "https", frontends)
			}
		}
	}
}

// tcp marks the clusters of a filter that balances connections.
func (r *envoyReader) tcp(config value) {
	names := []string{config.get("cluster").text}
	for _, part := range config.get("weighted_clusters", "clusters").list() {
		names = append(names, part.get("name").text)
	}
	for _, name := range names {
		if u := r.named(name); u != nil && len(u.sites) == 0 {
			u.tcp = phrase.New("a tcp filter at %s", config.position)
		}
	}
}

// virtualHost adds the ways of a virtual host's routes.
func (r *envoyReader) virtualHost(host, config value, secure bool, frontends func(string) []frontend) {
	if require := host.get("require_tls").text; !secure && (require == "ALL" || require == "EXTERNAL_ONLY") {
		return // it only redirects
	}
	var names []string
	for _, domain := range host.get("domains").texts() {
		bare, _ := splitAddress(domain)
		names = append(names, bare)
	}
	name, _ := someName(names)
	if name == "" && slices.Contains(names, "localhost") {
		name = "localhost"
	}
	var earlier []match
	for _, v := range host.get("routes").list() {
		m := envoyMatch(v.get("match"))
		m.host = name
		if slices.ContainsFunc(earlier, func(e match) bool { return e.covers(m) }) {
			m.only = cmp.Or(m.only, phrase.New("an earlier route takes its requests"))
		}
		earlier = append(earlier, m)
		for _, target := range r.targets(v.get("route")) {
			way := m
			way.only = cmp.Or(way.only, target.only)
			target.addMatches(v.position, []match{way}, frontends, envoyChange(v.get("route")))
			target.envoySession(config)
			target.tcp = phrase.Phrase{}
			if literal := v.get("route", "host_rewrite_literal").text; validAddress(literal) {
				target.site(v.position, nil).hostHeader = literal
			}
		}
	}
}

// covers reports whether m takes every request of another match behind it.
func (m match) covers(other match) bool {
	return m.only.IsZero() && m.guess.IsZero() && (m.exact && other.exact && m.path == other.path || !m.exact && strings.HasPrefix(other.path, m.path))
}

// envoyMatch converts the match of a route.
func envoyMatch(v value) match {
	m := newMatch()
	switch {
	case v.get("path").exists():
		m.path, m.exact = v.get("path").text, true
	case v.get("path_separated_prefix").exists():
		m.path = v.get("path_separated_prefix").text
	case v.get("safe_regex").exists():
		m = m.withPattern(newPattern("^(?:"+v.get("safe_regex", "regex").text+")$", false))
	case v.get("prefix").exists():
		m.path = v.get("prefix").text
	}
	for _, key := range []string{"headers", "query_parameters", "grpc", "connect_matcher"} {
		for _, condition := range v.get(key).list() {
			name := condition.get("name").text
			if name != ":method" || !strings.Contains(condition.get("string_match", "exact").text+condition.get("exact_match").text, "GET") {
				m.only = phrase.New("only requests whose %s have %s", key, cmp.Or(name, key))
			}
		}
	}
	return m
}

// targets returns the clusters of a route.
func (r *envoyReader) targets(v value) (out []share) {
	if u := r.named(v.get("cluster").text); u != nil {
		out = append(out, share{u, phrase.Phrase{}})
	}
	for _, part := range v.get("weighted_clusters", "clusters").list() {
		if u := r.named(part.get("name").text); u != nil {
			out = append(out, share{u, phrase.New("a share of the clients, by weight")})
		}
	}
	if header := v.get("cluster_header"); header.exists() {
		r.note("%s: cluster_header: a header of requests chooses the cluster", header.position)
	}
	return out
}

// envoyChange returns what a route does to paths.
func envoyChange(v value) func(route) (route, bool) {
	return func(way route) (route, bool) {
		if v.get("regex_rewrite").exists() || v.get("path_rewrite_policy").exists() {
			return way, false
		}
		if prefix := v.get("prefix_rewrite"); prefix.exists() {
			way.to = prefix.text
			if !strings.HasSuffix(way.path, "/") && !way.exact && way.to == "/" {
				way.path += "/"
			}
		}
		return way, true
	}
}

// envoySession reads the cookie of stateful sessions, and the filters that ask for a login.
func (u *upstream) envoySession(config value) {
	for _, filter := range config.get("http_filters").list() {
		switch name := filter.get("name").text; {
		case strings.HasSuffix(name, "ext_authz"), strings.HasSuffix(name, "oauth2"), strings.HasSuffix(name, "jwt_authn"):
			u.asksLogin(filter.position, name)
		case strings.HasSuffix(name, "basic_auth"):
			u.asksPassword(filter.position, name)
		}
		cookie := filter.get("typed_config", "session_state", "typed_config", "cookie")
		if name := cookie.get("name").text; name != "" {
			u.cookie, u.method = name, probes.MethodCookie
		}
	}
}
