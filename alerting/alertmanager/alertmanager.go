// Package alertmanager sends incidents to a Prometheus Alertmanager through its API
// v2, so that its routing, silences, and on-call schedule apply.
//
// An incident is one alert. Alertmanager identifies alerts by their labels and
// resolves those that are not repeated. A firing alert therefore ends three intervals
// of [Config.Resend] from now, and [Alertmanager.Refresh] repeats it. If stickwatch
// stops, its alerts resolve without notice; monitor separately whether stickwatch is
// up.
//
// All requests are idempotent: an alert that is sent twice is one alert.
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

// resends is the number of repetitions that may be lost before an alert expires.
const resends = 3

// Config configures an Alertmanager.
type Config struct {
	URL    *url.URL       // without /api/v2; it may contain a user and a password
	Resend time.Duration  // the interval between calls of Refresh; 0: DefaultResend
	Writer message.Writer // creates the annotations
	Client *http.Client   // nil: one with timeouts
}

// An Alertmanager sends incidents as alerts.
type Alertmanager struct {
	endpoint post.Endpoint
	resend   time.Duration
	writer   message.Writer
	sending  chan struct{} // a lock for sending, so that a later request has the newer state
	known    sentAlerts
}

// New returns an Alertmanager. It sends no request.
func New(c Config) (*Alertmanager, error) {
	if c.URL == nil || c.URL.Host == "" {
		return nil, errors.New("parsing the Alertmanager URL: it has no host")
	}
	return &Alertmanager{
		endpoint: post.Endpoint{
			Client: post.Client(c.Client),
			URL:    c.URL.JoinPath("api/v2/alerts"),
			Quote:  func(answer string) string { return answer }, // names the invalid label
		},
		resend:  cmp.Or(c.Resend, DefaultResend),
		writer:  c.Writer,
		sending: make(chan struct{}, 1),
		known:   make(sentAlerts),
	}, nil
}

// Notify sends the incident of a notification, unless Refresh has sent a newer state. It
// returns no reference, because alerts cannot be replied to.
func (a *Alertmanager) Notify(ctx context.Context, n alerting.Notification) (alerting.DeliveryRef, error) {
	return alerting.DeliveryRef{}, a.exclusively(ctx, func() error {
		if a.known.newer(n) {
			return nil
		}
		return a.send(ctx, time.Now(), []alerting.Notification{n})
	})
}

// Refresh repeats firing incidents with their current state. Call it every Config.Resend
// with all incidents that this Alertmanager was notified of. It does not repeat an
// incident that was resolved in the meantime.
func (a *Alertmanager) Refresh(ctx context.Context, firing []alerting.Incident) error {
	return a.exclusively(ctx, func() error {
		now := time.Now()
		var notifications []alerting.Notification
		for _, i := range firing {
			if !a.known[i.ID].resolved {
				notifications = append(notifications, alerting.Notification{Kind: alerting.NotificationFired, At: now, Incident: i})
			}
		}
		if len(notifications) == 0 {
			return nil
		}
		return a.send(ctx, now, notifications)
	})
}

// exclusively prevents concurrent requests.
func (a *Alertmanager) exclusively(ctx context.Context, do func() error) error {
	select {
	case a.sending <- struct{}{}:
		defer func() { <-a.sending }()
		return do()
	case <-ctx.Done():
		return alerting.Retriable{Err: fmt.Errorf("waiting for another alert to be sent: %w", ctx.Err())}
	}
}

// send sends incidents. If the labels of an incident have changed, because its
// severity rose or its cause was found, send ends the alert with the old labels.
func (a *Alertmanager) send(ctx context.Context, now time.Time, notifications []alerting.Notification) error {
	var alerts []alert
	for _, n := range notifications {
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
	if err := a.endpoint.Post(ctx, http.Header{"Content-Type": {"application/json"}}, body); err != nil {
		return err
	}
	a.known.record(now, notifications)
	return nil
}
