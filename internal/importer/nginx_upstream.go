package importer

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// nginxEjection is nginx's default for a server line.
var nginxEjection = ejection{maxFails: 1, failTimeout: 10 * time.Second}

// upstream parses an upstream block.
func (r *nginxReader) upstream(d directive) (*upstream, error) {
	u := &upstream{
		position: d.position, kind: "upstream", name: d.arg(0),
		method: probes.MethodRoundRobin, ejection: nginxEjection,
		evidence: map[string]string{},
	}
	u.several = len(slices.Collect(among(d.block, "server"))) > 1
	for _, line := range d.block {
		if line.name == "server" {
			if err := u.addNginxServer(line); err != nil {
				return nil, err
			}
		} else {
			u.nginxMethod(line)
		}
	}
	if resolver, ok := last(d.block, "resolver"); ok && u.discovery != nil {
		u.discovery.askAt(resolver.arg(0))
	}
	return u, nil
}

// addNginxServer adds the server of a line.
func (u *upstream) addNginxServer(line directive) error {
	if strings.HasPrefix(line.arg(0), "unix:") {
		u.guess("nodes", line.remark("%s is a socket, which cannot be probed: its node is not in this file", line.arg(0)))
		u.missing = true
		return nil
	}
	server, e, err := parseNginxServer(line)
	if err != nil {
		return err
	}
	if server.backup && slices.Contains(noBackup, u.method) { // legal above the method
		return server.errorf("server %s: \"backup\": the method %s does not support it, and nginx refuses to start", quoted(server.address), u.method)
	}
	if u.nginxDiscovery(line, server) {
		u.ejection = e
		return nil
	}
	if len(u.servers) == 0 {
		u.ejection = e
	} else if e.differs(u.ejection) && !server.down && !server.backup {
		u.guessOnce("balancer.max_fails", line.position, phrase.New("this server has another max_fails or fail_timeout than the first one, whose values are used"))
	}
	u.servers = append(u.servers, server)
	return nil
}

// nginxDiscovery reads resolve and service=NAME of a server line: nginx then takes the
// addresses from DNS while it runs. It returns false for a server of the file.
func (u *upstream) nginxDiscovery(line directive, s server) bool {
	service := ""
	for _, arg := range line.args {
		if name, ok := strings.CutPrefix(arg, "service="); ok {
			service = name
		}
	}
	if !slices.Contains(line.args, "resolve") || !s.unlisted.IsZero() {
		return false
	}
	host, port := splitAddress(s.address)
	found := &dnsName{name: host, record: "A", port: cmp.Or(port, "80")}
	if service != "" {
		if !strings.Contains(service, ".") {
			service = "_" + service + "._tcp"
		}
		found = &dnsName{name: service + "." + host, record: "SRV"}
	}
	if service == "" && u.several {
		u.guess("nodes", line.remark("nginx resolves %s while it runs: it is one node only if the name has one address", host))
		return false
	}
	u.dynamic = line.remark("nginx takes the servers from the name %s in DNS while it runs", found.name)
	u.discovery = found
	return true
}

// noBackup are the methods that do not support backup servers.
var noBackup = []probes.Method{probes.MethodIPHash, probes.MethodHash, probes.MethodRandom}

// serverParameter matches parameters of a server line, including those of modules.
var serverParameter = regexp.MustCompile(`^(down|backup|resolve|drain|[a-z_]+=.*)$`)

// parseNginxServer parses a server line of an upstream.
func parseNginxServer(line directive) (server, ejection, error) {
	s, e := server{position: line.position, scheme: "http", address: line.arg(0), weight: 1}, nginxEjection
	if isVariable(s.address) {
		s.unlisted = notKnown(s.address)
	}
	if !validAddress(s.address) && s.unlisted.IsZero() {
		return s, e, line.errorf("server: expected HOST or HOST:PORT, got %s", quoted(s.address))
	}
	for _, arg := range line.args[1:] {
		name, value, _ := strings.Cut(arg, "=")
		if !serverParameter.MatchString(arg) {
			return s, e, line.errorf("server %s: invalid parameter %s: is a \";\" missing, or is it from a document?", quoted(s.address), quoted(arg))
		}
		var err error
		switch name {
		case "weight":
			s.weight, err = atLeast(value, 1)
		case "max_fails":
			e.maxFails, err = atLeast(value, 0)
			e.explicit = true
		case "fail_timeout":
			e.failTimeout, err = parseDuration(value, time.Second)
			e.explicit = true
		case "down", "drain": // one that is drained keeps its clients and gets no new ones
			s.down = true
		case "backup":
			s.backup = true
		case "route", "srun_id", "id":
			s.label = value
		}
		if err != nil {
			return s, e, line.errorf("server %s: %s: %w", quoted(s.address), quoted(arg), err)
		}
	}
	return s, e, nil
}

