package monitor

import (
	"slices"
	"sync"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/panics"
	"stickwatch/probes"
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

// soFar is what a round that goes on has seen by now.
type soFar struct {
	mu        sync.Mutex
	nodes     []probes.NodeObservation // nil: some have not answered yet
	balancers []probes.BalancerObservation
	walkers   []*traceDriver

	again  bool // the nodes are asked a second time, or were
	asking panics.Group
}

func (s *soFar) answeredBy(nodes []probes.NodeObservation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes = nodes
}

func (s *soFar) answeredAt(b probes.BalancerObservation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.balancers = append(s.balancers, b)
}

func (s *soFar) sentBy(w *traceDriver) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.walkers = append(s.walkers, w)
}

// round is the round so far. It is not ok while it is not known how the nodes are:
// what clients met could not be put down to them.
func (s *soFar) round(emptyRound checks.Round) (r checks.Round, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r = emptyRound
	r.Nodes, r.Balancers = slices.Clone(s.nodes), slices.Clone(s.balancers)
	for _, w := range s.walkers {
		r.Traces = append(r.Traces, w.tracesSoFar()...)
	}
	return r, s.nodes != nil
}

// askAgain asks the nodes a second time, if they have answered: clients whose requests
// hang since then may wait for a node that was well.
func (s *soFar) askAgain(ask func() []probes.NodeObservation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.again || s.nodes == nil || slices.ContainsFunc(s.nodes, func(o probes.NodeObservation) bool { return !checks.Up(o) }) {
		return
	}
	s.again = true
	s.asking.Go(func() { s.answeredBy(ask()) })
}

// newestNodes are the nodes as they answered last.
func (s *soFar) newestNodes() []probes.NodeObservation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nodes
}
