package watch

import "time"

// A schedule distinguishes a client's quick retries from the requests that a user at
// the interval would have sent.
type schedule struct {
	interval time.Duration
	due      time.Time // time of the user's next request
	failing  bool      // the previous sample failed
}

// retry reports whether a sample that starts now is a quick retry: the previous one
// failed, and a user would still wait.
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
