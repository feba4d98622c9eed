package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/history"
	"stickwatch/internal/metrics"
	"stickwatch/internal/notify"
)

// A outage is a ward whose disk takes nothing, and the outbox that it has.
type outage struct {
	*diskFixture
	outbox memoryOutbox
	fired  alerting.Notification // as it is owed
}

// newOutage is one in which an incident has fired.
func newOutage(t *testing.T) *outage {
	t.Helper()
	w := newDiskFixture(t)
	w.setClusters([]string{"shop", "mail"})
	c := &outage{diskFixture: w, outbox: memoryOutbox{w.db, w.incidentStore}}
	w.breaks("shop")
	c.blockDisk(t)
	c.fired = w.unwritten.Notifications[0]
	return c
}

// blockDisk lets the disk refuse what is owed.
func (c *outage) blockDisk(t *testing.T) {
	t.Helper()
	ended, end := context.WithCancel(t.Context())
	end()
	if err := c.flush(ended); err == nil {
		t.Fatal("the disk took what is owed")
	}
}

// unblockDisk lets the disk take what is owed.
func (c *outage) unblockDisk(t *testing.T) {
	t.Helper()
	if err := c.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// heals ends what breaks began.
func (c *outage) heals(cluster string) {
	s := redisDown()
	c.observe(cluster, []checks.Change{{Kind: checks.Gone, ActiveFinding: s, At: time.Now()}}, nil)
}

// claim claims a notice at a time from now on, by which the disk has failed for
// so long.
func (c *outage) claim(t *testing.T, after time.Duration) alerting.Notification {
	t.Helper()
	n, ok, err := c.outbox.Claim(t.Context(), "ops", time.Now().Add(after), time.Minute)
	if err != nil || ok != (n.ID != "") {
		t.Fatalf("got notice %q, %v and error %v", n.ID, ok, err)
	}
	return n
}

func (c *outage) wantClaim(t *testing.T, after time.Duration, want string) alerting.Notification {
	t.Helper()
	n := c.claim(t, after)
	if n.ID != want {
		t.Errorf("after %s: got notice %q, want %q", after, n.ID, want)
	}
	return n
}

// wantWaiting compares how many notices wait on the disk and for it.
func (c *outage) wantWaiting(t *testing.T, onDisk, forDisk int) {
	t.Helper()
	pending, err := c.db.Pending(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := c.undelivered(); pending["ops"] != onDisk || got != forDisk {
		t.Errorf("got %d waiting on the disk and %d for it, want %d and %d", pending["ops"], got, onDisk, forDisk)
	}
}

const stuck = stuckAfter + time.Second

// TestMemoryOutbox: what the disk does not take is delivered from memory after a while,
// and not again when there is room.
func TestMemoryOutbox(t *testing.T) {
	t.Parallel()
	c := newOutage(t)
	c.wantWaiting(t, 0, 1)
	c.wantClaim(t, stuckAfter-time.Second, "")
	n := c.wantClaim(t, stuck, c.fired.ID)
	if n.Attempts != 1 {
		t.Errorf("got attempt %d, want the first", n.Attempts)
	}
	c.wantClaim(t, stuck, "")
	if err := c.outbox.Delivered(t.Context(), n.ID, alerting.DeliveryRef{Thread: "C1/1"}); err != nil {
		t.Fatal(err)
	}
	c.wantWaiting(t, 0, 0)
	c.heals("shop")
	c.blockDisk(t)
	end := c.wantClaim(t, stuck, alerting.NotificationID(n.Incident.ID, "ops", 2))
	if end.Kind != alerting.NotificationResolved || end.Thread != "C1/1" {
		t.Errorf("got %s in thread %q, want the end in the thread of the beginning", end.Kind, end.Thread)
	}
	if err := c.outbox.Retry(t.Context(), end.ID, time.Now().Add(time.Hour), "503"); err != nil {
		t.Fatal(err)
	}
	c.wantClaim(t, stuck, "")
	c.unblockDisk(t)
	c.wantWaiting(t, 1, 0)
	if again := c.wantClaim(t, 0, end.ID); again.Attempts != 2 || again.Thread != "C1/1" {
		t.Errorf("got attempt %d in thread %q, want the second in that of the beginning", again.Attempts, again.Thread)
	}
	if len(c.pendingNotifications) > 0 {
		t.Errorf("%d loans are kept for ever", len(c.pendingNotifications))
	}
}

// TestPendingNotificationThatIsWrittenMeanwhile: its outcome goes to the disk, whatever it is.
func TestPendingNotificationThatIsWrittenMeanwhile(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		outcome func(*outage, context.Context) error
		waiting int
		dead    int
	}{
		"delivered": {func(c *outage, ctx context.Context) error {
			return c.outbox.Delivered(ctx, c.fired.ID, alerting.DeliveryRef{})
		}, 0, 0},
		"to be tried again": {func(c *outage, ctx context.Context) error {
			return c.outbox.Retry(ctx, c.fired.ID, time.Now(), "503")
		}, 1, 0},
		"given up": {func(c *outage, ctx context.Context) error { return c.outbox.DeadLetter(ctx, c.fired.ID, "400") }, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newOutage(t)
			c.wantClaim(t, stuck, c.fired.ID)
			c.unblockDisk(t)
			if err := tt.outcome(c, t.Context()); err != nil {
				t.Fatal(err)
			}
			c.wantWaiting(t, tt.waiting, 0)
			if dead, err := c.db.DeadLetters(t.Context(), 0); err != nil || len(dead) != tt.dead {
				t.Errorf("got %d dead letters and error %v, want %d", len(dead), err, tt.dead)
			}
		})
	}
}

