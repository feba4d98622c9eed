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

// A watch is stickwatch at work: what serve wires around a monitor.Watcher, but
// for the disk and the receivers.
type watch struct {
	watcher *monitor.Watcher
	every   config.Intervals
	random  *rand.Rand // of the moments at which jobs run; used while jobs are made

	mu          sync.Mutex
	incident    *alerting.Desk
	deployments []alerting.Deployment // announced
	met         []checks.Request      // of canaries that moved or lost their session
	notices     []alerting.Notice
	busy        time.Time // no job begins before
}

// newWatch returns a watch of the first cluster of a configuration.
func newWatch(cfg *config.Config, seed uint64) *watch {
	c := cfg.Clusters[0]
	w := &watch{every: cfg.ClusterIntervals[c.Name], random: rand.New(rand.NewPCG(seed, 2))}
	w.incident = alerting.NewDesk(alerting.Config{
		Rules:  alerting.Rules{For: cfg.Alerting.For, ResolveAfter: cfg.Alerting.ResolveAfter},
		Repeat: cfg.Alerting.Repeat, Receivers: []string{"ops"},
		Grace: map[string]time.Duration{c.Name: max(cfg.Alerting.DeploymentGrace, c.Balancer.FailTimeout, 2*w.every.Canary)},
	}, nil)
	w.watcher = monitor.NewWatcher(c, &monitor.Prober{Handshake: engineio.Handshake}, w, monitor.Pace{
		Canary: w.every.Canary, Status: w.every.Status, Damping: cfg.Damping,
	})
	return w
}

// Probed implements monitor.Observer.
func (w *watch) Probed(monitor.Probe) {}

// Requested implements monitor.Observer.
func (w *watch) Requested(q checks.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.incident.Met(q)
	if q.Outcome == checks.OutcomeMoved || q.Outcome == checks.OutcomeLost || q.Outcome == checks.OutcomeStale {
		w.met = append(w.met, q)
	}
}

// Judged implements monitor.Observer.
func (w *watch) Judged(j monitor.Judgement) {
	w.decide(func(at time.Time) alerting.Step {
		w.incident.Watched(at, j.Cluster.Name, func(since time.Time) []string { return alerting.TouchedIn(j.Cluster, j.Report, since) })
		return w.incident.Observe(at, j.Cluster.Name, j.Changes, j.Standing)
	})
}

// decide lets the incident manager decide, and keeps the notifications.
func (w *watch) decide(by func(time.Time) alerting.Step) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notices = append(w.notices, by(time.Now()).Notices...)
}

// tick lets time go by, and sums up the deployments that are due.
func (w *watch) tick() {
	w.decide(func(at time.Time) alerting.Step {
		s := w.incident.Tick(at)
		for _, due := range w.incident.Due(at) {
			s = s.Then(w.incident.SumUp(at, due.ID, w.counts(due.From)))
		}
		return s
	})
}

// counts are what canaries met since a moment. The caller holds mu.
func (w *watch) counts(since time.Time) (c alerting.Counts) {
	for _, q := range w.met {
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
func (w *watch) announce(name string, over bool) {
	w.decide(func(at time.Time) alerting.Step {
		if !over {
			w.deployments = append(w.deployments, alerting.Deployment{ID: name, Cluster: w.watcher.Cluster().Name, Name: name, From: at})
		}
		for i := range w.deployments {
			if over && w.deployments[i].ID == name {
				w.deployments[i].To = at
			}
		}
		w.incident.Announce(slices.DeleteFunc(slices.Clone(w.deployments), func(d alerting.Deployment) bool {
			const summed = 10 * time.Minute // after its end; it has been by then
			return !d.To.IsZero() && at.Sub(d.To) > summed
		}))
		return w.incident.Tick(at)
	})
}

// delay keeps jobs from beginning before a moment.
func (w *watch) delay(until time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.busy = until
}

// run watches until ctx ends.
func (w *watch) run(ctx context.Context) {
	var wg sync.WaitGroup
	w.begin(ctx, &wg, w.every.Status, func() { w.watcher.Refresh(ctx, monitor.Status) })
	w.begin(ctx, &wg, w.every.Canary, func() { w.watcher.Visit(ctx) })
	w.begin(ctx, &wg, time.Second, w.tick)
	wg.Wait()
}

// begin does a job in every interval, at a random moment of the first one and
// with the jitter that monitor.Schedule has. A run that is due while the one
// before goes on is skipped.
func (w *watch) begin(ctx context.Context, wg *sync.WaitGroup, every time.Duration, do func()) {
	random := rand.New(rand.NewPCG(w.random.Uint64(), w.random.Uint64()))
	due := time.Now().Add(upTo(random, every))
	wg.Go(func() {
		for {
			late := w.busyUntil(due)
			if !sleep(ctx, time.Until(late)+upTo(random, every/20)) {
				return
			}
			do()
			for due = due.Add(every); due.Before(time.Now()); {
				due = due.Add(every)
			}
		}
	})
}

// busyUntil is when what is due may begin.
func (w *watch) busyUntil(due time.Time) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy.After(due) {
		return w.busy
	}
	return due
}
