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
	"stickwatch/probes/engineio"
)

// A instance is stickwatch at work: what serve wires around a monitor.Watcher, but
// for the disk and the receivers.
type instance struct {
	watcher *monitor.Watcher
	every   config.Intervals
	random  *rand.Rand // of the moments at which jobs run; used while jobs are made

	mu            sync.Mutex
	incidents     *alerting.Manager
	deployments   []alerting.Deployment // announced
	requests      []checks.Request      // of canaries that moved or lost their session
	notifications []alerting.Notification
	busyUntil     time.Time // no job begins before
}

// newInstance returns a watch of the first cluster of a configuration.
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

// decide lets the incident manager decide, and keeps the notifications.
func (w *instance) decide(by func(time.Time) alerting.Step) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notifications = append(w.notifications, by(time.Now()).Notifications...)
}

// tick lets time go by, and sums up the deployments that are due.
func (w *instance) tick() {
	w.decide(func(at time.Time) alerting.Step {
		s := w.incidents.Tick(at)
		for _, due := range w.incidents.DueSummaries(at) {
			s = s.Then(w.incidents.SumUp(at, due.ID, w.counts(due.From)))
		}
		return s
	})
}

// counts are what canaries met since a moment. The caller holds mu.
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

// announce begins a deployment of that name, or ends it.
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
			const summed = 10 * time.Minute // after its end; it has been by then
			return !d.To.IsZero() && at.Sub(d.To) > summed
		}))
		return w.incidents.Tick(at)
	})
}

// delay keeps jobs from beginning before a moment.
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

// schedule does a job in every interval, at a random moment of the first one and
// with the jitter that monitor.Schedule has. A run that is due while the one
// before goes on is skipped.
func (w *instance) schedule(ctx context.Context, wg *sync.WaitGroup, every time.Duration, do func()) {
	random := rand.New(rand.NewPCG(w.random.Uint64(), w.random.Uint64()))
	due := time.Now().Add(randomDuration(random, every))
	wg.Go(func() {
		for {
			late := w.earliestStart(due)
			if !sleep(ctx, time.Until(late)+randomDuration(random, every/20)) {
				return
			}
			do()
			for due = due.Add(every); due.Before(time.Now()); {
				due = due.Add(every)
			}
		}
	})
}

// earliestStart is when what is due may begin.
func (w *instance) earliestStart(due time.Time) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busyUntil.After(due) {
		return w.busyUntil
	}
	return due
}
