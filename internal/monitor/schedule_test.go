package monitor_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
)

// A runTimes records when jobs ran.
type runTimes struct {
	mu   sync.Mutex
	runs map[string][]time.Time
}

func (r *runTimes) job(key string, every time.Duration) monitor.Job {
	return monitor.Job{Key: key, Every: every, Run: func(context.Context) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.runs[key] = append(r.runs[key], time.Now())
	}}
}

// scheduled runs a test in a synctest bubble with a schedule that is closed at its end.
func scheduled(t *testing.T, observer monitor.ScheduleObserver, test func(t *testing.T, s *monitor.Schedule)) {
	synctest.Test(t, func(t *testing.T) {
		s, err := monitor.NewSchedule(slog.New(slog.DiscardHandler), observer)
		must.Succeed(t, err)
		test(t, s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestScheduleSpreads: every job runs once in each interval, spread over it, with no more
// delay than the jitter.
func TestScheduleSpreads(t *testing.T) {
	var mu sync.Mutex
	var worst time.Duration
	lag := func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		worst = max(worst, d)
	}
	scheduled(t, monitor.ScheduleObserver{Lag: lag}, func(t *testing.T, s *monitor.Schedule) {
		const jobs, every = 500, 10 * time.Second
		log := runTimes{runs: make(map[string][]time.Time)}
		var list []monitor.Job
		for i := range jobs {
			list = append(list, log.job(fmt.Sprintf("cluster-%d/status", i), every))
		}
		began := time.Now()
		must.Succeed(t, s.Set(list))
		time.Sleep(every) // includes the jitter
		log.mu.Lock()
		tenth := make(map[int]int)
		for _, j := range list {
			if len(log.runs[j.Key]) == 0 {
				t.Fatalf("%s did not run in the first interval", j.Key)
			}
			tenth[int(log.runs[j.Key][0].Sub(began)/(every/10))]++
		}
		log.mu.Unlock()
		for jobKind := range 9 { // the last tenth is for late runs
			if got := tenth[jobKind]; got < jobs/20 || got > jobs/5 {
				t.Errorf("%d of %d jobs ran in tenth %d of the interval", got, jobs, jobKind)
			}
		}
		time.Sleep(100 * every)
		log.mu.Lock()
		defer log.mu.Unlock()
		for _, j := range list {
			if got := len(log.runs[j.Key]); got < 100 || got > 102 {
				t.Fatalf("%s ran %d times in 101 intervals", j.Key, got)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		if worst > time.Millisecond {
			t.Errorf("a run began %s late", worst)
		}
	})
}

// TestScheduleChanges: new jobs start, removed jobs end, and kept jobs keep their phase with
// their new function.
func TestScheduleChanges(t *testing.T) {
	scheduled(t, monitor.ScheduleObserver{}, func(t *testing.T, s *monitor.Schedule) {
		const every = 10 * time.Second
		log := runTimes{runs: make(map[string][]time.Time)}
		set := func(jobs ...monitor.Job) {
			t.Helper()
			must.Succeed(t, s.Set(jobs))
			log.mu.Lock()
			clear(log.runs)
			log.mu.Unlock()
		}
		set(log.job("stays", every), log.job("goes", every))
		for range 20 { // quick reloads must not skip a run
			set(log.job("stays", every), log.job("comes", every))
		}
		for range 30 {
			time.Sleep(every / 3)
			must.Succeed(t, s.Set([]monitor.Job{log.job("stays", every), log.job("comes", every)}))
		}
		time.Sleep(every / 10)
		log.mu.Lock()
		defer log.mu.Unlock()
		if len(log.runs["goes"]) > 0 {
			t.Errorf("what is gone ran %d times", len(log.runs["goes"]))
		}
		for _, key := range []string{"stays", "comes"} {
			if got := len(log.runs[key]); got < 9 || got > 11 {
				t.Errorf("%s ran %d times in 10 intervals", key, got)
			}
		}
	})
}

// TestScheduleDoesNotOverlap: a long run does not overlap with the next one, and a job that
// panics runs again.
func TestScheduleDoesNotOverlap(t *testing.T) {
	skipped := make(chan string, 100)
	scheduled(t, monitor.ScheduleObserver{Skipped: func(key string) { skipped <- key }}, func(t *testing.T, s *monitor.Schedule) {
		var began, panicked atomic.Int32
		err := s.Set([]monitor.Job{
			{Key: "long", Every: time.Second, Run: func(ctx context.Context) {
				began.Add(1)
				select {
				case <-ctx.Done():
				case <-time.After(3500 * time.Millisecond):
				}
			}},
			{Key: "broken", Every: time.Second, Run: func(context.Context) { panicked.Add(1); panic("a mistake") }},
		})
		must.Succeed(t, err)
		time.Sleep(10*time.Second + time.Second/2)
		if began := began.Load(); began < 2 || began > 3 || len(skipped) < 6 {
			t.Errorf("in 10 s, a job of 3.5 s that is due every second began %d times, and %d were skipped", began, len(skipped))
		}
		if panicked := panicked.Load(); panicked < 10 {
			t.Errorf("a job that panics ran %d times in 10 s", panicked)
		}
	})
}
