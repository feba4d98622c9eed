package checks

import (
	"net/netip"
	"time"

	"stickwatch/probes"
)

// A Memory is what earlier rounds knew of a node, as far as a round is judged
// by it.
type Memory struct {
	PID     string    // that its status told last; "": none
	UpSince time.Time // likewise

	Since   time.Time // when it was first found answering; zero: never
	Down    bool      // nothing listened at its address in the newest round
	Started time.Time // when it was found listening again, after nothing had; zero: never
	// Restarted is when the newest sign of a restart was seen; zero: none was.
	Restarted time.Time
	Sign      string // what that was, in a few words

	Own    netip.Addr // our own address, if the balancer's hash sends it here and it was answered here
	OwnWas time.Time  // when that was last

	Listened  bool       // nginx's error log was read
	Heard     time.Time  // when the newest ejection that is known from it began; zero: there was none
	Up        time.Time  // since when HAProxy had it up when it last had; zero: not told, or a round has found that it was out
	Ejections []Ejection // of a moment ago that no round has seen, oldest first
}

// remember is what is known of a cluster's nodes after a round, by node id.
func remember(past map[string]Memory, r Round) map[string]Memory {
	now := make(map[string]Memory)
	for _, o := range r.Nodes {
		if asked(o.Primary) {
			now[o.Node] = past[o.Node].after(o)
		} else if m, known := past[o.Node]; known {
			now[o.Node] = m
		}
	}
	return now
}

// after is what is known of a node once it has been asked. Only a refused
// connection says that its process is gone: a network that loses packets starts
// nothing anew.
func (m Memory) after(o probes.NodeObservation) Memory {
	at := o.Primary.At
	if o.Primary.Answered() && m.Since.IsZero() {
		m.Since = at
	}
	switch listening := o.Primary.Answered(); {
	case o.Primary.Failure == probes.FailureRefused:
		m.Down = true
	case listening && m.Down:
		m.Down, m.Started = false, at
		m.Restarted, m.Sign = at, "it answers again, after nothing had listened at its address"
	}
	if o.Status == nil {
		return m
	}
	if sign := m.changed(o.Status); sign != "" {
		m.Restarted, m.Sign = at, sign
	}
	m.PID, m.UpSince = o.Status.PID, o.Status.UpSince
	return m
}

// clockSlack is by how much the start time that a process computes from its
// uptime may wander.
const clockSlack = 3 * time.Second

// changed is what a status says differently from the one before.
func (m Memory) changed(s *probes.StatusReport) string {
	switch {
	case m.PID != "" && s.PID != "" && m.PID != s.PID:
		return "its process id was " + m.PID + " and is " + s.PID
	case !m.UpSince.IsZero() && s.UpSince.Sub(m.UpSince) > clockSlack:
		return "it was up since " + m.UpSince.Format(time.DateTime) + " and is up since " + s.UpSince.Format(time.DateTime)
	default:
		return ""
	}
}

// newsOfRestart is for how long a restart is told: long enough for what it
// brought about to be seen, and explained by it.
const newsOfRestart = 2 * time.Minute

// restarts finds nodes that began anew a moment ago.
func restarts(v *view) []Finding {
	var list []Finding
	for _, n := range v.Cluster.Nodes {
		m := v.memories[n.ID]
		if m.Restarted.IsZero() || v.Started.Sub(m.Restarted) > newsOfRestart {
			continue
		}
		f := about(NodeRestarted, Info, n.ID)
		f.Summary = n.ID + " has been restarted"
		f.Evidence = []string{clock(m.Restarted) + ": " + m.Sign}
		f.Remedy = "Nothing, if it was meant; else look why its process ended."
		list = append(list, f)
	}
	return list
}

// beganAnew reports whether a node was restarted after a moment: the sessions
// that it held until then went with its process.
func (v *view) beganAnew(node string, since time.Time) bool {
	m, known := v.memories[node]
	return known && (m.Down || m.Restarted.After(since))
}
