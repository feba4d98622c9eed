package gate

import "time"

// An Outage is a stretch of time in which a client was not served, as far as
// its requests can tell: it began between the last good answer and the first
// request that failed, and ended between the last failure and the next good
// answer. How far these are apart is a matter of the interval and of the budget
// that retries have to wait for.
type Outage struct {
	LastGood  time.Time // when the last good answer before was whole; zero: there was none
	FirstBad  time.Time // when the first request that failed was sent
	LastBad   time.Time // when the last request that failed had done so
	FirstGood time.Time // when the first good answer after was whole; of one that goes on, the end of the watch
	Ongoing   bool      // no good answer came

	Node   string // where the client was before, or should have gone; "": not known
	Failed int    // requests of a user at the interval, without quick retries
	Error  string // of the first of them
	Status int
}

// AtLeast is the time from the first request that failed to the last failure: for
// so long a user surely waited; 0 for no outage.
func (o Outage) AtLeast() time.Duration { return o.LastBad.Sub(o.FirstBad) }

// AtMost is the time from one good answer to the next; 0 for no outage.
func (o Outage) AtMost() time.Duration {
	if o.LastGood.IsZero() {
		return o.FirstGood.Sub(o.FirstBad)
	}
	return o.FirstGood.Sub(o.LastGood)
}

// IsZero reports whether there was no outage.
func (o Outage) IsZero() bool { return o.FirstBad.IsZero() }

// outages finds every outage of a track that is known until end.
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

// longest is the outage with the longest time between good answers.
func longest(list []Outage) Outage {
	var worst Outage
	for _, o := range list {
		if worst.IsZero() || o.AtMost() > worst.AtMost() {
			worst = o
		}
	}
	return worst
}
