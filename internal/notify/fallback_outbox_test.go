package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/expect"
	"stickwatch/internal/history"
	"stickwatch/internal/must"
)

// An outage is an incident manager, its write queue, and a history whose disk can be
// made to refuse everything.
type outage struct {
	*WriteQueue
	db      *history.DB
	manager *alerting.Manager
	outbox  PendingOutbox
	fired   alerting.Notification // in the queue
}

// newOutage returns an outage during which an incident has fired.
func newOutage(t *testing.T) *outage {
	t.Helper()
	db, err := history.Open(t.Context(), history.Config{Path: filepath.Join(t.TempDir(), "history.db")})
	must.Succeed(t, err)
	t.Cleanup(func() { _ = db.Close(t.Context()) })
	queue := newQueue(db)
	o := &outage{
		WriteQueue: queue, db: db, outbox: NewFallbackOutbox(db, queue),
		manager: alerting.NewManager(alerting.Config{Receivers: []string{"ops"}}, nil),
	}
	o.breaks("shop")
	o.blockDisk(t)
	o.fired = o.unwritten.Notifications[0]
	return o
}

func newQueue(store Store) *WriteQueue {
	return NewWriteQueue(QueueConfig{
		Store: store, Written: func(alerting.Decision) {}, Observe: func(string, Result) {}, Logger: slog.New(slog.DiscardHandler),
	})
}

// blockDisk makes the disk refuse the unwritten write sets.
func (o *outage) blockDisk(t *testing.T) {
	t.Helper()
	ended, end := context.WithCancel(t.Context())
	end()
	if err := o.Flush(ended); err == nil {
		t.Fatal("got no error of the disk")
	}
}

// unblockDisk writes the unwritten write sets.
func (o *outage) unblockDisk(t *testing.T) {
	t.Helper()
	must.Succeed(t, o.Flush(t.Context()))
}

// breaks makes Redis fail in a cluster, which fires an incident.
func (o *outage) breaks(cluster string) {
	f := redisDown()
	o.observe(cluster, checks.Appeared, f, f)
}

// heals ends the failure of Redis in a cluster, which resolves its incident.
func (o *outage) heals(cluster string) { o.observe(cluster, checks.Gone, redisDown()) }

func (o *outage) observe(cluster string, kind checks.ChangeKind, changed checks.ActiveFinding, active ...checks.ActiveFinding) {
	at := time.Now()
	o.Add(history.WriteSet{Decision: o.manager.Observe(at, cluster, []checks.Change{{Kind: kind, ActiveFinding: changed, At: at}}, active)})
}

func redisDown() checks.ActiveFinding {
	at := time.Now()
	return checks.ActiveFinding{
		Finding: checks.Finding{Code: checks.DependencyDown, Severity: checks.Critical, Dependency: "Redis"}, Since: at, Last: at,
	}
}

// claim claims a notification after a time during which the disk has failed.
func (o *outage) claim(t *testing.T, after time.Duration) alerting.Notification {
	t.Helper()
	n, ok, err := o.outbox.Claim(t.Context(), "ops", time.Now().Add(after), time.Minute)
	if err != nil || ok != (n.ID != "") {
		t.Fatalf("got notification %q, %v and error %v", n.ID, ok, err)
	}
	return n
}

func (o *outage) wantClaim(t *testing.T, after time.Duration, want string) alerting.Notification {
	t.Helper()
	n := o.claim(t, after)
	if n.ID != want {
		t.Errorf("after %s: got notification %q, want %q", after, n.ID, want)
	}
	return n
}

// wantWaiting compares the numbers of undelivered notifications on the disk and in
// the queue.
func (o *outage) wantWaiting(t *testing.T, onDisk, forDisk int) {
	t.Helper()
	pending, err := o.db.Pending(t.Context())
	must.Succeed(t, err)
	if got := o.Undelivered(); pending["ops"] != onDisk || got != forDisk {
		t.Errorf("got %d waiting on the disk and %d for it, want %d and %d", pending["ops"], got, onDisk, forDisk)
	}
}

const stuck = stuckAfter + time.Second

