package sim

import (
	"slices"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
)

// An alert is an incident that was notified.
type alert struct {
	id       string
	started  time.Time
	fired    time.Time
	critical time.Time // when it was first notified as critical; zero: never
	ended    time.Time // zero: it was not resolved
	cause    checks.Finding
	summary  bool // of a deployment
}

// alerts are the incidents of notifications, in the order in which they were
// notified first.
func alerts(notices []alerting.Notice) (list []alert) {
	for _, n := range notices {
		i := slices.IndexFunc(list, func(a alert) bool { return a.id == n.Incident.ID })
		if i < 0 {
			list, i = append(list, alert{id: n.Incident.ID, started: n.Incident.Started, fired: n.At}), len(list)
		}
		a := &list[i]
		if a.critical.IsZero() && n.Incident.Severity == checks.Critical {
			a.critical = n.At
		}
		a.cause, a.ended = n.Incident.Cause, n.Incident.Ended
		a.summary = n.Kind == alerting.NoticeDeployment
	}
	return list
}

// about reports whether an alert's cause is one that is right for an operation,
// at a node that it is about.
func (r Result) about(a alert, o Operation) bool {
	k, _ := kindOf(o.Kind)
	if a.summary || k.announced {
		return a.summary && k.announced
	}
	if k.unwell && balancers[r.Schedule.Setup.Balancer].remaps && slices.Contains(remapped, a.cause.Code) {
		return true
	}
	return slices.Contains(k.causes, a.cause.Code) && (a.cause.Node == "" || len(o.Nodes) == 0 || slices.Contains(o.Nodes, a.cause.Node))
}

// during reports whether an alert may be an operation's by its time.
func (r Result) during(a alert, o Operation) bool {
	const aftermath = time.Minute
	return !a.started.Before(r.at(o.At).Add(-time.Second)) && !a.started.After(r.settled(o).Add(aftermath))
}

// operation is what an alert is about: the newest operation that it names rightly,
// else the newest that it may be about by its time; nil: nothing happened then.
func (r Result) operation(a alert) (o *Operation, right bool) {
	for i := range r.Schedule.Operations {
		switch candidate := &r.Schedule.Operations[i]; {
		case !r.during(a, *candidate):
		case r.about(a, *candidate):
			o, right = candidate, true
		case !right:
			o = candidate
		}
	}
	return o, right
}
