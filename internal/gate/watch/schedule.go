package watch

import "time"

// A schedule tells a client's quick retries from the requests that a user at
// the interval would have sent.
type schedule struct {
	interval time.Duration
	due      time.Time // of the user's next request
	failing  bool      // the visit before failed
}

// retry reports whether a visit that begins now is a quick retry: the one before
// failed, and the user would still be waiting to try again.
func (s *schedule) retry(now time.Time) bool {
	switch {
	case !s.failing:
		s.due = now.Add(s.interval)
	case now.Before(s.due):
		return true
	default:
		s.due = s.due.Add(s.interval * (1 + now.Sub(s.due)/s.interval))
	}
	return false
}
