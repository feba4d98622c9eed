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

// A registry keeps incidents: what watchers see changes them in memory, at once,
// and what has changed goes to the disk in its own time, together with the
// notices that tell it. What the disk does not take is tried again with whatever
// came later, so that nothing is lost but by the end of the process.
type registry struct {
	history store
	metrics *metrics.Live
	written func(alerting.Step) // called with what has come to the disk
	logger  *slog.Logger

	mu      sync.Mutex // guards what follows
	desk    *alerting.Desk
	watched map[string]bool   // clusters; at first those of which something stands
	own     []checks.Standing // findings about the monitor itself
	owed    history.Step
	loans   map[string]*loan // by notice: what has become of those that are owed
	failing time.Time        // since when the disk has not taken what is owed; zero: it has
	writing history.Step     // what is being written
	writes  time.Time        // since when; zero: nothing is
	dropped int              // notices that gave way to others and were never told

	turn       sync.Mutex // steps go to the disk in their order; taken before mu
	news       chan struct{}
	complained time.Time // when it was last told that the disk takes nothing; zero: it does
}

// A store is the history as far as a registry needs it.
type store interface {
	Commit(context.Context, history.Step) error
	Correspondence(ctx context.Context, receiver string, incidents []string) (map[string]history.Correspondence, error)
}

func newRegistry(db store, live *metrics.Live, written func(alerting.Step), logger *slog.Logger, rules alerting.Config, left legacy) *registry {
	r := &registry{
		history: db, metrics: live, written: written, logger: logger,
		desk: alerting.NewDesk(rules, left.Incidents), watched: setOf(maps.Keys(left.Standing)), loans: make(map[string]*loan),
		news: make(chan struct{}, 1),
	}
	r.desk.Silence(left.Silences)
	r.desk.Announce(left.Announced)
	live.Incidents(r.desk.Open())
	return r
}

// observe takes in what stands in a cluster.
func (r *registry) observe(cluster string, changes []checks.Change, standing []checks.Standing) {
	r.do(func(at time.Time) (s history.Step) {
		if !r.watched[cluster] {
			return s // a round that was under way when its cluster left
		}
		if len(changes) > 0 {
			s.Standing = map[string][]checks.Standing{cluster: standing}
		}
		s.Step = r.desk.Observe(at, cluster, changes, standing)
		return s
	})
}

// report takes in a finding about the monitor itself, which holds until retract.
func (r *registry) report(f checks.Finding) {
	r.do(func(at time.Time) history.Step {
		s := checks.Standing{Finding: f, Since: at, Last: at}
		r.own = append(r.own, s)
		change := checks.Change{Kind: checks.Appeared, Standing: s, At: at, Reason: f.Summary.String()}
		return history.Step{Step: r.desk.Observe(at, "", []checks.Change{change}, r.own)}
	})
}

// retract ends the findings of a code about the monitor itself, also those of a
// daemon before this one.
func (r *registry) retract(code checks.Code) {
	r.do(func(at time.Time) history.Step {
		r.own = slices.DeleteFunc(r.own, func(s checks.Standing) bool { return s.Code == code })
		return history.Step{Step: r.desk.Observe(at, "", nil, r.own)}
	})
}

func (r *registry) tick() {
	r.do(func(at time.Time) history.Step { return history.Step{Step: r.desk.Tick(at)} })
}

// watch ends the incidents of all clusters but these, and forgets what stood in
// those that were watched until now. What is observed of others is not heeded.
func (r *registry) watch(clusters []string) {
	r.do(func(at time.Time) history.Step {
		gone := make(map[string][]checks.Standing)
		for cluster := range r.watched {
			if !slices.Contains(clusters, cluster) {
				gone[cluster] = nil
			}
		}
		r.watched = setOf(slices.Values(clusters))
		return history.Step{Step: r.desk.Watch(at, clusters), Standing: gone}
	})
}

func setOf(names iter.Seq[string]) map[string]bool {
	set := make(map[string]bool)
	for name := range names {
		set[name] = true
	}
	return set
}

// configure puts other rules in force.
func (r *registry) configure(rules alerting.Config) {
	r.do(func(at time.Time) history.Step {
		r.desk.Configure(rules)
		return history.Step{Step: r.desk.Tick(at)}
	})
}

// silence puts silences in force, in place of those before.
func (r *registry) silence(silences []alerting.Silence) {
	r.do(func(at time.Time) history.Step {
		r.desk.Silence(silences)
		return history.Step{Step: r.desk.Tick(at)}
	})
}

