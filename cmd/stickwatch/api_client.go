package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net"
	"net/http"
	"net/url"
	"time"

	"stickwatch/internal/render"
	"stickwatch/internal/wire"
	"stickwatch/probes"
)

// An apiClient is a client of the API of a daemon.
type apiClient struct {
	base     url.URL // without userinfo; the path is the prefix of a proxy
	username string  // "": no basic authentication
	password string
	token    string // "": none
	socket   string // path of an admin socket; "": base has the address
	http     *http.Client
}

// Bounds of a call.
const (
	apiTimeout = 30 * time.Second
	maxAnswer  = 16 << 20 // bytes
)

// newAPIClient returns a client of the daemon at base, whose certificate must be of an
// authority in roots; nil: the system's.
func newAPIClient(base url.URL, roots *x509.CertPool) *apiClient {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return &apiClient{base: base, http: &http.Client{
		Transport: transport,
		Timeout:   apiTimeout,
		// The API never redirects; another server must not get the password.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// newSocketClient returns a client for the admin socket at path.
func newSocketClient(path string) *apiClient {
	client := newAPIClient(url.URL{Scheme: "http", Host: "localhost"}, nil)
	client.socket = path
	transport := client.http.Transport.(*http.Transport)
	transport.Proxy = nil
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return client
}

// call sends in as JSON, unless it is nil, and decodes the answer into out, unless that is
// nil. The path may have a query. Errors have a remedy and no password. An unsuccessful
// status is an apiError.
func (a *apiClient) call(ctx context.Context, method, path string, in, out any) error {
	req, err := a.request(ctx, method, path, in)
	if err != nil {
		return err
	}
	res, err := a.http.Do(req)
	if err != nil {
		return a.unreachable(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return a.unreachable(err)
	case len(body) > maxAnswer:
		return fmt.Errorf("reading the answer of %s: it has more than %d bytes", a, maxAnswer)
	case res.StatusCode/100 != 2:
		return a.refusal(res, body)
	case out == nil:
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("reading the answer of %s, which may not be stickwatch: %w", a, err)
	}
	return nil
}

func (a *apiClient) request(ctx context.Context, method, path string, in any) (*http.Request, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encoding a request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	ref, err := url.Parse(path)
	if err != nil {
		return nil, fmt.Errorf("asking for %q: %w", path, err)
	}
	at := a.base.JoinPath(ref.EscapedPath())
	at.RawQuery = ref.RawQuery
	req, err := http.NewRequestWithContext(ctx, method, at.String(), body)
	if err != nil {
		return nil, fmt.Errorf("asking for %q: %w", path, err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("User-Agent", "stickwatch/"+versionText())
	if a.username != "" {
		req.SetBasicAuth(a.username, a.password)
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	return req, nil
}

// String returns the URL of the daemon.
func (a *apiClient) String() string {
	if a.socket != "" {
		return "unix://" + a.socket
	}
	return a.base.String()
}

// unreachable returns an error with a remedy for a request without an answer.
func (a *apiClient) unreachable(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // it repeats the URL
	}
	var advice string
	switch {
	case a.socket != "" && errors.Is(err, fs.ErrPermission):
		advice = "run this as a user who may open the socket, such as its owner"
	case certificateError(err):
		advice = "name the authority of its certificate with --ca-file FILE"
	case errors.Is(err, http.ErrSchemeMismatch):
		advice = "it does not use TLS: give --server http://" + a.base.Host
	default:
		advice = "start one with `stickwatch serve`, or name it with --server URL"
	}
	return fmt.Errorf("asking the daemon at %s: %w: %s", a, err, advice)
}

// certificateError reports whether the certificate of the daemon is not trusted.
func certificateError(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

// An apiError is an answer with an unsuccessful status.
type apiError struct {
	status int // of HTTP
	detail string
}

func (e apiError) Error() string { return e.detail }

// refusal returns the error for an unsuccessful status: the detail of an RFC 9457 problem,
// or a remedy if something else than the daemon answered.
func (a *apiClient) refusal(res *http.Response, body []byte) error {
	var problem struct{ Title, Detail string }
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if kind == "application/problem+json" && json.Unmarshal(body, &problem) == nil {
		detail := probes.Clean(cmp.Or(problem.Detail, problem.Title), wire.MaxText)
		return apiError{res.StatusCode, "the daemon refused: " + detail}
	}
	refused := func(advice string) error {
		return apiError{res.StatusCode, fmt.Sprintf("%s answers %d %s: %s", a, res.StatusCode, http.StatusText(res.StatusCode), advice)}
	}
	switch {
	case res.StatusCode == http.StatusUnauthorized && a.username == "":
		return refused("authenticate with --username NAME --password-file FILE")
	case res.StatusCode == http.StatusUnauthorized:
		return refused("it rejects the password of " + render.CleanName(a.username))
	case bytes.Contains(body, []byte("HTTP request to an HTTPS server")):
		return refused("it uses TLS: give --server https://" + a.base.Host)
	default:
		return refused("it may not be stickwatch: name the daemon with --server URL")
	}
}
