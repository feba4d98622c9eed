package monitor

import (
	"time"

	"stickwatch/checks"
)

// Backdate lets the last whole round have ended so much earlier.
func (w *Watcher) Backdate(by time.Duration) { w.whole = w.whole.Add(-by) }

// Wait sets how long ago the last whole round must be for a sign of trouble to
// take another.
func (w *Watcher) Wait(patience time.Duration) { w.patience = patience }

// Newest is the newest round, judged or not.
func (w *Watcher) Newest() checks.Round { return w.last }

// Hold takes the turn, as a round that goes on does, until it is released.
func (w *Watcher) Hold() (release func()) {
	w.turn <- struct{}{}
	return func() { <-w.turn }
}

// Misses is how many visits in a row may meet a node not at all.
func (w *Watcher) Misses(node string, canaries int) int { return w.misses(node, canaries) }

// Impair has a SelfCheck find evidence until Recover is called.
func (s *SelfCheck) Impair(reason checks.Message) { s.note(time.Now().Add(time.Hour), reason) }

// Recover has it find none any more.
func (s *SelfCheck) Recover() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began, s.last = time.Time{}, time.Time{}
}
