package notify

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/panics"
)

// A oneSlotOutbox has at most one notification for "ops".
type oneSlotOutbox struct {
	mu        sync.Mutex
	waits     bool
	leased    time.Time
	delivered int
	retried   int
}

func (o *oneSlotOutbox) put() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waits, o.leased = true, time.Time{}
}

func (o *oneSlotOutbox) Claim(_ context.Context, receiver string, now time.Time, lease time.Duration) (n alerting.Notification, ok bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if receiver != "ops" || !o.waits || now.Before(o.leased) {
		return n, false, nil
	}
	o.leased = now.Add(lease)
	return alerting.Notification{ID: "1/ops/1", Receiver: "ops", Kind: alerting.NotificationFired, At: now, Attempts: 1}, true, nil
}

func (o *oneSlotOutbox) Delivered(context.Context, string, alerting.DeliveryRef) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.delivered++
	o.waits = false
	return nil
}

func (o *oneSlotOutbox) Retry(_ context.Context, _ string, at time.Time, _ string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.retried, o.leased = o.retried+1, at
	return nil
}

func (o *oneSlotOutbox) SkipToResolved(context.Context, string) (bool, error) { return false, nil }

func (o *oneSlotOutbox) DeadLetter(context.Context, string, string) error { return nil }

func (o *oneSlotOutbox) Pending(context.Context) (map[string]int, error) { return nil, nil }

func newDeliverer(o PendingOutbox) *Deliverer {
	return NewDeliverer(DelivererConfig{Outbox: o, Logger: slog.New(slog.DiscardHandler)})
}

// A slowReceiver takes a while for each notification and counts attempts.
type slowReceiver struct {
	long time.Duration

	mu    sync.Mutex
	begun int
}

func (s *slowReceiver) Notify(ctx context.Context, _ alerting.Notification) (alerting.DeliveryRef, error) {
	s.mu.Lock()
	s.begun++
	s.mu.Unlock()
	select {
	case <-time.After(s.long):
		return alerting.DeliveryRef{}, nil
	case <-ctx.Done():
		return alerting.DeliveryRef{}, ctx.Err()
	}
}

// TestReplaceReceivers: a receiver that is slower than the grace period of a shutdown is
// notified once, even if reloads happen meanwhile.
func TestReplaceReceivers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, ops := new(oneSlotOutbox), &slowReceiver{long: 8 * time.Second}
		o.put()
		d := newDeliverer(o)
		ctx, cancel := context.WithCancel(t.Context())
		d.SetReceivers(map[string]alerting.Notifier{"ops": ops})
		done := make(chan struct{})
		go func() { defer close(done); d.Run(ctx) }()
		for range 5 {
			time.Sleep(time.Second)
			d.SetReceivers(map[string]alerting.Notifier{"ops": ops})
		}
		time.Sleep(10 * time.Minute)
		cancel()
		<-done
		if got, want := [3]int{ops.begun, o.delivered, o.retried}, [3]int{1, 1, 0}; got != want {
			t.Errorf("got %d attempts, %d delivered, %d retried, want %d", got[0], got[1], got[2], want)
		}
	})
}

// TestReplacedReceiver: a replaced receiver gets no new notifications, even if the new
// dispatcher was not woken.
func TestReplacedReceiver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, former, next := new(oneSlotOutbox), new(slowReceiver), new(slowReceiver)
		d := newDeliverer(o)
		ctx, cancel := context.WithCancel(t.Context())
		d.SetReceivers(map[string]alerting.Notifier{"ops": former})
		done := make(chan struct{})
		go func() { defer close(done); d.Run(ctx) }()
		time.Sleep(time.Second)
		d.SetReceivers(map[string]alerting.Notifier{"ops": next})
		time.Sleep(time.Second)
		o.put()
		time.Sleep(time.Minute)
		cancel()
		<-done
		if former.begun != 0 || next.begun != 1 {
			t.Errorf("got %d attempts by the former and %d by the next, want 0 and 1", former.begun, next.begun)
		}
	})
}

// A countingOutbox is empty and counts calls of Claim.
type countingOutbox struct {
	oneSlotOutbox
	claims atomic.Int64
}

func (o *countingOutbox) Claim(context.Context, string, time.Time, time.Duration) (n alerting.Notification, ok bool, err error) {
	o.claims.Add(1)
	return n, false, nil
}

// TestQuickReplacements: after quick reloads each dispatcher runs once.
func TestQuickReplacements(t *testing.T) {
	t.Parallel()
	for range 1000 {
		synctest.Test(t, func(t *testing.T) {
			o := new(countingOutbox)
			d := newDeliverer(o)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); d.Run(ctx) }()
			synctest.Wait()
			for range 3 {
				d.SetReceivers(map[string]alerting.Notifier{"ops": new(slowReceiver)})
			}
			time.Sleep(10 * time.Second)
			synctest.Wait()
			o.claims.Store(0)
			time.Sleep(time.Minute)
			got := o.claims.Load()
			cancel()
			<-done
			if got > 13 { // one a poll of 5 s
				t.Fatalf("the outbox was asked %d times in a minute: a dispatcher runs twice", got)
			}
		})
		if t.Failed() {
			return
		}
	}
}

