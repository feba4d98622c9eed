package monitor

import (
	"context"
	"log/slog"
	"time"

	"stickwatch/checks"
	"stickwatch/internal/sleep"
	"stickwatch/probes"
)

// Backdate moves the end of the last full round into the past.
func (w *Watcher) Backdate(by time.Duration) { w.fullRoundEnded = w.fullRoundEnded.Add(-by) }

// BackdateWholeRound moves the last round that was not cut short into the past.
func (w *Watcher) BackdateWholeRound(by time.Duration) { w.wholeRound = w.wholeRound.Add(-by) }

// SetBackoff sets the minimum time between full rounds that a sign of trouble starts.
func (w *Watcher) SetBackoff(d time.Duration) { w.backoff = d }

// Newest returns the newest round, judged or not.
func (w *Watcher) Newest() checks.Round { return w.last }

// Acquire blocks rounds and follow-ups until release is called.
func (w *Watcher) Acquire() (release func()) {
	w.sem <- struct{}{}
	return func() { <-w.sem }
}

// MaxMisses exports maxMisses.
func (w *Watcher) MaxMisses(node string, canaries int) int { return w.maxMisses(node, canaries) }

// Impair adds evidence that lasts until Recover is called.
func (s *SelfCheck) Impair(reason checks.Message) { s.addSign(time.Now().Add(time.Hour), reason) }

// Recover removes all evidence.
func (s *SelfCheck) Recover() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began, s.last = time.Time{}, time.Time{}
}

// NewScheduleOn returns a schedule on a model of a machine whose timers are as late as late
// returns, once a second.
func NewScheduleOn(late func() time.Duration, observer ScheduleObserver) (*Schedule, error) {
	return newSchedule(slog.New(slog.DiscardHandler), observer, func(ctx context.Context) (time.Duration, bool) {
		return late(), sleep.For(ctx, time.Second)
	})
}

// AskNodes exports askNodes.
func (p *Prober) AskNodes(ctx context.Context, c *probes.Cluster) []probes.NodeObservation {
	return p.askNodes(ctx, c, nil)
}

// AskUpNodes exports askUpNodes.
func (p *Prober) AskUpNodes(ctx context.Context, c *probes.Cluster, known []probes.NodeObservation) []probes.NodeObservation {
	return p.askUpNodes(ctx, c, known)
}

// IdleTimes exports idleTimes.
var IdleTimes = idleTimes
