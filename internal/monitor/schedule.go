package monitor

import (
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

	"stickwatch/internal/panics"
	"stickwatch/internal/sleep"
)

// A Job is done again and again.
type Job struct {
	Key   string // names it; decides where in the interval it runs
	Every time.Duration
	Run   func(context.Context)
}

// A Schedule runs jobs, each at a moment of its interval that its key decides,
// so that they are spread from the first one on and each is done within it. No
// job runs twice at a time: a run that is due while the one before goes on is
// skipped, and told.
type Schedule struct {
	ctx       context.Context
	cancel    context.CancelFunc
	scheduler gocron.Scheduler
	logger    *slog.Logger
	observer  ScheduleObserver

	mu      sync.Mutex
	closed  bool
	jobs    map[string]*job
	running sync.WaitGroup
}

// ScheduleObserver is who is told how the schedule is kept. Nil functions are nobody.
type ScheduleObserver struct {
	Lag     func(time.Duration) // by how much a run began late
	Skipped func(key string)    // a run that was due was not begun
}

// A job is one that is being scheduled.
type job struct {
	job      gocron.Job
	key      string
	every    time.Duration
	firstRun time.Time // when it was to run first
	run      atomic.Pointer[func(context.Context)]
	running  atomic.Bool
}

// NewSchedule returns a schedule without jobs, which runs.
func NewSchedule(logger *slog.Logger, observer ScheduleObserver) (*Schedule, error) {
	scheduler, err := gocron.NewScheduler(gocron.WithLogger(warningsOnly{logger}))
	if err != nil {
		return nil, fmt.Errorf("starting the schedule: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Schedule{ctx: ctx, cancel: cancel, scheduler: scheduler, logger: logger, observer: observer, jobs: make(map[string]*job)}
	scheduler.Start()
	return s, nil
}

// Set makes jobs the schedule's. One that is there already, with the same
// interval, goes on in its rhythm, and runs what it is given now.
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
	entry := &job{key: j.Key, every: j.Every, firstRun: time.Now().Add(phase(j.Key, j.Every))}
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
		_ = s.scheduler.RemoveJob(old.job.ID()) // it is there
		delete(s.jobs, key)
	}
}

// phase is where in its interval a job runs. The last tenth is left free, so that
// the first run of all jobs is over within the interval.
func phase(key string, every time.Duration) time.Duration {
	h := fnv.New64a()
	h.Write([]byte(key))
	return time.Duration(h.Sum64() % uint64(every-every/10))
}

// runJob runs a job that is due, unless it still runs.
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
		if s.observer.Skipped != nil {
			s.observer.Skipped(j.key)
		}
		return
	}
	defer j.running.Store(false)
	if s.observer.Lag != nil {
		s.observer.Lag(time.Since(j.firstRun) % j.every)
	}
	if sleep.For(s.ctx, jitter(j.every)) {
		(*j.run.Load())(s.ctx)
	}
}

// jitter is up to a twentieth of an interval, so that probes do not keep step
// with what happens at a target every so many seconds.
func jitter(every time.Duration) time.Duration { return rand.N(max(1, every/20)) }

// Close ends the jobs under way, waits for them, and runs no more.
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
	// gocron's scheduler and executor can wait for each other when a job is due in
	// the moment in which they are stopped. Nothing of ours runs by now, so there is
	// nothing to wait for.
	err := s.scheduler.ShutdownWithContext(ctx)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, gocron.ErrStopExecutorTimedOut) {
		s.logger.Debug("the scheduler did not stop in time", "err", err)
		return nil
	}
	return err
}

// stopTimeout bounds how long gocron is waited for.
const stopTimeout = time.Second

// warningsOnly leaves out what the scheduler says of its ordinary life.
type warningsOnly struct{ *slog.Logger }

func (warningsOnly) Debug(string, ...any) {}
func (warningsOnly) Info(string, ...any)  {}