// TestPendingNotificationThatIsRefused is not lent again, and given up when there is room.
func TestPendingNotificationThatIsRefused(t *testing.T) {
	t.Parallel()
	c := newOutage(t)
	c.wantClaim(t, stuck, c.fired.ID)
	if err := c.outbox.DeadLetter(t.Context(), c.fired.ID, "400"); err != nil {
		t.Fatal(err)
	}
	c.wantClaim(t, time.Hour, "")
	c.unblockDisk(t)
	c.wantClaim(t, 0, "")
	dead, err := c.db.DeadLetters(t.Context(), 0)
	if err != nil || len(dead) != 1 || dead[0].Reason != "400" {
		t.Errorf("got dead letters %+v and error %v, want the one that was refused", dead, err)
	}
}

// TestRefusedPendingNotificationHoldsUpNothing: though the beginning of an incident was refused, its
// end is told while the disk takes nothing.
func TestRefusedPendingNotificationHoldsUpNothing(t *testing.T) {
	t.Parallel()
	c := newOutage(t)
	c.wantClaim(t, stuck, c.fired.ID)
	if err := c.outbox.DeadLetter(t.Context(), c.fired.ID, "400"); err != nil {
		t.Fatal(err)
	}
	c.heals("shop")
	c.blockDisk(t)
	c.wantClaim(t, stuck, alerting.NotificationID(c.fired.Incident.ID, "ops", 2))
}

// A hangingStore takes a step and does not return from it before it is let go.
type hangingStore struct {
	store
	taken, released chan struct{}
}

func (s hangingStore) Commit(ctx context.Context, step history.Step) error {
	close(s.taken)
	<-s.released
	return s.store.Commit(ctx, step)
}

// TestHangingDisk: a write that does not come to its end is a disk that takes
// nothing. What became of its notices meanwhile goes to the disk when it does.
func TestHangingDisk(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		outcome func(*outage) error
		dead    int
	}{
		"delivered": {func(c *outage) error {
			return c.outbox.Delivered(t.Context(), c.fired.ID, alerting.DeliveryRef{Thread: "C1/1"})
		}, 0},
		"refused": {func(c *outage) error { return c.outbox.DeadLetter(t.Context(), c.fired.ID, "400") }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newOutage(t)
			c.failingSince = time.Time{}
			disk := hangingStore{c.db, make(chan struct{}), make(chan struct{})}
			c.history = disk
			written := make(chan error, 1)
			go func() { written <- c.flush(t.Context()) }()
			<-disk.taken
			c.wantClaim(t, stuckAfter-time.Second, "")
			c.wantClaim(t, stuck, c.fired.ID)
			if err := tt.outcome(c); err != nil {
				t.Fatal(err)
			}
			if got := c.undelivered(); got != 0 {
				t.Errorf("got %d notices that wait, want none", got)
			}
			close(disk.released)
			if err := <-written; err != nil {
				t.Fatal(err)
			}
			c.history = c.db
			c.unblockDisk(t)
			c.wantClaim(t, 0, "")
			c.wantWaiting(t, 0, 0)
			if dead, err := c.db.DeadLetters(t.Context(), 0); err != nil || len(dead) != tt.dead {
				t.Errorf("got %d dead letters and error %v, want %d", len(dead), err, tt.dead)
			}
		})
	}
}

