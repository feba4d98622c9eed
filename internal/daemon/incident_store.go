package daemon

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/history"
	"stickwatch/internal/metrics"
	"stickwatch/internal/panics"
)

// A incidentStore keeps incidents: what watchers see changes them in memory, at once,
// and what has changed goes to the disk in its own time, together with the
// notices that tell it. What the disk does not take is tried again with whatever
// came later, so that nothing is lost but by the end of the process.
type incidentStore struct {
	history   store
	metrics   *metrics.Live
	onWritten func(alerting.Step) // called with what has come to the disk
	logger    *slog.Logger

	mu                   sync.Mutex // guards what follows
	incidentManager      *alerting.Manager
	watched              map[string]bool        // clusters; at first those of which something stands
	own                  []checks.ActiveFinding // findings about the monitor itself
	unwritten            history.Step
	pendingNotifications map[string]*pendingNotification // by notice: what has become of those that are owed
	failingSince         time.Time                       // since when the disk has not taken what is owed; zero: it has
	writing              history.Step                    // what is being written
	writes               time.Time                       // since when; zero: nothing is
	dropped              int                             // notices that gave way to others and were never told

	turn             sync.Mutex // steps go to the disk in their order; taken before mu
	changed          chan struct{}
	writeErrorLogged time.Time // when it was last told that the disk takes nothing; zero: it does
}

// A store is the history as far as a registry needs it.
type store interface {
	Commit(context.Context, history.Step) error
	ThreadState(ctx context.Context, receiver string, incidents []string) (map[string]history.ThreadState, error)
}

func newIncidentStore(db store, live *metrics.Live, written func(alerting.Step), logger *slog.Logger, rules alerting.Config, left restoredState) *incidentStore {
	r := &incidentStore{
		history: db, metrics: live, onWritten: written, logger: logger,
		incidentManager: alerting.NewManager(rules, left.Incidents), watched: toSet(maps.Keys(left.ActiveFindings)), pendingNotifications: make(map[string]*pendingNotification),
		changed: make(chan struct{}, 1),
	}
	r.incidentManager.Silence(left.Silences)
	r.incidentManager.NotifyNow(left.Announced)
	live.Incidents(r.incidentManager.Open())
	return r
}

// observe takes in what stands in a cluster.
func (r *incidentStore) observe(cluster string, changes []checks.Change, activeFindings []checks.ActiveFinding) {
	r.apply(func(at time.Time) (s history.Step) {
		if !r.watched[cluster] {
			return s // a round that was under way when its cluster left
		}
		if len(changes) > 0 {
			s.ActiveFindings = map[string][]checks.ActiveFinding{cluster: activeFindings}
		}
		s.Step = r.incidentManager.Observe(at, cluster, changes, activeFindings)
		return s
	})
}

// report takes in a finding about the monitor itself, which holds until retract.
func (r *incidentStore) report(f checks.Finding) {
	r.apply(func(at time.Time) history.Step {
		s := checks.ActiveFinding{Finding: f, Since: at, Last: at}
		r.own = append(r.own, s)
		change := checks.Change{Kind: checks.Appeared, ActiveFinding: s, At: at, Reason: f.Summary.String()}
		return history.Step{Step: r.incidentManager.Observe(at, "", []checks.Change{change}, r.own)}
	})
}

// retract ends the findings of a code about the monitor itself, also those of a
// daemon before this one.
func (r *incidentStore) retract(code checks.Code) {
	r.apply(func(at time.Time) history.Step {
		r.own = slices.DeleteFunc(r.own, func(s checks.ActiveFinding) bool { return s.Code == code })
		return history.Step{Step: r.incidentManager.Observe(at, "", nil, r.own)}
	})
}

func (r *incidentStore) tick() {
	r.apply(func(at time.Time) history.Step { return history.Step{Step: r.incidentManager.Tick(at)} })
}

// setClusters ends the incidents of all clusters but these, and forgets what stood in
// those that were watched until now. What is observed of others is not heeded.
func (r *incidentStore) setClusters(clusters []string) {
	r.apply(func(at time.Time) history.Step {
		gone := make(map[string][]checks.ActiveFinding)
		for cluster := range r.watched {
			if !slices.Contains(clusters, cluster) {
				gone[cluster] = nil
			}
		}
		r.watched = toSet(slices.Values(clusters))
		return history.Step{Step: r.incidentManager.Watch(at, clusters), ActiveFindings: gone}
	})
}

func toSet(names iter.Seq[string]) map[string]bool {
	set := make(map[string]bool)
	for name := range names {
		set[name] = true
	}
	return set
}

// configure puts other rules in force.
func (r *incidentStore) configure(rules alerting.Config) {
	r.apply(func(at time.Time) history.Step {
		r.incidentManager.Configure(rules)
		return history.Step{Step: r.incidentManager.Tick(at)}
	})
}

// setSilences puts silences in force, in place of those before.
func (r *incidentStore) setSilences(silences []alerting.Silence) {
	r.apply(func(at time.Time) history.Step {
		r.incidentManager.Silence(silences)
		return history.Step{Step: r.incidentManager.Tick(at)}
	})
}

// open are the incidents that are not resolved.
func (r *incidentStore) open() []alerting.Incident {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.incidentManager.Open()
}

