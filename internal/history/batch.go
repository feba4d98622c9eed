package history

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"stickwatch/checks"
	"stickwatch/probes"
)

// A Batch is what a round leaves behind.
type Batch struct {
	Samples []checks.Sample
	Moves   []checks.Move
	Changes []Change
	// Canaries replaces what is remembered of each cluster in it.
	Canaries map[string][]Canary
}

// A Change is what became of a finding of a cluster.
type Change struct {
	Cluster string
	checks.Change
}

// A Canary is what is remembered of a session of our own: enough to tell, after
// a restart, whether a new one was opened in its place, and nothing by which it
// could be taken over.
type Canary struct {
	Node     string
	Balancer string // URL it goes through
	Client   string // client address or key presented; "": our own
	Session  probes.Fingerprint
	Opened   time.Time
}

// A queue holds what waits to be written. It is bounded: what does not fit pushes
// out the oldest, which is counted.
type queue struct {
	bound int // of each kind of thing, canaries apart: of them only the newest count

	mu      sync.Mutex
	waiting Batch
	dropped int64
}

// put never waits for more than memory.
func (q *queue) put(b Batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = appendBatch(q.waiting, b)
	q.dropOldest()
}

// take returns everything that waits.
func (q *queue) take() Batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := q.waiting
	q.waiting = Batch{}
	return b
}

// requeue returns what could not be written to its place before the rest.
func (q *queue) requeue(b Batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = appendBatch(b, q.waiting)
	// b was sorted by target; what gives way must be the oldest.
	slices.SortStableFunc(q.waiting.Samples, func(x, y checks.Sample) int { return x.At.Compare(y.At) })
	q.dropOldest()
}

// drop counts what nobody can write.
func (q *queue) drop(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dropped += int64(n)
}

func (q *queue) state() (length int, dropped int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.waiting.size(), q.dropped
}

func (q *queue) dropOldest() {
	before := q.waiting.size()
	q.waiting.Samples = newest(q.waiting.Samples, q.bound)
	q.waiting.Moves = newest(q.waiting.Moves, q.bound)
	q.waiting.Changes = newest(q.waiting.Changes, q.bound)
	q.dropped += int64(before - q.waiting.size())
}

// newest keeps the last n of s.
func newest[S ~[]E, E any](s S, n int) S { return s[max(len(s)-n, 0):] }

// appendBatch puts later after b, whose slices are the queue's own; those of later, which
// may be somebody else's, are copied.
func appendBatch(b, later Batch) Batch {
	b.Samples = append(b.Samples, later.Samples...)
	b.Moves = append(b.Moves, later.Moves...)
	b.Changes = append(b.Changes, later.Changes...)
	if len(later.Canaries) > 0 {
		canaries := make(map[string][]Canary, len(b.Canaries)+len(later.Canaries))
		maps.Copy(canaries, b.Canaries)
		maps.Copy(canaries, later.Canaries)
		b.Canaries = canaries
	}
	return b
}

// size is the number of rows.
func (b Batch) size() int { return len(b.Samples) + len(b.Moves) + len(b.Changes) }

func (b Batch) empty() bool { return b.size() == 0 && len(b.Canaries) == 0 }

// sort brings samples into the order in which they lie on the disk.
func (b Batch) sort() {
	slices.SortStableFunc(b.Samples, func(x, y checks.Sample) int {
		return cmp.Or(
			cmp.Compare(x.Cluster, y.Cluster), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Name, y.Name), x.At.Compare(y.At),
		)
	})
}
