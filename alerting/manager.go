package alerting

import (
	"slices"
	"time"

	"stickwatch/checks"
)

// A Manager turns what stands in clusters into incidents, and incidents into
// notices. It is not safe for concurrent use.
//
// It goes on from the incidents it is made with, so that a restart tells nobody
// anything twice. For that, everything it decides is in the steps it returns:
// each must be written whole, in their order, before what came of it is used.
type Manager struct {
	config        Config
	router        router
	silences      []Silence
	openIncidents *openIncidents

	deployments deployments
}

// Config says how a Desk decides.
type Config struct {
	Rules
	Repeat    time.Duration // from an incident's last notice to a reminder, doubled after each up to a day; 0: no reminders
	Receivers []string      // the names of all
	Routes    []Route       // the first that matches wins, but for Continue; none: every receiver is told of everything
	Windows   []Window
	Grace     map[string]time.Duration // by cluster: how long after its end a deployment explains findings; a cluster that is not there: DefaultGrace
}

// NewManager goes on from the past: the incidents that are not resolved, and those
// that were within the last FlapWindow, by which a finding is known that comes
// and goes.
func NewManager(c Config, past []Incident) *Manager {
	d := &Manager{openIncidents: newOpenIncidents(c.Rules, past)}
	d.Configure(c)
	return d
}

// Configure puts another configuration in force.
func (d *Manager) Configure(c Config) {
	d.config = c
	d.router = router{receivers: c.Receivers, routes: c.Routes}
	d.openIncidents.rules = c.Rules
	d.deployments.grace = c.Grace
}

// Silence puts silences in force, in place of those before. It takes effect with
// the next call of any other method.
func (d *Manager) Silence(silences []Silence) { d.silences = slices.Clone(silences) }

// Observe takes in what stands in a cluster after a round, all of it, and what
// the round changed.
func (d *Manager) Observe(at time.Time, cluster string, changes []checks.Change, standing []checks.ActiveFinding) Step {
	d.openIncidents.observe(at, cluster, changes, standing)
	return d.step(at)
}

// Tick lets time go by. It is meant for every second or so.
func (d *Manager) Tick(at time.Time) Step {
	d.openIncidents.advance(at)
	return d.step(at)
}

// Watch ends the incidents of all clusters but these, which are the ones that
// are watched from now on.
func (d *Manager) Watch(at time.Time, clusters []string) Step {
	d.openIncidents.dropReceiver(at, func(cluster string) bool { return slices.Contains(clusters, cluster) })
	return d.step(at)
}

// Open returns copies of the incidents that are not resolved, oldest first.
func (d *Manager) Open() []Incident {
	list := make([]Incident, len(d.openIncidents.open))
	for n, i := range d.openIncidents.open {
		list[n] = i.clone()
	}
	return list
}

// step decides who is told of what has become of the incidents.
func (d *Manager) step(at time.Time) Step {
	var s Step
	silenced := silenceMatchAt(at, d.silences, d.config.Windows)
	for _, i := range d.openIncidents.open {
		d.silenced(at, i, silenced)
		s.Notifications = append(s.Notifications, d.notify(at, i)...)
	}
	s.Incidents = d.openIncidents.take()
	s.Deployments = d.deployments.take()
	return s
}

// silenced notes whether an incident is silenced. While nothing of it holds it stays
// as it was: there is nothing to tell but its end.
func (d *Manager) silenced(at time.Time, i *Incident, silenced silenceMatch) {
	if i.State == Resolved || !i.Holds() {
		return
	}
	was := i.Silenced
	why, reason := d.heldBack(at, i, silenced)
	i.Silenced = why
	switch {
	case i.Silenced == was:
	case i.Silenced == "":
		d.openIncidents.note(i, Event{At: at, Kind: EventUnsilenced, Reason: ReasonSilenceOver, Text: "receivers are told again"}, false)
	default:
		d.openIncidents.note(i, Event{At: at, Kind: EventSilenced, Detail: i.Silenced, Reason: reason, Text: i.Silenced}, false)
	}
}

// heldBack tells why nobody is to be notified of an incident now; "": they are.
// Every finding of it that holds, and is worth a notification, must be silenced or
// explained by a deployment, or have a cause that is: what is announced for a cause
// is announced for its consequences. What is announced for a consequence says
// nothing about another, or about the cause.
func (d *Manager) heldBack(at time.Time, i *Incident, silenced silenceMatch) (why string, reason Reason) {
	for _, m := range i.Findings {
		if !m.raises() || !m.Holds() {
			continue
		}
		text, because := silenced.whyMember(i, m), ReasonSilence
		if text == "" {
			text, because = d.deployments.whyMember(at, i, m), ReasonDeployment
		}
		if text == "" {
			return "", ""
		}
		if why == "" {
			why, reason = text, because
		}
	}
	return why, reason
}

// A Step is what must come to the disk together, before anything else is done
// with it: incidents as they are now, and what receivers are to be told.
type Step struct {
	Incidents     []Incident     // that have changed
	Notifications []Notification // for the outbox
	// Deployments of which something was observed, or that were summed up.
	Deployments []Deployment
}

// Empty reports whether there is nothing to write.
func (s Step) Empty() bool {
	return len(s.Incidents) == 0 && len(s.Notifications) == 0 && len(s.Deployments) == 0
}

// Then is a step and a later one in one. Who could not write a step holds it,
// and writes it with the next.
func (s Step) Then(later Step) Step {
	incidents := slices.DeleteFunc(slices.Clone(s.Incidents), func(old Incident) bool {
		return slices.ContainsFunc(later.Incidents, func(i Incident) bool { return i.ID == old.ID })
	})
	deployments := slices.DeleteFunc(slices.Clone(s.Deployments), func(old Deployment) bool {
		return slices.ContainsFunc(later.Deployments, func(d Deployment) bool { return d.ID == old.ID })
	})
	return Step{
		Incidents:     append(incidents, later.Incidents...),
		Notifications: append(slices.Clone(s.Notifications), later.Notifications...),
		Deployments:   append(deployments, later.Deployments...),
	}
}
