// Package latin finds, for tests, what a Chinese text says in another language.
//
// The rule: a Chinese text may have Latin letters only in names that the caller lists, in what
// is the same in every language (URLs, addresses, paths, flags, identifiers with an underscore,
// a dot or a digit, quoted texts, times), and in the words of the allow list: products,
// protocols, units, and terms that Chinese operators write in Latin letters. A directive of a
// configuration may stand alone, not beside another one. A duration has Chinese units: 4 分 11 秒.
package latin

import (
	"regexp"
	"slices"
	"strings"
)

// same matches what is the same in every language.
var same = regexp.MustCompile(strings.Join([]string{
	"`[^`]*`", `"(?:[^"\\]|\\.)*"`, // quoted
	`[a-z]+://[^\s，。；：）]+`,                                            // URLs
	`\bs:[0-9a-f]{8}\b`, `\b[0-9A-Fa-f.:]*[0-9A-Fa-f]:[0-9A-Fa-f.:]+`, // addresses, times of day, session fingerprints
	`(?:^|[\s（(：=])/[\w./-]*`,                          // paths
	`stickwatch [a-z]+`, `--?[a-z][a-z-]*(?: [a-z]+)?`, // flags
	`\b\w*[_$]\w*(?:[=:] ?[\w./]+)?`,  // identifiers
	`\$\w+`,                           // variables
	`\b[A-Za-z]+(?:[.-][A-Za-z]+)+\b`, // keys, headers, host names
	`\b[A-Za-z-]*\d[\w.:-]*`,          // names with digits: node1, app-2, ids of incidents
	`\b\w+=[\w./]*`,                   // settings
	`(?:UTC|CST|CET|CEST)[+-]?\d*`,    // zones
}, "|"))

// duration matches a duration in the format of Go, which is no value of a setting.
var duration = regexp.MustCompile(`(?:^|[^\w=.-])(?:\d+h)?\d+m\d+s`)

var run = regexp.MustCompile(`[A-Za-z]{2,}(?: [A-Za-z]{2,})*`)

// allowed are the words that Chinese operators write in Latin letters.
var allowed = strings.Fields(`
	Web AJP gRPC SCGI uwsgi FastCGI PROXY CA Pod Compose Kubernetes HTTP HTTPS TLS TCP DNS URL ID IDs IP JSON Markdown HTML CSV API WebSocket Socket Engine IO SignalR Cookie cookie cookies Secure SameSite None
	Host Path Domain Max Age Set nginx Nginx HAProxy Apache httpd Caddy Traefik Envoy Tengine Tomcat tomcat PHP Redis MySQL PostgreSQL memcached Server
	DB Service stickwatch Slack Grafana Prometheus ms min h s d
	OK GET POST CSRF token Token worker upstream server down backup realip real header
`)

// directives are words of configurations, some of which are English words, too.
var directives = strings.Fields(`
	always balancer chrony consistent Connection distributable error hash insert jvmRoute location lt nocache nodeId policy profile properties
	open path poll shared source ss status stickysession upgrade Upgrade version warn weight zone
`)

// whole matches a name that is no part of a word.
func whole(name string) *regexp.Regexp {
	pattern := regexp.QuoteMeta(name)
	if letter.MatchString(name[:1]) {
		pattern = `\b` + pattern
	}
	if letter.MatchString(name[len(name)-1:]) {
		pattern += `\b`
	}
	return regexp.MustCompile(pattern)
}

var letter = regexp.MustCompile(`\w`)

// Words returns the Latin words of a Chinese text that the rule does not allow.
func Words(text string, names ...string) []string {
	names = slices.Clone(names)
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) })
	for _, name := range names {
		if name != "" {
			text = whole(name).ReplaceAllString(text, " ")
		}
	}
	words := duration.FindAllString(text, -1)
	text = same.ReplaceAllString(text, " ")
	for _, found := range run.FindAllString(text, -1) {
		foreign := slices.DeleteFunc(strings.Fields(found), func(word string) bool { return slices.Contains(allowed, word) })
		if len(foreign) == 1 && slices.Contains(directives, foreign[0]) {
			continue
		}
		words = append(words, foreign...)
	}
	return words
}
