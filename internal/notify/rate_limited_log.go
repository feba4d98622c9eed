package notify

import "time"

// A rateLimitedLog is what the log is told of a receiver in trouble: a line a minute, and
// how many were left out since the one before.
type rateLimitedLog struct {
	last   time.Time
	unsaid int
}

// may reports whether a line may be written at a moment.
func (l *rateLimitedLog) may(now time.Time) (unsaid int, ok bool) {
	const again = time.Minute
	if !l.last.IsZero() && now.Sub(l.last) < again {
		l.unsaid++
		return 0, false
	}
	unsaid = l.unsaid
	l.last, l.unsaid = now, 0
	return unsaid, true
}