// A hangingOutbox answers when it is released.
type hangingOutbox struct {
	oneSlotOutbox
	released chan struct{}
}

func (o *hangingOutbox) Claim(context.Context, string, time.Time, time.Duration) (n alerting.Notification, ok bool, err error) {
	<-o.released
	return n, false, nil
}

func (o *hangingOutbox) Delivered(context.Context, string, alerting.DeliveryRef) error {
	<-o.released
	return nil
}

// TestHangingOutbox: whoever delivers does not wait for a disk that hangs, and what
// became of a notice is remembered.
func TestHangingOutbox(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newIncidentStore(nil, metrics.New(metrics.Build{}), func(alerting.Step) {}, slog.New(slog.DiscardHandler), alerting.Config{}, restoredState{})
		o := &hangingOutbox{released: make(chan struct{})}
		defer close(o.released)
		l := memoryOutbox{o, r}
		if _, ok, err := l.Claim(t.Context(), "ops", time.Now(), time.Minute); ok || !errors.Is(err, errHung) {
			t.Errorf("claiming: got %v, %v, want that the disk hangs", ok, err)
		}
		if err := l.Delivered(t.Context(), "1/ops/1", alerting.DeliveryRef{Thread: "C1/1"}); err != nil {
			t.Errorf("writing down a delivery: got %v", err)
		}
		if diff := cmp.Diff(map[string]alerting.DeliveryRef{"1/ops/1": {Thread: "C1/1"}}, r.unwritten.Delivered); diff != "" {
			t.Errorf("owed (-want +got):\n%s", diff)
		}
	})
}

// TestOwedNotificationsAreBounded: while the disk takes nothing, what goes on is superseded,
// and in the end the oldest give way.
func TestOwedNotificationsAreBounded(t *testing.T) {
	t.Parallel()
	w := newDiskFixture(t)
	of := func(incident string, number int, kind alerting.NotificationKind) alerting.Notification {
		return alerting.Notification{
			ID: alerting.NotificationID(incident, "ops", number), Receiver: "ops", Kind: kind,
			Incident: alerting.Incident{ID: incident}, News: []alerting.Event{{Text: fmt.Sprint(number)}},
		}
	}
	put := func(n alerting.Notification) { w.apply(func(time.Time) history.Step { return stepWith(n) }) }
	put(of("a", 1, alerting.NotificationFired))
	for n := range 3 {
		put(of("a", n+2, alerting.NotificationDeveloped))
	}
	put(of("b", 1, alerting.NotificationDeveloped))
	put(of("a", 5, alerting.NotificationResolved))
	var got []string
	for _, n := range w.unwritten.Notifications {
		got = append(got, n.ID)
	}
	if diff := cmp.Diff([]string{"a/ops/1", "b/ops/1", "a/ops/5"}, got); diff != "" {
		t.Errorf("owed (-want +got):\n%s", diff)
	}
	if news := w.unwritten.Notifications[2].News; len(news) != 4 {
		t.Errorf("got news %v, want that of all", news)
	}
	var more []alerting.Notification
	for n := range mostOwed {
		more = append(more, of(fmt.Sprint("more", n), 1, alerting.NotificationFired))
	}
	w.apply(func(time.Time) history.Step { return stepWith(more...) })
	if got := len(w.unwritten.Notifications); got != mostOwed || w.unwritten.Notifications[0].ID != "more0/ops/1" {
		t.Errorf("got %d notices from %q on", got, w.unwritten.Notifications[0].ID)
	}
	wantMetrics(t, w.metrics, `stickwatch_notifications_total{receiver="ops",result="buried"} 3`)
}

