package post

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// maxPause bounds what a receiver may ask for: a mistake of it, or of something
// on the way, must not silence it for days.
const maxPause = time.Hour

// RetryAfter is for how long an answer asks to be left alone, in seconds or as
// a date; 0: it does not ask. Seconds that no number holds are as many as may be.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	seconds, err := strconv.ParseUint(value, 10, 31)
	switch {
	case err == nil:
		return Pause(time.Duration(seconds) * time.Second)
	case errors.Is(err, strconv.ErrRange):
		return maxPause
	}
	if at, err := http.ParseTime(value); err == nil {
		return Pause(at.Sub(now))
	}
	return 0
}

// Pause is a wait as far as it is granted.
func Pause(asked time.Duration) time.Duration { return min(max(asked, 0), maxPause) }

// BoundRetryAfter is next, or net/http's own for nil, for a client library that
// reads Retry-After itself and fails or overflows where the number is too large.
func BoundRetryAfter(next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return bounding{next}
}

type bounding struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounding) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := b.next.RoundTrip(req)
	if err == nil {
		if _, bad := strconv.ParseUint(res.Header.Get("Retry-After"), 10, 31); errors.Is(bad, strconv.ErrRange) {
			res.Header.Set("Retry-After", strconv.Itoa(int(maxPause/time.Second)))
		}
	}
	return res, err
}
