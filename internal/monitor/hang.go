package monitor

import (
	"time"

	"stickwatch/internal/panics"
)

// A task goes on in a goroutine.
type task struct {
	done  chan struct{} // closed when it has ended
	group panics.Group
}

func begin(f func()) *task {
	t := &task{done: make(chan struct{})}
	t.group.Go(func() {
		defer close(t.done)
		f()
	})
	return t
}

// wait waits until the task has ended, and panics if it did.
func (t *task) wait() { t.group.Wait() }

// hangs waits until a task has ended, or a request to the cluster hangs, and reports
// whether one does.
func (w *Watcher) hangs(t *task) bool {
	const look = 250 * time.Millisecond
	for !endsWithin(t.done, look) {
		if w.cluster.Limiter.Hanging() {
			return true
		}
	}
	return false
}

// endsWithin reports whether done is closed after a time.
func endsWithin(done <-chan struct{}, d time.Duration) bool {
	select {
	case <-done:
		return true
	case <-time.After(d):
		return false
	}
}
