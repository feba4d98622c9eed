package importer

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"

	"stickwatch/internal/phrase"
)

// An haproxyFrontend is a frontend, or the frontend part of a listen section, which
// decides about requests.
type haproxyFrontend struct {
	directive
	reader *haproxyReader
	acls   acls
	binds  []haproxyBind
	rules  []haproxyRule // redirects in order, then use_backend
	base   string        // name of the default backend; "": none
}

// An haproxyBind is an address on which a frontend listens.
type haproxyBind struct {
	position
	host, port string // host "": every address of the machine
	secure     bool
	name       string        // host name in the name of the certificate; "": none
	guess      phrase.Phrase // why the address may be wrong
}

// frontend follows the rules of a frontend to the backends.
func (r *haproxyReader) frontend(d directive) {
	f := &haproxyFrontend{directive: d, reader: r, acls: haproxyACLs(d.block), binds: haproxyBinds(d)}
	if d.name == "listen" {
		f.base = d.arg(0)
	}
	if line, ok := last(d.block, "default_backend"); ok {
		f.base = line.arg(0)
	}
	var choices []haproxyRule
	for _, line := range d.block {
		switch {
		case line.name == "redirect", line.name == "http-request" && slices.Contains(haproxyEnds, line.arg(0)):
			r.redirectTo(line.position, line.args)
			f.rules = append(f.rules, f.acls.rule(line))
		case line.name == "use_backend":
			choices = append(choices, f.acls.rule(line))
		}
	}
	f.rules = append(f.rules, choices...)
	for _, line := range choices {
		f.follow(line)
	}
	f.followDefault()
	r.statistics(f)
}

// haproxyEnds are the actions of http-request after which no backend is asked.
var haproxyEnds = []string{"redirect", "deny", "reject", "tarpit", "return", "silent-drop"}

// follow adds the ways of a use_backend rule.
func (f *haproxyFrontend) follow(line haproxyRule) {
	dynamic := strings.Contains(line.arg(0), "%[")
	for _, upstream := range f.reader.upstreams {
		if !dynamic && upstream.name != line.arg(0) {
			continue
		}
		candidates := line.requests()
		if dynamic {
			candidates = f.mapped(line.arg(0), upstream.name)
		}
		reached := false
		for _, c := range candidates {
			reached = f.tryHosts(upstream, line.directive, c) || reached
		}
		switch {
		case reached || dynamic && !f.open(line.arg(0)):
		case dynamic:
			s := upstream.site(line.position, f.frontends(f.binds, ""))
			for i := range s.frontends {
				s.frontends[i].guess = phrase.New("use_backend %s may lead to %s, by what is not in this file: write the address for users", line.arg(0), upstream.name)
			}
			upstream.onlyIf(line.position, phrase.New("use_backend %s decides", line.arg(0)))
		default:
			host := ""
			for i := range candidates {
				host = cmp.Or(host, candidates[i].host)
			}
			s := upstream.site(line.position, f.frontends(f.binds, host))
			for i := range candidates {
				if c := candidates[i]; c.host == host && len(s.frontends) > 0 {
					s.frontends[0].guess = cmp.Or(s.frontends[0].guess, c.hostGuess)
				}
			}
			upstream.onlyIf(line.position, f.unreached(line, candidates))
		}
	}
}

// unreached returns why no plain GET takes a use_backend rule.
func (f *haproxyFrontend) unreached(line haproxyRule, candidates []haproxyCandidate) phrase.Phrase {
	text := strings.Join(line.args[1:], " ")
	for _, c := range candidates {
		if line.holds(haproxyRequest{host: c.host, path: c.path}) == yes {
			return phrase.New("an earlier rule takes the requests of %s", `"`+text+`"`)
		}
	}
	only := phrase.New("only requests for which %s holds", `"`+text+`"`)
	if definitions := f.definitions(line.args[1:]); len(definitions) > 0 {
		return phrase.New("%s (%s)", only, phrase.Join(definitions, ", "))
	}
	return only
}

// definitions returns the first lines of the ACLs in a condition, for messages.
func (f *haproxyFrontend) definitions(words []string) (out []phrase.Phrase) {
	for _, word := range words {
		name := strings.TrimLeft(word, "!")
		if tests := f.acls[name]; tests != nil && strings.ToUpper(name) != name {
			out = append(out, phrase.New("%s is %s", name, tests[0].text))
		}
	}
	return out
}

