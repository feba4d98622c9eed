package importer

import (
	"slices"
	"strings"
)

// frontend follows the rules of a frontend to the backends, and finds the statistics
// page.
func (r *haproxyReader) frontend(d directive) {
	acls := haproxyACLs(d.block)
	for _, line := range d.block {
		if line.name == "use_backend" {
			if u := r.named(line.arg(0)); u != nil {
				c := acls.conditionOf(line.args[1:])
				r.addFrontends(u, d, c.host)
				for _, path := range c.paths {
					u.addRoute(route{position: line.position, path: path, to: path})
				}
			}
		}
	}
	backend := d.arg(0) // a listen section is its own backend
	if line, ok := last(d.block, "default_backend"); ok {
		backend = line.arg(0)
	}
	if u := r.named(backend); u != nil && (u.position == d.position || backend != d.arg(0)) {
		r.addFrontends(u, d, "")
		u.addRoute(route{position: d.position, path: "/", to: "/"})
	}
	r.statistics(d)
}

// addFrontends adds the addresses of a frontend to u.
func (r *haproxyReader) addFrontends(u *upstream, d directive, name string) {
	taken := len(u.frontends) > 0
	for _, e := range haproxyFrontends(d, name) {
		if taken {
			u.alsoReached(e)
		} else {
			u.addFrontend(e)
		}
	}
}

// haproxyFrontends returns the addresses of the bind lines.
func haproxyFrontends(d directive, name string) []frontend {
	var all []frontend
	for bind := range among(d.block, "bind") {
		scheme := "http"
		if slices.Contains(bind.args, "ssl") {
			scheme = "https"
		}
		for text := range strings.SplitSeq(bind.arg(0), ",") {
			text = strings.TrimPrefix(strings.TrimPrefix(text, "ipv4@"), "ipv6@")
			if strings.HasPrefix(text, ":::") { // HAProxy's notation of [::]
				text = "*" + text[2:]
			}
			host, port := splitAddress(text)
			if port == "" || strings.ContainsAny(text, "/@$") {
				continue // a socket, or a variable of HAProxy's environment
			}
			e, ok := newFrontend(bind.position, scheme, host, port, name)
			if slices.Contains(bind.args, "accept-proxy") {
				e.guess = "it expects the PROXY protocol, which stickwatch does not support: write the address of the proxy in front of it"
			}
			if ok {
				all = append(all, e)
			}
		}
	}
	return oneScheme(all, name)
}

// statistics sets the statistics page for every upstream, if d has one.
func (r *haproxyReader) statistics(d directive) {
	path, shown := "/haproxy?stats", false
	for line := range among(d.block, "stats") {
		switch line.arg(0) {
		case "enable":
			shown = true
		case "uri":
			path, shown = line.arg(1), true
		case "auth":
			r.note("%s: the statistics require a password: add it to evidence.haproxy_stats as ${VARIABLE}", line.position)
		}
	}
	frontends := haproxyFrontends(d, "")
	if !shown || len(frontends) == 0 || !strings.HasPrefix(path, "/") {
		return
	}
	for _, u := range r.upstreams {
		if u.evidence["haproxy_stats"] == "" {
			u.evidence["haproxy_stats"] = frontends[0].url + path
			if frontends[0].guess != "" {
				u.guess("balancer.evidence", frontends[0].position.String()+": "+guessedAddress)
			}
		}
	}
}

// acls are conditions by name.
type acls map[string][]condition

// A condition is the condition of a use_backend rule.
type condition struct {
	paths []string // prefixes
	host  string
}

func haproxyACLs(block []directive) acls {
	out := acls{}
	for d := range among(block, "acl") {
		if len(d.args) > 2 {
			out[d.args[0]] = append(out[d.args[0]], newCondition(d.args[1:]))
		}
	}
	return out
}

// newCondition parses FETCH [-i] [-m METHOD] [--] VALUE...
func newCondition(words []string) (c condition) {
	var values []string
	fetch, words := words[0], words[1:]
	for i := 0; i < len(words); i++ {
		switch {
		case words[i] == "-m" || words[i] == "-f" || words[i] == "-M":
			i++
		case !strings.HasPrefix(words[i], "-"):
			values = append(values, words[i])
		}
	}
	switch name, _, _ := strings.Cut(fetch, ","); {
	case name == "path" || name == "path_beg" || name == "path_dir":
		for _, value := range values {
			if strings.HasPrefix(value, "/") {
				c.paths = append(c.paths, value)
			}
		}
	case strings.HasPrefix(strings.ToLower(name), "hdr(host)"), strings.HasPrefix(strings.ToLower(name), "req.hdr(host)"), name == "ssl_fc_sni":
		if len(values) > 0 && public(values[0]) {
			c.host = values[0]
		}
	}
	return c
}

// conditionOf returns the paths and hosts of a use_backend's condition, which consists
// of names of ACLs, or { FETCH VALUE... }.
func (a acls) conditionOf(words []string) (out condition) {
	add := func(c condition) {
		out.paths = append(out.paths, c.paths...)
		if out.host == "" {
			out.host = c.host
		}
	}
	for i := 0; i < len(words); i++ {
		if words[i] != "{" {
			for _, c := range a[words[i]] { // "!NAME" is no key, so a negated ACL adds nothing
				add(c)
			}
			continue
		}
		end := i + 1 + max(slices.Index(words[i+1:], "}"), 0)
		if inside := words[i+1 : end]; len(inside) > 1 && (i == 0 || words[i-1] != "!") {
			add(newCondition(inside))
		}
		i = end
	}
	return out
}
