package importer

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// proxy parses a reverse_proxy directive and adds its addresses and routes.
func (r *caddyReader) proxy(line directive, scope caddyScope, matchers map[string][]directive) error {
	args := line.args
	if isMatcher(line.arg(0)) {
		scope = scope.match(matchers, line.arg(0))
		args = args[1:]
	}
	if rewrite, ok := last(line.block, "rewrite"); ok {
		scope = r.rewritten(rewrite, scope)
	}
	upstream, err := caddyUpstream(line, args)
	if err != nil {
		return err
	}
	if len(upstream.servers) == 0 && upstream.dynamic.IsZero() {
		r.recordUnprobeable(line.position, phrase.New("%s, without a server that can be probed", line.text()), phrase.Phrase{})
		return nil
	}
	if known := r.same(upstream); known != nil {
		upstream = known
	} else {
		upstream.name = r.uniqueName(scope)
		r.upstreams = append(r.upstreams, upstream)
		r.addAdminURL(upstream)
	}
	first := scope.frontends[:min(len(scope.frontends), 1)]
	for _, front := range scope.frontends[len(first):] {
		upstream.addComment("balancer.url", phrase.New("another address for users is %s (%s)", front.url, front.position))
	}
	if len(first) > 0 && isOwnAuthority(first[0].url) {
		upstream.guess("balancer.url", first[0].remark("Caddy signs its certificate with an authority of its own: add tls: {ca_file: ...} with .../caddy/pki/authorities/local/root.crt"))
	}
	site := upstream.site(scope.site.position, first)
	for up := range among(line.block, "header_up") {
		if strings.EqualFold(up.arg(0), "Host") && validAddress(up.arg(1)) {
			site.hostHeader = up.arg(1)
		}
	}
	if scope.password != (position{}) {
		upstream.asksPassword(scope.password, "basic_auth")
	}
	if scope.login != (position{}) {
		upstream.asksLogin(scope.login, "forward_auth")
	}
	if !scope.only.IsZero() {
		upstream.onlyIf(line.position, scope.only)
	} else {
		site.addRoute(route{position: line.position, path: scope.path, to: scope.to, exact: scope.exact, guess: scope.guess})
	}
	return nil
}

// isOwnAuthority reports whether Caddy signs the certificate of an address with its own
// authority, because no public one does.
func isOwnAuthority(address string) bool {
	rest, secure := strings.CutPrefix(address, "https://")
	host, _ := splitAddress(rest)
	return secure && (!public(host) || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".internal"))
}

// caddyUpstream parses the servers and the block of a reverse_proxy; args are the first
// servers.
func caddyUpstream(d directive, args []string) (*upstream, error) {
	u := &upstream{
		position: d.position, kind: "reverse_proxy",
		method:   probes.MethodRandom, // Caddy's default
		ejection: ejection{failTimeout: 10 * time.Second, explicit: true, derivedFrom: phrase.New("there is no fail_duration: Caddy takes no server out because of failed requests")},
		evidence: map[string]string{},
	}
	d.args = args // without the matcher
	for _, line := range append([]directive{d}, slices.Collect(among(d.block, "to"))...) {
		for _, text := range line.args {
			u.caddyServers(line.position, text)
		}
	}
	if err := u.caddySettings(d.block); err != nil {
		return nil, err
	}
	return u, nil
}

// addAdminURL sets the address of the admin API, if the file has one. Caddy's default
// is reachable from its own machine only.
func (r *caddyReader) addAdminURL(u *upstream) {
	if r.admin == "" || r.admin == "off" || strings.Contains(r.admin, "/") {
		return
	}
	host, port := splitAddress(r.admin)
	if front, ok := newFrontend(u.position, "http", host, port, ""); ok {
		u.evidence["caddy_admin"] = front.url
	}
}

// maxPorts limits the servers of a range of ports.
const maxPorts = 64

// caddyServers adds the servers of an upstream's address: one, or one per port of a
// range.
func (u *upstream) caddyServers(at position, text string) {
	s := server{position: at, scheme: "http", address: text, weight: 1}
	if scheme, rest, ok := strings.Cut(text, "://"); ok {
		s.scheme, s.address = strings.Replace(scheme, "h2c", "http", 1), rest
		if scheme == "h2c" {
			u.protocol = probes.ProtocolH2C
		}
	}
	if isVariable(s.address) {
		s.unlisted = notKnown(text)
		u.servers = append(u.servers, s)
		return
	}
	if strings.HasPrefix(s.address, ":") {
		s.address = "localhost" + s.address
	}
	host, ports, _ := strings.Cut(s.address, ":")
	first, final, ranged := strings.Cut(ports, "-")
	from, err1 := strconv.Atoi(first)
	to, err2 := strconv.Atoi(final)
	if ranged && err1 == nil && err2 == nil && from <= to && to-from < maxPorts && validAddress(fmt.Sprintf("%s:%d", host, to)) {
		for port := from; port <= to; port++ {
			s.address = fmt.Sprintf("%s:%d", host, port)
			u.servers = append(u.servers, s)
		}
		return
	}
	if s.scheme != "http" && s.scheme != "https" || !validAddress(s.address) {
		u.guess("nodes", at.remark("%s cannot be probed: its node is not in this file", text))
		return
	}
	if _, port := splitAddress(s.address); port == "" { // Caddy's default
		s.address += ":" + defaultPort[s.scheme]
	}
	u.servers = append(u.servers, s)
}

