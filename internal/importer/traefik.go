package importer

import (
	"cmp"
	"errors"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// A traefikReader extracts the services of Traefik's dynamic configuration: a file in
// YAML or TOML, what a static configuration names, or labels in a compose file.
type traefikReader struct {
	parsedConfig
	source source
	points map[string]entryPoint // of the static configuration
}

// An entryPoint is an address on which Traefik listens.
type entryPoint struct {
	host, port         string
	secure, redirected bool
}

func readTraefik(src source, file string) (*parsedConfig, error) {
	r := &traefikReader{source: src, points: map[string]entryPoint{}}
	roots, err := r.load(file, 0)
	if err != nil {
		return nil, err
	}
	for _, root := range roots {
		r.entryPoints(root.get("entryPoints"))
	}
	for i, root := range roots {
		if services := root.get("services"); services.exists() {
			roots[i] = r.compose(services)
		}
		if err := r.services(roots[i].get("http", "services")); err != nil {
			return nil, err
		}
	}
	for _, root := range roots {
		r.routers(root)
		r.look(root)
	}
	routed := func(u *upstream) bool { return len(u.sites) > 0 || u.conditions != nil }
	for _, u := range r.upstreams { // those of mirrors, failovers and errors
		u.unrouted = !routed(u) && slices.ContainsFunc(r.upstreams, routed)
	}
	return &r.parsedConfig, nil
}

// look records what a file has instead of services of http.
func (r *traefikReader) look(root value) {
	for name, v := range root.get("tcp", "services").entries() {
		r.recordUnprobeable(v.position, phrase.New("tcp service %s, which balances connections", name), phrase.Phrase{})
	}
	if kind := root.get("kind"); kind.exists() && root.get("apiVersion").exists() {
		r.recordUnusable(kind.position, phrase.New("a manifest of Kubernetes"), phrase.New("stickwatch init --kubernetes FILE"))
	}
	for name, v := range root.get("backends").entries() {
		r.recordUnusable(v.position, phrase.New("backend %s, which is Traefik 1", name), phrase.New("convert the file to Traefik 3: http.routers and http.services"))
	}
	for _, key := range root.keys {
		r.recordDirectives([]directive{{name: key}})
	}
}

// load parses a file, and the files that a static configuration names.
func (r *traefikReader) load(file string, depth int) ([]value, error) {
	text, err := r.source.read(file)
	if err != nil {
		return nil, err
	}
	var roots []value
	if isTOML(file, text) {
		root, err := parseTOML(file, text)
		if err != nil {
			return nil, err
		}
		roots = []value{root}
	} else if roots, err = documents(file, text); err != nil {
		return nil, err
	}
	for _, root := range roots {
		provider := root.get("providers", "file")
		if depth > 0 || !provider.exists() {
			continue
		}
		more, err := r.provided(file, provider)
		if err != nil {
			return nil, err
		}
		roots = append(roots, more...)
	}
	return roots, nil
}

// isTOML reports whether a file is TOML, by its name or its first line.
func isTOML(file, text string) bool {
	return filepath.Ext(file) == ".toml" || filepath.Ext(file) == "" && tomlBegin.MatchString(text)
}

var tomlBegin = regexp.MustCompile(`\A(\s*(#[^\n]*)?\n)*\s*(\[\[?[\w."-]+\]\]?|[\w.-]+\s*=)`)

// provided loads the files of the file provider: those that are here.
func (r *traefikReader) provided(file string, provider value) (roots []value, err error) {
	var names []string
	for _, name := range []string{provider.get("filename").text, provider.get("directory").text} {
		if name == "" {
			continue
		}
		for _, pattern := range []string{name, filepath.Join(filepath.Dir(file), name), filepath.Join(filepath.Dir(file), filepath.Base(name))} {
			found := r.source.match(pattern)
			for _, ext := range []string{"*.yml", "*.yaml", "*.toml"} {
				found = append(found, r.source.match(filepath.Join(pattern, ext))...)
			}
			if names = append(names, slices.DeleteFunc(found, func(name string) bool { return filepath.Ext(name) == "" })...); len(found) > 0 {
				break
			}
		}
		if len(names) == 0 {
			r.recordUnusable(provider.position, phrase.New("the static configuration, whose services are in %s", name), phrase.New("give that file"))
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		more, err := r.load(name, 1)
		if err != nil {
			return nil, err
		}
		roots = append(roots, more...)
	}
	return roots, nil
}

func (r *traefikReader) entryPoints(points value) {
	for name, v := range points.entries() {
		host, port := splitAddress(strings.TrimSuffix(v.get("address").text, "/tcp"))
		r.points[name] = entryPoint{
			host: host, port: port, secure: v.get("http", "tls").exists(),
			redirected: v.get("http", "redirections", "entryPoint", "to").text != "",
		}
	}
}

// services adds the load balancers. The error names all servers that cannot be read.
func (r *traefikReader) services(services value) error {
	var errs []error
	for name, v := range services.entries() {
		balancer := v.get("loadBalancer")
		if !balancer.exists() {
			continue // weighted and similar, of which routers find the parts
		}
		u := &upstream{position: v.position, kind: "service", name: name, method: probes.MethodRoundRobin, evidence: map[string]string{}}
		for _, s := range balancer.get("servers").list() {
			errs = append(errs, u.traefikServer(s))
		}
		if from := balancer.get("discovery"); from.exists() { // of a compose file
			u.dynamic = from.remark("the service %s has several containers, whose addresses are in DNS of the network", from.get("name").text)
			u.discovery = &dnsName{name: from.get("name").text, record: "A", port: from.get("port").text}
		}
		if network := balancer.get("network"); network.exists() {
			u.guess("nodes", network.remark("these are names in the network of the compose file: run stickwatch in that network, or write published addresses"))
		}
		u.traefikSettings(balancer)
		r.upstreams = append(r.upstreams, u)
	}
	return errors.Join(errs...)
}

// traefikServer adds a server of a load balancer.
func (u *upstream) traefikServer(v value) error {
	address := v.get("url").text
	scheme, rest, ok := strings.Cut(address, "://")
	host, path := splitPath(rest)
	s := server{position: v.position, scheme: scheme, address: host, path: path, weight: 1}
	switch {
	case isVariable(address):
		s.unlisted = notKnown(address)
		if !ok {
			s.scheme, s.address = "http", address
		}
	case !ok || !validAddress(host):
		return v.errorf("url: expected SCHEME://HOST:PORT, got %s", quoted(address))
	case scheme == "h2c":
		s.scheme = "http"
		s.protocol = probes.ProtocolH2C
	case scheme != "http" && scheme != "https":
		return v.errorf("url: expected http://, https:// or h2c://, got %s", quoted(address))
	}
	if weight := v.get("weight").text; weight != "" {
		n, err := atLeast(weight, 0)
		if err != nil {
			return v.errorf("weight %s: %w", quoted(weight), err)
		}
		s.weight, s.down = max(n, 1), n == 0
	}
	u.servers = append(u.servers, s)
	return nil
}

// traefikSettings reads stickiness, method and health checks of a load balancer.
func (u *upstream) traefikSettings(balancer value) {
	if cookie := balancer.get("sticky", "cookie"); cookie.exists() && cookie.text != "false" || balancer.get("sticky").isTrue() {
		u.method = probes.MethodCookie
		u.cookie = cmp.Or(cookie.get("name").text, "auto") // its name is a hash of the service's
	} else if strategy := balancer.get("strategy"); strategy.exists() && strategy.text != "wrr" {
		u.method = probes.MethodUnknown
		u.addComment("balancer.method", strategy.remark("the strategy %s cannot be predicted by clients", strategy.text))
	}
	u.ejection = ejection{failTimeout: 10 * time.Second, explicit: true, derivedFrom: phrase.New("there is no healthCheck: Traefik takes no server out")}
	if check := balancer.get("healthCheck"); check.exists() {
		interval, err := parseDuration(cmp.Or(check.get("interval").text, "30s"), time.Second)
		if err != nil {
			interval = 30 * time.Second
		}
		u.ejection = ejection{maxFails: 1, failTimeout: interval, explicit: true, derivedFrom: phrase.New("checks every %s: out after one that fails, back after one that passes", interval)}
		u.check(check.get("path").text)
	}
}

// routers adds the ways of all routers to the services.
func (r *traefikReader) routers(root value) {
	for name, v := range root.get("http", "routers").entries() {
		rule := v.get("rule")
		matches, ok := parseRule(rule.text)
		if !ok {
			r.note("%s: the rule of the router %s is not understood: %s", v.position, name, rule.text)
			matches = []match{{path: "/", only: phrase.New("a rule that is not understood: %s", probes.Clean(rule.text, 80))}}
		}
		path := r.middlewares(root, v.get("middlewares"), 0)
		secure := v.get("tls").exists() && v.get("tls").text != "false"
		if path.redirect && !secure {
			continue
		}
		for _, target := range r.targets(root, bareName(v.get("service").text), 0) {
			ways := matches
			if !target.only.IsZero() {
				ways = slices.Clone(matches)
				for i := range ways {
					ways[i].only = cmp.Or(ways[i].only, target.only)
				}
			}
			if path.password != (position{}) {
				target.asksPassword(path.password, "its middleware")
			}
			if path.login != (position{}) {
				target.asksLogin(path.login, "forwardAuth")
			}
			target.upstream.addMatches(v.position, ways, func(host string) []frontend { return r.frontends(v, secure, host) }, path.change)
		}
	}
}

// bareName returns a name without its provider, as in shop@file.
func bareName(name string) string {
	name, _, _ = strings.Cut(name, "@")
	return name
}

// targets returns the load balancers of a service: itself, or the parts of a weighted
// one.
func (r *traefikReader) targets(root value, name string, depth int) (out []share) {
	if u := r.named(name); u != nil {
		return []share{{u, phrase.Phrase{}}}
	}
	service := root.get("http", "services", name)
	parts := append(service.get("weighted", "services").list(), service.get("mirroring", "service"), service.get("failover", "service"))
	for _, part := range parts {
		child := bareName(cmp.Or(part.get("name").text, part.text))
		if child == "" || depth > maxDepth {
			continue
		}
		for _, target := range r.targets(root, child, depth+1) {
			if part.get("name").exists() {
				target.only = phrase.New("a share of the clients of %s", name)
			}
			out = append(out, target)
		}
	}
	return out
}

// frontends returns the addresses of a router's entry points for a host.
func (r *traefikReader) frontends(router value, secure bool, host string) []frontend {
	names := router.get("entryPoints").texts()
	if len(names) == 0 {
		for name := range r.points {
			names = append(names, name)
		}
		slices.Sort(names)
	}
	var all []frontend
	for _, name := range names {
		point, known := r.points[name]
		if point.redirected {
			continue
		}
		scheme := "http"
		if secure || point.secure || !known && strings.Contains(strings.ToLower(name), "secure") || name == "https" {
			scheme = "https"
		}
		if front, ok := newFrontend(router.position, scheme, point.host, point.port, host); ok {
			if !known && !slices.Contains([]string{"web", "websecure", "http", "https"}, name) {
				front.guess = phrase.New("the port of the entry point %s is in the static configuration: write the address for users", name)
			}
			all = append(all, front)
		}
	}
	if len(names) == 0 {
		scheme := map[bool]string{true: "https", false: "http"}[secure]
		if front, ok := newFrontend(router.position, scheme, "", "", host); ok {
			all = append(all, front)
		}
	}
	return userFrontends(all, host != "", false)
}

// A pathChange is what middlewares do to requests.
type pathChange struct {
	redirect bool     // to another scheme
	password position // of basicAuth or digestAuth; zero: none
	login    position // of forwardAuth; zero: none
	steps    []func(route) (route, bool)
}

func (p pathChange) change(way route) (route, bool) {
	for _, step := range p.steps {
		var ok bool
		if way, ok = step(way); !ok {
			return way, false
		}
	}
	return way, true
}

// middlewares returns what a list of middlewares does to requests.
func (r *traefikReader) middlewares(root, list value, depth int) (out pathChange) {
	for _, name := range list.texts() {
		m := root.get("http", "middlewares", bareName(name))
		if scheme := m.get("redirectScheme", "scheme").text; scheme == "https" {
			out.redirect = true
		}
		out.password = cmp.Or(out.password, m.get("basicAuth").position, m.get("digestAuth").position)
		out.login = cmp.Or(out.login, m.get("forwardAuth").position)
		if chain := m.get("chain", "middlewares"); chain.exists() && depth < maxDepth {
			inner := r.middlewares(root, chain, depth+1)
			out.redirect = out.redirect || inner.redirect
			out.password, out.login = cmp.Or(out.password, inner.password), cmp.Or(out.login, inner.login)
			out.steps = append(out.steps, inner.steps...)
		}
		if prefixes := m.get("stripPrefix", "prefixes").texts(); len(prefixes) > 0 {
			out.steps = append(out.steps, stripPrefix(prefixes))
		}
		if prefix := m.get("addPrefix", "prefix").text; prefix != "" {
			out.steps = append(out.steps, func(way route) (route, bool) {
				way.to = strings.TrimSuffix(prefix, "/") + way.to
				return way, true
			})
		}
		if m.get("replacePath").exists() || m.get("replacePathRegex").exists() || m.get("stripPrefixRegex").exists() {
			out.steps = append(out.steps, func(way route) (route, bool) { return way, false })
		}
	}
	return out
}

// stripPrefix returns the step that removes the first prefix of a path.
func stripPrefix(prefixes []string) func(route) (route, bool) {
	return func(way route) (route, bool) {
		for _, prefix := range prefixes {
			prefix = strings.TrimSuffix(prefix, "/")
			rest, ok := strings.CutPrefix(way.to, prefix)
			switch {
			case !ok || rest != "" && rest[0] != '/':
				continue
			case rest == "" && !way.exact:
				way.path, way.to = strings.TrimSuffix(way.path, "/")+"/", "/"
			default:
				way.to = cmp.Or(rest, "/")
			}
			return way, true
		}
		return way, true
	}
}
