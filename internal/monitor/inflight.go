package monitor

import (
	"slices"
	"sync"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/panics"
	"stickwatch/probes"
)

// A task is a function that runs in a goroutine.
type task struct {
	done  chan struct{} // closed when the function has returned
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

// wait waits for the end of the task and propagates its panic.
func (t *task) wait() { t.group.Wait() }

// hangInterval is how often a watcher checks whether a request hangs.
const hangInterval = 250 * time.Millisecond

// hangs waits for the end of a task or for a hanging request to the cluster, and reports
// whether a request hangs.
func (w *Watcher) hangs(t *task) bool {
	for !endsWithin(t.done, hangInterval) {
		if w.cluster.Limiter.Hanging() {
			return true
		}
	}
	return false
}

// endsWithin reports whether done is closed within a duration.
func endsWithin(done <-chan struct{}, d time.Duration) bool {
	select {
	case <-done:
		return true
	case <-time.After(d):
		return false
	}
}

// A partialRound collects the observations of a round that is still running.
type partialRound struct {
	mu        sync.Mutex
	nodes     []probes.NodeObservation // nil: not all nodes have answered
	first     []probes.NodeObservation // of those that update has asked again
	answered  []probes.NodeObservation // until then, those that have
	last      []probes.NodeObservation // of the round before
	balancers []probes.BalancerObservation
	drivers   []*traceDriver

	again  bool // the second probe of the nodes has started
	asking panics.Group
}

func (p *partialRound) setNodes(nodes []probes.NodeObservation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nodes = nodes
}

func (p *partialRound) addNode(o probes.NodeObservation) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered = append(p.answered, o)
}

// knownNodes returns the observations of all nodes; nil: not all are known. Those that were slow in the round
// before are taken from it, until they take three times as long. One that has timed out has not answered, until
// the repeat of its request shows more.
func (p *partialRound) knownNodes(r checks.Round) (list []probes.NodeObservation) {
	if p.nodes != nil {
		return slices.Clone(p.nodes)
	}
	elapsed := time.Since(r.Started)
	for _, n := range r.Cluster.Nodes {
		isOf := func(o probes.NodeObservation) bool { return o.Node == n.ID }
		wasSlow := func(o probes.NodeObservation) bool { return isOf(o) && elapsed < 3*o.Primary.Timing.Total }
		if i := slices.IndexFunc(p.answered, isOf); i >= 0 {
			list = append(list, p.answered[i])
		} else if i := slices.IndexFunc(p.last, wasSlow); i >= 0 {
			list = append(list, p.last[i])
		} else if r.Cluster.Limiter.Repeats(n.ID) {
			list = append(list, probes.Unanswered(r.Cluster, n, r.Started))
		} else {
			return nil
		}
	}
	return list
}

func (p *partialRound) addBalancer(b probes.BalancerObservation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.balancers = append(p.balancers, b)
}

func (p *partialRound) addDriver(driver *traceDriver) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drivers = append(p.drivers, driver)
}

// round returns a copy of the observations. ok is false until all nodes are known, because
// failed requests cannot be attributed to a node before that.
func (p *partialRound) round(emptyRound checks.Round) (r checks.Round, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r = emptyRound
	r.Nodes, r.Balancers = p.knownNodes(emptyRound), slices.Clone(p.balancers)
	for _, driver := range p.drivers {
		r.Traces = append(r.Traces, driver.tracesSoFar()...)
	}
	return r, r.Nodes != nil
}

// askAgain probes the nodes a second time if all were up. If client requests hang since then,
// a node may have failed after its first answer.
func (p *partialRound) askAgain(ask func() []probes.NodeObservation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.again || p.nodes == nil || slices.ContainsFunc(p.nodes, func(o probes.NodeObservation) bool { return !checks.Up(o) }) {
		return
	}
	p.again = true
	p.asking.Go(func() { p.setNodes(ask()) })
}

// update replaces the observations of nodes by those that ask returns, unless askAgain does.
// In a long round, what clients met last may be newer than what was known of their nodes.
func (p *partialRound) update(ask func(known []probes.NodeObservation) []probes.NodeObservation) {
	p.mu.Lock()
	known, again := p.nodes, p.again
	p.mu.Unlock()
	if again {
		return
	}
	newest := ask(known)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nodes, p.first = newest, known
}

// observedNodes returns the newest observation of each node, and the first one of those that update has asked again.
func (p *partialRound) observedNodes() (newest, first []probes.NodeObservation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nodes, p.first
}
