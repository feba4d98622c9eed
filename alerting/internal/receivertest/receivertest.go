// Package receivertest has helpers for the tests of receivers.
package receivertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"testing"
	"time"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/example"
	"stickwatch/alerting/message"
	"stickwatch/internal/notify"
	"stickwatch/internal/notify/outboxtest"
)

// Indent formats JSON.
func Indent(t *testing.T, body string) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, []byte(body), "", "  "); err != nil {
		t.Fatalf("indenting %q: %v", body, err)
	}
	return out.String() + "\n"
}

// English returns a Writer of English messages with links to the page and to Grafana.
func English() message.Writer {
	return message.Writer{
		Page:    &url.URL{Scheme: "https", Host: "stickwatch.example", Path: "/"},
		Grafana: &url.URL{Scheme: "https", Host: "grafana.example", Path: "/d/stickwatch"},
	}
}

// Writers returns Writers by language.
func Writers() map[string]message.Writer {
	chinese := English()
	chinese.Language, chinese.Zone = alerting.Chinese, time.FixedZone("CST", 8*60*60)
	return map[string]message.Writer{"en": English(), "zh": chinese}
}

// Handling describes how a dispatcher handles the error of a receiver.
func Handling(err error) string {
	if p, ok := errors.AsType[alerting.Permanent](err); ok {
		return "give up: " + p.Error()
	}
	if r, ok := errors.AsType[alerting.Retriable](err); ok {
		return fmt.Sprintf("retry in %v: %v", r.After, r)
	}
	if err == nil {
		return "accepted"
	}
	return fmt.Sprintf("unclassified: %v", err)
}

// Dispatch runs a dispatcher in a testing/synctest bubble until the outbox is empty, for a day
// at most, and returns how long that took.
func Dispatch(t *testing.T, n alerting.Notifier, outbox *outboxtest.Outbox) time.Duration {
	t.Helper()
	d := notify.NewDispatcher(notify.DispatcherConfig{Outbox: outbox, Notifiers: map[string]alerting.Notifier{example.Receiver: n}})
	ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
	defer cancel()
	began := time.Now()
	go d.Run(ctx)
	for outbox.Waiting() > 0 && ctx.Err() == nil {
		time.Sleep(time.Second)
	}
	return time.Since(began)
}

// CheckDelivered fails the test for each notification that was not delivered.
func CheckDelivered(t *testing.T, outbox *outboxtest.Outbox) {
	t.Helper()
	for _, e := range outbox.Entries() {
		if e.State != outboxtest.Delivered {
			t.Errorf("notification %q is %s: %s", e.ID, e.State, e.Reason)
		}
	}
}
