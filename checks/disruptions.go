package checks

import (
	"slices"
	"time"

	"stickwatch/probes"
)

// This file is the timeline of each node: when its clients could not rely on it,
// and for how long what they met afterwards is still a consequence of that.

// A Disruption is a time in which a node, or the balancer's way to it, was
// interrupted.
type Disruption struct {
	Span              // from when the node was last known to be well to the newest sign that it was not
	NotifiedDown bool // it did not answer for so long that node_down has told of it
	// Unwatched: no session of ours was on the node, so that nobody saw what it cost.
	Unwatched bool
	Kind      DisruptionKind
	Gone      time.Time // the newest sign that the node itself failed or restarted: sessions from before may be gone; zero: it was only left out
	Why       *Message  // the newest sign
	Lost      int       // sessions of ours that were gone because of it
}

// A DisruptionKind says what interrupted a node.
type DisruptionKind string

// The kinds, the one that says more first.
const (
	DisruptionRestart DisruptionKind = "restart" // another process answers since
	DisruptionDown    DisruptionKind = "down"    // it did not answer, or with errors
	DisruptionEjected DisruptionKind = "ejected" // it is well, and the balancer left it out
)

const (
	// keptDisruptions bounds the disruptions that are remembered of a node.
	keptDisruptions = 16
	// rememberedFor is for how long a disruption is remembered at the least: for longer
	// than an idle canary pauses, which finds only then what the disruption cost it.
	rememberedFor = 20 * time.Minute
	// longDown is how long a node is down when its own line, node_down, is notified:
	// warnings wait for 30 s by default, and a finding is active for one more round
	// after the node is back.
	longDown = 27 * time.Second
	// httpdRetry is httpd's default for how long it leaves a member alone after a
	// failed connect (mod_proxy, "retry").
	httpdRetry = time.Minute
)

// Aftermath is for how long the clients of a node may be sent elsewhere after it
// is back: each worker of nginx holds a server out for fail_timeout after that
// worker's own last failure, counted in whole seconds, and a request may be under
// way by then.
func Aftermath(b probes.Balancer) time.Duration {
	hold := b.FailTimeout
	if hold <= 0 {
		hold = probes.DefaultFailTimeout
	}
	if b.Method == probes.MethodCookie && (b.Evidence.ApacheStatus != nil || b.Evidence.ApacheBalancerManager != nil) {
		hold = max(hold, httpdRetry)
	}
	return hold + 2*time.Second
}

// covers reports whether what a client met at a moment may be a consequence.
func (d Disruption) covers(at time.Time, aftermath time.Duration) bool {
	return !at.Before(d.From) && !at.After(d.To.Add(aftermath))
}

// with is the history with one more sign of a disruption. A sign that comes
// within the aftermath of an earlier one prolongs that.
func (m NodeHistory) with(sign Disruption, aftermath time.Duration) NodeHistory {
	m.Disruptions = slices.Clone(m.Disruptions)
	if n := len(m.Disruptions); n > 0 && !sign.From.After(m.Disruptions[n-1].To.Add(aftermath)) {
		last := &m.Disruptions[n-1]
		if sign.From.Before(last.From) {
			last.From = sign.From
		}
		if sign.To.After(last.To) {
			last.To, last.Why = sign.To, sign.Why
		}
		last.Kind = stronger(last.Kind, sign.Kind)
		if sign.Gone.After(last.Gone) {
			last.Gone = sign.Gone
		}
		last.NotifiedDown = last.NotifiedDown || sign.NotifiedDown
		last.Unwatched = last.Unwatched && sign.Unwatched
		return m
	}
	m.Disruptions = append(m.Disruptions, sign)
	m.Disruptions = m.Disruptions[max(0, len(m.Disruptions)-keptDisruptions):]
	return m
}

func stronger(a, b DisruptionKind) DisruptionKind {
	for _, kind := range []DisruptionKind{DisruptionRestart, DisruptionDown} {
		if a == kind || b == kind {
			return kind
		}
	}
	return DisruptionEjected
}

// DisruptedSince reports whether a node was down, restarted or left out by the
// balancer at any time since a moment. Of a nil History nothing is known.
func (h *History) DisruptedSince(node string, since time.Time) bool {
	if h == nil {
		return false
	}
	m := h.Nodes[node]
	return !m.Restarted.IsZero() && !m.Restarted.Before(since) ||
		slices.ContainsFunc(m.Disruptions, func(d Disruption) bool { return !d.To.Before(since) })
}