// followDefault adds the way to the default backend: every path that no rule takes.
func (f *haproxyFrontend) followDefault() {
	upstream := f.reader.named(f.base)
	if upstream == nil || f.name == "listen" && f.base == f.arg(0) && upstream.position != f.position {
		return
	}
	if f.tryHosts(upstream, f.directive, haproxyCandidate{path: "/"}) {
		return
	}
	for _, line := range f.rules { // the target of a redirect, and the value of a condition may lead there
		for _, c := range f.elsewhere(line) {
			if f.try(upstream, f.directive, c) {
				return
			}
		}
	}
	if !f.behindTLS(upstream) && f.backend(haproxyRequest{path: "/"}) != "" {
		upstream.site(f.position, f.frontends(f.binds, ""))
		upstream.onlyIf(f.position, phrase.New("only requests that no use_backend of %s takes", f.arg(0)))
	}
}

// elsewhere returns the request to which a redirect leads.
func (f *haproxyFrontend) elsewhere(line haproxyRule) []haproxyCandidate {
	args := line.args
	if line.name == "http-request" {
		args = args[1:]
	}
	if line.name == "use_backend" || len(args) < 2 || args[0] != "location" {
		return nil
	}
	host, path := "", args[1]
	if _, rest, ok := strings.Cut(path, "://"); ok {
		host, path = splitPath(rest)
	}
	return []haproxyCandidate{{host: host, path: path, exact: true}}
}

// behindTLS adds the way to the default backend of a frontend that redirects each
// client without a header of a proxy in front of it.
func (f *haproxyFrontend) behindTLS(u *upstream) bool {
	for _, line := range f.rules {
		before, cond, _ := condition(line.args)
		if cond == nil || !slices.Contains(before, "https") {
			continue
		}
		secure := slices.Clone(f.binds)
		for i := range secure {
			secure[i].secure, secure[i].port = true, "443"
			secure[i].guess = phrase.New("%s redirects to https unless a proxy in front of HAProxy has set a header: write the address of that proxy", line.position)
		}
		s := u.site(f.position, f.frontends(secure, ""))
		s.addRoute(route{position: f.position, path: "/", to: "/"})
		return true
	}
	return false
}

// try adds a way to u if HAProxy passes a request to it. The rule is a use_backend, or
// the frontend itself.
func (f *haproxyFrontend) try(u *upstream, rule directive, c haproxyCandidate) bool {
	var served []haproxyBind
	for _, bind := range f.binds {
		if f.backend(haproxyRequest{host: c.host, path: c.path, port: bind.port, secure: bind.secure}) == u.name {
			served = append(served, bind)
		}
	}
	if len(served) == 0 && len(f.binds) > 0 {
		return false
	}
	at := f.position
	if c.host != "" {
		at = rule.position
	}
	for i, bind := range served {
		if !c.hostGuess.IsZero() && bind.guess.IsZero() {
			served[i].guess = c.hostGuess
			continue
		}
		named := haproxyRequest{host: c.host + ":" + bind.port, path: c.path, port: bind.port, secure: bind.secure}
		if c.host != "" && bind.guess.IsZero() && bind.port != "80" && bind.port != "443" && f.backend(named) != u.name {
			served[i].guess = phrase.New("the rule asks for the host without a port, but clients of port %s send it with the port: write the address for users", bind.port)
		}
	}
	for line := range among(f.block, "http-request") {
		if line.arg(0) == "auth" && f.acls.rule(line).holds(haproxyRequest{host: c.host, path: c.path, secure: served != nil && served[0].secure}) == yes {
			u.asksPassword(line.position, "http-request auth")
		}
	}
	s := u.site(at, f.frontends(served, c.host))
	way, ok := u.rewritten(route{position: rule.position, path: c.path, to: c.path, exact: c.exact, guess: c.guess})
	if ok {
		s.addRoute(way)
	} else {
		u.onlyIf(u.rewrites[0].position, phrase.New("%s changes the path", u.rewrites[0].text()))
	}
	return true
}

