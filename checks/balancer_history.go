package checks

import (
	"slices"
	"time"

	"stickwatch/probes"
)

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
func (v *timeline) readLog(n probes.Node, m NodeHistory, told bool) NodeHistory {
	l, ok := v.ejectionsOf(n)
	if !ok {
		return m
	}
	over := l.episodes
	if l.out {
		over = over[:len(over)-1]
	}
	for _, e := range over {
		if m.LogRead && !told && e.First.After(m.LogUntil) {
			m.Ejections = append(m.Ejections, v.ejection(n, l, e))
		}
	}
	known := over
	if told {
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
func (v *timeline) readStatistics(n probes.Node, m NodeHistory, told bool) NodeHistory {
	s, source, ok := v.statistics(n)
	switch {
	case !ok:
		return m
	case s.State == probes.ServerUp:
		if !m.Up.IsZero() && !told && s.Since.Sub(m.Up) > clockSlack && v.someStayedUp() {
			m.Ejections = append(m.Ejections, Ejection{Span{To: s.Since}, msg(MsgCameUpAgain, Args{
				Name: source, Server: s.Server, At: s.Since, Since: m.Up,
			})})
		}
		m.Up = s.Since
	case told:
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
