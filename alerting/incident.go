package alerting

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"stickwatch/checks"
)

// An Incident is findings with one cause, from first sight to recovery: of one
// cluster, of several that fail by one machine, or of the monitor itself, which is
// no cluster. It holds all that is needed to go on with it after a restart.
type Incident struct {
	ID       string   // unique, and sortable by when it was opened
	Cluster  string   // the worst affected; "": of the monitor itself
	Clusters []string // every cluster that it concerns, in the order in which they joined; empty: of the monitor itself
	Host     string   // the machine by which several clusters fail; "": there is none
	State    State
	Severity checks.Severity // the worst that any of its findings has had

	Cause    checks.Finding // the finding that explains the others; it may be over while they hold
	Findings []Member       // the cause first, then in the order in which they appeared

	Started  time.Time // first sight of its first finding
	Fired    time.Time // when it had held long enough to be told; zero: it has not
	Ended    time.Time // when nothing of it held any more; zero: something does
	Timeline []Event   // oldest first, at most MaxEvents

	Flapping   bool       // its findings come and go; see FlapTimes
	MergedInto string     // the incident that turned out to have the same cause; "": none
	Silenced   string     // why nobody is told of it now; "": they are
	Notified   []Notified `json:"Told"` // how far each receiver knows of it
}

// A State is how far an incident has come.
type State string

// The states. Pending: it has not held long enough for anybody to be told.
// Firing: somebody is to be told. Resolved: nothing of it has held for a quiet
// time, and nothing will be added to it.
const (
	Pending  State = "pending"
	Firing   State = "firing"
	Resolved State = "resolved"
)

// MaxFindings bounds the findings of an incident: beyond it those are dropped
// that have been over for the longest. What holds is never dropped.
const MaxFindings = 200

// Holds reports whether something of the incident holds for which somebody
// would be told.
func (i *Incident) Holds() bool { return !i.heldSince().IsZero() }

// Concerns reports whether the incident is about a cluster, among others; "" is the
// monitor itself.
func (i *Incident) Concerns(cluster string) bool {
	return i.Cluster == cluster || slices.Contains(i.Clusters, cluster)
}

// join makes a cluster one that the incident concerns.
func (i *Incident) join(cluster string) {
	if cluster != "" && !slices.Contains(i.Clusters, cluster) {
		i.Clusters = append(i.Clusters, cluster)
	}
}

// rank makes the worst affected cluster the incident's: the one with the most
// severe finding that holds. Of several it stays the one that it was.
func (i *Incident) rank() {
	if len(i.Clusters) < 2 {
		return
	}
	worst := i.worstOf(i.Cluster)
	for _, cluster := range i.Clusters {
		if next := i.worstOf(cluster); next != "" && (worst == "" || !worst.AtLeast(next)) {
			i.Cluster, worst = cluster, next
		}
	}
}

// worstOf is the severity of a cluster's most severe finding that holds; "": none
// does.
func (i *Incident) worstOf(cluster string) checks.Severity {
	var worst checks.Severity
	for _, m := range i.Findings {
		if m.Cluster == cluster && m.Holds() && (worst == "" || !worst.AtLeast(m.Severity)) {
			worst = m.Severity
		}
	}
	return worst
}

// Advised is the finding whose remedy is the one to follow: the cause, or that of the
// nodes with the same trouble which is active; or, where it is mere information, the
// first of its consequences that holds and is more.
func (i *Incident) Advised() checks.Finding {
	if !i.Cause.Severity.AtLeast(checks.Warning) {
		for _, m := range i.Findings {
			if m.Holds() && m.Severity.AtLeast(checks.Warning) {
				return m.Finding
			}
		}
	}
	alike, _ := i.Alike()
	return alike[0].Finding
}

// Duration is how long the incident lasted, or has lasted at a moment.
func (i *Incident) Duration(at time.Time) time.Duration {
	if !i.Ended.IsZero() {
		at = i.Ended
	}
	return max(0, at.Sub(i.Started))
}

// heldSince is from when something of the incident has held without a gap, as
// far as the findings that hold tell; zero: nothing holds.
func (i *Incident) heldSince() time.Time {
	var since time.Time
	for _, m := range i.Findings {
		if m.raises() && m.Holds() && (since.IsZero() || m.Since.Before(since)) {
			since = m.Since
		}
	}
	return since
}

// settle sets Ended: when the last of its findings went if nothing holds. A
// finding that only became information did not go, and ends it at the time at.
func (i *Incident) settle(at time.Time) {
	switch {
	case i.Holds():
		i.Ended = time.Time{}
	case i.Ended.IsZero():
		i.Ended = at
		if last := i.lastEnd(); !last.IsZero() {
			i.Ended = last
		}
	}
}

// lastEnd is when the last of its findings to go went.
func (i *Incident) lastEnd() time.Time {
	var last time.Time
	for _, m := range i.Findings {
		if m.raises() && m.Ended.After(last) {
			last = m.Ended
		}
	}
	return last
}

// steady reports whether a cause of a finding holds and is worth an incident: then
// the incident goes on, however often the finding comes and goes.
func (i *Incident) steady(m *Member) bool {
	for range i.Findings {
		cause := i.member(m.Cluster, m.ExplainedBy)
		if cause == nil {
			return false
		}
		if cause.Holds() && cause.raises() && !cause.flaps() {
			return true
		}
		m = cause
	}
	return false
}

