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
	history *history.DB
	metrics *metrics.Live
	written func(alerting.Step) // called with what has come to the disk
	logger  *slog.Logger

	mu      sync.Mutex // guards what follows
	desk    *alerting.Desk
	watched map[string]bool // clusters; at first those of which something stands
	own     []checks.Standing // findings about the monitor itself
	owed    history.Step
	loans   map[string]*loan // by notice: what has become of those that are owed
	failing time.Time        // since when the disk has not taken what is owed; zero: it has

	writing    sync.Mutex // steps go to the disk in their order; taken before mu
	news       chan struct{}
	complained time.Time // when it was last told that the disk takes nothing; zero: it does
}

func newRegistry(db *history.DB, live *metrics.Live, written func(alerting.Step), logger *slog.Logger, rules alerting.Config, left legacy) *registry {
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
	r.mu.Lock()
	defer r.mu.Unlock()
	at := time.Now()
	step := decide(at)
	if step.Empty() {
		return
	}
	for _, i := range step.Incidents {
		r.tell(at, i)
	}
	r.metrics.Incidents(r.desk.Open())
	r.owed = r.owed.Then(step)
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// tell counts and logs what became of an incident at a moment.
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
		if err := r.settle(ctx); err != nil && ctx.Err() == nil {
			r.complain(err)
		} else {
			r.complained = time.Time{}
		}
	}
}

// settle writes what is owed. What cannot be written stays owed.
func (r *registry) settle(ctx context.Context) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	r.mu.Lock()
	step := r.withLoans(r.owed)
	r.owed = history.Step{}
	r.mu.Unlock()
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

// settled notes whether a step has come to the disk.
func (r *registry) settled(step history.Step, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.owed = step.Then(r.owed)
		if r.failing.IsZero() {
			r.failing = time.Now()
		}
		return
	}
	r.failing = time.Time{}
	for _, n := range step.Notices {
		delete(r.loans, n.ID)
	}
}

// complain tells that the disk takes nothing, now and then.
func (r *registry) complain(err error) {
	const again = time.Minute
	if time.Since(r.complained) > again {
		r.complained = time.Now()
		r.logger.Error("incidents are kept in memory and tried again", "err", err)
	}
}
