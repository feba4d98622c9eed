package notify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/alerting"
	"stickwatch/internal/expect"
	"stickwatch/internal/notify/outboxtest"
)

var errKilled = errors.New("the process is gone")

// A crashing simulates a process that is killed after a number of steps: later
// operations have no effect.
type crashing struct {
	steps int
	gone  context.CancelFunc
}

// step is one operation of the process. It returns an error if the process was killed
// before.
func (c *crashing) step() error {
	if c.steps--; c.steps > 0 {
		return nil
	}
	c.gone()
	return errKilled
}

// TestKilled: a process that is killed fifty times during delivery, at any step,
// posts every notification exactly once and in order to a receiver that can be
// searched.
func TestKilled(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { killed(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func killed(t *testing.T, luck *rand.Rand) {
	outbox, ops := outboxtest.New(), new(channel)
	var want []string
	for n := range 60 {
		notification := newNotification(alerting.NotificationDeveloped, "ops", fmt.Sprint(n%3), n/3+1)
		outbox.Put(notification)
		want = append(want, notification.ID)
	}
	for range 50 {
		live(t, outbox, ops, 1+luck.IntN(10))
	}
	live(t, outbox, ops, 1_000_000)
	got := ops.ids()
	for _, list := range [][]string{got, want} {
		slices.SortStableFunc(list, func(a, b string) int { return int(a[0]) - int(b[0]) }) // by incident
	}
	expect.Equal(t, "posted", want, got)
}

// live runs the process for a number of steps, or for ten hours.
func live(t *testing.T, outbox *outboxtest.Outbox, ops *channel, steps int) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Hour)
	defer cancel()
	life := &crashing{steps: steps, gone: cancel}
	outbox.Fail = life.step
	ops.answer = func(context.Context, alerting.Notification) error { return life.step() }
	ops.lost = func(alerting.Notification) error { return life.step() }
	notifier := searchable{channel: ops, failing: func(alerting.Notification) error { return life.step() }}
	NewDispatcher(DispatcherConfig{Outbox: outbox, Notifiers: map[string]alerting.Notifier{"ops": notifier}}).Run(ctx)
}

// TestFind specifies when a notification is sent again.
func TestFind(t *testing.T) {
	passing := alerting.Retriable{Err: errors.New("500")}
	for name, tt := range map[string]struct {
		answer  error // to the first attempt, before it is posted
		lost    error // to the first attempt, after it was posted
		finding []error
		blind   bool // the receiver cannot be searched
		posted  int
		results map[Result]int
	}{
		"not after an answer":                 {posted: 1, results: map[Result]int{Delivered: 1}},
		"when it was not posted":              {answer: passing, posted: 1, results: map[Result]int{Retried: 1, Delivered: 1}},
		"not when it was":                     {lost: passing, posted: 1, results: map[Result]int{Retried: 1, Found: 1}},
		"not before that is known":            {lost: passing, finding: []error{passing, passing, nil}, posted: 1, results: map[Result]int{Retried: 3, Found: 1}},
		"when it can never be known":          {lost: passing, finding: []error{alerting.Permanent{Err: errors.New("may not read")}}, posted: 2, results: map[Result]int{Retried: 1, Delivered: 1}},
		"when the receiver can't be searched": {lost: passing, blind: true, posted: 2, results: map[Result]int{Retried: 1, Delivered: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				outbox := outboxtest.New()
				n := newNotification(alerting.NotificationFired, "ops", "1", 1)
				outbox.Put(n)
				answer, lost := responses(tt.answer, nil), responses(tt.lost, nil)
				finding := responses(append(tt.finding, nil)[:max(1, len(tt.finding))]...)
				ops := &channel{answer: answer, lost: func(n alerting.Notification) error { return lost(t.Context(), n) }}
				var notifier alerting.Notifier = ops
				if !tt.blind {
					notifier = searchable{channel: ops, failing: func(n alerting.Notification) error { return finding(t.Context(), n) }}
				}
				b := open(t, outbox, ops, map[string]alerting.Notifier{"ops": notifier})
				<-b.ended
				time.Sleep(time.Hour)
				if got := len(ops.ids()); got != tt.posted || outbox.Entry(n.ID).State != outboxtest.Delivered {
					t.Errorf("posted %d times, and %s; want %d times, and arrived", got, outbox.Entry(n.ID).State, tt.posted)
				}
				expect.Equal(t, "results", tt.results, b.results)
				expect.Equal(t, "thread", "thread of 1", outbox.Entry(n.ID).Ref.Thread)
			})
		})
	}
}

// TestOutboxFails: while the outbox cannot be written, nothing is sent twice, and
// attempts become rarer.
func TestOutboxFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		var repaired atomic.Bool
		outbox := &outboxtest.Outbox{Fail: func() error {
			if asked.Add(1) > 1 && !repaired.Load() { // the first claim is granted
				return errors.New("disk full")
			}
			return nil
		}}
		outbox.Put(newNotification(alerting.NotificationFired, "ops", "1", 1), newNotification(alerting.NotificationFired, "ops", "2", 1))
		b := open(t, outbox, new(channel), nil)
		time.Sleep(time.Hour)
		if diff := cmp.Diff([]string{"1/ops/1"}, b.ops.ids()); diff != "" || asked.Load() > 25 {
			t.Errorf("asked the outbox %d times in an hour, want at most 25; posted (-want +got):\n%s", asked.Load(), diff)
		}
		repaired.Store(true)
		time.Sleep(10 * time.Minute)
		expect.Equal(t, "posted after the repair", []string{"1/ops/1", "2/ops/1"}, b.ops.ids())
	})
}

// TestStop: an attempt in progress may finish and its outcome is recorded; one that
// takes too long is interrupted and due again at once.
func TestStop(t *testing.T) {
	for name, tt := range map[string]struct {
		takes, stops time.Duration
		state        outboxtest.State
	}{
		"it ends in time":    {8 * time.Second, 4 * time.Second, outboxtest.Delivered},
		"it takes too long":  {20 * time.Second, 5 * time.Second, outboxtest.Waiting},
		"nothing is to do":   {0, 0, outboxtest.Delivered},
		"it hangs for good":  {time.Hour, 5 * time.Second, outboxtest.Waiting},
		"it ends as it must": {4 * time.Second, 0, outboxtest.Delivered},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				outbox := outboxtest.New()
				n := newNotification(alerting.NotificationFired, "ops", "1", 1)
				outbox.Put(n)
				b := open(t, outbox, &channel{answer: func(ctx context.Context, _ alerting.Notification) error {
					select {
					case <-ctx.Done():
						return ctx.Err()
					case <-time.After(tt.takes):
						return nil
					}
				}}, nil)
				time.Sleep(4 * time.Second)
				asked := time.Now()
				b.stop()
				if got := time.Since(asked); got != tt.stops {
					t.Errorf("stopped after %s, want %s", got, tt.stops)
				}
				e := outbox.Entry(n.ID)
				if e.State != tt.state || e.Due.After(time.Now()) || (e.State == outboxtest.Waiting && e.Leased.After(time.Now())) {
					t.Errorf("got %s, due %s, want %s", e.State, e.Due, tt.state)
				}
			})
		})
	}
}
