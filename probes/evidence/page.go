package evidence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"stickwatch/probes"
)

const (
	maxPage    = 1 << 20 // bytes of a page; HAProxy writes about 400 a server
	maxServers = 1000    // entries that are read
	maxName    = 128     // bytes of a name
)

// A page is an HTTP page on which a balancer reports the state of its servers.
type page struct {
	kind    probes.EvidenceKind
	name    string // of the page, for people
	url     *url.URL
	referer string
	// parse reads an answer that arrived at a time. Its errors are shown and must not
	// quote the answer.
	parse func(body []byte, at time.Time) ([]probes.ServerEvidence, error)
	// empty is the reason shown if the page names no server.
	empty string
}

// read requests the page and reads the answer.
func (p page) read(ctx context.Context, client *http.Client) probes.EvidenceObservation {
	obs := probes.EvidenceObservation{Kind: p.kind, Source: p.name + " " + withoutCredentials(p.url), At: time.Now()}
	body, err := p.fetch(ctx, client)
	if err == nil {
		obs.Servers, err = p.parse(body, time.Now())
	}
	switch n := len(obs.Servers); {
	case err != nil:
		obs.Servers, obs.Error = nil, explain(err)
	case n == 0:
		obs.NoAbsence = p.empty
	case n > maxServers:
		obs.Servers = obs.Servers[:maxServers]
		obs.NoAbsence = fmt.Sprintf("it names %d servers, of which the first %d were read", n, maxServers)
	}
	conceal(&obs, p.url)
	return obs
}

// conceal hides the credentials of the page's URL, which the page may repeat. Names are
// compared with the configuration: they stay as they are unless they contain a password
// that is too long to be a name by chance.
func conceal(obs *probes.EvidenceObservation, u *url.URL) {
	const unlikelyName = 8 // bytes
	secrets := probes.SecretsOf(u)
	obs.Error = probes.Conceal(obs.Error, secrets...)
	for i := range obs.Servers {
		s := &obs.Servers[i]
		s.Detail = probes.Conceal(s.Detail, secrets...)
		for _, name := range []*string{&s.Pool, &s.Server, &s.Address, &s.Scheme} {
			if slices.ContainsFunc(secrets, func(secret string) bool { return len(secret) >= unlikelyName && strings.Contains(*name, secret) }) {
				*name = probes.Conceal(*name, secrets...)
			}
		}
	}
}

func (p page) fetch(ctx context.Context, client *http.Client) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, probes.DefaultLimits.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "stickwatch")
	if p.referer != "" {
		req.Header.Set("Referer", p.referer)
	}
	resp, err := withoutRedirects(client, p.url).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("got HTTP status %d, want 200", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPage+1))
	if err == nil && len(body) > maxPage {
		err = fmt.Errorf("the answer is longer than %d bytes", maxPage)
	}
	return body, err
}

// withoutRedirects returns the client without cookies and without redirects, which
// could send the URL's credentials elsewhere. For nil it returns a client without a
// proxy, which opens a connection for each request.
func withoutRedirects(client *http.Client, u *url.URL) *http.Client {
	if client == nil {
		client = probes.NewClient(probes.Target{URL: u}).HTTP()
	}
	c := *client
	c.Jar = nil
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// withoutCredentials returns u without user and query, which may contain credentials.
func withoutCredentials(u *url.URL) string {
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	return probes.Clean(shown.String(), probes.MaxError)
}

// explain returns an error in one clean line, without the URL.
func explain(err error) string {
	err = probes.WithoutURL(err)
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return "no answer in time"
	}
	return probes.Clean(err.Error(), probes.MaxError)
}

// address returns the host:port of a server that is named by a URL, with the scheme's
// default port if it has none; "" if text is no URL.
func address(text string) string {
	if path, _, ok := strings.Cut(text, "|"); ok && strings.HasPrefix(path, "unix:") {
		return probes.Clean(path, maxName)
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = defaultPorts[u.Scheme]
	}
	return probes.Clean(net.JoinHostPort(u.Hostname(), port), maxName)
}

// scheme returns the scheme of a server's URL; "" if text is no URL.
func scheme(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return probes.Clean(u.Scheme, maxName)
}

var defaultPorts = map[string]string{"http": "80", "https": "443", "ajp": "8009", "h2c": "80", "h2": "443", "fcgi": "8000"}

// CaddyAdmin reads the upstreams from the admin API at u. A nil client means a default
// one.
//
// Caddy reports the recent failures of an upstream, but not how many of them eject it,
// which is set by its max_fails. The state is therefore always unknown; Fails is set.
func CaddyAdmin(ctx context.Context, client *http.Client, u *url.URL) probes.EvidenceObservation {
	const path = "/reverse_proxy/upstreams"
	v := *u
	if !strings.HasSuffix(v.Path, path) {
		v.Path, v.RawPath = strings.TrimSuffix(v.Path, "/")+path, ""
	}
	v.RawQuery = ""
	return page{
		kind:  probes.EvidenceCaddyAdmin,
		name:  "caddy admin",
		url:   &v,
		parse: parseCaddy,
		empty: "it names no upstream: does this Caddy have a reverse_proxy?",
	}.read(ctx, client)
}

var errNotUpstreams = errors.New("the answer is not Caddy's list of upstreams: want the URL of its admin API")

// parseCaddy reads [{"address": "host:port", "num_requests": 0, "fails": 0}].
func parseCaddy(body []byte, _ time.Time) ([]probes.ServerEvidence, error) {
	var upstreams []struct {
		Address  string `json:"address"`
		Requests int    `json:"num_requests"` // requests in flight
		Fails    int    `json:"fails"`        // failures within the last fail_duration
	}
	if err := json.Unmarshal(body, &upstreams); err != nil {
		return nil, errNotUpstreams
	}
	var list []probes.ServerEvidence
	for _, u := range upstreams {
		name := probes.Clean(u.Address, maxName)
		if name == "" {
			continue
		}
		s := probes.ServerEvidence{Server: name, Address: name, State: probes.ServerUnknown, Fails: max(0, u.Fails)}
		s.Detail = fmt.Sprintf("%d recent failures, %d requests in flight", s.Fails, max(0, u.Requests))
		list = append(list, s)
	}
	return list, nil
}