// caddySettings parses the block of a reverse_proxy.
func (u *upstream) caddySettings(block []directive) error {
	health := caddyHealth{active: haproxyHealth{inter: 30 * time.Second, rise: 1, fall: 1}, maxFails: 1}
	for _, d := range block {
		var err error
		switch d.name {
		case "lb_policy":
			err = u.caddyPolicy(d)
		case "health_uri":
			u.check(d.arg(0))
		case "dynamic":
			u.caddyDynamic(d)
		}
		if err := cmp.Or(err, health.read(d)); err != nil {
			return d.errorf("%s %s: %w", d.name, quoted(strings.Join(d.args, " ")), err)
		}
	}
	if e, ok := health.ejection(); ok {
		u.ejection = e
	}
	if transport := slices.Collect(among(block, "transport")); len(transport) > 0 {
		if transport[0].arg(0) == "fastcgi" {
			u.dynamic = transport[0].remark("transport fastcgi: its servers speak FastCGI, and no HTTP")
		}
		if d, ok := last(transport[0].block, "proxy_protocol"); ok {
			u.protocol = proxyVersion(d.arg(0))
		}
		if d, ok := last(transport[0].block, "versions"); ok && slices.Contains(d.args, "h2c") {
			u.protocol = probes.ProtocolH2C
		}
		for _, name := range []string{"tls", "tls_insecure_skip_verify"} {
			if _, ok := last(transport[0].block, name); ok {
				u.secure("")
			}
		}
	}
	return nil
}

// caddyHealth are the parameters of ejection.
type caddyHealth struct {
	fails    time.Duration // how long a failed request counts; 0: not at all
	maxFails int
	active   haproxyHealth
}

func (h *caddyHealth) read(d directive) (err error) {
	switch d.name {
	case "fail_duration":
		h.fails, err = parseDuration(d.arg(0), time.Second)
	case "max_fails":
		h.maxFails, err = atLeast(d.arg(0), 1)
	case "health_uri":
		h.active.check = true
	case "health_interval":
		h.active.inter, err = parseDuration(d.arg(0), time.Second)
	case "health_passes":
		h.active.rise, err = atLeast(d.arg(0), 1)
	case "health_fails":
		h.active.fall, err = atLeast(d.arg(0), 1)
	}
	return err
}

// ejection converts the parameters to nginx's terms, if ejection is on.
func (h *caddyHealth) ejection() (ejection, bool) {
	switch {
	case h.fails > 0:
		return ejection{maxFails: h.maxFails, failTimeout: h.fails, explicit: true, derivedFrom: phrase.New("fail_duration: each failure counts for that long")}, true
	case h.active.check:
		return h.active.ejection(), true
	}
	return ejection{}, false
}

// caddyDynamic parses dynamic a|srv NAME [PORT], or with name and port in its block.
func (u *upstream) caddyDynamic(d directive) {
	u.partial = true
	u.dynamic = d.remark("dynamic %s: the servers are not in the file", strings.Join(d.args, " "))
	name, port := d.arg(1), d.arg(2)
	if line, ok := last(d.block, "name"); ok {
		name = line.arg(0)
	}
	if line, ok := last(d.block, "port"); ok {
		port = line.arg(0)
	}
	if service, ok := last(d.block, "service"); ok {
		proto, _ := last(d.block, "proto")
		name = "_" + service.arg(0) + "._" + cmp.Or(proto.arg(0), "tcp") + "." + name
	}
	versions, _ := last(d.block, "versions")
	switch kind := d.arg(0); {
	case name == "" || isVariable(name):
	case kind == "a" && slices.Equal(versions.args, []string{"ipv6"}):
		u.discovery = &dnsName{name: name, record: "AAAA", port: cmp.Or(port, "80")}
	case kind == "a":
		u.discovery = &dnsName{name: name, record: "A", port: cmp.Or(port, "80")}
	case kind == "srv":
		u.discovery = &dnsName{name: name, record: "SRV"}
	}
	if resolvers, ok := last(d.block, "resolvers"); ok && u.discovery != nil {
		u.discovery.askAt(resolvers.arg(0))
	}
}

// caddyPolicy parses lb_policy. Caddy's hashes are rendezvous hashes, unlike nginx's.
func (u *upstream) caddyPolicy(line directive) error {
	switch line.arg(0) {
	case "round_robin":
		u.method = probes.MethodRoundRobin
	case "weighted_round_robin":
		u.method = probes.MethodRoundRobin
		for i := range min(len(u.servers), len(line.args)-1) {
			weight, err := atLeast(line.args[i+1], 0)
			if err != nil {
				return err
			}
			u.servers[i].weight, u.servers[i].down = max(weight, 1), weight == 0
		}
	case "least_conn":
		u.method = probes.MethodLeastConn
	case "random", "random_choose":
		u.method = probes.MethodRandom
	case "cookie":
		u.method, u.cookie, u.secret = probes.MethodCookie, cmp.Or(line.arg(1), "lb"), line.arg(2) != "" // lb is the default
	case "first":
		u.method = probes.MethodUnknown
		u.addComment("balancer.method", line.remark("lb_policy first uses the first server that is available"))
	case "ip_hash", "client_ip_hash", "uri_hash", "query", "header":
		u.method = probes.MethodUnknown
		u.addComment("balancer.method", line.remark("lb_policy %s uses Caddy's own hash, which stickwatch does not compute", line.arg(0)))
	default:
		u.method = probes.MethodUnknown
		u.addComment("balancer.method", line.remark("lb_policy %s is not known to stickwatch", line.arg(0)))
	}
	return nil
}
