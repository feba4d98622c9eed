package monitor

import (
	"time"

	"stickwatch/checks"
)

// Backdate lets the last whole round have ended so much earlier.
func (w *Watcher) Backdate(by time.Duration) { w.fullRoundEnded = w.fullRoundEnded.Add(-by) }

// SetBackoff sets how long ago the last whole round must be for a sign of trouble to
// take another.
func (w *Watcher) SetBackoff(missLimit time.Duration) { w.backoff = missLimit }

// Newest is the newest round, judged or not.
func (w *Watcher) Newest() checks.Round { return w.last }

// Acquire takes the turn, as a round that goes on does, until it is released.
func (w *Watcher) Acquire() (release func()) {
	w.sem <- struct{}{}
	return func() { <-w.sem }
}

// MaxMisses is how many visits in a row may meet a node not at all.
func (w *Watcher) MaxMisses(node string, canaries int) int { return w.maxMisses(node, canaries) }

// Impair has a SelfCheck find evidence until Recover is called.
func (s *SelfCheck) Impair(reason checks.Message) { s.note(time.Now().Add(time.Hour), reason) }

// Recover has it find none any more.
func (s *SelfCheck) Recover() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began, s.last = time.Time{}, time.Time{}
}
