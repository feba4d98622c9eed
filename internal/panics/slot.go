package panics

import (
	"context"
	"errors"
	"time"
)

// A Slot runs one function at a time. It does not wait for one that hangs, as reading a file of a
// dead file server does.
type Slot chan struct{} // holds one element while a function runs

// NewSlot returns a free Slot.
func NewSlot() Slot { return make(Slot, 1) }

// ErrHangs is the error of a function that does not return although its context has ended.
var ErrHangs = errors.New("it does not answer")

// Do calls f with a context that ends after timeout, and waits until f returns. An f that has not
// returned a second after that end hangs: Do returns ErrHangs, f goes on alone, and nothing else
// runs in the slot until it has returned. A panic in f is returned as an [Error].
func (s Slot) Do(ctx context.Context, c Component, timeout time.Duration, f func(context.Context)) error {
	const grace = time.Second
	within, stop := context.WithTimeout(ctx, timeout)
	defer stop()
	select {
	case s <- struct{}{}:
	case <-within.Done():
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return ErrHangs
	}
	done, at := make(chan error, 1), site()
	go func() {
		err := catch(c, func() { f(within) }, at)
		<-s // before done, because whoever waits for it may call Do
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-within.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(grace):
		return ErrHangs
	}
}
