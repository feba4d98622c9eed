package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/users"
)

// A Class is a class of counterexamples.
type Class string

// The classes. Second and Late do not make a run fail: they count in means and
// percentiles.
const (
	Silent Class = "harm without notification"
	False  Class = "critical without harm"
	Wrong  Class = "wrong node or cause"
	Second Class = "second incident" // for the same operation
	Late   Class = "late"            // notified more than 15 s after the first harm
)

// A Counterexample is a disagreement between users and notifications.
type Counterexample struct {
	Class Class
	At    time.Duration // offset from the beginning of the simulation
	What  string        // code of the finding, or row of the scale
	While string        // kinds of operations at that time
	Text  string
}

// Kind identifies counterexamples that show the same mistake.
func (c Counterexample) Kind() string { return string(c.Class) + ": " + c.What }

func (c Counterexample) String() string {
	return fmt.Sprintf("%v %s: %s", c.At.Round(10*time.Millisecond), c.Class, c.Text)
}

// A Score measures how well notifications agree with the outcomes of users' requests.
type Score struct {
	Counterexamples []Counterexample // sorted by time
	Operations      int
	Deserving       int // operations that require an incident
	Due             int // incidents notified, without those of operations for which an incident is optional
	Incidents       int // incidents notified
	Criticals       int // critical ones among them
	Harms           int // harms that require a notification
	Delays          []time.Duration
}

// Agrees reports whether there is no counterexample but of the classes Second and Late.
func (s Score) Agrees() bool { return len(s.Counterexamples) == s.Count(Second)+s.Count(Late) }

// Count returns the number of counterexamples of a class.
func (s Score) Count(c Class) (n int) {
	for _, x := range s.Counterexamples {
		if x.Class == c {
			n++
		}
	}
	return n
}

// Score compares the outcomes of users' requests with the notifications.
func (r Result) Score() Score {
	harms, alerts := r.harms(), alerts(r.Notifications)
	score := Score{Operations: len(r.Schedule.Operations), Incidents: len(alerts)}
	for _, h := range harms {
		if h.certain {
			score.Harms++
			r.scoreHarm(&score, h, alerts)
		}
	}
	for _, o := range r.Schedule.Operations {
		deserving, forSure := r.deserves(o, harms)
		score.Deserving += deserving
		if forSure && !slices.ContainsFunc(alerts, func(a alert) bool { return r.answers(a, o) }) {
			score.add(Counterexample{Silent, o.At, "no incident", o.Kind, fmt.Sprintf("no notification of %q", o)})
		}
	}
	about := make(map[time.Duration]int) // number of incidents by the time of their operation
	for _, a := range alerts {
		r.scoreAlert(&score, a, harms)
		if o, right := r.operation(a); right {
			about[o.At]++
			r.scoreSecond(&score, a, *o, about[o.At])
		}
	}
	slices.SortStableFunc(score.Counterexamples, func(a, b Counterexample) int { return int(a.At - b.At) })
	return score
}

func (s *Score) add(c Counterexample) { s.Counterexamples = append(s.Counterexamples, c) }

// notifyDeadline is the time after the last harmful request within which a notification
// must come.
const notifyDeadline = time.Minute

// scoreHarm records a counterexample unless a harm was notified.
func (r Result) scoreHarm(score *Score, h harm, alerts []alert) {
	answered := slices.ContainsFunc(alerts, func(a alert) bool {
		if h.operations == nil { // by the scale, the summary of a deployment says what was lost in it
			return a.notifiedInTime(h) || h.row == rowBroken && r.sumsUp(a, h.first.Sub(r.Began))
		}
		return slices.ContainsFunc(h.operations, func(o *Operation) bool { return r.answers(a, *o) })
	})
	if !answered {
		score.add(Counterexample{Silent, h.first.Sub(r.Began), string(h.row), r.kindsBefore(h), h.String()})
		return
	}
	if h.operations != nil {
		return
	}
	delay := time.Duration(-1)
	for _, a := range alerts {
		if d := max(0, a.critical.Sub(h.first)); a.notifiedInTime(h) && (delay < 0 || d < delay) {
			delay = d
		}
	}
	if delay < 0 {
		return // the summary of a deployment reports it
	}
	score.Delays = append(score.Delays, delay)
	if delay > maxDelay {
		score.add(Counterexample{Late, h.first.Sub(r.Began), string(h.row), r.kindsBefore(h), fmt.Sprintf("%v after the first of %s", delay.Round(100*time.Millisecond), h)})
	}
}

