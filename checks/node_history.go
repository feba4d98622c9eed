package checks

import (
	"maps"
	"net/netip"
	"slices"
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
	PID     string    // as its status gave it last; "": not reported
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
	InferredRestarts []time.Time  // restarts that only lost sessions reported of, oldest first
	// Torn is since when its clients have been answered by it and by others in
	// turns, while those of other nodes stay; zero: they are not. ScatteredLast is when
	// that was last seen.
	ScatteredSince, ScatteredLast time.Time

	OwnAddress     netip.Addr // our own address, if the balancer's hash sends it here and it was answered here
	OwnAddressSeen time.Time  // when that was last

	LogRead   bool       // nginx's error log was read
	LogUntil  time.Time  // when the newest ejection that is known from it began; zero: there was none
	Up        time.Time  // since when HAProxy had it up when it last had; zero: not reported, or a round has found that it was out
	Ejections []Ejection // of a moment ago that no round has seen, oldest first
}

// past is what earlier rounds knew; an empty History for a single picture.
func (r Round) past() History {
	if r.Past == nil {
		return History{}
	}
	return *r.Past
}

// updateNodes is what is known of a cluster's nodes after they have been asked.
func updateNodes(past map[string]NodeHistory, r Round) map[string]NodeHistory {
	now := make(map[string]NodeHistory)
	known := maps.Clone(past)
	for _, o := range r.Nodes {
		if m, ok := known[o.Node]; completed(o.Primary) {
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
		return msg(MsgStartChanged, Args{Was: wallTime(m.UpSince), Value: wallTime(s.UpSince)})
	default:
		return Message{}
	}
}

// wallTime is a time as a node gave it, whose zone may not be known.
func wallTime(t time.Time) string { return t.Format(time.DateTime) }

// An Ejection is one that no round has seen.
type Ejection struct {
	Span          // From is zero where only the end is reported
	Words Message // whose word it is, and what it says
}

// addBalancerEvents takes in what the balancer says of n's past. What a round has found by
// itself, be it the ejection or that the node fails, is reported already.
func (v *timeline) addBalancerEvents(n probes.Node, m NodeHistory) NodeHistory {
	m.Ejections = slices.DeleteFunc(slices.Clone(m.Ejections), func(e Ejection) bool { return v.Started.Sub(e.To) > ejectionReportedFor })
	reported := !v.ready(n.ID) || n.Down || v.rotationStates[n.ID].Sure
	return v.readStatistics(n, v.readLog(n, m, reported), reported)
}

// ejectionReportedFor is for how long such an ejection is reported.
const ejectionReportedFor = restartReportedFor

// An ejectionLog is what nginx's error log says of one node's ejections.
type ejectionLog struct {
	source   string
	detail   string
	episodes []probes.Episode // oldest first
	out      bool             // the newest of them goes on
}

// ejectionsOf reads the error log for n, of which it says nothing while n is
// well. It is not ok where none could be read, or its times are not to be
// believed.
func (v *timeline) ejectionsOf(n probes.Node) (l ejectionLog, ok bool) {
	for _, o := range v.Evidence {
		if o.Kind != probes.EvidenceNginxErrorLog || o.Error != "" {
			continue
		}
		ok = true
		for _, s := range o.Servers {
			if v.matcher.Matches(n, o, s) && len(s.Episodes) > 0 {
				return ejectionLog{o.Source, s.Detail, s.Episodes, s.State == probes.ServerDown}, s.State != probes.ServerUnknown
			}
		}
	}
	return l, ok
}

// readLog reads nginx's error log on from where the round before left it. What
// is in it when it is first read is the past's.
func (v *timeline) readLog(n probes.Node, m NodeHistory, reported bool) NodeHistory {
	l, ok := v.ejectionsOf(n)
	if !ok {
		return m
	}
	over := l.episodes
	if l.out {
		over = over[:len(over)-1]
	}
	for _, e := range over {
		if m.LogRead && !reported && e.First.After(m.LogUntil) {
			m.Ejections = append(m.Ejections, v.ejection(n, l, e))
		}
	}
	known := over
	if reported {
		known = l.episodes
	}
	if len(known) > 0 {
		m.LogUntil = known[len(known)-1].First
	}
	m.LogRead = true
	return m
}

// ejection is an episode of the log: nginx leaves a server alone for
// fail_timeout after its last failed try.
func (v *timeline) ejection(n probes.Node, l ejectionLog, e probes.Episode) Ejection {
	hold := v.Cluster.Balancer.FailTimeout
	out := Span{e.First, e.Last.Add(hold)}
	return Ejection{out, msg(MsgEjectionLogged, Args{
		Name: l.source, Server: n.ServerName(), Since: out.From, At: out.To, Duration: hold, Reason: l.detail,
	})}
}

// readStatistics holds since when HAProxy has n up against what it said before.
// Where that is news of every node, HAProxy itself has begun anew.
func (v *timeline) readStatistics(n probes.Node, m NodeHistory, reported bool) NodeHistory {
	s, source, ok := v.statistics(n)
	switch {
	case !ok:
		return m
	case s.State == probes.ServerUp:
		if !m.Up.IsZero() && !reported && s.Since.Sub(m.Up) > clockSlack && v.someStayedUp() {
			m.Ejections = append(m.Ejections, Ejection{Span{To: s.Since}, msg(MsgCameUpAgain, Args{
				Name: source, Server: s.Server, At: s.Since, Since: m.Up,
			})})
		}
		m.Up = s.Since
	case reported:
		m.Up = time.Time{} // its end is no news
	}
	return m
}

// statistics are what HAProxy says of n.
func (v *timeline) statistics(n probes.Node) (s probes.ServerEvidence, source string, ok bool) {
	for _, o := range v.Evidence {
		if o.Kind != probes.EvidenceHAProxyStats || o.Error != "" {
			continue
		}
		at := slices.IndexFunc(o.Servers, func(s probes.ServerEvidence) bool { return v.matcher.Matches(n, o, s) && !s.Since.IsZero() })
		if at >= 0 {
			return o.Servers[at], o.Source, true
		}
	}
	return probes.ServerEvidence{}, "", false
}

// someStayedUp reports whether HAProxy has had some node up all the time.
func (v *timeline) someStayedUp() bool {
	return slices.ContainsFunc(v.Cluster.Nodes, func(n probes.Node) bool {
		s, _, ok := v.statistics(n)
		before := v.past().Nodes[n.ID].Up
		return ok && s.State == probes.ServerUp && !before.IsZero() && s.Since.Sub(before).Abs() <= clockSlack
	})
}
