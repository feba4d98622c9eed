package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"stickwatch/checks"
)

// A Class of counterexamples.
type Class string

// The classes. The last two decide nothing by themselves: they count in means and
// percentiles.
const (
	Silent Class = "harm without notification"
	False  Class = "critical without harm"
	Wrong  Class = "wrong node or cause"
	Second Class = "second incident" // for one operation
	Late   Class = "late"            // notified more than 15 s after the first harm
)

// Classes lists every Class.
var Classes = []Class{Silent, False, Wrong, Second, Late}

// A Counterexample is where users and notifications disagree.
type Counterexample struct {
	Class Class
	At    time.Duration // from the beginning of the simulation
	What  string        // the finding's code, or the row of the scale
	While string        // the kinds of operations at that time
	Text  string
}

// Kind is the same for counterexamples that have the same mistake.
func (c Counterexample) Kind() string { return string(c.Class) + ": " + c.What }

func (c Counterexample) String() string {
	return fmt.Sprintf("%v %s: %s", c.At.Round(10*time.Millisecond), c.Class, c.Text)
}

// A Score says how well notifications agree with what users met.
type Score struct {
	Counterexamples []Counterexample // in the order of time
	Operations      int
	Deserving       int // operations that deserve an incident
	Due             int // incidents notified, but for those of operations that neither deserve nor forbid one
	Incidents       int // incidents notified
	Criticals       int // of them critical
	Harms           int // that must be notified
	Delays          []time.Duration
}

// Agrees reports whether nothing that decides was found.
func (s Score) Agrees() bool { return len(s.Counterexamples) == s.Count(Second)+s.Count(Late) }

// Count is the number of counterexamples of a class.
func (s Score) Count(c Class) (n int) {
	for _, x := range s.Counterexamples {
		if x.Class == c {
			n++
		}
	}
	return n
}

// Score compares users and notifications.
func (r Result) Score() Score {
	harms, alerts := r.harms(), alerts(r.Notifications)
	s := Score{Operations: len(r.Schedule.Operations), Incidents: len(alerts)}
	for _, h := range harms {
		if h.certain {
			s.Harms++
			r.scoreHarm(&s, h, alerts)
		}
	}
	for _, o := range r.Schedule.Operations {
		deserving, forSure := r.deserves(o, harms)
		s.Deserving += deserving
		if forSure && !slices.ContainsFunc(alerts, func(a alert) bool { return r.answers(a, o) }) {
			s.add(Counterexample{Silent, o.At, "no incident", o.Kind, fmt.Sprintf("nobody was notified of %q", o)})
		}
	}
	about := make(map[time.Duration]int) // incidents by the time of their operation
	for _, a := range alerts {
		r.scoreAlert(&s, a, harms)
		if o, right := r.operation(a); right {
			about[o.At]++
			r.scoreSecond(&s, a, *o, about[o.At])
		}
	}
	slices.SortStableFunc(s.Counterexamples, func(a, b Counterexample) int { return int(a.At - b.At) })
	return s
}

func (s *Score) add(c Counterexample) { s.Counterexamples = append(s.Counterexamples, c) }

// notifyDeadline is until when a notification must have come after the last of a harm.
const notifyDeadline = time.Minute

// scoreHarm looks for the notification of a harm.
func (r Result) scoreHarm(s *Score, h harm, alerts []alert) {
	answered := slices.ContainsFunc(alerts, func(a alert) bool {
		if h.operation != nil {
			return r.answers(a, *h.operation)
		}
		return a.notifiedInTime(h)
	})
	if !answered {
		s.add(Counterexample{Silent, h.first.Sub(r.Began), string(h.row), r.kindsBefore(h), h.String()})
		return
	}
	if h.operation != nil {
		return
	}
	delay := time.Duration(-1)
	for _, a := range alerts {
		if d := max(0, a.critical.Sub(h.first)); a.notifiedInTime(h) && (delay < 0 || d < delay) {
			delay = d
		}
	}
	s.Delays = append(s.Delays, delay)
	if delay > maxDelay {
		s.add(Counterexample{Late, h.first.Sub(r.Began), string(h.row), r.kindsBefore(h), fmt.Sprintf("%v after the first of %s", delay.Round(100*time.Millisecond), h)})
	}
}

// maxDelay is how long after the first harm a notification is to come.
const maxDelay = 15 * time.Second

// notifiedInTime reports whether an alert is a critical that was notified in time for a
// harm, or was open already.
func (a alert) notifiedInTime(h harm) bool {
	const before = 30 * time.Second
	return !a.critical.IsZero() && !a.critical.After(h.to.Add(notifyDeadline)) && (a.ended.IsZero() || !a.ended.Add(before).Before(h.from))
}

