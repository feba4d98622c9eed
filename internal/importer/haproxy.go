package importer

import (
	"cmp"
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"stickwatch/internal/phrase"
	"stickwatch/probes"
)

// An haproxyReader extracts the backends of an haproxy.cfg and the frontends that use
// them.
type haproxyReader struct {
	parsedConfig
	source source
	file   string
	maps   map[string][][]string // contents of map files by name
	dns    map[string]string     // addresses of DNS servers by the names of resolvers
	part   bool                  // the file has neither global nor defaults: it is a part of one
}

// readHAProxy parses haproxy.cfg.
func readHAProxy(src source, file string) (*parsedConfig, error) {
	text, err := src.read(file)
	if err != nil {
		return nil, err
	}
	tree, notes, err := parseHAProxy(file, text)
	if err != nil {
		return nil, err
	}
	r := &haproxyReader{parsedConfig: parsedConfig{noteList: notes}, source: src, file: file, maps: map[string][][]string{}, dns: map[string]string{}}
	r.part = !slices.ContainsFunc(tree, func(d directive) bool { return d.name == "global" || d.name == "defaults" })
	r.recordDirectives(tree)
	for resolvers := range among(tree, "resolvers") {
		for nameserver := range among(resolvers.block, "nameserver") {
			r.dns[resolvers.arg(0)] = cmp.Or(r.dns[resolvers.arg(0)], nameserver.arg(1))
		}
	}
	tree = withDefaults(tree)
	for _, d := range tree {
		if d.name != "backend" && d.name != "listen" {
			continue
		}
		u, err := r.backend(d)
		if err != nil {
			return nil, err
		}
		if len(u.servers) > 0 || !u.dynamic.IsZero() {
			r.upstreams = append(r.upstreams, u)
		} else {
			r.recordUnusable(d.position, phrase.New("%s %s without a server that can be probed", d.name, d.arg(0)), phrase.Phrase{})
			_, sockets := last(d.block, "server")
			r.unusable[len(r.unusable)-1].users = sockets
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
		position: d.position, kind: d.name, name: d.arg(0), tcp: r.tcp(d),
		method: probes.MethodRoundRobin, evidence: map[string]string{},
	}
	var usual []string // default parameters of servers
	var hashType directive
	health := haproxyHealth{inter: 2 * time.Second, rise: 2, fall: 3}
	for _, line := range d.block {
		switch line.name {
		case "hash-type":
			hashType = line
		case "default-server":
			usual = append(usual, line.args...)
		case "server":
			s, h, err := haproxyServer(line, usual, health)
			if err != nil {
				return nil, err
			}
			u.haproxyKeep(s, h)
		case "server-template":
			s, _, err := haproxyServer(directive{position: line.position, args: append([]string{line.arg(0), "template:80"}, line.args[min(len(line.args), 3):]...)}, usual, health)
			if err != nil {
				return nil, err
			}
			if u.protocol = s.protocol; s.scheme == "https" && s.protocol == probes.ProtocolH2C {
				u.protocol = ""
			}
			u.haproxyTemplate(line)
			settings := slices.Concat(usual, line.args)
			if i := slices.Index(settings, "resolvers"); i >= 0 && i+1 < len(settings) && u.discovery != nil {
				u.discovery.askAt(r.dns[settings[i+1]])
			}
		default:
			u.haproxySetting(line)
		}
	}
	if u.method == probes.MethodSource && (hashType.arg(0) == "consistent" || slices.Contains(hashType.args, "avalanche")) {
		u.method = probes.MethodUnknown
		u.addComment("balancer.method", hashType.remark("stickwatch does not compute hash-type %s", strings.Join(hashType.args, " ")))
	}
	if u.cookie != "" && u.tcp.IsZero() {
		u.method = probes.MethodCookie
	}
	return u, nil
}

// httpOnly are the statements that only proxies in mode http have.
var httpOnly = []string{"cookie", "http-request", "http-response", "http-after-response", "redirect", "errorfile", "compression", "http-reuse"}

// tcp returns why a proxy balances connections; zero: it balances requests.
func (r *haproxyReader) tcp(d directive) phrase.Phrase {
	if mode, ok := last(d.block, "mode"); ok {
		if mode.arg(0) == "http" {
			return phrase.Phrase{}
		}
		return phrase.Quote("mode " + mode.arg(0))
	}
	if r.part && slices.ContainsFunc(d.block, func(line directive) bool { return slices.Contains(httpOnly, line.name) }) {
		return phrase.Phrase{} // its defaults are in another file
	}
	return phrase.New(`mode tcp, HAProxy's default (no "mode http" applies to it)`)
}

// haproxyTemplate parses server-template PREFIX COUNT NAME:PORT.
func (u *upstream) haproxyTemplate(d directive) {
	name := haproxyAddress(d.arg(2))
	u.partial = true
	u.dynamic = d.remark("server-template %s takes servers from the name %s in DNS", d.arg(0), d.arg(2))
	if host, port := splitAddress(name); strings.HasPrefix(host, "_") {
		u.discovery = &dnsName{name: host, record: "SRV"}
	} else if host != "" {
		u.discovery = &dnsName{name: host, record: "A", port: port}
	}
}

// haproxyKeep adds a server, unless it has no address on the network.
func (u *upstream) haproxyKeep(s server, h haproxyHealth) {
	if s.address == "" && s.unlisted.IsZero() {
		u.guess("nodes", s.remark("the server %s has no address that can be probed: it is not in this file", s.name))
		return
	}
	if len(u.servers) == 0 {
		u.ejection = h.ejection()
	}
	if h.fcgi {
		u.dynamic = s.remark("proto fcgi: the servers speak FastCGI, and no HTTP")
	}
	u.servers = append(u.servers, s)
}

// stickCookie matches the application's cookie in a stick rule.
var stickCookie = regexp.MustCompile(`\b(?:res|req)?\.?s?cook(?:ie)?\(([^),]+)\)`)

// haproxySetting parses a line of a backend that applies to all servers.
func (u *upstream) haproxySetting(line directive) {
	switch line.name {
	case "balance":
		u.haproxyBalance(line)
	case "cookie":
		u.haproxyCookie(line)
	case "use-fcgi-app":
		u.dynamic = line.remark("its servers speak FastCGI, and no HTTP")
	case "appsession": // of HAProxy 1.5: a table of the application's cookie
		u.addComment("balancer.method", line.remark("appsession keeps clients by the cookie %s", line.arg(0)))
		u.method, u.sessionName = probes.MethodUnknown, line.arg(0)
	case "stick":
		if name := stickCookie.FindStringSubmatch(line.text()); name != nil {
			u.sessionName = name[1]
		}
		u.addComment("balancer.method", line.remark("a stick table keeps clients: stick %s", strings.Join(line.args, " ")))
		if line.arg(0) != "store-response" && u.method != probes.MethodCookie {
			u.method = probes.MethodUnknown
		}
	case "option":
		if line.arg(0) == "httpchk" {
			for _, arg := range line.args[1:] {
				u.check(arg)
			}
		}
	case "http-response":
		if value := line.arg(2); strings.HasSuffix(line.arg(0), "-header") && (value == "%s" || value == "%[srv_name]") {
			u.routeHeader = line.arg(1)
		}
	case "http-check":
		if i := slices.Index(line.args, "uri"); i >= 0 && i+1 < len(line.args) {
			u.check(line.args[i+1])
		}
	case "http-request":
		if line.arg(0) == "auth" {
			u.asksPassword(line.position, "http-request auth")
		}
		if slices.Contains([]string{"replace-path", "set-path", "replace-uri", "set-uri", "replace-pathq"}, line.arg(0)) {
			u.rewrites = append(u.rewrites, line)
		}
	}
}

// haproxyRegsub is %[path,regsub(PATTERN,REPLACEMENT)].
var haproxyRegsub = regexp.MustCompile(`^%\[path(?:q)?,regsub\(["']?([^,"']*)["']?,["']?([^,"')]*)["']?[^)]*\)\]$`)

// rewritten applies the path rules of a backend to a route. It returns false if they do
// not map all paths below it alike.
func (u *upstream) rewritten(way route) (route, bool) {
	for _, d := range u.rewrites {
		before, cond, _ := condition(d.args)
		text, replacement := d.arg(1), d.arg(2)
		anchored := false
		if m := haproxyRegsub.FindStringSubmatch(d.arg(1)); m != nil {
			text, replacement = m[1], m[2]
		} else if len(before) != 3 || !strings.HasPrefix(d.arg(0), "replace-") {
			return way, false
		} else {
			anchored = true
		}
		p := newPattern(text, false)
		if cond != nil || p.re == nil {
			return way, false
		}
		change := func(path string) string { return p.substitute(path, replacement, anchored) }
		to := change(way.to)
		if !way.exact && !strings.HasSuffix(way.path, "/") && to == "" {
			way.path, to = way.path+"/", "/"
		}
		if !way.exact && change(strings.TrimSuffix(way.path, "/")+"/"+pathBelow) != strings.TrimSuffix(to, "/")+"/"+pathBelow {
			return way, false
		}
		way.to = to
	}
	return way, strings.HasPrefix(way.to, "/")
}

// check adds the path of a health check.
func (u *upstream) check(path string) {
	if strings.HasPrefix(path, "/") && !slices.Contains(u.checks, path) {
		u.checks = append(u.checks, path)
	}
}

func (u *upstream) haproxyBalance(line directive) {
	name, _, _ := strings.Cut(line.arg(0), "(")
	switch name {
	case "roundrobin", "static-rr":
		u.method = probes.MethodRoundRobin
	case "leastconn":
		u.method = probes.MethodLeastConn
	case "random":
		u.method = probes.MethodRandom
	case "first":
		u.method = probes.MethodUnknown
		u.addComment("balancer.method", line.remark("balance first fills the first server up to its maxconn, then the next one"))
	case "source":
		u.method = probes.MethodSource
	case "uri", "url_param", "hdr", "hash", "rdp-cookie":
		u.method = probes.MethodUnknown
		u.addComment("balancer.method", line.remark("balance %s uses HAProxy's own hash, which stickwatch does not compute", line.arg(0)))
	default:
		u.method = probes.MethodUnknown
		u.addComment("balancer.method", line.remark("balance %s is not known to stickwatch", line.arg(0)))
	}
}

// haproxyCookie parses cookie NAME insert|prefix|rewrite [dynamic] ..., of which the last line
// counts.
func (u *upstream) haproxyCookie(d directive) {
	u.keyComments = slices.DeleteFunc(u.keyComments, func(c keyComment) bool { return c.text == u.cookieComment })
	u.cookie = d.arg(0)
	u.prefixed = slices.Contains(d.args, "prefix")
	u.secret = slices.Contains(d.args, "dynamic")
	if slices.Contains(d.args, "rewrite") {
		u.cookieComment = d.remark("the application sets the cookie %s, and the balancer writes the node into it", u.cookie)
		u.addComment("session", u.cookieComment)
	}
}

// haproxyHealth are the parameters of ejection.
type haproxyHealth struct {
	check, observe bool
	inter          time.Duration
	rise, fall     int
	errorLimit     int
	fcgi           bool // the server speaks FastCGI
}

// ejection converts the parameters to nginx's terms.
func (h haproxyHealth) ejection() ejection {
	back := max(h.inter*time.Duration(h.rise), time.Second)
	back = (back + time.Second - 1).Truncate(time.Second)
	switch {
	case !h.check:
		return ejection{failTimeout: 10 * time.Second, explicit: true, derivedFrom: phrase.New("no server has check: HAProxy takes none out")}
	case h.observe:
		return ejection{
			maxFails: h.errorLimit, failTimeout: back, explicit: true,
			derivedFrom: phrase.New("observe: %d failed requests in a row, and back after %d good checks", h.errorLimit, h.rise),
		}
	default:
		return ejection{
			maxFails: h.fall, failTimeout: back, explicit: true,
			derivedFrom: phrase.New("checks every %s: out after %d that fail, back after %d that pass; requests that fail count for nothing", h.inter, h.fall, h.rise),
		}
	}
}

// haproxyServer parses server NAME ADDRESS [PARAMETERS] after the default parameters.
func haproxyServer(line directive, usual []string, health haproxyHealth) (server, haproxyHealth, error) {
	s := server{position: line.position, name: line.arg(0), scheme: "http", weight: 1}
	if len(line.args) < 2 {
		return s, health, line.errorf("server: expected NAME ADDRESS, got %d arguments", len(line.args))
	}
	s.haproxyAddress(line.arg(1))
	health.errorLimit = 10
	for _, params := range [][]string{usual, line.args[2:]} {
		for i := 0; i < len(params); i++ {
			param, value := params[i], ""
			if slices.Contains(haproxyValued, param) && i+1 < len(params) {
				i++
				value = params[i]
			}
			if err := s.haproxyParam(&health, param, value); err != nil {
				return s, health, line.errorf("server %s: %s %s: %w", quoted(s.name), quotedBare(param), quoted(value), err)
			}
		}
	}
	return s, health, nil
}

// haproxyValued are the parameters of a server that are followed by a value.
var haproxyValued = []string{
	"addr", "agent-addr", "agent-inter", "agent-port", "agent-send", "alpn", "ca-file", "check-alpn", "check-proto", "check-sni",
	"ciphers", "ciphersuites", "client-sigalgs", "cookie", "crl-file", "crt", "curves", "downinter", "error-limit", "fall", "fastinter",
	"guid", "hash-key", "id", "init-addr", "init-state", "inter", "log-bufsize", "log-proto", "max-reuse", "maxconn", "maxqueue", "minconn",
	"namespace", "npn", "observe", "on-error", "on-marked-down", "on-marked-up", "pool-conn-name", "pool-low-conn", "pool-max-conn",
	"pool-purge-delay", "port", "proto", "proxy-v2-options", "redir", "resolve-net", "resolve-opts", "resolve-prefer", "resolvers",
	"rise", "set-proxy-v2-tlv-fmt", "shard", "sigalgs", "slowstart", "sni", "socks4", "source", "ssl-max-ver", "ssl-min-ver", "tcp-ut",
	"track", "usesrc", "verify", "verifyhost", "weight", "ws",
}

func (s *server) haproxyParam(health *haproxyHealth, param, value string) (err error) {
	switch param {
	case "weight":
		if s.weight, err = atLeast(value, 0); err == nil && s.weight == 0 {
			s.weight, s.down = 1, true // weight 0 keeps clients and gets no new ones
		}
	case "cookie":
		s.label = value
	case "backup", "disabled":
		s.backup, s.down = s.backup || param == "backup", s.down || param == "disabled"
	case "enabled":
		s.down = false
	case "ssl", "no-ssl":
		s.scheme = map[string]string{"ssl": "https", "no-ssl": "http"}[param]
	case "check", "no-check":
		health.check = param == "check"
	case "observe":
		health.observe = true
	case "send-proxy":
		s.protocol = probes.ProtocolProxyV1
	case "send-proxy-v2", "send-proxy-v2-ssl", "send-proxy-v2-ssl-cn":
		s.protocol = probes.ProtocolProxyV2
	case "no-send-proxy", "no-send-proxy-v2":
		s.protocol = ""
	case "proto":
		health.fcgi = value == "fcgi"
		switch { // it is independent of send-proxy
		case value == "h2" && s.protocol == "":
			s.protocol = probes.ProtocolH2C
		case value != "h2" && s.protocol == probes.ProtocolH2C:
			s.protocol = ""
		}
	default:
		err = health.param(param, value)
	}
	return err
}

// param parses a parameter of health checks.
func (h *haproxyHealth) param(param, value string) (err error) {
	switch param {
	case "inter":
		h.inter, err = parseDuration(value, time.Millisecond)
	case "rise":
		h.rise, err = atLeast(value, 1)
	case "fall":
		h.fall, err = atLeast(value, 1)
	case "error-limit":
		h.errorLimit, err = atLeast(value, 1)
	}
	return err
}

// haproxyAddress sets the address of a server line. Without a port the server gets the
// port to which the client connected; :+N and :-N shift that.
func (s *server) haproxyAddress(text string) {
	s.address = haproxyAddress(text)
	if host, shift, ok := cutShift(text); ok {
		s.address, s.sameport, s.shift = haproxyAddress(host), true, shift
	} else if _, port := splitAddress(s.address); s.address != "" && port == "" {
		s.sameport = true
	}
	if isVariable(text) {
		s.address, s.unlisted = text, notKnown(text)
	}
}

// cutShift splits HOST:+N and HOST:-N.
func cutShift(text string) (host string, shift int, ok bool) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 || i+1 == len(text) || text[i+1] != '+' && text[i+1] != '-' {
		return "", 0, false
	}
	shift, err := strconv.Atoi(text[i+1:])
	return text[:i], shift, err == nil && shift > -1<<16 && shift < 1<<16
}

