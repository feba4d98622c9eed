package alerting

import (
	"slices"

	"stickwatch/checks"
)

// A Route sends matching incidents to a receiver.
type Route struct {
	Receiver   string
	Severity   checks.Severity // the minimum; "": any
	Cluster    string          // one that the incident concerns; "": any
	Code       checks.Code     // of the cause; "": any
	Continue   bool            // evaluate the following routes, too
	Escalation Escalation
}

// matches reports whether the route applies to an incident.
func (r Route) matches(i *Incident) bool {
	return i.Severity.AtLeast(r.Severity) &&
		(r.Cluster == "" || i.concerns(r.Cluster)) &&
		(r.Code == "" || r.Code == i.Cause.Code)
}

// A router selects the receivers of an incident.
type router struct {
	receivers []string
	routes    []Route
}

// receiversOf returns the receivers of the routes of an incident. Without routes it
// returns all receivers.
func (r router) receiversOf(i *Incident) []string {
	if len(r.routes) == 0 {
		return r.receivers
	}
	var list []string
	for _, route := range r.routesOf(i) {
		if r.knows(route.Receiver) && !slices.Contains(list, route.Receiver) {
			list = append(list, route.Receiver)
		}
	}
	return list
}

// routesOf returns the first route that matches an incident, and the following ones
// while Continue is set.
func (r router) routesOf(i *Incident) []Route {
	var list []Route
	for _, route := range r.routes {
		if !route.matches(i) {
			continue
		}
		list = append(list, route)
		if !route.Continue {
			break
		}
	}
	return list
}

// knows reports whether a receiver exists. A reload may have removed one that was
// notified of incidents.
func (r router) knows(receiver string) bool { return slices.Contains(r.receivers, receiver) }
