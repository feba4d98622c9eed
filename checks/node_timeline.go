package checks

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"stickwatch/probes"
)

// Timelines are what earlier rounds knew of a cluster, as far as the next round is
// judged by it. They are never changed: each report has new ones.
type Timelines struct {
	Nodes    map[string]NodeTimeline // by id
	Balancer BalancerTimeline

	SlowConnects []slowConnect // recent ones, oldest first

	// LossesTo is the time of the newest answer without its session that was counted in
	// Disruption.Lost: a canary's requests are judged by several rounds.
	LossesTo time.Time
}

// A NodeTimeline is what earlier rounds knew of one node.
type NodeTimeline struct {
	PID     string    // as its status reported it last; "": not reported
	UpSince time.Time // likewise; zero: not reported
	// Reported is when its status last reported them; zero: never.
	Reported time.Time
	Lived    Span // a time through which one process is known to have run, up to now; zero: none

	FirstAnswered time.Time // when it was first seen to answer; zero: never
	LastReady     time.Time `json:"LastWell"` // when it was last ready; zero: never
	// UnreadySince is when it was first seen not to be ready, or to be slow, without being ready
	// and fast since; zero: it is ready and fast.
	UnreadySince time.Time `json:"DownSince"` // stored histories have this and others under an earlier name
	// SilentSince is the same without the times at which it answered slowly, or that it
	// is paused. SilentLast is when it was last found so.
	SilentSince, SilentLast time.Time
	RefusesConnections      bool      `json:"Down"`    // its address refused connections in the newest round
	LastRefusedAt           time.Time `json:"Refused"` // when it last refused a connection; zero: never
	ListensAgainAt          time.Time `json:"Started"` // when it was seen to accept connections again after it had refused them; zero: never
	// Restarted is when the newest sign of a restart was seen; zero: never. Restarts are
	// the recent ones, oldest first.
	Restarted time.Time
	Restarts  []time.Time
	LastSign  *Message // the newest sign of a restart; nil: there was none

	Joined     time.Time   // when its source first listed it after the first round; zero: it was there before
	DelistedAt time.Time   `json:"Left"` // since when its source does not list it; zero: it does
	Departures []time.Time // the recent moments at which it left, oldest first

	RecoveredAt  time.Time `json:"Back"` // when it was last ready again after a failure or restart, asked directly; zero: it has not failed
	LeftOutSince time.Time `json:"Out"`  // since when the balancer leaves it out although it is ready; zero: it gets clients

	Disruptions      []Disruption // recent ones, oldest first
	InferredRestarts []time.Time  // restarts that only lost sessions showed, oldest first
	// ScatteredSince is since when its clients are answered by it and by other nodes
	// in turns, while those of other nodes stay; zero: they are not. ScatteredLast is
	// when that was last seen.
	ScatteredSince, ScatteredLast time.Time

	OwnAddress     netip.Addr // our own address, if the balancer's hash names this node for it and the node answered it
	OwnAddressSeen time.Time  // when that was last seen

	LogRead         bool       // nginx's error log was read
	LogUntil        time.Time  // when the newest known ejection in the log began; zero: there was none
	ReportedUpSince time.Time  `json:"Up"`    // since when HAProxy reported it up, when it last did; zero: not reported, or a round has found it out since
	ReportedDowns   int        `json:"Downs"` // how often HAProxy had found it down by then
	Ejections       []Ejection // recent ones that no round has seen, oldest first
}

// updateNodes returns the timeline of a cluster's nodes with this round's direct
// observations.
func updateNodes(r *Round) map[string]NodeTimeline {
	now := make(map[string]NodeTimeline)
	past := r.past().Nodes
	known := maps.Clone(past)
	for _, o := range r.Nodes {
		if timeline, ok := known[o.Node]; completed(o.Primary) {
			now[o.Node] = timeline.after(o)
		} else if ok {
			now[o.Node] = timeline
		}
	}
	return now
}

