package gate

import (
	"net/http"
	"time"

	"stickwatch/probes"
)

// A Sample is one request of a client that comes again and again, and what came
// of it.
type Sample struct {
	At   time.Time     // when it was sent
	Took time.Duration // until its answer was whole, or it had failed

	// Retry: the client came again soon after a failure, when no user would have
	// come yet. Such requests locate the end of an outage and count for nothing
	// else.
	Retry bool

	// Good: a user would have been served. An application that is being replaced
	// answers 404 for a while, so that a status of 400 and above is none.
	Good           bool
	Label          string // how whoever answered calls itself; "": not told
	New            bool   // it began a session
	SessionOutcome probes.SessionOutcome
	Session        probes.Fingerprint
	Status         int    // 0: no HTTP answer
	Error          string // one clean line; "": the answer came in whole
}

// SampleOf is an exchange with what it showed of its client's session.
func SampleOf(ex probes.Exchange, sessionOutcome probes.SessionOutcome) Sample {
	return Sample{
		At: ex.At, Took: ex.Timing.Total,
		Good:  ex.Failure == "" && ex.Status >= http.StatusOK && ex.Status < http.StatusBadRequest,
		Label: ex.Label, SessionOutcome: sessionOutcome, Session: ex.Session, Status: ex.Status, Error: ex.Error,
	}
}

// Done is when the answer was whole, or the request had failed.
func (b Sample) Done() time.Time { return b.At.Add(b.Took) }

// lostSession reports whether the session was gone, or older than it should be.
func (b Sample) lostSession() bool {
	return b.SessionOutcome == probes.SessionLost || b.SessionOutcome == probes.SessionStale
}

// A SampleRun is beats in a row that differ in nothing but their times. Of those
// that failed, the first says why.
type SampleRun struct {
	First, Last Sample
	Count       int // quick retries included
	Requests    int // without them: what a user at the interval would have sent
	Slowest     time.Duration
}

// A Timeline is everything that one client met, or one node answered, in order.
type Timeline []SampleRun

// maxRuns bounds a track: a client that is sent to and fro all the time
// adds one a beat. What comes after that many is told in sum.
const maxRuns = 100_000

// Add takes in the next beat.
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

// extends reports whether b only goes on with what s is.
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

// requests counts what a user would have sent, and what of it failed.
func (t Timeline) requests() (all, failed int) {
	for _, s := range t {
		all += s.Requests
		if !s.First.Good {
			failed += s.Requests
		}
	}
	return all, failed
}

// opened counts the sessions that were begun.
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
