package checks

import (
	"net/http"
	"slices"
	"time"

	"stickwatch/probes"
)

// This file infers restarts that no request saw. A node whose process ended lost every
// session in its memory, and keeps those that it opens since. The same is seen if the
// sessions were deleted while the process ran on: a store was emptied, a key was changed,
// somebody ended all sessions. That is no restart, and nothing excuses the loss.

const (
	// maxInferredRestarts is the number of restarts within rememberedFor that are
	// inferred from lost sessions alone. A node that loses sessions again and again
	// without another sign of a restart has another problem.
	maxInferredRestarts = 2
	// rollingWindow is the longest time between the restarts of two nodes of which one
	// supports the inference of the other.
	rollingWindow = time.Minute
)

// A vanishing is the loss of every session that a node had opened before.
type vanishing struct {
	Span               // from when a session was last known to when all were gone
	noticed  time.Time // when a client first met it, or the node was asked
	sessions int       // number of sessions that show it; 0: there was none
	rolling  bool      // another node failed shortly before
}

// inferRestarts adds the restarts that only lost sessions show. Where clients get each other's session, theirs
// ends without a restart.
func (tl *timeline) inferRestarts() {
	if len(leaks(tl.outcomes)) > 0 {
		return
	}
	lost := make(map[string]vanishing)
	for _, n := range tl.round.Cluster.Nodes {
		if v := tl.vanishingAt(n.ID, tl.nodeTimelines[n.ID]); v.sessions > 0 {
			v.rolling = tl.otherFailed(n.ID, v.To) // as known before this round's inferences
			lost[n.ID] = v
		}
	}
	if tl.lostTogether(lost) {
		return
	}
	for id, v := range lost {
		timeline := tl.nodeTimelines[id]
		if timeline.livedThrough(v.From, v.noticed) || !v.rolling && timeline.inferredRestarts(tl.round.Started) >= maxInferredRestarts {
			continue
		}
		sign := msg(MsgSessionsForgotten, Args{Count: v.sessions})
		timeline.Restarted, timeline.LastSign = v.To, &sign
		if !v.rolling {
			timeline.InferredRestarts = append(slices.Clone(timeline.InferredRestarts), v.To)
			timeline.InferredRestarts = timeline.InferredRestarts[max(0, len(timeline.InferredRestarts)-maxInferredRestarts):]
		}
		timeline = tl.addSign(id, timeline, DisruptionRestart, v.From, v.To, sign)
		tl.nodeTimelines[id] = timeline.withRestart(v.To)
	}
}

// otherFailed reports whether another node failed or was restarted within rollingWindow before a
// moment, as in a rolling restart.
func (tl *timeline) otherFailed(node string, at time.Time) bool {
	for id, other := range tl.nodeTimelines {
		if id != node && slices.ContainsFunc(other.Disruptions, func(d Disruption) bool {
			return d.failed() && !d.Gone.After(at) && at.Sub(d.Gone) <= rollingWindow
		}) {
			return true
		}
	}
	return false
}

// vanishingAt returns the loss of all sessions that a node had opened before, as they
// were presented to it directly, while it keeps sessions that it opens now. A loss that an
// earlier round reported, or that a known restart or outage explains, is none.
func (tl *timeline) vanishingAt(node string, timeline NodeTimeline) (v vanishing) {
	var first time.Time // when the node was first asked for a session that is gone
	for _, c := range tl.round.OwnerChecks {
		if c.To != node || c.SessionOutcome() != probes.SessionLost || c.Known.Before(timeline.Restarted) ||
			c.Known.Before(tl.round.past().Balancer.LastLostAt) || timeline.failedSince(c.Known, c.There.At.Add(-tl.consequencesFor)) {
			continue
		}
		if !c.Renewed() {
			return vanishing{} // it keeps no session at all
		}
		v.sessions++
		if c.Known.After(v.From) {
			v.From = c.Known
		}
		if c.There.At.After(v.To) {
			v.To = c.There.At
		}
		if first.IsZero() || c.There.At.Before(first) {
			first = c.There.At
		}
	}
	v.noticed = first
	for _, a := range tl.outcomes.allAnswers {
		if a.sessionOutcome == probes.SessionLost && a.servingNode == node && a.trace.opener == node && a.At.After(v.From) && a.At.Before(v.noticed) {
			v.noticed = a.At
		}
	}
	switch kept := tl.olderSessionKept(node, v.From); {
	case kept.After(v.noticed): // it has lost some, and not all
		return vanishing{}
	case kept.After(v.From): // it had them all a moment ago
		v.From = kept
	}
	return v
}

