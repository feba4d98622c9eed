package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/alerting"
	"stickwatch/internal/expect"
	"stickwatch/internal/notify/outboxtest"
)

// A dispatcherRig is a running dispatcher with its outbox and receiver.
type dispatcherRig struct {
	*Dispatcher
	outbox *outboxtest.Outbox
	ops    *channel
	stop   func() // and waits until it has stopped

	mu      sync.Mutex
	results map[Result]int
	ended   chan time.Time // when notifications came to an end, as far as it has room

	log strings.Builder // complete after stop
}

// open runs a dispatcher for the receiver "ops" and others. Use it in a bubble.
func open(t *testing.T, outbox *outboxtest.Outbox, ops *channel, notifiers map[string]alerting.Notifier) *dispatcherRig {
	t.Helper()
	b := &dispatcherRig{outbox: outbox, ops: ops, results: make(map[Result]int), ended: make(chan time.Time, 1)}
	all := map[string]alerting.Notifier{"ops": ops}
	maps.Copy(all, notifiers)
	b.Dispatcher = NewDispatcher(DispatcherConfig{Outbox: outbox, Notifiers: all, Observe: b.observe, Logger: slog.New(slog.NewTextHandler(&b.log, nil))})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); b.Run(ctx) }()
	b.stop = func() { cancel(); <-done }
	t.Cleanup(b.stop)
	return b
}

func (d *dispatcherRig) observe(_ string, r Result) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.results[r]++
	if r == Retried {
		return
	}
	select {
	case d.ended <- time.Now():
	default:
	}
}

// newNotification returns a notification that is created now.
func newNotification(kind alerting.NotificationKind, receiver, incident string, number int) alerting.Notification {
	return alerting.Notification{ID: alerting.NotificationID(incident, receiver, number), Receiver: receiver, Kind: kind, At: time.Now(), Incident: alerting.Incident{ID: incident}}
}

// responses returns the errors one after the other, then the last one for every call.
func responses(errs ...error) func(context.Context, alerting.Notification) error {
	var mu sync.Mutex
	return func(context.Context, alerting.Notification) error {
		mu.Lock()
		defer mu.Unlock()
		err := errs[0]
		errs = errs[min(1, len(errs)-1):]
		return err
	}
}