// tryHosts is try, and where a request without a known host is denied, try with the hosts
// that the rules allow.
func (f *haproxyFrontend) tryHosts(u *upstream, rule directive, c haproxyCandidate) bool {
	if f.try(u, rule, c) {
		return true
	}
	if c.host != "" {
		return false
	}
	for _, line := range f.rules {
		if line.name != "http-request" {
			continue
		}
		for _, host := range line.allowedHosts() {
			c.host, c.hostGuess = host.name, host.guess
			if f.try(u, rule, c) {
				return true
			}
		}
	}
	return false
}

// backend returns the backend to which the frontend passes a request; "": none, or it
// is not known.
func (f *haproxyFrontend) backend(r haproxyRequest) string {
	for _, line := range f.rules {
		if line.holds(r) != yes {
			continue
		}
		if line.name != "use_backend" {
			return ""
		}
		if !strings.Contains(line.arg(0), "%[") {
			return line.arg(0)
		}
		if name := f.dynamic(line.arg(0), r); f.reader.named(name) != nil {
			return name
		}
	}
	return f.base
}

// haproxyDynamic is a use_backend with one sample expression.
var haproxyDynamic = regexp.MustCompile(`^(.*)%\[([^\]]*)\](.*)$`)

// haproxyMap is the converter map(FILE,DEFAULT), or one of its variants.
var haproxyMap = regexp.MustCompile(`map(?:_([a-z]+))?\(([^,)]+)(?:,([^)]*))?\)`)

// dynamic returns the name that the expression of a use_backend results in.
func (f *haproxyFrontend) dynamic(text string, r haproxyRequest) string {
	parts := haproxyDynamic.FindStringSubmatch(text)
	if parts == nil {
		return ""
	}
	test := newHAProxyTest([]string{parts[2]})
	key := ""
	switch {
	case test.isHost():
		key = r.host
	case test.isPath():
		key = r.path
	}
	m := haproxyMap.FindStringSubmatch(parts[2])
	if m == nil {
		return parts[1] + key + parts[3]
	}
	for _, entry := range f.reader.readMap(m[2]) {
		t := haproxyTest{fetch: test.fetch, argument: test.argument, method: m[1], values: entry[:1], patterns: []pattern{newPattern(entry[0], false)}}
		if t.matches(key) == yes {
			return parts[1] + entry[1] + parts[3]
		}
	}
	return parts[1] + m[3] + parts[3]
}

// mapped returns requests for which the expression of a use_backend may result in a
// name.
func (f *haproxyFrontend) mapped(text, name string) (out []haproxyCandidate) {
	parts := haproxyDynamic.FindStringSubmatch(text)
	if parts == nil || !strings.HasPrefix(name, parts[1]) || !strings.HasSuffix(name[len(parts[1]):], parts[3]) {
		return nil
	}
	name = strings.TrimSuffix(name[len(parts[1]):], parts[3])
	test := newHAProxyTest([]string{parts[2]})
	m := haproxyMap.FindStringSubmatch(parts[2])
	if m == nil {
		test.values, test.method = []string{name}, ""
		return test.requests()
	}
	test.method = m[1]
	for _, entry := range f.reader.readMap(m[2]) {
		if entry[1] != name || len(out) >= maxNames {
			continue
		}
		test.values = entry[:1]
		out = append(out, test.requests()...)
	}
	if m[3] == name {
		out = append(out, haproxyCandidate{path: "/"})
	}
	return out
}

// open reports whether a use_backend may lead anywhere: it depends on a map that cannot
// be read, or on something else than the host and the path.
func (f *haproxyFrontend) open(text string) bool {
	if m := haproxyMap.FindStringSubmatch(text); m != nil {
		return f.reader.readMap(m[2]) == nil
	}
	parts := haproxyDynamic.FindStringSubmatch(text)
	if parts == nil {
		return true
	}
	test := newHAProxyTest([]string{parts[2]})
	return !test.isHost() && !test.isPath()
}

// readMap returns the keys and values of a map file; nil if it cannot be read.
func (r *haproxyReader) readMap(name string) [][]string {
	if entries, known := r.maps[name]; known {
		return entries
	}
	var entries [][]string
	text, err := r.source.read(name)
	if err != nil {
		text, _ = r.source.read(path.Join(path.Dir(r.file), path.Base(name)))
	}
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) == 2 && words[0][0] != '#' {
			entries = append(entries, words)
		}
	}
	r.maps[name] = entries
	return entries
}

