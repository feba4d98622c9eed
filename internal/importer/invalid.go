package importer

import (
	"maps"
	"net/url"
	"regexp"
	"strings"
)

// token matches names of headers and cookies (RFC 9110, RFC 6265).
var token = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")

// dropInvalid removes values from u that are not valid in stickwatch.yml, and adds
// notes: a balancer's file may contain variables everywhere.
func (u *upstream) dropInvalid() {
	for _, name := range []struct {
		text *string
		key  string
	}{
		{&u.clientIPHeader, "balancer.client_ip_header"},
		{&u.routeHeader, "session"},
		{&u.routeCookie, "session"},
		{&u.cookie, "session"},
	} {
		if *name.text != "" && !token.MatchString(*name.text) {
			u.guess(name.key, quoted(*name.text)+" is the name of no header or cookie, and left out")
			*name.text = ""
		}
	}
	if u.cookie == "" {
		u.prefixed, u.secret = false, false
	}
	if !validAddress(u.hostHeader) {
		u.hostHeader = ""
	}
	maps.DeleteFunc(u.evidence, func(key, where string) bool {
		at, err := url.Parse(where)
		return key != "nginx_error_log" && (err != nil || strings.Contains(at.Path, "@"))
	})
}

// isValidPath reports whether a path can be used in a URL as it is; "" can, a variable
// or pattern cannot.
func isValidPath(path string) bool {
	u, err := url.Parse("http://host" + path)
	return err == nil && u.Path == path && u.EscapedPath() == path && !strings.ContainsAny(path, "@${}*\"'\\") && len(path) <= 200
}
