package importer

import (
	"cmp"
	"slices"
	"strings"

	"stickwatch/internal/phrase"
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
	env := variables{}
	env.defines(tree)
	r := &httpdReader{parsedConfig: parsedConfig{noteList: notes, anyCase: true}}
	tree = macros{reader: r, known: map[string]directive{}}.expand(env.evaluate(tree), 0)
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
	r.look(tree)
	r.recordDirectives(tree)
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
			r.balancer(d.position, d.arg(0)).proxySet(d.position, d.args[1:])
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
			u.proxySet(line.position, line.args)
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
		ejection: ejection{maxFails: 1, failTimeout: httpdRetry, derivedFrom: httpdEjects},
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

// look records what the file has instead of balancers.
func (r *httpdReader) look(block []directive) {
	for _, d := range block {
		r.look(d.block)
		switch target := d.arg(len(d.args) - 1); {
		case d.name == "redirect" || d.name == "redirectmatch" || d.name == "redirectpermanent" || d.name == "rewriterule":
			r.redirectTo(d.position, d.args)
		case d.name == "jkmount" || d.name == "jkworkersfile" || d.name == "jkmountfile":
			r.recordUnusable(d.position, phrase.Quote(d.text()), phrase.New("mod_jk has its balancers in workers.properties: stickwatch init --mod-jk FILE"))
		case d.name == "proxypass" && len(d.args) > 0 && strings.Contains(target, "://") && !isBalancer(target):
			r.recordUnusable(d.position, phrase.Quote(d.text()), oneServer)
		case d.name == "weblogiccluster" || d.name == "weblogichost":
			r.recordUnprobeable(d.position, phrase.New("%s, of WebLogic's plug-in", d.text()), phrase.New("describe the cluster with --balancer URL --node ID=URL --profile weblogic"))
		case d.name == "sethandler" && strings.HasPrefix(d.arg(0), "proxy:"):
			r.recordUnprobeable(d.position, phrase.Quote(d.text()), httpOnlyNodes)
		}
	}
}

// httpOnlyNodes is the advice where servers speak another protocol.
var httpOnlyNodes = phrase.New("stickwatch asks nodes by HTTP")

// host follows the routes of a host to the balancers. Directives of the main server
// apply to every host.
func (r *httpdReader) host(host httpdHost, main []directive) {
	frontends := r.frontends(host, main)
	for _, way := range r.routes(host.block, "", phrase.Phrase{}) {
		u := way.to
		s := u.site(host.position, frontends)
		if !way.only.IsZero() {
			u.onlyIf(way.position, way.only)
		} else {
			s.addRoute(way.route)
		}
		u.httpdHeaders(main)
		u.httpdHeaders(host.block)
		u.httpdPassword(host.block, way.path)
		u.httpdEvidence(main)
		u.httpdEvidence(host.block)
		if on, ok := last(slices.Concat(main, host.block), "proxypreservehost"); ok && strings.EqualFold(on.arg(0), "on") {
			s.hostHeader = httpdName(host.block, main)
		}
	}
}

// httpdPassword records the AuthType of a block, and of its sections that concern a path
// to u.
func (u *upstream) httpdPassword(block []directive, path string) {
	for _, d := range block {
		switch {
		case d.name == "authtype" && !strings.EqualFold(d.arg(0), "none"):
			u.asksPassword(d.position, d.text())
		case d.name == "location" && strings.HasPrefix(path, d.arg(0)),
			d.name == "proxy" && (d.arg(0) == "*" || isBalancer(d.arg(0)) && strings.EqualFold(strings.Trim(d.arg(0)[len(balancerScheme):], "/"), u.name)):
			u.httpdPassword(d.block, path)
		}
	}
}

// frontends returns the addresses of a host.
func (r *httpdReader) frontends(host httpdHost, main []directive) []frontend {
	name := httpdName(host.block, main)
	scheme := "http"
	if on, ok := last(host.block, "sslengine"); ok && strings.EqualFold(on.arg(0), "on") {
		scheme = "https"
	}
	addresses := host.args
	if host.name == "" {
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
		if front, ok := httpdFrontend(host.position, scheme, text, name); ok {
			all = append(all, front)
		}
	}
	return userFrontends(all, name != "", redirectsToHTTPS(host.block))
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
		if ok && key != "" && len(u.sites) > 0 && len(u.sites[0].frontends) > 0 && u.evidence[key] == "" && strings.HasPrefix(d.arg(0), "/") {
			u.evidence[key] = u.sites[0].frontends[0].url + d.arg(0)
			u.addComment("balancer.evidence", d.remark("%s must allow stickwatch (Require ip)", d.arg(0)))
		}
	}
}
