package history

import (
	"cmp"
	"slices"
	"sync"

	"stickwatch/checks"
)

// A Batch is the data that a round adds to the history.
type Batch struct {
	Samples    []checks.Sample
	Moves      []checks.Move
	Changes    []Change
	Placements []checks.Placement // each replaces the stored one with the same beginning
}

// A Change is a change of a finding of a cluster.
type Change struct {
	Cluster string
	checks.Change
}

// A queue holds rows that wait to be written. It is bounded: a row that does not fit replaces
// the oldest one, which counts as dropped.
type queue struct {
	bound int // maximum number of rows of each kind

	mu      sync.Mutex
	waiting Batch
	dropped int64
}

// put appends a batch. It does no I/O.
func (q *queue) put(b Batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = appendBatch(q.waiting, b)
	q.dropOldest()
}

// take removes and returns everything in the queue.
func (q *queue) take() Batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	b := q.waiting
	q.waiting = Batch{}
	return b
}

// requeue puts a batch that could not be written back before the rest.
func (q *queue) requeue(b Batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = appendBatch(b, q.waiting)
	// b is sorted by target, but the oldest rows must be dropped first.
	slices.SortStableFunc(q.waiting.Samples, func(x, y checks.Sample) int { return x.At.Compare(y.At) })
	q.dropOldest()
}

// drop counts rows that cannot be written.
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
	q.waiting.Placements = newest(q.waiting.Placements, q.bound)
	q.dropped += int64(before - q.waiting.size())
}

// newest returns the last n elements of s.
func newest[S ~[]E, E any](s S, n int) S { return s[max(len(s)-n, 0):] }

// appendBatch appends later to b. It reuses the slices of b, and copies those of later.
func appendBatch(b, later Batch) Batch {
	b.Samples = append(b.Samples, later.Samples...)
	b.Moves = append(b.Moves, later.Moves...)
	b.Changes = append(b.Changes, later.Changes...)
	b.Placements = append(b.Placements, later.Placements...)
	return b
}

// size returns the number of rows.
func (b Batch) size() int {
	return len(b.Samples) + len(b.Moves) + len(b.Changes) + len(b.Placements)
}

func (b Batch) empty() bool { return b.size() == 0 }

// sort sorts the samples in the order of their table.
func (b Batch) sort() {
	slices.SortStableFunc(b.Samples, func(x, y checks.Sample) int {
		return cmp.Or(
			cmp.Compare(x.Cluster, y.Cluster), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Name, y.Name), x.At.Compare(y.At),
		)
	})
}
