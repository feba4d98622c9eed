// Package loglimit bounds how often a message about a lasting fault is logged.
package loglimit

import (
	"sync"
	"time"
)

// interval is the shortest time between two lines of a limiter.
const interval = time.Minute

// A Limiter allows one line a minute and counts the suppressed ones. The zero value is ready to use.
type Limiter struct {
	mu         sync.Mutex
	last       time.Time // zero: no line since the beginning, or since Reset
	suppressed int
}

// Allow reports whether a line may be logged now, and how many were suppressed since the last one.
func (l *Limiter) Allow() (suppressed int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); l.last.IsZero() || now.Sub(l.last).Abs() >= interval {
		suppressed = l.suppressed
		l.last, l.suppressed = now, 0
		return suppressed, true
	}
	l.suppressed++
	return 0, false
}

// Reset records the end of the fault, so that the next one is logged at once. It reports whether a
// line was logged since the last Reset.
func (l *Limiter) Reset() (logged bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	logged = !l.last.IsZero()
	l.last, l.suppressed = time.Time{}, 0
	return logged
}
