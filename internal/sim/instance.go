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
		Grace: map[string]time.Duration{c.Name: cfg.GraceAfterDeployment(c)},
	}, nil)
	w.watcher = monitor.NewWatcher(c, &monitor.Prober{Handshake: engineio.Handshake}, w, monitor.Intervals{
		Canary: w.every.Canary, Status: w.every.Status, Damping: cfg.Damping,
	})
	return w
}

// Probed implements monitor.Observer.
func (instance *instance) Probed(monitor.Probe) {}

// Requested implements monitor.Observer.
func (instance *instance) Requested(q checks.Request) {
	instance.mu.Lock()
	defer instance.mu.Unlock()
	instance.incidents.ObserveRequest(q)
	if q.Outcome == checks.OutcomeMoved || q.Outcome == checks.OutcomeLost || q.Outcome == checks.OutcomeStale {
		instance.requests = append(instance.requests, q)
	}
}

// Judged implements monitor.Observer.
func (instance *instance) Judged(j monitor.RoundResult) {
	instance.decide(func(at time.Time) alerting.Step {
		instance.incidents.ObserveNodes(at, j.Cluster.Name, func(since time.Time) []string { return alerting.TouchedIn(j.Cluster, j.Report, since) })
		return instance.incidents.Observe(at, j.Cluster.Name, j.Changes, j.ActiveFindings)
	})
}

// decide runs a decision of the incident manager and keeps its notifications.
func (instance *instance) decide(by func(time.Time) alerting.Step) {
	instance.mu.Lock()
	defer instance.mu.Unlock()
	instance.notifications = append(instance.notifications, by(time.Now()).Notifications...)
}

// tick advances the incident manager and summarises the deployments that are due.
func (instance *instance) tick() {
	instance.decide(func(at time.Time) alerting.Step {
		s := instance.incidents.Tick(at)
		for _, due := range instance.incidents.DueSummaries(at) {
			s = s.Then(instance.incidents.SumUp(at, due.ID, instance.counts(due.From)))
		}
		return s
	})
}

// counts returns the outcomes of canaries since a time. The caller holds mu.
func (instance *instance) counts(since time.Time) (c alerting.Counts) {
	for _, q := range instance.requests {
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
func (instance *instance) announce(name string, over bool) {
	instance.decide(func(at time.Time) alerting.Step {
		if !over {
			instance.deployments = append(instance.deployments, alerting.Deployment{ID: name, Cluster: instance.watcher.Cluster().Name, Name: name, From: at})
		}
		for i := range instance.deployments {
			if over && instance.deployments[i].ID == name {
				instance.deployments[i].To = at
			}
		}
		instance.incidents.SetDeployments(slices.DeleteFunc(slices.Clone(instance.deployments), func(d alerting.Deployment) bool {
			const summed = 10 * time.Minute // summarised within this time after its end
			return !d.To.IsZero() && at.Sub(d.To) > summed
		}))
		return instance.incidents.Tick(at)
	})
}

// delay prevents jobs from starting before a time.
func (instance *instance) delay(until time.Time) {
	instance.mu.Lock()
	defer instance.mu.Unlock()
	instance.busyUntil = until
}

// run watches until ctx ends.
func (instance *instance) run(ctx context.Context) {
	var wg sync.WaitGroup
	instance.schedule(ctx, &wg, instance.every.Status, func() { instance.watcher.Refresh(ctx, monitor.Status) })
	instance.schedule(ctx, &wg, instance.every.Canary, func() { instance.watcher.FollowUp(ctx) })
	instance.schedule(ctx, &wg, time.Second, instance.tick)
	wg.Wait()
}

// schedule runs a job in every interval, at a random offset and with the jitter of
// monitor.Schedule. A run is skipped while the previous one is still active.
func (instance *instance) schedule(ctx context.Context, wg *sync.WaitGroup, every time.Duration, do func()) {
	random := rand.New(rand.NewPCG(instance.random.Uint64(), instance.random.Uint64()))
	due := time.Now().Add(randomDuration(random, every))
	wg.Go(func() {
		for {
			late := instance.earliestStart(due)
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
func (instance *instance) earliestStart(due time.Time) time.Time {
	instance.mu.Lock()
	defer instance.mu.Unlock()
	if instance.busyUntil.After(due) {
		return instance.busyUntil
	}
	return due
}
