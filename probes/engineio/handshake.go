// Package engineio performs the handshake of Engine.IO, the transport of Socket.IO.
//
// The handshake consists of several requests, and the session exists in the memory of
// one node. A balancer that is not sticky therefore breaks it at once, and a proxy
// without WebSocket support breaks its last step. Every request opens a new connection,
// so that the balancer can choose another node each time, as it can for browsers.
//
// A session id is a credential and never leaves this package.
package engineio

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"stickwatch/probes"
)

// The stages of a handshake, by which an observation names the one that failed.
const (
	stageOpen    = "open"
	stagePoll    = "poll"
	stageUpgrade = "upgrade"
)

// Handshake opens a session by polling, polls it with its id, upgrades it to a
// WebSocket if the server offers that, and closes it, all within the timeout of c. It
// is a probes.Handshaker.
func Handshake(ctx context.Context, c *probes.Client, r probes.HandshakeRequest) probes.HandshakeObservation {
	ctx, cancel := context.WithTimeout(ctx, c.Target().Timeout)
	defer cancel()
	var obs probes.HandshakeObservation
	s := &session{client: c, path: r.Path, jar: probes.NewJar(), eio: eio4}
	stage, err := s.runSteps(ctx, &obs)
	if err != nil {
		obs.Stage, obs.TimedOut = stage, probes.TimedOut(err)
		obs.Status, obs.Error = s.describe(err, stage)
	}
	return obs
}

// runSteps performs the stages, and returns the one that failed.
func (s *session) runSteps(ctx context.Context, obs *probes.HandshakeObservation) (string, error) {
	open, err := s.open(ctx)
	if refused(err, codeUnknownTransport) {
		return s.openWebSocketOnly(ctx, obs)
	}
	if err != nil {
		return stageOpen, err
	}
	obs.Opened, obs.Offered = true, open.offersWebSocket()
	if err := s.poll(ctx); err != nil {
		s.close(ctx)
		return stagePoll, err
	}
	obs.Known = true
	if !obs.Offered {
		s.close(ctx)
		return "", nil
	}
	if err := s.upgrade(ctx); err != nil {
		// With two nodes behind a balancer that is not sticky, one session in four gets
		// this far before it reaches the wrong node.
		obs.Known = !refused(err, codeUnknownSession)
		s.close(ctx)
		return stageUpgrade, err
	}
	obs.Upgraded = true
	return "", nil
}

// openWebSocketOnly opens the session as a WebSocket, for a server that allows nothing
// else. One connection needs no stickiness, so an opened session is also a known one.
func (s *session) openWebSocketOnly(ctx context.Context, obs *probes.HandshakeObservation) (string, error) {
	if err := s.openSocket(ctx); err != nil {
		return stageOpen, err
	}
	obs.Opened, obs.Known, obs.Offered, obs.Upgraded = true, true, true, true
	return "", nil
}

// refused reports whether err is Engine.IO's own refusal with that code.
func refused(err error, code int) bool {
	r, ok := errors.AsType[refusal](err)
	return ok && r.code() == code
}

// A session is one client: its cookies, and the server's data about it.
type session struct {
	client *probes.Client
	path   string
	jar    *probes.Jar // balancers that stick by a cookie set it when the session opens
	eio    revision
	sid    string // "" before it is opened
}

// An answer is one HTTP answer.
type answer struct {
	status int
	body   string
}

// open opens a session. A server that does not support EIO=4 ignores it or refuses the
// request.
func (s *session) open(ctx context.Context) (opening, error) {
	a, err := s.do(ctx, http.MethodGet, "")
	if err == nil && a.status == http.StatusBadRequest && unsupported(a.body) {
		s.eio = eio3
		a, err = s.do(ctx, http.MethodGet, "")
	}
	if err != nil {
		return opening{}, err
	}
	revision := revisionOf(a.body)
	o, ok := revision.openingOf(a.body)
	if a.status != http.StatusOK || !ok {
		return opening{}, refusal{stageOpen, a}
	}
	s.eio, s.sid = revision, o.SID
	return o, nil
}

func unsupported(body string) bool {
	c := serverErrorOf(body)
	return c.Code == codeUnsupportedVersion || strings.Contains(strings.ToLower(c.Message), "unsupported")
}

// poll sends a packet that the server answers at once, and fetches the answer. Only the
// node that opened the session can serve these two requests. They follow one another,
// because two concurrent polls would end the session.
func (s *session) poll(ctx context.Context) error {
	packet := packetConnect // an EIO 3 server connects by itself, and would delay the answer of a poll
	if s.eio == eio3 {
		packet = packetPing
	}
	a, err := s.do(ctx, http.MethodPost, s.eio.encode(packet))
	if err != nil {
		return err
	}
	if a.status != http.StatusOK || a.body != "ok" {
		return refusal{stagePoll, a}
	}
	if a, err = s.do(ctx, http.MethodGet, ""); err != nil {
		return err
	}
	if a.status != http.StatusOK || len(s.eio.decode(a.body)) == 0 {
		return refusal{stagePoll, a}
	}
	return nil
}

// close closes the session by polling. Its result does not matter: the server drops the
// session after its ping timeout.
func (s *session) close(ctx context.Context) {
	_, _ = s.do(ctx, http.MethodPost, s.eio.encode(packetClose))
}

// do sends one polling request on a new connection.
func (s *session) do(ctx context.Context, method, body string) (answer, error) {
	status, text, err := s.client.Poll(ctx, s.jar, method, s.url("polling"), body)
	return answer{status, text}, err
}

// url returns the path and query of the endpoint. b64 requests text from EIO 3 servers. Each poll
// has another t, as those of engine.io-client do (timestampRequests), so that a cache on the way
// does not answer one client with the session of another.
func (s *session) url(transport string) string {
	path, query, _ := strings.Cut(s.path, "?")
	values, _ := url.ParseQuery(query)
	values.Set("EIO", string(s.eio))
	values.Set("transport", transport)
	values.Set("b64", "1")
	if transport == "polling" {
		values.Set("t", rand.Text())
	}
	if s.sid != "" {
		values.Set("sid", s.sid)
	}
	return path + "?" + values.Encode()
}
