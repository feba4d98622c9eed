package sim

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/monitor"
	"stickwatch/internal/sleep"
	"stickwatch/probes/engineio"
)

// An instance is stickwatch without disk and receivers: the parts that serve wires
// around a monitor.Watcher.
type instance struct {
	watcher *monitor.Watcher
	every   config.Intervals
	random  *rand.Rand // jitter of jobs; used only while jobs are created

	mu            sync.Mutex
	incidents     *alerting.Manager
	deployments   []alerting.Deployment // announced deployments
	requests      []checks.Request      // requests of canaries that moved or lost their session
	notifications []alerting.Notification
	busyUntil     time.Time // no job starts before
}

// newInstance returns an instance that watches the first cluster of a configuration.
func newInstance(cfg *config.Config, seed uint64) *instance {
	c := cfg.Clusters[0]
	w := &instance{every: cfg.ClusterIntervals[c.Name], random: rand.New(rand.NewPCG(seed, 2))}
	w.incidents = alerting.NewManager(alerting.Config{
		Rules:  alerting.Rules{For: cfg.Alerting.For, ResolveAfter: cfg.Alerting.ResolveAfter},
		Repeat: cfg.Alerting.Repeat, Receivers: []string{"ops"},
		Grace: map[string]time.Duration{c.Name: max(cfg.Alerting.DeploymentGrace, c.Balancer.FailTimeout, 2*w.every.Canary)},
	}, nil)
	w.watcher = monitor.NewWatcher(c, &monitor.Prober{Handshake: engineio.Handshake}, w, monitor.Intervals{
		Canary: w.every.Canary, Status: w.every.Status, Damping: cfg.Damping,
	})
	return w
}

// Probed implements monitor.Observer.
func (w *instance) Probed(monitor.Probe) {}

// Requested implements monitor.Observer.
func (w *instance) Requested(q checks.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.incidents.ObserveRequest(q)
	if q.Outcome == checks.OutcomeMoved || q.Outcome == checks.OutcomeLost || q.Outcome == checks.OutcomeStale {
		w.requests = append(w.requests, q)
	}
}

// Judged implements monitor.Observer.
func (w *instance) Judged(j monitor.RoundResult) {
	w.decide(func(at time.Time) alerting.Step {
		w.incidents.ObserveNodes(at, j.Cluster.Name, func(since time.Time) []string { return alerting.TouchedIn(j.Cluster, j.Report, since) })
		return w.incidents.Observe(at, j.Cluster.Name, j.Changes, j.ActiveFindings)
	})
}

// decide runs a decision of the incident manager and keeps its notifications.
func (w *instance) decide(by func(time.Time) alerting.Step) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notifications = append(w.notifications, by(time.Now()).Notifications...)
}

// tick advances the incident manager and summarises the deployments that are due.
func (w *instance) tick() {
	w.decide(func(at time.Time) alerting.Step {
		s := w.incidents.Tick(at)
		for _, due := range w.incidents.DueSummaries(at) {
			s = s.Then(w.incidents.SumUp(at, due.ID, w.counts(due.From)))
		}
		return s
	})
}

// counts returns the outcomes of canaries since a time. The caller holds mu.
func (w *instance) counts(since time.Time) (c alerting.Counts) {
	for _, q := range w.requests {
		switch {
		case q.At.Before(since):
		case q.Outcome == checks.OutcomeMoved:
			c.Moved++
		default:
			c.Lost++
		}
	}
	return c
}

// announce starts or ends the deployment of that name.
func (w *instance) announce(name string, over bool) {
	w.decide(func(at time.Time) alerting.Step {
		if !over {
			w.deployments = append(w.deployments, alerting.Deployment{ID: name, Cluster: w.watcher.Cluster().Name, Name: name, From: at})
		}
		for i := range w.deployments {
			if over && w.deployments[i].ID == name {
				w.deployments[i].To = at
			}
		}
		w.incidents.SetDeployments(slices.DeleteFunc(slices.Clone(w.deployments), func(d alerting.Deployment) bool {
			const summed = 10 * time.Minute // summarised within this time after its end
			return !d.To.IsZero() && at.Sub(d.To) > summed
		}))
		return w.incidents.Tick(at)
	})
}

// delay prevents jobs from starting before a time.
func (w *instance) delay(until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busyUntil = until
}

// run watches until ctx ends.
func (w *instance) run(ctx context.Context) {
	var wg sync.WaitGroup
	w.schedule(ctx, &wg, w.every.Status, func() { w.watcher.Refresh(ctx, monitor.Status) })
	w.schedule(ctx, &wg, w.every.Canary, func() { w.watcher.FollowUp(ctx) })
	w.schedule(ctx, &wg, time.Second, w.tick)
	wg.Wait()
}

// schedule runs a job in every interval, at a random offset and with the jitter of
// monitor.Schedule. A run is skipped while the previous one is still active.
func (w *instance) schedule(ctx context.Context, wg *sync.WaitGroup, every time.Duration, do func()) {
	random := rand.New(rand.NewPCG(w.random.Uint64(), w.random.Uint64()))
	due := time.Now().Add(randomDuration(random, every))
	wg.Go(func() {
		for {
			late := w.earliestStart(due)
			if !sleep.For(ctx, time.Until(late)+randomDuration(random, every/20)) {
				return
			}
			do()
			for due = due.Add(every); due.Before(time.Now()); {
				due = due.Add(every)
			}
		}
	})
}

// earliestStart returns when a job that is due may start.
func (w *instance) earliestStart(due time.Time) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busyUntil.After(due) {
		return w.busyUntil
	}
	return due
}
