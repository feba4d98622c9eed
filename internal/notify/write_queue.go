package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"stickwatch/alerting"
	"stickwatch/internal/history"
	"stickwatch/internal/loglimit"
	"stickwatch/internal/panics"
)

// A WriteQueue keeps the write sets of the incident manager in memory until the history
// has them. It writes them in the order in which they were added, and retries what
// the disk refuses together with later write sets. Only the end of the process loses a
// write set. While the disk accepts nothing, the fallback outbox serves the notifications
// in the queue.
type WriteQueue struct {
	config  QueueConfig
	changed chan struct{} // a signal for Run

	flushing sync.Mutex       // keeps the write sets in their order; taken before mu
	errorLog loglimit.Limiter // of failed writes

	mu           sync.Mutex // guards what follows
	unwritten    history.WriteSet
	writing      history.WriteSet        // the write set that is being written
	writingSince time.Time               // zero: nothing is being written
	failingSince time.Time               // zero: the last write succeeded
	fullAt       time.Time               // when the database last had no space for a write; zero: the last write met something else
	claims       map[string]*memoryClaim // by ID: notifications that were claimed before they were written, until their outcome is
	dropped      int                     // notifications removed from a full queue before they were delivered
}

// QueueConfig configures a WriteQueue.
type QueueConfig struct {
	Store   Store
	Written func(alerting.Decision)              // called after each write
	Observe func(receiver string, result Result) // called with Dead for each dropped notification; must not block
	// Alone reports whether an instance of a fleet has to notify by itself, and its name. Nil: there
	// is no fleet, and notifications of a disk that accepts nothing are always delivered from memory.
	Alone  func() (monitor string, ok bool)
	Now    func() time.Time // the clock of the dispatchers, in a fleet that of the database; nil: time.Now
	Logger *slog.Logger
}

// A Store is the part of the history that a WriteQueue uses.
type Store interface {
	// Commit writes a write set completely or not at all.
	Commit(context.Context, history.WriteSet) error
	// ThreadState returns the state of incidents at a receiver, by incident.
	ThreadState(ctx context.Context, receiver string, incidents []string) (map[string]history.ThreadState, error)
}

// maxUnwritten bounds the number of notifications in the queue. Each contains its
// incident and takes about 10 kB.
const maxUnwritten = 2000

// NewWriteQueue returns an empty queue.
func NewWriteQueue(c QueueConfig) *WriteQueue {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &WriteQueue{config: c, changed: make(chan struct{}, 1), claims: make(map[string]*memoryClaim)}
}

// Add appends a write set. It does not wait for the disk.
func (q *WriteQueue) Add(set history.WriteSet) {
	if set.Empty() {
		return
	}
	q.add(set)
	select {
	case q.changed <- struct{}{}:
	default:
	}
}

// add merges a write set into the unwritten ones. A notification supersedes those of the
// same incident that are not needed any more. In a full queue the oldest
// notifications are dropped, delivered ones first.
func (q *WriteQueue) add(set history.WriteSet) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range set.Notifications {
		n := &set.Notifications[i]
		news := append(q.supersede(*n), n.News...)
		n.News = news[max(0, len(news)-alerting.MaxNews):]
	}
	q.unwritten = q.unwritten.Then(set)
	for len(q.unwritten.Notifications) > maxUnwritten {
		q.drop()
	}
}

// supersede removes unwritten notifications of the same incident and receiver that
// only report progress and are not being delivered. It returns their news.
func (q *WriteQueue) supersede(by alerting.Notification) (news []alerting.Event) {
	q.unwritten.Notifications = slices.DeleteFunc(q.unwritten.Notifications, func(n alerting.Notification) bool {
		progress := n.Kind == alerting.NotificationDeveloped || n.Kind == alerting.NotificationReminder
		if !progress || n.Receiver != by.Receiver || n.Incident.ID != by.Incident.ID || q.claims[n.ID] != nil {
			return false
		}
		news = append(news, n.News...)
		return true
	})
	return news
}

// drop removes the oldest delivered notification, or the oldest of all if none is
// delivered.
func (q *WriteQueue) drop() {
	at := max(0, slices.IndexFunc(q.unwritten.Notifications, func(n alerting.Notification) bool { return q.claims[n.ID].done() }))
	n := q.unwritten.Notifications[at]
	if !q.claims[n.ID].done() {
		q.dropped++
		q.config.Observe(n.Receiver, Dead)
	}
	delete(q.claims, n.ID)
	q.unwritten.Notifications = slices.Delete(q.unwritten.Notifications, at, at+1)
}

