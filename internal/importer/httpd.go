package importer

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"stickwatch/probes"
)

// An httpdReader extracts the balancers of an httpd.conf and the routes to them.
type httpdReader struct {
	parsedConfig
	listens []directive // of the main server
}

// readApache parses httpd.conf, or a part of one.
func readApache(src source, file string) (*parsedConfig, error) {
	tree, notes, err := loadHTTPD(src, file)
	if err != nil {
		return nil, err
	}
	tree = variables{}.evaluate(tree)
	r := &httpdReader{parsedConfig: parsedConfig{noteList: notes}}
	for d := range among(tree, "listen") {
		r.listens = append(r.listens, d)
	}
	hosts := []httpdHost{{block: tree}}
	for d := range among(tree, "virtualhost") {
		hosts = append(hosts, httpdHost{directive: d, block: d.block})
	}
	for _, h := range hosts {
		if err := r.balancers(h.block); err != nil {
			return nil, err
		}
	}
	for _, h := range hosts {
		r.host(h, tree)
	}
	return &r.parsedConfig, nil
}

// An httpdHost is a virtual host, or the main server.
type httpdHost struct {
	directive             // zero for the main server
	block     []directive // its own directives
}

// balancers parses the balancers of a block.
func (r *httpdReader) balancers(block []directive) error {
	for _, d := range block {
		var err error
		switch {
		case d.name == "proxy" && isBalancer(d.arg(0)):
			err = r.proxy(d)
		case d.name == "balancermember" && isBalancer(d.arg(0)):
			u := r.balancer(d.position, d.arg(0))
			d.args = d.args[1:]
			err = u.member(d)
		case d.name == "proxyset" && isBalancer(d.arg(0)):
			err = r.balancer(d.position, d.arg(0)).proxySet(d.position, d.args[1:])
		case d.name == "location" || d.name == "proxy" || d.name == "if" || d.name == "ifdefine":
			err = r.balancers(d.block)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// proxy parses a <Proxy balancer://NAME> section.
func (r *httpdReader) proxy(d directive) error {
	u := r.balancer(d.position, d.arg(0))
	for _, line := range d.block {
		var err error
		switch line.name {
		case "balancermember":
			err = u.member(line)
		case "proxyset":
			err = u.proxySet(line.position, line.args)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

const balancerScheme = "balancer://"

func isBalancer(address string) bool {
	return len(address) > len(balancerScheme) && strings.EqualFold(address[:len(balancerScheme)], balancerScheme)
}

// balancer returns the upstream of balancer://NAME/PATH, and creates it if necessary.
func (r *httpdReader) balancer(at position, address string) *upstream {
	name, _ := splitPath(address[len(balancerScheme):])
	if u := r.named(name); u != nil {
		return u
	}
	u := &upstream{
		position: at, kind: "balancer", name: name, method: probes.MethodRoundRobin,
		// One failed connection ejects a member for a minute.
		ejection: ejection{maxFails: 1, failTimeout: httpdRetry, derivedFrom: "the first failed connection ejects a member, for the time of retry"},
		evidence: map[string]string{},
	}
	r.upstreams = append(r.upstreams, u)
	return u
}

// splitPath splits HOST/PATH; the path includes its slash.
func splitPath(address string) (host, path string) {
	if i := strings.IndexByte(address, '/'); i >= 0 {
		return address[:i], address[i:]
	}
	return address, ""
}

// host follows the routes of a host to the balancers. Directives of the main server
// apply to every host.
func (r *httpdReader) host(h httpdHost, main []directive) {
	routes := r.routes(h.block, "")
	if len(routes) == 0 {
		return
	}
	frontends := r.frontends(h, main)
	for _, way := range routes {
		u := way.to
		if len(u.frontends) == 0 {
			for _, e := range frontends {
				u.addFrontend(e)
			}
		} else {
			for _, e := range frontends {
				u.alsoReached(e)
			}
		}
		if strings.HasPrefix(way.path, "/") {
			u.addRoute(way.route)
		}
		u.httpdHeaders(main)
		u.httpdHeaders(h.block)
		u.httpdEvidence(main)
		u.httpdEvidence(h.block)
		if on, ok := last(slices.Concat(main, h.block), "proxypreservehost"); ok && strings.EqualFold(on.arg(0), "on") {
			u.hostHeader = httpdName(h.block, main)
		}
	}
}

// An httpdRoute is a route with the name of its balancer.
type httpdRoute struct {
	route
	to *upstream
}

// routes returns the routes of a block: ProxyPass with a path, in a <Location> without
// one, and RewriteRule with [P].
func (r *httpdReader) routes(block []directive, location string) []httpdRoute {
	var out []httpdRoute
	for _, d := range block {
		switch d.name {
		case "location", "if":
			path := d.arg(0)
			if path == "~" || d.name == "if" {
				path = ""
			}
			out = append(out, r.routes(d.block, path)...)
		case "locationmatch":
			out = append(out, r.routes(d.block, "")...)
		case "proxypass", "proxypassmatch":
			out = append(out, r.proxyPass(d, location)...)
		case "rewriterule":
			if u := r.named(httpdTarget(d.arg(1))); u != nil {
				out = append(out, httpdRoute{route{position: d.position}, u})
			}
		}
	}
	return out
}

// proxyPass parses ProxyPass [PATH] balancer://NAME/PATH [KEY=VALUE...].
func (r *httpdReader) proxyPass(d directive, path string) []httpdRoute {
	args := d.args
	if len(args) > 0 && !isBalancer(args[0]) {
		path, args = args[0], args[1:]
	}
	if len(args) == 0 || !isBalancer(args[0]) {
		return nil // "!", or a single server, which is no cluster
	}
	name := httpdTarget(args[0])
	u := r.named(name)
	if u == nil {
		r.note("%s: there is no <Proxy %s%s> with its members", d.position, balancerScheme, name)
		return nil
	}
	if err := u.proxySet(d.position, args[1:]); err != nil {
		r.note("%v", err)
	}
	_, to := splitPath(args[0][len(balancerScheme):])
	if d.name == "proxypassmatch" {
		path = ""
	}
	if to == "" {
		to = "/"
		path = strings.TrimSuffix(path, "/") + "/"
	}
	return []httpdRoute{{route{position: d.position, path: path, to: to}, u}}
}

// httpdTarget returns NAME of balancer://NAME/PATH; "" for any other address.
func httpdTarget(address string) string {
	if !isBalancer(address) {
		return ""
	}
	name, _ := splitPath(address[len(balancerScheme):])
	return name
}

// parseMember parses the address of a member.
func parseMember(text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	if err != nil || !validAddress(u.Host) {
		return nil, false
	}
	return u, true
}

// frontends returns the addresses of a host.
func (r *httpdReader) frontends(h httpdHost, main []directive) []frontend {
	name := httpdName(h.block, main)
	scheme := "http"
	if on, ok := last(h.block, "sslengine"); ok && strings.EqualFold(on.arg(0), "on") {
		scheme = "https"
	}
	addresses := h.args
	if h.name == "" {
		addresses = nil
		for _, d := range r.listens {
			addresses = append(addresses, d.arg(0))
		}
	}
	if len(addresses) == 0 {
		addresses = []string{"*:80"}
	}
	var all []frontend
	for _, text := range addresses {
		if e, ok := httpdFrontend(h.position, scheme, text, name); ok {
			all = append(all, e)
		}
	}
	return oneScheme(all, name)
}

func httpdFrontend(at position, scheme, text, name string) (frontend, bool) {
	if strings.Trim(text, "0123456789") == "" {
		text = "*:" + text
	}
	text = strings.Replace(text, "_default_", "*", 1)
	host, port := splitAddress(text)
	if port == "*" {
		port = ""
	}
	if port == "443" {
		scheme = "https"
	}
	return newFrontend(at, scheme, host, port, name)
}

// httpdName returns the public name of a host, else that of the main server; "" when
// neither has one.
func httpdName(block, main []directive) string {
	for _, level := range [][]directive{block, main} {
		d, ok := last(level, "servername")
		if !ok {
			continue
		}
		_, rest, _ := strings.Cut(d.arg(0), "://")
		host, _ := splitAddress(cmp.Or(rest, d.arg(0)))
		if public(host) {
			return host
		}
		return ""
	}
	return ""
}

// handlers are httpd's status pages of balancers, with the keys of the evidence.
var handlers = map[string]string{
	"server-status":    "apache_status",
	"balancer-manager": "apache_balancer_manager",
}

// httpdEvidence sets the addresses of those pages. The address of their host is known
// only if users' addresses are; else the first address is used.
func (u *upstream) httpdEvidence(block []directive) {
	for d := range among(block, "location") {
		handler, ok := last(d.block, "sethandler")
		key := handlers[handler.arg(0)]
		if ok && key != "" && len(u.frontends) > 0 && u.evidence[key] == "" && strings.HasPrefix(d.arg(0), "/") {
			u.evidence[key] = u.frontends[0].url + d.arg(0)
			u.addComment("balancer.evidence", d.position.String()+": "+d.arg(0)+" must allow stickwatch (Require ip)")
		}
	}
}
