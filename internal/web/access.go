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

// access decides which requests may make changes: those of a user of the web configuration,
// whose password exporter-toolkit has checked; those through the admin socket, which is
// protected by file permissions; and those with a token from the admin socket. The source
// address does not matter, because a proxy may hide it.
type access struct {
	file   string // path of the web configuration; "": none
	tokens *tokens
}

// adminKey is the context key of requests through the admin socket.
type adminKey struct{}

func asAdmin(ctx context.Context) context.Context { return context.WithValue(ctx, adminKey{}, true) }

// byAdmin reports whether r arrived through the admin socket.
func byAdmin(r *http.Request) bool { return r.Context().Value(adminKey{}) != nil }

// denial returns why r may not make changes, or nil if it may.
func (a access) denial(r *http.Request) error {
	if byAdmin(r) || a.authenticated(r) {
		return nil
	}
	return newProblem(http.StatusForbidden, "without users only the command line on the daemon's machine may change something, through the admin socket (--admin-socket) and as who may open it: for a browser, `stickwatch token` prints a link there; from elsewhere send a token (`stickwatch token --bearer`), or name users in the web configuration (--web.config.file, basic_auth_users)")
}

// authenticated reports whether r has proved an identity. It reads the file for each request,
// as exporter-toolkit does, so that removing all users takes effect at once.
func (a access) authenticated(r *http.Request) bool {
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 || a.tokens.authorize(r) {
		return true
	}
	c, err := a.webConfig()
	return err == nil && len(c.Users) > 0
}

// webConfig returns the web configuration, which is empty without a file.
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

// SetExternalURL changes Config.ExternalURL.
func (s *Server) SetExternalURL(external *url.URL) {
	s.external.Store(cmp.Or(external, new(url.URL)))
}

// checkRebinding protects read requests against DNS rebinding. It returns why r must be
// rejected, or nil.
//
// An attacker's page can make its host name resolve to loopback. Its scripts can then read
// responses from this machine as if they came from the attacker's site. The scripts can set
// headers, so headers of a proxy prove nothing, but they cannot change the Host header.
// Requests to loopback are therefore accepted only with a known host name or an IP address.
// Authenticated requests are always accepted.
func (s *Server) checkRebinding(r *http.Request) error {
	if !sentToLoopback(r) || s.isKnownHost(hostOf(r.Host)) || s.access.authenticated(r) {
		return nil
	}
	return newProblem(http.StatusMisdirectedRequest, "stickwatch does not go by the name %q here: ask for a loopback address, or set alerting.external_url to the page's address, or name users in the web configuration (--web.config.file, basic_auth_users)", hostOf(r.Host))
}

// sentToLoopback reports whether a request was sent to a loopback address.
func sentToLoopback(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && local.IP.IsLoopback()
}

// isKnownHost reports whether host is a name of this daemon or an IP address. Only clients
// that are not browsers send no host.
func (s *Server) isKnownHost(host string) bool {
	switch host {
	case "", "localhost", s.machine, hostOf(s.external.Load().Host):
		return true
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

// machineName returns the host name of this machine, which often resolves to loopback; "":
// unknown.
func machineName() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return hostOf(name)
}

// hostOf normalizes a Host header: without port, in lower case.
func hostOf(header string) string {
	host := header
	if name, _, err := net.SplitHostPort(header); err == nil {
		host = name
	} else if len(header) > 2 && header[0] == '[' {
		host = strings.Trim(header, "[]")
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// tokens are secrets that authorize changes without a user. Programs send a token as
// "Authorization: Bearer". Browsers exchange the code of a link for a token in a cookie. Only
// hashes are kept, and only in memory, so a restart invalidates all tokens.
type tokens struct {
	now func() time.Time

	mu     sync.Mutex
	tokens map[[sha256.Size]byte]time.Time // expiry by hash
	codes  map[[sha256.Size]byte]code
}

// A code is that of a link, which a browser exchanges for a token. A second use gives another
// token, because a browser or a preview may load a link before its reader does.
type code struct {
	end    time.Time
	length time.Duration // validity of the token
}

// Limits of tokens.
const (
	maxTokens    = 1000 // maximum number of tokens, and of codes
	longestToken = 90 * 24 * time.Hour
	linkLength   = 10 * time.Minute // short, because proxies and browsers log links
	tokenCookie  = "stickwatch_token"
)

var errManyTokens = errors.New("too many tokens are in use: a restart forgets them")

func newTokens(now func() time.Time) *tokens {
	return &tokens{now: now, tokens: map[[sha256.Size]byte]time.Time{}, codes: map[[sha256.Size]byte]code{}}
}

// add creates a token that is valid for length.
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

// addCode creates a code that is valid for link, for a token that is valid for token.
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

// exchange returns the validity of a token for a code; 0: the code is not valid.
func (t *tokens) exchange(text string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget()
	return t.codes[sha256.Sum256([]byte(text))].length
}

// authorize reports whether a request has a valid token.
func (t *tokens) authorize(r *http.Request) bool {
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

// forget removes expired tokens and codes.
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
