package importer

import (
	"cmp"
	"strings"
)

// An frontend is an address on which users reach an upstream.
type frontend struct {
	position
	url   string // scheme and authority
	guess string // why it may be another; "": it is told
}

// localhost stands for a machine whose address nobody told.
const localhost = "127.0.0.1"

// guessedAddress is why.
const guessedAddress = "the file does not tell on which address users arrive: write it here"

// newFrontend is how users come to a port on which a balancer listens: by its
// public name, by the address of that port, or nobody knows. The host is "" for
// all addresses of the machine; certificates are made for names. It reports
// whether that is an address at all.
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

// oneScheme is those entrances to which users are sent in the end: who listens
// for both mostly sends them from http to https. Without a name no certificate
// would be valid, so there it is http.
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
