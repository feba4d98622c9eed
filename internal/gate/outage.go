package gate

import "time"

// An Outage is a period in which a client was not served, as measured by its requests:
// it began between the last good answer and the first failed request, and ended between
// the last failure and the next good answer. The width of these bounds depends on the
// interval and on the budget that retries wait for.
type Outage struct {
	LastGood  time.Time // end of the last good answer before; zero: there was none
	FirstBad  time.Time // start of the first failed request
	LastBad   time.Time // end of the last failed request
	FirstGood time.Time // end of the first good answer after it; for an ongoing outage, the end of the watch
	Ongoing   bool      // no good answer followed

	Node   string // node of the client before, or its target node; "": unknown
	Failed int    // failed requests at the interval, without quick retries
	Error  string // error of the first of them
	Status int
}

// AtLeast returns the minimum duration: from the start of the first failed request to
// the end of the last failure; 0 for no outage.
func (o Outage) AtLeast() time.Duration { return o.LastBad.Sub(o.FirstBad) }

// AtMost returns the maximum duration, from one good answer to the next; 0 for no
// outage.
func (o Outage) AtMost() time.Duration {
	if o.LastGood.IsZero() {
		return o.FirstGood.Sub(o.FirstBad)
	}
	return o.FirstGood.Sub(o.LastGood)
}

// IsZero reports whether there was no outage.
func (o Outage) IsZero() bool { return o.FirstBad.IsZero() }

// outages returns every outage of a timeline that is complete until end.
func (t Timeline) outages(end time.Time) []Outage {
	var list []Outage
	var last time.Time
	for i, s := range t {
		if s.First.Good {
			last = s.Last.Done()
			continue
		}
		o := Outage{
			LastGood: last, FirstBad: s.First.At, LastBad: s.Last.Done(), FirstGood: end, Ongoing: true,
			Failed: s.Requests, Error: s.First.Error, Status: s.First.Status,
		}
		if i+1 < len(t) {
			o.FirstGood, o.Ongoing = t[i+1].First.Done(), false
		}
		list = append(list, o)
	}
	return list
}

// longest returns the outage with the longest time between good answers.
func longest(list []Outage) Outage {
	var worst Outage
	for _, o := range list {
		if worst.IsZero() || o.AtMost() > worst.AtMost() {
			worst = o
		}
	}
	return worst
}
