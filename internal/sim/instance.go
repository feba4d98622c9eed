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
func (in *instance) Probed(monitor.Probe) {}

// Requested implements monitor.Observer.
func (in *instance) Requested(q checks.Request) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.incidents.ObserveRequest(q)
	if q.Outcome == checks.OutcomeMoved || q.Outcome == checks.OutcomeLost || q.Outcome == checks.OutcomeStale {
		in.requests = append(in.requests, q)
	}
}

// Judged implements monitor.Observer.
func (in *instance) Judged(r monitor.RoundResult) {
	in.decide(func(at time.Time) alerting.Decision {
		in.incidents.ObserveNodes(at, r.Cluster.Name, func(since time.Time) []string { return alerting.TouchedIn(r.Cluster, r.Report, since) })
		return in.incidents.Observe(at, r.Cluster.Name, r.Changes, r.ActiveFindings)
	})
}

// decide runs a decision of the incident manager and keeps its notifications.
func (in *instance) decide(by func(time.Time) alerting.Decision) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.notifications = append(in.notifications, by(time.Now()).Notifications...)
}

// tick advances the incident manager and summarises the deployments that are due.
func (in *instance) tick() {
	in.decide(func(at time.Time) alerting.Decision {
		decision := in.incidents.Tick(at)
		for _, due := range in.incidents.DueSummaries(at) {
			decision = decision.Then(in.incidents.SumUp(at, due.ID, in.counts(due.From)))
		}
		return decision
	})
}

// counts returns the outcomes of canaries since a time. The caller holds mu.
func (in *instance) counts(since time.Time) (c alerting.Counts) {
	for _, q := range in.requests {
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
func (in *instance) announce(name string, over bool) {
	in.decide(func(at time.Time) alerting.Decision {
		if !over {
			in.deployments = append(in.deployments, alerting.Deployment{ID: name, Cluster: in.watcher.Cluster().Name, Name: name, From: at})
		}
		for i := range in.deployments {
			if over && in.deployments[i].ID == name {
				in.deployments[i].To = at
			}
		}
		in.incidents.SetDeployments(slices.DeleteFunc(slices.Clone(in.deployments), func(d alerting.Deployment) bool {
			const summed = 10 * time.Minute // summarised within this time after its end
			return !d.To.IsZero() && at.Sub(d.To) > summed
		}))
		return in.incidents.Tick(at)
	})
}

// delay prevents jobs from starting before a time.
func (in *instance) delay(until time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.busyUntil = until
}

// run watches until ctx ends.
func (in *instance) run(ctx context.Context) {
	var wg sync.WaitGroup
	in.schedule(ctx, &wg, in.every.Status, func() { in.watcher.Refresh(ctx, monitor.Status) })
	in.schedule(ctx, &wg, in.every.Canary, func() { in.watcher.FollowUp(ctx) })
	in.schedule(ctx, &wg, time.Second, in.tick)
	wg.Wait()
}

// schedule runs a job in every interval, at a random offset and with the jitter of
// monitor.Schedule. A run is skipped while the previous one is still active.
func (in *instance) schedule(ctx context.Context, wg *sync.WaitGroup, every time.Duration, do func()) {
	random := rand.New(rand.NewPCG(in.random.Uint64(), in.random.Uint64()))
	due := time.Now().Add(randomDuration(random, every))
	wg.Go(func() {
		for {
			late := in.earliestStart(due)
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
func (in *instance) earliestStart(due time.Time) time.Time {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.busyUntil.After(due) {
		return in.busyUntil
	}
	return due
}
