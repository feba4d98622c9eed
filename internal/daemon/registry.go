package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/history"
	"stickwatch/internal/metrics"
)

// A registry keeps incidents: what watchers see changes them in memory, at once,
// and what has changed goes to the disk in its own time, together with the
// notices that tell it. What the disk does not take is tried again with whatever
// came later, so that nothing is lost but by the end of the process.
type registry struct {
	history *history.DB
	metrics *metrics.Live
	written func(alerting.Step) // called with what has come to the disk
	logger  *slog.Logger

	mu   sync.Mutex // guards what follows
	desk *alerting.Desk
	owed history.Step

	writing sync.Mutex // steps go to the disk in their order
	news    chan struct{}
	failing time.Time // since when the disk takes nothing; zero: it does
}

func newRegistry(db *history.DB, live *metrics.Live, written func(alerting.Step), logger *slog.Logger, rules alerting.Config, past past) *registry {
	r := &registry{
		history: db, metrics: live, written: written, logger: logger,
		desk: alerting.NewDesk(rules, past.Incidents), news: make(chan struct{}, 1),
	}
	r.desk.Silence(past.Silences)
	live.Incidents(r.desk.Open())
	return r
}

// observe takes in what stands in a cluster.
func (r *registry) observe(cluster string, changes []checks.Change, standing []checks.Standing) {
	r.do(func(at time.Time) alerting.Step {
		if len(changes) > 0 {
			r.owe(history.Step{Standing: map[string][]checks.Standing{cluster: standing}})
		}
		return r.desk.Observe(at, cluster, changes, standing)
	})
}

func (r *registry) tick() { r.do(r.desk.Tick) }

// watch ends the incidents of all clusters but these.
func (r *registry) watch(clusters []string) {
	r.do(func(at time.Time) alerting.Step { return r.desk.Watch(at, clusters) })
}

// configure puts other rules in force.
func (r *registry) configure(rules alerting.Config) {
	r.do(func(at time.Time) alerting.Step {
		r.desk.Configure(rules)
		return r.desk.Tick(at)
	})
}

// silence puts silences in force, in place of those before.
func (r *registry) silence(silences []alerting.Silence) {
	r.do(func(at time.Time) alerting.Step {
		r.desk.Silence(silences)
		return r.desk.Tick(at)
	})
}

// open are the incidents that are not resolved.
func (r *registry) open() []alerting.Incident {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.desk.Open()
}

// do lets the desk decide something, and has it written.
func (r *registry) do(decide func(at time.Time) alerting.Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := time.Now()
	step := decide(at)
	for _, i := range step.Incidents {
		r.tell(at, i)
	}
	if !step.Empty() {
		r.metrics.Incidents(r.desk.Open())
	}
	r.owe(history.Step{Incidents: step.Incidents, Notices: step.Notices})
	if !isEmpty(r.owed) {
		select {
		case r.news <- struct{}{}:
		default:
		}
	}
}

// tell counts and logs what became of an incident at a moment.
func (r *registry) tell(at time.Time, i alerting.Incident) {
	args := []any{"incident", i.ID, "cluster", i.Cluster, "severity", string(i.Severity), "cause", i.Cause.Key(), "summary", i.Cause.Summary}
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

// owe adds to what must be written.
func (r *registry) owe(later history.Step) { r.owed = then(r.owed, later) }

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
		if err := r.settle(ctx); err != nil && ctx.Err() == nil {
			r.complain(err)
		} else {
			r.failing = time.Time{}
		}
	}
}

// settle writes what is owed. What cannot be written stays owed.
func (r *registry) settle(ctx context.Context) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	r.mu.Lock()
	step := r.owed
	r.owed = history.Step{}
	r.mu.Unlock()
	if isEmpty(step) {
		return nil
	}
	if err := r.history.Commit(ctx, step); err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.owed = then(step, r.owed)
		return fmt.Errorf("writing incidents: %w", err)
	}
	r.written(alerting.Step{Incidents: step.Incidents, Notices: step.Notices})
	return nil
}

// complain tells that the disk takes nothing, now and then.
func (r *registry) complain(err error) {
	const again = time.Minute
	if time.Since(r.failing) > again {
		r.failing = time.Now()
		r.logger.Error("incidents are kept in memory and tried again", "err", err)
	}
}

// then is a step and a later one in one.
func then(first, later history.Step) history.Step {
	both := alerting.Step{Incidents: first.Incidents, Notices: first.Notices}.
		Then(alerting.Step{Incidents: later.Incidents, Notices: later.Notices})
	standing := make(map[string][]checks.Standing)
	for _, step := range []history.Step{first, later} {
		for cluster, list := range step.Standing {
			standing[cluster] = list
		}
	}
	return history.Step{Incidents: both.Incidents, Notices: both.Notices, Standing: standing}
}

func isEmpty(s history.Step) bool { return len(s.Incidents)+len(s.Notices)+len(s.Standing) == 0 }