// TestFallbackOutbox: notifications that the disk refuses are delivered from memory
// after stuckAfter, and not again after its recovery.
func TestFallbackOutbox(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	o.wantWaiting(t, 0, 1)
	o.wantClaim(t, stuckAfter-time.Second, "")
	n := o.wantClaim(t, stuck, o.fired.ID)
	if n.Attempts != 1 {
		t.Errorf("got attempt %d, want the first", n.Attempts)
	}
	o.wantClaim(t, stuck, "")
	must.Succeed(t, o.outbox.Delivered(t.Context(), n.ID, alerting.DeliveryRef{Thread: "C1/1"}))
	o.wantWaiting(t, 0, 0)
	o.heals("shop")
	o.blockDisk(t)
	end := o.wantClaim(t, stuck, alerting.NotificationID(n.Incident.ID, "ops", 2))
	if end.Kind != alerting.NotificationResolved || end.Thread != "C1/1" {
		t.Errorf("got %s in thread %q, want the end in the thread of the beginning", end.Kind, end.Thread)
	}
	must.Succeed(t, o.outbox.Retry(t.Context(), end.ID, time.Now().Add(time.Hour), "503"))
	o.wantClaim(t, stuck, "")
	o.unblockDisk(t)
	o.wantWaiting(t, 1, 0)
	o.wantClaim(t, 0, "")
	if again := o.wantClaim(t, time.Hour, end.ID); again.Attempts < 2 || again.Thread != "C1/1" {
		t.Errorf("got attempt %d in thread %q, want a later one in that of the beginning", again.Attempts, again.Thread)
	}
	if len(o.claims) > 0 {
		t.Errorf("%d notifications stay pending for ever", len(o.claims))
	}
}

// TestWrittenPendingNotification: its outcome is written to the disk.
func TestWrittenPendingNotification(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		outcome func(*outage, context.Context) error
		waiting int
		dead    int
	}{
		"delivered": {func(o *outage, ctx context.Context) error {
			return o.outbox.Delivered(ctx, o.fired.ID, alerting.DeliveryRef{})
		}, 0, 0},
		"to be tried again": {func(o *outage, ctx context.Context) error {
			return o.outbox.Retry(ctx, o.fired.ID, time.Now(), "503")
		}, 1, 0},
		"given up": {func(o *outage, ctx context.Context) error { return o.outbox.DeadLetter(ctx, o.fired.ID, "400") }, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOutage(t)
			o.wantClaim(t, stuck, o.fired.ID)
			o.unblockDisk(t)
			must.Succeed(t, tt.outcome(o, t.Context()))
			o.wantWaiting(t, tt.waiting, 0)
			if dead, err := o.db.DeadLetters(t.Context(), 0); err != nil || len(dead) != tt.dead {
				t.Errorf("got %d dead letters and error %v, want %d", len(dead), err, tt.dead)
			}
		})
	}
}

// TestRefusedPendingNotification: it is not claimed again, and it is a dead
// letter on the disk after its recovery.
func TestRefusedPendingNotification(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	o.wantClaim(t, stuck, o.fired.ID)
	must.Succeed(t, o.outbox.DeadLetter(t.Context(), o.fired.ID, "400"))
	o.wantClaim(t, time.Hour, "")
	o.unblockDisk(t)
	o.wantClaim(t, 0, "")
	dead, err := o.db.DeadLetters(t.Context(), 0)
	if err != nil || len(dead) != 1 || dead[0].Reason != "400" {
		t.Errorf("got dead letters %+v and error %v, want the one that was refused", dead, err)
	}
}

// TestDeadLetterInQueue: after a dead letter, the Resolved
// notification of the incident is delivered from memory.
func TestDeadLetterInQueue(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	o.wantClaim(t, stuck, o.fired.ID)
	must.Succeed(t, o.outbox.DeadLetter(t.Context(), o.fired.ID, "400"))
	o.heals("shop")
	o.blockDisk(t)
	o.wantClaim(t, stuck, alerting.NotificationID(o.fired.Incident.ID, "ops", 2))
}

// A hangingStore blocks in Commit until it is released.
type hangingStore struct {
	Store
	taken, released chan struct{}
}

func (s hangingStore) Commit(ctx context.Context, set history.WriteSet) error {
	close(s.taken)
	<-s.released
	return s.Store.Commit(ctx, set)
}

