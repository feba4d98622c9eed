package web

import (
	"cmp"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
)

// SetExternalURL changes Config's ExternalURL for the requests to come.
func (s *Server) SetExternalURL(external *url.URL) {
	s.external.Store(cmp.Or(external, new(url.URL)))
}

// checkRebinding tells why r must not be answered, not even by reading; nil: it may.
//
// A browser at this machine can be led to loopback by a page of anybody whose
// name resolves there by now (DNS rebinding): to the browser that is one and the
// same site, and its scripts may read what comes back. They may set headers, too,
// so that a proxy's prove nothing. What they cannot do is ask for another name
// than their own: so only requests for names that are known are answered, and for
// addresses, which nobody has to resolve. Who has shown a password was not led.
func (s *Server) checkRebinding(r *http.Request) error {
	if !sentToLoopback(r) || s.isKnownHost(hostOf(r.Host)) || s.access.authenticated(r) {
		return nil
	}
	return newProblem(http.StatusMisdirectedRequest, "stickwatch does not go by the name %q here: ask for a loopback address, "+
		"or set alerting.external_url to the page's address, or name users in the web configuration "+
		"(--web.config.file, basic_auth_users)", hostOf(r.Host))
}

// sentToLoopback reports whether a request was sent to a loopback address.
func sentToLoopback(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && local.IP.IsLoopback()
}

// isKnownHost reports whether a host is one by which this daemon is asked. Only what is
// no browser asks for none.
func (s *Server) isKnownHost(host string) bool {
	switch host {
	case "", "localhost", s.machine, hostOf(s.external.Load().Host):
		return true
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

// machineName is what this machine calls itself: by that it finds itself at a
// loopback address, on many systems. "": it does not know.
func machineName() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return hostOf(name)
}

// hostOf is the host of a Host header, as names are compared: without port, in
// lower case.
func hostOf(header string) string {
	host := header
	if name, _, err := net.SplitHostPort(header); err == nil {
		host = name
	} else if len(header) > 2 && header[0] == '[' {
		host = strings.Trim(header, "[]")
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}
