package web

import (
	"fmt"
	"net/http"
	"net/netip"
	"os"

	toolkit "github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v2"
)

// access decides who may change something.
//
// With users in the web configuration, exporter-toolkit has asked everybody for
// a password before a request comes here. Without, only whoever sits at the
// machine may: a peer on loopback, who asked for loopback by name (else it could
// be a browser there, led here by a page whose name resolves to loopback), and
// for whom no proxy speaks (else it could be anybody).
type access struct {
	file string // the web configuration; "": none
}

// deny tells why the sender of r may change nothing; nil: they may.
func (a access) deny(r *http.Request) error {
	if a.authenticated(r) || atTheMachine(r) {
		return nil
	}
	return refuse(http.StatusForbidden, "without users in the web configuration (--web.config.file, basic_auth_users), "+
		"only requests from the machine itself, to a loopback address, may change something")
}

// authenticated reports whether the sender of r has shown who they are. The file
// is read anew, as exporter-toolkit does for every request: a user taken out of
// it must not leave the door open.
func (a access) authenticated(r *http.Request) bool {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return true
	}
	users, err := a.users()
	return err == nil && users
}

// users reports whether the web configuration names any.
func (a access) users() (bool, error) {
	if a.file == "" {
		return false, nil
	}
	content, err := os.ReadFile(a.file)
	if err != nil {
		return false, fmt.Errorf("reading the web configuration: %w", err)
	}
	var c toolkit.Config
	if err := yaml.UnmarshalStrict(content, &c); err != nil {
		return false, fmt.Errorf("reading the web configuration %q: %w", a.file, err)
	}
	return len(c.Users) > 0, nil
}

// relays are headers that a proxy adds to what it passes on.
var relays = []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"}

func atTheMachine(r *http.Request) bool {
	for _, name := range relays {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && peer.Addr().Unmap().IsLoopback() && namesLoopback(r.Host)
}

// namesLoopback reports whether a Host header names this machine as itself.
func namesLoopback(host string) bool {
	name := hostOf(host)
	address, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && address.IsLoopback()
}
