package importer

import (
	"slices"
	"strconv"
	"strings"

	"stickwatch/internal/phrase"
)

// An haproxyRequest is a GET of a client without a session, as far as conditions see it.
type haproxyRequest struct {
	host, path, port string // host "": not known
	secure           bool
}

// acls are the conditions of a frontend by name. Lines of one name are alternatives.
type acls map[string][]haproxyTest

func haproxyACLs(block []directive) acls {
	out := acls{}
	for name, words := range map[string][]string{
		"TRUE": {"always_true"}, "FALSE": {"always_false"}, "HTTP": {"always_true"}, "WAIT_END": {"always_true"},
		"REQ_CONTENT": {"always_false"}, "HTTP_CONTENT": {"always_false"}, "HTTP_URL_SLASH": {"path_beg", "/"},
	} {
		out[name] = []haproxyTest{newHAProxyTest(words)}
	}
	for _, method := range []string{"GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "CONNECT", "TRACE"} {
		out["METH_"+method] = []haproxyTest{newHAProxyTest([]string{"method", method})}
	}
	for d := range among(block, "acl") {
		if len(d.args) > 1 {
			out[d.args[0]] = append(out[d.args[0]], newHAProxyTest(d.args[1:]))
		}
	}
	return out
}

// An haproxyRule is a rule of a frontend with its condition: alternatives, each a list
// of terms that must all hold.
type haproxyRule struct {
	directive
	conditional, unless bool
	alternatives        [][]term
}

func (a acls) rule(d directive) haproxyRule {
	_, words, unless := condition(d.args)
	return haproxyRule{d, words != nil, unless, a.terms(words)}
}

// A term is a part of a condition.
type term struct {
	tests   []haproxyTest // alternatives
	negated bool
}

// terms splits the condition of a rule into alternatives, each a list of terms that
// must all hold.
func (a acls) terms(words []string) [][]term {
	out := [][]term{nil}
	add := func(t term) { out[len(out)-1] = append(out[len(out)-1], t) }
	negated := false
	for i := 0; i < len(words); i++ {
		word := words[i]
		for strings.HasPrefix(word, "!") {
			negated = !negated
			word = word[1:]
		}
		switch word {
		case "":
			continue
		case "or", "||":
			out = append(out, nil)
		case "{":
			end := i + 1 + max(slices.Index(words[i+1:], "}"), 0)
			add(term{[]haproxyTest{newHAProxyTest(words[i+1 : end])}, negated})
			i = end
		default:
			tests := a[word]
			if tests == nil {
				tests = []haproxyTest{newHAProxyTest(nil)}
			}
			add(term{tests, negated})
		}
		negated = false
	}
	return out
}

// condition splits a rule's words into those before its condition and the condition.
func condition(words []string) (before, condition []string, unless bool) {
	for i, word := range words {
		if word == "if" || word == "unless" {
			return words[:i], words[i+1:], word == "unless"
		}
	}
	return words, nil, false
}

// holds evaluates the condition of a rule for a request.
func (rule haproxyRule) holds(r haproxyRequest) conditionResult {
	if !rule.conditional {
		return yes
	}
	any := no
	for _, all := range rule.alternatives {
		result := yes
		for _, t := range all {
			if result = min(result, t.holds(r)); result == no {
				break
			}
		}
		any = max(any, result)
	}
	if rule.unless {
		return yes - any
	}
	return any
}

func (t term) holds(r haproxyRequest) conditionResult {
	any := no
	for _, test := range t.tests {
		any = max(any, test.holds(r))
	}
	if t.negated {
		return yes - any
	}
	return any
}

// An haproxyTest is FETCH(ARGUMENT),CONVERTERS [-i] [-m METHOD] VALUE...
type haproxyTest struct {
	fetch, argument string
	method          string // such as beg; "": equal
	fold, unknown   bool
	withoutPort     bool // a converter drops the port of the host
	values          []string
	patterns        []pattern // of the method reg
	text            string    // as in the file
}

// haproxyMatches are the methods that may end the name of a fetch.
var haproxyMatches = []string{"beg", "end", "sub", "dir", "dom", "reg", "len", "cnt", "val", "ip"}

