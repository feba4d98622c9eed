package checks

import (
	"slices"
	"time"

	"stickwatch/probes"
)

// A Disruption is a time in which a node, or the balancer's way to it, was
// interrupted. Clients of the node may meet consequences for a while longer: see
// Aftermath.
type Disruption struct {
	Span              // from when the node was last known to be ready to the newest sign that it was not
	NotifiedDown bool // the outage was long enough for node_down to be notified
	// Unwatched is true if none of our sessions was on the node, so that the cost is
	// not known.
	Unwatched bool
	Kind      DisruptionKind
	Gone      time.Time // newest sign that the node itself failed or restarted, so that sessions may be gone; zero: it was only left out
	Why       *Message  // the newest sign
	Lost      int       // sessions of ours that were lost because of it
	Failures  Span      // from the first to the last request of a client that failed by it; zero: none did
	// LastFailed is when the last of these requests was sent. Failures ends with the answer to it,
	// for which it may have waited through a restart.
	LastFailed time.Time
	Finding    string // key of the finding that reported it first; "": none has
}

// A DisruptionKind is what interrupted a node.
type DisruptionKind string

// The kinds, the strongest first.
const (
	DisruptionLeft    DisruptionKind = "left"    // its source no longer lists it
	DisruptionRestart DisruptionKind = "restart" // another process answers since
	DisruptionDown    DisruptionKind = "down"    // it did not answer, or answered with errors
	DisruptionEjected DisruptionKind = "ejected" // it is ready, and the balancer left it out
)

const (
	// keptDisruptions is the maximum number of disruptions that are kept for a node.
	keptDisruptions = 16
	// rememberedFor is how long a disruption is kept: longer than an idle canary
	// pauses, which discovers only afterwards what the disruption cost it.
	rememberedFor = 20 * time.Minute
	// longDown is the length of an outage from which node_down was certainly notified:
	// warnings wait for 30 s by default.
	longDown = 33 * time.Second
	// httpdRetry is httpd's default time for leaving a member out after a failed
	// connection (mod_proxy, "retry").
	httpdRetry = time.Minute
)

// Aftermath returns how long the clients of a node may be sent elsewhere after it is
// back. Each worker of nginx leaves a server out for fail_timeout after that worker's
// own last failure, counted in whole seconds, and a request may be in progress by
// then.
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

// covers reports whether an event at a moment may be a consequence of the disruption.
func (d Disruption) covers(at time.Time, aftermath time.Duration) bool {
	return d.overlaps(Span{at, at}, aftermath)
}

// overlaps reports whether a loss within a span may be a consequence of the
// disruption.
func (d Disruption) overlaps(s Span, aftermath time.Duration) bool {
	return !s.To.Before(d.From) && !s.From.After(d.To.Add(aftermath))
}

// failed reports whether the node itself was gone, and not only left out.
func (d Disruption) failed() bool { return d.Kind != DisruptionEjected }

// mayTakeSession reports whether a disruption of its node may have cost a client its
// session. A node that answers, and loses a session opened after it was back, has
// another problem.
func (d Disruption) mayTakeSession(a *answer) bool {
	return d.failed() && (a.moved() || a.trace.Opened.Before(d.Gone))
}

// extends reports whether a sign within the aftermath of a disruption belongs to it. A failure
// after the node has recovered from an outage that was notified has a cost of its own. So has an
// ejection that lasts so much longer than the aftermath of a failure that it is notified itself:
// somebody has drained the node.
func (t NodeTimeline) extends(last, sign Disruption, aftermath time.Duration) bool {
	failsAgain := last.NotifiedDown && sign.failed() && t.RecoveredAt.After(last.From) && !sign.From.Before(t.RecoveredAt)
	isDrained := last.failed() && !sign.failed() && sign.To.After(last.Gone.Add(aftermath+longDown))
	return !sign.From.After(last.To.Add(aftermath)) && !failsAgain && !isDrained
}

// with returns the timeline with one more sign of a disruption, which extends the last one or
// begins another.
func (t NodeTimeline) with(sign Disruption, aftermath time.Duration) NodeTimeline {
	t.Disruptions = slices.Clone(t.Disruptions)
	if n := len(t.Disruptions); n > 0 && t.extends(t.Disruptions[n-1], sign, aftermath) {
		last := &t.Disruptions[n-1]
		if sign.To.After(last.To) {
			last.Why = sign.Why
		}
		last.Span, last.Failures = last.and(sign.Span), last.Failures.and(sign.Failures)
		last.Kind = stronger(last.Kind, sign.Kind)
		if sign.LastFailed.After(last.LastFailed) {
			last.LastFailed = sign.LastFailed
		}
		if sign.Gone.After(last.Gone) {
			last.Gone = sign.Gone
		}
		last.NotifiedDown = last.NotifiedDown || sign.NotifiedDown
		last.Unwatched = last.Unwatched && sign.Unwatched
		return t
	}
	t.Disruptions = append(t.Disruptions, sign)
	t.Disruptions = t.Disruptions[max(0, len(t.Disruptions)-keptDisruptions):]
	return t
}

// knewOf reports whether an earlier round has seen a disruption, or has last seen the node
// down. A disruption that only this round's failed answers show does not explain them. One
// that goes on keeps the beginning that it had, or gets an earlier one (see with).
func (t NodeTimeline) knewOf(d Disruption) bool {
	return t.RefusesConnections || slices.ContainsFunc(t.Disruptions, func(old Disruption) bool {
		return !old.From.Before(d.From) && !old.From.After(d.To)
	})
}

func stronger(a, b DisruptionKind) DisruptionKind {
	for _, kind := range []DisruptionKind{DisruptionLeft, DisruptionRestart, DisruptionDown} {
		if a == kind || b == kind {
			return kind
		}
	}
	return DisruptionEjected
}

// DisruptedSince reports whether a node was down, restarted or left out by the
// balancer at any time since a moment. It is false for a nil Timelines.
func (t *Timelines) DisruptedSince(node string, since time.Time) bool {
	if t == nil {
		return false
	}
	timeline := t.Nodes[node]
	return !timeline.Restarted.IsZero() && !timeline.Restarted.Before(since) ||
		slices.ContainsFunc(timeline.Disruptions, func(d Disruption) bool { return !d.To.Before(since) })
}