// sharedHost is the machine by which nodes of several clusters are down; "": none.
func (i *Incident) sharedHost() string {
	if len(i.Clusters) < 2 {
		return ""
	}
	hosts := make(map[string]string) // of nodes that are down: their cluster
	for _, m := range i.Findings {
		if m.Code != checks.NodeDown || m.Host == "" || !m.Holds() {
			continue
		}
		if cluster, known := hosts[m.Host]; known && cluster != m.Cluster {
			return m.Host
		}
		hosts[m.Host] = m.Cluster
	}
	return ""
}

// member returns a cluster's finding of a key, or nil.
func (i *Incident) member(cluster, key string) *Member {
	if key == "" {
		return nil
	}
	at := slices.IndexFunc(i.Findings, func(m Member) bool { return m.Cluster == cluster && m.Key() == key })
	if at < 0 {
		return nil
	}
	return &i.Findings[at]
}

// ledBy reports whether a cluster's finding of a key is the cause.
func (i *Incident) ledBy(cluster, key string) bool {
	return len(i.Findings) > 0 && i.Findings[0].Cluster == cluster && i.Cause.Key() == key
}

// lead makes a cluster's finding of a key the cause.
func (i *Incident) lead(cluster, key string) {
	at := slices.IndexFunc(i.Findings, func(m Member) bool { return m.Cluster == cluster && m.Key() == key })
	if at < 0 {
		return
	}
	m := i.Findings[at]
	i.Cause = m.Finding
	i.Findings = slices.Insert(slices.Delete(i.Findings, at, at+1), 0, m)
}

// add appends a finding, in the place of the one that has been over for the
// longest when there are too many.
func (i *Incident) add(m Member) {
	i.Findings = append(i.Findings, m)
	if len(i.Findings) <= MaxFindings {
		return
	}
	oldest := -1
	for at, m := range i.Findings {
		if at > 0 && !m.Holds() && (oldest < 0 || m.Ended.Before(i.Findings[oldest].Ended)) {
			oldest = at
		}
	}
	if oldest > 0 {
		i.Findings = slices.Delete(i.Findings, oldest, oldest+1)
	}
}

// notified returns how far a receiver knows of the incident; nil: it does not.
func (i *Incident) notified(receiver string) *Notified {
	at := slices.IndexFunc(i.Notified, func(t Notified) bool { return t.Receiver == receiver })
	if at < 0 {
		return nil
	}
	return &i.Notified[at]
}

// clone copies the incident, but for the contents of findings, which nobody
// changes.
func (i *Incident) clone() Incident {
	c := *i
	c.Clusters = slices.Clone(i.Clusters)
	c.Findings = slices.Clone(i.Findings)
	c.Timeline = slices.Clone(i.Timeline)
	c.Notified = slices.Clone(i.Notified)
	for n := range c.Notified {
		c.Notified[n].News = slices.Clone(c.Notified[n].News)
	}
	return c
}

// incidentID names an incident by when it was opened, which it sorts by, and by
// a hash of what began it: unique over restarts without a counter to keep.
func incidentID(at time.Time, cluster, key string) string {
	sum := sha256.Sum256([]byte(strconv.FormatInt(at.UnixNano(), 10) + "\x00" + cluster + "\x00" + key))
	at = at.UTC()
	return at.Format("20060102T150405") + strconv.Itoa(1000 + at.Nanosecond()/1e6)[1:] + "-" + hex.EncodeToString(sum[:4])
}

// A Member is a finding's part in an incident.
type Member struct {
	checks.ActiveFinding
	Cluster  string      // "": of the monitor itself
	Ended    time.Time   // zero: it holds
	CameBack []time.Time `json:"Came"` // when it last appeared, oldest first, at most FlapTimes; earlier incidents included
}

// Holds reports whether the finding still stands.
func (m Member) Holds() bool { return m.Ended.IsZero() }

// raises reports whether the finding is worth an incident. Information is
// listed with what it explains, or is explained by, and tells nobody anything
// by itself.
func (m Member) raises() bool { return m.Severity.AtLeast(checks.Warning) }

// flaps reports whether the finding had come and gone too often when it
// appeared last.
func (m Member) flaps() bool { return len(m.CameBack) >= FlapTimes }

// isNews reports whether those who know of the incident want to hear that the
// finding comes or goes. That it flaps is said once, and then no more.
func (m Member) isNews() bool { return m.raises() && !m.flaps() }

// refresh takes over what the newest round says of a finding that holds, and
// reports whether it differs in more than its evidence. The earlier of two
// beginnings stays, unless it was mere information until now: a monitor that was
// restarted may count anew. So does the cause
// unless the round changed the finding: another one that does not stand yet may be
// named in every round.
func (m *Member) refresh(s checks.ActiveFinding, changed bool) (altered bool) {
	if !changed {
		s.ExplainedBy = m.ExplainedBy
	}
	altered = m.Severity != s.Severity || m.ExplainedBy != s.ExplainedBy || !slices.Equal(m.Nodes, s.Nodes)
	if m.raises() && m.Since.Before(s.Since) {
		s.Since = m.Since
	}
	m.ActiveFinding = s
	return altered
}

// event begins a line of the timeline about the finding.
func (m Member) event(at time.Time, kind EventKind, reason Reason) Event {
	return Event{At: at, Kind: kind, Cluster: m.Cluster, Finding: m.Key(), Text: m.Summary.String(), Reason: reason}
}
