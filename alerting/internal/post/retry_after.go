package post

import (
	"net/http"
	"strconv"
	"time"
)

// maxPause bounds what a receiver may ask for: a mistake of it, or of something
// on the way, must not silence it for days.
const maxPause = time.Hour

// RetryAfter is for how long an answer asks to be left alone, in seconds or as
// a date; 0: it does not ask.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return Pause(time.Duration(seconds) * time.Second)
	}
	if at, err := http.ParseTime(value); err == nil {
		return Pause(at.Sub(now))
	}
	return 0
}

// Pause is a wait as far as it is granted.
func Pause(asked time.Duration) time.Duration { return min(max(asked, 0), maxPause) }
