package importer

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"stickwatch/probes"
)

// An haproxyReader extracts the backends of an haproxy.cfg and the frontends that use
// them.
type haproxyReader struct {
	parsedConfig
}

// readHAProxy parses haproxy.cfg.
func readHAProxy(src source, file string) (*parsedConfig, error) {
	text, err := src.read(file)
	if err != nil {
		return nil, err
	}
	tree, err := parseHAProxy(file, text)
	if err != nil {
		return nil, err
	}
	tree = withDefaults(tree)
	r := new(haproxyReader)
	for _, d := range tree {
		if d.name != "backend" && d.name != "listen" {
			continue
		}
		u, err := r.backend(d)
		if err != nil {
			return nil, err
		}
		if len(u.servers) > 0 {
			r.upstreams = append(r.upstreams, u)
		}
	}
	for _, d := range tree {
		if d.name == "frontend" || d.name == "listen" {
			r.frontend(d)
		}
	}
	return &r.parsedConfig, nil
}

// withDefaults prepends the lines of its defaults section to each proxy: the nearest
// one above, or the one it names.
func withDefaults(tree []directive) []directive {
	var near []directive
	named := map[string][]directive{}
	var out []directive
	for _, d := range tree {
		base := near
		if i := slices.Index(d.args, "from"); i >= 0 && i+1 < len(d.args) {
			base = named[d.args[i+1]]
		}
		switch d.name {
		case "defaults":
			if i := slices.Index(d.args, "from"); i >= 0 {
				d.block = slices.Concat(base, d.block)
			}
			near = d.block
			named[d.arg(0)] = d.block
		case "frontend", "backend", "listen":
			d.block = slices.Concat(base, d.block)
			out = append(out, d)
		}
	}
	return out
}

// backend parses a backend, or the backend part of a listen section.
func (r *haproxyReader) backend(d directive) (*upstream, error) {
	u := &upstream{
		position: d.position, kind: d.name, name: d.arg(0),
		method: probes.MethodRoundRobin, evidence: map[string]string{},
	}
	var usual []string // default parameters of servers
	health := haproxyHealth{inter: 2 * time.Second, rise: 2, fall: 3}
	for _, line := range d.block {
		switch line.name {
		case "default-server":
			usual = append(usual, line.args...)
		case "server":
			s, h, err := haproxyServer(line, usual, health)
			if err != nil {
				return nil, err
			}
			r.keep(u, s, h)
		case "server-template":
			u.partial = true
			u.guess("nodes", line.position.String()+": server-template makes servers that the file does not list: write them here")
		default:
			u.haproxySetting(line)
		}
	}
	if u.cookie != "" {
		u.method = probes.MethodCookie
	}
	return u, nil
}

// keep adds a server, unless it cannot be probed.
func (r *haproxyReader) keep(u *upstream, s server, h haproxyHealth) {
	if s.address == "" {
		u.guess("nodes", s.position.String()+": the server "+s.name+" has no address that can be probed: it is not in this file")
		return
	}
	if len(u.servers) == 0 {
		u.ejection = h.ejection()
	}
	u.servers = append(u.servers, s)
}

// haproxySetting parses a line of a backend that applies to all servers.
func (u *upstream) haproxySetting(d directive) {
	switch d.name {
	case "balance":
		u.haproxyBalance(d)
	case "cookie":
		u.haproxyCookie(d)
	case "mode":
		u.tcp = d.arg(0) == "tcp"
	case "stick":
		u.addComment("balancer.method", d.position.String()+": a stick table keeps clients: stick "+strings.Join(d.args, " "))
		if d.arg(0) != "store-response" && u.method != probes.MethodCookie {
			u.method = probes.MethodUnknown
		}
	case "option":
		if d.arg(0) == "httpchk" {
			for _, arg := range d.args[1:] {
				u.check(arg)
			}
		}
	case "http-check":
		if i := slices.Index(d.args, "uri"); i >= 0 && i+1 < len(d.args) {
			u.check(d.args[i+1])
		}
	case "http-request":
		if d.arg(0) == "replace-path" || d.arg(0) == "set-path" || d.arg(0) == "replace-uri" {
			u.guess("pages", d.position.String()+": the path is rewritten: pages of the nodes may have other paths")
		}
	}
}

// check adds the path of a health check.
func (u *upstream) check(path string) {
	if strings.HasPrefix(path, "/") && !slices.Contains(u.checks, path) {
		u.checks = append(u.checks, path)
	}
}

