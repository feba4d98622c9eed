package web

import (
	"context"
	"fmt"
	"net/http"
	"os"

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
