// Package signalr performs the handshake of ASP.NET Core SignalR, as its specification of
// transports describes it (aspnetcore, src/SignalR/docs/specs/TransportProtocols.md and
// HubProtocol.md). It has not been tried with a server of Microsoft.
//
// A client negotiates a connection by a POST, and uses it with requests that carry its
// token. The connection exists in the memory of one node, so a balancer that is not sticky
// breaks it at once. Every request opens a new TCP connection, so that the balancer can
// choose another node each time.
//
// A token is a credential and never leaves this package.
package signalr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/coder/websocket"

	"stickwatch/probes"
)

// The stages of a handshake, by which an observation names the one that failed.
const (
	stageOpen    = "open"
	stagePoll    = "poll"
	stageUpgrade = "upgrade"
)

// The transports, by their names in the answer to a negotiation.
const (
	longPolling = "LongPolling"
	webSockets  = "WebSockets"
)

// hello is the first message of a client: a JSON record, which the separator 0x1e ends.
// The answer of a server that accepts it is an empty record.
const (
	hello    = `{"protocol":"json","version":1}` + "\x1e"
	accepted = "{}\x1e"
)

// Handshake negotiates a connection, polls it, and opens another one as a WebSocket, where
// the server offers these transports. All is within the timeout of c. It is a
// probes.Handshaker.
func Handshake(ctx context.Context, c *probes.Client, r probes.HandshakeRequest) probes.HandshakeObservation {
	ctx, cancel := context.WithTimeout(ctx, c.Target().Timeout)
	defer cancel()
	var obs probes.HandshakeObservation
	s := &connection{client: c, path: strings.TrimRight(r.Path, "/"), jar: probes.NewJar()}
	stage, err := s.runSteps(ctx, &obs)
	if err != nil {
		obs.Stage, obs.Error = stage, s.describe(err, stage)
		refused, _ := errors.AsType[refusal](err)
		obs.Status = refused.status
		obs.TimedOut = probes.TimedOut(err)
	}
	return obs
}

// A connection is one client: its cookies, and the token of its connection.
type connection struct {
	client *probes.Client
	path   string
	jar    *probes.Jar // balancers that stick by a cookie set it at the negotiation
	token  string
}

// runSteps performs the stages, and returns the one that failed.
func (c *connection) runSteps(ctx context.Context, obs *probes.HandshakeObservation) (string, error) {
	offer, err := c.negotiate(ctx)
	if err != nil {
		return stageOpen, err
	}
	obs.Opened, obs.Offered = true, offer.has(webSockets)
	if offer.URL != "" { // of Azure SignalR Service, to which clients connect without the balancer
		obs.Known, obs.Offered = true, false
		return "", nil
	}
	if offer.has(longPolling) {
		if err := c.poll(ctx); err != nil {
			return stagePoll, err
		}
		obs.Known = true
		if obs.Offered { // a connection has one transport
			if _, err := c.negotiate(ctx); err != nil {
				return stageOpen, err
			}
		}
	}
	if !obs.Offered {
		return "", nil
	}
	if err := c.openSocket(ctx); err != nil {
		refused, isRefusal := errors.AsType[refusal](err)
		obs.Known = obs.Known && !(isRefusal && refused.status == http.StatusNotFound)
		return stageUpgrade, err
	}
	obs.Known, obs.Upgraded = true, true
	return "", nil
}

// An offer is the answer to a negotiation.
type offer struct {
	ConnectionToken     string
	ConnectionID        string `json:"connectionId"` // the token of version 0
	URL                 string
	Error               string
	AvailableTransports []struct{ Transport string }
}

func (o offer) has(transport string) bool {
	return slices.ContainsFunc(o.AvailableTransports, func(t struct{ Transport string }) bool { return t.Transport == transport })
}

// negotiate requests a connection.
func (c *connection) negotiate(ctx context.Context) (o offer, err error) {
	c.token = ""
	status, body, err := c.do(ctx, http.MethodPost, "/negotiate", "negotiateVersion=1", "")
	if err != nil {
		return offer{}, err
	}
	if status != http.StatusOK || json.Unmarshal([]byte(body), &o) != nil || o.Error != "" || o.URL == "" && o.ConnectionToken == "" && o.ConnectionID == "" {
		return offer{}, refusal{stageOpen, status}
	}
	c.token = o.ConnectionToken
	if c.token == "" {
		c.token = o.ConnectionID
	}
	return o, nil
}

