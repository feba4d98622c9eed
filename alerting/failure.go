package alerting

import "time"

// A Retriable failure may pass: the notice is tried again. An error of a
// notifier that is neither Retriable nor Permanent is taken for one, because a
// message said twice is better than one that is lost.
type Retriable struct {
	After time.Duration // what the receiver asked for: nothing is sent to it for that long; 0: it did not say
	Err   error
}

func (e Retriable) Error() string { return e.Err.Error() }

func (e Retriable) Unwrap() error { return e.Err }

// A Permanent failure stays however often the notice is tried.
type Permanent struct{ Err error }

func (e Permanent) Error() string { return e.Err.Error() }

func (e Permanent) Unwrap() error { return e.Err }