// Run writes new write sets at once, and retries failed ones every second, until ctx ends.
func (q *WriteQueue) Run(ctx context.Context) {
	clock := time.NewTicker(time.Second)
	defer clock.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-clock.C:
		case <-q.changed:
		}
		switch err := q.Flush(ctx); {
		case isFenced(err):
			q.config.Logger.Info("decisions about clusters that another instance watches are dropped", "reason", err)
		case err != nil && ctx.Err() == nil:
			q.logError(err)
		case err == nil && q.errorLog.Reset():
			q.config.Logger.Info("incidents are written again")
		}
	}
}

// Flush writes all write sets in the queue. After an error they stay in the queue.
func (q *WriteQueue) Flush(ctx context.Context) error {
	q.flushing.Lock()
	defer q.flushing.Unlock()
	set := q.begin()
	if set.Empty() {
		return nil
	}
	var err error
	if caught := panics.Catch(panics.Incidents, func() { err = q.config.Store.Commit(ctx, set) }); caught != nil {
		err = caught
	}
	q.finish(set, err)
	if err != nil {
		return fmt.Errorf("writing incidents: %w", err)
	}
	q.config.Written(set.Decision)
	return nil
}

// begin takes the write sets out of the queue to write them.
func (q *WriteQueue) begin() history.WriteSet {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.unwritten.Empty() {
		return history.WriteSet{}
	}
	q.writing, q.writingSince = q.withOutcomes(q.unwritten), q.config.Now()
	q.unwritten = history.WriteSet{}
	return q.writing
}

// finish records whether a write set was written. After an error it returns the write set to
// the queue. Outcomes of deliveries that ended during the write are added to the
// queue.
func (q *WriteQueue) finish(set history.WriteSet, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	began := q.writingSince
	q.writing, q.writingSince, q.fullAt = history.WriteSet{}, time.Time{}, time.Time{}
	if isFull(err) {
		q.fullAt = began
	}
	if err != nil {
		if fenced, ok := errors.AsType[*history.FencedError](err); ok { // their new owner decides and notifies
			q.forget(&set, fenced.Clusters)
		}
		q.unwritten = set.Then(q.unwritten)
		if isOthers(err) {
			q.failingSince = time.Time{} // the process that has the history notifies, not this one
		} else if q.failingSince.IsZero() {
			q.failingSince = began
		}
		return
	}
	q.failingSince = time.Time{}
	late := history.WriteSet{Delivered: make(map[string]alerting.DeliveryRef), DeadLetters: make(map[string]string)}
	for _, n := range set.Notifications {
		_, delivered := set.Delivered[n.ID]
		_, dead := set.DeadLetters[n.ID]
		switch claim := q.claims[n.ID]; {
		case claim == nil:
		case claim.done() || delivered || dead:
			if !delivered && !dead {
				claim.addOutcome(late, n.ID)
			}
			delete(q.claims, n.ID)
		default: // an attempt goes on, or it failed and has to wait: the disk does not know
			claim.written = true
			claim.attempts -= n.Attempts
		}
	}
	q.unwritten = late.Then(q.unwritten)
}

// isOthers reports whether a write failed because another process has the history or the clusters.
func isOthers(err error) bool {
	_, inUse := errors.AsType[*history.InUseError](err)
	return inUse || isFenced(err)
}

func isFenced(err error) bool {
	_, fenced := errors.AsType[*history.FencedError](err)
	return fenced
}

// forget removes what a write set has about clusters that another instance watches.
func (q *WriteQueue) forget(set *history.WriteSet, clusters []string) {
	kept := set.Without(clusters)
	for _, n := range set.Notifications {
		if !slices.ContainsFunc(kept.Notifications, func(k alerting.Notification) bool { return k.ID == n.ID }) {
			delete(q.claims, n.ID)
		}
	}
	*set = kept
}

// Forget removes what the queue has about clusters that another instance watches from now on. A
// write in progress is refused by the history.
func (q *WriteQueue) Forget(clusters []string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.forget(&q.unwritten, clusters)
}

// logError logs a failed write, at most once a minute.
func (q *WriteQueue) logError(err error) {
	if _, ok := q.errorLog.Allow(); ok {
		q.mu.Lock()
		dropped := q.dropped
		q.mu.Unlock()
		q.config.Logger.Error("cannot write incidents: they are kept in memory", "err", err, "notifications_dropped", dropped)
	}
}
