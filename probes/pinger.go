package probes

import (
	"context"
	"net/url"
)

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