func newHAProxyTest(words []string) (test haproxyTest) {
	if len(words) == 0 {
		return haproxyTest{unknown: true}
	}
	name, rest, _ := strings.Cut(words[0], "(")
	test.argument, rest, _ = strings.Cut(rest, ")")
	name, converters, _ := strings.Cut(name, ",")
	test.fetch = strings.TrimPrefix(strings.ToLower(name), "req.")
	test.unknown = strings.Contains(converters+rest, "map") || strings.Contains(converters+rest, "length")
	test.withoutPort = strings.Contains(converters+rest, "field(1,:") || strings.Contains(converters+rest, "host_only") || strings.Contains(converters+rest, "word(1,:") || strings.Contains(rest, "regsub")
	if i := strings.LastIndexByte(test.fetch, '_'); i > 0 && slices.Contains(haproxyMatches, test.fetch[i+1:]) {
		test.fetch, test.method = test.fetch[:i], test.fetch[i+1:]
	}
	for i := 1; i < len(words); i++ {
		switch word := words[i]; {
		case word == "-i":
			test.fold = true
		case word == "-m" && i+1 < len(words):
			i++
			test.method = words[i]
		case word == "-f" || word == "-M" || word == "-u":
			i++
			test.unknown = true
		case word == "-n" || word == "--":
		default:
			test.values = append(test.values, word)
		}
	}
	if test.text = strings.Join(words, " "); test.method == "reg" {
		for _, value := range test.values {
			test.patterns = append(test.patterns, newPattern(value, test.fold))
		}
	}
	return test
}

// isHost reports whether the test is on the host name.
func (t haproxyTest) isHost() bool {
	switch t.fetch {
	case "hdr", "fhdr", "hdr_ip":
		return strings.EqualFold(strings.TrimSpace(strings.Split(t.argument, ",")[0]), "host")
	case "ssl_fc_sni", "ssl_sni", "req_ssl_sni":
		return true
	}
	return false
}

func (t haproxyTest) isPath() bool {
	return slices.Contains([]string{"path", "url", "uri", "pathq", "capture.req.uri"}, t.fetch)
}

func (t haproxyTest) holds(r haproxyRequest) conditionResult {
	switch {
	case t.unknown:
		return maybe
	case t.fetch == "always_true", strings.HasPrefix(t.fetch, "srv_is_up"):
		return yes
	case t.fetch == "always_false":
		return no
	case t.fetch == "ssl_fc":
		return truthOf(r.secure == !slices.Contains(t.values, "0"))
	case t.fetch == "dst_port":
		return t.number(r.port)
	case t.fetch == "nbsrv" || t.fetch == "connslots": // all servers are up usually
		return t.number("1000")
	case t.isHost():
		if r.host == "" {
			return no // any client without that name
		}
		if host, _, withPort := strings.Cut(r.host, ":"); withPort && (t.method == "beg" || t.method == "dom" || strings.HasSuffix(t.fetch, "sni") || t.withoutPort) {
			return t.matches(host)
		}
		return t.matches(r.host)
	case t.isPath():
		return t.matches(r.path)
	case t.fetch == "base":
		return t.matches(r.host + r.path)
	case t.fetch == "method":
		return t.matches("GET")
	case slices.Contains([]string{"hdr", "fhdr", "cook", "cookie", "urlp", "url_param", "query", "hdrs", "http_auth"}, t.fetch):
		if t.method == "cnt" {
			return t.number("0")
		}
		return no // the request has none of them
	}
	return maybe
}

// matches compares the values with a text.
func (t haproxyTest) matches(text string) conditionResult {
	if t.method == "reg" {
		return truthOf(slices.ContainsFunc(t.patterns, func(p pattern) bool { return p.matches(text) }))
	}
	fold := func(s string) string {
		if t.fold || t.isHost() {
			return strings.ToLower(s)
		}
		return s
	}
	text = fold(text)
	for _, value := range t.values {
		var matched bool
		switch value = fold(value); t.method {
		case "", "str":
			matched = text == value
		case "beg":
			matched = strings.HasPrefix(text, value)
		case "end":
			matched = strings.HasSuffix(text, value)
		case "sub":
			matched = strings.Contains(text, value)
		case "dir":
			matched = strings.Contains(strings.TrimSuffix(text, "/")+"/", "/"+strings.Trim(value, "/")+"/")
		case "dom":
			matched = strings.Contains("."+text+".", "."+strings.Trim(value, ".")+".")
		case "found":
			matched = true
		default:
			return maybe
		}
		if matched {
			return yes
		}
	}
	return truthOf(t.method == "found")
}

// number matches the values, such as "80", "80:90" or "gt 1", with a number.
func (t haproxyTest) number(text string) conditionResult {
	n, err := strconv.Atoi(text)
	if err != nil {
		return maybe
	}
	operator := "eq"
	for _, value := range t.values {
		low, high, ranged := strings.Cut(value, ":")
		a, err1 := strconv.Atoi(low)
		b, err2 := strconv.Atoi(high)
		switch {
		case slices.Contains([]string{"eq", "ge", "gt", "le", "lt"}, value):
			operator = value
		case err1 != nil:
			return maybe
		case operator == "eq" && (n == a || ranged && err2 == nil && n >= a && n <= b),
			operator == "ge" && n >= a, operator == "gt" && n > a, operator == "le" && n <= a, operator == "lt" && n < a:
			return yes
		}
	}
	return no
}