func (u *upstream) haproxyBalance(d directive) {
	name, _, _ := strings.Cut(d.arg(0), "(")
	switch name {
	case "roundrobin", "static-rr":
		u.method = probes.MethodRoundRobin
	case "leastconn":
		u.method = probes.MethodLeastConn
	case "random":
		u.method = probes.MethodRandom
	default:
		u.method = probes.MethodUnknown
		u.addComment("balancer.method", d.position.String()+": balance "+d.arg(0)+" uses HAProxy's own hash, which stickwatch does not compute")
	}
}

// haproxyCookie parses cookie NAME insert|prefix|rewrite [dynamic] ...
func (u *upstream) haproxyCookie(d directive) {
	u.cookie = d.arg(0)
	u.prefixed = slices.Contains(d.args, "prefix")
	u.secret = slices.Contains(d.args, "dynamic")
	if slices.Contains(d.args, "rewrite") {
		u.addComment("session", d.position.String()+": the application sets the cookie "+u.cookie+", and the balancer writes the node into it")
	}
}

// haproxyHealth are the parameters of ejection.
type haproxyHealth struct {
	check, observe bool
	inter          time.Duration
	rise, fall     int
	errorLimit     int
}

// ejection converts the parameters to nginx's terms.
func (h haproxyHealth) ejection() ejection {
	back := max(h.inter*time.Duration(h.rise), time.Second)
	back = (back + time.Second - 1).Truncate(time.Second)
	switch {
	case !h.check:
		return ejection{failTimeout: 10 * time.Second, explicit: true, derivedFrom: "no server has check: HAProxy takes none out"}
	case h.observe:
		return ejection{
			maxFails: h.errorLimit, failTimeout: back, explicit: true,
			derivedFrom: fmt.Sprintf("observe: %d failed requests in a row, and back after %d good checks", h.errorLimit, h.rise),
		}
	default:
		return ejection{
			maxFails: h.fall, failTimeout: back, explicit: true,
			derivedFrom: fmt.Sprintf("checks every %s: out after %d that fail, back after %d that pass; requests that fail count for nothing", h.inter, h.fall, h.rise),
		}
	}
}

// haproxyServer parses server NAME ADDRESS [PARAMETERS] after the default parameters.
func haproxyServer(d directive, usual []string, h haproxyHealth) (server, haproxyHealth, error) {
	s := server{position: d.position, name: d.arg(0), scheme: "http", weight: 1}
	if len(d.args) < 2 {
		return s, h, d.errorf("server: expected NAME ADDRESS, got %d arguments", len(d.args))
	}
	s.address = haproxyAddress(d.arg(1))
	h.errorLimit = 10
	for _, params := range [][]string{usual, d.args[2:]} {
		for i, param := range params {
			value := ""
			if i+1 < len(params) {
				value = params[i+1]
			}
			if err := s.haproxyParam(&h, param, value); err != nil {
				return s, h, d.errorf("server %s: %s %s: %w", quoted(s.name), quotedBare(param), quoted(value), err)
			}
		}
	}
	return s, h, nil
}

func (s *server) haproxyParam(h *haproxyHealth, param, value string) (err error) {
	switch param {
	case "weight":
		if s.weight, err = atLeast(value, 0); err == nil && s.weight == 0 {
			s.weight, s.down = 1, true // weight 0 keeps clients and gets no new ones
		}
	case "cookie":
		s.label = value
	case "backup":
		s.backup = true
	case "disabled":
		s.down = true
	case "enabled":
		s.down = false
	case "ssl":
		s.scheme = "https"
	case "no-ssl":
		s.scheme = "http"
	case "check":
		h.check = true
	case "no-check":
		h.check = false
	case "observe":
		h.observe = true
	case "inter":
		h.inter, err = times(value, time.Millisecond)
	case "rise":
		h.rise, err = atLeast(value, 1)
	case "fall":
		h.fall, err = atLeast(value, 1)
	case "error-limit":
		h.errorLimit, err = atLeast(value, 1)
	}
	return err
}

// haproxyAddress returns the address of a server line as in a URL; "" for sockets and
// other addresses that cannot be probed.
func haproxyAddress(text string) string {
	for _, family := range []string{"ipv4@", "ipv6@"} {
		text = strings.TrimPrefix(text, family)
	}
	if i := strings.LastIndexByte(text, ':'); i > 0 && strings.Contains(text[:i], ":") && text[0] != '[' { // ::1:8080
		if ip, err := netip.ParseAddr(text[:i]); err == nil && ip.Is6() {
			text = "[" + text[:i] + "]" + text[i:]
		}
	}
	if !validAddress(text) {
		return ""
	}
	return text
}