// maxDelay is the time after the first harmful request within which a notification
// should come.
const maxDelay = 15 * time.Second

// notifiedInTime reports whether an alert is critical and was notified in time for a
// harm, or was already open.
func (a alert) notifiedInTime(h harm) bool {
	const before = 30 * time.Second
	return !a.critical.IsZero() && !a.critical.After(h.to.Add(notifyDeadline)) && (a.ended.IsZero() || !a.ended.Add(before).Before(h.from))
}

// answers reports whether an alert is about an operation: it started at that time, or a
// notification of an open incident includes it.
func (r Result) answers(a alert, o Operation) bool {
	const settleTime = 3 * time.Minute
	if r.notifiedOf(a, o, r.readmittedAt(o).Add(settleTime)) || r.sumsUp(a, o.At) {
		return true
	}
	open := a.started.Before(r.at(o.At)) && (a.ended.IsZero() || a.ended.After(r.at(o.At)))
	return r.concerns(a, o) && (r.during(a, o) || open) && !a.fired.After(r.readmittedAt(o).Add(settleTime))
}

// sumsUp reports whether an alert is the summary of an announced deployment within whose time, or grace
// period, something began: nothing distinguishes it from the deployment's own restarts.
func (r Result) sumsUp(a alert, began time.Duration) bool {
	const grace = 30 * time.Second
	return a.summary && slices.ContainsFunc(r.Schedule.Operations, func(deployment Operation) bool {
		return r.concerns(a, deployment) && r.during(a, deployment) && began >= deployment.At && began <= deployment.end(r.Schedule.Setup)+grace
	})
}

// deserves returns the number of incidents that an operation requires, and whether it
// requires one even without harm to users. An operation that is undone may harm twice.
func (r Result) deserves(o Operation, harms []harm) (incidents int, byItself bool) {
	k, _ := operationKindOf(o.Kind)
	begin, undone, end := r.at(o.At), r.at(o.At+o.For), r.readmittedAt(o)
	if !k.undoCounts {
		byItself = k.notifyFrom > 0 && o.For >= k.notifyFrom && (k.announced || r.onlyUnhealthy(o))
		if byItself || r.harmed(o, harms, begin, end) {
			incidents = 1
		}
		return incidents, byItself
	}
	if r.harmed(o, harms, begin, undone) {
		incidents++
	}
	if r.harmed(o, harms, undone, end) {
		incidents++
	}
	return incidents, false
}

// onlyUnhealthy reports whether no other operation makes a node of this one unhealthy
// at the same time. A node that is down cannot report that it is paused.
func (r Result) onlyUnhealthy(o Operation) bool {
	return !slices.ContainsFunc(r.Schedule.Operations, func(other Operation) bool {
		k, _ := operationKindOf(other.Kind)
		both := slices.ContainsFunc(o.Nodes, func(node string) bool { return slices.Contains(other.Nodes, node) })
		return other.At != o.At && k.unhealthy && both && !r.at(other.At).After(r.readmittedAt(o)) && !r.at(o.At).After(r.readmittedAt(other))
	})
}

// harmed reports whether an operation caused a harm that requires a notification, whose
// first request was after from and which began before to.
func (r Result) harmed(o Operation, harms []harm, from, to time.Time) bool {
	return slices.ContainsFunc(harms, func(h harm) bool {
		if !h.certain || h.operations != nil {
			return h.certain && h.operations[0].At == o.At
		}
		return !h.first.Before(from) && !h.from.After(to)
	})
}

// scoreSecond records an incident beyond the number that an operation requires.
func (r Result) scoreSecond(s *Score, a alert, o Operation, number int) {
	k, _ := operationKindOf(o.Kind)
	if number == 1 || number == 2 && k.undoCounts {
		return
	}
	s.add(Counterexample{Second, a.fired.Sub(r.Began), string(a.cause.Code), r.kindsDuring(a), fmt.Sprintf("%s (%s) is number %d of %q", a.cause.Key(), a.cause.Summary, number, o)})
}

