package probes

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// How chains of redirects end.
var (
	errRedirectLoop     = errors.New("redirects in circles")
	errTooManyRedirects = errors.New("redirects more than 5 times")
)

// redirect returns where resp, the answer from u, sends its client: next is nil
// when that is nowhere or another host. shown is for people.
func (c *Client) redirect(u *url.URL, resp *http.Response) (next *url.URL, shown string) {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, ""
	}
	location := resp.Header.Get("Location")
	to, err := u.Parse(location)
	if err != nil || location == "" {
		return nil, ""
	}
	shown = withoutParams(to.Path)
	if !c.owns(to) {
		return nil, Clean(to.Scheme+"://"+to.Host+shown, MaxError)
	}
	to.Scheme, to.Host, to.User, to.Fragment = u.Scheme, u.Host, u.User, ""
	if to.Path == "" {
		to.Path = "/"
	}
	return to, Clean(shown, MaxError)
}

// cookieless is how ASP.NET puts a session id in a path: /(S(id))/page.
var cookieless = regexp.MustCompile(`/\([A-Z]\([^/]*\)\)`)

// withoutParams drops what may be a session id from a path. Servlet containers
// put it in a path parameter (;jsessionid=) for clients whose cookies they do
// not trust yet.
func withoutParams(path string) string {
	path, _, _ = strings.Cut(path, ";")
	return cookieless.ReplaceAllString(path, "")
}
