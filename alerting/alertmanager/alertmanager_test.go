package alertmanager_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"stickwatch/alerting"
	"stickwatch/alerting/alertmanager"
	"stickwatch/alerting/internal/example"
	"stickwatch/alerting/internal/receivertest"
	"stickwatch/internal/expect"
	"stickwatch/internal/notify/outboxtest"
)

// TestAlerts compares the sent alerts with the golden files.
func TestAlerts(t *testing.T) {
	for language, writer := range receivertest.Writers() {
		for _, n := range []alerting.Notification{example.Fired(), example.Developed(), example.Reminder(), example.Resolved(), example.Deployment()} {
			name := fmt.Sprintf("%s_%s.json", language, n.Kind)
			t.Run(name, func(t *testing.T) {
				in(t, func(t *testing.T, f *fake) {
					time.Sleep(time.Until(n.At))
					ref, err := f.client(t, writer).Notify(t.Context(), n)
					if err != nil || ref != (alerting.DeliveryRef{}) {
						t.Fatalf("got reference %v, error %v, want none", ref, err)
					}
					expect.Golden(t, "testdata/"+name, receivertest.Indent(t, f.bodies[0]))
				})
			})
		}
	}
}

// TestRefresh: firing alerts are repeated before they expire.
func TestRefresh(t *testing.T) {
	in(t, func(t *testing.T, f *fake) {
		a, n := f.client(t, receivertest.English()), example.Fired()
		time.Sleep(time.Until(n.At))
		deliver(t, a, n)
		for range 2 {
			time.Sleep(alertmanager.DefaultResend)
			refresh(t, a, n.Incident)
		}
		refresh(t, a)
		// The remaining time is computed at the end of the test, so the newest alert has the most.
		want := [][]string{{"dependency_down critical 1m0s"}, {"dependency_down critical 2m0s"}, {"dependency_down critical 3m0s"}}
		expect.Equal(t, "alerts", want, f.alerts(t))
	})
}

// TestRelabelled: a higher severity is a new alert, and the old one ends.
func TestRelabelled(t *testing.T) {
	in(t, func(t *testing.T, f *fake) {
		a, warning, worse := f.client(t, receivertest.English()), example.Fired(), example.Developed()
		warning.Incident.Severity = "warning"
		time.Sleep(time.Until(warning.At))
		deliver(t, a, warning)
		time.Sleep(time.Until(worse.At))
		deliver(t, a, worse)
		time.Sleep(time.Second)
		refresh(t, a, worse.Incident)
		want := [][]string{
			{"dependency_down warning 2m21s"},
			{"dependency_down warning ended", "dependency_down critical 2m59s"},
			{"dependency_down critical 3m0s"},
		}
		expect.Equal(t, "alerts", want, f.alerts(t))
	})
}

// TestDeploymentRepeated: the summary of a deployment that is delivered again is the same alert.
func TestDeploymentRepeated(t *testing.T) {
	in(t, func(t *testing.T, f *fake) {
		a, n := f.client(t, receivertest.English()), example.Deployment()
		time.Sleep(time.Until(n.At))
		deliver(t, a, n)
		deliver(t, a, n)
		expect.Equal(t, "alerts", [][]string{{"deployment warning 3m0s"}, {"deployment warning 3m0s"}}, f.alerts(t))
	})
}

// TestResolvedStaysSo: Refresh with an outdated list does not fire a resolved incident
// again.
func TestResolvedStaysSo(t *testing.T) {
	in(t, func(t *testing.T, f *fake) {
		a, n := f.client(t, receivertest.English()), example.Resolved()
		time.Sleep(time.Until(n.At))
		deliver(t, a, n)
		refresh(t, a, example.Reminder().Incident)
		expect.Equal(t, "alerts", [][]string{{"dependency_down critical ended"}}, f.alerts(t))
	})
}

// TestNewestWins: an outdated notification is not sent after a newer state, but a
// Resolved one always is.
func TestNewestWins(t *testing.T) {
	in(t, func(t *testing.T, f *fake) {
		a, late := f.client(t, receivertest.English()), example.Fired()
		late.Incident.Severity = "warning"
		time.Sleep(time.Until(example.Resolved().At.Add(time.Minute)))
		refresh(t, a, example.Developed().Incident)
		deliver(t, a, late)
		deliver(t, a, example.Resolved())
		want := [][]string{{"dependency_down critical 3m0s"}, {"dependency_down critical ended"}}
		expect.Equal(t, "alerts", want, f.alerts(t))
	})
}

// TestOneAtATime: requests are sequential, and one that cannot start in time is
// retried.
func TestOneAtATime(t *testing.T) {
	in(t, func(t *testing.T, f *fake) {
		f.fail(func(http.ResponseWriter, *http.Request) { time.Sleep(10 * time.Second) })
		a := f.client(t, receivertest.English())
		go a.Refresh(t.Context(), []alerting.Incident{example.Fired().Incident})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := a.Notify(ctx, example.Resolved())
		if _, ok := errors.AsType[alerting.Retriable](err); !ok || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got error %v, want a retriable one", err)
		}
		deliver(t, a, example.Resolved())
	})
}

// TestDelivery: despite failures, firing and resolved arrive in this order.
func TestDelivery(t *testing.T) {
	in(t, func(t *testing.T, f *fake) {
		status := func(status int) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
		}
		f.fail(
			status(http.StatusServiceUnavailable), status(http.StatusUnauthorized), status(http.StatusNotFound),
			func(http.ResponseWriter, *http.Request) { time.Sleep(8 * time.Second); panic(http.ErrAbortHandler) },
		)
		time.Sleep(time.Until(example.Resolved().At))
		outbox := outboxtest.New(example.Now(example.Fired()), example.Now(example.Resolved()))
		receivertest.Dispatch(t, f.client(t, receivertest.English()), outbox)
		receivertest.CheckDelivered(t, outbox)
		if got := f.alerts(t); len(got) != 2 || got[1][0] != "dependency_down critical ended" {
			t.Errorf("got alerts %q, want two, the last ended", got)
		}
	})
}

// TestErrors: an error contains the response of Alertmanager.
func TestErrors(t *testing.T) {
	in(t, func(t *testing.T, f *fake) {
		f.fail(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			w.Write([]byte(`"start time must be before\x1b end time"`))
		})
		_, err := f.client(t, receivertest.English()).Notify(t.Context(), example.Fired())
		want := alerting.Permanent{}
		if !errors.As(err, &want) || err.Error() != `got status 400 Bad Request: "\"start time must be before\\x1b end time\""` {
			t.Errorf("got %#v, %v", err, err)
		}
	})
}

func TestBadConfig(t *testing.T) {
	for _, address := range []*url.URL{nil, {Path: "/alertmanager"}} {
		if _, err := alertmanager.New(alertmanager.Config{URL: address}); err == nil {
			t.Errorf("address %v: got no error, want one", address)
		}
	}
}
