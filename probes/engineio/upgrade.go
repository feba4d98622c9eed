package engineio

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/coder/websocket"

	"stickwatch/internal/panics"
)

// maxFrame bounds a packet in a WebSocket, in bytes. The packets of a handshake have a
// few hundred.
const maxFrame = 16 << 10

// errNotEngineIO is the error of a WebSocket that opened but is not one of Engine.IO.
var errNotEngineIO = errors.New("the WebSocket opened, but does not use Engine.IO")

// upgrade moves the session to a WebSocket, and closes it there.
func (s *session) upgrade(ctx context.Context) error {
	conn, err := s.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	if err := send(ctx, conn, packetPingProbe); err != nil {
		return socketError{err}
	}
	if _, got, err := conn.Read(ctx); err != nil {
		return socketError{err}
	} else if string(got) != packetPongProbe {
		return errNotEngineIO
	}
	if err := send(ctx, conn, packetUpgrade); err != nil {
		return socketError{err}
	}
	closeSocket(ctx, conn)
	return nil
}

// openSocket opens a session as a WebSocket, and closes it.
func (s *session) openSocket(ctx context.Context) error {
	conn, err := s.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	_, got, err := conn.Read(ctx)
	if err != nil {
		return socketError{err}
	}
	if _, ok := eio4.openingOf(string(got)); !ok { // a frame is one packet in both revisions
		return errNotEngineIO
	}
	closeSocket(ctx, conn)
	return nil
}

// closeSocket closes the session and the WebSocket, so that the server need not wait
// for a timeout.
func closeSocket(ctx context.Context, conn *websocket.Conn) {
	if send(ctx, conn, packetDisconnect) == nil && send(ctx, conn, packetClose) == nil {
		conn.Close(websocket.StatusNormalClosure, "")
	}
}

func send(ctx context.Context, conn *websocket.Conn, packet string) error {
	return conn.Write(ctx, websocket.MessageText, []byte(packet))
}

// dial opens the WebSocket with the headers and cookies of the polls.
func (s *session) dial(ctx context.Context) (*websocket.Conn, error) {
	req, err := s.client.NewRequestWithCookies(ctx, s.jar, http.MethodGet, s.url("websocket"))
	if err != nil {
		return nil, err
	}
	client := *s.client.HTTP()
	client.Transport = limitedTransport{client.Transport, ctx}
	conn, resp, err := websocket.Dial(ctx, req.URL.String(), &websocket.DialOptions{ //nolint:bodyclose // Dial has replaced it by a buffer
		HTTPClient: &client, HTTPHeader: req.Header, Host: req.Host,
	})
	if err == nil {
		conn.SetReadLimit(maxFrame)
		return conn, nil
	}
	if resp == nil {
		return nil, err
	}
	a := answer{status: resp.StatusCode}
	if resp.Body != nil {
		body, _ := io.ReadAll(resp.Body) // at most one kilobyte
		a.body = string(body)
	}
	return nil, refusal{stageUpgrade, a}
}

// A limitedTransport closes its connections when the context ends. Otherwise a
// WebSocket's close handshake waits several seconds for the peer, whatever the timeout
// is.
type limitedTransport struct {
	http.RoundTripper
	ctx context.Context
}

func (l limitedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(req)
	if err == nil {
		body := resp.Body
		panics.AfterContext(l.ctx, panics.Handshake, func() { body.Close() })
	}
	return resp, err
}
