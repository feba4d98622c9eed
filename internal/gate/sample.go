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
	Status         int    // HTTP status; 0: no answer
	Error          string // one clean line; "": the answer was complete
}

// SampleOf returns the sample of an exchange and the outcome of its session.
func SampleOf(ex probes.Exchange, sessionOutcome probes.SessionOutcome) Sample {
	return Sample{
		At: ex.At, Took: ex.Timing.Total,
		Good:  ex.Failure == "" && ex.Status >= http.StatusOK && ex.Status < http.StatusBadRequest,
		Label: ex.Label, SessionOutcome: sessionOutcome, Session: ex.Session, Status: ex.Status, Error: ex.Error,
	}
}

// Done returns the time at which the answer was complete, or the request had failed.
func (b Sample) Done() time.Time { return b.At.Add(b.Took) }

// lostSession reports whether the session was gone or stale.
func (b Sample) lostSession() bool {
	return b.SessionOutcome == probes.SessionLost || b.SessionOutcome == probes.SessionStale
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
func (t *Timeline) Add(b Sample) {
	if n := len(*t); n > 0 && ((*t)[n-1].extends(b) || n >= maxRuns) {
		s := &(*t)[n-1]
		s.Last, s.Slowest = b, max(s.Slowest, b.Took)
		s.Count++
		s.Requests += count(!b.Retry)
		return
	}
	*t = append(*t, SampleRun{First: b, Last: b, Count: 1, Requests: count(!b.Retry), Slowest: b.Took})
}

// extends reports whether b continues the run s.
func (s SampleRun) extends(b Sample) bool {
	switch {
	case s.Last.Good != b.Good:
		return false
	case !b.Good:
		return true
	default:
		return !b.New && !b.lostSession() && !s.Last.lostSession() && s.Last.Label == b.Label
	}
}

// requests counts the requests of a user at the interval, and how many of them failed.
func (t Timeline) requests() (all, failed int) {
	for _, s := range t {
		all += s.Requests
		if !s.First.Good {
			failed += s.Requests
		}
	}
	return all, failed
}

// opened counts the sessions that were opened.
func (t Timeline) opened() int {
	n := 0
	for _, s := range t {
		if s.First.New && s.First.Good {
			n++
		}
	}
	return n
}

func (t Timeline) slowest() time.Duration {
	var d time.Duration
	for _, s := range t {
		if s.First.Good {
			d = max(d, s.Slowest)
		}
	}
	return d
}