// A resendingReceiver records the incidents that are resent to it.
type resendingReceiver struct {
	slowReceiver
	kept [][]string // causes
}

func (r *resendingReceiver) Refresh(_ context.Context, open []alerting.Incident) error {
	var causes []string
	for _, i := range open {
		causes = append(causes, i.Cause.Key())
	}
	r.kept = append(r.kept, causes)
	return nil
}

// TestResend: only firing incidents that a receiver was notified of are sent again.
func TestResend(t *testing.T) {
	t.Parallel()
	incident := func(code checks.Code, state alerting.State, receivers ...string) alerting.Incident {
		i := alerting.Incident{State: state, Cause: checks.Finding{Code: code}}
		for _, r := range receivers {
			i.Notified = append(i.Notified, alerting.Notified{Receiver: r})
		}
		return i
	}
	ops, others := new(resendingReceiver), new(resendingReceiver)
	d := newDeliverer(&oneSlotOutbox{})
	d.SetReceivers(map[string]alerting.Notifier{"ops": ops, "others": others, "plain": new(slowReceiver)})
	d.Resend(t.Context(), []alerting.Incident{
		incident(checks.NodeDown, alerting.Firing, "ops"), incident(checks.DependencyDown, alerting.Firing), incident(checks.NodePaused, alerting.Pending, "ops"),
	})
	expect.Equal(t, "sent again to the receiver that was notified", [][]string{{"node_down"}}, ops.kept)
	expect.Equal(t, "sent again to the receiver that was not", [][]string{nil}, others.kept)
}

// A breaking receiver panics in Keep.
type breaking struct{ slowReceiver }

func (*breaking) Refresh(context.Context, []alerting.Incident) error { panic("broken") }

// quietly discards the log of package panics until the test ends.
func quietly(t *testing.T) {
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	t.Cleanup(func() { slog.SetDefault(before) })
}

// TestResendPanics: a receiver that panics does not affect the others.
func TestResendPanics(t *testing.T) {
	quietly(t)
	knows := &resendingReceiver{}
	d := newDeliverer(&oneSlotOutbox{})
	d.SetReceivers(map[string]alerting.Notifier{"breaks": &breaking{}, "ops": knows})
	counted := panics.Counts()[panics.Delivery]
	d.Resend(t.Context(), nil)
	if len(knows.kept) != 1 {
		t.Errorf("the other was informed %d times, want once", len(knows.kept))
	}
	if got := panics.Counts()[panics.Delivery] - counted; got != 1 {
		t.Errorf("got %d panics counted, want 1", got)
	}
}

// TestRemovedReceiverInFleet: a receiver that only another instance may know is tried for an hour.
func TestRemovedReceiverInFleet(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := RemovedReceiver{after: time.Hour, now: func() time.Time { return now }}
	for age, want := range map[time.Duration]bool{time.Minute: true, 2 * time.Hour: false} {
		_, err := r.Notify(t.Context(), alerting.Notification{At: now.Add(-age)})
		if _, retried := errors.AsType[alerting.Retriable](err); retried != want {
			t.Errorf("after %s: got %v, want retried %v", age, err, want)
		}
	}
}

// A channel is a receiver that records what was posted.
type channel struct {
	mu     sync.Mutex
	posted []post
	answer func(ctx context.Context, n alerting.Notification) error // asked before a notification is posted; nil: it always is
	lost   func(n alerting.Notification) error                      // asked after: an answer that never comes
}

type post struct {
	id    string
	after time.Duration // since the notification was written
}

func (c *channel) Notify(ctx context.Context, n alerting.Notification) (alerting.DeliveryRef, error) {
	if c.answer != nil {
		if err := c.answer(ctx, n); err != nil {
			return alerting.DeliveryRef{}, err
		}
	}
	c.mu.Lock()
	c.posted = append(c.posted, post{n.ID, time.Since(n.At)})
	c.mu.Unlock()
	if c.lost != nil {
		if err := c.lost(n); err != nil {
			return alerting.DeliveryRef{}, err
		}
	}
	return alerting.DeliveryRef{Thread: "thread of " + n.Incident.ID}, nil
}

func (c *channel) posts() []post {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.posted)
}

func (c *channel) ids() []string {
	var ids []string
	for _, p := range c.posts() {
		ids = append(ids, p.id)
	}
	return ids
}

// A searchable channel implements alerting.Finder.
type searchable struct {
	*channel
	failing func(n alerting.Notification) error // asked before looking; nil: it can be looked for
}

func (s searchable) Find(_ context.Context, n alerting.Notification) (alerting.DeliveryRef, bool, error) {
	if s.failing != nil {
		if err := s.failing(n); err != nil {
			return alerting.DeliveryRef{}, false, err
		}
	}
	return alerting.DeliveryRef{Thread: "thread of " + n.Incident.ID}, slices.Contains(s.ids(), n.ID), nil
}