// after returns the timeline of a node with a direct observation. Only a refused
// connection shows that the process is gone; lost packets are no sign of a restart.
func (t NodeTimeline) after(observation probes.NodeObservation) NodeTimeline {
	at := observation.Primary.At
	if observation.Primary.Answered() && t.FirstAnswered.IsZero() {
		t.FirstAnswered = at
	}
	switch listening := observation.Primary.Answered(); {
	case observation.Primary.Failure == probes.FailureRefused:
		t.RefusesConnections, t.LastRefusedAt = true, at
	case listening && t.RefusesConnections:
		t.RefusesConnections, t.ListensAgainAt = false, at
		t = t.withSign(t.LastRefusedAt, at, msg(MsgListensAgain, Args{}))
	}
	if observation.Status == nil {
		return t
	}
	sign := t.changed(observation.Status)
	switch {
	case observation.Status.UpSince.IsZero() || t.UpSince.IsZero() || !sign.IsZero():
		t.Lived = Span{at, at}
	default: // a process id proves nothing: in a container it is always the same
		t.Lived.To = at
	}
	if !sign.IsZero() {
		since := t.Reported
		if observation.Status.UpSince.Sub(t.Restarted) > clockSlack {
			since = t.Restarted // the known restart was another one
		}
		t = t.withSign(since, at, sign)
	}
	t.PID, t.UpSince, t.Reported = observation.Status.PID, observation.Status.UpSince, at
	return t
}

// Sign returns the newest sign of a restart; its zero value: there was none.
func (t NodeTimeline) Sign() Message {
	if t.LastSign == nil {
		return Message{}
	}
	return *t.LastSign
}

// withSign returns the timeline with a sign, seen at a moment, that the node was
// restarted since an earlier one. A restart that other signs have shown since then is the
// same one.
func (t NodeTimeline) withSign(since, at time.Time, sign Message) NodeTimeline {
	t.LastSign = &sign
	if !t.Restarted.After(since) {
		t.Restarted = at
	}
	return t
}

// clockSlack is the tolerance for a start time that a process computes from its
// uptime.
const clockSlack = 3 * time.Second

// changed returns the sign of a restart in a status, compared with the one before;
// zero: none.
func (t NodeTimeline) changed(s *probes.StatusReport) Message {
	switch {
	case t.PID != "" && s.PID != "" && t.PID != s.PID:
		return msg(MsgProcessChanged, Args{Was: t.PID, Value: s.PID})
	case !t.UpSince.IsZero() && s.UpSince.Sub(t.UpSince) > clockSlack:
		return msg(MsgStartChanged, Args{Was: wallTime(t.UpSince), Value: wallTime(s.UpSince)})
	default:
		return Message{}
	}
}

// wallTime formats a time that a node reported and whose zone may not be known.
func wallTime(t time.Time) string { return t.Format(time.DateTime) }

// An Ejection is an ejection that no round has seen.
type Ejection struct {
	Span          // From is zero if only the end is known
	Words Message // the evidence of the balancer
}

// addBalancerEvents adds the past ejections of n that the balancer reports. An
// ejection or a failure that a round has found itself is not added.
func (tl *timeline) addBalancerEvents(n probes.Node, timeline NodeTimeline) NodeTimeline {
	ongoing := tl.rotation.states[n.ID].ProvenOut // is reported instead of those before
	timeline.Ejections = slices.DeleteFunc(slices.Clone(timeline.Ejections), func(e Ejection) bool {
		return ongoing || tl.round.Started.Sub(e.To) > eventReportedFor
	})
	reported := !tl.nodes.ready(n.ID) || n.Down || ongoing
	return tl.readStatistics(n, tl.readLog(n, timeline, reported), reported)
}

// An ejectionLog is the ejections of one node in nginx's error log.
type ejectionLog struct {
	source   string
	detail   string
	episodes []probes.Episode // oldest first
	out      bool             // the newest of them is ongoing
}

// ejectionsOf returns the ejections of n in the error log. It is not ok if no log
// could be read, or if the times in it are not plausible.
func (tl *timeline) ejectionsOf(n probes.Node) (l ejectionLog, ok bool) {
	for _, o := range tl.round.Evidence {
		if o.Kind != probes.EvidenceNginxErrorLog || o.Error != "" {
			continue
		}
		ok = true
		for _, s := range o.Servers {
			if tl.nodes.matcher.Matches(n, o, s) && len(s.Episodes) > 0 {
				return ejectionLog{o.Source, s.Detail, s.Episodes, s.State == probes.ServerDown}, s.State != probes.ServerUnknown
			}
		}
	}
	return l, ok
}

