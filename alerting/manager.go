package alerting

import (
	"slices"
	"strings"
	"time"

	"stickwatch/checks"
)

// A Manager is the incident manager: it groups active findings into incidents and
// decides which receivers are notified. It is not safe for concurrent use.
//
// A Manager continues from restored incidents, so that a restart repeats no
// notification. For that, each Decision that it returns must be written completely, in
// order, before its notifications are sent.
type Manager struct {
	config        Config
	router        router
	silences      []Silence
	openIncidents *openIncidents

	deployments deployments
}

// Config configures a Manager.
type Config struct {
	Rules
	Repeat    time.Duration // from the last notification of an incident to a reminder, doubled after each, at most 24 h; 0: no reminders
	Receivers []string      // the names of all receivers
	Routes    []Route       // the first match applies, and those after it while Continue is set; none: every receiver gets every incident
	Windows   []Window
	Grace     map[string]time.Duration // by cluster: how long after its end a deployment explains findings; a missing cluster: defaultGrace
}

// NewManager continues from past: the incidents that are not resolved, and those
// resolved within FlapWindow, which are needed to detect flapping.
func NewManager(c Config, past []Incident) *Manager {
	m := &Manager{openIncidents: newOpenIncidents(c.Rules, past)}
	m.Configure(c)
	return m
}

// Configure replaces the configuration.
func (m *Manager) Configure(c Config) {
	m.config = c
	m.router = router{receivers: c.Receivers, routes: c.Routes}
	m.openIncidents.rules = c.Rules
	m.deployments.grace = c.Grace
}

// SetSilences replaces the silences. They take effect with the next call that returns a
// Decision.
func (m *Manager) SetSilences(silences []Silence) { m.silences = slices.Clone(silences) }

// Silences returns a copy of the silences.
func (m *Manager) Silences() []Silence { return slices.Clone(m.silences) }

// Observe takes all active findings of a cluster after a round, and the changes since
// the previous round. A finding may become active before its round ends, so deployments
// touch its node even if ObserveNodes does not know the round yet.
func (m *Manager) Observe(at time.Time, cluster string, changes []checks.Change, active []checks.ActiveFinding) Decision {
	m.ObserveNodes(at, cluster, func(time.Time) []string { return downOrEjected(active) })
	m.openIncidents.observe(at, cluster, changes, active)
	return m.decide(at)
}

// Tick advances the time. Call it about once a second.
func (m *Manager) Tick(at time.Time) Decision {
	m.openIncidents.advance(at)
	return m.decide(at)
}

// Watch sets the watched clusters and resolves the incidents of all others.
func (m *Manager) Watch(at time.Time, clusters []string) Decision {
	m.openIncidents.retainClusters(at, func(cluster string) bool { return slices.Contains(clusters, cluster) })
	return m.decide(at)
}

// Open returns copies of the incidents that are not resolved, oldest first.
func (m *Manager) Open() []Incident {
	list := make([]Incident, len(m.openIncidents.open))
	for n, i := range m.openIncidents.open {
		list[n] = i.clone()
	}
	return list
}

// decide returns the changed incidents, and who is notified of them.
func (m *Manager) decide(at time.Time) Decision {
	var decision Decision
	silenced := silenceMatchAt(at, m.silences, m.config.Windows)
	for _, i := range m.openIncidents.open {
		m.updateSilenced(at, i, silenced)
		decision.Notifications = append(decision.Notifications, m.notify(at, i)...)
	}
	decision.Incidents = m.openIncidents.take()
	decision.Deployments = m.deployments.take()
	return decision
}

// updateSilenced records whether an incident is silenced. An incident without active
// findings stays as it is, because only its end is still to be reported.
func (m *Manager) updateSilenced(at time.Time, i *Incident, silenced silenceMatch) {
	if i.State == Resolved || !i.Active() {
		return
	}
	was := i.Silenced
	why, reason, notifiable := m.suppressedBy(at, i, silenced)
	i.Silenced = why
	switch why {
	case was:
	case "":
		if len(i.Notified) == 0 && strings.HasPrefix(was, deploymentPrefix) { // the deployment's summary has the rest
			i.beginWith(notifiable)
		}
		m.openIncidents.record(i, Event{At: at, Kind: EventUnsilenced, Reason: ReasonSilenceOver, Text: "receivers are notified again"}, false)
	default:
		m.openIncidents.record(i, Event{At: at, Kind: EventSilenced, Detail: i.Silenced, Reason: reason, Text: i.Silenced}, false)
	}
}

// suppressedBy returns why receivers are not notified of an incident now; "": they are, because of a
// finding that is notifiable. Every active finding that alerts must be silenced or explained by a deployment, or
// have a cause that is. A silence of a cause covers its consequences, but a silence
// of one consequence covers neither the cause nor other consequences.
func (m *Manager) suppressedBy(at time.Time, i *Incident, silenced silenceMatch) (why string, reason Reason, notifiable Member) {
	for _, member := range i.Findings {
		if !member.alerts() || !member.Active() {
			continue
		}
		text, because := silenced.reason(i, member), ReasonSilence
		if text == "" {
			text, because = m.deployments.reason(at, i, member), ReasonDeployment
		}
		if text == "" {
			return "", "", member
		}
		if why == "" {
			why, reason = text, because
		}
	}
	return why, reason, Member{}
}

// A Decision is a decision of the Manager. All of it must be written in one transaction.
type Decision struct {
	Incidents     []Incident     // the changed ones
	Notifications []Notification // for the outbox
	Deployments   []Deployment   // those with new observations or a new summary
}

// Empty reports whether there is nothing to write.
func (d Decision) Empty() bool {
	return len(d.Incidents) == 0 && len(d.Notifications) == 0 && len(d.Deployments) == 0
}

// Then merges a decision with a later one. After a failed write, the caller writes the
// failed one together with the next one.
func (d Decision) Then(later Decision) Decision {
	incidents := slices.DeleteFunc(slices.Clone(d.Incidents), func(old Incident) bool {
		return slices.ContainsFunc(later.Incidents, func(i Incident) bool { return i.ID == old.ID })
	})
	deployments := slices.DeleteFunc(slices.Clone(d.Deployments), func(old Deployment) bool {
		return slices.ContainsFunc(later.Deployments, func(other Deployment) bool { return other.ID == old.ID })
	})
	return Decision{
		Incidents:     append(incidents, later.Incidents...),
		Notifications: append(slices.Clone(d.Notifications), later.Notifications...),
		Deployments:   append(deployments, later.Deployments...),
	}
}