// scoreAlert records a counterexample unless an alert has a reason.
func (r Result) scoreAlert(score *Score, a alert, harms []harm) {
	operation, right := r.operation(a)
	what := "nothing"
	if operation != nil {
		what = operation.String()
	}
	if !a.critical.IsZero() {
		score.Criticals++
		if !r.justified(a, harms) {
			score.add(Counterexample{False, a.critical.Sub(r.Began), string(a.cause.Code), r.kindsDuring(a), fmt.Sprintf("%s (%s) during %q", a.cause.Key(), a.cause.Summary, what)})
		}
	}
	if !right {
		score.add(Counterexample{Wrong, a.fired.Sub(r.Began), string(a.cause.Code), r.kindsDuring(a), fmt.Sprintf("%s (%s) during %q", a.cause.Key(), a.cause.Summary, what)})
	}
	deserving := 1
	if right {
		deserving, _ = r.deserves(*operation, harms)
	}
	if deserving > 0 {
		score.Due++
	}
}

// justified reports whether a critical alert is correct: users were harmed around it, the balancer
// logged errors of clients, stickwatch's own included, nodes reported that they are paused, or a node
// lost every session or was taken out of the balancer for long, where canaries may hold the only
// sessions: cookies and stick tables keep users on few nodes.
func (r Result) justified(a alert, harms []harm) bool {
	const before, after = 35 * time.Second, 15 * time.Second
	from, to := a.started.Add(-before), a.critical.Add(after)
	return r.clientsFailed(a.critical.Add(-before), to) || slices.ContainsFunc(harms, func(h harm) bool {
		outlasts := h.row == rowShort && h.to.After(a.critical) // the deployment that it began in
		against := h.operations == nil || outlasts || balancers[r.Schedule.Setup.Balancer].remaps || slices.ContainsFunc(h.operations, func(o *Operation) bool {
			k, _ := operationKindOf(o.Kind)
			return k.losesSessions()
		})
		return against && !h.to.Before(from) && !h.from.After(to)
	}) || slices.ContainsFunc(r.Schedule.Operations, func(o Operation) bool {
		k, _ := operationKindOf(o.Kind)
		own := a.cause.Code == checks.NodePaused || a.cause.Code == checks.DependencyDown
		alone := k.losesSessions() && (len(o.Nodes) > 0 || k.addsNodes) && o.For >= minErrorSpan && !r.used(o, a.critical)
		return (k.selfReported && own || k.losesForSure || alone) && r.concerns(a, o) && r.during(a, o) || alone && r.notifiedOf(a, o, a.critical.Add(notifyDeadline))
	})
}

// clientsFailed reports whether the balancer logged errors of minUsers clients over minErrorSpan
// within a time.
func (r Result) clientsFailed(from, to time.Time) bool {
	clients := make(map[string]bool)
	var first, last time.Time
	for _, f := range r.Failures {
		if f.from.Before(from) || f.from.After(to) {
			continue
		}
		clients[f.client] = true
		if first.IsZero() || f.from.Before(first) {
			first = f.from
		}
		if f.to.After(last) {
			last = f.to
		}
	}
	return len(clients) >= minUsers && last.Sub(first) >= minErrorSpan
}

// used reports whether some user asked for a session of one of an operation's nodes since it began, or since shortly
// before it was undone. One that adds nodes has those that the schedule does not name.
func (r Result) used(o Operation, until time.Time) bool {
	k, _ := operationKindOf(o.Kind)
	from := r.at(o.At)
	if undone := r.at(o.At + o.For); k.undoCounts && until.After(undone) {
		from = undone.Add(-minErrorSpan)
	}
	return slices.ContainsFunc(r.Requests, func(q users.Request) bool {
		added := k.addsNodes && q.Owner != "" && !slices.Contains(r.Schedule.nodes(), q.Owner)
		return (added || slices.Contains(o.Nodes, q.Owner)) && !q.At.Before(from) && !q.At.After(until)
	})
}

// kindsDuring returns the kinds of operations that may have caused an alert, by time.
func (r Result) kindsDuring(a alert) string {
	var list []string
	for _, o := range r.Schedule.Operations {
		if r.during(a, o) && !slices.Contains(list, o.Kind) {
			list = append(list, o.Kind)
		}
	}
	return orDash(list)
}

// kindsBefore returns the kinds of operations that may have caused a harm, by time.
func (r Result) kindsBefore(h harm) string {
	var list []string
	for _, o := range r.Schedule.Operations {
		if !h.first.Before(r.at(o.At)) && !h.from.After(r.readmittedAt(o)) && !slices.Contains(list, o.Kind) {
			list = append(list, o.Kind)
		}
	}
	return orDash(list)
}

func orDash(list []string) string {
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, "+")
}
