package probes

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"stickwatch/internal/panics"
)

// Ask runs the health check ping against the dependency and returns its result. timeout
// 0 is DefaultLimits.Timeout.
func (d Dependency) Ask(parent context.Context, ping Pinger, timeout time.Duration) DependencyObservation {
	timeout = cmp.Or(timeout, DefaultLimits.Timeout)
	ctx, cancel := context.WithTimeout(parent, timeout)
	defer cancel()
	began := time.Now()
	var err error
	if caught := panics.Catch(panics.Dependency, func() { err = ping(ctx, d.URL) }); caught != nil {
		err = caught
	}
	obs := DependencyObservation{Name: d.Name, Up: err == nil, Took: time.Since(began)}
	if err != nil {
		obs.LocalError = IsLocalError(err)
		_, obs.Error = classify(parent, stageError{error: err, stage: "asking " + d.URL.Host}, timeout)
		obs.Error = Conceal(obs.Error, SecretsOf(d.URL)...)
	}
	return obs
}

// PingTCP succeeds when a connection is accepted.
func PingTCP(ctx context.Context, u *url.URL) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return err
	}
	return conn.Close()
}

// PingHTTP succeeds for any answer with a status below 500.
func PingHTTP(ctx context.Context, u *url.URL) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	client := NewClient(Target{URL: u}) // ctx has the timeout
	client.setHeaders(req.Header)
	resp, err := client.HTTP().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 500 {
		return fmt.Errorf("got HTTP status %d, want one below 500", resp.StatusCode)
	}
	return nil
}

// A Pinger checks the health of a dependency as a client does: it connects,
// authenticates if the URL has credentials, and sends a harmless request. It returns
// nil only if the service would serve clients.
type Pinger func(ctx context.Context, u *url.URL) error

// A Handshaker performs the handshake of a kind, such as Engine.IO's: polling open, a
// second poll with the sid, the WebSocket upgrade, and a close. The observation says what
// happened; its caller adds where the request was sent.
type Handshaker func(ctx context.Context, c *Client, o HandshakeRequest) HandshakeObservation

// HandshakeRequests is the number of requests of a handshake, which are sent one after
// the other: one to open, two to poll, one to upgrade.
const HandshakeRequests = 4

// A HandshakeRequest selects a handshake.
type HandshakeRequest struct {
	Kind       HandshakeKind
	Path       string
	TargetNode string // ID of the node that should answer it; "": unknown
}