// livedThrough reports whether one process of the node is known to have run from one
// moment to another.
func (t NodeTimeline) livedThrough(from, to time.Time) bool {
	return !t.Lived.From.IsZero() && !from.Before(t.Lived.From) && !to.After(t.Lived.To)
}

// lostTogether reports whether the sessions of several nodes vanished at one moment, no
// node still knows an older one, and nothing shows that a node was restarted then. Nodes
// that restart one after the other lose their sessions at different moments.
func (tl *timeline) lostTogether(lost map[string]vanishing) bool {
	moment := Span{To: tl.round.Started.Add(rememberedFor)} // of all: since the last that was known, until the first was seen to be gone
	noticed := moment.To                                    // when a client met the first loss
	for _, v := range lost {
		if v.noticed.Before(noticed) {
			noticed = v.noticed
		}
		if v.From.After(moment.From) {
			moment.From = v.From
		}
		if v.To.Before(moment.To) {
			moment.To = v.To
		}
	}
	const samples = 3 // a longer time has room for several restarts
	if len(lost) < 2 || !moment.From.Before(noticed) || tl.round.Every > 0 && moment.To.Sub(moment.From) > samples*tl.round.Every {
		return false
	}
	for _, n := range tl.round.Cluster.Nodes {
		failed := func(d Disruption) bool { return d.failed() && !d.From.After(moment.To) && !d.To.Before(moment.From) }
		if tl.olderSessionKept(n.ID, moment.From).After(moment.From) || slices.ContainsFunc(tl.nodeTimelines[n.ID].Disruptions, failed) {
			return false
		}
	}
	return !slices.ContainsFunc(tl.outcomes.allAnswers, func(a *answer) bool {
		return moment.contains(a.At) && (a.Failure != "" || a.Status >= http.StatusInternalServerError)
	})
}

// olderSessionKept returns when a node was last seen to know a session that it opened before
// a moment; zero: never.
func (tl *timeline) olderSessionKept(node string, opened time.Time) (last time.Time) {
	for _, c := range tl.round.OwnerChecks {
		outcome := c.SessionOutcome()
		if end := c.There.At.Add(c.There.Timing.Total); c.To == node && c.Opened.Before(opened) && (outcome == probes.SessionKept || outcome == probes.SessionStale) && end.After(last) {
			last = end // other checks are sent at the same time
		}
	}
	for _, tr := range tl.outcomes.traces {
		if !tr.Continued || tr.opener != node || !tr.Opened.Before(opened) {
			continue
		}
		for _, a := range tr.answers {
			if a.servingNode == node && a.sessionOutcome == probes.SessionKept && a.At.After(last) {
				last = a.At
			}
		}
	}
	return last
}

// inferredRestarts counts the restarts of a node that were inferred within
// rememberedFor.
func (t NodeTimeline) inferredRestarts(now time.Time) int {
	n := 0
	for _, at := range t.InferredRestarts {
		if now.Sub(at) < rememberedFor {
			n++
		}
	}
	return n
}

// failedSince reports whether a node failed after one moment and was well again
// before another.
func (t NodeTimeline) failedSince(moment, until time.Time) bool {
	return slices.ContainsFunc(t.Disruptions, func(d Disruption) bool {
		return d.failed() && d.Gone.After(moment) && d.To.Before(until)
	})
}
