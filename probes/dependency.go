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

// Ask puts ping to a dependency and tells what it said.
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

// PingHTTP succeeds for any answer below 500.
func PingHTTP(ctx context.Context, u *url.URL) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	client := NewClient(Target{URL: u}) // ctx has the time-out
	client.SetHeaders(req.Header)
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

// A Pinger asks a dependency whether it works, as a client of its would: it
// connects, authenticates where the URL has credentials, and asks something
// harmless. It returns nil only for a service that would serve.
type Pinger func(ctx context.Context, u *url.URL) error

// A Handshaker takes one Engine.IO client through the handshake: polling open,
// a second poll with the sid, the WebSocket upgrade, a polite close.
type Handshaker func(ctx context.Context, c *Client, o HandshakeRequest) HandshakeObservation

// HandshakeRequests is how many requests a handshake sends, one after the other: an
// open, two for a poll, an upgrade.
const HandshakeRequests = 4

// A HandshakeRequest tells a Handshaker where to go and as whom.
type HandshakeRequest struct {
	Path     string
	Client   string // presented in the client address header; "": our own
	Expected string
}
