package monitor_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/internal/monitor"
	"stickwatch/internal/must"
	"stickwatch/internal/sleep"
)

// A smallMachine is a model of a machine on which timers are late while more than a number
// of jobs work.
type smallMachine struct {
	mu       sync.Mutex
	capacity int
	working  int
	rounds   map[string]int // by group
	stretch  []float64
}

func (m *smallMachine) lateness() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.working > m.capacity {
		return time.Second
	}
	return 0
}

// job returns a job that works for a time.
func (m *smallMachine) job(kind, group string, every, work time.Duration) monitor.Job {
	return monitor.Job{Key: kind + "/" + group, Group: group, Every: every, Run: func(ctx context.Context) {
		m.count(1)
		defer m.count(-1)
		if sleep.For(ctx, work) && kind == "status" {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.rounds[group]++
		}
	}}
}

func (m *smallMachine) count(by int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.working += by
}

func (m *smallMachine) stretched(factor float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stretch = append(m.stretch, factor)
}

// reset forgets what was counted, and returns it.
func (m *smallMachine) reset() (rounds []int, stretch []float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for group, n := range m.rounds {
		rounds, m.rounds[group] = append(rounds, n), 0
	}
	stretch, m.stretch = m.stretch, nil
	return rounds, stretch
}

// TestOverloadIsShared: when a machine can work at 40 clusters at a time and 200 slow ones are
// due, all are probed, about equally often, and the stretch of the intervals is reported.
// Afterwards the schedule is kept again.
func TestOverloadIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clusters, every, work = 200, 15 * time.Second, 10 * time.Second
		m := &smallMachine{capacity: 40, rounds: make(map[string]int)}
		s, err := monitor.NewScheduleOn(m.lateness, monitor.ScheduleObserver{Stretch: m.stretched})
		must.Succeed(t, err)
		var jobs []monitor.Job
		for i := range clusters {
			name := fmt.Sprintf("cluster-%d", i)
			m.rounds[name] = 0
			jobs = append(jobs, m.job("status", name, every, work))
			if i%2 == 0 { // must not get more rounds than the others
				jobs = append(jobs, m.job("canary", name, 3*time.Second, time.Second))
			}
		}
		must.Succeed(t, s.Set(jobs))
		time.Sleep(5 * time.Minute)
		m.reset()
		time.Sleep(20 * time.Minute)
		rounds, stretch := m.reset()
		least, most := slices.Min(rounds), slices.Max(rounds)
		t.Logf("%d to %d rounds of each cluster in 20 minutes; intervals stretched %.1f to %.1f times", least, most, slices.Min(stretch), slices.Max(stretch))
		if least == 0 || float64(most) > 1.5*float64(least) {
			t.Errorf("got %d to %d rounds of each cluster, want at most 1.5 times as many for one as for another", least, most)
		}
		if slices.Min(stretch) < 2 {
			t.Errorf("the intervals were stretched %.1f times, want several times", slices.Min(stretch))
		}
		if key, stalled := s.Stalled(); stalled {
			t.Errorf("%s waits for its turn and counts as stalled", key)
		}
		m.mu.Lock()
		m.capacity = clusters
		m.mu.Unlock()
		time.Sleep(2 * time.Minute)
		m.reset()
		time.Sleep(20 * time.Minute)
		rounds, stretch = m.reset()
		if want := int(20 * time.Minute / every); slices.Min(rounds) < want*9/10 || slices.Max(stretch) > 1 {
			t.Errorf("after the overload got %d rounds in 20 minutes, want %d; stretch %.1f", slices.Min(rounds), want, slices.Max(stretch))
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestSlowTargetsAreNoOverload: requests that wait for targets take no turns from others.
func TestSlowTargetsAreNoOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &smallMachine{capacity: 1000, rounds: make(map[string]int)}
		s, err := monitor.NewScheduleOn(m.lateness, monitor.ScheduleObserver{Stretch: m.stretched})
		must.Succeed(t, err)
		jobs := []monitor.Job{m.job("status", "quick", 15*time.Second, time.Second)}
		for i := range 500 {
			jobs = append(jobs, m.job("status", fmt.Sprintf("slow-%d", i), 15*time.Second, time.Minute))
		}
		must.Succeed(t, s.Set(jobs))
		time.Sleep(time.Hour)
		if _, stretch := m.reset(); slices.Max(stretch) > 1 {
			t.Errorf("the intervals were stretched %.1f times", slices.Max(stretch))
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