// TestTakenHistory: while another process has the history, that process notifies, and nothing is
// delivered from memory.
func TestTakenHistory(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	o.config.Store = takenHistory{o.config.Store}
	if err := o.Flush(t.Context()); err == nil {
		t.Fatal("got no error of a history that another process has")
	}
	o.wantClaim(t, stuck, "")
}

// A takenHistory is one that another process writes.
type takenHistory struct{ Store }

func (takenHistory) Commit(context.Context, history.WriteSet) error {
	return fmt.Errorf("committing: %w", &history.InUseError{Path: "postgres://db/stickwatch"})
}

// TestFullDatabase: an instance of a fleet whose database answers, but has no space, notifies from memory
// while the database says so: this instance has the leases. After a pause nobody knows.
func TestFullDatabase(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	o.config.Alone = func() (string, bool) { return "mon1", false }
	o.failingSince = o.failingSince.Add(-stuck)
	o.wantClaim(t, 0, "")
	o.config.Store = fullStore{o.config.Store}
	if err := o.Flush(t.Context()); err == nil {
		t.Fatal("got no error of a full database")
	}
	o.wantClaim(t, history.LeaseTime, "")
	if n := o.wantClaim(t, 0, o.fired.ID); n.Alone != "" {
		t.Errorf("got a notification of %q alone, want one as usual", n.Alone)
	}
}

// A fullStore is a database without space.
type fullStore struct{ Store }

type fullError struct{}

func (fullError) Error() string { return "No space left on device" }
func (fullError) Full() bool    { return true }

func (fullStore) Commit(context.Context, history.WriteSet) error {
	return fmt.Errorf("committing: %w", fullError{})
}

// TestHangingDisk: a write that does not return counts as a stuck disk. Outcomes of
// notifications in that write are written after it.
func TestHangingDisk(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		outcome func(*outage) error
		dead    int
	}{
		"delivered": {func(o *outage) error {
			return o.outbox.Delivered(t.Context(), o.fired.ID, alerting.DeliveryRef{Thread: "C1/1"})
		}, 0},
		"refused": {func(o *outage) error { return o.outbox.DeadLetter(t.Context(), o.fired.ID, "400") }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, endWrite := newHangingWrite(t)
			o.wantClaim(t, stuckAfter-time.Second, "")
			o.wantClaim(t, stuck, o.fired.ID)
			must.Succeed(t, tt.outcome(o))
			expect.Equal(t, "notifications that wait", 0, o.Undelivered())
			endWrite()
			o.config.Store = o.db
			o.unblockDisk(t)
			o.wantClaim(t, 0, "")
			o.wantWaiting(t, 0, 0)
			if dead, err := o.db.DeadLetters(t.Context(), 0); err != nil || len(dead) != tt.dead {
				t.Errorf("got %d dead letters and error %v, want %d", len(dead), err, tt.dead)
			}
		})
	}
}

// newHangingWrite returns an outage in which a write hangs, and a function that ends the write.
func newHangingWrite(t *testing.T) (o *outage, endWrite func()) {
	t.Helper()
	o = newOutage(t)
	o.failingSince = time.Time{}
	disk := hangingStore{o.db, make(chan struct{}), make(chan struct{})}
	o.config.Store = disk
	written := make(chan error, 1)
	go func() { written <- o.Flush(t.Context()) }()
	<-disk.taken
	return o, func() {
		t.Helper()
		close(disk.released)
		must.Succeed(t, <-written)
	}
}

// TestAttemptDuringHangingWrite: a write that returns while an attempt from memory is in
// progress makes nobody else attempt it, and later attempts are not the first.
func TestAttemptDuringHangingWrite(t *testing.T) {
	t.Parallel()
	o, endWrite := newHangingWrite(t)
	o.wantClaim(t, stuck, o.fired.ID)
	endWrite()
	o.wantClaim(t, 0, "") // the attempt has a lease
	must.Succeed(t, o.outbox.Retry(t.Context(), o.fired.ID, time.Now(), "timeout"))
	if again := o.wantClaim(t, 0, o.fired.ID); again.Attempts < 2 {
		t.Errorf("got attempt %d, want a later one than the first, so that the receiver is searched", again.Attempts)
	}
	if len(o.claims) > 0 {
		t.Errorf("%d notifications stay pending for ever", len(o.claims))
	}
}

