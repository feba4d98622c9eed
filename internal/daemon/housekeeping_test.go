package daemon

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/alerting"
	"stickwatch/checks"
	"stickwatch/internal/config"
	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/internal/notify"
)

// A keepingReceiver records the causes of the incidents that are resent to it.
type keepingReceiver struct {
	receiver
	kept [][]string
}

func (r *keepingReceiver) Refresh(_ context.Context, open []alerting.Incident) error {
	var causes []string
	for _, i := range open {
		causes = append(causes, i.Cause.Key())
	}
	r.kept = append(r.kept, causes)
	return nil
}

// TestPeriodicTasks: the tasks count notifications and deployments, save the
// counters, and resend open incidents.
func TestPeriodicTasks(t *testing.T) {
	t.Parallel()
	w := newDiskFixture(t)
	w.setClusters([]string{"shop"})
	w.breaks("shop")
	must.Succeed(t, w.queue.Flush(t.Context()))
	if _, err := w.db.BeginDeployment(t.Context(), checks.Deployment{Cluster: "shop", Name: "4.2", Span: checks.Span{From: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	ops := new(keepingReceiver)
	d := &Daemon{clock: newSteadyClock(), history: w.db, metrics: w.metrics, incidentService: w.incidentService, writeQueue: w.queue, logger: slog.New(slog.DiscardHandler)}
	d.active.Store(&activeConfig{config: new(config.Config)})
	d.deliverer = notify.NewDeliverer(notify.DelivererConfig{Outbox: w.db, Observe: d.countDelivery, Logger: d.logger})
	d.deliverer.SetReceivers(map[string]alerting.Notifier{"ops": ops})
	for _, c := range d.periodicTasks() {
		c.do(t.Context())
	}
	expect.Equal(t, "resent", [][]string{{"dependency_down/Redis"}}, ops.kept)
	wantMetrics(t, w.metrics, "stickwatch_notification_queue_length 1", `stickwatch_deployment_active{cluster="shop",deployment="4.2"} 1`)
	if n := len(w.restored(t).Counters); n == 0 {
		t.Error("no counters were kept")
	}
}

// TestHangingPeriodicTask: a task that hangs does not delay the others.
func TestHangingPeriodicTask(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var done int
		periodicTasks := []periodicTask{
			{time.Second, func(ctx context.Context) { <-ctx.Done() }},
			{time.Second, func(context.Context) { done++ }},
		}
		ended := make(chan struct{})
		go func() { defer close(ended); runPeriodically(ctx, periodicTasks) }()
		time.Sleep(10*time.Second + time.Millisecond)
		cancel()
		<-ended
		expect.Equal(t, "runs of the other task in 10 s", 10, done)
	})
}

// TestQueueLength: the metric includes notifications that are not written yet.
func TestQueueLength(t *testing.T) {
	t.Parallel()
	w := newDiskFixture(t)
	w.setClusters([]string{"shop", "mail"})
	d := &Daemon{clock: newSteadyClock(), history: w.db, incidentService: w.incidentService, writeQueue: w.queue, metrics: w.metrics, logger: slog.New(slog.DiscardHandler)}
	wantLength := func(want string) {
		t.Helper()
		d.countNotifications(t.Context())
		wantMetrics(t, d.metrics, "stickwatch_notification_queue_length "+want)
	}
	w.breaks("shop")
	wantLength("1")
	w.breaks("mail")
	wantLength("2")
	must.Succeed(t, w.queue.Flush(t.Context()))
	wantLength("2")
	for range 2 {
		n, ok, err := w.db.Claim(t.Context(), "ops", time.Now(), time.Minute)
		if err != nil || !ok {
			t.Fatalf("claiming: got %t and error %v", ok, err)
		}
		must.Succeed(t, w.db.Delivered(t.Context(), n.ID, alerting.DeliveryRef{}))
	}
	wantLength("0")
}
