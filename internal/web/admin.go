package web

import (
	"net"
	"net/http"
	"net/url"
	"time"

	"stickwatch/internal/wire"
)

// This file contains the endpoints of the admin socket, and the login by a link.

// adminOnly restricts an endpoint to the admin socket. A token must not be able to create
// tokens.
func adminOnly(e endpoint) endpoint {
	return func(r *http.Request) (answer, error) {
		if !byAdmin(r) {
			return answer{}, newProblem(http.StatusForbidden, "only available through the admin socket of the daemon (--admin-socket)")
		}
		return e(r)
	}
}

func (s *Server) getAdmin(*http.Request) (answer, error) {
	return answer{body: wire.Admin{Listen: s.config.Listen}}, nil
}

// postToken creates a token, or a link that gives a browser a token.
func (s *Server) postToken(r *http.Request) (answer, error) {
	asked, err := decode[wire.TokenRequest](r)
	if err != nil {
		return answer{}, err
	}
	length, err := parseDuration(asked.Duration)
	if err != nil || length < time.Minute || length > longestToken {
		return answer{}, newProblem(http.StatusBadRequest, `"duration" is %q, want one such as 30m, 12h or 7d, from a minute to 90 days`, asked.Duration)
	}
	c, err := s.access.webConfig()
	if err != nil {
		return answer{}, err
	}
	if len(c.Users) > 0 {
		return answer{}, newProblem(http.StatusConflict, "the web configuration has users: authenticate as one of them instead of using a token")
	}
	if !asked.Bearer {
		link, err := s.link(linkLength, length)
		return answer{body: wire.Token{Link: link, Expires: wire.TimestampOf(s.config.Now().Add(linkLength))}}, err
	}
	token, end, err := s.access.tokens.add(length)
	if err != nil {
		return answer{}, newProblems(http.StatusConflict, err)
	}
	s.config.Logger.Info("created a token", "until", end)
	return answer{body: wire.Token{Token: token, Expires: wire.TimestampOf(s.config.Now().Add(length))}}, nil
}

// Link returns a link that allows a browser to make changes. The link and the token of the
// browser are valid for length.
func (s *Server) Link(length time.Duration) (string, error) { return s.link(length, length) }

func (s *Server) link(link, token time.Duration) (string, error) {
	text, err := s.access.tokens.addCode(link, token)
	if err != nil {
		return "", newProblems(http.StatusConflict, err)
	}
	base := *s.external.Load()
	if base.Host == "" {
		base = url.URL{Scheme: "http", Host: dialAddress(s.config.Listen)}
		if c, err := s.access.webConfig(); err == nil && (c.TLSConfig.TLSCertPath != "" || c.TLSConfig.TLSCert != "") {
			base.Scheme = "https"
		}
	}
	at := base.JoinPath("/login")
	at.RawQuery = url.Values{"code": {text}}.Encode()
	s.config.Logger.Info("created a link for a browser", "for", token)
	return at.String(), nil
}

// dialAddress converts a listen address to an address that a client can connect to.
func dialAddress(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return listen
}

// login exchanges the code of a link for a token cookie and redirects to the overview.
func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	length := s.access.tokens.exchange(r.URL.Query().Get("code"))
	var token string
	var end time.Time
	err := error(newProblem(http.StatusForbidden, "this link has expired or belongs to another daemon: `stickwatch token` prints a new one"))
	if length > 0 {
		token, end, err = s.access.tokens.add(length)
	}
	if err != nil {
		p := s.newPage(r)
		s.render(w, r, s.pageOf(w, r, p, err), p)
		return
	}
	s.config.Logger.Info("a browser was authorized", "peer", r.RemoteAddr, "until", end)
	http.SetCookie(w, &http.Cookie{
		Name: tokenCookie, Value: token, Path: "/", MaxAge: int(length / time.Second),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: s.overTLS(r),
	})
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// overTLS reports whether the browser uses TLS, directly or through a proxy.
func (s *Server) overTLS(r *http.Request) bool {
	external := s.external.Load()
	return r.TLS != nil || external.Scheme == "https" && hostOf(r.Host) == hostOf(external.Host)
}
