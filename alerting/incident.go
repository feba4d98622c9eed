// Package alerting decides who is notified of what, and when.
//
// Findings with the same cause form one [Incident], from the first finding to the
// recovery. The incident [Manager] is pure: it takes the time as an argument, does
// no I/O, and records its reasons in the timeline of the incident. Its decision is a
// [Decision]: changed incidents and new notifications, which are written in one
// transaction before anything is sent. Therefore a crash neither loses a notification
// nor makes stickwatch forget one that was sent.
//
// Receivers implement [Notifier]. Package internal/notify delivers the notifications.
package alerting

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"stickwatch/checks"
)

// AroundIncident is the time before and after an incident that linked tools show.
const AroundIncident = 15 * time.Minute

// An Incident is a group of findings with the same cause, from the first finding to
// the recovery. It concerns one cluster, several that fail because of one host, or
// stickwatch itself. It contains everything that is needed to continue after a
// restart.
type Incident struct {
	ID       string   // unique; sorts by the time of opening
	Cluster  string   // the one with the most severe active finding; "": stickwatch itself
	Clusters []string // all that it concerns, in the order in which they were added; empty: stickwatch itself
	Monitor  string   `json:",omitempty"` // of an incident of stickwatch itself: the instance of the fleet; "": there is no fleet
	Host     string   // the host because of which several clusters fail; "": none
	State    State
	Severity checks.Severity // the highest of all its findings so far

	Cause    checks.Finding // explains the others; it may have ended while they are active
	Findings []Member       // the cause first, then in the order in which they appeared

	Started  time.Time // when its first finding started
	Fired    time.Time // when it changed from pending to firing; zero: it has not
	Ended    time.Time // when its last active finding ended; zero: one is active
	Timeline []Event   // oldest first, at most maxEvents

	Flapping   bool   // its findings appear and disappear; see flapTimes
	MergedInto string // the ID of the incident that has the same cause; "": none
	Silenced   string // why receivers are not notified of it now; "": they are
	// Acknowledged says who takes care of it; zero: nobody said so.
	Acknowledged Acknowledgement `json:",omitzero"`
	Notified     []Notified      `json:"Told"` // one for each receiver that was notified; histories have it under this name
}

// A State is the state of an incident.
type State string

// The states. An incident is Pending until it has been active for long enough to
// notify receivers, then Firing. It is Resolved when it has had no active finding for
// long enough; nothing is added to it any more.
const (
	Pending  State = "pending"
	Firing   State = "firing"
	Resolved State = "resolved"
)

// maxFindings bounds the findings of an incident: beyond it those are dropped
// that ended first. An active finding is never dropped.
const maxFindings = 200

// Active reports whether the incident has an active finding that alerts.
func (i *Incident) Active() bool { return !i.activeSince().IsZero() }

// ClusterNames returns the names of the clusters that the incident concerns, the most affected one
// first, or "stickwatch".
func (i *Incident) ClusterNames() []string {
	if i.Cluster == "" {
		return []string{"stickwatch"}
	}
	others := slices.DeleteFunc(slices.Clone(i.Clusters), func(cluster string) bool { return cluster == i.Cluster })
	return append([]string{i.Cluster}, others...)
}

// concerns reports whether the incident concerns a cluster; "" is stickwatch itself.
func (i *Incident) concerns(cluster string) bool {
	return i.Cluster == cluster || slices.Contains(i.Clusters, cluster)
}

// join adds a cluster to those that the incident concerns.
func (i *Incident) join(cluster string) {
	if cluster != "" && !slices.Contains(i.Clusters, cluster) {
		i.Clusters = append(i.Clusters, cluster)
	}
}

// updateCluster sets Cluster to the one with the most severe active finding. Among
// equals it keeps the current one. An incident of stickwatch itself is of no cluster.
func (i *Incident) updateCluster() {
	if i.Cause.Code == checks.ProberImpaired {
		i.Cluster = ""
	}
	if i.Cluster == "" || len(i.Clusters) < 2 {
		return
	}
	worst := i.worstOf(i.Cluster)
	for _, cluster := range i.Clusters {
		if next := i.worstOf(cluster); next != "" && (worst == "" || !worst.AtLeast(next)) {
			i.Cluster, worst = cluster, next
		}
	}
}

// worstOf returns the highest severity of the active findings of a cluster; "": none
// is active.
func (i *Incident) worstOf(cluster string) checks.Severity {
	var worst checks.Severity
	for _, m := range i.Findings {
		if m.Cluster == cluster && m.Active() && (worst == "" || !worst.AtLeast(m.Severity)) {
			worst = m.Severity
		}
	}
	return worst
}