// TestDelivery specifies the outcome of a notification.
func TestDelivery(t *testing.T) {
	reset := errors.New("connection reset by peer")
	later := alerting.Retriable{Err: reset}
	limited := alerting.Retriable{After: 40 * time.Second, Err: errors.New("429")}
	greedy := alerting.Retriable{After: 1000 * time.Hour, Err: errors.New("429")}
	refused := alerting.Permanent{Err: errors.New("message too long")}
	gone := func(ctx context.Context, n alerting.Notification) error {
		_, err := RemovedReceiver{}.Notify(ctx, n)
		return err
	}
	hangs := func(ctx context.Context, _ alerting.Notification) error { <-ctx.Done(); return ctx.Err() }
	quietly(t)
	panicked := false
	panics := func(context.Context, alerting.Notification) error {
		if !panicked {
			panicked = true
			panic("broken")
		}
		return nil
	}
	for name, tt := range map[string]struct {
		kind     alerting.NotificationKind
		answer   func(context.Context, alerting.Notification) error
		state    outboxtest.State
		results  map[Result]int // nil: any
		from, to time.Duration  // after which it was posted or given up
	}{
		"at once":                              {alerting.NotificationFired, responses(nil), outboxtest.Delivered, map[Result]int{Delivered: 1}, 0, 0},
		"when what failed has passed":          {alerting.NotificationFired, responses(later, later, nil), outboxtest.Delivered, map[Result]int{Retried: 2, Delivered: 1}, 0, 3 * time.Second},
		"an error of no kind may pass":         {alerting.NotificationFired, responses(reset, nil), outboxtest.Delivered, map[Result]int{Retried: 1, Delivered: 1}, 0, time.Second},
		"when the receiver allows it":          {alerting.NotificationFired, responses(limited, nil), outboxtest.Delivered, map[Result]int{Retried: 1, Delivered: 1}, 40 * time.Second, 40 * time.Second},
		"within an hour, whatever it asks":     {alerting.NotificationFired, responses(greedy, nil), outboxtest.Delivered, map[Result]int{Retried: 1, Delivered: 1}, time.Hour, time.Hour},
		"what is refused is given up":          {alerting.NotificationFired, responses(refused), outboxtest.Dead, map[Result]int{Dead: 1}, 0, 0},
		"even if it may pass for a while":      {alerting.NotificationFired, responses(later, fmt.Errorf("posting: %w", refused)), outboxtest.Dead, map[Result]int{Retried: 1, Dead: 1}, 0, time.Second},
		"a panic is an error that may pass":    {alerting.NotificationFired, panics, outboxtest.Delivered, map[Result]int{Retried: 1, Delivered: 1}, 0, time.Second},
		"a receiver that is gone gets nothing": {alerting.NotificationFired, gone, outboxtest.Dead, map[Result]int{Dead: 1}, 0, 0},
		"an attempt ends":                      {alerting.NotificationFired, hangs, outboxtest.Dead, nil, 72 * time.Hour, 72*time.Hour + 6*time.Minute},
		"news are tried for a day":             {alerting.NotificationDeveloped, responses(later), outboxtest.Dead, nil, 24 * time.Hour, 24*time.Hour + 6*time.Minute},
		"reminders are, too":                   {alerting.NotificationReminder, responses(later), outboxtest.Dead, nil, 24 * time.Hour, 24*time.Hour + 6*time.Minute},
		"the first is tried for three":         {alerting.NotificationFired, responses(later), outboxtest.Dead, nil, 72 * time.Hour, 72*time.Hour + 6*time.Minute},
		"the last is, too":                     {alerting.NotificationResolved, responses(later), outboxtest.Dead, nil, 72 * time.Hour, 72*time.Hour + 6*time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNotification(tt.kind, "ops", "1", 1)
				outbox := outboxtest.New()
				outbox.Put(n)
				b := open(t, outbox, &channel{answer: tt.answer}, nil)
				ended := (<-b.ended).Sub(n.At)
				if got := outbox.Entry(n.ID).State; got != tt.state || ended < tt.from || ended > tt.to {
					t.Errorf("got %s after %s, want %s after %s to %s", got, ended, tt.state, tt.from, tt.to)
				}
				if diff := cmp.Diff(tt.results, b.results); tt.results != nil && diff != "" {
					t.Errorf("results (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestOrder: notifications of an incident arrive in order, and a failed one delays
// other incidents by a second at most.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var repaired atomic.Bool
		ops := &channel{answer: func(_ context.Context, n alerting.Notification) error {
			if !repaired.Load() && n.Incident.ID == "1" {
				return alerting.Retriable{Err: errors.New("500")}
			}
			return nil
		}}
		outbox := outboxtest.New()
		outbox.Put(
			newNotification(alerting.NotificationFired, "ops", "1", 1), newNotification(alerting.NotificationFired, "ops", "2", 1),
			newNotification(alerting.NotificationDeveloped, "ops", "1", 2), newNotification(alerting.NotificationResolved, "ops", "2", 2), newNotification(alerting.NotificationResolved, "ops", "1", 3),
		)
		open(t, outbox, ops, nil)
		time.Sleep(time.Second)
		synctest.Wait()
		expect.Equal(t, "posted while an incident cannot be delivered", []string{"2/ops/1", "2/ops/2"}, ops.ids())
		repaired.Store(true)
		time.Sleep(time.Minute)
		expect.Equal(t, "posted", []string{"2/ops/1", "2/ops/2", "1/ops/1", "1/ops/2", "1/ops/3"}, ops.ids())
	})
}

// TestReceiverThatFailsAtTimes: it gets each notification of a day once, in the order
// of its incident.
func TestReceiverThatFailsAtTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		ops := &channel{answer: func(context.Context, alerting.Notification) error {
			if attempts++; attempts%3 != 0 {
				return alerting.Retriable{After: time.Duration(attempts%2) * 7 * time.Second, Err: errors.New("429")}
			}
			return nil
		}}
		outbox := outboxtest.New()
		b := open(t, outbox, ops, nil)
		want := make(map[string][]string) // by incident
		for n := range 240 {
			incident := fmt.Sprint(n % 3)
			notification := newNotification(alerting.NotificationDeveloped, "ops", incident, n/3+1)
			want[incident] = append(want[incident], notification.ID)
			outbox.Put(notification)
			b.wake()
			time.Sleep(6 * time.Minute)
		}
		time.Sleep(time.Hour)
		got := make(map[string][]string)
		for _, id := range ops.ids() {
			incident, _, _ := strings.Cut(id, "/")
			got[incident] = append(got[incident], id)
		}
		expect.Equal(t, "posted, by incident", want, got)
	})
}

