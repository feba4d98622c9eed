package monitor

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"stickwatch/internal/sleep"
)

// turns shares a machine that is too small for all jobs. The number of jobs that run at one
// time falls while timers fire late, which shows that work waits for a processor; results of
// probes would be wrong, too. Jobs wait in the order in which they were due, each at most
// once, so that every job gets a turn before another gets its second. Requests that wait for
// a slow target do not delay timers: they cost no turns.
type turns struct {
	mu      sync.Mutex
	limit   int             // number of jobs that may run at one time
	running map[string]bool // groups of the jobs that run
	queue   []*turn         // waiting jobs, the longest first
	moved   time.Time       // when the last job ended
	taken   int             // turns in the current minute
	missed  int             // due runs in it that did not start because their job waited for a turn
}

// A turn is a job that waits.
type turn struct {
	job   *job
	begin chan struct{} // closed when it may run
}

const (
	lateTimers   = 200 * time.Millisecond // timers that fire later show that the machine is too small
	quickTimers  = 50 * time.Millisecond  // timers that fire earlier show that it has time left
	stretchEvery = time.Minute            // period over which the stretch is measured
	leastTurns   = 32                     // at one time; jobs mostly wait for their targets
)

func newTurns() *turns {
	return &turns{limit: math.MaxInt, running: make(map[string]bool)}
}

// take waits for the turn of a job. It returns false if ctx ends first.
func (t *turns) take(ctx context.Context, j *job) bool {
	own := &turn{j, make(chan struct{})}
	t.mu.Lock()
	t.queue, j.waiting = append(t.queue, own), true
	t.grant()
	t.mu.Unlock()
	select {
	case <-own.begin:
		return true
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	at := slices.Index(t.queue, own)
	if at < 0 {
		return true // granted at the same moment
	}
	t.queue, j.waiting = slices.Delete(t.queue, at, at+1), false
	return false
}

// end ends the turn of a job.
func (t *turns) end(j *job) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.running, j.group)
	t.moved = time.Now()
	t.grant()
}

// grant begins as many turns as the limit allows.
func (t *turns) grant() {
	for len(t.running) < t.limit {
		at := slices.IndexFunc(t.queue, func(one *turn) bool { return !t.running[one.job.group] })
		if at < 0 {
			return
		}
		next := t.queue[at]
		t.queue, next.job.waiting = slices.Delete(t.queue, at, at+1), false
		t.running[next.job.group] = true
		t.taken++
		close(next.begin)
	}
}

// lacking reports whether a job waits for a turn, and not for another job of its group.
func (t *turns) lacking(j *job) bool { return j.waiting && !t.running[j.group] }

// miss counts a run that was due while its job waits for a turn.
func (t *turns) miss(j *job) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lacking(j) {
		t.missed++
	}
}

// waits reports whether a job waits for a turn while others end theirs within limit.
func (t *turns) waits(j *job, limit time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lacking(j) && time.Since(t.moved) < limit
}

// adjust adapts the limit to how late timers fired during the last second.
func (t *turns) adjust(late time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case late > lateTimers:
		t.limit = max(leastTurns, min(t.limit, len(t.running))*3/4)
	case late > quickTimers:
	case slices.ContainsFunc(t.queue, func(one *turn) bool { return t.lacking(one.job) }):
		t.limit += t.limit / 4
		t.grant()
	}
}

// stretch returns by which factor the intervals were too long since its last call.
func (t *turns) stretch() float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	taken, missed := t.taken, t.missed
	t.taken, t.missed = 0, 0
	return float64(max(1, taken)+missed) / float64(max(1, taken))
}

// shareTurns adapts the number of turns every second until the schedule is closed.
func (s *Schedule) shareTurns() {
	for last := time.Now(); ; {
		late, ok := s.lateness(s.ctx)
		if !ok {
			return
		}
		s.turns.adjust(late)
		if time.Since(last) < stretchEvery {
			continue
		}
		last = time.Now()
		if stretch := s.turns.stretch(); s.observer.Stretch != nil {
			s.observer.Stretch(stretch)
		}
	}
}

// measureLateness returns how late the latest of several timers fired within a second; ok is
// false if ctx ended.
func measureLateness(ctx context.Context) (worst time.Duration, ok bool) {
	const samples = 10
	for range samples {
		due := time.Now().Add(time.Second / samples)
		if !sleep.Until(ctx, due) {
			return 0, false
		}
		worst = max(worst, time.Since(due))
	}
	return worst, true
}
