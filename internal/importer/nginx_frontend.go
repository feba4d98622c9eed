package importer

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"stickwatch/internal/phrase"
)

// frontends returns the addresses of a server; names replace its own.
func (r *nginxReader) frontends(line directive, names ...string) []frontend {
	name, guess := realName(line)
	if len(names) > 0 {
		name, guess = names[0], phrase.Phrase{}
	}
	var all []frontend
	for _, listen := range nginxListens(line) {
		host := name
		if host == "" && hasName(line, "localhost") && (slices.Contains(listen.args, "ssl") || r.shared[listen.arg(0)] > 1) {
			host = "localhost" // its certificate, or the choice of the server, depends on the name
		}
		if front, ok := nginxFrontend(listen, host); ok {
			front.guess = cmp.Or(front.guess, guess)
			all = append(all, front)
		}
	}
	return userFrontends(all, name != "", toHTTPS(line.block))
}

func hasName(d directive, name string) bool {
	for names := range among(d.block, "server_name") {
		if slices.Contains(names.args, name) {
			return true
		}
	}
	return false
}

// toHTTPS reports whether a server redirects its plain requests to https.
func toHTTPS(block []directive) bool {
	for d := range among(block, "if") {
		test := strings.Join(d.args, " ")
		ends := slices.Concat(slices.Collect(among(d.block, "return")), slices.Collect(among(d.block, "rewrite")))
		plain := plainTest.MatchString(test)
		if plain && slices.ContainsFunc(ends, func(end directive) bool { return strings.Contains(strings.Join(end.args, " "), "https://") }) {
			return true
		}
	}
	return false
}

// plainTest matches conditions that hold for requests without TLS.
var plainTest = regexp.MustCompile(`\$scheme *(=|~\*?) *"?\^?http\$?"?\)|\$scheme *!= *"?https|\$https *(!= *"?on|= *("?off|"|\)))|\$server_port *!?[=~] *"?\^?(80|443)|\$ssl_protocol *= *("|\))`)

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
	front, ok := newFrontend(d.position, scheme, host, cmp.Or(port, "80"), name) // the default port is 80 with ssl, too
	if slices.Contains(d.args, "proxy_protocol") {
		front.guess = phrase.New("it expects the PROXY protocol, which stickwatch does not support: write the address of the proxy in front of it")
	}
	return front, ok
}

// realName returns a server_name that users may use; "" if there is none. guess says why
// it may be wrong.
func realName(d directive) (name string, guess phrase.Phrase) {
	var names []string
	for line := range among(d.block, "server_name") {
		names = append(names, line.args...)
	}
	return someName(names)
}