// poll opens the transport by a first poll, which is answered at once, sends the hello,
// fetches the answer, and ends the connection.
func (c *connection) poll(ctx context.Context) error {
	defer func() { _, _, _ = c.do(ctx, http.MethodDelete, "", c.query(), "") }() // else it expires by itself
	for _, step := range []struct{ method, body, want string }{
		{method: http.MethodGet},
		{method: http.MethodPost, body: hello},
		{method: http.MethodGet, want: accepted},
	} {
		status, body, err := c.do(ctx, step.method, "", c.query(), step.body)
		if err != nil {
			return err
		}
		if status != http.StatusOK || !strings.HasPrefix(body, step.want) {
			return refusal{stagePoll, status}
		}
	}
	return nil
}

// maxFrame bounds a message in a WebSocket, in bytes.
const maxFrame = 16 << 10

// openSocket opens the WebSocket of the connection and exchanges the hello.
func (c *connection) openSocket(ctx context.Context) error {
	req, err := c.client.NewRequestWithCookies(ctx, c.jar, http.MethodGet, c.path+"?"+c.query())
	if err != nil {
		return err
	}
	conn, resp, err := websocket.Dial(ctx, req.URL.String(), &websocket.DialOptions{ //nolint:bodyclose // Dial has replaced it by a buffer
		HTTPClient: c.client.HTTP(), HTTPHeader: req.Header, Host: req.Host,
	})
	if err != nil {
		if resp != nil {
			return refusal{stageUpgrade, resp.StatusCode}
		}
		return err
	}
	defer conn.CloseNow()
	conn.SetReadLimit(maxFrame)
	if err := conn.Write(ctx, websocket.MessageText, []byte(hello)); err != nil {
		return err
	}
	if _, got, err := conn.Read(ctx); err != nil {
		return err
	} else if !strings.HasPrefix(string(got), accepted) {
		return refusal{stageUpgrade, http.StatusSwitchingProtocols}
	}
	return nil
}

func (c *connection) query() string { return "id=" + url.QueryEscape(c.token) }

// do sends one request for a path below the hub on a new connection, and returns the answer.
func (c *connection) do(ctx context.Context, method, below, query, body string) (int, string, error) {
	return c.client.Poll(ctx, c.jar, method, c.path+below+"?"+query, body)
}

// A refusal is an answer that ends the handshake in a stage.
type refusal struct {
	stage  string
	status int
}

func (r refusal) Error() string {
	switch {
	case r.status == http.StatusNotFound && r.stage != stageOpen:
		return "the node that received this request does not know the new connection"
	case r.stage == stageOpen && r.status == http.StatusOK:
		return "no SignalR: the answer to the negotiation is no connection"
	case r.stage == stageOpen:
		return fmt.Sprintf("no connection: the negotiation got HTTP status %d", r.status)
	case r.stage == stageUpgrade && r.status == http.StatusSwitchingProtocols:
		return "the WebSocket opened, but does not use SignalR"
	case r.stage == stageUpgrade:
		return fmt.Sprintf("the upgrade to WebSocket was refused: got HTTP status %d, want 101", r.status)
	default:
		return fmt.Sprintf("the poll was refused: got HTTP status %d", r.status)
	}
}

// describe returns the error in one clean line without the token.
func (c *connection) describe(err error, stage string) string {
	err = probes.WithoutURL(err) // which contains the token
	text := err.Error()
	switch _, isRefusal := errors.AsType[refusal](err); {
	case isRefusal:
	case errors.Is(err, context.Canceled):
		text = "stickwatch was interrupted"
	case errors.Is(err, context.DeadlineExceeded):
		text = fmt.Sprintf("no answer within %s (%s)", c.client.Target().Timeout, stage)
	}
	return probes.Conceal(probes.Clean(text, probes.MaxError), c.token)
}