// haproxyFamily matches the family of an address on the network.
var haproxyFamily = regexp.MustCompile(`^(ipv[46]|mptcp[46]?|tcp[46]?)@`)

// haproxyAddress returns the address of a server line as in a URL; "" for sockets and
// other addresses that cannot be probed.
func haproxyAddress(text string) string {
	text = haproxyFamily.ReplaceAllString(text, "")
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

var errNoDuration = errors.New("expected a time, such as 20s")

var durationPart = regexp.MustCompile(`^(\d{1,9})(us|ms|s|m|h|d|w|M|y|)`)

var durationUnits = map[string]time.Duration{
	"us": time.Microsecond, "ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
	"d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "M": 30 * 24 * time.Hour, "y": 365 * 24 * time.Hour,
}

// parseDuration parses a duration of a balancer's configuration, such as 20s, 1m30s or 500ms.
// A number without a unit counts the given unit.
func parseDuration(text string, unit time.Duration) (time.Duration, error) {
	var sum time.Duration
	for rest := text; ; {
		part := durationPart.FindStringSubmatch(rest)
		if part == nil {
			return 0, errNoDuration
		}
		n, _ := strconv.Atoi(part[1]) // cannot fail: few digits
		scale, ok := durationUnits[part[2]]
		if !ok {
			scale = unit
		}
		sum += min(time.Duration(n), 10*365*24*time.Hour/scale) * scale
		if rest = rest[len(part[0]):]; rest == "" {
			return sum, nil
		}
	}
}