// apply has a decision written. What was owed before it is tried again with the
// clock: a disk that takes nothing is not asked with every round of a cluster.
func (r *incidentStore) apply(decide func(at time.Time) history.Step) {
	at, step := r.decide(decide)
	for _, i := range step.Incidents {
		r.recordTransitions(at, i)
	}
	if step.Empty() {
		return
	}
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

func (r *incidentStore) decide(decide func(at time.Time) history.Step) (time.Time, history.Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := time.Now()
	step := decide(at)
	if !step.Empty() {
		r.metrics.Incidents(r.incidentManager.Open())
		r.owe(step)
	}
	return at, step
}

// mostOwed bounds the notices that wait for the disk. Each has its incident with it,
// some ten kilobytes.
const mostOwed = 2000

// owe adds a step to what is owed. While the disk takes nothing, what goes on in an
// incident is superseded by what comes next, and the oldest notices give way to more
// than mostOwed: first those that have arrived.
func (r *incidentStore) owe(step history.Step) {
	for i, n := range step.Notifications {
		step.Notifications[i].News = append(r.supersede(n), n.News...)
		step.Notifications[i].News = step.Notifications[i].News[max(0, len(step.Notifications[i].News)-alerting.MaxNews):]
	}
	r.unwritten = r.unwritten.Then(step)
	for len(r.unwritten.Notifications) > mostOwed {
		at := max(0, slices.IndexFunc(r.unwritten.Notifications, func(n alerting.Notification) bool { return r.pendingNotifications[n.ID].over() }))
		n := r.unwritten.Notifications[at]
		if !r.pendingNotifications[n.ID].over() {
			r.dropped++
			r.metrics.Notified(n.Receiver, metrics.Dead)
		}
		delete(r.pendingNotifications, n.ID)
		r.unwritten.Notifications = slices.Delete(r.unwritten.Notifications, at, at+1)
	}
}

// supersede takes back what is owed to the receiver of a notice about the same
// incident and is neither its beginning nor under way, and returns what that told.
func (r *incidentStore) supersede(by alerting.Notification) (news []alerting.Event) {
	r.unwritten.Notifications = slices.DeleteFunc(r.unwritten.Notifications, func(n alerting.Notification) bool {
		goesOn := n.Kind == alerting.NotificationDeveloped || n.Kind == alerting.NotificationReminder
		if !goesOn || n.Receiver != by.Receiver || n.Incident.ID != by.Incident.ID || r.pendingNotifications[n.ID] != nil {
			return false
		}
		news = append(news, n.News...)
		return true
	})
	return news
}

// recordTransitions counts and logs what became of an incident at a moment. The lock is not held:
// whoever logs may have to wait.
func (r *incidentStore) recordTransitions(at time.Time, i alerting.Incident) {
	args := []any{"incident", i.ID, "cluster", strings.Join(i.Clusters, ","), "severity", string(i.Severity), "cause", i.Cause.Key(), "summary", alerting.English.Summary(i)}
	for _, e := range i.Timeline {
		switch {
		case !e.At.Equal(at):
		case e.Kind == alerting.EventFired:
			r.metrics.Incident(i.Cluster, i.Cause.Code)
			r.logger.Warn("incident fires", args...)
		case e.Kind == alerting.EventResolved:
			r.logger.Info("incident resolved", append(args, "lasted", i.Duration(at).Round(time.Second))...)
		case e.Kind == alerting.EventMerged && i.MergedInto != "":
			r.logger.Info("incident merged", append(args, "into", i.MergedInto)...)
		}
	}
}

// run writes what is owed, and lets time go by, until ctx ends.
func (r *incidentStore) run(ctx context.Context) {
	clock := time.NewTicker(time.Second)
	defer clock.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-clock.C:
			r.tick()
		case <-r.changed:
		}
		switch err := r.flush(ctx); {
		case err != nil && ctx.Err() == nil:
			r.logWriteError(err)
		case err == nil && !r.writeErrorLogged.IsZero():
			r.writeErrorLogged = time.Time{}
			r.logger.Info("incidents are written again")
		}
	}
}

// flush writes what is owed. What cannot be written stays owed.
func (r *incidentStore) flush(ctx context.Context) error {
	r.turn.Lock()
	defer r.turn.Unlock()
	step := r.begin()
	if step.Empty() {
		return nil
	}
	var err error
	if caught := panics.Catch(panics.Incidents, func() { err = r.history.Commit(ctx, step) }); caught != nil {
		err = caught
	}
	r.flushed(step, err)
	if err != nil {
		return fmt.Errorf("writing incidents: %w", err)
	}
	r.onWritten(step.Step)
	return nil
}

// begin takes what is owed, to be written.
func (r *incidentStore) begin() history.Step {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.unwritten.Empty() {
		return history.Step{}
	}
	r.writing, r.writes = r.withDeliveries(r.unwritten), time.Now()
	r.unwritten = history.Step{}
	return r.writing
}

// flushed notes whether a step has come to the disk.
func (r *incidentStore) flushed(step history.Step, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	began := r.writes
	r.writing, r.writes = history.Step{}, time.Time{}
	if err != nil {
		r.unwritten = step.Then(r.unwritten)
		if r.failingSince.IsZero() {
			r.failingSince = began
		}
		return
	}
	r.failingSince = time.Time{}
	late := history.Step{}.Then(history.Step{})
	for _, n := range step.Notifications {
		_, delivered := step.Delivered[n.ID]
		_, buried := step.Buried[n.ID]
		if o := r.pendingNotifications[n.ID]; o != nil && !delivered && !buried {
			conclude(late, n.ID, o) // while it was written
		}
		delete(r.pendingNotifications, n.ID)
	}
	r.unwritten = late.Then(r.unwritten)
}

// logWriteError tells that the disk takes nothing, now and then.
func (r *incidentStore) logWriteError(err error) {
	const again = time.Minute
	if time.Since(r.writeErrorLogged) > again {
		r.writeErrorLogged = time.Now()
		r.mu.Lock()
		dropped := r.dropped
		r.mu.Unlock()
		r.logger.Error("incidents are kept in memory and tried again", "err", err, "notices_dropped", dropped)
	}
}