// requests returns requests that may fulfil the condition of a rule, from its values:
// those of hosts combined with those of paths.
func (rule haproxyRule) requests() (out []haproxyCandidate) {
	if !rule.conditional || rule.unless {
		return []haproxyCandidate{{path: "/"}}
	}
	for _, all := range rule.alternatives {
		var hosts []haproxyHost
		var paths []haproxyCandidate
		for _, t := range all {
			for _, test := range t.tests {
				if !t.negated {
					h, p := test.candidates()
					hosts, paths = append(hosts, h...), append(paths, p...)
				}
			}
		}
		if hosts == nil {
			hosts = []haproxyHost{{}}
		}
		if paths == nil {
			paths = []haproxyCandidate{{path: "/"}}
		}
		for _, host := range hosts[:min(len(hosts), maxNames)] {
			for _, p := range paths[:min(len(paths), maxNames)] {
				if p.host == "" {
					p.host, p.hostGuess = host.name, host.guess
				}
				out = append(out, p)
			}
		}
	}
	return out
}

// An haproxyCandidate is a request that may fulfil a condition.
type haproxyCandidate struct {
	host, path string
	exact      bool          // only the path itself, not paths below it
	guess      phrase.Phrase // why the path may not exist
	hostGuess  phrase.Phrase // why the host may not exist
}

// An haproxyHost is a host for which a condition asks.
type haproxyHost struct {
	name  string
	guess phrase.Phrase // why it may not exist
}

// allowedHosts returns the hosts for which a rule does not hold: those of its negated
// tests.
func (rule haproxyRule) allowedHosts() (out []haproxyHost) {
	for _, all := range rule.alternatives {
		for _, t := range all {
			for _, test := range t.tests {
				if t.negated != rule.unless {
					hosts, _ := test.candidates()
					out = append(out, hosts...)
				}
			}
		}
	}
	return out[:min(len(out), maxNames)]
}

// requests returns requests that a test on the host or the path asks for.
func (t haproxyTest) requests() []haproxyCandidate {
	hosts, out := t.candidates()
	for _, host := range hosts {
		out = append(out, haproxyCandidate{host: host.name, hostGuess: host.guess, path: "/"})
	}
	return out
}

// candidates returns the hosts and the paths that a test asks for.
func (t haproxyTest) candidates() (hosts []haproxyHost, paths []haproxyCandidate) {
	for i, value := range t.values {
		switch {
		case t.isHost():
			if host := t.host(i); public(host.name) || host.name == "localhost" {
				hosts = append(hosts, host)
			}
		case t.fetch == "base":
			host, path := splitPath(value)
			paths = append(paths, haproxyCandidate{host: strings.ToLower(host), path: path, exact: t.method == ""})
		case t.isPath():
			paths = append(paths, t.path(value))
		}
	}
	return hosts, slices.DeleteFunc(paths, func(c haproxyCandidate) bool { return !strings.HasPrefix(c.path, "/") })
}

// host returns a host that a value of a test on the host matches, with an invented part
// where the value is only a part of the name.
func (t haproxyTest) host(i int) haproxyHost {
	value := strings.ToLower(t.values[i])
	host, _ := splitAddress(value)
	some := phrase.New("one of the hosts that match %s: write one that users use", "hdr_"+t.method+"(host) "+value)
	switch t.method {
	case "", "str":
		return haproxyHost{name: host}
	case "end", "dom":
		return haproxyHost{"www." + strings.TrimPrefix(host, "."), some}
	case "beg":
		return haproxyHost{strings.TrimSuffix(host, ".") + ".example.com", some}
	case "sub":
		return haproxyHost{strings.Trim(host, ".") + ".example.com", some}
	case "reg":
		return haproxyHost{strings.ToLower(newPattern(t.values[i], t.fold).shortest()), some}
	}
	return haproxyHost{}
}

// path returns a path that the value of a test on the path matches.
func (t haproxyTest) path(value string) haproxyCandidate {
	some := phrase.New("one of the paths that match %s: write a page that exists", t.fetch+"_"+t.method+" "+value)
	switch t.method {
	case "", "str":
		return haproxyCandidate{path: value, exact: true}
	case "beg":
		return haproxyCandidate{path: value}
	case "dir":
		return haproxyCandidate{path: "/" + strings.Trim(value, "/") + "/"}
	case "end":
		if strings.HasPrefix(value, "/") {
			return haproxyCandidate{path: value, exact: true, guess: some}
		}
		return haproxyCandidate{path: "/index" + value, exact: true, guess: some}
	case "sub":
		return haproxyCandidate{path: "/" + strings.TrimPrefix(value, "/"), exact: true, guess: some}
	case "reg":
		return haproxyCandidate{path: newPattern(value, t.fold).sample(), exact: true, guess: some}
	}
	return haproxyCandidate{}
}