// nginxNeutral are the directives of an upstream that do not choose a server, including
// those of common modules.
var nginxNeutral = regexp.MustCompile(`^(zone|ntlm|queue|bind|resolver|resolver_timeout|keepalive(_\w+)?|check(_\w+)?|health_check\w*|match|healthcheck\w*|max_\w+|request_\w+)$`)

// nginxMethod reads a directive of an upstream other than server.
func (u *upstream) nginxMethod(line directive) {
	switch line.name {
	case "ip_hash":
		u.method = probes.MethodIPHash
	case "least_conn":
		u.method = probes.MethodLeastConn
	case "random":
		u.method = probes.MethodRandom
	case "hash":
		u.nginxHash(line)
	case "sticky", "session_sticky":
		u.nginxSticky(line)
	case "jvm_route": // nginx-upstream-jvm-route: $cookie_JSESSIONID|sessionid
		u.method = probes.MethodCookie
		name, _, _ := strings.Cut(line.arg(0), "|")
		u.routeCookie = strings.TrimPrefix(name, "$cookie_")
	case "balancer_by_lua_block", "balancer_by_lua_file", "balancer_by_lua":
		u.method = probes.MethodUnknown
		u.dynamic = line.remark("%s chooses the servers: they are in no configuration file of nginx", line.name)
	case "state":
		if len(u.servers) == 0 {
			u.dynamic = line.remark("state: the servers are in %s, which nginx writes", line.arg(0))
		}
	case "upsync", "consul", "etcd", "dynamic_resolve", "jdomain", "upstream_conf":
		u.dynamic = line.remark("%s changes the servers while nginx runs", line.name)
	default:
		if !nginxNeutral.MatchString(line.name) {
			u.method, u.hashKey, u.consistent = probes.MethodUnknown, "", false
			u.addComment("balancer.method", line.remark("%s cannot be predicted by clients", line.name))
		}
	}
}

var predictableKey = regexp.MustCompile(`^\$((binary_)?remote_addr|http_[a-z0-9_]+|cookie_[A-Za-z0-9_]+)$`)

func (u *upstream) nginxHash(d directive) {
	u.method = probes.MethodHash
	u.consistent = d.arg(1) == "consistent"
	if predictableKey.MatchString(d.arg(0)) {
		u.hashKey = d.arg(0)
		return
	}
	u.addComment("balancer.method", d.remark("its key %s cannot be chosen by a prober", d.arg(0)))
}

// nginxSticky parses `sticky` of nginx 1.29.6 and of nginx-sticky-module, and Tengine's
// session_sticky.
func (u *upstream) nginxSticky(line directive) {
	u.method = probes.MethodCookie
	switch line.arg(0) {
	case "cookie":
		u.cookie = line.arg(1)
		return
	case "learn":
		for _, arg := range line.args {
			if name, ok := strings.CutPrefix(arg, "lookup=$cookie_"); ok {
				u.addComment("session", line.remark("the balancer learns nodes from the cookie %s", name))
				u.sessionName = name
			}
		}
		return
	case "route":
		u.routeVariables = line.args[1:]
		return
	}
	u.cookie = "route" // the default of both modules
	for _, arg := range line.args {
		if key, value, _ := strings.Cut(arg, "="); (key == "name" || key == "cookie") && value != "" {
			u.cookie = value
		}
	}
}

// stickyRoute sets the cookie that ends with a dot and the node, where a map takes the route
// of `sticky route` out of one.
func (r *nginxReader) stickyRoute(u *upstream) {
	afterDot := func(entry directive) bool {
		return strings.HasPrefix(entry.name, "~") && strings.Contains(entry.name, `\.(`) && strings.HasSuffix(entry.name, ")$")
	}
	for _, variable := range u.routeVariables {
		chosen := r.maps[variable]
		name, isCookie := strings.CutPrefix(chosen.arg(0), "$cookie_")
		if !isCookie || !slices.ContainsFunc(chosen.block, afterDot) {
			continue
		}
		if strings.EqualFold(name, "JSESSIONID") { // nginx compares the names of cookies without case
			name = "JSESSIONID"
		}
		u.routeCookie = name
		return
	}
}