// TestNoPendingNotificationBeforeWhatIsOnTheDisk: the end is not told before the beginning, and
// other incidents do not wait for that.
func TestNoPendingNotificationBeforeWhatIsOnTheDisk(t *testing.T) {
	t.Parallel()
	c := newOutage(t)
	c.unblockDisk(t)
	c.heals("shop")
	c.blockDisk(t)
	c.wantClaim(t, stuck, "")
	c.breaks("mail")
	c.wantClaim(t, stuck, c.unwritten.Notifications[1].ID)
}

// TestCrisis: a dispatcher tells everything once, from memory and from the disk.
func TestCrisis(t *testing.T) {
	t.Parallel()
	c := newOutage(t)
	c.failingSince = c.failingSince.Add(-stuck)
	said := make(chan string, 10)
	dispatcher := notify.NewDispatcher(notify.DispatcherConfig{
		Outbox: c.outbox, Notifiers: map[string]alerting.Notifier{"ops": observeOnce(said)}, Poll: time.Millisecond,
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); dispatcher.Run(ctx) }()
	got := []string{<-said}
	c.unblockDisk(t)
	c.heals("shop")
	c.unblockDisk(t)
	got = append(got, <-said)
	cancel()
	<-done
	close(said)
	for more := range said {
		got = append(got, more)
	}
	if diff := cmp.Diff([]string{c.fired.ID, alerting.NotificationID(c.fired.Incident.ID, "ops", 2)}, got); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
	c.wantWaiting(t, 0, 0)
}

// A observeOnce is a receiver that takes everything.
type observeOnce chan<- string

func (s observeOnce) Notify(_ context.Context, n alerting.Notification) (alerting.DeliveryRef, error) {
	s <- n.ID
	return alerting.DeliveryRef{}, nil
}

// TestQueueLength: what waits for the disk waits, too.
func TestQueueLength(t *testing.T) {
	t.Parallel()
	c := newOutage(t)
	d := &Daemon{history: c.db, incidentStore: c.incidentStore, metrics: metrics.New(metrics.Build{}), logger: slog.New(slog.DiscardHandler)}
	count := func(want string) {
		t.Helper()
		d.countNotifications(t.Context())
		wantMetrics(t, d.metrics, "stickwatch_notification_queue_length "+want)
	}
	count("1")
	c.breaks("mail")
	count("2")
	c.unblockDisk(t)
	count("2")
	for range 2 {
		if err := c.db.Delivered(t.Context(), c.claim(t, 0).ID, alerting.DeliveryRef{}); err != nil {
			t.Fatal(err)
		}
	}
	count("0")
}

// A moodyStore takes nothing until it is well.
type moodyStore struct {
	store
	well atomic.Bool
}

func (s *moodyStore) Commit(context.Context, history.Step) error {
	if s.well.Load() {
		return nil
	}
	return errors.New("no space left on device")
}

// TestRecoveryIsLogged: once the disk takes incidents again the log says so, once.
func TestRecoveryIsLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		disk := new(moodyStore)
		r := newIncidentStore(disk, metrics.New(metrics.Build{}), func(alerting.Step) {}, slog.New(slog.NewTextHandler(&log, nil)), alerting.Config{}, restoredState{})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { r.run(ctx) })
		r.setClusters([]string{"shop"})
		r.observe("shop", []checks.Change{{Kind: checks.Appeared, ActiveFinding: redisDown(), At: time.Now()}}, []checks.ActiveFinding{redisDown()})
		time.Sleep(90 * time.Second)
		disk.well.Store(true)
		time.Sleep(time.Minute)
		cancel()
		running.Wait()
		if got := strings.Count(log.String(), "incidents are written again"); got != 1 || strings.Count(log.String(), "kept in memory") != 2 {
			t.Errorf("got %d lines that it is well:\n%s", got, log.String())
		}
	})
}
