package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/users"
)

// The scale of harm. Between the minimum and the certain measures, a notification is
// neither required nor wrong, because a monitor that samples cannot measure exactly.
const (
	interval         = 3 * time.Second // interval of canaries
	minErrorSpan     = interval        // errors over a shorter time do not justify a critical notification
	certainErrorSpan = 4 * interval    // errors over at least this time require one
	minUsers         = 2               // number of users with errors that may justify a critical notification
	certainUsers     = 3               // number of users with errors that requires one
	certainLosses    = 2               // number of users with lost sessions, against the guarantee, that requires one
	joinGap          = 3 * interval    // errors at most this far apart belong together
)

// A harm is something that happened to users and requires a notification.
type harm struct {
	row      row
	from, to time.Time // beginning of the period in which it happened; end of the last request harmed
	first    time.Time // first request harmed
	users    []int     // numbers of the users, sorted
	certain  bool      // a notification is required; false: it is optional
	met      users.Totals
	// operations that explain it, the oldest first: a user who idled through several does not know
	// which of them took the session, and a notification of one suffices; nil: none does.
	operations []*Operation
}

// A row classifies harms.
type row string

const (
	rowErrors    row = "errors or wrong pages"                              // critical
	rowBroken    row = "lost, stale or foreign sessions against the policy" // critical
	rowExplained row = "sessions lost with a node, as the policy allows"    // part of the node's incident, a warning at least
	rowShort     row = "errors in an announced deployment"                  // part of the deployment's summary
)

func (h harm) String() string {
	var met []string
	for _, o := range users.Outcomes {
		if h.met[o] > 0 {
			met = append(met, fmt.Sprintf("%d %s", h.met[o], o))
		}
	}
	s := fmt.Sprintf("%s: %s, %d users, over %v", h.row, strings.Join(met, ", "), len(h.users), h.to.Sub(h.first).Round(100*time.Millisecond))
	var by []string
	for _, o := range h.operations {
		by = append(by, fmt.Sprintf("%q", o))
	}
	if by != nil {
		s += ", by " + strings.Join(by, " or ")
	}
	return s
}

func (h *harm) add(r users.Request, since time.Time) {
	if h.users == nil {
		h.from, h.first, h.met = since, r.At, users.Totals{}
	}
	if since.Before(h.from) {
		h.from = since
	}
	if end := r.At.Add(r.Took); end.After(h.to) { // who waits for an error is harmed until it comes
		h.to = end
	}
	if at, found := slices.BinarySearch(h.users, r.User); !found {
		h.users = slices.Insert(h.users, at, r.User)
	}
	h.met[r.Outcome]++
}

// A loss is a request that found its session gone, stale or foreign.
type loss struct {
	users.Request
	lastRequest time.Time // the user's previous request: the loss happened after it
}

// harms classifies the harmful requests of users.
func (r Result) harms() []harm {
	var errors []users.Request
	var losses []loss
	before := make(map[int]time.Time) // previous request of each user
	for _, q := range r.Requests {
		switch q.Outcome {
		case users.Error, users.WrongPage:
			errors = append(errors, q)
		case users.Lost, users.Stale, users.Foreign:
			losses = append(losses, loss{q, before[q.User]})
		}
		if q.Outcome != users.Error {
			before[q.User] = q.At
		}
	}
	return append(r.announced(errorHarms(errors)), r.lossHarms(losses)...)
}

// maxUnserved is how long an announced deployment may leave clients without an answer.
const maxUnserved = time.Minute

// announced marks errors that an announced deployment explains as part of its summary.
func (r Result) announced(list []harm) []harm {
	for i, h := range list {
		for n, o := range r.Schedule.Operations {
			k, _ := operationKindOf(o.Kind)
			if k.announced && !h.first.Before(r.at(o.At)) && !h.first.After(r.readmittedAt(o)) && h.to.Sub(h.first) < maxUnserved {
				list[i].row, list[i].operations = rowShort, []*Operation{&r.Schedule.Operations[n]}
			}
		}
	}
	return list
}

// errorHarms groups errors that are close in time.
func errorHarms(requests []users.Request) (list []harm) {
	for _, q := range requests {
		if n := len(list); n == 0 || q.At.Sub(list[n-1].to) > joinGap {
			list = append(list, harm{row: rowErrors})
		}
		list[len(list)-1].add(q, q.At)
	}
	list = slices.DeleteFunc(list, func(h harm) bool { return len(h.users) < minUsers || h.to.Sub(h.first) < minErrorSpan })
	for i := range list {
		list[i].certain = len(list[i].users) >= certainUsers && list[i].to.Sub(list[i].first) >= certainErrorSpan
	}
	return list
}

