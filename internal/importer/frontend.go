package importer

import (
	"cmp"
	"strings"
)

// A frontend is an address of the balancer through which users reach an upstream.
type frontend struct {
	position
	url   string // scheme and authority
	guess string // reason why the address may be wrong; "": it is certain
}

// localhost stands for an unknown address.
const localhost = "127.0.0.1"

// guessedAddress is the comment on an unknown address.
const guessedAddress = "the file does not tell on which address users arrive: write it here"

// newFrontend returns the address of a port on which a balancer listens: with its
// public name, else with the address of the port, else a guess. host is "" for all
// addresses of the machine. It returns false if no valid address results.
func newFrontend(p position, scheme, host, port, name string) (frontend, bool) {
	e := frontend{position: p}
	switch {
	case name != "" && (host == "" || scheme == "https"):
		host = name
	case host == "":
		host, e.guess = localhost, guessedAddress
	case host == "localhost":
		host = localhost
	}
	e.url = webAddress(scheme, host, cmp.Or(port, defaultPort[scheme]))
	return e, defaultPort[scheme] != "" && validAddress(strings.TrimPrefix(e.url, scheme+"://"))
}

var defaultPort = map[string]string{"http": "80", "https": "443"}

// oneScheme drops http addresses where https exists, because servers usually redirect
// to https. Without a name no certificate would be valid, so http is kept then.
func oneScheme(all []frontend, name string) []frontend {
	var plain, secure []frontend
	for _, e := range all {
		if strings.HasPrefix(e.url, "https:") {
			secure = append(secure, e)
		} else {
			plain = append(plain, e)
		}
	}
	if len(secure) > 0 && (name != "" || len(plain) == 0) {
		return secure
	}
	return plain
}
