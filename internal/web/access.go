package web

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	toolkit "github.com/prometheus/exporter-toolkit/web"
	"go.yaml.in/yaml/v2"
)

// access decides who may change something: a user of the web configuration, for
// whose password exporter-toolkit has asked before a request comes here; whoever
// can open the admin socket, which the file system decides; and whoever has a
// token that was given out there. Where a request seems to come from decides
// nothing: a proxy need not tell that it is one.
type access struct {
	file   string // the web configuration; "": none
	tokens *tokens
}

// adminKey marks the context of requests that came in by the admin socket.
type adminKey struct{}

func asAdmin(ctx context.Context) context.Context { return context.WithValue(ctx, adminKey{}, true) }

// byAdmin reports whether r came in by the admin socket.
func byAdmin(r *http.Request) bool { return r.Context().Value(adminKey{}) != nil }

// deny tells why the sender of r may change nothing; nil: they may.
func (a access) deny(r *http.Request) error {
	if byAdmin(r) || a.authenticated(r) {
		return nil
	}
	return newProblem(http.StatusForbidden, "without users only the command line on the daemon's machine may change something, "+
		"through the admin socket (--admin-socket) and as who may open it: for a browser, `stickwatch token` prints a link there; "+
		"from elsewhere send a token (`stickwatch token --bearer`), or name users in the web configuration "+
		"(--web.config.file, basic_auth_users)")
}

// authenticated reports whether the sender of r has shown who they are. The file
// is read anew, as exporter-toolkit does for every request: a user taken out of
// it must not leave the door open.
func (a access) authenticated(r *http.Request) bool {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 || a.tokens.grant(r) {
		return true
	}
	c, err := a.webConfig()
	return err == nil && len(c.Users) > 0
}

// webConfig is the web configuration; an empty one where there is no file.
func (a access) webConfig() (c toolkit.Config, err error) {
	if a.file == "" {
		return c, nil
	}
	content, err := os.ReadFile(a.file)
	if err != nil {
		return c, fmt.Errorf("reading the web configuration: %w", err)
	}
	if err := yaml.UnmarshalStrict(content, &c); err != nil {
		return c, fmt.Errorf("reading the web configuration %q: %w", a.file, err)
	}
	return c, nil
}

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

// tokens are secrets by which somebody may change something without being a user:
// programs send one as "Authorization: Bearer", browsers have one in a cookie, for
// which they exchange the code of a link. Only hashes are kept, and in memory
// alone: a restart forgets them.
type tokens struct {
	now func() time.Time

	mu     sync.Mutex
	tokens map[[sha256.Size]byte]time.Time // their ends
	codes  map[[sha256.Size]byte]code
}

// A code of a link gives a browser a token.
type code struct {
	end    time.Time
	length time.Duration // for how long the token is good
}

// Bounds of tokens.
const (
	maxTokens    = 1000 // at a time, of each kind
	longestToken = 90 * 24 * time.Hour
	linkLength   = 10 * time.Minute // proxies and browsers write links down
	tokenCookie  = "stickwatch_token"
)

var errManyTokens = errors.New("too many tokens are in use: a restart forgets them")

func newTokens(now func() time.Time) *tokens {
	return &tokens{now: now, tokens: map[[sha256.Size]byte]time.Time{}, codes: map[[sha256.Size]byte]code{}}
}

// add makes a token that is good for a time.
func (t *tokens) add(length time.Duration) (token string, end time.Time, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget()
	if len(t.tokens) >= maxTokens {
		return "", end, errManyTokens
	}
	token, end = rand.Text(), t.now().Add(length)
	t.tokens[sha256.Sum256([]byte(token))] = end
	return token, end, nil
}

// addCode makes the code of a link, which is good for a time, as is the token that
// a browser gets for it.
func (t *tokens) addCode(link, token time.Duration) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget()
	if len(t.codes) >= maxTokens {
		return "", errManyTokens
	}
	text := rand.Text()
	t.codes[sha256.Sum256([]byte(text))] = code{t.now().Add(link), token}
	return text, nil
}

// exchange returns for how long the token for a code is good; 0: there is no such
// code any more.
func (t *tokens) exchange(text string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget()
	return t.codes[sha256.Sum256([]byte(text))].length
}

// grant reports whether a request has a token.
func (t *tokens) grant(r *http.Request) bool {
	sent, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		cookie, err := r.Cookie(tokenCookie)
		if err != nil {
			return false
		}
		sent = cookie.Value
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now().Before(t.tokens[sha256.Sum256([]byte(sent))])
}

// forget drops what has ended.
func (t *tokens) forget() {
	now := t.now()
	for hash, end := range t.tokens {
		if !now.Before(end) {
			delete(t.tokens, hash)
		}
	}
	for hash, c := range t.codes {
		if !now.Before(c.end) {
			delete(t.codes, hash)
		}
	}
}
