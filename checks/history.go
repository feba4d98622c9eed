package checks

import (
	"maps"
	"net/netip"
	"time"

	"stickwatch/probes"
)

// A History is what earlier rounds knew of a cluster, as far as the next one is
// judged by it. It is never changed: each report has a new one.
type History struct {
	Nodes map[string]NodeHistory // by id
	Pool  PoolHistory
}

// A NodeHistory is what earlier rounds knew of one node.
type NodeHistory struct {
	PID     string    // as its status gave it last; "": not told
	UpSince time.Time // likewise

	Since time.Time // when it was first seen answering; zero: never
	Seen  time.Time // when it last answered well; zero: never
	// DownSince is when it was first seen not to be well, in a row; zero: it is.
	DownSince time.Time
	Down      bool      // nothing listened at its address in the newest round
	Started   time.Time // when it was seen listening again, after nothing had; zero: never
	// Restarted is when the newest sign of a restart was seen; zero: none was.
	Restarted time.Time
	LastSign  Message // what that was

	// Back is when it last was well again after it had failed or restarted, asked
	// directly; zero: it has not failed. Out is since when the balancer has left it out,
	// though it is well; zero: it gets clients.
	Back, Out time.Time

	Disruptions      []Disruption // of the last minutes, oldest first
	InferredRestarts []time.Time  // restarts that only lost sessions told of, oldest first
	// Torn is since when its clients have been answered by it and by others in
	// turns, while those of other nodes stay; zero: they are not. ScatteredLast is when
	// that was last seen.
	ScatteredSince, ScatteredLast time.Time

	OwnAddress     netip.Addr // our own address, if the balancer's hash sends it here and it was answered here
	OwnAddressSeen time.Time  // when that was last

	LogRead   bool       // nginx's error log was read
	LogUntil  time.Time  // when the newest ejection that is known from it began; zero: there was none
	Up        time.Time  // since when HAProxy had it up when it last had; zero: not told, or a round has found that it was out
	Ejections []Ejection // of a moment ago that no round has seen, oldest first
}

// past is what earlier rounds knew; an empty History for a single picture.
func (r Round) past() History {
	if r.Past == nil {
		return History{}
	}
	return *r.Past
}

// remember is what is known of a cluster's nodes after they have been asked.
func remember(past map[string]NodeHistory, r Round) map[string]NodeHistory {
	now := make(map[string]NodeHistory)
	known := maps.Clone(past)
	for _, o := range r.Nodes {
		if m, ok := known[o.Node]; asked(o.Primary) {
			now[o.Node] = m.after(o)
		} else if ok {
			now[o.Node] = m
		}
	}
	return now
}

// after is what is known of a node once it has been asked. Only a refused
// connection says that its process is gone: a network that loses packets starts
// nothing anew.
func (m NodeHistory) after(o probes.NodeObservation) NodeHistory {
	at := o.Primary.At
	if o.Primary.Answered() && m.Since.IsZero() {
		m.Since = at
	}
	switch listening := o.Primary.Answered(); {
	case o.Primary.Failure == probes.FailureRefused:
		m.Down = true
	case listening && m.Down:
		m.Down, m.Started = false, at
		m.Restarted, m.LastSign = at, msg(MsgListensAgain, Args{})
	}
	if o.Status == nil {
		return m
	}
	if sign := m.changed(o.Status); !sign.IsZero() {
		m.Restarted, m.LastSign = at, sign
	}
	m.PID, m.UpSince = o.Status.PID, o.Status.UpSince
	return m
}

// clockSlack is by how much the start time that a process computes from its
// uptime may wander.
const clockSlack = 3 * time.Second

// changed is what a status says differently from the one before.
func (m NodeHistory) changed(s *probes.StatusReport) Message {
	switch {
	case m.PID != "" && s.PID != "" && m.PID != s.PID:
		return msg(MsgProcessChanged, Args{Was: m.PID, Value: s.PID})
	case !m.UpSince.IsZero() && s.UpSince.Sub(m.UpSince) > clockSlack:
		return msg(MsgStartChanged, Args{Was: asTold(m.UpSince), Value: asTold(s.UpSince)})
	default:
		return Message{}
	}
}

// asTold is a time as a node gave it, whose zone may not be known.
func asTold(t time.Time) string { return t.Format(time.DateTime) }

// beganAnew reports whether a node was restarted after a moment: the sessions
// that it held until then went with its process.
func (v *timeline) beganAnew(node string, since time.Time) bool {
	m, known := v.nodeHistory[node]
	return known && (m.Down || m.Restarted.After(since))
}
