package sim

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/monitor"
)

// A watch is stickwatch at work: what serve wires around a monitor.Watcher, but
// for the disk and the receivers.
type watch struct {
	watcher *monitor.Watcher
	every   config.Intervals
	random  *rand.Rand // of the moments at which jobs run; used while jobs are made

	mu       sync.Mutex
	incident *alerting.Desk
	notices  []alerting.Notice
	busy     time.Time // no job begins before
}

// newWatch returns a watch of the first cluster of a configuration.
func newWatch(cfg *config.Config, dial func(*config.Config), seed uint64) *watch {
	dial(cfg)
	c := cfg.Clusters[0]
	w := &watch{every: cfg.ClusterIntervals[c.Name], random: rand.New(rand.NewPCG(seed, 2))}
	w.incident = alerting.NewDesk(alerting.Config{
		Rules:  alerting.Rules{For: cfg.Alerting.For, ResolveAfter: cfg.Alerting.ResolveAfter},
		Repeat: cfg.Alerting.Repeat, Receivers: []string{"ops"},
	}, nil)
	w.watcher = monitor.NewWatcher(c, &monitor.Prober{}, w, monitor.Pace{
		Canary: w.every.Canary, Status: w.every.Status, Damping: cfg.Damping,
	})
	return w
}

// Probed implements monitor.Observer.
func (w *watch) Probed(monitor.Probe) {}

// Requested implements monitor.Observer.
func (w *watch) Requested(checks.Request) {}

// Judged implements monitor.Observer.
func (w *watch) Judged(j monitor.Judgement) {
	w.decide(func(at time.Time) alerting.Step {
		return w.incident.Observe(at, j.Cluster.Name, j.Changes, j.Standing)
	})
}

// decide lets the incident manager decide, and keeps the notifications.
func (w *watch) decide(by func(time.Time) alerting.Step) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notices = append(w.notices, by(time.Now()).Notices...)
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
	w.begin(ctx, &wg, time.Second, func() { w.decide(w.incident.Tick) })
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
