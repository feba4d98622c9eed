package gate

import (
	"net/http"
	"time"

	"stickwatch/probes"
)

// A Sample is one request of a watched client with its outcome.
type Sample struct {
	At   time.Time     // time of sending
	Took time.Duration // time until the answer was complete, or the request had failed

	// Retry marks a quick retry after a failure, earlier than a user would have sent
	// the next request. Retries locate the end of an outage and are not counted
	// otherwise.
	Retry bool

	// Good reports whether a user would have been served. A status of 400 or above is
	// not good, because an application that is being replaced answers 404 for a while.
	Good           bool
	Label          string // label of the node that answered; "": unknown
	New            bool   // the request opened a session
	SessionOutcome probes.SessionOutcome
	Session        probes.Fingerprint
	Own            bool   // the request failed because of this machine, which is no evidence about the cluster
	Status         int    // HTTP status; 0: no answer
	Error          string // one clean line; "": the answer was complete
}

// SampleOf returns the sample of an exchange and the outcome of its session.
func SampleOf(ex probes.Exchange, sessionOutcome probes.SessionOutcome) Sample {
	return Sample{
		At: ex.At, Took: ex.Timing.Total,
		Good:  ex.Failure == "" && (ex.Status >= http.StatusOK && ex.Status < http.StatusBadRequest || ex.LoggedIn == probes.LoggedOut),
		Own:   ex.Failure == probes.FailureProber,
		Label: ex.Label, SessionOutcome: sessionOutcome, Session: ex.Session, Status: ex.Status, Error: ex.Error,
	}
}

// Done returns the time at which the answer was complete, or the request had failed.
func (s Sample) Done() time.Time { return s.At.Add(s.Took) }

// lostSession reports whether the session was gone or stale.
func (s Sample) lostSession() bool {
	return s.SessionOutcome == probes.SessionLost || s.SessionOutcome == probes.SessionStale
}

// A SampleRun is a series of samples that differ in nothing but their times. For
// failures, it has the error of the first one.
type SampleRun struct {
	First, Last Sample
	Count       int // samples, including quick retries
	Requests    int // samples without quick retries: the requests of a user at the interval
	Slowest     time.Duration
}

// A Timeline is the history of one client, or of direct requests to one node, in order.
type Timeline []SampleRun

// maxRuns limits a timeline, because a client that moves back and forth all the time
// adds one run per sample. Later samples are only counted.
const maxRuns = 100_000

// Add adds the next sample.
func (t *Timeline) Add(sample Sample) {
	if n := len(*t); n > 0 && ((*t)[n-1].extends(sample) || n >= maxRuns) {
		run := &(*t)[n-1]
		run.Last, run.Slowest = sample, max(run.Slowest, sample.Took)
		run.Count++
		run.Requests += count(!sample.Retry)
		return
	}
	*t = append(*t, SampleRun{First: sample, Last: sample, Count: 1, Requests: count(!sample.Retry), Slowest: sample.Took})
}

// extends reports whether a sample continues the run.
func (run SampleRun) extends(sample Sample) bool {
	switch {
	case run.Last.Good != sample.Good:
		return false
	case !sample.Good:
		return true
	default:
		return !sample.New && !sample.lostSession() && !run.Last.lostSession() && run.Last.Label == sample.Label
	}
}

// requests counts the requests of a user at the interval, and how many of them failed.
func (t Timeline) requests() (all, failed int) {
	for _, run := range t {
		all += run.Requests
		if !run.First.Good {
			failed += run.Requests
		}
	}
	return all, failed
}

// opened counts the sessions that were opened.
func (t Timeline) opened() int {
	n := 0
	for _, run := range t {
		if run.First.New && run.First.Good {
			n++
		}
	}
	return n
}

func (t Timeline) slowest() time.Duration {
	var d time.Duration
	for _, run := range t {
		if run.First.Good {
			d = max(d, run.Slowest)
		}
	}
	return d
}

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
	for i, run := range t {
		if run.First.Good {
			last = run.Last.Done()
			continue
		}
		o := Outage{
			LastGood: last, FirstBad: run.First.At, LastBad: run.Last.Done(), FirstGood: end, Ongoing: true,
			Failed: run.Requests, Error: run.First.Error, Status: run.First.Status,
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
