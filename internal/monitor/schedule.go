package monitor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/jonboulle/clockwork"

	"stickwatch/internal/panics"
	"stickwatch/internal/sleep"
)

// A Job is a periodic task.
type Job struct {
	Key   string // identity; also determines the phase within the interval
	Group string // jobs of a group run one at a time; "": the job has no group
	Every time.Duration
	Run   func(context.Context)
}

// A Schedule runs periodic jobs. Each job has a phase within its interval that depends on its
// key, so that jobs are spread evenly from the first run. A job never runs twice at the same
// time: a run that is due while the previous one continues is skipped and reported. If the
// machine is too small for all jobs, they take turns: all run less often, and none never.
type Schedule struct {
	ctx       context.Context
	cancel    context.CancelFunc
	scheduler gocron.Scheduler
	clock     schedulerClock
	logger    *slog.Logger
	observer  ScheduleObserver
	turns     *turns
	lateness  func(context.Context) (time.Duration, bool) // measureLateness, or a model of a small machine

	mu      sync.Mutex
	closed  bool
	jobs    map[string]*job
	running sync.WaitGroup
}

// A ScheduleObserver receives statistics of a schedule. Functions may be nil.
type ScheduleObserver struct {
	Lag     func(time.Duration) // delay of the start of a run
	Skipped func(key string)    // a due run did not start
	Stretch func(float64)       // once a minute: by which factor the intervals were too long for lack of turns; 1: the schedule was kept
}

// A job is the state of a scheduled Job.
type job struct {
	job      gocron.Job
	key      string
	group    string
	every    time.Duration
	firstRun time.Time // scheduled time of the first run
	run      atomic.Pointer[func(context.Context)]
	waiting  bool        // for its turn; guarded by the mutex of turns
	running  atomic.Bool // it runs, or waits for its turn
	ended    time.Time   // when its last run was complete, or was expected before the first; guarded by the schedule's mu
}

// NewSchedule returns a running schedule without jobs.
func NewSchedule(logger *slog.Logger, observer ScheduleObserver) (*Schedule, error) {
	return newSchedule(logger, observer, measureLateness)
}

