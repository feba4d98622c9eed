package alertmanager

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"stickwatch/alerting"
	"stickwatch/alerting/internal/post"
	"stickwatch/alerting/message"
)

// DefaultResend is how often firing alerts are repeated.
const DefaultResend = time.Minute

// resends is how many repetitions may be lost before an alert ends.
const resends = 3

// Config says which Alertmanager is told, and how.
type Config struct {
	URL    *url.URL       // without /api/v2; it may hold a user and a password
	Resend time.Duration  // how often Keep is called; 0: DefaultResend
	Writer message.Writer // writes annotations
	Client *http.Client   // nil: one with time-outs
}

// An Alertmanager is told of incidents.
type Alertmanager struct {
	box    post.Endpoint
	resend time.Duration
	writer message.Writer
	turn   chan struct{} // holds one while somebody sends: what is sent later is newer
	known  records
}

// New makes an Alertmanager. It calls nobody.
func New(c Config) (*Alertmanager, error) {
	if c.URL == nil || c.URL.Host == "" {
		return nil, errors.New("reading the address of Alertmanager: it names no host")
	}
	return &Alertmanager{
		box: post.Endpoint{
			Client: post.Client(c.Client),
			URL:    c.URL.JoinPath("api/v2/alerts"),
			Quote:  func(answer string) string { return answer }, // says which label it does not like
		},
		resend: cmp.Or(c.Resend, DefaultResend),
		writer: c.Writer,
		turn:   make(chan struct{}, 1),
		known:  make(records),
	}, nil
}

// Notify sends the incident as the notice has it, unless Keep was faster with
// something newer. Its receipt has no thread.
func (a *Alertmanager) Notify(ctx context.Context, n alerting.Notification) (alerting.DeliveryRef, error) {
	return alerting.DeliveryRef{}, a.inTurn(ctx, func() error {
		if a.known.newer(n) {
			return nil
		}
		return a.send(ctx, time.Now(), []alerting.Notification{n})
	})
}

// Keep repeats incidents that fire, as they are now. It is meant to be called
// every Config.Resend with all that this Alertmanager has been told of. An
// incident that was resolved meanwhile stays so.
func (a *Alertmanager) Keep(ctx context.Context, firing []alerting.Incident) error {
	return a.inTurn(ctx, func() error {
		now := time.Now()
		var notices []alerting.Notification
		for _, i := range firing {
			if !a.known[i.ID].over {
				notices = append(notices, alerting.Notification{Kind: alerting.NotificationFired, At: now, Incident: i})
			}
		}
		if len(notices) == 0 {
			return nil
		}
		return a.send(ctx, now, notices)
	})
}

// inTurn does one thing after the other.
func (a *Alertmanager) inTurn(ctx context.Context, do func() error) error {
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
		return do()
	case <-ctx.Done():
		return alerting.Retriable{Err: fmt.Errorf("waiting for another alert to be sent: %w", ctx.Err())}
	}
}

// send sends incidents, and ends the alerts that they were under other labels:
// the severity may have risen, or the cause been found.
func (a *Alertmanager) send(ctx context.Context, now time.Time, notices []alerting.Notification) error {
	var alerts []alert
	for _, n := range notices {
		current := alertOf(n, a.writer, now.Add(resends*a.resend))
		if before := a.known[n.Incident.ID]; before.labels != (labels{}) && before.labels != current.Labels {
			alerts = append(alerts, alert{Labels: before.labels, StartsAt: current.StartsAt, EndsAt: later(now, current.StartsAt)})
		}
		alerts = append(alerts, current)
	}
	body, err := json.Marshal(alerts)
	if err != nil {
		return alerting.Permanent{Err: fmt.Errorf("encoding alerts: %w", err)}
	}
	if err := a.box.Post(ctx, http.Header{"Content-Type": {"application/json"}}, body); err != nil {
		return err
	}
	a.known.sent(now, notices)
	return nil
}
