// Package engineio takes a client through the handshake of Engine.IO, the
// transport below Socket.IO.
//
// The handshake is several requests, and a session lives in the memory of one
// node: a balancer that is not sticky breaks it at once, and a proxy that knows
// no WebSocket breaks its last step. Every request here takes a connection of
// its own, so that a balancer has every chance to break it that it would have
// with browsers.
//
// A session id is a credential. None leaves this package: only its Series.
package engineio

import (
	"context"
	"errors"

	"stickwatch/probes"
)

// The stages of a handshake, as an observation names the one that broke.
const (
	stageOpen    = "open"
	stagePoll    = "poll"
	stageUpgrade = "upgrade"
)

// Handshake opens a session by polling, polls it with its id, upgrades it to a
// WebSocket where the server offers that, and closes it politely, all within
// the time-out of c. It is a probes.Handshaker.
func Handshake(ctx context.Context, c *probes.Client, r probes.HandshakeRequest) probes.HandshakeObservation {
	target := c.Target()
	ctx, cancel := context.WithTimeout(ctx, target.Timeout)
	defer cancel()
	obs := probes.HandshakeObservation{
		URL: target.URL.Redacted(), Balancer: target.Address, Client: r.Client, Expected: r.Expected,
	}
	s := &session{client: c, path: r.Path, jar: probes.NewJar(), eio: eio4}
	stage, err := s.runSteps(ctx, &obs)
	if err != nil {
		obs.Stage, obs.TimedOut = stage, timedOut(err)
		obs.Status, obs.Error = s.describe(err, stage)
	}
	return obs
}

// runSteps goes through the stages, and returns the one that broke.
func (s *session) runSteps(ctx context.Context, obs *probes.HandshakeObservation) (string, error) {
	open, err := s.open(ctx)
	if refused(err, codeUnknownTransport) {
		return s.straight(ctx, obs)
	}
	if err != nil {
		return stageOpen, err
	}
	obs.Opened, obs.Offered, obs.Series = true, open.offersWebSocket(), Series(open.SID)
	if err := s.poll(ctx); err != nil {
		s.leave(ctx)
		return stagePoll, err
	}
	obs.Known = true
	if !obs.Offered {
		s.leave(ctx)
		return "", nil
	}
	if err := s.upgrade(ctx); err != nil {
		// With two nodes behind a careless balancer, one session in four gets
		// this far before it meets the wrong one.
		obs.Known = !refused(err, codeUnknownSession)
		s.leave(ctx)
		return stageUpgrade, err
	}
	obs.Upgraded = true
	return "", nil
}

// straight opens the session as a WebSocket, with a server that takes nothing
// else. One connection needs no stickiness: what is opened is known.
func (s *session) straight(ctx context.Context, obs *probes.HandshakeObservation) (string, error) {
	open, err := s.openSocket(ctx)
	if err != nil {
		return stageOpen, err
	}
	obs.Series = Series(open.SID)
	obs.Opened, obs.Known, obs.Offered, obs.Upgraded = true, true, true, true
	return "", nil
}

// refused reports whether err is Engine.IO's own refusal with code.
func refused(err error, code int) bool {
	r, ok := errors.AsType[refusal](err)
	return ok && r.code() == code
}