// A hangingOutbox blocks until it is released.
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

// TestHangingOutbox: a hanging disk does not block a worker, and the outcome is kept
// in memory.
func TestHangingOutbox(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(nil)
		o := &hangingOutbox{released: make(chan struct{})}
		defer close(o.released)
		m := NewFallbackOutbox(o, q)
		if _, ok, err := m.Claim(t.Context(), "ops", time.Now(), time.Minute); ok || !errors.Is(err, history.ErrHangs) {
			t.Errorf("claiming: got %v, %v, want that the disk hangs", ok, err)
		}
		if err := m.Delivered(t.Context(), "1/ops/1", alerting.DeliveryRef{Thread: "C1/1"}); err != nil {
			t.Errorf("writing down a delivery: got %v", err)
		}
		expect.Equal(t, "outcomes", map[string]alerting.DeliveryRef{"1/ops/1": {Thread: "C1/1"}}, q.unwritten.Delivered)
	})
}

// An awayOutbox is that of a database that does not answer.
type awayOutbox struct{ PendingOutbox }

type awayError struct{}

func (awayError) Error() string     { return "connection refused" }
func (awayError) Unavailable() bool { return true }

func (awayOutbox) Delivered(context.Context, string, alerting.DeliveryRef) error {
	return fmt.Errorf("recording: %w", awayError{})
}

// TestDeliveryWhileDatabaseIsAway: an outcome that the database cannot take does not block the
// worker of the receiver; it is written with the next write set.
func TestDeliveryWhileDatabaseIsAway(t *testing.T) {
	t.Parallel()
	q := newQueue(nil)
	m := NewFallbackOutbox(awayOutbox{}, q)
	if err := m.Delivered(t.Context(), "1/ops/1", alerting.DeliveryRef{Thread: "C1/1"}); err != nil {
		t.Errorf("got error %v, want that the outcome is kept", err)
	}
	expect.Equal(t, "outcomes", map[string]alerting.DeliveryRef{"1/ops/1": {Thread: "C1/1"}}, q.unwritten.Delivered)
}

// TestQueueWaitsForDisk: a Resolved notification waits for
// the Fired one on the disk, but other incidents do not.
func TestQueueWaitsForDisk(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	o.unblockDisk(t)
	o.heals("shop")
	o.blockDisk(t)
	o.wantClaim(t, stuck, "")
	o.breaks("mail")
	o.wantClaim(t, stuck, o.unwritten.Notifications[1].ID)
}

// TestDeliveryDuringOutage: a dispatcher delivers every notification once, from memory and from the
// disk.
func TestDeliveryDuringOutage(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	o.failingSince = o.failingSince.Add(-stuck)
	accepted := make(chan string, 10)
	dispatcher := NewDispatcher(DispatcherConfig{
		Outbox: o.outbox, Notifiers: map[string]alerting.Notifier{"ops": acceptingReceiver(accepted)}, Poll: time.Millisecond,
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); dispatcher.Run(ctx) }()
	got := []string{<-accepted}
	o.unblockDisk(t)
	o.heals("shop")
	o.unblockDisk(t)
	got = append(got, <-accepted)
	cancel()
	<-done
	close(accepted)
	for more := range accepted {
		got = append(got, more)
	}
	expect.Equal(t, "accepted", []string{o.fired.ID, alerting.NotificationID(o.fired.Incident.ID, "ops", 2)}, got)
	o.wantWaiting(t, 0, 0)
}

// An acceptingReceiver is a receiver that accepts everything.
type acceptingReceiver chan<- string

func (a acceptingReceiver) Notify(_ context.Context, n alerting.Notification) (alerting.DeliveryRef, error) {
	a <- n.ID
	return alerting.DeliveryRef{}, nil
}

// TestSkippingWrittenNotification: a question about a claimed notification that has been written
// meanwhile does not give it to another worker.
func TestSkippingWrittenNotification(t *testing.T) {
	t.Parallel()
	o := newOutage(t)
	n := o.wantClaim(t, stuck, o.fired.ID)
	o.unblockDisk(t)
	if _, err := o.outbox.SkipToResolved(t.Context(), n.ID); err != nil {
		t.Fatal(err)
	}
	o.wantClaim(t, stuck, "")
}