// open are the incidents that are not resolved.
func (r *registry) open() []alerting.Incident {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.desk.Open()
}

// do has a decision written. What was owed before it is tried again with the
// clock: a disk that takes nothing is not asked with every round of a cluster.
func (r *registry) do(decide func(at time.Time) history.Step) {
	at, step := r.decide(decide)
	for _, i := range step.Incidents {
		r.tell(at, i)
	}
	if step.Empty() {
		return
	}
	select {
	case r.news <- struct{}{}:
	default:
	}
}

func (r *registry) decide(decide func(at time.Time) history.Step) (time.Time, history.Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := time.Now()
	step := decide(at)
	if !step.Empty() {
		r.metrics.Incidents(r.desk.Open())
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
func (r *registry) owe(step history.Step) {
	for i, n := range step.Notices {
		step.Notices[i].News = append(r.supersede(n), n.News...)
		step.Notices[i].News = step.Notices[i].News[max(0, len(step.Notices[i].News)-alerting.MaxNews):]
	}
	r.owed = r.owed.Then(step)
	for len(r.owed.Notices) > mostOwed {
		at := max(0, slices.IndexFunc(r.owed.Notices, func(n alerting.Notice) bool { return r.loans[n.ID].over() }))
		n := r.owed.Notices[at]
		if !r.loans[n.ID].over() {
			r.dropped++
			r.metrics.Notified(n.Receiver, metrics.Buried)
		}
		delete(r.loans, n.ID)
		r.owed.Notices = slices.Delete(r.owed.Notices, at, at+1)
	}
}

// supersede takes back what is owed to the receiver of a notice about the same
// incident and is neither its beginning nor under way, and returns what that told.
func (r *registry) supersede(by alerting.Notice) (news []alerting.Event) {
	r.owed.Notices = slices.DeleteFunc(r.owed.Notices, func(n alerting.Notice) bool {
		goesOn := n.Kind == alerting.NoticeDeveloped || n.Kind == alerting.NoticeReminder
		if !goesOn || n.Receiver != by.Receiver || n.Incident.ID != by.Incident.ID || r.loans[n.ID] != nil {
			return false
		}
		news = append(news, n.News...)
		return true
	})
	return news
}

// tell counts and logs what became of an incident at a moment. The lock is not held:
// whoever logs may have to wait.
func (r *registry) tell(at time.Time, i alerting.Incident) {
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
func (r *registry) run(ctx context.Context) {
	clock := time.NewTicker(time.Second)
	defer clock.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-clock.C:
			r.tick()
		case <-r.news:
		}
		switch err := r.settle(ctx); {
		case err != nil && ctx.Err() == nil:
			r.complain(err)
		case err == nil && !r.complained.IsZero():
			r.complained = time.Time{}
			r.logger.Info("incidents are written again")
		}
	}
}

// settle writes what is owed. What cannot be written stays owed.
func (r *registry) settle(ctx context.Context) error {
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
	r.settled(step, err)
	if err != nil {
		return fmt.Errorf("writing incidents: %w", err)
	}
	r.written(step.Step)
	return nil
}

// begin takes what is owed, to be written.
func (r *registry) begin() history.Step {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.owed.Empty() {
		return history.Step{}
	}
	r.writing, r.writes = r.withLoans(r.owed), time.Now()
	r.owed = history.Step{}
	return r.writing
}

// settled notes whether a step has come to the disk.
func (r *registry) settled(step history.Step, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	began := r.writes
	r.writing, r.writes = history.Step{}, time.Time{}
	if err != nil {
		r.owed = step.Then(r.owed)
		if r.failing.IsZero() {
			r.failing = began
		}
		return
	}
	r.failing = time.Time{}
	late := history.Step{}.Then(history.Step{})
	for _, n := range step.Notices {
		_, delivered := step.Delivered[n.ID]
		_, buried := step.Buried[n.ID]
		if o := r.loans[n.ID]; o != nil && !delivered && !buried {
			conclude(late, n.ID, o) // while it was written
		}
		delete(r.loans, n.ID)
	}
	r.owed = late.Then(r.owed)
}

// complain tells that the disk takes nothing, now and then.
func (r *registry) complain(err error) {
	const again = time.Minute
	if time.Since(r.complained) > again {
		r.complained = time.Now()
		r.mu.Lock()
		dropped := r.dropped
		r.mu.Unlock()
		r.logger.Error("incidents are kept in memory and tried again", "err", err, "notices_dropped", dropped)
	}
}
