package alerting

import "slices"

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