// advised returns the finding whose remedy to follow: the cause, or the active one of
// several nodes with the same failure. If the cause is only information, it returns
// the first active consequence that is at least a warning.
func (i *Incident) advised() checks.Finding {
	if !i.Cause.Severity.AtLeast(checks.Warning) {
		for _, m := range i.Findings {
			if m.Active() && m.Severity.AtLeast(checks.Warning) {
				return m.Finding
			}
		}
	}
	failures, _ := i.Failures()
	return failures[0].Finding
}

// Duration returns how long the incident lasted, or has lasted at a time.
func (i *Incident) Duration(at time.Time) time.Duration {
	if !i.Ended.IsZero() {
		at = i.Ended
	}
	return max(0, at.Sub(i.Started))
}

// activeSince returns the earliest start of the active findings that alert; zero: there
// is none.
func (i *Incident) activeSince() time.Time {
	var since time.Time
	for _, m := range i.Findings {
		if m.alerts() && m.Active() && (since.IsZero() || m.Since.Before(since)) {
			since = m.Since
		}
	}
	return since
}

// updateEnded sets Ended to the end of the last finding if none is active. A finding
// whose severity dropped to information has no end, so the incident ends at the time
// at.
func (i *Incident) updateEnded(at time.Time) {
	switch {
	case i.Active():
		i.Ended = time.Time{}
	case i.Ended.IsZero():
		i.Ended = at
		if last := i.lastEnd(); !last.IsZero() {
			i.Ended = last
		}
	}
}

// lastEnd returns when the last finding ended.
func (i *Incident) lastEnd() time.Time {
	var last time.Time
	for _, m := range i.Findings {
		if m.alerts() && m.Ended.After(last) {
			last = m.Ended
		}
	}
	return last
}

// hasSteadyCause reports whether a cause of a finding is active, alerts, and does not
// flap. Such an incident stays open however often the finding flaps.
func (i *Incident) hasSteadyCause(m *Member) bool {
	for range i.Findings {
		cause := i.member(m.Cluster, m.ExplainedBy)
		if cause == nil {
			return false
		}
		if cause.Active() && cause.alerts() && !cause.flaps() {
			return true
		}
		m = cause
	}
	return false
}

// sharedHost returns the host on which nodes of several clusters are down; "": none.
func (i *Incident) sharedHost() string {
	if len(i.Clusters) < 2 {
		return ""
	}
	clusterOf := make(map[string]string) // by the host of nodes that are down
	for _, m := range i.Findings {
		if m.Code != checks.NodeDown || m.Host == "" || !m.Active() {
			continue
		}
		if cluster, known := clusterOf[m.Host]; known && cluster != m.Cluster {
			return m.Host
		}
		clusterOf[m.Host] = m.Cluster
	}
	return ""
}

// member returns the finding of a cluster with a key, or nil.
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

// isCause reports whether the finding of a cluster with a key is the cause.
func (i *Incident) isCause(cluster, key string) bool {
	return len(i.Findings) > 0 && i.Findings[0].Cluster == cluster && i.Cause.Key() == key
}

// setCause makes the finding of a cluster with a key the cause.
func (i *Incident) setCause(cluster, key string) {
	at := slices.IndexFunc(i.Findings, func(m Member) bool { return m.Cluster == cluster && m.Key() == key })
	if at < 0 {
		return
	}
	m := i.Findings[at]
	i.Cause = m.Finding
	i.Findings = slices.Insert(slices.Delete(i.Findings, at, at+1), 0, m)
}

// beginWith makes an incident begin with an active finding and its cause. Nobody was notified of what it had
// before.
func (i *Incident) beginWith(m Member) {
	i.Started = m.Since
	for range i.Findings { // the number of findings ends a cycle
		cause := i.member(m.Cluster, m.ExplainedBy)
		if cause == nil || !cause.Active() {
			break
		}
		m = *cause
	}
	i.setCause(m.Cluster, m.Key())
}

// add appends a finding. If there are too many, it removes the one that ended first.
func (i *Incident) add(m Member) {
	i.Findings = append(i.Findings, m)
	if len(i.Findings) <= maxFindings {
		return
	}
	oldest := -1
	for at, m := range i.Findings {
		if at > 0 && !m.Active() && (oldest < 0 || m.Ended.Before(i.Findings[oldest].Ended)) {
			oldest = at
		}
	}
	if oldest > 0 {
		i.Findings = slices.Delete(i.Findings, oldest, oldest+1)
	}
}

// notified returns the notification state of a receiver; nil: it was not notified.
func (i *Incident) notified(receiver string) *Notified {
	at := slices.IndexFunc(i.Notified, func(notified Notified) bool { return notified.Receiver == receiver })
	if at < 0 {
		return nil
	}
	return &i.Notified[at]
}

