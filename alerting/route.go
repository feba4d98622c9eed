package alerting

import (
	"slices"

	"stickwatch/checks"
)

// A Route tells which incidents go to a receiver.
type Route struct {
	Receiver string
	Severity checks.Severity // at least; "": any
	Cluster  string          // that the incident concerns, among others; "": any
	Code     checks.Code     // of the cause; "": any
	Continue bool            // routes after this one count, too
}

// matches reports whether an incident goes this way.
func (r Route) matches(i *Incident) bool {
	return i.Severity.AtLeast(r.Severity) &&
		(r.Cluster == "" || i.Concerns(r.Cluster)) &&
		(r.Code == "" || r.Code == i.Cause.Code)
}

// A router knows who is to be told of what.
type router struct {
	receivers []string
	routes    []Route
}

// receiversOf are those that an incident goes to: by the first route that
// matches, and by those after it as long as they say Continue. Without routes
// everybody is told.
func (r router) receiversOf(i *Incident) []string {
	if len(r.routes) == 0 {
		return r.receivers
	}
	var list []string
	for _, route := range r.routes {
		if !route.matches(i) {
			continue
		}
		if r.knows(route.Receiver) && !slices.Contains(list, route.Receiver) {
			list = append(list, route.Receiver)
		}
		if !route.Continue {
			break
		}
	}
	return list
}

// knows reports whether there is such a receiver. After a reload one may be gone
// that has been told of incidents.
func (r router) knows(receiver string) bool { return slices.Contains(r.receivers, receiver) }