// answers reports whether an alert tells of an operation: in its time, or while it
// is open from earlier.
func (r Result) answers(a alert, o Operation) bool {
	const settleTime = 3 * time.Minute
	if r.notifiedOf(a, o, r.readmittedAt(o).Add(settleTime)) {
		return true
	}
	open := a.started.Before(r.at(o.At)) && (a.ended.IsZero() || a.ended.After(r.at(o.At)))
	return r.concerns(a, o) && (r.during(a, o) || open) && !a.fired.After(r.readmittedAt(o).Add(settleTime))
}

// deserves is how many incidents an operation deserves, and whether it deserves
// one by itself, whatever users met. One that is undone may harm twice.
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

// alone reports whether no other operation makes a node of this one unwell meanwhile:
// one that is down cannot be seen to be paused.
func (r Result) onlyUnhealthy(o Operation) bool {
	return !slices.ContainsFunc(r.Schedule.Operations, func(other Operation) bool {
		k, _ := operationKindOf(other.Kind)
		both := slices.ContainsFunc(o.Nodes, func(node string) bool { return slices.Contains(other.Nodes, node) })
		return other.At != o.At && k.unhealthy && both && !r.at(other.At).After(r.readmittedAt(o)) && !r.at(o.At).After(r.readmittedAt(other))
	})
}

// harmed reports whether an operation did harm that must be notified and that
// users met first after a moment, and that began before another.
func (r Result) harmed(o Operation, harms []harm, from, to time.Time) bool {
	return slices.ContainsFunc(harms, func(h harm) bool {
		if !h.certain || h.operation != nil {
			return h.certain && h.operation.At == o.At
		}
		return !h.first.Before(from) && !h.from.After(to)
	})
}

// scoreSecond notes an incident about an operation that has had as many as it may.
func (r Result) scoreSecond(s *Score, a alert, o Operation, number int) {
	k, _ := operationKindOf(o.Kind)
	if number == 1 || number == 2 && k.undoCounts {
		return
	}
	s.add(Counterexample{Second, a.fired.Sub(r.Began), string(a.cause.Code), r.kindsDuring(a), fmt.Sprintf("%s (%s) is number %d of %q", a.cause.Key(), a.cause.Summary, number, o)})
}

// scoreAlert looks for the reason of an alert.
func (r Result) scoreAlert(s *Score, a alert, harms []harm) {
	o, right := r.operation(a)
	what := "nothing"
	if o != nil {
		what = o.String()
	}
	if !a.critical.IsZero() {
		s.Criticals++
		if !r.justified(a, harms) {
			s.add(Counterexample{False, a.critical.Sub(r.Began), string(a.cause.Code), r.kindsDuring(a), fmt.Sprintf("%s (%s) during %q", a.cause.Key(), a.cause.Summary, what)})
		}
	}
	if !right {
		s.add(Counterexample{Wrong, a.fired.Sub(r.Began), string(a.cause.Code), r.kindsDuring(a), fmt.Sprintf("%s (%s) during %q", a.cause.Key(), a.cause.Summary, what)})
	}
	deserving := 1
	if right {
		deserving, _ = r.deserves(*o, harms)
	}
	if deserving > 0 {
		s.Due++
	}
}

// justified reports whether a critical is one by the scale: users were harmed
// around it, or nodes said themselves that they are paused.
func (r Result) justified(a alert, harms []harm) bool {
	const before, after = 35 * time.Second, 15 * time.Second
	from, to := a.started.Add(-before), a.critical.Add(after)
	return slices.ContainsFunc(harms, func(h harm) bool {
		return h.operation == nil && !h.to.Before(from) && !h.from.After(to)
	}) || slices.ContainsFunc(r.Schedule.Operations, func(o Operation) bool {
		k, _ := operationKindOf(o.Kind)
		own := a.cause.Code == checks.NodePaused || a.cause.Code == checks.DependencyDown
		return k.selfReported && own && r.concerns(a, o) && r.during(a, o)
	})
}

// kindsDuring are the kinds of operations that an alert may be about by its time.
func (r Result) kindsDuring(a alert) string {
	var list []string
	for _, o := range r.Schedule.Operations {
		if r.during(a, o) && !slices.Contains(list, o.Kind) {
			list = append(list, o.Kind)
		}
	}
	return orDash(list)
}

// kindsBefore are the kinds of operations that a harm may come from by its time.
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