// readLog adds the ejections that nginx's error log has gained since the previous
// round. Ejections that are in it at the first reading are ignored. reported is true
// if the round reports the node itself.
func (tl *timeline) readLog(n probes.Node, timeline NodeTimeline, reported bool) NodeTimeline {
	ejectionLog, ok := tl.ejectionsOf(n)
	if !ok {
		return timeline
	}
	ended := ejectionLog.episodes
	if ejectionLog.out {
		ended = ended[:len(ended)-1]
	}
	for _, episode := range ended {
		if timeline.LogRead && !reported && episode.First.After(timeline.LogUntil) {
			timeline.Ejections = append(timeline.Ejections, tl.round.ejection(n, ejectionLog, episode))
		}
	}
	known := ended
	if reported {
		known = ejectionLog.episodes
	}
	if len(known) > 0 {
		timeline.LogUntil = known[len(known)-1].First
	}
	timeline.LogRead = true
	return timeline
}

// ejection returns an episode of the log as an ejection: nginx leaves a server out
// for fail_timeout after its last failed try.
func (r *Round) ejection(n probes.Node, l ejectionLog, e probes.Episode) Ejection {
	hold := r.Cluster.Balancer.FailTimeout
	out := Span{e.First, e.Last.Add(hold)}
	return Ejection{out, msg(MsgEjectionLogged, Args{
		Name: l.source, Server: n.ServerName(), Since: out.From, At: out.To, Duration: hold, Reason: l.detail,
	})}
}

// readStatistics adds an ejection if HAProxy reports n up since a later time than
// before. If that is true of every node, HAProxy itself was restarted.
func (tl *timeline) readStatistics(n probes.Node, timeline NodeTimeline, reported bool) NodeTimeline {
	s, source, ok := tl.statistics(n)
	switch {
	case !ok:
		return timeline
	case s.State == probes.ServerUp:
		// The time alone is no evidence: it changes at the end of slowstart, too, and after a drain.
		if !timeline.ReportedUpSince.IsZero() && !reported && s.Since.Sub(timeline.ReportedUpSince) > clockSlack && s.Downs > timeline.ReportedDowns && tl.someStayedUp() {
			timeline.Ejections = append(timeline.Ejections, Ejection{Span{To: s.Since}, msg(MsgCameUpAgain, Args{
				Name: source, Server: s.Server, At: s.Since, Since: timeline.ReportedUpSince,
			})})
		}
		timeline.ReportedUpSince, timeline.ReportedDowns = s.Since, s.Downs
	case reported:
		timeline.ReportedUpSince = time.Time{} // the round has found the ejection already
	}
	return timeline
}

// statistics returns HAProxy's statistics of n, with their source.
func (tl *timeline) statistics(n probes.Node) (s probes.ServerEvidence, source string, ok bool) {
	for _, o := range tl.round.Evidence {
		if o.Kind != probes.EvidenceHAProxyStats || o.Error != "" {
			continue
		}
		at := slices.IndexFunc(o.Servers, func(s probes.ServerEvidence) bool { return tl.nodes.matcher.Matches(n, o, s) && !s.Since.IsZero() })
		if at >= 0 {
			return o.Servers[at], o.Source, true
		}
	}
	return probes.ServerEvidence{}, "", false
}

// someStayedUp reports whether some node was up in HAProxy since before the previous
// round.
func (tl *timeline) someStayedUp() bool {
	return slices.ContainsFunc(tl.round.Cluster.Nodes, func(n probes.Node) bool {
		s, _, ok := tl.statistics(n)
		before := tl.round.past().Nodes[n.ID].ReportedUpSince
		return ok && s.State == probes.ServerUp && !before.IsZero() && s.Since.Sub(before).Abs() <= clockSlack
	})
}
