package sim

import (
	"slices"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
)

// An alert is an incident for which at least one notification was sent.
type alert struct {
	id            string
	started       time.Time
	fired         time.Time
	critical      time.Time      // first notification as critical; zero: never
	ended         time.Time      // zero: the incident was not resolved
	cause         checks.Finding // cause in the first notification
	notifications []alerting.Notification
	summary       bool // summary of a deployment
}

// alerts groups notifications by incident, in the order of each incident's first
// notification.
func alerts(notifications []alerting.Notification) (list []alert) {
	for _, n := range notifications {
		i := slices.IndexFunc(list, func(a alert) bool { return a.id == n.Incident.ID })
		if i < 0 {
			list, i = append(list, alert{id: n.Incident.ID, started: n.Incident.Started, fired: n.At, cause: n.Incident.Cause}), len(list)
		}
		a := &list[i]
		if a.critical.IsZero() && n.Incident.Severity == checks.Critical {
			a.critical = n.At
		}
		a.ended, a.notifications = n.Incident.Ended, append(a.notifications, n)
		a.summary = n.Kind == alerting.NotificationDeployment
	}
	return list
}

// concerns reports whether the cause of an alert is correct for an operation, including
// the node.
func (r Result) concerns(a alert, o Operation) bool {
	k, _ := operationKindOf(o.Kind)
	if a.summary || k.announced {
		return a.summary && k.announced
	}
	return r.matchesFinding(a.cause, o)
}

// matchesFinding reports whether a finding has a code and a node that are correct for
// an operation.
func (r Result) matchesFinding(f checks.Finding, o Operation) bool {
	k, _ := operationKindOf(o.Kind)
	if k.unhealthy && balancers[r.Schedule.Setup.Balancer].remaps && slices.Contains(remapped, f.Code) {
		return true
	}
	return slices.Contains(k.causes, f.Code) && (f.Node == "" || len(o.Nodes) == 0 || slices.Contains(o.Nodes, f.Node))
}

// notifiedOf reports whether a notification of an incident that was already open
// includes the effect of an operation.
func (r Result) notifiedOf(a alert, o Operation, until time.Time) bool {
	return slices.ContainsFunc(a.notifications, func(n alerting.Notification) bool {
		return !n.At.Before(r.at(o.At)) && !n.At.After(until) && slices.ContainsFunc(n.Incident.Findings, func(m alerting.Member) bool {
			return m.Holds() && m.Severity.AtLeast(checks.Warning) && r.matchesFinding(m.Finding, o)
		})
	})
}

// during reports whether an alert started at a time at which the operation may have
// caused it. A client that idles for minutes finds only afterwards that its session is
// gone.
func (r Result) during(a alert, o Operation) bool {
	aftermath := time.Minute
	if a.cause.Code == checks.SessionLost || a.cause.Code == checks.NodeRestarted {
		aftermath = 6 * time.Minute
	}
	return !a.started.Before(r.at(o.At).Add(-time.Second)) && !a.started.After(r.readmittedAt(o).Add(aftermath))
}

// operation returns the operation that an alert is about: the newest one with the
// correct cause, else the newest one that matches by time; nil if there is none.
func (r Result) operation(a alert) (o *Operation, right bool) {
	for i := range r.Schedule.Operations {
		switch candidate := &r.Schedule.Operations[i]; {
		case !r.during(a, *candidate):
		case r.concerns(a, *candidate):
			o, right = candidate, true
		case !right:
			o = candidate
		}
	}
	return o, right
}