func newSchedule(logger *slog.Logger, observer ScheduleObserver, lateness func(context.Context) (time.Duration, bool)) (*Schedule, error) {
	clock := newSchedulerClock()
	scheduler, err := gocron.NewScheduler(gocron.WithLogger(warningsOnly{logger}), gocron.WithClock(clock))
	if err != nil {
		return nil, fmt.Errorf("starting the schedule: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Schedule{ctx: ctx, cancel: cancel, scheduler: scheduler, clock: clock, logger: logger, observer: observer, jobs: make(map[string]*job), turns: newTurns(), lateness: lateness}
	scheduler.Start()
	s.running.Add(1)
	panics.Go(panics.Job, func() {
		defer s.running.Done()
		panics.Keep(ctx, panics.Job, s.shareTurns)
	})
	return s, nil
}

// A schedulerClock is the wall clock of the start of the schedule, which nobody sets. The scheduler compares
// times without their monotonic part: with the wall clock no job would run until that has caught up.
type schedulerClock struct {
	clockwork.Clock
	began time.Time
}

func newSchedulerClock() schedulerClock { return schedulerClock{clockwork.NewRealClock(), time.Now()} }

// Now implements clockwork.Clock.
func (c schedulerClock) Now() time.Time { return c.began.Add(time.Since(c.began)) }

// Set replaces the jobs. A job that exists with the same key and interval keeps its phase and
// uses the new function from its next run.
func (s *Schedule) Set(jobs []Job) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted := make(map[string]bool)
	for _, j := range jobs {
		wanted[j.Key] = true
		if old := s.jobs[j.Key]; old != nil && old.every == j.Every {
			old.run.Store(&j.Run)
			continue
		}
		s.remove(j.Key)
		if err := s.add(j); err != nil {
			return err
		}
	}
	for key := range s.jobs {
		if !wanted[key] {
			s.remove(key)
		}
	}
	return nil
}

func (s *Schedule) add(j Job) error {
	entry := &job{key: j.Key, group: cmp.Or(j.Group, j.Key), every: j.Every, firstRun: s.clock.Now().Add(phase(j.Key, j.Every))}
	entry.ended = entry.firstRun.Add(-j.Every)
	entry.run.Store(&j.Run)
	var err error
	entry.job, err = s.scheduler.NewJob(
		gocron.DurationJob(j.Every),
		gocron.NewTask(func() { _ = panics.Catch(panics.Job, func() { s.runJob(entry) }) }),
		gocron.WithStartAt(gocron.WithStartDateTimePast(entry.firstRun)),
		gocron.WithName(j.Key),
	)
	if err != nil {
		return fmt.Errorf("scheduling %q: %w", j.Key, err)
	}
	s.jobs[j.Key] = entry
	return nil
}

func (s *Schedule) remove(key string) {
	if old := s.jobs[key]; old != nil {
		_ = s.scheduler.RemoveJob(old.job.ID()) // the only error is an unknown job
		delete(s.jobs, key)
	}
}

// phase returns the offset of a job within its interval. The last tenth stays free, so that
// every first run ends within the interval.
func phase(key string, every time.Duration) time.Duration {
	h := fnv.New64a()
	h.Write([]byte(key))
	return time.Duration(h.Sum64() % uint64(every-every/10))
}

// runJob runs a due job unless its previous run continues.
func (s *Schedule) runJob(j *job) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.running.Add(1)
	s.mu.Unlock()
	defer s.running.Done()
	if !j.running.CompareAndSwap(false, true) {
		s.turns.miss(j)
		if s.observer.Skipped != nil {
			s.observer.Skipped(j.key)
		}
		return
	}
	defer j.running.Store(false)
	if s.observer.Lag != nil {
		s.observer.Lag(time.Since(j.firstRun) % j.every)
	}
	if !sleep.For(s.ctx, jitter(j.every)) || !s.turns.take(s.ctx, j) {
		return
	}
	defer s.turns.end(j)
	(*j.run.Load())(s.ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	j.ended = time.Now() // unlike after a panic
}

// Stalled returns a job that has not completed a run for 20 intervals, and at least five
// minutes: it hangs, it panics every time, or no jobs are started any more. A job that waits
// for its turn is not stalled while others run.
func (s *Schedule) Stalled() (key string, ok bool) {
	const intervals, least = 20, 5 * time.Minute
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		limit := max(intervals*j.every, least)
		if time.Since(j.ended) > limit && !s.turns.waits(j, limit) {
			return j.key, true
		}
	}
	return "", false
}

// jitter returns up to a twentieth of an interval, so that probes do not synchronize with
// periodic work of a target.
func jitter(every time.Duration) time.Duration { return rand.N(max(1, every/20)) }

// Close cancels the running jobs, waits for them, and starts no more.
func (s *Schedule) Close() error {
	s.mu.Lock()
	s.closed = true
	for key := range s.jobs {
		s.remove(key)
	}
	s.mu.Unlock()
	s.cancel()
	s.running.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	// gocron's scheduler and executor can wait for each other if a job is due at the moment of
	// the shutdown. No job runs at this point, so the timeout is harmless.
	err := s.scheduler.ShutdownWithContext(ctx)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, gocron.ErrStopExecutorTimedOut) {
		s.logger.Debug("the scheduler did not stop in time", "err", err)
		return nil
	}
	return err
}

// stopTimeout bounds the wait for the shutdown of gocron.
const stopTimeout = time.Second

// warningsOnly drops debug and info messages of the scheduler.
type warningsOnly struct{ *slog.Logger }

func (warningsOnly) Debug(string, ...any) {}
func (warningsOnly) Info(string, ...any)  {}