// lossHarms groups losses by the operations that explain them, and the unexplained ones
// by time.
func (r Result) lossHarms(losses []loss) []harm {
	const apart = time.Minute
	var broken, excused []harm
	for _, l := range losses {
		if by := r.explainingOperations(l); by != nil {
			i := slices.IndexFunc(excused, func(h harm) bool { return slices.Equal(h.operations, by) })
			if i < 0 {
				excused, i = append(excused, harm{row: rowExplained, operations: by}), len(excused)
			}
			excused[i].add(l.Request, l.lastRequest)
			continue
		}
		if n := len(broken); n == 0 || l.At.Sub(broken[n-1].to) > apart {
			broken = append(broken, harm{row: rowBroken})
		}
		broken[len(broken)-1].add(l.Request, l.lastRequest)
	}
	list := slices.Concat(broken, excused)
	for i := range list {
		list[i].certain = len(list[i].users) >= certainLosses
	}
	return list
}

// explainingOperations returns the operations that explain a loss under the policy sticky:
// those in which the session's node, or the node that answered, was unhealthy since the
// user's previous request. While the balancer keeps a node ejected, its clients use other
// nodes, and they lose the sessions they open there when they return. Operations meanwhile that
// lose the sessions of healthy nodes may have caused it as well.
func (r Result) explainingOperations(l loss) (by []*Operation) {
	if l.Outcome != users.Lost || !sticky(r.Schedule.Setup) {
		return nil
	}
	excused := false
	for i, o := range r.Schedule.Operations {
		k, _ := operationKindOf(o.Kind)
		unhealthy := k.unhealthy && (r.touches(o, l.Owner) || r.touches(o, l.Node))
		if (unhealthy || k.losesSessions()) && !l.lastRequest.After(r.readmittedAt(o)) && !l.At.Before(r.at(o.At)) {
			by = append(by, &r.Schedule.Operations[i])
			excused = excused || unhealthy
		}
	}
	if !excused {
		return nil
	}
	return by
}

// touches reports whether an operation affects a node. A blue/green deployment starts nodes
// that the schedule does not name, and stops them.
func (r Result) touches(o Operation, node string) bool {
	started := o.Kind == "deploy-blue-green" && node != "" && !slices.Contains(r.Schedule.nodes(), node)
	return started || slices.Contains(o.Nodes, node)
}

// at converts an offset in the schedule to a time of the virtual clock.
func (r Result) at(d time.Duration) time.Time { return r.Began.Add(d) }

// readmittedAt returns when the balancer has readmitted the nodes of an operation.
func (r Result) readmittedAt(o Operation) time.Time {
	_, after := balancers[r.Schedule.Setup.Balancer].readmits(r.Schedule.Setup)
	return r.at(o.end(r.Schedule.Setup)).Add(after + 2*time.Second)
}

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
		if a.critical.IsZero() && n.Incident.Severity == checks.Critical && n.Kind != alerting.NotificationResolved {
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
	if o.Kind == "cache" && !r.Schedule.Setup.sessions() && f.Code == checks.NodeEjected {
		return true // pages without sessions come from the cache, and a node that it has none of gets no client
	}
	return slices.Contains(k.causes, f.Code) && (f.Node == "" || len(o.Nodes) == 0 || slices.Contains(o.Nodes, f.Node))
}

// notifiedOf reports whether a notification of an incident that was already open
// includes the effect of an operation.
func (r Result) notifiedOf(a alert, o Operation, until time.Time) bool {
	return slices.ContainsFunc(a.notifications, func(n alerting.Notification) bool {
		return !n.At.Before(r.at(o.At)) && !n.At.After(until) && slices.ContainsFunc(n.Incident.Findings, func(m alerting.Member) bool {
			return m.Active() && m.Severity.AtLeast(checks.Warning) && r.matchesFinding(m.Finding, o)
		})
	})
}

// during reports whether an alert started at a time at which the operation may have
// caused it. The request that shows it may have been under way when the operation began. A
// client that idles for minutes finds only afterwards that its session is gone.
func (r Result) during(a alert, o Operation) bool {
	const underWay = 5 * time.Second // longest request
	aftermath := time.Minute
	if a.cause.Code == checks.SessionLost || a.cause.Code == checks.NodeRestarted {
		aftermath = 6 * time.Minute
	}
	return !a.started.Before(r.at(o.At).Add(-underWay)) && !a.started.After(r.readmittedAt(o).Add(aftermath))
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