// TestPause: during a pause that the receiver asked for, nothing is sent to it, not
// even notifications of other incidents or after Wake.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ops := &channel{answer: responses(alerting.Retriable{After: time.Minute, Err: errors.New("429")}, nil)}
		outbox := outboxtest.New()
		outbox.Put(newNotification(alerting.NotificationFired, "ops", "1", 1), newNotification(alerting.NotificationFired, "ops", "2", 1))
		b := open(t, outbox, ops, nil)
		for range 59 {
			b.wake()
			time.Sleep(time.Second)
		}
		if got := ops.ids(); got != nil {
			t.Errorf("got %q within the minute that was asked for", got)
		}
		time.Sleep(2 * time.Second)
		expect.Equal(t, "posted", []string{"2/ops/1", "1/ops/1"}, ops.ids())
	})
}

// TestReceiversAreIndependent: a receiver that hangs does not delay the others.
func TestReceiversAreIndependent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ops, pager := &channel{answer: func(ctx context.Context, _ alerting.Notification) error { <-ctx.Done(); return ctx.Err() }}, new(channel)
		outbox := outboxtest.New()
		for n := range 10 {
			incident := fmt.Sprint(n)
			outbox.Put(newNotification(alerting.NotificationFired, "ops", incident, 1), newNotification(alerting.NotificationFired, "pager", incident, 1))
		}
		open(t, outbox, ops, map[string]alerting.Notifier{"pager": pager})
		synctest.Wait()
		expect.Equal(t, "notifications for the receiver that answers", 10, len(pager.ids()))
	})
}

// TestWake: a new notification is delivered at once after Wake, and after the next
// poll without.
func TestWake(t *testing.T) {
	for name, tt := range map[string]struct {
		wake bool
		want time.Duration
	}{
		"woken":     {true, 0},
		"not woken": {false, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				outbox := outboxtest.New()
				b := open(t, outbox, new(channel), nil)
				synctest.Wait()
				outbox.Put(newNotification(alerting.NotificationFired, "ops", "1", 1))
				if tt.wake {
					b.wake()
				}
				time.Sleep(10 * time.Second)
				expect.Equal(t, "posted", []post{{"1/ops/1", tt.want}}, b.ops.posts(), cmp.AllowUnexported(post{}))
			})
		})
	}
}

// TestRetire: the successor of a dispatcher does not send what is being sent, and
// respects a pause that the receiver asked its predecessor for, even after Retire.
func TestRetire(t *testing.T) {
	limited := alerting.Retriable{After: time.Minute, Err: errors.New("429")}
	slowly := func(err error) func(context.Context, alerting.Notification) error {
		return func(ctx context.Context, _ alerting.Notification) error {
			select {
			case <-time.After(20 * time.Second):
				return err
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	for name, tt := range map[string]struct {
		answer func(context.Context, alerting.Notification) error
		before []post // the predecessor's
		want   []post // the successor's; of two incidents, the second written at 40 s
	}{
		"slow":            {slowly(nil), []post{{"1/ops/1", 20 * time.Second}}, []post{{"2/ops/1", 0}}},
		"pausing":         {responses(limited), nil, []post{{"2/ops/1", 20 * time.Second}, {"1/ops/1", 60 * time.Second}}},
		"pausing, slowly": {slowly(limited), nil, []post{{"2/ops/1", 40 * time.Second}, {"1/ops/1", 80 * time.Second}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				outbox := outboxtest.New()
				outbox.Put(newNotification(alerting.NotificationFired, "ops", "1", 1))
				old := open(t, outbox, &channel{answer: tt.answer}, nil)
				time.Sleep(time.Second)
				next := new(channel)
				successor := NewDispatcher(DispatcherConfig{
					Outbox: outbox, Notifiers: map[string]alerting.Notifier{"ops": next}, Predecessor: old.Dispatcher,
				})
				old.Retire()
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() { defer close(done); successor.Run(ctx) }()
				time.Sleep(39 * time.Second)
				outbox.Put(newNotification(alerting.NotificationFired, "ops", "2", 1))
				successor.wake()
				time.Sleep(5 * time.Minute)
				cancel()
				<-done
				expect.Equal(t, "posted by the predecessor", tt.before, old.ops.posts(), cmp.AllowUnexported(post{}))
				expect.Equal(t, "posted by the successor", tt.want, next.posts(), cmp.AllowUnexported(post{}))
			})
		})
	}
}
