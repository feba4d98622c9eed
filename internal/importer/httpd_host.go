package importer

import (
	"cmp"
	"strings"
)

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
			u.addComment("balancer.evidence", d.position.String()+": "+d.arg(0)+" has to let stickwatch in (Require ip)")
		}
	}
}
