package daemon

import (
	"context"
	"sync"
	"time"
)

// A refresher puts in force what the history has: silences, or announced
// deployments.
type refresher[T any] struct {
	read  func(context.Context, time.Time) ([]T, error)
	apply func([]T)

	mu sync.Mutex // from reading to applying, lest an older list be applied last
}

// refresh applies what the history has now. That is written by now, so that whoever
// wanted it may have gone.
func (r *refresher[T]) refresh(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	list, err := r.read(context.WithoutCancel(ctx), time.Now())
	if err != nil {
		return err
	}
	r.apply(list)
	return nil
}