// clone copies the incident, except for the contents of findings, which are never
// changed.
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

// incidentID returns an ID that sorts by the time of opening. A hash of the first
// finding makes it unique across restarts without a stored counter.
func incidentID(at time.Time, cluster, key string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\x00%s\x00%s", at.UnixNano(), cluster, key))
	return fmt.Sprintf("%s%03d-%x", at.UTC().Format("20060102T150405"), at.Nanosecond()/1e6, sum[:4])
}

// A Member is a finding of an incident.
type Member struct {
	checks.ActiveFinding
	Cluster     string      // "": stickwatch itself
	Ended       time.Time   // zero: it is active
	Appearances []time.Time `json:"Came"` // (its name in histories) its recent appearances, oldest first, at most flapTimes; includes earlier incidents
}

// Active reports whether the finding is active.
func (m Member) Active() bool { return m.Ended.IsZero() }

// alerts reports whether the finding opens an incident. Information is only listed in
// the incident of its cause or its consequence.
func (m Member) alerts() bool { return m.Severity.AtLeast(checks.Warning) }

// flaps reports whether the finding has appeared too often recently.
func (m Member) flaps() bool { return len(m.Appearances) >= flapTimes }

// isNews reports whether receivers are notified when the finding appears or ends.
// Flapping is reported once.
func (m Member) isNews() bool { return m.alerts() && !m.flaps() }

// refresh updates an active finding from the newest round and reports whether more
// than its evidence changed. The earlier start is kept unless its event happened again,
// because a restarted monitor counts anew. The explanation is kept unless the round changed the finding, because a round may
// name a cause that is not confirmed yet.
func (m *Member) refresh(found checks.ActiveFinding, changed bool) (altered bool) {
	if !changed {
		found.ExplainedBy = m.ExplainedBy
	}
	altered = m.Severity != found.Severity || m.ExplainedBy != found.ExplainedBy || !slices.Equal(m.Nodes, found.Nodes)
	if m.Since.Before(found.Since) && !m.again(found) {
		found.Since = m.Since
	}
	m.ActiveFinding = found
	return altered
}

// again reports whether the event of an active finding has happened anew, which the ledger
// decides.
func (m Member) again(found checks.ActiveFinding) bool {
	return !m.When.IsZero() && found.When.After(m.When) && found.Since.After(m.Since)
}

// event returns a timeline event about the finding.
func (m Member) event(at time.Time, kind EventKind, reason Reason) Event {
	e := Event{At: at, Kind: kind, Cluster: m.Cluster, Finding: m.Key(), Text: m.Summary.String(), Reason: reason}
	if m.Summary.HasTimes() {
		e.Summary = m.Summary
	}
	return e
}

// InZone returns a copy of an incident whose texts have their times in a zone. Readers
// get all times of an incident in one zone, that of the page or of the message.
func (i Incident) InZone(zone *time.Location) Incident {
	i.Cause = i.Cause.InZone(zone)
	i.Findings = slices.Clone(i.Findings)
	for n := range i.Findings {
		i.Findings[n].Finding = i.Findings[n].Finding.InZone(zone)
	}
	i.Timeline = EventsInZone(i.Timeline, zone)
	return i
}

// EventsInZone returns a copy of events whose texts have their times in a zone.
func EventsInZone(events []Event, zone *time.Location) []Event {
	events = slices.Clone(events)
	for n := range events {
		if e := &events[n]; !e.Summary.IsZero() {
			e.Text = e.Summary.InZone(zone).String()
		}
	}
	return events
}

// Failures returns the findings that are the failure itself rather than a consequence:
// the cause and, if several nodes fail in the same way, those of the other nodes.
// If none of them is active although the incident is, the cause is returned as active. If
// the incident has no active finding, all are. So active is never empty.
func (i *Incident) Failures() (active, ended []Member) {
	if len(i.Findings) == 0 {
		return []Member{{ActiveFinding: checks.ActiveFinding{Finding: i.Cause}, Cluster: i.Cluster}}, nil
	}
	for n, m := range i.Findings {
		same := m.Code == i.Cause.Code && isNodeFailure(m.Finding) && slices.Contains(groupableCodes, m.Code) && m.alerts() && i.member(m.Cluster, m.ExplainedBy) == nil
		switch {
		case n > 0 && !same:
		case m.Active():
			active = append(active, m)
		default:
			ended = append(ended, m)
		}
	}
	switch {
	case len(active) > 0:
		return active, ended
	case i.Active():
		return ended[:1], ended[1:]
	default:
		return ended, nil
	}
}
