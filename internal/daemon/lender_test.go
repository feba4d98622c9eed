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
)

// A crisis is a ward whose disk takes nothing, and the outbox that it has.
type crisis struct {
	*ward
	outbox lender
	fired  alerting.Notice // as it is owed
}

// newCrisis is one in which an incident has fired.
func newCrisis(t *testing.T) *crisis {
	t.Helper()
	w := newWard(t)
	w.watch([]string{"shop", "mail"})
	c := &crisis{ward: w, outbox: lender{w.db, w.registry}}
	w.breaks("shop")
	c.full(t)
	c.fired = w.owed.Notices[0]
	return c
}

// full lets the disk refuse what is owed.
func (c *crisis) full(t *testing.T) {
	t.Helper()
	ended, end := context.WithCancel(t.Context())
	end()
	if err := c.settle(ended); err == nil {
		t.Fatal("the disk took what is owed")
	}
}

// room lets the disk take what is owed.
func (c *crisis) room(t *testing.T) {
	t.Helper()
	if err := c.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// heals ends what breaks began.
func (c *crisis) heals(cluster string) {
	s := redisDown()
	c.observe(cluster, []checks.Change{{Kind: checks.Gone, Standing: s, At: time.Now()}}, nil)
}

// claim claims a notice at a time from now on, by which the disk has failed for
// so long.
func (c *crisis) claim(t *testing.T, after time.Duration) alerting.Notice {
	t.Helper()
	n, ok, err := c.outbox.Claim(t.Context(), "ops", time.Now().Add(after), time.Minute)
	if err != nil || ok != (n.ID != "") {
		t.Fatalf("got notice %q, %v and error %v", n.ID, ok, err)
	}
	return n
}

func (c *crisis) wantClaim(t *testing.T, after time.Duration, want string) alerting.Notice {
	t.Helper()
	n := c.claim(t, after)
	if n.ID != want {
		t.Errorf("after %s: got notice %q, want %q", after, n.ID, want)
	}
	return n
}

// wantWaiting compares how many notices wait on the disk and for it.
func (c *crisis) wantWaiting(t *testing.T, onDisk, forDisk int) {
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

// TestLoan: what the disk does not take is delivered from memory after a while,
// and not again when there is room.
func TestLoan(t *testing.T) {
	t.Parallel()
	c := newCrisis(t)
	c.wantWaiting(t, 0, 1)
	c.wantClaim(t, stuckAfter-time.Second, "")
	n := c.wantClaim(t, stuck, c.fired.ID)
	if n.Attempts != 1 {
		t.Errorf("got attempt %d, want the first", n.Attempts)
	}
	c.wantClaim(t, stuck, "")
	if err := c.outbox.Delivered(t.Context(), n.ID, alerting.Receipt{Thread: "C1/1"}); err != nil {
		t.Fatal(err)
	}
	c.wantWaiting(t, 0, 0)
	c.heals("shop")
	c.full(t)
	end := c.wantClaim(t, stuck, alerting.NoticeID(n.Incident.ID, "ops", 2))
	if end.Kind != alerting.NoticeResolved || end.Thread != "C1/1" {
		t.Errorf("got %s in thread %q, want the end in the thread of the beginning", end.Kind, end.Thread)
	}
	if err := c.outbox.Retry(t.Context(), end.ID, time.Now().Add(time.Hour), "503"); err != nil {
		t.Fatal(err)
	}
	c.wantClaim(t, stuck, "")
	c.room(t)
	c.wantWaiting(t, 1, 0)
	if again := c.wantClaim(t, 0, end.ID); again.Attempts != 2 || again.Thread != "C1/1" {
		t.Errorf("got attempt %d in thread %q, want the second in that of the beginning", again.Attempts, again.Thread)
	}
	if len(c.loans) > 0 {
		t.Errorf("%d loans are kept for ever", len(c.loans))
	}
}

// TestLoanThatIsWrittenMeanwhile: its outcome goes to the disk, whatever it is.
func TestLoanThatIsWrittenMeanwhile(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		outcome func(*crisis, context.Context) error
		waiting int
		dead    int
	}{
		"delivered": {func(c *crisis, ctx context.Context) error {
			return c.outbox.Delivered(ctx, c.fired.ID, alerting.Receipt{})
		}, 0, 0},
		"to be tried again": {func(c *crisis, ctx context.Context) error {
			return c.outbox.Retry(ctx, c.fired.ID, time.Now(), "503")
		}, 1, 0},
		"given up": {func(c *crisis, ctx context.Context) error { return c.outbox.Bury(ctx, c.fired.ID, "400") }, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCrisis(t)
			c.wantClaim(t, stuck, c.fired.ID)
			c.room(t)
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

// TestLoanThatIsRefused is not lent again, and given up when there is room.
func TestLoanThatIsRefused(t *testing.T) {
	t.Parallel()
	c := newCrisis(t)
	c.wantClaim(t, stuck, c.fired.ID)
	if err := c.outbox.Bury(t.Context(), c.fired.ID, "400"); err != nil {
		t.Fatal(err)
	}
	c.wantClaim(t, time.Hour, "")
	c.room(t)
	c.wantClaim(t, 0, "")
	dead, err := c.db.DeadLetters(t.Context(), 0)
	if err != nil || len(dead) != 1 || dead[0].Reason != "400" {
		t.Errorf("got dead letters %+v and error %v, want the one that was refused", dead, err)
	}
}

// TestRefusedLoanHoldsUpNothing: though the beginning of an incident was refused, its
// end is told while the disk takes nothing.
func TestRefusedLoanHoldsUpNothing(t *testing.T) {
	t.Parallel()
	c := newCrisis(t)
	c.wantClaim(t, stuck, c.fired.ID)
	if err := c.outbox.Bury(t.Context(), c.fired.ID, "400"); err != nil {
		t.Fatal(err)
	}
	c.heals("shop")
	c.full(t)
	c.wantClaim(t, stuck, alerting.NoticeID(c.fired.Incident.ID, "ops", 2))
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
		outcome func(*crisis) error
		dead    int
	}{
		"delivered": {func(c *crisis) error {
			return c.outbox.Delivered(t.Context(), c.fired.ID, alerting.Receipt{Thread: "C1/1"})
		}, 0},
		"refused": {func(c *crisis) error { return c.outbox.Bury(t.Context(), c.fired.ID, "400") }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCrisis(t)
			c.failing = time.Time{}
			disk := hangingStore{c.db, make(chan struct{}), make(chan struct{})}
			c.history = disk
			written := make(chan error, 1)
			go func() { written <- c.settle(t.Context()) }()
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
			c.room(t)
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
	tray
	released chan struct{}
}

func (o *hangingOutbox) Claim(context.Context, string, time.Time, time.Duration) (n alerting.Notice, ok bool, err error) {
	<-o.released
	return n, false, nil
}

func (o *hangingOutbox) Delivered(context.Context, string, alerting.Receipt) error {
	<-o.released
	return nil
}

// TestHangingOutbox: whoever delivers does not wait for a disk that hangs, and what
// became of a notice is remembered.
func TestHangingOutbox(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRegistry(nil, metrics.New(metrics.Build{}), func(alerting.Step) {}, slog.New(slog.DiscardHandler), alerting.Config{}, legacy{})
		o := &hangingOutbox{released: make(chan struct{})}
		defer close(o.released)
		l := lender{o, r}
		if _, ok, err := l.Claim(t.Context(), "ops", time.Now(), time.Minute); ok || !errors.Is(err, errHung) {
			t.Errorf("claiming: got %v, %v, want that the disk hangs", ok, err)
		}
		if err := l.Delivered(t.Context(), "1/ops/1", alerting.Receipt{Thread: "C1/1"}); err != nil {
			t.Errorf("writing down a delivery: got %v", err)
		}
		if diff := cmp.Diff(map[string]alerting.Receipt{"1/ops/1": {Thread: "C1/1"}}, r.owed.Delivered); diff != "" {
			t.Errorf("owed (-want +got):\n%s", diff)
		}
	})
}

// TestOwedNoticesAreBounded: while the disk takes nothing, what goes on is superseded,
// and in the end the oldest give way.
func TestOwedNoticesAreBounded(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	of := func(incident string, number int, kind alerting.NoticeKind) alerting.Notice {
		return alerting.Notice{
			ID: alerting.NoticeID(incident, "ops", number), Receiver: "ops", Kind: kind,
			Incident: alerting.Incident{ID: incident}, News: []alerting.Event{{Text: fmt.Sprint(number)}},
		}
	}
	put := func(n alerting.Notice) { w.do(func(time.Time) history.Step { return stepOf(n) }) }
	put(of("a", 1, alerting.NoticeFired))
	for n := range 3 {
		put(of("a", n+2, alerting.NoticeDeveloped))
	}
	put(of("b", 1, alerting.NoticeDeveloped))
	put(of("a", 5, alerting.NoticeResolved))
	var got []string
	for _, n := range w.owed.Notices {
		got = append(got, n.ID)
	}
	if diff := cmp.Diff([]string{"a/ops/1", "b/ops/1", "a/ops/5"}, got); diff != "" {
		t.Errorf("owed (-want +got):\n%s", diff)
	}
	if news := w.owed.Notices[2].News; len(news) != 4 {
		t.Errorf("got news %v, want that of all", news)
	}
	var more []alerting.Notice
	for n := range mostOwed {
		more = append(more, of(fmt.Sprint("more", n), 1, alerting.NoticeFired))
	}
	w.do(func(time.Time) history.Step { return stepOf(more...) })
	if got := len(w.owed.Notices); got != mostOwed || w.owed.Notices[0].ID != "more0/ops/1" {
		t.Errorf("got %d notices from %q on", got, w.owed.Notices[0].ID)
	}
	wantMetrics(t, w.metrics, `stickwatch_notifications_total{receiver="ops",result="buried"} 3`)
}

// TestNoLoanBeforeWhatIsOnTheDisk: the end is not told before the beginning, and
// other incidents do not wait for that.
func TestNoLoanBeforeWhatIsOnTheDisk(t *testing.T) {
	t.Parallel()
	c := newCrisis(t)
	c.room(t)
	c.heals("shop")
	c.full(t)
	c.wantClaim(t, stuck, "")
	c.breaks("mail")
	c.wantClaim(t, stuck, c.owed.Notices[1].ID)
}

// TestCrisis: a dispatcher tells everything once, from memory and from the disk.
func TestCrisis(t *testing.T) {
	t.Parallel()
	c := newCrisis(t)
	c.failing = c.failing.Add(-stuck)
	said := make(chan string, 10)
	dispatcher := alerting.NewDispatcher(alerting.DispatcherConfig{
		Outbox: c.outbox, Notifiers: map[string]alerting.Notifier{"ops": gossip(said)}, Poll: time.Millisecond,
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); dispatcher.Run(ctx) }()
	got := []string{<-said}
	c.room(t)
	c.heals("shop")
	c.room(t)
	got = append(got, <-said)
	cancel()
	<-done
	close(said)
	for more := range said {
		got = append(got, more)
	}
	if diff := cmp.Diff([]string{c.fired.ID, alerting.NoticeID(c.fired.Incident.ID, "ops", 2)}, got); diff != "" {
		t.Errorf("said (-want +got):\n%s", diff)
	}
	c.wantWaiting(t, 0, 0)
}

// A gossip is a receiver that takes everything.
type gossip chan<- string

func (s gossip) Notify(_ context.Context, n alerting.Notice) (alerting.Receipt, error) {
	s <- n.ID
	return alerting.Receipt{}, nil
}

// TestQueueLength: what waits for the disk waits, too.
func TestQueueLength(t *testing.T) {
	t.Parallel()
	c := newCrisis(t)
	d := &Daemon{history: c.db, registry: c.registry, metrics: metrics.New(metrics.Build{}), logger: slog.New(slog.DiscardHandler)}
	count := func(want string) {
		t.Helper()
		d.countNotices(t.Context())
		wantMetrics(t, d.metrics, "stickwatch_notification_queue_length "+want)
	}
	count("1")
	c.breaks("mail")
	count("2")
	c.room(t)
	count("2")
	for range 2 {
		if err := c.db.Delivered(t.Context(), c.claim(t, 0).ID, alerting.Receipt{}); err != nil {
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
		r := newRegistry(disk, metrics.New(metrics.Build{}), func(alerting.Step) {}, slog.New(slog.NewTextHandler(&log, nil)), alerting.Config{}, legacy{})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { r.run(ctx) })
		r.watch([]string{"shop"})
		r.observe("shop", []checks.Change{{Kind: checks.Appeared, Standing: redisDown(), At: time.Now()}}, []checks.Standing{redisDown()})
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