// frontends returns the addresses of bind lines, with a name that the requests have.
func (f *haproxyFrontend) frontends(binds []haproxyBind, name string) []frontend {
	var all []frontend
	for _, b := range binds {
		scheme, host := "http", name
		if b.secure {
			scheme = "https"
			if host == "" && (b.host == "" || isIP(b.host)) {
				host = b.name
			}
		}
		front, ok := newFrontend(b.position, scheme, b.host, b.port, host)
		switch {
		case !b.guess.IsZero():
			front.guess = b.guess
		case host != "" && host != name:
			front.guess = phrase.New("the name is that of the certificate: write the address for users")
		}
		if ok {
			all = append(all, front)
		}
	}
	return userFrontends(all, name != "", false)
}

// haproxyBinds returns the addresses of the bind lines, and those in the section's own
// line, as in old files.
func haproxyBinds(d directive) []haproxyBind {
	lines := slices.Collect(among(d.block, "bind"))
	if own := d.arg(1); strings.Contains(own, ":") {
		lines = append(lines, directive{position: d.position, args: d.args[1:]})
	}
	var out []haproxyBind
	for _, line := range lines {
		for text := range strings.SplitSeq(line.arg(0), ",") {
			if b, ok := haproxyBindOf(line, text); ok {
				out = append(out, b)
			}
		}
	}
	return out
}

// certificateParts are words at the end of the names of certificate files that are no
// domain.
var certificateParts = []string{"all", "bundle", "cert", "chain", "combined", "crt", "full", "fullchain", "haproxy", "key", "pem", "server"}

// haproxyBindOf parses an address of a bind line; false if it is not HTTP over TCP.
func haproxyBindOf(line directive, text string) (haproxyBind, bool) {
	text = haproxyFamily.ReplaceAllString(text, "")
	if strings.HasPrefix(text, ":::") { // HAProxy's notation of [::]
		text = "*" + text[2:]
	}
	b := haproxyBind{position: line.position, secure: slices.Contains(line.args, "ssl")}
	if i := strings.LastIndexByte(text, ':'); i >= 0 && strings.Contains(text[i:], "$") {
		b.guess = phrase.New("the port %s is a variable of HAProxy's environment: write the address for users", text[i+1:])
		text = text[:i] + ":" + defaultPort[map[bool]string{true: "https", false: "http"}[b.secure]]
	}
	b.host, b.port = splitAddress(text)
	b.port, _, _ = strings.Cut(b.port, "-")
	switch {
	case b.port == "" || strings.ContainsAny(text, "/@"):
		return b, false // a socket
	case strings.Contains(b.host, "$"):
		b.guess = phrase.New("the address %s is a variable of HAProxy's environment: write the address for users", b.host)
		b.host = ""
	case slices.Contains(line.args, "accept-proxy"):
		b.guess = phrase.New("it expects the PROXY protocol, which stickwatch does not support: write the address of the proxy in front of it")
	}
	if i := slices.Index(line.args, "crt"); i >= 0 {
		file := path.Base(line.arg(i + 1))
		name := strings.TrimSuffix(file, path.Ext(file))
		if last := strings.TrimPrefix(path.Ext(name), "."); public(name) && !slices.Contains(certificateParts, last) {
			b.name = name
		}
	}
	return b, true
}

// statistics sets the statistics page for every upstream, if a frontend has one.
func (r *haproxyReader) statistics(f *haproxyFrontend) {
	path, shown := "/haproxy?stats", false
	for line := range among(f.block, "stats") {
		switch line.arg(0) {
		case "enable":
			shown = true
		case "uri":
			path, shown = line.arg(1), true
		case "auth":
			r.note("%s: the statistics require a password: add it to evidence.haproxy_stats as ${VARIABLE}", line.position)
		}
	}
	frontends := f.frontends(f.binds, "")
	if !shown || len(frontends) == 0 || !strings.HasPrefix(path, "/") {
		return
	}
	for _, u := range r.upstreams {
		if u.evidence["haproxy_stats"] == "" {
			u.evidence["haproxy_stats"] = frontends[0].url + path
			if !frontends[0].guess.IsZero() {
				u.guess("balancer.evidence", frontends[0].withPosition(guessedAddress))
			}
		}
	}
}
