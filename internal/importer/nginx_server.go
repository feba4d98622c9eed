package importer

import (
	"cmp"
	"slices"
	"strings"
)

// nginxFrontends returns the addresses of a server.
func nginxFrontends(d directive) []frontend {
	name := realName(d)
	var all []frontend
	for _, listen := range nginxListens(d) {
		if e, ok := nginxFrontend(listen, name); ok {
			all = append(all, e)
		}
	}
	return oneScheme(all, name)
}

// nginxListens returns the listen lines of a server, or nginx's default.
func nginxListens(d directive) []directive {
	lines := slices.Collect(among(d.block, "listen"))
	if len(lines) == 0 {
		lines = []directive{{position: d.position, name: "listen", args: []string{"80"}}}
	}
	if ssl, ok := last(d.block, "ssl"); ok && ssl.arg(0) == "on" {
		for i := range lines {
			lines[i].args = append(slices.Clone(lines[i].args), "ssl")
		}
	}
	return lines
}

// nginxFrontend returns the address of a listen line; false where it is not HTTP over
// TCP.
func nginxFrontend(d directive, name string) (frontend, bool) {
	text := d.arg(0)
	if strings.HasPrefix(text, "unix:") || slices.Contains(d.args, "quic") {
		return frontend{}, false
	}
	if strings.Trim(text, "0123456789") == "" {
		text = "*:" + text
	}
	scheme := "http"
	if slices.Contains(d.args, "ssl") {
		scheme = "https"
	}
	host, port := splitAddress(text)
	e, ok := newFrontend(d.position, scheme, host, cmp.Or(port, "80"), name) // the default port is 80 with ssl, too
	if slices.Contains(d.args, "proxy_protocol") {
		e.guess = "it expects the PROXY protocol, which stickwatch does not speak: write the address of what stands before it"
	}
	return e, ok
}

// realName returns the first server_name that users may use; "" if there is none.
func realName(d directive) string {
	for names := range among(d.block, "server_name") {
		for _, name := range names.args {
			if public(name) {
				return name
			}
		}
	}
	return ""
}
