package probes

import "time"

// A Budget bounds the requests that stickwatch sends to one node, directly and
// through the balancer together.
type Budget struct {
	RequestsPerSecond int // in the long run; see Burst
	Concurrent        int // requests in flight at the same time, at most
}

// DefaultBudget applies where a configuration is silent.
var DefaultBudget = Budget{RequestsPerSecond: 20, Concurrent: 4}

// Burst is how many requests a node that was left alone may get at once: those
// of half a second. A picture of a healthy cluster asks each node 15 to 25 times
// and would take twice as long without it.
func (b Budget) Burst() int { return max(1, b.RequestsPerSecond/2) }

// interval is the time between two requests at the full rate.
func (b Budget) interval() time.Duration {
	return time.Second / time.Duration(max(1, b.RequestsPerSecond))
}

// A tokenBucket spaces the requests to one node. Its zero value is full.
type tokenBucket struct {
	full     time.Time // when every token that was taken has been replaced
	reserved int       // for requests in flight that may arrive at another node
}

// available is the time from which a token can be taken. While too many are
// reserved it is after now whatever now is.
func (t *tokenBucket) available(b Budget, now time.Time) time.Time {
	spare := time.Duration(b.Burst()-1-t.reserved) * b.interval()
	if spare < 0 && t.full.Before(now) {
		return now.Add(-spare)
	}
	return t.full.Add(-spare)
}

// take takes n tokens for requests that were sent at a moment. There may be fewer:
// then the next request waits until the debt is paid.
func (t *tokenBucket) take(b Budget, n int, at time.Time) {
	if t.full.Before(at) {
		t.full = at
	}
	t.full = t.full.Add(time.Duration(n) * b.interval())
}
